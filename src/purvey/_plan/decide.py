"""What happens to each node: from its wish, its record and what was observed, one decision at a time. Pure.

Decisions are made in dependency order, each from those before it, so that a script which asks for a value while it still
declares gets the same answer as the plan. Most nodes of a live estate are as declared; for these a decision is three
comparisons and no allocation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from purvey._base.compare import FieldChange
from purvey._base.value import Link, Masked, NodeLink, SecretRef, Unknown, Value, dig, resolve, thaw, walk
from purvey._graph import ALL, Node, Selection
from purvey._plan.decision import Decision, cause_of, is_owed, matches, moves, refuse_secrets, same_terms
from purvey._plan.plan import UNSURE, Action
from purvey._state.moving import readdressed
from purvey._state.record import thawed
from purvey._state.resource import ResourceState
from purvey._state.state import State
from purvey.errors import ScriptError
from purvey.providers import Absent, Diff, Kind, NotKnownError, Observed, Present, Recorded, Registry, Unreadable

Observations = Mapping[tuple[str, int], Observed]
"""What was read, by address and generation; an object that is not in it was not asked for, and its record is believed."""


_CHANGES: Final = frozenset({"create", "update", "replace", "adopt"})


class Decider:
    """Decides node by node; the memory of one stage.

    Args:
        state: What is recorded.
        observed: What was read.
        kinds: The kinds.
        secret: What a reference to a backend is now, masked.
        found: Objects that are there already under the identity of a node that is not recorded, by address.
        selection: Which nodes are decided at all; the others keep their record, and new ones among them are passed over.
        believe: Whether outputs of nodes that were not decided are taken from the record, as while applying, when everything a
            node needs is complete.
        doubts: Nodes that may not stay as they are after what they need, by address, and why: they are looked at again then.
        elsewhere: Why a node's object has to be made anew on another machine; empty if it is where the node is.
    """

    def __init__(
        self,
        state: State,
        observed: Observations,
        kinds: Registry,
        secret: Callable[[SecretRef | Masked], Masked],
        found: Mapping[str, Observed] | None = None,
        *,
        selection: Selection = ALL,
        believe: bool = False,
        check_all: bool = False,
        doubts: Mapping[str, str] | None = None,
        elsewhere: Callable[[Node, ResourceState, Callable[[Link], Value]], str] = moves,
    ) -> None:
        self.state = state
        self.observed = observed
        self.kinds = kinds
        self.secret = secret
        self.found = found or {}
        self.decisions: dict[str, Decision] = {}
        self.settled: dict[str, ResourceState] = {}
        self.touched: set[str] = set()
        self.moved: dict[str, str] = {}
        self._renamed: dict[str, str] = {}
        self.skipped: dict[str, None] = {}
        self._missing: dict[str, Node] = {}
        self.restated: dict[str, Node] = {}
        self._escorts: dict[str, Node] = {}
        self.selection = selection
        self._saw_secret = False
        self._newest: dict[str, str] = {}
        self._believe = believe
        self._check_all = check_all
        self._everything = selection == ALL
        self._doubts = doubts or {}
        self._elsewhere = elsewhere

    def decide(self, node: Node) -> None:
        """Settle `node`, or note the `Decision` about it; everything it needs MUST be decided already."""
        address = node.address
        if address in self.settled or address in self.decisions:
            return
        if node.options.around:
            self._escorts[address] = node
            return
        record = self.state.latest(address)
        behind = self._is_behind(node, record)
        if not (self._everything or self.selection.covers(address) or self._goes_along(record)):
            self._skip(node, record)
            return
        if self._missing and not self._missing.keys().isdisjoint(node.needs):
            raise _needs_excluded(node, self._missing)
        kind = self.kinds.get(node.kind)
        upstream = behind or not self.touched.isdisjoint(node.needs) or address in self._doubts
        asked = kind.check and self._check_all
        is_same = record is not None and record.digest == node.digest and record.way == node.way
        if record is not None and is_same and not upstream and not kind.secrets and not asked:
            seen = self.observed.get((address, record.generation))
            if seen is None or (type(seen) is Present and matches(seen.values, record)):
                self.settled[address] = record
                if not same_terms(node, record):
                    self.restated[address] = node
                return
        self._weigh(node, kind, record, upstream=upstream)

    def decide_escorts(self, nodes: Iterable[str]) -> None:
        """Settle the nodes that go with others, now that those are decided; then the decisions are in the order of `nodes`."""
        for address, node in self._escorts.items():
            record = self.state.latest(address)
            changes = any(item in self.decisions and self.decisions[item].action in _CHANGES for item in node.options.around)
            cause = "it goes with a change" if changes else "a run that changed what it goes with did not come to it"
            if (changes or is_owed(node, record, self.state)) and (self._everything or self.selection.covers(address)):
                self._escort(node, record, cause)
            elif record is not None:
                self.settled[address] = record
        if self._escorts:
            self.decisions = {address: self.decisions[address] for address in nodes if address in self.decisions}

    def _escort(self, node: Node, record: ResourceState | None, cause: str) -> None:
        """The decision about a node that goes with a change: it is performed, whether or not anything of it differs."""
        kind = self.kinds.get(node.kind)
        inputs = {name: resolve(value, self.link, self.secret) for name, value in node.inputs.items()}
        fields = () if record is None else (FieldChange("needs", None, None, "upstream"),)
        action: Action = "create" if record is None else "update"
        self.decisions[node.address] = self._make(node, kind, inputs, action, record, fields, cause=cause)
        self.touched.add(node.address)

    def _is_behind(self, node: Node, record: ResourceState | None) -> bool:
        """Whether a later run than the node's own changed something below it: one that ended before it came to the node."""
        newest = self._newest
        below = max([newest[need] for need in node.needs if need in newest], default="")
        own = record.run if record is not None else ""
        newest[node.address] = max(own, below)
        return record is not None and below > own

    def weigh(self, node: Node) -> Decision | None:
        """The decision about a node whose needs are complete, made from their real values; None if it can stay as it is.

        For the moment before an operation is performed: the record may match the wish as written and yet not as resolved.
        """
        kind = self.kinds.get(node.kind)
        self._weigh(node, kind, self.state.latest(node.address), upstream=False)
        return self.decisions.get(node.address)

    def _goes_along(self, record: ResourceState | None) -> bool:
        """Whether the object lives in one that the run replaces, or has replaced: then the run is about it, too."""
        if record is None or not record.container:
            return False
        home = self.decisions.get(record.container)
        if home is not None and home.action == "replace":
            return True
        return self._is_another(record.container, record) and self.selection.covers(record.container)

    def _skip(self, node: Node, record: ResourceState | None) -> None:
        """Pass over a node that the run is not about: its record stays, also under a former address."""
        self.skipped[node.address] = None
        before = self.state.latest(node.options.moved_from) if record is None and node.options.moved_from else None
        if before is not None:
            self._move(node)
        if record is not None:
            self.settled[node.address] = record
        else:
            self._missing[node.address] = node

    def _move(self, node: Node) -> None:
        """Note that the node's object is recorded under its former address."""
        self.moved[node.address] = node.options.moved_from
        self._renamed[node.options.moved_from] = node.address

    def _weigh(self, node: Node, kind: Kind, record: ResourceState | None, *, upstream: bool) -> None:
        """The whole decision, for a node that may change."""
        address = node.address
        if record is None and node.options.moved_from:
            record = self.state.latest(node.options.moved_from)
            if record is not None:
                self._move(node)
        self._saw_secret = False
        inputs = {name: resolve(value, self.link, self.secret) for name, value in node.inputs.items()}
        if self._saw_secret:
            refuse_secrets(node, kind, inputs)
        decision = self._decide(node, kind, record, inputs, upstream=upstream)
        if decision is None:
            assert record is not None  # Only what is recorded can stay as it is.
            self.settled[address] = record
            if record.digest != node.digest or not same_terms(node, record):
                self.restated[address] = node
            if not self.touched.isdisjoint(node.needs):
                self.touched.add(address)
        else:
            self.decisions[address] = decision
            self.touched.add(address)

    def _decide(
        self, node: Node, kind: Kind, record: ResourceState | None, inputs: dict[str, Value], *, upstream: bool
    ) -> Decision | None:
        if kind.check:
            return self._check(node, record, inputs, upstream=upstream)
        if record is None:
            return self._appear(node, kind, inputs)
        seen = self.observed.get((record.address, record.generation))
        if isinstance(seen, Absent):
            return self._make(node, kind, inputs, "create", record, cause="it is gone", lost=True)
        if isinstance(seen, Unreadable) and not self._goes_with_its_container(node, record):
            changes_below = not self.touched.isdisjoint(node.needs)
            return self._unreadable(node, kind, record, inputs, seen.reason, upstream=changes_below)
        reasons = self._replacement_reasons(node, record)
        changes = self._diff(node, kind, record, inputs, seen).changes
        reasons += [f"`{change.path}` cannot be changed in place" for change in changes if change.replaces]
        if reasons:
            return self._make(node, kind, inputs, "replace", record, changes, reasons=tuple(reasons))
        if kind.provider.follows and self._upstream_is_new(node, record):
            changes = (*changes, FieldChange("needs", None, None, "upstream"))
        if not changes and node.address in self._doubts:
            changes = (FieldChange(UNSURE, None, None, "upstream"),)
        if changes or record.address != node.address:
            cause = "" if changes else f"it was {record.address}"
            return self._make(node, kind, inputs, "update", record, changes, cause=cause)
        return None

    def _check(self, node: Node, record: ResourceState | None, inputs: dict[str, Value], *, upstream: bool) -> Decision | None:
        if record is not None and record.digest == node.digest and not upstream and not self._check_all:
            return None
        cause = "something it depends on changes" if record is not None and upstream else "it has not passed yet"
        if record is not None and record.digest == node.digest and not upstream:
            cause = "all checks were asked for"
        outputs: dict[str, Value] = {name: Unknown(f"{node.address}.{name}") for name in self.kinds.get(node.kind).outputs}
        return Decision(node=node, action="check", inputs=inputs, outputs=outputs, record=record, cause=cause)

    def _appear(self, node: Node, kind: Kind, inputs: dict[str, Value]) -> Decision:
        """A node that is not recorded: new, or there already."""
        found = self.found.get(node.address)
        if isinstance(found, Present) and (node.options.adopt or kind.provider.adopts):
            recorded = Recorded(
                {**found.values, **{k: v for k, v in inputs.items() if k not in found.values}},
                self._outputs(node, kind, inputs, "adopt", None),
            )
            usual = {name: kind.default(name) for name in found.values if name in kind.inputs}
            changes = kind.provider.diff(kind, {**usual, **inputs}, recorded, found.values).changes
            return self._make(node, kind, inputs, "adopt", None, changes, cause="it exists already")
        return self._make(node, kind, inputs, "create", None)

    def _unreadable(
        self, node: Node, kind: Kind, record: ResourceState, inputs: dict[str, Value], reason: str, *, upstream: bool
    ) -> Decision | None:
        """What cannot be read is never taken as absent: looked at again once what it needs has changed, else left alone."""
        if upstream:
            change = FieldChange("(unreadable)", reason, Unknown(f"{node.address}"), "upstream")
            return self._make(node, kind, inputs, "update", record, (change,))
        return self._make(node, kind, inputs, "unreadable", record, cause=reason)

    def _replacement_reasons(self, node: Node, record: ResourceState) -> list[str]:
        reasons: list[str] = []
        if node.kind != record.kind:
            reasons.append(f"its kind was {record.kind}")
        if elsewhere := self._elsewhere(node, record, self.link):
            reasons.append(elsewhere)
        wanted = resolve(node.options.replace_when, self.link, self.secret)
        if wanted != thaw(record.replace_when):
            reasons.append("`replace_when` changed")
        if self._goes_with_its_container(node, record):
            reasons.append(f"it lives in {node.container}, which is replaced")
        return reasons

    def _goes_with_its_container(self, node: Node, record: ResourceState) -> bool:
        """Whether what the node lives in is made anew: then nothing of it is left there, whether or not it can be read."""
        container = self.decisions.get(node.container)
        return (container is not None and container.action in ("replace", "create")) or self._is_another(node.container, record)

    def _upstream_is_new(self, node: Node, record: ResourceState) -> bool:
        upstream = [(need, self.decisions[need]) for need in node.needs if need in self.decisions]
        anew = any(
            item.action == "replace" or item.lost or (item.action == "create" and need in record.follows)
            for need, item in upstream
        )
        return anew or any(self._is_another(need, record) for need in node.needs)

    def _is_another(self, need: str, record: ResourceState) -> bool:
        """Whether an earlier run, or this one, replaced what `record` was made upon."""
        now = self.state.latest(need)
        return now is not None and now.generation != record.follows.get(need, now.generation)

    def _diff(self, node: Node, kind: Kind, record: ResourceState, inputs: dict[str, Value], seen: Observed | None) -> Diff:
        before = thawed(record.inputs)
        if self.moved:
            before = readdressed(before, self._renamed)
        recorded = Recorded(before, thawed(record.outputs))
        values = seen.values if isinstance(seen, Present) else {}
        dropped = {name: kind.default(name) for name in record.inputs if name not in inputs and name in kind.inputs}
        changes = kind.provider.diff(kind, {**dropped, **inputs}, recorded, values).changes
        changes += self._through_nodes(node, kind, recorded)
        ignored = node.options.ignore
        kept = [change for change in changes if change.because != "drift" or change.name not in ignored]
        return Diff(tuple(kept))

    def _through_nodes(self, node: Node, kind: Kind, recorded: Recorded) -> tuple[FieldChange, ...]:
        """A node given as an input (not lived in) changes: whether that matters is seen when it has."""
        found: list[FieldChange] = []
        for name, value in node.inputs.items():
            links = [item for item in walk(value) if type(item) is NodeLink] if name not in kind.containers else []
            for link in links:
                upstream = self.decisions.get(link.address)
                if upstream is not None and upstream.action in ("create", "update", "replace"):
                    found.append(FieldChange(name, recorded.inputs.get(name), Unknown(link.address), "upstream"))
        return tuple(found)

    def _make(
        self, node: Node, kind: Kind, inputs: dict[str, Value], action: Action, record: ResourceState | None,
        fields: tuple[FieldChange, ...] = (), *, reasons: tuple[str, ...] = (), cause: str = "", lost: bool = False,
    ) -> Decision:  # fmt: skip
        moves = action == "update" and not fields
        outputs = self._outputs(node, kind, inputs, "none" if moves else action, record)
        return Decision(
            node=node, action=action, inputs=inputs, outputs=outputs, record=record, fields=fields, reasons=reasons,
            cause=cause or cause_of(node, fields, action), lost=lost,
        )  # fmt: skip

    def _outputs(
        self, node: Node, kind: Kind, inputs: dict[str, Value], action: Action, record: ResourceState | None
    ) -> dict[str, Value]:
        """The outputs beforehand: predicted, or stable and kept, or unknown."""
        outputs: dict[str, Value] = {name: Unknown(f"{node.address}.{name}") for name in kind.outputs}
        if record is not None and action in ("update", "unreadable", "none"):
            recorded = thawed(record.outputs)
            keep = kind.stable if action == "update" else kind.outputs
            outputs.update({name: recorded[name] for name in keep if name in recorded})
        outputs.update(self.ask(kind.provider.predict, node.address, inputs, kind, {}))
        return outputs

    def ask(self, method: Callable[[Any], Any], address: str, inputs: Mapping[str, Value], kind: Kind, default: Any) -> Any:
        """What a provider's pure method says of a node; `default` when it needs a value that is not known yet."""
        try:
            return method(kind.bind(address, self.views(inputs)))
        except NotKnownError:
            return default

    def views(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """`values` with each node in it as an instance of its declaration, as providers get it."""
        return {name: self.view(value.address) if type(value) is NodeLink else value for name, value in values.items()}

    def view(self, address: str) -> Any:
        """The node at `address` as an instance of its declaration, with the values that are known now."""
        decision = self.decisions.get(address)
        if decision is not None:
            kind, values = self.kinds.get(decision.node.kind), {**decision.inputs, **decision.outputs}
        else:
            record = self.settled.get(address) or self.state.latest(address)
            if record is None:
                return None
            kind, values = self.kinds.get(record.kind), {**thawed(record.inputs), **thawed(record.outputs)}
        return kind.bind(address, self.views(values))

    def link(self, link: Link) -> Value:
        """What an output is at this point: known, masked or unknown."""
        value = self._value_of(link)
        if type(value) is Masked:
            self._saw_secret = True
        return value

    def _value_of(self, link: Link) -> Value:
        decision = self.decisions.get(link.address)
        if decision is None:
            return self._recorded(link)
        if link.output in decision.outputs:
            return dig(decision.outputs[link.output], link.path)
        if link.output in decision.inputs:
            return dig(decision.inputs[link.output], link.path)
        return dig(self.kinds.get(decision.node.kind).default(link.output), link.path)

    def _recorded(self, link: Link) -> Value:
        record = self.settled.get(link.address)
        if record is None and self._believe:
            record = self.state.latest(link.address)
        if record is None:
            return Unknown(str(link))
        value = record.outputs.get(link.output, record.inputs.get(link.output))
        if value is None:
            value = self.kinds.get(record.kind).default(link.output)
        if type(value) is dict or type(value) is list:
            value = thawed({"value": value})["value"]
        return dig(value, link.path) if link.path else value


def _needs_excluded(node: Node, missing: Mapping[str, Node]) -> ScriptError:
    other = next(missing[need] for need in node.needs if need in missing)
    return ScriptError(
        "script.excluded_need",
        "A node needs one that the run passes over",
        detail=f"{node.address} uses {other.address} ({other.source}), which does not exist yet and is not selected.",
        hint=f"Select it too: --target {other.address}",
        address=node.address,
        source=node.source,
    )
