"""The recorder: what a running script declares is written here, and nowhere else.

One recorder serves one pass through a script. It is found through a context variable, so that a declaration needs no handle,
and it is frozen to a `Graph` when the script ends or pauses. It reads nothing by itself: what is known of the world comes
through `Knowledge`, which the run provides.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from purvey._base.address import join, require_name
from purvey._base.value import Link, Unknown, Value
from purvey._graph import Graph, Later, Node, NodeOptions, Pause, ordered
from purvey.errors import ScriptError

if TYPE_CHECKING:
    from purvey._script.host import Standing

_PACKAGE = str(Path(__file__).parents[1])


class Knowledge(Protocol):
    """What a script may ask of the run while it declares."""

    def settled(self, nodes: Mapping[str, Node], link: Link) -> Value:
        """The value of `link` if it is settled, else `Unknown`; may contain `Secret`s."""

    def lookup(self, name: str, read: Callable[[], Value]) -> Value:
        """The result of `read`, taken once per run and replayed afterwards."""

    def given(self, link: Link, value: Value) -> None:
        """Note that the script was given `value`; a contradiction to an earlier pass is an error."""

    def stack_outputs(self, stack: str, env: str) -> Mapping[str, Value]:
        """The outputs of another stack; its source is recorded as read by this one."""

    def is_recorded(self, name: str, value: Value) -> bool:
        """Whether some node is recorded with this input: what was sound then need not be looked at again."""


class Ignorant:
    """Knowledge of nothing: for checking a script without a store."""

    def settled(self, nodes: Mapping[str, Node], link: Link) -> Value:
        """Nothing is settled."""
        return Unknown(str(link))

    def lookup(self, name: str, read: Callable[[], Value]) -> Value:
        """Read, every time."""
        return read()

    def given(self, link: Link, value: Value) -> None:
        """Nothing to note."""

    def stack_outputs(self, stack: str, env: str) -> Mapping[str, Value]:
        """No other stack exists."""
        raise ScriptError("script.no_such_stack", "Another stack has no outputs", detail=f"{stack}/{env} is not known.")

    def is_recorded(self, name: str, value: Value) -> bool:
        """Nothing is recorded."""
        del name, value
        return False


class Paused(BaseException):
    """Raised by `value` where the script cannot go on yet."""

    def __init__(self, pause: Pause) -> None:
        super().__init__(pause.source)
        self.pause = pause


class Recorder:
    """What one pass through a script has declared so far.

    Args:
        knowledge: What the run knows.
        root: The script's folder; source lines are relative to it.
        nonce: 12 lower-case letters or digits, new for each run, by which tokens in text are recognised.
        parameters: Values of ad hoc parameters (`purvey.param`), by name, as text or data.

    Attributes:
        after: What every node that is declared now waits for, besides what it says itself.
        elsewhere: Whether the node that is being declared is where the script's own folder is not.
        places: Of each place that nodes are on, by its identity: its frozen form, itself, and how many secrets were revealed
            before.
        machines: What was said first of a name or an address of a machine, and where.
        files: The texts of the script's files that were read, by path: all nodes that are made of one get the same.
    """

    def __init__(self, knowledge: Knowledge, root: Path, nonce: str, parameters: Mapping[str, Value] | None = None) -> None:
        self.knowledge = knowledge
        self.root = root
        self.nonce = nonce
        self.parameters = dict(parameters or {})
        self.nodes: dict[str, Node] = {}
        self.scope = ""
        self.pauses: list[Pause] = []
        self.raised: Paused | None = None
        self.later: Later | None = None
        self.tokens: dict[str, Value] = {}
        self.texts: dict[Link, str] = {}
        self.revealed: dict[str, Value] = {}
        self.asked: set[str] = set()
        self.after: tuple[str, ...] = ()
        self.elsewhere = False
        self.places: dict[int, tuple[Standing, object, int]] = {}
        self.machines: dict[tuple[str, str], tuple[str, str]] = {}
        self.files: dict[str, str] = {}
        self._root_prefix = f"{root}/"

    def source(self) -> str:
        """``file:line`` of the innermost line of the script's own; where none is, of the innermost that is not purvey's."""
        frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - inspect.stack() reads every file, a thousand times slower.
        outside: FrameType | None = None
        while frame is not None:
            file = frame.f_code.co_filename
            if not file.startswith(_PACKAGE):
                if file.startswith(self._root_prefix):
                    return f"{file.removeprefix(self._root_prefix)}:{frame.f_lineno}"
                outside = outside or frame
            frame = frame.f_back
        return f"{outside.f_code.co_filename}:{outside.f_lineno}" if outside is not None else ""

    def require_fixed(self, text: object, where: str) -> str:
        """`text`, which must not carry a reference.

        Raises:
            ScriptError: ``script.token_refused``.
        """
        plain = str(text)
        if self.nonce not in plain:
            return plain
        raise ScriptError(
            "script.token_refused",
            "A reference stands where a fixed value must",
            detail=f"{where} cannot depend on a value that is known only after apply.",
            hint="Take the real value first: value(...).",
            source=self.source(),
        )

    def declare(self, kind: str, name: str, build: Callable[[str, str], Node]) -> str:
        """Add a node.

        Args:
            kind: Its kind's name.
            name: Its name, unchecked.
            build: Makes the node from its address and its source line.

        Returns:
            Its address.

        Raises:
            ScriptError: ``script.bad_name``, or ``script.duplicate_address`` naming both lines.
        """
        source = self.source()
        self.require_fixed(name, f"The name of a {kind}")
        require_name(name, f"The name of a {kind}", source)
        address = join(self.scope, kind, name)
        first = self.nodes.get(address)
        if first is not None:
            raise ScriptError(
                "script.duplicate_address",
                "Two nodes have one address",
                detail=f"{address} is declared at {first.source} and again at {source}; names are keys, "
                "so the second would silently take the first one's place.",
                hint="Give one of them another name, or put it into a `with scope(...)`.",
                address=address,
                source=source,
            )
        node = build(address, source)
        if self.after:
            node = msgspec.structs.replace(node, needs=tuple(dict.fromkeys((*node.needs, *self.after))))
        self.nodes[address] = node
        return address

    def pause(self, link: Link) -> Paused:
        """The signal to raise because `link` is not known yet."""
        self.raised = Paused(Pause(self.source(), link, self.scope))
        return self.raised

    def ended(self, paused: Paused) -> None:
        """A component, or the stack, ended at `paused`."""
        self.raised = None
        if paused.pause not in self.pauses:
            self.pauses.append(paused.pause)

    @contextmanager
    def inside(self, name: str) -> Iterator[None]:
        """Everything declared inside gets `name` before its kind in its address."""
        self.require_fixed(name, "A scope")
        require_name(name, "A scope", self.source())
        outer = self.scope
        self.scope = f"{outer}/{name}" if outer else name
        try:
            yield
        finally:
            self.scope = outer

    def freeze(self, outputs: Mapping[str, Value]) -> Graph:
        """The graph of what was declared.

        Raises:
            ScriptError: a cycle, an undeclared need, or a pause that the script swallowed.
        """
        if self.raised is not None:
            raise ScriptError(
                "script.pause_swallowed",
                "The script caught the signal by which it pauses",
                detail=f"`value({self.raised.pause.link})` cannot be known yet, and an `except BaseException` or a bare "
                "`except` went on as if it were; everything declared after it would be built on nothing.",
                hint="Catch `Exception` instead.",
                source=self.raised.pause.source,
            )
        return Graph(ordered(self.nodes), dict(outputs), tuple(self.pauses), self.later)


_current: ContextVar[Recorder | None] = ContextVar("recorder", default=None)


def current() -> Recorder:
    """The recorder of the script that is running.

    Raises:
        ScriptError: ``script.outside`` if none is.
    """
    recorder = _current.get()
    if recorder is None:
        raise ScriptError(
            "script.outside",
            "A line needs a stack around it",
            detail="Resources, values, and text with a secret in it belong into a function with `@stack`; at import time no "
            "run exists that could record them.",
            hint="Move the line into the stack function, then run `purvey plan SCRIPT`.",
        )
    return recorder


def is_recording() -> bool:
    """Whether a script is running; none is while it is imported, and then no reference exists either."""
    return _current.get() is not None


def source_here() -> str:
    """``file:line`` of the script that is running; empty while it is imported, for whoever imports it adds the line."""
    recorder = _current.get()
    return recorder.source() if recorder is not None else ""


@contextmanager
def recording(recorder: Recorder) -> Iterator[Recorder]:
    """Make `recorder` the current one."""
    token = _current.set(recorder)
    try:
        yield recorder
    finally:
        _current.reset(token)


def options_matter(options: NodeOptions) -> list[Any]:
    """The options whose change is a change of the object, and so part of a node's digest."""
    return [options.replace_when, options.tags]
