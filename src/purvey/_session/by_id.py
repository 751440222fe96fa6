"""Records objects that exist already, by their ids, under addresses that no script declares yet."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from purvey._apply.attempt import answered
from purvey._apply.call import physical_name
from purvey._apply.ownership import Owners, how_to_get
from purvey._apply.parts import Parts
from purvey._base.address import join, require_name
from purvey._base.value import NodeLink, Secret, Value, reveal
from purvey._graph import DEFAULT_OPTIONS, Node
from purvey._session import recorded
from purvey._session.drive import Drive
from purvey._session.importing import owned
from purvey._session.loop import run_with
from purvey._session.python_text import Writer, not_importable, placeholder
from purvey._state.record import Noted, Record
from purvey._state.resource import ResourceState
from purvey._state.state import State, fold
from purvey.errors import ProviderError, ScriptError, StateError
from purvey.providers import Kind, Present


class ById(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be imported.

    Attributes:
        kind: The kind's name.
        ids: The ids that the world knows the objects by; with `everything` none.
        everything: All objects of the kind that nobody has yet.
        name: The name of the new node; by default made from the id.
        inside: The address of the recorded object that they live in; for kinds that live in one.
    """

    kind: str
    ids: tuple[str, ...] = ()
    everything: bool = False
    name: str = ""
    inside: str = ""


class Imported(msgspec.Struct, frozen=True):
    """The new records, and what a script says of them."""

    objects: tuple[ResourceState, ...]
    text: str


def record(drive: Drive, wanted: ById, *, whole: bool) -> Imported:
    """Read the objects, say them in Python, and record them as adopted.

    Args:
        drive: The stack.
        wanted: Which objects.
        whole: Whether the text is a script that declares everything which the stack then has, not the new objects alone.
    """
    store = drive.store()
    done: list[Imported] = []

    def work(state: State, now: float) -> list[Record]:
        """What is recorded; read under the lease, so that nobody else takes an address meanwhile."""
        parts = drive.parts(store, "", state)
        found = run_with(parts, _found(parts, wanted))
        records: list[Record] = [
            Noted(at=now, what="imported", address=item.address, generation=item.generation, state=item) for item in found
        ]
        writer = Writer(fold(records, state).current().values(), parts.kinds)
        text = writer.script(drive.stack.rpartition("/")[0]) if whole else writer.fragment(found)
        done.append(Imported(tuple(found), text))  # Said before it is recorded: what cannot be said is not recorded.
        return records

    drive.note(store, work)
    return done[0]


async def _found(parts: Parts, wanted: ById) -> list[ResourceState]:
    kind = parts.kinds.get(wanted.kind)
    home = _home(parts, kind, wanted.inside)
    owners = Owners(parts)
    ids = await _every(parts, kind, home) if wanted.everything else wanted.ids
    found: dict[str, ResourceState] = {}
    for object_id in ids:
        name = wanted.name or _free_name(object_id, kind, {*found, *parts.state.current()})
        address = join("", kind.name, require_name(name, "The name of the node"))
        if parts.state.latest(address) is not None:
            raise StateError("state.address_taken", "The node is recorded already", detail=f"{address} is recorded.")
        item = await _read(parts, kind, object_id, address, home)
        if item.id in {other.id for other in found.values()}:
            continue  # It was named twice, perhaps in two spellings; kind and home are the same for all.
        node = Node(address, kind.name, {}, item.needs, DEFAULT_OPTIONS, "", "", item.container)
        owner = owners.of(node, Present(item.id, {}))
        if owner and not wanted.everything:
            raise owned(node, item.id, owner, how_to_get(owner, parts.estate, parts.stack))
        if not owner:
            found[address] = item
    return list(found.values())


def _home(parts: Parts, kind: Kind, inside: str) -> ResourceState | None:
    """What the objects live in.

    Raises:
        ScriptError: ``script.no_container`` if the kind lives in another object, and none is named.
    """
    if inside:
        return recorded.find(parts.state, inside)
    if kind.containers and kind.containers[0] in kind.required:
        raise ScriptError(
            "script.no_container",
            "Objects of this kind live in another one, and none is named",
            detail=f"A {kind.name} has a `{kind.containers[0]}`, which must be recorded already.",
            hint="Name its address with --in; `purvey state list` shows every address.",
        )
    return None


async def _every(parts: Parts, kind: Kind, home: ResourceState | None) -> Sequence[str]:
    if kind.provider.import_all is None:
        raise not_importable(kind.name, f"{kind.name} cannot list what there is; name each object with --id.")
    view = parts.record_view(home) if home is not None else None
    every, call = kind.provider.import_all, parts.call(home.address if home is not None else "", "")
    found: Sequence[str] = await answered(lambda: every(call, view), parts.clock, kind.provider)
    return found


async def _read(parts: Parts, kind: Kind, object_id: str, address: str, home: ResourceState | None) -> ResourceState:
    """The record of the object with an id, as the declaration will say it that `python_text` writes."""
    provider = kind.provider
    basic = provider.named(object_id)
    if basic is None:
        raise not_importable(kind.name, f"{kind.name} cannot tell an object by its id alone.")
    name = address.rpartition("::")[2]
    given: dict[str, Value] = {**({"name": name} if "name" in kind.inputs else {}), **basic}
    if home is not None:
        given[kind.containers[0]] = NodeLink(home.address)
    generation = parts.next_generation(address)
    call = parts.call(address, physical_name(parts.estate, parts.stack, address, generation))
    basics = parts.view(kind, address, given)
    described: Mapping[str, Any] = await answered(lambda: provider.describe(call, basics), parts.clock, provider)
    values = {**given, **{field: value for field, value in described.items() if field in kind.inputs}}
    values = {field: value for field, value in values.items() if field in given or value != kind.default(field)}
    whole = parts.view(kind, address, values)
    seen = await answered(lambda: provider.find(call, whole), parts.clock, provider)
    if not isinstance(seen, Present) or seen.id not in (object_id, *basic.values()):
        raise ProviderError("not_found", "Nothing is there under this id", detail=f"There is no {kind.name} {object_id!r}.")
    outputs = {field: value for field, value in seen.values.items() if field in kind.outputs}
    container = home.address if home is not None else ""
    return ResourceState(
        address=address, kind=kind.name, generation=generation, id=seen.id, name=call.name,
        inputs={field: _at_rest(parts, name, field, value) for field, value in values.items()},
        outputs=parts.at_rest(kind, outputs), needs=(container,) if container else (), container=container,
        version=kind.version, adopted=True, follows={container: home.generation} if home is not None else {},
    )  # fmt: skip


def _at_rest(parts: Parts, name: str, field: str, value: Value) -> Value:
    """An input as it is recorded: a secret as the one that the placeholder in the script will yield."""
    if not isinstance(value, Secret):
        return value
    origin = placeholder(name, field)
    known = reveal(value)
    return parts.sealer.mask(Secret(known, origin)) if known else parts.mask(origin)


def _free_name(object_id: str, kind: Kind, taken: set[str]) -> str:
    """A name made from an id: its last part, in the letters that a name may have."""
    word = (
        re.sub(r"[^A-Za-z0-9._-]+", "-", object_id.rstrip("/").rpartition("/")[2]).strip("-.") or kind.name.rpartition(".")[2]
    )
    return next(
        name
        for name in (word, *(f"{word}-{number}" for number in range(2, len(taken) + 3)))
        if join("", kind.name, name) not in taken
    )
