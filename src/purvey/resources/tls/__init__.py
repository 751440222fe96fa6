"""Keys, certificates and the authorities that sign them."""

from __future__ import annotations

from purvey.resources.tls.authority import CertificateAuthority
from purvey.resources.tls.certificate import Certificate
from purvey.resources.tls.private_key import PrivateKey

__all__ = ["Certificate", "CertificateAuthority", "PrivateKey"]
