"""What a provider's test needs instead of an engine: a plain `Call`, and declarations bound to values.

A `PlainCall` performs nothing on its own and records what it was told, so that a test can ask what a provider identified and
which progress it showed. Everything else is real: the host is this machine, and files written through it are files.

    call = PlainCall(tmp_path)
    want = view(files.File, path=str(tmp_path / "motd"), content="hello")
    done = await files.File._kind.provider.create(call, want)
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from purvey._base.clock import SystemClock, ulid

if TYPE_CHECKING:
    from purvey._base.clock import Clock
    from purvey._hosts.connector import Connector
    from purvey._script.resource import Resource

__all__ = ["PlainCall", "view"]

R = TypeVar("R", bound="Resource")


class PlainCall:
    """A `purvey.providers.Call` outside any run.

    Args:
        folder: The object's own folder; need not exist.
        host: The machine; None is this one.
        clock: Time; None is the machine's own.
        address: The node's address.
        id: The object's id, empty before it is known.
        token: The idempotency token; empty draws a new one.
        undoes: In an undo, the token of the operation that is taken back.
        name: The physical name.
        run: The run's id.

    Attributes:
        attempt: Which attempt it is.
        identified_ids: The ids that the provider made durable, oldest first.
        mark: Whose the object is, as in the tags of a real run.
        told: The progress texts, oldest first.
    """

    def __init__(
        self,
        folder: Path | str,
        *,
        host: Connector | None = None,
        clock: Clock | None = None,
        address: str = "test/dev::test.Kind::x",
        id: str = "",
        token: str = "",
        undoes: str = "",
        name: str = "test-dev-x",
        run: str = "",
    ) -> None:
        self.folder = str(folder)
        self.clock: Clock = clock or SystemClock()
        self.host: Connector = host or _this_machine()
        self.address = address
        self.id = id
        self.token = token or ulid(self.clock)
        self.attempt = 1
        self.undoes = undoes
        self.name = name
        self.run = run or ulid(self.clock)
        self.mark = f"testtest/{address}"
        self.identified_ids: list[str] = []
        self.told: list[str] = []

    async def identified(self, object_id: str) -> None:
        """Note the id, as the engine does in its journal."""
        self.id = object_id
        self.identified_ids.append(object_id)

    def check_lease(self) -> None:
        """Return: nobody else is there."""

    def progress(self, text: str) -> None:
        """Note the text."""
        self.told.append(text)


def _this_machine() -> Connector:
    from purvey._hosts.local import LocalConnector  # noqa: PLC0415 - a connector needs asyncio, which importing must not load.

    return LocalConnector()


def view(declaration: type[R], name: str = "x", /, **values: Any) -> R:
    """An instance of a kind's declaration that holds `values`, as a provider gets it.

    Args:
        declaration: The kind, for example `files.File`.
        name: The node's name.
        values: Inputs, and outputs where the provider reads them; what is not given has its default. They are taken as they
            are: nothing is checked and nothing made absolute. The value of an input that takes a node is a view itself.

    Returns:
        The bound instance; reading an unknown or masked field raises `NotKnownError`.
    """
    bound = declaration._bind(f"test/dev::{declaration._kind.name}::{name}", values)  # noqa: SLF001 - the test kit knows it.
    assert isinstance(bound, declaration)
    return bound
