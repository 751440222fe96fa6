"""`process.Service`: a program that keeps running, under a keeper of its own, long after purvey has ended.

A change of any input starts it again with the new one, and only it. Ready means that its port is listened on by the service
itself, as the kernel's tables say: somebody else's server on the same port convinces nobody. A service that does not become
ready leaves nothing behind when it was new, and is put back as it was when it was changed; its last lines are in the error.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from purvey._base.limits import LOCAL_LANDS_S
from purvey._base.value import reveal
from purvey._script.fields import Input, Output
from purvey._script.recorder import current
from purvey._script.resource import Resource
from purvey.errors import HostError, ProviderError
from purvey.providers import Absent, Call, Done, Finding, Observed, Outcome, Pending, Present
from purvey.resources._inputs import absolute, refused
from purvey.resources._machine import MachineProvider
from purvey.resources._plaintext import hidden, plaintexts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from purvey._base.value import Value
    from purvey.resources.process._instance import Instance
    from purvey.resources.process.keeper_model import ServiceSpec, ServiceState

STEADY_S: Final = 0.5
"""How long a service without a port must run to be ready; what cannot start at all ends sooner."""

PORT_MAX: Final = 65_535

GRACE_S_MAX: Final = 90.0
"""A longer time of grace would outlast the deadline of the call that stops the service."""

_AGAIN_S: Final = 0.1
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_ANY: Final = {"": "127.0.0.1", "*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound.


class ServiceProvider(MachineProvider["Service"]):
    """Services, by the path of their instance's files."""

    lands_within_s = LOCAL_LANDS_S
    recovers_by = "name"

    def __init__(self) -> None:
        self._former: dict[str, Service] = {}
        """What an update in progress changes from, by its token: secrets keep it from being written down."""

    async def read(self, call: Call, have: Service) -> Observed:
        """Whether it runs, by pid and start time."""
        return await _observed(call)

    async def find(self, call: Call, want: Service) -> Observed:
        """The instance of that name, if one runs."""
        seen = await _observed(call)
        return seen if isinstance(seen, Present) and seen.values["running"] else Absent()

    async def create(self, call: Call, want: Service) -> Outcome:
        """Start it."""
        await call.identified(_id(call))
        return await self._begin(call, want)

    async def update(self, call: Call, have: Service, want: Service) -> Outcome:
        """Stop it, and start it as it is wanted now."""
        self._former[call.token] = have
        return await self._begin(call, want)

    async def _begin(self, call: Call, want: Service) -> Outcome:
        instance = _instance(call)
        try:
            await instance.start(await _spec(call, want, instance), operation=call.token)
        except HostError as error:
            raise await self._put_back(call, want, error) from None
        return await self.ready(call, want)

    async def ready(self, call: Call, want: Service) -> Outcome:
        """Whether it is up: its port is its own, or it has run for a moment where it has no port."""
        instance = _instance(call)
        state, started = await instance.state(), await instance.started()
        if state is None or not state.alive:
            raise await self._put_back(call, want, await _failure(instance, want, _ended(state)))
        waits_for = _waits_for(call, want, state)
        if not waits_for:
            self._former.pop(call.token, None)
            return Done(instance.id, {**self.predict(want), "pid": state.pid, "running": True, "log": instance.log})
        if started is not None and call.clock.now() - started.at > want.ready_within_s:
            error = await _failure(instance, want, f"After {want.ready_within_s:g} s it still waits: {waits_for}")
            raise await self._put_back(call, want, error)
        return Pending(instance.id, _AGAIN_S, waits_for)

    async def _put_back(self, call: Call, want: Service, error: ProviderError) -> ProviderError:
        """`error`, after a new service was removed and a changed one started as it was before."""
        instance, former = _instance(call), self._former.pop(call.token, None)
        try:
            if former is None:
                await instance.remove(want.grace_s)
            else:
                await instance.start(await _spec(call, former, instance), operation=f"{call.token} put back")
        except HostError as second:
            error.detail += f"\nIt could not be put back as it was: {second.summary}. {second.detail}"
        return error

    async def delete(self, call: Call, have: Service) -> None:
        """Stop it, and remove its log and its other files."""
        await _instance(call).remove(have.grace_s)

    async def preflight(self, call: Call, want: Service) -> Sequence[Finding]:
        """A command or a user that does not exist; a port that somebody else has."""
        from purvey.resources.process._preflight import findings  # noqa: PLC0415 - only a run looks around.

        state = await _instance(call).state()
        return await findings(call, want, PATH, state.pid if state is not None and state.alive else 0)

    def claims(self, want: Service) -> Sequence[str]:
        """Its port."""
        return (f"tcp://{want.host}:{want.port}",) if want.port is not None else ()

    def predict(self, want: Service) -> Mapping[str, Value]:
        """The address follows from the inputs."""
        return {"address": _address(want.host, want.port) if want.port is not None else ""}


