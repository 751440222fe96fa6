"""Certificate authorities: a key that may sign, and a certificate that says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from purvey._script.fields import Input, Output
from purvey._script.resource import Resource
from purvey.providers import Call
from purvey.resources._inputs import placed
from purvey.resources.tls._inputs import fingerprint_of, require_common_name, require_days
from purvey.resources.tls._issued import IssuedProvider, serial_number
from purvey.resources.tls._x509 import Facts, is_signed_by, issue_authority
from purvey.resources.tls.private_key import PrivateKey


class CertificateAuthorityProvider(IssuedProvider["CertificateAuthority"]):
    """Issues certificates that vouch for themselves."""

    def serves(self, want: CertificateAuthority, found: Facts, text: str) -> bool:
        """See `IssuedProvider.serves`."""
        return (
            text == found.pem
            and found.common_name == want.common_name
            and found.days == want.days
            and found.public_key == want.key.fingerprint
            and is_signed_by(text, text)
        )

    async def issue(self, call: Call, want: CertificateAuthority) -> str:
        """See `IssuedProvider.issue`."""
        key = await call.host.read(want.key.path)
        now = call.clock.now()
        return issue_authority(key, want.common_name, now=now, days=want.days, serial=serial_number(call))


class CertificateAuthority(Resource, kind="tls.CertificateAuthority", provider=CertificateAuthorityProvider):
    """An authority that signs certificates, and whose own certificate clients are told to trust.

    It may sign servers and clients, and no further authorities. It is issued again when its name, its length or its key
    changes, when somebody changed the file, and when its renewal window begins; everything that it signed then follows.
    """

    path: str = Input(immutable=True, doc="Where its certificate is (PEM).")
    key: PrivateKey = Input(doc="The key that signs.")
    common_name: str = Input(doc="Its name, 1 to 64 characters.")
    days: int = Input(default=3_650, doc="For how many days it is issued.")
    renew_before_days: int = Input(default=365, doc="How many days before its end it is issued again.")
    mode: str = Input(default="0644", doc="The file's mode in octal.")
    owner: str | None = Input(default=None, doc="The user who owns it; by default the one who runs purvey.")
    group: str | None = Input(default=None, doc="The group that owns it.")
    key_fingerprint: str = Input(default="", doc="Filled in by purvey: the key for which it was issued.")

    certificate_pem: str = Output(doc="The certificate, as PEM.")
    digest: str = Output(compared=True, doc="SHA-256 of the file, in hex.")
    fingerprint: str = Output(doc="SHA-256 of the certificate, in hex.")
    serial: str = Output(doc="Its serial number, in hex.")
    not_after: str = Output(doc="Its end, as RFC 3339 in UTC.")
    due: bool = Output(compared=True, doc="Whether its renewal window has begun; always false in the record.")

    @classmethod
    def prepare(cls, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:
        """See `Resource.prepare`.

        Raises:
            ScriptError: ``script.bad_days``, ``script.bad_name``.
        """
        known = {"days": 3_650, "renew_before_days": 365, **placed(inputs, folder, "0644")}
        require_days(known)
        require_common_name(inputs.get("common_name"))
        return {**known, "key_fingerprint": fingerprint_of(inputs.get("key"))}
