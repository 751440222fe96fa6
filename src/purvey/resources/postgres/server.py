"""`postgres.Server`: a PostgreSQL server on this machine, from the programs in a Python package.

It is made once (``initdb``), keeps its port and its data, and runs under a keeper like any service. purvey administers it
through its socket without a password; everybody else logs in over TCP with one. It is ready when a real login has answered.

A change of settings is checked by the server before it is written, taken over while it runs where that is possible, and by a
restart where not. A new server that does not start is removed; a changed one that does not is put back as it was.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from purvey._script.fields import Input, Output
from purvey._script.reference import Tokenised
from purvey._script.resource import Resource
from purvey.errors import ProviderError
from purvey.providers import Absent, Call, Done, Finding, Observed, Outcome, Pending, Present
from purvey.resources._inputs import refused
from purvey.resources._machine import MachineProvider
from purvey.resources.postgres import _config
from purvey.resources.postgres._connection import connected, conninfo, one
from purvey.resources.postgres._lands import LANDS_S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from purvey._base.value import Value
    from purvey.resources.postgres._cluster import Cluster

VERSION: Final = 18
"""The major version that the package of programs holds."""

_AGAIN_S: Final = 0.1
_UNPRIVILEGED: Final = "nobody"


class ServerProvider(MachineProvider["Server"]):
    """Servers, by the path of their folder."""

    recovers_by = "name"
    lands_within_s = LANDS_S

    def __init__(self) -> None:
        self._former: dict[str, Server] = {}
        """What an update in progress changes from, by its token."""

    async def read(self, call: Call, have: Server) -> Observed:
        """Whether it runs, and what its configuration file says; absent without its data."""
        return await _observed(call, have)

    async def find(self, call: Call, want: Server) -> Observed:
        """The data directory of that name."""
        return await _observed(call, want)

    async def create(self, call: Call, want: Server) -> Outcome:
        """Make the data directory and start the server; every step is left out if it was done before a crash."""
        cluster = await _cluster(call, want)
        await call.identified(cluster.root)
        try:
            found = await cluster.make()
            port = want.listen_port or await _port(cluster, want)
            await cluster.configure(found, want.host, port, want.settings or {})
            await cluster.instance.start(cluster.spec(found), operation=call.token)
        except ProviderError as error:
            raise await self._put_back(call, want, error) from None
        return await self.ready(call, want)

    async def update(self, call: Call, have: Server, want: Server) -> Outcome:
        """Write the configuration; reload, restart or start, whichever it takes."""
        cluster = await _cluster(call, want)
        found = await cluster.make()
        port = want.listen_port or await _port(cluster, want)
        await cluster.configure(found, want.host, port, want.settings or {})
        state = await cluster.instance.state()
        runs = state is not None and state.alive
        self._former[call.token] = have
        try:
            if not runs or await _needs_restart(call, have):
                await cluster.stop()
                await cluster.instance.start(cluster.spec(found), operation=call.token)
        except ProviderError as error:
            raise await self._put_back(call, want, error) from None
        return await self.ready(call, want)

    async def ready(self, call: Call, want: Server) -> Outcome:
        """Whether a login is answered."""
        cluster = await _cluster(call, want)
        state = await cluster.instance.state()
        if state is None or not state.alive:
            raise await self._put_back(call, want, await _not_started(cluster))
        outputs = await _outputs(cluster, want)
        try:
            async with connected(call, outputs["admin_dsn"]) as connection:
                row = await one(connection, "SELECT current_setting('server_version')")
        except ProviderError:
            return Pending(cluster.root, _AGAIN_S, "no login is answered yet")
        self._former.pop(call.token, None)
        return Done(cluster.root, {**outputs, "server_version": row[0] if row else "", "running": True})

    async def _put_back(self, call: Call, want: Server, error: ProviderError) -> ProviderError:
        """`error`, after a new server was removed and a changed one started as it was before."""
        cluster, former = await _cluster(call, want), self._former.pop(call.token, None)
        try:
            if former is not None:
                found = await cluster.make()
                port = former.listen_port or former.port
                await cluster.configure(found, former.host, port, former.settings or {})
                await cluster.instance.start(cluster.spec(found), operation=f"{call.token} put back")
            elif await cluster.made_now():
                await cluster.remove()
        except ProviderError as second:
            error.detail += f"\nIt could not be put back as it was: {second.summary}. {second.detail}"
        return error

    async def delete(self, call: Call, have: Server) -> None:
        """Stop it, and remove its data."""
        await (await _cluster(call, have)).remove()

    async def preflight(self, call: Call, want: Server) -> Sequence[Finding]:
        """The package, the user and the port."""
        from purvey.resources.postgres._binaries import INSTALL, MISSING, installed  # noqa: PLC0415 - only a run looks.

        found = [] if installed() else [Finding(call.address, MISSING, INSTALL)]
        return found + await _user_findings(call, want) + await _port_findings(call, want)

    def claims(self, want: Server) -> Sequence[str]:
        """Its port, where the script chose it."""
        return (f"tcp://{want.host}:{want.listen_port}",) if want.listen_port is not None else ()

    def predict(self, want: Server) -> Mapping[str, Value]:
        """The port, where the script chose it; else it is kept, once chosen."""
        port = want.listen_port
        return {"port": port, "address": f"{want.host}:{port}"} if port is not None else {}


class Server(Resource, kind="postgres.Server", provider=ServerProvider, holds_data=True):
    """A PostgreSQL server on this machine, with its own data directory, port and socket.

    Example:
        db = postgres.Server("db", version=18, settings={"max_connections": "200"})
    """

    version: int = Input(default=VERSION, immutable=True, doc="The major version; 18.")
    listen_port: int | None = Input(default=None, doc="Its TCP port; None for a free one, chosen once and kept.")
    host: str = Input(default="127.0.0.1", doc="The address it listens on.")
    settings: dict[str, str] = Input(default=None, doc="Settings of postgresql.conf.")
    user: str | None = Input(
        default=None, immutable=True, doc="The unprivileged user it runs as when purvey is root; by default ``nobody``."
    )
    port: int = Output(stable=True, doc="Its TCP port.")
    address: str = Output(stable=True, doc="``host:port``.")
    socket: str = Output(stable=True, doc="The folder of its socket.")
    admin_dsn: str = Output(stable=True, doc="A conninfo string for purvey's own use: the socket, as superuser, no password.")
    server_version: str = Output(doc="Its version, for example ``18.6``.")
    data: str = Output(stable=True, doc="Its data directory.")
    log: str = Output(stable=True, doc="The path of its log.")
    running: bool = Output(compared=True, doc="Whether it runs.")

    @classmethod
    def prepare(cls, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:  # noqa: ARG003 - the contract's arguments.
        """See `Resource.prepare`: settings as text, and none that purvey makes itself."""
        if inputs.get("version", VERSION) != VERSION:
            raise _refused(
                f"`version` is {inputs['version']!r}; the programs that purvey brings are of version {VERSION}", "version=18"
            )
        settings = inputs.get("settings")
        if not isinstance(settings, dict):
            return inputs
        for name in settings:
            if not isinstance(name, str) or not _config.SETTING.fullmatch(name) or name in _config.OWNED:
                raise _refused(
                    f"`settings` names {name!r}, which is no setting, or one that follows from the inputs",
                    "Use the inputs `host` and `listen_port`; settings are written in lower case.",
                )
        return {**inputs, "settings": {name: _text(value) for name, value in settings.items()}}


def _refused(detail: str, hint: str) -> Exception:
    return refused("script.bad_server", "A database server makes no sense", f"{detail}.", hint)


def _text(value: Any) -> Any:
    """A setting's value as the configuration file has it; references stay what they are."""
    if isinstance(value, Tokenised):
        return value
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value) if isinstance(value, int | float) else value


