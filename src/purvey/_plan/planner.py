"""The plan of one stage: from graph, record and observations. Pure; apply decides nothing.

Destroy is the plan of an empty graph; drift is the plan of the recorded wish. There is one planner for all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

import msgspec

from purvey._base.value import resolve
from purvey._graph import ALL, Graph
from purvey._plan.contents import goes_with, goes_with_old, inside, lives_in_one_of
from purvey._plan.decide import Decider
from purvey._plan.decision import Decision, lifted
from purvey._plan.gaps import gaps_of
from purvey._plan.leaving import leaves, newest_first, stays_behind
from purvey._plan.ordering import backward, forward, generation_of
from purvey._plan.plan import Action, Change, Operation, Plan
from purvey._state.record import thawed
from purvey._state.resource import ResourceState
from purvey.errors import ScriptError
from purvey.providers import Kind

Key = tuple[str, int]


def make_plan(
    graph: Graph, decider: Decider, *, stack: str, verb: str = "apply", stage: int = 1, anew: Iterable[str] = ()
) -> Plan:
    """Everything that one stage will do.

    Args:
        graph: What is wanted.
        decider: Knows record, observations and selection, and what was decided while the script declared.
        stack: ``name/environment``.
        verb: What the user asked for.
        stage: Counts from 1.
        anew: Nodes on machines to which another way leads than is recorded, which is then recorded whatever else changes.

    Raises:
        ScriptError: ``script.claim`` if two nodes occupy one thing.
    """
    decide_all(graph, decider)
    decider.restated |= {item: graph.nodes[item] for item in anew if item in decider.settled and item not in decider.skipped}
    _require_left(graph, decider)
    gone, forgotten = _gone(graph, decider)
    gone = dict(sorted(gone.items(), key=lambda item: item[1].made_at))  # `backward` begins with what was made last.
    gaps = gaps_of(decider, gone)
    operations = forward(decider.decisions, graph.nodes, decider.touched, decider.state, gaps)
    freed = {key: gone.pop(key) for key in _freed(gone, gaps - graph.nodes.keys())}
    operations = _free_first(operations, freed, forgotten)
    left = _left_behind(graph, decider, gone)
    deletions = backward(_with_old(decider, gone, left, gaps, forgotten), forgotten)
    changes = [_change(decider, decision, gaps) for decision in decider.decisions.values()]
    changes += (lifts := _lifts(decider))
    leaving = [*freed.values(), *gone.values(), *left]
    if graph.pauses:  # What goes now with its container is not declared yet, and may be made again by a later stage.
        first = [decider.decisions[item].record for item in gaps if item in decider.decisions]
        early = inside(decider, [record for record in first if record is not None])
        forgotten |= early.keys()
        leaving += early.values()
    cause = "" if verb == "destroy" else "it is no longer declared"
    changes += [_removal(resource, decider, forgotten, cause) for resource in newest_first(leaving)]
    stays = stays_behind(changes)
    touched = [decision.node.address for decision in decider.decisions.values()]
    return Plan(
        stack=stack,
        verb=verb,
        stage=stage,
        changes=tuple(changes),
        operations=tuple(operations),
        deletions=tuple(deletions),
        nodes={address: graph.nodes[address] for address in (*touched, *decider.restated)},
        unchanged=len(decider.settled) - sum(address in decider.settled for address in decider.skipped) - len(lifts),
        skipped=tuple(decider.skipped),
        restated=tuple(decider.restated),
        pauses=graph.pauses,
        later=graph.later,
        outputs={name: resolve(value, decider.link, decider.secret) for name, value in graph.outputs.items()},
        warnings=(*_warnings(decider), *_unmatched(graph, decider), *([f"{stays}."] if stays else [])),
    )


def decide_all(graph: Graph, decider: Decider) -> None:
    """Decide every node in dependency order; each decision rests on those before it."""
    for node in graph.nodes.values():
        decider.decide(node)
    decider.decide_escorts(graph.nodes)


def _gone(graph: Graph, decider: Decider) -> tuple[dict[Key, ResourceState], set[Key]]:
    """Objects that are recorded and no longer wanted, and those of them that are only forgotten."""
    if graph.pauses:  # What a later stage declares is not known: kept or deleted is decided then.
        return {}, set()
    moved = set(decider.moved.values())
    nodes, state = graph.nodes, decider.state
    if len(state.resources) == len(decider.settled) and not decider.decisions:
        return {}, set()
    gone = {
        key: resource
        for key, resource in state.resources.items()
        if key[0] not in nodes and key[0] not in moved and decider.selection.covers(key[0])
    }
    if decider.selection != ALL:
        replaced = [item.record for item in decider.decisions.values() if item.action == "replace" and item.record is not None]
        older = [record for record in state.older() if decider.selection.covers(record.address)]
        gone.update(inside(decider, [*gone.values(), *replaced, *older]))
    addresses = {address for address, _ in gone}
    forgotten = {
        key
        for key, resource in gone.items()
        if resource.retain or _leaves_nothing(resource, decider) or goes_with(resource, addresses, decider)
    }
    return gone, forgotten


def _require_left(graph: Graph, decider: Decider) -> None:
    """Stop if a node takes over the object of an address at which another node is declared.

    Raises:
        ScriptError: ``script.moved_from_declared``.
    """
    for address, was in decider.moved.items():
        if was in graph.nodes:
            raise ScriptError(
                "script.moved_from_declared",
                "Two nodes want one recorded object",
                detail=f"{address} says it was {was}, and {was} is still declared ({graph.nodes[was].source}).",
                hint="Give the new node at the former address another name, or remove `moved_from`.",
                address=address,
                source=graph.nodes[address].source,
            )


def _freed(gone: Mapping[Key, ResourceState], gaps: AbstractSet[str]) -> list[Key]:
    """What must go before anything is made: those in the way, and everything undeclared that depends on them."""
    if not gaps:
        return []
    dependants: dict[str, list[str]] = {}
    for (address, _), resource in gone.items():
        for need in {*resource.needs, resource.container}:
            dependants.setdefault(need, []).append(address)
    doomed = set(gaps)
    waiting = list(gaps)
    while waiting:
        more = set(dependants.pop(waiting.pop(), ())) - doomed
        doomed |= more
        waiting += more
    return [key for key in gone if key[0] in doomed]


def _left_behind(graph: Graph, decider: Decider, gone: Mapping[Key, ResourceState]) -> list[ResourceState]:
    """Objects that were replaced, by an earlier stage or run, and are still there; removed when nothing pauses any more."""
    if graph.pauses:
        return []
    return [
        record
        for record in decider.state.older()
        if (record.address, record.generation) not in gone and decider.selection.covers(record.address)
    ]


def _leaves_nothing(resource: ResourceState, decider: Decider) -> bool:
    """Whether there is nothing in the world behind the record that would be ours to remove."""
    kind = decider.kinds.get(resource.kind)
    return kind.check or kind.provider.forgets or (resource.adopted and kind.provider.adopts)


def _with_old(
    decider: Decider, gone: dict[Key, ResourceState], left: Sequence[ResourceState], gaps: set[str], forgotten: set[Key]
) -> dict[Key, ResourceState]:
    """`gone`, and the old objects of replacements, and those that an earlier run left behind."""
    found = dict(gone)
    for address, decision in decider.decisions.items():
        record = decision.record
        if record is None or address in gaps:
            continue
        if decision.action == "replace" or decision.lost:
            key = (record.address, record.generation)
            found[key] = record
            goes = goes_with_old(decider.decisions.get(record.container))
            if decision.lost or record.retain or _leaves_nothing(record, decider) or goes:
                forgotten.add(key)
    for record in left:
        found[record.address, record.generation] = record
        if record.retain or _leaves_nothing(record, decider):
            forgotten.add((record.address, record.generation))
    forgotten |= {key for key, record in found.items() if lives_in_one_of(record, found, decider)}
    return found


def _free_first(operations: list[Operation], freed: Mapping[Key, ResourceState], forgotten: set[Key]) -> list[Operation]:
    """Deletions of undeclared objects whose place a new one takes come before everything that is made."""
    if not freed:
        return operations
    first = backward(freed, forgotten)
    ids = tuple(operation.id for operation in first)
    return first + [
        msgspec.structs.replace(operation, needs=(*operation.needs, *ids)) if operation.verb == "create" else operation
        for operation in operations
    ]


def _lifts(decider: Decider) -> list[Change]:
    """Objects that stay as they are, and lose what guards them."""
    found = [(node, decider.settled[address]) for address, node in decider.restated.items()]
    return [
        Change(
            address=node.address, kind=node.kind, action="update", fields=fields, cause=f"changed at {node.source}",
            undo="put the former values back", source=node.source, generation=record.generation, protected=_protected(record),
            where=node.where,
        )
        for node, record in found
        if (fields := lifted(node, record))
    ]  # fmt: skip


def _protected(record: ResourceState | None) -> str:
    """Where an object is protected; empty if it is not."""
    return (record.source or "the record") if record is not None and record.protect else ""


def _protected_now(decision: Decision) -> str:
    """Where the declaration begins to protect an object that it replaces; empty if it does not."""
    return decision.node.source if decision.action == "replace" and decision.node.options.protect else ""


def _change(decider: Decider, decision: Decision, gaps: set[str]) -> Change:
    node, record = decision.node, decision.record
    kind = decider.kinds.get(node.kind)
    verb = "update" if decision.action == "update" else "create"
    final = decision.action in ("create", "update", "replace") and not _undoable(decider, decision, verb)
    gap = _goes_first(decider, decision, gaps)
    loses = kind.holds_data and (decision.action == "replace" or (decision.action == "update" and final))
    return Change(
        address=node.address, kind=node.kind, action=decision.action,
        fields=decision.fields + (lifted(node, record) if decision.action != "unreadable" else ()),
        cause=decision.cause, reasons=decision.reasons, undo=_undo_text(decision, kind, gap=gap, final=final),
        final=final or (gap and loses), gap=gap, holds_data=loses, protected=_protected(record) or _protected_now(decision),
        moved_from=decider.moved.get(node.address, ""), source=node.source, generation=generation_of(decision, decider.state),
        where=node.where, leaves=leaves(decider, record) if record is not None and decision.action == "replace" else (),
    )  # fmt: skip


def _goes_first(decider: Decider, decision: Decision, gaps: set[str]) -> bool:
    """Whether the old object goes before the new one is there: by itself, or with what it lives in."""
    inner: Decision | None = decision
    while inner is not None and inner.action == "replace" and inner.record is not None:
        if inner.node.address in gaps:
            return True
        inner = decider.decisions.get(inner.record.container)
    return False


def _undoable(decider: Decider, decision: Decision, verb: str) -> bool:
    kind = decider.kinds.get(decision.node.kind)
    want = {**decision.inputs, **decision.outputs}
    record = decision.record
    told = {**thawed(record.inputs), **thawed(record.outputs)} if record is not None else {}
    have = kind.bind(decision.node.address, decider.views(told)) if record is not None else None

    def ask(view: object) -> bool:
        return kind.provider.undoable(verb, have, view)

    return bool(decider.ask(ask, decision.node.address, want, kind, default=True))


def _undo_text(decision: Decision, kind: Kind, *, gap: bool, final: bool) -> str:
    if final:
        return "cannot be undone"
    if kind.provider.forgets and decision.action not in ("check", "adopt"):
        return "run its undo"
    if decision.action == "replace":
        return "make the old one again" if gap else "keep the old one, delete the new one"
    return {"create": "delete it", "update": "put the former values back", "adopt": "forget it"}.get(decision.action, "")


def _removal(resource: ResourceState, decider: Decider, forgotten: set[Key], cause: str) -> Change:
    action: Action = "forget" if (resource.address, resource.generation) in forgotten else "delete"
    stays = action == "delete" or resource.retain or _leaves_nothing(resource, decider)
    goes_with = "" if stays or decider.state.latest(resource.container) is None else resource.container
    lost = action == "delete" or bool(goes_with)
    return Change(
        address=resource.address,
        kind=resource.kind,
        action=action,
        cause=cause,
        undo="cannot be undone" if lost else "",
        final=lost,
        holds_data=lost and decider.kinds.get(resource.kind).holds_data,
        goes_with=goes_with,
        protected=_protected(resource),
        source=resource.source,
        generation=resource.generation,
        where=resource.where,
        leaves=leaves(decider, resource) if action == "delete" else (),
    )


def _unmatched(graph: Graph, decider: Decider) -> tuple[str, ...]:
    """A sentence for each pattern of the selection that means nothing; a paused script may declare later what it means."""
    if graph.pauses:
        return ()
    known = dict.fromkeys((*graph.nodes, *(address for address, _ in decider.state.resources)))
    return tuple(f"The pattern {pattern!r} matches nothing." for pattern in decider.selection.unmatched(known))


def _warnings(decider: Decider) -> tuple[str, ...]:
    """What cannot be read; of a machine that does not answer, one sentence for all that is on it."""
    alike: dict[tuple[str, str], list[str]] = {}
    for address, decision in decider.decisions.items():
        if decision.action == "unreadable":
            alike.setdefault((decision.node.where or address, decision.cause), []).append(address)
    return tuple(
        f"{addresses[0]} cannot be read now ({cause}); it is left as it is."
        if len(addresses) == 1
        else f"{where}: {len(addresses)} objects cannot be read now ({cause}); they are left as they are."
        for (where, cause), addresses in alike.items()
    )
