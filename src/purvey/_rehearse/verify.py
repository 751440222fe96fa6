"""Compares the world and the record after an undo with those before the run: what is left, changed or lost, and why. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from purvey._graph import Node
from purvey._rehearse.finding import Finding, What
from purvey._rehearse.play import Played, Trouble
from purvey._rehearse.world import Thing, changed, difference
from purvey._script.step import StepProvider
from purvey._state.record import thawed
from purvey._state.resource import ResourceState
from purvey._state.state import State

_BESIDE = (
    "Keep the data elsewhere, or give the node another name, so that old and new stand side by side until the checks pass."
)


def findings_of(played: Played, before: State, after: str, failing: Node | None) -> list[Finding]:
    """What one rehearsal run found.

    Args:
        played: How it went.
        before: What was recorded before.
        after: The operation after which it failed, for the findings.
        failing: The node at which it failed; None if the run had no such.
    """
    if played.closed is not None and played.closed.result == "kept":
        return _at(after, [_kept(played, failing)] if _has_effects(played) else [])
    found = [*_errors(played), *_things(played), *_clashes(played)]
    told = {item.address for item in found}
    found += [item for item in _references(played) if item.address not in told]
    told = {item.address for item in found}
    found += [item for item in _records(played, before) if item.address not in told]
    if not found and (played.closed is None or played.closed.result != "undone"):
        found.append(_ended_otherwise(played))
    return _at(after, found)


def forward_findings(played: Played, operation: str) -> list[Finding]:
    """What made the run fail by itself, with nothing failing on purpose."""
    found = [
        Finding(
            what="apply", address=failure.address, source=_source(played, failure.address),
            why=f"The run fails here by itself: {failure.summary[:1].lower()}{failure.summary[1:]}."
            + (f" {failure.detail}" if failure.detail else ""),
            fix=failure.hint or "Mend that first: an apply would fail here and be undone.",
        )
        for failure in _forward(played)
    ]  # fmt: skip
    return _at(operation, found)


def _at(after: str, found: list[Finding]) -> list[Finding]:
    return [msgspec.structs.replace(item, after=(after,) if after else ()) for item in found]


def _forward(played: Played) -> list[Trouble]:
    """Failures of the run itself; those of its undo come after it had been planned."""
    return [item for item in played.failures if not item.undoing]


def _kept(played: Played, node: Node | None) -> Finding:
    said, taken, fix = _says(node)
    made = ", ".join(sorted(thing.body.address for thing in played.world.there() if thing.original is None))
    return Finding(
        what="left", address=node.address if node is not None else "", source=node.source if node is not None else "",
        why=f"It says {said}, so when it fails {taken} is taken back"
        + (f": {made} stay." if made else ", and what was changed stays so."),
        fix=fix,
    )  # fmt: skip


def _says(node: Node | None) -> tuple[str, str, str]:
    """What in the script keeps a node's failure from being taken back as a whole, what is, and what to do about it."""
    turn = node.options.turn if node is not None else None
    own = node.options.on_failure if node is not None else None
    if own is None and turn is not None and turn.failures_max:
        said = f"max_failures={turn.failures_max}"
        return said, "nothing", f"Leave out {said}, unless the other machines are to go on without this one."
    word = own or (turn.on_failure if turn is not None else None)
    said = f'on_failure="{word}"'
    if word == "undo_batch":
        return said, "only its batch", f"Leave out {said}, unless the batches before are to keep what is new."
    return said, "nothing", f"Leave out {said}, unless you want the evidence more than the undo."


def _has_effects(played: Played) -> bool:
    return any(thing.original is not thing.body for thing in played.world.things.values())


def _errors(played: Played) -> list[Finding]:
    """An undo that was refused altogether."""
    if played.error is None:
        return []
    return [
        Finding(
            what="left", address="", why=f"The undo is refused: {played.error.summary}. {played.error.detail}".rstrip(),
            fix=played.error.hint,
        )
    ]  # fmt: skip


def _things(played: Played) -> list[Finding]:
    found: list[Finding] = []
    for thing in played.world.things.values():
        item = _thing(played, thing)
        if item is not None:
            found.append(item)
    return found