async def _cluster(call: Call, server: Server) -> Cluster:
    from purvey.resources.postgres._cluster import Cluster  # noqa: PLC0415 - only a run needs the keeper's client.

    user = (server.user or _UNPRIVILEGED) if await call.host.is_root() else None
    return Cluster(call, call.id or f"{call.folder}/{call.name}", user)


async def _port(cluster: Cluster, want: Server) -> int:
    """The port that was chosen before, or a free one."""
    return _config.port_in(await cluster.configuration()) or await cluster.free_port(want.host)


async def _outputs(cluster: Cluster, want: Server) -> dict[str, Value]:
    port = _config.port_in(await cluster.configuration())
    if port is None:
        raise ProviderError("not_found", "A server's configuration is gone", detail=f"{cluster.root}/server.conf has no port.")
    return {
        "port": port,
        "address": f"{want.host}:{port}",
        "socket": cluster.socket,
        "admin_dsn": conninfo(host=cluster.socket, port=port, user="postgres", dbname="postgres"),
        "data": cluster.data,
        "log": cluster.instance.log,
    }


async def _observed(call: Call, server: Server) -> Observed:
    cluster = await _cluster(call, server)
    if await call.host.stat(cluster.data) is None:
        return Absent()
    state = await cluster.instance.state()
    values: dict[str, Value] = {"running": state is not None and state.status in ("starting", "running")}
    text = await cluster.configuration()
    if text:
        values |= {"settings": _config.settings_in(text)}
    return Present(cluster.root, values)


