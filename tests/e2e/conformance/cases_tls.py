"""Cases for keys, authorities and certificates, looked at with a library of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from purvey.resources import tls
from purvey.testing.conformance import NAME, Case, Wish
from tests.e2e.conformance.cases_files import Place

if TYPE_CHECKING:
    from purvey import Options, Resource


class PemCase(Place, Case):
    """What all three are: a file whose content nobody can foretell."""

    inapplicable: ClassVar[Mapping[str, str]] = {
        "failure": "what can be wrong with it is found by preflight, before anything is made",
        "failed update": "as for its creation",
    }

    def look(self) -> Mapping[str, Any] | None:
        """See `Case.look`."""
        path = self.there()
        if path is None:
            return None
        return {"at": path.name, "mode": f"{path.stat().st_mode & 0o7777:04o}", **self.told_by(path.read_bytes())}

    def told_by(self, pem: bytes) -> Mapping[str, Any]:
        """What the wish decides of the content."""
        raise NotImplementedError

    def identity(self) -> Any:
        """See `Case.identity`: the very bytes."""
        path = self.there()
        return (self.look(), path.read_bytes()) if path is not None else None

    def content(self) -> Any:
        """See `Case.content`: the very bytes."""
        return self.identity()

    def drift(self) -> str:
        """See `Case.drift`."""
        self.path().chmod(0o604)
        return "mode"


class PrivateKeyCase(PemCase):
    """`tls.PrivateKey`: another algorithm makes another key in the same place."""

    kind = tls.PrivateKey

    def declare(self, wish: Wish, opts: Options) -> Resource:
        """See `Case.declare`."""
        algorithm: Any = "ed25519" if wish == "changed" else "ecdsa-p256"
        return tls.PrivateKey(NAME, path=str(self.path(wish)), algorithm=algorithm, opts=opts)

    def expected(self, wish: Wish) -> Mapping[str, Any]:
        """See `Case.expected`."""
        return {"at": self.path(wish).name, "mode": "0600", "algorithm": "Ed25519" if wish == "changed" else "P-256"}

    def told_by(self, pem: bytes) -> Mapping[str, Any]:
        """See `PemCase.told_by`."""
        key = serialization.load_pem_private_key(pem, None)
        if isinstance(key, ed25519.Ed25519PrivateKey):
            return {"algorithm": "Ed25519"}
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return {"algorithm": "P-256" if isinstance(key.curve, ec.SECP256R1) else key.curve.name}

    def found(self) -> None:
        """See `Case.found`: a key with the rights of a public file."""
        write(self.path(), key_pem(), 0o644)


class AuthorityCase(PemCase):
    """`tls.CertificateAuthority`: another name issues it again."""

    kind = tls.CertificateAuthority

    def around(self) -> Mapping[str, Any]:
        """See `Situation.around`."""
        self.key = tls.PrivateKey("authority", path=str(self.folder / "authority.key"))
        return {}

    def declare(self, wish: Wish, opts: Options) -> Resource:
        """See `Case.declare`."""
        name = "another authority" if wish == "changed" else "an authority"
        return tls.CertificateAuthority(NAME, path=str(self.path(wish)), key=self.key, common_name=name, opts=opts)

    def expected(self, wish: Wish) -> Mapping[str, Any]:
        """See `Case.expected`."""
        name = "another authority" if wish == "changed" else "an authority"
        return {"at": self.path(wish).name, "mode": "0644", "names": [name], "issuer": name, "verified": True}

    def told_by(self, pem: bytes) -> Mapping[str, Any]:
        """See `PemCase.told_by`."""
        (certificate,) = x509.load_pem_x509_certificates(pem)
        return {
            "names": [str(item.value) for item in certificate.subject],
            "issuer": str(next(iter(certificate.issuer)).value),
            "verified": verified(certificate, certificate),
        }

    def found(self) -> None:
        """See `Case.found`: what is no certificate at all."""
        write(self.path(), b"somebody else's\n", 0o644)

    def content(self) -> Any:
        """See `Case.content`: the very bytes, whatever they are."""
        path = self.there()
        return path.read_bytes() if path is not None else None


class CertificateCase(PemCase):
    """`tls.Certificate`: other names issue it again."""

    kind = tls.Certificate

    def around(self) -> Mapping[str, Any]:
        """See `Situation.around`."""
        root = tls.PrivateKey("root", path=str(self.folder / "root.key"))
        self.authority = tls.CertificateAuthority(
            "root", path=str(self.folder / "root.crt"), key=root, common_name="the root of the kit"
        )
        self.key = tls.PrivateKey("server", path=str(self.folder / "server.key"))
        return {}

    def declare(self, wish: Wish, opts: Options) -> Resource:
        """See `Case.declare`."""
        names = ["shop.test", "127.0.0.2"] if wish == "changed" else ["shop.test"]
        return tls.Certificate(NAME, path=str(self.path(wish)), ca=self.authority, key=self.key, names=names, opts=opts)

    def expected(self, wish: Wish) -> Mapping[str, Any]:
        """See `Case.expected`."""
        names = ["127.0.0.2", "shop.test"] if wish == "changed" else ["shop.test"]
        return {"at": self.path(wish).name, "mode": "0644", "names": names, "verified": True}

    def told_by(self, pem: bytes) -> Mapping[str, Any]:
        """See `PemCase.told_by`."""
        leaf, authority = x509.load_pem_x509_certificates(pem)
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return {"names": sorted(str(name.value) for name in names), "verified": verified(leaf, authority)}

    def found(self) -> None:
        """See `Case.found`: what is no certificate at all."""
        write(self.path(), b"somebody else's\n", 0o644)

    def content(self) -> Any:
        """See `Case.content`: the very bytes, whatever they are."""
        path = self.there()
        return path.read_bytes() if path is not None else None


def verified(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    """Whether the authority has signed the certificate; an error says why not."""
    certificate.verify_directly_issued_by(authority)
    return True


def key_pem() -> bytes:
    """A new key, as somebody else would make one."""
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def write(path: Path, data: bytes, mode: int) -> None:
    """Make a file as somebody else would."""
    path.write_bytes(data)
    path.chmod(mode)
