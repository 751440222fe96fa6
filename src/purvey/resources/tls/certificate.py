"""Certificates for servers, signed by an authority of the same script, and renewed before they end."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from purvey._script.fields import Input, Output
from purvey._script.recorder import current
from purvey._script.resource import Resource
from purvey.errors import ProviderError
from purvey.providers import Call, Finding
from purvey.resources._inputs import placed, refused
from purvey.resources.tls._inputs import fingerprint_of, require_days
from purvey.resources.tls._issued import IssuedProvider, serial_number
from purvey.resources.tls._x509 import Facts, is_name, is_signed_by, issue_leaf
from purvey.resources.tls.authority import CertificateAuthority
from purvey.resources.tls.private_key import PrivateKey


class CertificateProvider(IssuedProvider["Certificate"]):
    """Issues certificates under an authority."""

    def serves(self, want: Certificate, found: Facts, text: str) -> bool:
        """See `IssuedProvider.serves`."""
        authority = want.ca.certificate_pem
        return (
            text == found.pem + authority
            and set(found.names) == {_normal(name) for name in want.names}
            and found.days == want.days
            and found.public_key == want.key.fingerprint
            and is_signed_by(text, authority)
        )

    async def issue(self, call: Call, want: Certificate) -> str:
        """See `IssuedProvider.issue`.

        Raises:
            ProviderError: ``invalid`` for a name that is none, or a certificate that would outlive its authority.
        """
        if _outlives(want):
            raise ProviderError("invalid", "A certificate would outlive its authority", detail=_outlives(want))
        key, authority = await call.host.read(want.ca.key.path), want.ca.certificate_pem
        now, serial = call.clock.now(), serial_number(call)
        names = [_normal(name) for name in want.names]
        return issue_leaf(authority, key, want.key.public_key_pem, names, now=now, days=want.days, serial=serial) + authority

    async def preflight(self, call: Call, want: Certificate) -> Sequence[Finding]:
        """See `Provider.preflight`."""
        found = [*await super().preflight(call, want)]
        if _outlives(want):
            found.append(
                Finding(call.address, _outlives(want), "Give it fewer days, or the authority a longer renewal window.")
            )
        return found


class Certificate(Resource, kind="tls.Certificate", provider=CertificateProvider):
    """A certificate for a server (or a client), in a file together with its authority's.

    It is issued again in place when its names, its length, its key or its authority change, when somebody changed the file, and
    when its renewal window begins. Undoing that restores the former file to the byte.
    """

    path: str = Input(immutable=True, doc="Where it is: the certificate, then the authority's (PEM).")
    ca: CertificateAuthority = Input(doc="The authority that signs it.")
    key: PrivateKey = Input(doc="The key that it is for.")
    names: Sequence[str] = Input(doc="The DNS names and IP addresses under which the server is reached, at least one.")
    days: int = Input(default=90, doc="For how many days it is issued; no more than the authority's renewal window.")
    renew_before_days: int = Input(default=30, doc="How many days before its end it is issued again.")
    mode: str = Input(default="0644", doc="The file's mode in octal.")
    owner: str | None = Input(default=None, doc="The user who owns it; by default the one who runs purvey.")
    group: str | None = Input(default=None, doc="The group that owns it.")
    key_fingerprint: str = Input(default="", doc="Filled in by purvey: the key for which it was issued.")
    ca_fingerprint: str = Input(default="", doc="Filled in by purvey: the authority's certificate under which it was issued.")

    certificate_pem: str = Output(doc="The text of the file: the certificate, then the authority's.")
    digest: str = Output(compared=True, doc="SHA-256 of the file, in hex.")
    fingerprint: str = Output(doc="SHA-256 of the certificate, in hex.")
    serial: str = Output(doc="Its serial number, in hex.")
    not_after: str = Output(doc="Its end, as RFC 3339 in UTC.")
    due: bool = Output(compared=True, doc="Whether its renewal window has begun; always false in the record.")

    @classmethod
    def prepare(cls, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:
        """See `Resource.prepare`.

        Raises:
            ScriptError: ``script.bad_days``, ``script.bad_names``.
        """
        known = {"days": 90, "renew_before_days": 30, **placed(inputs, folder, "0644")}
        require_days(known)
        _require_names(inputs.get("names"))
        prints = {"key_fingerprint": fingerprint_of(inputs.get("key")), "ca_fingerprint": fingerprint_of(inputs.get("ca"))}
        return {**known, **prints}


def _require_names(names: Any) -> None:
    """Refuse names that cannot stand in a certificate, as far as they are known."""
    if not isinstance(names, list | tuple):
        return
    nonce = current().nonce
    bad = [name for name in names if isinstance(name, str) and nonce not in name and not is_name(name)]
    if not bad and names:
        return
    problem = f"{', '.join(map(repr, bad))} is neither an IP address nor a DNS name in ASCII." if bad else "No name is given."
    raise refused(
        "script.bad_names",
        "A certificate has names that it cannot have",
        problem,
        "Write the names as clients look them up; one with other letters in its `xn--` form, and no `https://`.",
    )


def _normal(name: str) -> str:
    """A name as certificates hold it: addresses in their short form, DNS names in lower case."""
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name.lower()


def _outlives(want: Certificate) -> str:
    """Why a certificate may still be valid when its authority is not; empty if it cannot."""
    if want.days <= want.ca.renew_before_days:
        return ""
    return (
        f"it is for {want.days} days, but its authority is renewed only {want.ca.renew_before_days} days before its own end, "
        "so it could be presented when nobody accepts it any more"
    )