def _thing(played: Played, thing: Thing) -> Finding | None:
    body, original = thing.body, thing.original
    if original is None:
        return _finding(played, "left", body, _why_left(played, thing)) if thing.there else None
    if thing.emptied and thing.traits.holds_data:
        gone = "comes back empty" if thing.there else "does not come back"
        why = f"Its old object is deleted to make room, and {gone}: its kind says that it holds data."
        return _finding(played, "lost", original, (why, _BESIDE))
    if not thing.there:
        why = "It was deleted on the way, and the undo does not make it again."
        return _finding(played, "lost", original, _failure(played, original.address) or (why, _BESIDE))
    if thing.remade and original.adopted:
        why = "It existed before purvey adopted it, and was deleted to make room: the undo puts another one in its place."
        return _finding(played, "changed", original, (why, _BESIDE))
    fields = changed(thing)
    if fields:
        what = ", ".join(f"`{name}`" for name in fields)
        why, fix = _why_changed(played, thing)
        return _finding(played, "changed", original, (f"{what} keeps the new value: {why}", fix))
    return None


def _finding(played: Played, what: What, body: ResourceState, told: tuple[str, str]) -> Finding:
    node = played.nodes.get(body.address)
    return Finding(what=what, address=body.address, source=node.source if node else body.source, why=told[0], fix=told[1])


def _source(played: Played, address: str) -> str:
    node = played.nodes.get(address)
    return str(node.source) if node is not None else ""


def _failure(played: Played, address: str) -> tuple[str, str] | None:
    """What went wrong when the undo came to a node."""
    for item in played.failures:
        if item.undoing and item.address == address:
            detail = f": {item.detail}" if item.detail else "."
            return f"Its undo fails. {item.summary}{detail}", item.hint
    return None


def _why_left(played: Played, thing: Thing) -> tuple[str, str]:
    body = thing.body
    kind = played.kinds.get(body.kind)
    failed = _failure(played, body.address)
    if failed is not None:
        return failed
    if isinstance(kind.provider, StepProvider):
        name = kind.name.partition(".")[2]
        return _no_undo(name, kind.provider)
    if body.protect:
        return (
            "It is made and protected in one run, and an undo deletes nothing that is protected.",
            "Make it without protect=True and protect it in the next apply, or give it a stack of its own.",
        )
    protected = [other for other in played.world.there() if other.body.protect and body.address in _below(played, other.body)]
    if protected:
        return (
            f"{protected[0].body.address} stands on it, which is protected, and so no undo deletes it.",
            "Protect that one in the next apply, once the run that makes it has succeeded.",
        )
    if played.undo is not None and any(
        item.address == body.address and item.verb == "forget" for item in played.undo.operations
    ):
        return (
            f"The undo forgets it with {body.container or 'what it lives in'}, which stays, so nothing deletes it.",
            f"Mend what keeps {body.container or 'that'}; until then remove it by hand.",
        )
    if thing.traits.leaves and not thing.traits.undoes:
        return (
            f"The kind {kind.name} says `forgets = True`, so deleting one calls nothing, and it has no undo of its own.",
            "Write the kind's `undo`, or let its `delete` delete and leave out `forgets`.",
        )
    return f"The kind {kind.name} says that what a create did cannot be undone.", _undoable_fix(kind.name)


def _below(played: Played, body: ResourceState) -> set[str]:
    found: set[str] = set()
    todo = list(body.needs)
    while todo:
        need = todo.pop()
        record = played.state.latest(need)
        if need not in found and record is not None:
            found.add(need)
            todo.extend(record.needs)
    return found


def _why_changed(played: Played, thing: Thing) -> tuple[str, str]:
    kind = played.kinds.get(thing.body.kind)
    failed = _failure(played, thing.body.address)
    if failed is not None:
        return failed
    if isinstance(kind.provider, StepProvider):
        why, fix = _no_undo(kind.name.partition(".")[2], kind.provider)
        return why, fix
    return f"the kind {kind.name} says that such an update cannot be undone.", _undoable_fix(kind.name)


