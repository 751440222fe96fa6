"""A check that somebody accepts connections."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from purvey._script.fields import Input, Output
from purvey._script.resource import Resource
from purvey.providers import Call
from purvey.resources._inputs import refused
from purvey.resources._probe import Failed, Passed, ProbeProvider, impossible
from purvey.resources._reach import plain_words

_PORT_MAX = 65_535


class CheckProvider(ProbeProvider["Check"]):
    """Connects and hangs up."""

    def target(self, want: Check) -> str:
        """See `ProbeProvider.target`."""
        return f"tcp://{want.host}:{want.port}"

    async def attempt(self, call: Call, want: Check) -> Passed | Failed:
        """See `ProbeProvider.attempt`."""
        import asyncio  # noqa: PLC0415 - declaring a check must not load it.

        if not 0 < want.port <= _PORT_MAX:
            raise impossible(f"{want.port} is not a port.", f"Ports are 1 to {_PORT_MAX}.")
        begun = call.clock.monotonic()
        try:
            async with asyncio.timeout(want.timeout_s):
                _, writer = await asyncio.open_connection(want.host, want.port)
        except OSError as error:  # A timeout is one of them.
            return Failed(plain_words(error, f"{want.host}:{want.port}", want.timeout_s))
        writer.transport.abort()  # Nothing was sent, so there is nothing to flush and nobody to wait for.
        return Passed({"seconds": round(call.clock.monotonic() - begun, 6)})


class Check(Resource, kind="tcp.Check", provider=CheckProvider, check=True):
    """Somebody accepts connections on a port.

    Gates the run: it passes as soon as a connection is accepted, and fails when none was within `within_s`.
    """

    host: str = Input(doc="A host name or an IP address.")
    port: int = Input(doc="The port, 1 to 65535.")
    title: str | None = Input(default=None, doc="What passing means to people, such as `the database listens`.")
    within_s: float = Input(default=30.0, doc="Seconds after which it has failed.")
    every_s: float = Input(default=0.5, doc="Seconds between two attempts.")
    timeout_s: float = Input(default=5.0, doc="Seconds that one attempt may take.")

    seconds: float = Output(doc="How long the connection took.")

    @classmethod
    def prepare(cls, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:  # noqa: ARG003 - the contract's arguments.
        """See `Resource.prepare`.

        Raises:
            ScriptError: ``script.bad_port``.
        """
        port = inputs.get("port")
        if type(port) is int and not 0 < port <= _PORT_MAX:
            raise refused("script.bad_port", "A port is out of range", f"{port} is not a port.", "Ports are 1 to 65535.")
        return inputs
