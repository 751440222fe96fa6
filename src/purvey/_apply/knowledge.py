"""What a script may ask of the run while it declares: settled values, look-ups, outputs of other stacks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Protocol

from purvey._apply.parts import Parts
from purvey._base.value import Link, Unknown, Value, dig, digest
from purvey._graph import Node
from purvey._plan.decide import Decider
from purvey._state.record import Given, LookedUp, Record
from purvey.errors import ScriptError


class OtherStacks(Protocol):
    """The outputs of the other stacks in the store."""

    def __call__(self, stack: str, /) -> Mapping[str, Value]:
        """The outputs of ``name/environment``, secrets masked; ScriptError if it has none."""


class RunKnowledge:
    """See `purvey._script.recorder.Knowledge`; `records` is what must be written down of the answers.

    Args:
        parts: The run's tools.
        decider: Decides nodes as they are declared.
        earlier: The run's records so far, for replay.
        others: The outputs of other stacks.
        lookups: What look-ups found before the run began, as a saved plan holds it.
    """

    def __init__(
        self, parts: Parts, decider: Decider, earlier: list[Record], others: OtherStacks, lookups: Mapping[str, Value]
    ) -> None:
        self.records: list[Record] = []
        self.reads: list[str] = []
        self._parts = parts
        self._decider = decider
        self._others = others
        self._decided = 0
        self._noted = {record.name: record.value for record in earlier if isinstance(record, LookedUp)}
        self._lookups = {**lookups, **self._noted}
        self._given = {record.link: record.digest for record in earlier if isinstance(record, Given)}

    def settled(self, nodes: Mapping[str, Node], link: Link) -> Value:
        """The value of `link` if record and observation settle it."""
        for node in islice(nodes.values(), self._decided, None):
            self._decider.decide(node)
        self._decided = len(nodes)
        value = self._decider.link(Link(link.address, link.output))  # Only a whole secret can be opened.
        return dig(value if isinstance(value, Unknown) else self._parts.opened(value), link.path)

    def lookup(self, name: str, read: Callable[[], Value]) -> Value:
        """The result of `read`, taken once per run."""
        if name not in self._lookups:
            self._lookups[name] = read()
        value = self._lookups[name]
        if name not in self._noted:  # What a saved plan holds is written down as well: a resume has only the journal.
            self._noted[name] = value
            self.records.append(LookedUp(at=self._parts.clock.now(), name=name, value=value))
        return value

    def given(self, link: Link, value: Value) -> None:
        """Note what the script was given.

        Raises:
            ScriptError: ``script.value_changed``.
        """
        found, name = digest(value), str(link)
        before = self._given.setdefault(name, found)
        if before != found:
            raise ScriptError(
                "script.value_changed",
                "A value changed while the run was going on",
                detail=f"`value({name})` gave the script one value in an earlier stage and has another one now; what was "
                "declared from the first would be wrong.",
                hint="Apply again: the new run begins with the new value.",
                address=link.address,
            )
        if name not in {record.link for record in self.records if isinstance(record, Given)}:
            self.records.append(Given(at=self._parts.clock.now(), link=name, digest=found))

    def stack_outputs(self, stack: str, env: str) -> Mapping[str, Value]:
        """The outputs of another stack, secrets masked: what uses one opens it."""
        key = f"{stack}/{env}"
        outputs = self._others(key)
        if key not in self.reads:
            self.reads.append(key)
        return outputs

    def is_recorded(self, name: str, value: Value) -> bool:
        """Whether some node is recorded with this input."""
        return any(record.inputs.get(name) == value for record in self._decider.state.resources.values())