def _no_undo(name: str, provider: StepProvider) -> tuple[str, str]:
    arguments = ", ".join(("result", "/", *provider.names))
    fix = "Write one that takes it back, or mark the step reads_only=True if it changes nothing:"
    return f"The step {name} has no undo, so what it did stays.", f"{fix}\n\n    @{name}.undo\n    def _({arguments}):"


def _undoable_fix(name: str) -> str:
    return f"Put it into a run of its own, last; or let `undoable` of {name} say True once its `undo` can do it."


def _clashes(played: Played) -> list[Finding]:
    """Removals of what something still needed that was itself deleted later; what goes with its container is gone before."""
    world = played.world
    found = []
    deleted = {item.address for item in played.undo.operations if item.verb != "forget"} if played.undo is not None else set()
    for clash in world.clashes:
        removed, user = world.things[clash.removed], world.things[clash.user]
        if user.original is None and not user.there and user.body.address in deleted:
            found.append(
                Finding(
                    what="order", address=removed.body.address, source=removed.body.source,
                    why=f"The undo removed it while {user.body.address} still needed it.",
                    fix="This is a bug in purvey: the undo must remove what is built on an object first.",
                )
            )  # fmt: skip
    return found


def _references(played: Played) -> list[Finding]:
    """What still knows an object by the identity that it had before it was made again."""
    found: list[Finding] = []
    for thing in played.world.there():
        if not thing.remade or thing.traits.named or thing.original is None:
            continue
        old = _identities(thing.original)
        for other in played.world.there():
            if (
                other is not thing
                and not other.remade
                and other.original is not None
                and old & _leaves(thawed(other.body.inputs))
            ):
                node = played.nodes.get(thing.body.address)
                found.append(
                    Finding(
                        what="changed", address=other.body.address, source=node.source if node else thing.body.source,
                        why=f"It still refers to the {thing.body.address} that was deleted; the undo makes another one, "
                        "to which the world gives a new identity.",
                        fix="Let both stand side by side (leave out delete_first, or name the node anew), so that the old one "
                        "is kept until the run has succeeded.",
                    )
                )  # fmt: skip
    return found


def _identities(record: ResourceState) -> set[str]:
    texts = {record.id, *(value for value in record.outputs.values() if isinstance(value, str))}
    return {text for text in texts if len(text) > 3}  # noqa: PLR2004 - shorter text is no identity.


def _leaves(value: Any) -> set[str]:
    if isinstance(value, str):
        return {value}
    items: Iterable[Any] = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return {text for item in items for text in _leaves(item)}


_TERMS = ("container", "protect", "retain", "adopted", "ignore", "replace_when", "name", "kind")


def _records(played: Played, before: State) -> list[Finding]:
    """Where what is remembered is not what it was; what a check saw is forgotten on purpose."""
    found: list[Finding] = []
    world = {(thing.body.address, thing.body.generation): thing for thing in played.world.things.values()}
    for key, record in before.resources.items():
        if played.kinds.get(record.kind).check:
            continue
        now = played.state.resources.get(key)
        if now is None:
            found.append(_finding(played, "record", record, (f"The undo leaves no record of it under {record.address}.", _BUG)))
            continue
        thing = world.get(key)
        terms = [name for name in _TERMS if getattr(now, name) != getattr(record, name)]
        terms += [f"inputs.{name}" for name in difference(record, now, _defaults(played, record))]
        terms += ["id"] if now.id != record.id and not (thing is not None and thing.remade) else []
        if terms:
            told = ", ".join(terms)
            found.append(_finding(played, "record", record, (f"The undo leaves another {told} in its record.", _BUG)))
    return found


_BUG = "Compare `purvey state show` before and after; this is a bug in purvey."


def _defaults(played: Played, record: ResourceState) -> dict[str, Any]:
    kind = played.kinds.get(record.kind)
    return {name: kind.default(name) for name in kind.inputs}


def _ended_otherwise(played: Played) -> Finding:
    closed = played.closed
    told = f"{closed.result}: {closed.cause}. {closed.detail}" if closed is not None else "an error"
    return Finding(what="left", address=closed.address if closed else "", why=f"The run ended {told}".strip())
