"""What a plan says of each operation on a machine: that it will change something, that it will not, or that nobody can know.

The changes of earlier operations are taken into account for those that need them, directly or through others, as far as they
say what they do. Where one may do anything (a package, a command), or depends itself on one that does, what comes after it and
asks about what it may have changed is open. What is not declared to come after an operation is taken not to depend on it: if it
does all the same, the machine notices, and no more than was approved is done.

Also open is what stays as it is today, and may not after an operation that it needs: it gets an operation of its own, which
looks again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from purvey._apply.consequence import Consequence, Open, does_anything
from purvey._base.value import Unknown, is_known, resolve, walk
from purvey._gate.machines import PLANNED
from purvey._hosts.fact import Answers
from purvey._plan.plan import UNSURE, Change, Plan, Verdict
from purvey.errors import HostError, ProviderError, PurveyError, ScriptError
from purvey.providers import NotKnownError, Present
from purvey.providers.host import HostProvider, Place, Work, is_asked_together, place_of

if TYPE_CHECKING:
    from purvey._apply.parts import Parts
    from purvey._graph import Graph, Node
    from purvey._hosts.connector import Connector
    from purvey._hosts.fact import Answer, Fact, Unanswered
    from purvey._plan.decide import Decider
    from purvey._plan.decision import Decision
    from purvey.providers import Kind, Observed

_WORDS: Mapping[str, str] = {"create": "which is not there yet", "replace": "which is made anew first"}


class Outlook(NamedTuple):
    """What can be said of a node before it is performed.

    Attributes:
        verdict: See `Change.verdict`.
        root: The node on which that hangs; empty where it is certain.
        why: Other words for why it cannot be known.
        work: What it does, where that is certain.
    """

    verdict: Verdict
    root: str = ""
    why: str = ""
    work: Work | None = None


class Forecast:
    """What can be said of one plan.

    Args:
        parts: The run's tools; every machine was asked all that is needed.
        graph: What is wanted.
        plan: The plan.
        decider: Has decided it.
        found: What is there of nodes that are not recorded.

    Attributes:
        outlooks: What can be said, by address.
        doubts: Nodes that are as declared today, and may not be after an operation that they need, with the reason.
    """

    def __init__(
        self, parts: Parts, graph: Graph, plan: Plan, decider: Decider, found: Mapping[str, Observed]
    ) -> None:  # fmt: skip
        self.outlooks: dict[str, Outlook] = {}
        self.doubts: dict[str, str] = {}
        self._parts = parts
        self._graph = graph
        self._decider = decider
        self._found = found
        self._changes = {change.address: change for change in plan.changes if change.action not in ("delete", "forget")}
        self._consequences: list[Consequence] = []
        self._on: dict[str, int] = {}
        self._behind: dict[str, int] = {}
        self._elsewhere: dict[str, str] = {}

    async def make(self) -> None:
        """Go through all nodes in the order of their needs."""
        for node in self._graph.nodes.values():
            self._pass_on(node)
            provider = self._parts.kinds.get(node.kind).provider
            change = self._changes.get(node.address)
            if not is_asked_together(provider):
                if change is not None and change.touches:
                    self._elsewhere[node.address] = node.address
                continue
            if change is not None and change.action != "check":
                await self._look_ahead(node, provider, change)
            elif self._behind[node.address] and not provider.insulated and node.address not in self._decider.skipped:
                await self._doubt(node, provider)

    def plan(self, plan: Plan) -> Plan:
        """The plan with what can be said."""
        unsure = {address for address, outlook in self.outlooks.items() if outlook.verdict == "cannot know"}
        return msgspec.structs.replace(
            plan,
            changes=tuple(map(self._told, plan.changes)),
            operations=tuple(
                msgspec.structs.replace(item, planned=tuple(dict.fromkeys((*item.planned, UNSURE))))
                if item.address in unsure and item.verb in ("create", "update", "adopt")
                else item
                for item in plan.operations
            ),
        )

    def _told(self, change: Change) -> Change:
        if change.action in ("delete", "forget"):
            record = self._parts.state.resources.get((change.address, change.generation))
            is_on_one = record is not None and is_asked_together(self._parts.kinds.get(record.kind).provider)
            verdict: Verdict = "" if not is_on_one else "will" if change.action == "delete" else "will not"
            return msgspec.structs.replace(change, verdict=verdict)
        outlook = self.outlooks.get(change.address)
        if outlook is None:
            return change
        return msgspec.structs.replace(change, verdict=outlook.verdict, why=outlook.why or self._why(outlook.root))

    def _why(self, root: str) -> str:
        if not root:
            return ""
        change, outlook = self._changes.get(root), self.outlooks.get(root)
        usual = "which changes first" if outlook is not None and outlook.verdict == "will" else "which may change first"
        return f"depends on {root}, {_WORDS.get(change.action, usual) if change is not None else usual}"

    def _pass_on(self, node: Node) -> None:
        """Note what comes before a node."""
        behind = 0
        for need in node.needs:
            behind |= self._behind.get(need, 0) | self._on.get(need, 0)
            if need in self._elsewhere:
                self._elsewhere.setdefault(node.address, self._elsewhere[need])
        self._behind[node.address] = behind

    def _before(self, node: Node) -> Iterator[Consequence]:
        """The operations on the node's machine that come before it, in order."""
        behind = self._behind[node.address]
        while behind:
            lowest = behind & -behind
            consequence = self._consequences[lowest.bit_length() - 1]
            if consequence.where == node.where:
                yield consequence
            behind ^= lowest

    # What is changed.

    async def _look_ahead(self, node: Node, provider: HostProvider[Any], change: Change) -> None:
        decision = self._decider.decisions[node.address]
        own: list[Fact] = []
        reaches: tuple[str, ...] | None = None
        us = "root"
        try:
            host = self._parts.host(node.where, node.how)
            us = (await host.machine()).user if host.known else us
            want = self._bound(node, decision)
            place = self._place(node, decision, host)
            own = list(provider.facts(msgspec.structs.replace(place, token=""), want))
            reach = provider.reaches(want)
            reaches = tuple(reach) if reach is not None else None
            outlook = self._outlook(node, provider, change, decision, place, want, host, own)
        except NotKnownError as error:
            outlook = self._unknown(decision, str(error))
        except PurveyError as error:
            outlook = Outlook("cannot know", node.address, f"its machine cannot be asked: {error.summary}")
        self.outlooks[node.address] = outlook
        if outlook.verdict == "will not":
            return
        root = outlook.root or node.address
        done = outlook.work.changes if outlook.work is not None else None
        self._note(
            Consequence(
                address=node.address, where=node.where, root=root, changes=done, own=frozenset(own), reaches=reaches, us=us
            )
        )

    def _note(self, consequence: Consequence) -> None:
        self._on[consequence.address] = 1 << len(self._consequences)
        self._consequences.append(consequence)

    def _outlook(
        self, node: Node, provider: HostProvider[Any], change: Change, decision: Decision, place: Place, want: Any,
        host: Connector, own: list[Fact],
    ) -> Outlook:  # fmt: skip
        if change.action == "unreadable":
            return Outlook("cannot know", node.address, f"it cannot be read: {change.cause}")
        asked = dict.fromkeys([*own, *provider.facts(place, want), *self._recorded(provider, decision, place)])
        known: dict[Fact, Answer | Unanswered] = {}
        for fact in asked:
            answer = self._foreseen(node, provider, want, host, fact)
            if not isinstance(answer, Open):
                known[fact] = answer
            elif fact in own and not provider.insulated and change.action != "replace":
                why = "its machine has not told what is there" if answer.root == node.address else ""
                return Outlook("cannot know", answer.root, why)
        try:
            work = self._work(node, provider, change, decision, place, Answers(known))
        except (NotKnownError, LookupError, ScriptError):
            return self._as_decided(decision, change)
        except ProviderError:  # What makes it fail is no part of a plan; the apply tells it, with what to do.
            return Outlook("will")
        does = does_anything(work.changes, known, place.folder)
        return Outlook("will" if does else "will not", work=work)

    def _foreseen(
        self, node: Node, provider: HostProvider[Any], want: Any, host: Connector, fact: Fact
    ) -> Answer | Unanswered | Open:  # fmt: skip
        """What will be answered when it is the node's turn."""
        looks_at = provider.looks_at(want)
        answer: Answer | Unanswered | Open = host.known.get(fact, Open(node.address))
        if looks_at is None and node.address in self._elsewhere:
            answer = Open(self._elsewhere[node.address])
        for consequence in self._before(node):
            answer = consequence.after(fact, answer, looks_at)
        return answer

    def _work(
        self, node: Node, provider: HostProvider[Any], change: Change, decision: Decision, place: Place, answers: Answers
    ) -> Work:  # fmt: skip
        """What it does, as an apply will decide it.

        Raises:
            NotKnownError, LookupError: where that needs what is not known yet.
            ProviderError: if it cannot be done.
        """
        want = self._opened(node, decision)
        if change.action == "update" and decision.record is not None:
            return provider.change(place, self._parts.record_view(decision.record), want, answers)
        if change.action == "adopt":
            found = self._found.get(node.address)
            assert isinstance(found, Present)  # Else it would not be adopted.
            return provider.change(place, want.with_values(**found.values), want, answers)
        return provider.make(place, want, answers)

    def _as_decided(self, decision: Decision, change: Change) -> Outlook:
        """What can be said without knowing what is done: whether it is certain that something differs."""
        known = any(is_known(field.after) and field.because != "upstream" for field in change.fields)
        if change.action in ("create", "replace") or known:
            return Outlook("will")
        return self._unknown(decision, "")

    def _unknown(self, decision: Decision, told: str) -> Outlook:
        """It needs a value that is known after apply; the node that has it."""
        links = [item.link for item in walk([*decision.inputs.values()]) if isinstance(item, Unknown)]
        needs = [need for need in decision.node.needs if need in self._decider.decisions]
        named = (need for need in needs if any(link == need or link.startswith(f"{need}.") for link in [*links, told]))
        root = next(named, needs[0] if needs else "")
        return Outlook("cannot know", root, "" if root else "depends on what is not known yet")

    # What stays as it is.

    async def _doubt(self, node: Node, provider: HostProvider[Any]) -> None:
        record = self._decider.settled.get(node.address)
        if record is None or next(self._before(node), None) is None:
            return
        try:
            host = self._parts.host(node.where, node.how)
            want = self._decider.view(node.address)
            own = list(provider.facts(place_of(self._call(node, record.name, record.id)), want))
            for fact in own:
                answer = self._foreseen(node, provider, want, host, fact)
                if isinstance(answer, Open) and answer.root != node.address:
                    self.doubts[node.address] = self._why(answer.root)
                    reach = provider.reaches(want)
                    self._note(
                        Consequence(
                            address=node.address,
                            where=node.where,
                            root=answer.root,
                            changes=None,
                            own=frozenset(own),
                            reaches=tuple(reach) if reach is not None else None,
                            us="root",
                        )
                    )
                    return
        except (NotKnownError, HostError):
            return

    # Values.

    def _bound(self, node: Node, decision: Decision) -> Any:
        """The wish as a plan knows it."""
        return self._kind(node).bind(node.address, self._decider.views(decision.inputs))

    def _opened(self, node: Node, decision: Decision) -> Any:
        """The wish as a provider gets it, with its secrets."""
        kind = self._kind(node)
        values = decision.inputs
        if kind.secrets:
            values = {
                name: self._parts.opened(resolve(value, self._decider.link, self._parts.mask)) if name in kind.secrets
                else decision.inputs[name]
                for name, value in node.inputs.items()
            }  # fmt: skip
        if any(isinstance(item, Unknown) for item in walk([*values.values()])):
            raise NotKnownError(node.address)
        return kind.bind(node.address, self._decider.views(values))

    def _recorded(self, provider: HostProvider[Any], decision: Decision, place: Place) -> list[Fact]:
        """What is asked about what is recorded, where that is changed."""
        if decision.record is None or decision.action != "update":
            return []
        return list(provider.facts(place, self._parts.record_view(decision.record)))

    def _place(self, node: Node, decision: Decision, host: Connector) -> Place:
        del host
        record = decision.record
        call = self._call(node, record.name if record is not None else "", record.id if record is not None else "")
        return msgspec.structs.replace(place_of(call), token=PLANNED)

    def _call(self, node: Node, name: str, object_id: str) -> Any:
        return self._parts.call(node.address, name, node, object_id=object_id)

    def _kind(self, node: Node) -> Kind:
        return self._parts.kinds.get(node.kind)