class Service(Resource, kind="process.Service", provider=ServiceProvider):
    """A program that keeps running after purvey has ended.

    Its environment is only what is given here, and PATH, HOME, USER, LANG and PURVEY_RUN.

    Example:
        web = process.Service("web", command=["python", "-m", "shop"], port=8080, env={"DATABASE_URL": data.dsn})
    """

    command: list[str] = Input(doc="The program and its arguments, without a shell; ``python`` is purvey's own interpreter.")
    env: dict[str, Any] = Input(default=None, secret=True, doc="Its environment; values may be secrets or hold some.")
    cwd: str = Input(default=None, doc="Its working directory; by default the script's folder.")
    user: str | None = Input(default=None, doc="The name to run as, when purvey is root; by default purvey's own user.")
    host: str = Input(default="127.0.0.1", doc="The address on which it listens; told to nobody, only looked at.")
    port: int | None = Input(default=None, doc="The TCP port on which it listens, 1 to 65535; None for none.")
    ready: Literal["none", "tcp"] | None = Input(
        default=None, doc="Ready when it listens (``tcp``), or when it runs (``none``); ``tcp`` where there is a port."
    )
    ready_within_s: float = Input(default=30.0, doc="Seconds until it must be ready.")
    restart: Literal["no", "on-failure", "always"] = Input(
        default="no", doc="Whether its keeper starts it again when it ends; with ``no`` its end is drift."
    )
    restart_when: list[Any] = Input(default=None, doc="Any values; when one changes, it is started again.")
    stop_signal: str = Input(default="TERM", doc="What asks it to stop: ``TERM``, ``INT``, ``QUIT``, ...")
    grace_s: float = Input(default=10.0, doc="Seconds it gets to stop, 0 to 90.")
    log_bytes_max: int = Input(default=10 * 1024 * 1024, doc="Bytes of one log file.")
    log_files: int = Input(default=5, doc="Log files with the current one.")
    address: str = Output(stable=True, doc="``host:port``; empty without a port.")
    pid: int = Output(doc="Its process.")
    running: bool = Output(compared=True, doc="Whether it runs.")
    log: str = Output(stable=True, doc="The path of its log.")

    @classmethod
    def prepare(cls, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:
        """See `Resource.prepare`: absolute paths, purvey's own Python, and combinations that make no sense refused."""
        prepared = {**inputs, "cwd": absolute(inputs.get("cwd") or ".", folder)}
        command = inputs.get("command")
        if isinstance(command, list) and command and isinstance(command[0], str):
            prepared["command"] = [sys.executable if command[0] == "python" else command[0], *command[1:]]
        _check(prepared)
        return prepared


PATH: Final = f"{Path(sys.executable).parent}:{_PATH}"
"""Where commands are looked up: beside purvey's own interpreter, then where the system has them; the same for everybody."""


def _check(inputs: dict[str, Any]) -> None:
    """Refuse what makes no sense; a value that is not known yet is not looked at."""
    command, port, grace_s = inputs.get("command"), inputs.get("port"), inputs.get("grace_s")
    if isinstance(command, list) and not command:
        raise _refused("`command` is empty", 'Name a program:\n\n    command=["python", "-m", "shop"]')
    if isinstance(port, int) and not 1 <= port <= PORT_MAX:
        raise _refused(f"`port` is {port}", "Give a port from 1 to 65535, or none.")
    if inputs.get("ready") == "tcp" and port is None:
        raise _refused('`ready` is "tcp", and there is no `port`', "Give the port on which it listens.")
    if isinstance(grace_s, int | float) and not 0 <= grace_s <= GRACE_S_MAX:
        raise _refused(f"`grace_s` is {grace_s}", f"Give 0 to {GRACE_S_MAX:g} seconds.")
    number = inputs.get("stop_signal")
    if isinstance(number, str) and current().nonce not in number and _signal(number) not in signal.Signals.__members__:
        raise _refused(f"`stop_signal` is {number!r}", "Name a signal, such as TERM, INT or QUIT.")


def _refused(detail: str, hint: str) -> Exception:
    return refused("script.bad_service", "A service makes no sense", f"{detail}.", hint)


def _signal(name: str) -> str:
    return f"SIG{name.upper().removeprefix('SIG')}"


def _id(call: Call) -> str:
    """The instance's id: as recorded, or the one that it will have."""
    return call.id or f"{call.folder}/{call.name}"


def _instance(call: Call) -> Instance:
    from purvey.resources.process._instance import Instance  # noqa: PLC0415 - only a run needs the keeper's client.

    return Instance(call, _id(call))


def _address(host: str, port: int) -> str:
    """Where a client on this machine reaches the service."""
    reachable = _ANY.get(host, host)
    return f"[{reachable}]:{port}" if ":" in reachable else f"{reachable}:{port}"


async def _observed(call: Call) -> Observed:
    instance = _instance(call)
    state = await instance.state()
    if state is None:
        return Absent()
    running = state.status in ("starting", "running")
    return Present(instance.id, {"running": running, "log": instance.log})


def _waits_for(call: Call, want: Service, state: ServiceState) -> str:
    """What it still waits for, in words; empty when it is ready."""
    from purvey.resources.process._listeners import belongs_to, listeners, name_of  # noqa: PLC0415 - only a run looks.

    if state.status != "running":
        return f"it is {state.status}"
    if want.port is None or want.ready == "none":
        return "" if call.clock.now() - state.started_at >= STEADY_S else "it has just started"
    found = listeners(want.port)
    if any(belongs_to(pid, state.pid) for pid in found):
        return ""
    others = ", ".join(f"{pid} ({name_of(pid)})" for pid in sorted(found))
    return f"port {want.port} is listened on by process {others}" if found else f"nothing listens on port {want.port}"


def _ended(state: ServiceState | None) -> str:
    from purvey.resources.process._instance import ended_how  # noqa: PLC0415 - only a run needs the keeper's client.

    how = ended_how(state)
    return f"{how[0].upper()}{how[1:]} before it was ready"


async def _failure(instance: Instance, want: Service, what: str) -> ProviderError:
    """The error for a service that did not become ready, with the end of its log."""
    lines = await instance.last_lines()
    said = f"The end of its log:\n{lines}" if lines else "It printed nothing."
    detail = hidden(f"{what}.\n{said}", plaintexts(want.env))
    return ProviderError("failed", "A service did not become ready", detail=detail)


async def _spec(call: Call, want: Service, instance: Instance) -> ServiceSpec:
    """What the keeper is told."""
    from purvey.resources.process.keeper_model import ServiceSpec  # noqa: PLC0415 - as above.

    given: dict[str, Any] = reveal(want.env) or {}
    return ServiceSpec(
        id=instance.name,
        state_dir=instance.folder,
        argv=tuple(want.command),
        env={**await _base_environment(call, want.user), **{name: str(value) for name, value in given.items()}},
        log=instance.log,
        cwd=want.cwd,
        user=want.user,
        log_bytes_max=want.log_bytes_max,
        log_files=want.log_files,
        restart=want.restart,
        stop_signal=_signal(want.stop_signal),
        grace_s=want.grace_s,
    )


async def _base_environment(call: Call, user: str | None) -> dict[str, str]:
    """What every program may expect; purvey's own environment may hold secrets, so it is not passed on."""
    import pwd  # noqa: PLC0415 - only a run asks for users.

    entry = await call.host.user(user or pwd.getpwuid(os.geteuid()).pw_name)
    who = {"HOME": entry.home, "USER": entry.name, "LOGNAME": entry.name} if entry is not None else {}
    return {"PATH": PATH, "LANG": "C.UTF-8", "PURVEY_RUN": call.run, **who}
