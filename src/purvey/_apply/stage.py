"""One stage before anything is written: observe, load, plan, look around. Used alike by plan, drift and apply."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from purvey._apply.call import physical_name
from purvey._apply.doubts import entangled, passed_over, refuse_entangled
from purvey._apply.expected import strangers
from purvey._apply.forecast import Forecast
from purvey._apply.knowledge import OtherStacks, RunKnowledge
from purvey._apply.observe import needs_reading, observe, observe_anew
from purvey._apply.ownership import Owners, how_to_get
from purvey._apply.parts import Parts
from purvey._apply.places import Anew, Places, refuse_misplaced
from purvey._apply.probe import probe
from purvey._apply.reach import out_of_reach, removals_out_of_reach
from purvey._apply.request import Request, StagePlan
from purvey._base.event import PhaseStarted
from purvey._base.value import NodeLink, walk
from purvey._gate.expected import refuse_strangers
from purvey._gate.preflight import conflicts, disk, look_around, look_up, secrets_of
from purvey._graph import EMPTY, Graph, Node
from purvey._plan.approval import left_open
from purvey._plan.decide import Decider
from purvey._plan.guard import refuse_many_deletes, refuse_protected
from purvey._plan.plan import Plan
from purvey._plan.planner import decide_all, make_plan
from purvey._script.load import load
from purvey._state.record import Approved, Begun, Record
from purvey.errors import Refusals, RefusedError, together
from purvey.providers import Call, Finding, NotKnownError, Observed

if TYPE_CHECKING:
    from purvey._gate.machines import Told

Key = tuple[str, int]


async def observed(parts: Parts, request: Request) -> dict[Key, Observed]:
    """What is there of what is recorded; nothing without a refresh."""
    if not request.refresh:
        return {}
    records = needs_reading(parts, parts.state.resources.values())
    if records:
        detail = f"{len(records)} object{'' if len(records) == 1 else 's'}"
        parts.tell(PhaseStarted(at=parts.clock.now(), run=parts.run, phase="observe", detail=detail))
    return await observe(parts, records, parallel=request.parallel)


async def prepare(
    parts: Parts, request: Request, seen: Mapping[Key, Observed], others: OtherStacks, *, stage: int = 1,
    earlier: list[Record] | None = None, previous: Graph | None = None, anew: Anew | None = None,
) -> StagePlan:  # fmt: skip
    """Run the script against what is known, and plan what it declares.

    Args:
        parts: The run's tools.
        request: What is asked.
        seen: What was observed.
        others: The outputs of other stacks.
        stage: Counts from 1.
        earlier: The run's records so far.
        previous: The graph of the stage before.
        anew: Where this is done once more, since the script says another way to some machines.

    Raises:
        ScriptError: for everything that is wrong in the script.
    """
    if anew is None:
        parts.tell(PhaseStarted(at=parts.clock.now(), run=parts.run, phase="plan", detail=f"stage {stage}"))
    decider = _decider(parts, request, seen, {})
    knowledge = RunKnowledge(parts, decider, earlier or [], others, request.lookups)
    graph = EMPTY
    if request.script is not None:
        graph = load(request.script, knowledge, request.given, request.env, request.nonce, previous)
    places = Places(parts, graph)
    if request.refresh and anew is None:
        again = await observe_anew(parts, places, parallel=request.parallel)
        anew = places.anew(seen, again)
        if again:
            return await prepare(
                parts, request, {**seen, **again}, others, stage=stage, earlier=earlier, previous=previous, anew=anew
            )
    anew = anew or Anew()
    decide_all(graph, decider)
    new = [decision.node for decision in decider.decisions.values() if decision.action == "create" and not decision.lost]
    told: Told = {}
    found = await look_up(new, parts.kinds, _viewer(parts, decider), _caller(parts), told) if new else {}
    if any(_is_adopted(parts, graph.nodes[address]) for address in found):
        decider = _decider(parts, request, seen, found)
    plan = make_plan(graph, decider, stack=parts.stack, verb=request.verb, stage=stage, anew=anew.addresses)
    view, call = _viewer(parts, decider), _caller(parts)
    secrets, without = _unreadable_secrets(parts, graph)
    findings = await look_around(plan, parts.kinds, view, call, told, without)
    plan, decider = await _foretold(parts, request, seen, found, graph, plan, decider, anew.addresses)
    findings = [
        *secrets,
        *disk(parts.folder),
        *_conflicts(parts, graph, plan, found, earlier or []),
        *await _not_answering(parts, plan),
        *findings,
    ]
    has_begun = any(isinstance(record, Begun) for record in earlier or ())
    lost = await out_of_reach(parts, plan, graph, told, request.on_failure, without=without, has_begun=has_begun)
    findings = [*lost, *removals_out_of_reach(plan, seen), *findings]
    view = _viewer(parts, decider)
    removed = [parts.state.resources[key] for key in _removed(plan) if key in parts.state.resources]
    routes = [(record, places.rerouted(record)) for record in removed]
    return StagePlan(
        graph=graph,
        plan=msgspec.structs.replace(plan, warnings=(*anew.warnings, *plan.warnings)),
        records=tuple(knowledge.records),
        reads=tuple(knowledge.reads),
        findings=_placed(graph, findings),
        strangers=await strangers(parts, request.expect, plan, call, view),
        rerouted=tuple((old, new) for old, new in routes if new is not old),
        misplaced=places.misplaced(removed),
        entangled=entangled(plan, graph, parts.state, passed_over(parts.run, parts.state, request.selection)),
    )


async def _foretold(
    parts: Parts, request: Request, seen: Mapping[Key, Observed], found: Mapping[str, Observed], graph: Graph, plan: Plan,
    decider: Decider, anew: Collection[str],
) -> tuple[Plan, Decider]:  # fmt: skip
    """The plan with what can be said of each operation on a machine; it has one for each object that has to be looked at again.

    Such an operation may put others in doubt, so this goes on until none is added.
    """
    doubts: dict[str, str] = {}
    while True:
        forecast = Forecast(parts, graph, plan, decider, found)
        if plan.changes:
            await forecast.make()
        if forecast.doubts.keys() <= doubts.keys():
            return forecast.plan(plan), decider
        doubts |= forecast.doubts
        decider = _decider(parts, request, seen, found, doubts)
        plan = make_plan(graph, decider, stack=parts.stack, verb=request.verb, stage=plan.stage, anew=anew)


def _is_adopted(parts: Parts, node: Node) -> bool:
    return node.options.adopt or parts.kinds.get(node.kind).provider.adopts


def _removed(plan: Plan) -> list[Key]:
    return [(item.address, item.generation) for item in (*plan.operations, *plan.deletions) if item.verb == "delete"]


def refusals(ready: StagePlan, deletes_max: int | None) -> tuple[str, ...]:
    """What an apply of the plan would be refused for: a sentence or two for each guard that says no."""
    try:
        together(
            lambda: refuse_strangers(ready.strangers),
            lambda: refuse_entangled(ready.entangled),
            lambda: refuse_misplaced(ready.misplaced),
            lambda: refuse_protected(ready.plan),
            lambda: refuse_many_deletes(ready.plan, deletes_max),
        )
    except RefusedError as error:
        found = error.problems if isinstance(error, Refusals) else [error]
        return tuple(f"{problem.summary}. {problem.hint}" for problem in found)
    return ()


def _conflicts(
    parts: Parts, graph: Graph, plan: Plan, found: Mapping[str, Observed], earlier: Sequence[Record]
) -> list[Finding]:  # fmt: skip
    """Objects in the way of what would be made, and those of others that would be adopted.

    What a run that goes on has brought itself (a package its file) is in nobody's way: the yes to it took that into account.
    """
    owners = Owners(parts).among(graph, found)
    approved = [record for record in earlier if isinstance(record, Approved)]
    nodes = graph.nodes
    strange = {address: seen for address, seen in found.items() if not left_open(address, nodes[address].digest, approved)}
    return conflicts(
        plan, strange, {address: (owner, how_to_get(owner, parts.estate, parts.stack)) for address, owner in owners.items()}
    )


def _placed(graph: Graph, findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings, each with the line of its node."""
    lines = {address: node.source for address, node in graph.nodes.items()}
    return tuple(msgspec.structs.replace(item, source=lines.get(item.address, "")) for item in findings)


