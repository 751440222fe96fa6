"""Keys and certificates as bytes: pure functions of keys, names and the time given to them.

What is issued follows RFC 5280 closely enough for strict verifiers (Python 3.13's ``VERIFY_X509_STRICT`` among them): the
authority may sign certificates and nothing else, with no further authority below it; a leaf names its hosts in the subject
alternative name only, and points to the key that signed it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal, cast

import msgspec

from purvey.errors import ProviderError

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes, CertificatePublicKeyTypes

Algorithm = Literal["ecdsa-p256", "rsa-3072", "ed25519"]

DAY_S: Final = 86_400.0
"""Seconds in a day."""

_SKEW: Final = timedelta(minutes=5)
"""Certificates begin this long before they are made, for machines whose clocks are behind."""

COMMON_NAME_MAX: Final = 64
"""Characters of a common name (RFC 5280, ub-common-name)."""

_DNS_NAME_MAX: Final = 253
"""Characters of a DNS name (RFC 1035)."""

_LABELS = re.compile(r"(\*\.)?([a-z0-9_]([a-z0-9_-]*[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?", re.IGNORECASE)


class KeyFacts(msgspec.Struct, frozen=True):
    """What may be told about a private key: its algorithm, its public half as PEM, and SHA-256 over that (SPKI) in hex."""

    algorithm: str
    public_key_pem: str
    fingerprint: str


class Facts(msgspec.Struct, frozen=True):
    """What a certificate says: SHA-256 of it, serial number (both in hex), names, validity in seconds since the epoch.

    `pem` is the certificate by itself, spelt as purvey writes it; `public_key` the fingerprint of the key it is for.
    """

    pem: str
    fingerprint: str
    serial: str
    names: tuple[str, ...]
    common_name: str
    not_before: float
    not_after: float
    public_key: str

    @property
    def days(self) -> float:
        """For how many days it was asked."""
        return (self.not_after - self.not_before - _SKEW.total_seconds()) / DAY_S

    def due(self, now: float, renew_before_days: int) -> bool:
        """Whether its renewal window has begun at `now`."""
        return now >= self.not_after - renew_before_days * DAY_S


def new_key(algorithm: Algorithm) -> bytes:
    """A new private key as PKCS #8 PEM, not encrypted; the file's mode is what protects it."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - declaring a kind must not load OpenSSL.
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa  # noqa: PLC0415 - as above.

    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
    match algorithm:
        case "ecdsa-p256":
            key = ec.generate_private_key(ec.SECP256R1())
        case "rsa-3072":
            key = rsa.generate_private_key(public_exponent=65_537, key_size=3_072)
        case "ed25519":
            key = ed25519.Ed25519PrivateKey.generate()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def key_facts(pem: bytes) -> KeyFacts | None:
    """What may be told about a private key; None if `pem` is not one."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - as in new_key.
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa  # noqa: PLC0415 - as above.

    try:
        key = serialization.load_pem_private_key(pem, None)
    except (ValueError, TypeError):  # TypeError: it is encrypted, so it is not ours.
        return None
    match key:
        case ec.EllipticCurvePrivateKey(curve=ec.SECP256R1()):
            algorithm = "ecdsa-p256"
        case rsa.RSAPrivateKey(key_size=size):
            algorithm = f"rsa-{size}"
        case ed25519.Ed25519PrivateKey():
            algorithm = "ed25519"
        case _:
            algorithm = "other"
    spki = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return KeyFacts(algorithm, spki.decode(), public_fingerprint(spki.decode()))


def public_fingerprint(public_key_pem: str) -> str:
    """SHA-256 in hex of a public key in its DER form (SubjectPublicKeyInfo), as in RFC 7469."""
    import hashlib  # noqa: PLC0415 - as in new_key.

    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - as in new_key.

    key = serialization.load_pem_public_key(public_key_pem.encode())
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


def facts(pem: str) -> Facts | None:
    """What the first certificate in `pem` says; None if there is none that can be read."""
    from cryptography import x509  # noqa: PLC0415 - as in new_key.
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415 - as above.
    from cryptography.x509.oid import NameOID  # noqa: PLC0415 - as above.

    try:
        found = x509.load_pem_x509_certificate(pem.encode())
        spki = found.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    except ValueError:
        return None
    common_names = found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return Facts(
        found.public_bytes(serialization.Encoding.PEM).decode(),
        found.fingerprint(hashes.SHA256()).hex(),
        f"{found.serial_number:x}",
        _alternative_names(found),
        str(common_names[0].value) if common_names else "",
        found.not_valid_before_utc.timestamp(),
        found.not_valid_after_utc.timestamp(),
        public_fingerprint(spki.decode()),
    )


def is_signed_by(pem: str, authority_pem: str) -> bool:
    """Whether the first certificate in `pem` was signed with the key of the one in `authority_pem`."""
    from cryptography import x509  # noqa: PLC0415 - as in new_key.
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - as above.

    try:
        authority = x509.load_pem_x509_certificate(authority_pem.encode())
        x509.load_pem_x509_certificate(pem.encode()).verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):  # TypeError: a key of another type.
        return False
    return True


def issue_authority(key_pem: bytes, common_name: str, *, now: float, days: int, serial: int) -> str:
    """A certificate by which `key_pem` says that it may sign others.

    Args:
        key_pem: The authority's private key.
        common_name: Its name, 1 to 64 characters.
        now: Seconds since the epoch.
        days: How long it is valid.
        serial: A positive number of at most 159 bits, unpredictable.

    Returns:
        The certificate as PEM.
    """
    from cryptography import x509  # noqa: PLC0415 - as in new_key.

    key = _signing_key(key_pem)
    subject = _name(common_name)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = (
        _validity(now, days, serial)
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True, enciphers=False), critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier(identifier.digest, None, None), critical=False)
    )
    return _signed(builder, key)


def issue_leaf(
    authority_pem: str,
    authority_key_pem: bytes,
    public_key_pem: str,
    names: Sequence[str],
    *,
    now: float,
    days: int,
    serial: int,
) -> str:
    """A certificate for a server (and for a client) that is reached under `names`.

    Args:
        authority_pem: The authority's certificate.
        authority_key_pem: Its private key.
        public_key_pem: The public half of the server's key.
        names: DNS names and IP addresses, at least one.
        now: Seconds since the epoch.
        days: How long it is valid.
        serial: As for `issue_authority`.

    Returns:
        The certificate as PEM, without the authority's.

    Raises:
        ProviderError: ``invalid`` for a name that is none.
    """
    from cryptography import x509  # noqa: PLC0415 - as in new_key.
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - as above.
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415 - as above.
    from cryptography.x509.oid import ExtendedKeyUsageOID  # noqa: PLC0415 - as above.

    signing = _signing_key(authority_key_pem)
    authority = x509.load_pem_x509_certificate(authority_pem.encode())
    public = cast("CertificatePublicKeyTypes", serialization.load_pem_public_key(public_key_pem.encode()))
    signer = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    short = names[0] if len(names[0]) <= COMMON_NAME_MAX else ""
    builder = (
        _validity(now, days, serial)
        .subject_name(_name(short))
        .issuer_name(authority.subject)
        .public_key(public)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False, enciphers=isinstance(public, rsa.RSAPublicKey)), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=not short)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(signer), critical=False)
    )
    return _signed(builder, signing)


def _signing_key(pem: bytes) -> CertificateIssuerPrivateKeyTypes:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - as in new_key.
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa  # noqa: PLC0415 - as above.

    try:
        key = serialization.load_pem_private_key(pem, None)
    except (ValueError, TypeError):
        key = None
    if isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey):
        return key
    raise ProviderError(
        "invalid",
        "A private key cannot sign",
        detail="The file of the authority's key does not hold an unencrypted private key that can sign.",
        hint="Apply again: the key is seen as changed, made anew, and everything that it signs is issued again.",
    )


def _validity(now: float, days: int, serial: int) -> x509.CertificateBuilder:
    """A builder with serial number and validity, which begins a little in the past."""
    from cryptography import x509  # noqa: PLC0415 - as in new_key.

    begin = datetime.fromtimestamp(int(now), UTC)
    return (
        x509.CertificateBuilder()
        .serial_number(serial)
        .not_valid_before(begin - _SKEW)
        .not_valid_after(begin + timedelta(days=days))
    )


def _name(common_name: str) -> x509.Name:
    from cryptography import x509  # noqa: PLC0415 - as in new_key.
    from cryptography.x509.oid import NameOID  # noqa: PLC0415 - as above.

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if common_name else [])


def _usage(*, signs_certificates: bool, enciphers: bool) -> x509.KeyUsage:
    """What a key may be used for: an authority signs certificates and revocations, a server signs handshakes."""
    from cryptography import x509  # noqa: PLC0415 - as in new_key.

    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=enciphers,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _signed(builder: x509.CertificateBuilder, key: CertificateIssuerPrivateKeyTypes) -> str:
    """The certificate as PEM; an Ed25519 signature has its hash built in."""
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415 - as in new_key.
    from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415 - as above.

    algorithm: hashes.SHA256 | None = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, algorithm).public_bytes(serialization.Encoding.PEM).decode()


def is_name(name: str) -> bool:
    """Whether `name` can stand in a certificate: an IP address, or a DNS name in ASCII, with ``*.`` in front at most."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return len(name) <= _DNS_NAME_MAX and _LABELS.fullmatch(name) is not None
    return True


def _general_name(name: str) -> x509.GeneralName:
    from cryptography import x509  # noqa: PLC0415 - as in new_key.

    if not is_name(name):
        raise ProviderError(
            "invalid",
            "A name cannot stand in a certificate",
            detail=f"{name!r} is neither an IP address nor a DNS name in ASCII.",
            hint="Write the name as it is looked up; a name with other letters in its `xn--` form.",
        )
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _alternative_names(certificate: x509.Certificate) -> tuple[str, ...]:
    from cryptography import x509  # noqa: PLC0415 - as in new_key.

    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(str(name.value) for name in found)
