"""The life of one object without an engine: made, read, compared and changed through its kind's own provider."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from purvey._base.clock import SystemClock
from purvey._base.value import Masked, Secret, canonical, digest
from purvey._script.recorder import Ignorant, Recorder
from purvey.providers import Done, Present, Recorded
from purvey.testing import PlainCall

if TYPE_CHECKING:
    from purvey._graph import Node
    from purvey._script.resource import Resource
    from purvey.providers import Kind, Outcome, Provider

R = TypeVar("R", bound="Resource")


class SetClock(SystemClock):
    """A clock that stands at `seconds` since the epoch until a test moves it."""

    def __init__(self, seconds: float = 1_800_000_000.0) -> None:
        self.seconds = seconds

    def now(self) -> float:
        """Where it stands."""
        return self.seconds


def kind_of(node: Resource | type[Resource]) -> Kind:
    """The kind of a view."""
    return node._kind


def values(node: Resource) -> dict[str, Any]:
    """What a view holds."""
    return dict(node._values or {})


def provider(node: Resource) -> Provider[Any]:
    """The provider of a view."""
    return kind_of(node).provider


def recorded(want: R, outcome: Outcome | None) -> R:
    """What the record holds after `outcome`: inputs and outputs."""
    assert isinstance(outcome, Done)
    kind = kind_of(want)
    assert set(outcome.outputs) == kind.outputs, "an operation gives every output"
    canonical(outcome.outputs)  # No plaintext and nothing that cannot be stored.
    bound = kind.bind(repr(want).strip("<>"), {**values(want), **outcome.outputs})
    assert isinstance(bound, type(want))
    return bound


async def made(call: PlainCall, want: R) -> R:
    """The record of an object that was just created."""
    outcome = await provider(want).create(call, want)
    assert isinstance(outcome, Done)
    assert call.identified_ids[-1:] == [outcome.id], "the id is durable before create returns"
    return recorded(want, outcome)


async def changed(call: PlainCall, have: R, want: R) -> R:
    """The record of an object after its update."""
    return recorded(want, await provider(want).update(call, have, want))


async def differences(call: PlainCall, have: Resource, wish: Resource | None = None) -> list[str]:
    """The fields in which what is there differs from the wish, which is the record's own unless another is given."""
    seen = await provider(have).read(call, have)
    assert isinstance(seen, Present), seen
    kind = kind_of(have)
    known = _masked(values(have))
    inputs = {name: value for name, value in known.items() if name in kind.inputs}
    outputs = {name: value for name, value in known.items() if name in kind.outputs}
    desired = inputs if wish is None else _masked(values(wish))
    changes = kind.provider.diff(kind, desired, Recorded(inputs, outputs), seen.values).changes
    return [change.path for change in changes]


def _masked(value: Any) -> Any:
    if isinstance(value, Secret):
        return Masked(digest(value.reveal()))
    if isinstance(value, dict):
        return {name: _masked(item) for name, item in value.items()}
    return value


def recorder(folder: Path) -> Recorder:
    """A recorder for a script in `folder`."""
    return Recorder(Ignorant(), folder, "abc123def456")


def only(recorder: Recorder, kind: str) -> Node:
    """The one node of a kind that was declared."""
    found = [node for node in recorder.nodes.values() if node.kind == kind]
    assert len(found) == 1
    return found[0]


def everything_below(folder: Path) -> list[str]:
    """Every path below a folder, hidden ones included."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def bytes_at(path: str | Path) -> bytes:
    """What a file holds."""
    return Path(path).read_bytes()


def put(path: str | Path, text: str) -> None:
    """What somebody else does to a file."""
    Path(path).write_text(text)