async def _not_answering(parts: Parts, plan: Plan) -> list[Finding]:
    """What the checks that guard the run from the start do not find: a name, a port, a certificate, an answer."""
    guards = [node for node in plan.nodes.values() if node.options.preflight and parts.kinds.get(node.kind).check]
    failing = await probe(parts, guards)
    return [
        Finding(address, seen, "Nothing was touched. Make it reachable, and try again.") for address, seen in failing.items()
    ]


def _decider(
    parts: Parts, request: Request, seen: Mapping[Key, Observed], found: Mapping[str, Observed],
    doubts: Mapping[str, str] | None = None,
) -> Decider:  # fmt: skip
    return parts.decider(seen, found, selection=request.selection, check_all=request.check_all, doubts=doubts)


def _unreadable_secrets(parts: Parts, graph: Graph) -> tuple[list[Finding], frozenset[str]]:
    """Secrets that the graph refers to and that cannot be read, once each: certain to fail; and all nodes that need one."""
    with_secrets = [node for node in graph.nodes.values() if node.how is not None or parts.kinds.get(node.kind).secrets]
    needing = secrets_of(with_secrets)
    findings: list[Finding] = []
    without: set[str] = set()
    for source, problem, fix in parts.reader.problems(needing):
        told = problem if source in problem else f"{source}: {problem}"
        findings.append(Finding(needing[source][0], f"secret {told}", fix))
        without.update(needing[source])
    return findings, frozenset(without)


def _caller(parts: Parts) -> Any:
    def call(node: Node) -> Call:
        record = parts.state.latest(node.address)
        name = (
            record.name
            if record
            else physical_name(parts.estate, parts.stack, node.address, parts.next_generation(node.address))
        )
        return parts.call(node.address, name, node, object_id=record.id if record else "")

    return call


def _viewer(parts: Parts, decider: Decider) -> Any:
    """Views of nodes before they are applied: what is known is there, what is not raises NotKnownError."""

    def view(node: Node) -> Any:
        decider.decide(node)
        decision = decider.decisions.get(node.address)
        if decision is None:
            return decider.view(node.address)
        kind = parts.kinds.get(node.kind)
        if any(decider.view(item.address) is None for item in _node_links(node)):
            raise NotKnownError(node.address)
        return kind.bind(node.address, decider.views(decision.inputs))

    return view


def _node_links(node: Node) -> list[Any]:
    return [item for item in walk(list(node.inputs.values())) if isinstance(item, NodeLink)]
