"""Private keys: made on the machine that uses them, and known to purvey by the fingerprint of their public half only.

A key that is lost or was changed by somebody is not a key that purvey can vouch for: it is made anew. Its fingerprint changes
then, and everything that was made with it (certificates, an authority and all that it signed) follows in the same run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from purvey._base.limits import LOCAL_LANDS_S
from purvey._base.value import Value
from purvey._script.fields import Input, Output
from purvey._script.resource import Resource
from purvey.errors import ProviderError
from purvey.providers import Absent, Call, Done, Finding, Observed, Present
from purvey.resources import _before, _paths, _place
from purvey.resources._inputs import placed, require_absolute
from purvey.resources._machine import MachineProvider
from purvey.resources.tls._x509 import Algorithm, KeyFacts, key_facts, new_key


class PrivateKeyProvider(MachineProvider["PrivateKey"]):
    """Makes keys in memory and writes them straight to their place."""

    lands_within_s = LOCAL_LANDS_S

    async def read(self, call: Call, have: PrivateKey) -> Observed:
        """See `Provider.read`: the file's attributes, and whether it still is the key that was recorded."""
        status = await call.host.stat(have.path)
        if status is None:
            return Absent()
        facts = await _facts(call, have.path)
        values: dict[str, Value] = {"fingerprint": facts.fingerprint if facts else "", **_paths.attributes(status, have)}
        if facts:
            values["algorithm"] = facts.algorithm
        return Present(have.path, values)

    async def find(self, call: Call, want: PrivateKey) -> Observed:
        """See `Provider.find`: any file at that path."""
        status = await call.host.stat(want.path)
        if status is None:
            return Absent()
        facts = await _facts(call, want.path)
        return Present(want.path, {**_outputs(facts), **_paths.attributes(status, want)})

    def named(self, object_id: str) -> Mapping[str, Value]:
        """See `Provider.named`."""
        return _paths.named(object_id)

    async def describe(self, call: Call, want: PrivateKey) -> Mapping[str, Value]:
        """See `Provider.describe`: algorithm and mode; the key stays where it is.

        Raises:
            ProviderError: ``invalid`` if it is no private key of a known algorithm.
        """
        status = await _place.standing(call, want.path, "file")
        facts = await _facts(call, want.path)
        if facts is None or facts.algorithm not in get_args(Algorithm):
            raise ProviderError("invalid", "Something else is there", detail=f"{want.path} holds no key that purvey makes.")
        return {"algorithm": facts.algorithm, "mode": f"{status.mode:04o}"}

    async def create(self, call: Call, want: PrivateKey) -> Done:
        """See `Provider.create`: a whole key that an interrupted attempt has left is the key."""
        require_absolute(want.path)
        facts = await _facts(call, want.path)
        if facts is not None and facts.algorithm == want.algorithm:
            await _place.set_attributes(call, want)
        else:
            facts = await _write_new(call, want)
        await call.identified(want.path)
        return Done(want.path, _outputs(facts))

    async def update(self, call: Call, have: PrivateKey, want: PrivateKey) -> Done:
        """See `Provider.update`: a new key, unless the recorded one is there and only attributes differ."""
        facts = await _facts(call, want.path)
        if facts is not None and facts.fingerprint == have.fingerprint and facts.algorithm == want.algorithm:
            await _place.set_attributes(call, want)
        else:
            await _before.keep(call, want.path)
            facts = await _write_new(call, want)
        return Done(want.path, _outputs(facts))

    async def delete(self, call: Call, have: PrivateKey) -> None:
        """See `Provider.delete`."""
        await _place.remove(call, have.path)

    async def undo(self, call: Call, have: PrivateKey, before: PrivateKey | None) -> Done | None:
        """See `Provider.undo`: the former key comes back from its copy."""
        if before is None:
            await self.delete(call, have)
            return None
        if not await _before.restore(call, before.path):
            await _place.set_attributes(call, before)
        return Done(before.path, _outputs(await _facts(call, before.path)))

    async def preflight(self, call: Call, want: PrivateKey) -> Sequence[Finding]:
        """See `Provider.preflight`."""
        return await _place.blocked(call, want.path)

    def claims(self, want: PrivateKey) -> Sequence[str]:
        """See `Provider.claims`."""
        return (f"path:{want.path}",)


class PrivateKey(Resource, kind="tls.PrivateKey", provider=PrivateKeyProvider):
    """A private key in a file, made on the machine; it never leaves it and never reaches the record.

    A lost key, one that somebody changed and one of another algorithm are made anew; what depends on the key then follows.
    """

    path: str = Input(immutable=True, doc="Where the key is (PKCS #8, PEM, not encrypted).")
    algorithm: Algorithm = Input(default="ecdsa-p256", doc="`ecdsa-p256`, `rsa-3072` (for old clients) or `ed25519`.")
    mode: str = Input(default="0600", doc="The file's mode in octal.")
    owner: str | None = Input(default=None, doc="The user who owns it; by default the one who runs purvey.")
    group: str | None = Input(default=None, doc="The group that owns it.")

    public_key_pem: str = Output(doc="The public half, as PEM.")
    fingerprint: str = Output(compared=True, doc="SHA-256 of the public half (SPKI), in hex.")

    @classmethod
    def prepare(cls, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:
        """See `Resource.prepare`."""
        return {"algorithm": "ecdsa-p256", **placed(inputs, folder, "0600")}


async def _facts(call: Call, path: str) -> KeyFacts | None:
    """What may be told about the key at `path`; None if there is none that can be read."""
    content = await _place.content(call, path)
    return None if content is None else key_facts(content)


async def _write_new(call: Call, want: PrivateKey) -> KeyFacts | None:
    import asyncio  # noqa: PLC0415 - declaring a kind must not load it.

    call.progress(f"making a key ({want.algorithm})")
    pem = await asyncio.to_thread(new_key, want.algorithm)  # Finding the primes of an RSA key takes a second.
    await _place.write(call, want, pem)
    return key_facts(pem)


def _outputs(facts: KeyFacts | None) -> dict[str, Value]:
    return {"public_key_pem": facts.public_key_pem if facts else "", "fingerprint": facts.fingerprint if facts else ""}
