"""The machines of one run: from how a node says one gets there to what asks and changes it. Each is made when it is needed."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from purvey._base.value import Secret, Value, digest, reveal
from purvey._hosts.become import Becoming
from purvey._hosts.pool import Pool
from purvey._hosts.route import ChrootRoute, NamespaceRoute, Route, SshRoute

if TYPE_CHECKING:
    from purvey._base.clock import Clock
    from purvey._hosts.connector import Connector

ROUTE_SECRETS: Final = frozenset({"key", "passphrase", "password", "become_password"})
"""What is secret of how one gets to a machine; the rest is sealed in the record, and shown in messages all the same."""

_SSH_PORT: Final = 22

TIDY_S: Final = 5.0
"""Seconds that a run takes at its end to have machines forget what is written down; the next run has it forgotten, too."""


class Hosts:
    """The machines of one run.

    Args:
        local: Makes the one that purvey runs on, if something is done there.
        clock: Time and chance.
        worker: The name of those who must not work on a machine at the same time.
        forget: Lets the one that purvey runs on forget what it has done, all of which is settled.

    Attributes:
        fence: The lease's fencing number, once it is held.
        tell: Tells people what becomes of a link to a machine.
        by_way: Those found so far by their name and how the way is written, which need not be opened for each of their objects.
    """

    def __init__(
        self, local: Callable[[], Connector], clock: Clock, worker: str, *, forget: Callable[[], None] = lambda: None
    ) -> None:
        self._local = local
        self.forget = forget
        self.tell: Callable[[str], None] = lambda _: None
        self.fence = 0
        self._clock = clock
        self._worker = worker
        self._pool = Pool(clock)
        self._made: dict[str, Connector] = {}
        self._numbers: dict[str, Iterator[int]] = {}
        self.by_way: dict[tuple[str, bytes], Connector] = {}
        self._seen: set[Connector] = set()

    @cached_property
    def local(self) -> Connector:
        """The one that purvey runs on."""
        return self._local()

    def at(self, where: str, how: Value) -> Connector:
        """The machine of that name, reached in that way; None as the way is this machine.

        Args:
            where: Its name.
            how: What a script's `Host` was given, resolved, with secrets opened.
        """
        if how is None:
            return self.local
        assert isinstance(how, dict)  # A place is frozen as a dictionary.
        key = hashlib.sha256(msgspec.json.encode([where, _revealed(how)])).hexdigest()
        if key not in self._made:
            self._made[key] = self._make(where, how)
        return self._made[key]

    def is_first(self, host: Connector) -> bool:
        """Whether this is the first time in the run that it is asked about a machine."""
        is_new = host not in self._seen
        self._seen.add(host)
        return is_new

    async def close(self) -> None:
        """Give up every way to every machine, with nothing left there that is written down here."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TIDY_S):
                await asyncio.gather(*(host.tidy() for host in self._made.values()), return_exceptions=True)
        self._made.clear()
        self.by_way.clear()
        await self._pool.close()

    def _make(self, where: str, how: Mapping[str, Value]) -> Connector:
        from purvey._hosts.shell_host import ShellHost  # noqa: PLC0415 - it loads the event loop.

        route = route_of(how)
        becoming = Becoming()
        if isinstance(route, SshRoute) and route.become:
            becoming = Becoming(route.become, route.become_user, route.become_password)
        shell = self._pool.shell(route)
        folder = f"{self._worker}/{hashlib.sha256(where.encode()).hexdigest()[:16]}"  # Names may share a file system.
        number = self._numbers.setdefault(where, itertools.count(1)).__next__  # One order, whichever way a program goes.
        host = ShellHost(
            shell, where, self._clock, becoming, worker=folder, fence=lambda: self.fence, number=number,
            tell=self.tell,
        )  # fmt: skip
        return cast("Connector", host)


def machine_of(how: Value) -> str:
    """Identifies the machine that a way leads to, as whomever one comes; empty for this machine.

    Names do not tell: each stack gives its own, and two environments give one name to two machines.

    Args:
        how: As `Hosts.at`, or with secrets masked.
    """
    if how is None:
        return ""
    assert isinstance(how, dict)  # A place is frozen as a dictionary.
    return digest(_destination(how))


def _destination(how: Mapping[str, Value]) -> Value:
    """What of a way tells one machine from another; one address behind two bastions may be two machines."""
    if how["by"] != "ssh":
        return dict(how)
    jumps = how.get("jump") or []
    assert isinstance(jumps, list)  # As above.
    return [how["address"], how.get("port") or _SSH_PORT, [_destination(cast("Mapping[str, Value]", item)) for item in jumps]]


def route_of(how: Mapping[str, Value]) -> Route:
    """The way to a machine, from what a script's `Host`, `Chroot` or `Namespace` was given."""
    given: dict[str, Any] = {name: _secret(value) if name in ROUTE_SECRETS else reveal(value) for name, value in how.items()}
    kind = given.pop("by")
    if kind == "chroot":
        return ChrootRoute(**given)
    if kind == "namespace":
        return NamespaceRoute(**given)
    jumps = given.pop("jump", ())
    return SshRoute(**given, jump=tuple(_jump(item) for item in jumps))


def _jump(how: Any) -> SshRoute:
    route = route_of(how)
    assert isinstance(route, SshRoute)  # One jumps over hosts only.
    return route


def _secret(value: Value) -> Secret:
    """A secret of the way; an output that its kind does not call secret is held as one from here on."""
    return value if isinstance(value, Secret) else Secret(value)


def _revealed(value: Value) -> Value:
    """`value` with every secret in it revealed, to be digested at once."""
    if isinstance(value, Secret):
        return _revealed(value.reveal())
    if isinstance(value, dict):
        return {name: _revealed(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_revealed(item) for item in value]
    return value