async def _needs_restart(call: Call, have: Server) -> bool:
    """Let the running server read its configuration; whether it must be started again for some of it."""
    try:
        async with connected(call, have.admin_dsn) as connection:
            await connection.execute("SELECT pg_reload_conf()")
        async with connected(call, have.admin_dsn) as connection:  # The server reads it before it takes a new connection.
            row = await one(connection, "SELECT count(*) FROM pg_settings WHERE pending_restart")
    except ProviderError:  # It runs and does not answer.
        return True
    return row != (0,)


async def _not_started(cluster: Cluster) -> ProviderError:
    from purvey.resources.process._instance import ended_how  # noqa: PLC0415 - only a run needs the keeper's client.

    how = ended_how(await cluster.instance.state())
    lines = await cluster.instance.last_lines()
    detail = f"The server does not run: {how}.\nThe end of its log:\n{lines}"
    return ProviderError("failed", "The database server did not start", detail=detail)


async def _user_findings(call: Call, want: Server) -> list[Finding]:
    user = await call.host.user(want.user or _UNPRIVILEGED)
    if not await call.host.is_root():
        if want.user is None or (user is not None and user.uid == os.geteuid()):
            return []
        return [Finding(call.address, f"only root can run it as {want.user}", "Run purvey as root, or leave `user` out.")]
    if user is None:
        return [Finding(call.address, f"there is no user {want.user or _UNPRIVILEGED}", "Create it, or name another one.")]
    if user.uid == 0:
        return [Finding(call.address, "a PostgreSQL server refuses to run as root", "Name an unprivileged user.")]
    return []


async def _port_findings(call: Call, want: Server) -> list[Finding]:
    from purvey.resources.process._listeners import belongs_to, is_kept, listeners, name_of  # noqa: PLC0415 - only a run looks.

    port = want.listen_port
    if port is None or await call.host.port_free(port, host=want.host):
        return []
    state = await (await _cluster(call, want)).instance.state()
    pids = listeners(port)
    if state is not None and any(belongs_to(pid, state.pid) for pid in pids):
        return []
    who = ", ".join(f"process {pid} ({name_of(pid)})" for pid in sorted(pids)) or "somebody else"
    kept = any(is_kept(pid) for pid in pids)
    return [Finding(call.address, f"port {port} is taken by {who}", "Stop it, or choose another port.", certain=not kept)]
