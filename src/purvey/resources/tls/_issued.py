"""What certificates and authorities have in common: a public file that is issued, watched and renewed.

A certificate stays as it is for as long as it serves: it says what the script says, belongs to the key, is signed by the
authority, and its renewal window has not begun. Otherwise a new one takes its place in one step. Because this is decided from
the file itself, an interrupted operation that is called again finds what it has made and leaves it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Protocol, TypeVar

from purvey._base.clock import timestamp
from purvey._base.limits import LOCAL_LANDS_S
from purvey._base.value import Value
from purvey.providers import Absent, Call, Done, Finding, Observed, Present
from purvey.resources import _before, _paths, _place
from purvey.resources._inputs import require_absolute
from purvey.resources._machine import MachineProvider
from purvey.resources.tls._x509 import Facts, facts


class Issued(_paths.Placed, Protocol):
    """What both declarations have."""

    @property
    def renew_before_days(self) -> int:
        """How long before its end a certificate is renewed."""


T = TypeVar("T", bound=Issued)


class IssuedProvider(MachineProvider[T]):
    """A provider of certificates; subclasses say which still serve, and issue new ones."""

    lands_within_s = LOCAL_LANDS_S

    def serves(self, want: T, found: Facts, text: str) -> bool:
        """Whether the certificate in a file is the one that is wished, its age left aside."""
        raise NotImplementedError

    async def issue(self, call: Call, want: T) -> str:
        """The whole text of a new file."""
        raise NotImplementedError

    async def read(self, call: Call, have: T) -> Observed:
        """See `Provider.read`; `due` is told by the clock."""
        return await self._look(call, have, everything=False)

    async def find(self, call: Call, want: T) -> Observed:
        """See `Provider.find`: any file at that path."""
        return await self._look(call, want, everything=True)

    async def _look(self, call: Call, wished: T, *, everything: bool) -> Observed:
        status = await call.host.stat(wished.path)
        if status is None:
            return Absent()
        text = await _text(call, wished.path)
        found = facts(text)
        values = {**_paths.attributes(status, wished), **(_outputs(text, found) if everything else {"digest": _digest(text)})}
        if found is not None:
            values["due"] = found.due(call.clock.now(), wished.renew_before_days)
        return Present(wished.path, values)

    async def create(self, call: Call, want: T) -> Done:
        """See `Provider.create`."""
        require_absolute(want.path)
        done = await self._ensure(call, want)
        await call.identified(want.path)
        return done

    async def update(self, call: Call, have: T, want: T) -> Done:
        """See `Provider.update`."""
        return await self._ensure(call, want)

    async def _ensure(self, call: Call, want: T) -> Done:
        text = await _text(call, want.path)
        found = facts(text)
        now = call.clock.now()
        if found is not None and self.serves(want, found, text) and not found.due(now, want.renew_before_days):
            await _place.set_attributes(call, want)
        else:
            await _before.keep(call, want.path)
            text = await self.issue(call, want)
            await _place.write(call, want, text.encode())
        return Done(want.path, _outputs(text, facts(text)))

    async def delete(self, call: Call, have: T) -> None:
        """See `Provider.delete`."""
        await _place.remove(call, have.path)

    async def undo(self, call: Call, have: T, before: T | None) -> Done | None:
        """See `Provider.undo`: the former certificate comes back from its copy; a new one would have another serial number."""
        if before is None:
            await self.delete(call, have)
            return None
        if not await _before.restore(call, before.path):
            await _place.set_attributes(call, before)
        text = await _text(call, before.path)
        return Done(before.path, _outputs(text, facts(text)))

    async def preflight(self, call: Call, want: T) -> Sequence[Finding]:
        """See `Provider.preflight`."""
        return await _place.blocked(call, want.path)

    def claims(self, want: T) -> Sequence[str]:
        """See `Provider.claims`."""
        return (f"path:{want.path}",)


def serial_number(call: Call) -> int:
    """A positive number of at most 159 bits that nobody can guess (RFC 5280, 4.1.2.2)."""
    return max(int.from_bytes(call.clock.entropy(20), "big") >> 1, 1)


async def _text(call: Call, path: str) -> str:
    return (await _place.content(call, path) or b"").decode("utf-8", "replace")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _outputs(text: str, found: Facts | None) -> dict[str, Value]:
    return {
        "certificate_pem": text,
        "digest": _digest(text),
        "fingerprint": found.fingerprint if found else "",
        "serial": found.serial if found else "",
        "not_after": timestamp(found.not_after) if found else "",
        "due": False,
    }
