"""Reads the world for what is recorded: many objects at a time, in batches where a kind can, and changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from purvey._apply import patience
from purvey._apply.attempt import answered
from purvey._apply.closer import look_closer
from purvey._apply.executor import Stop, execute
from purvey._apply.outcome import as_provider_error
from purvey._apply.parts import Parts
from purvey._apply.places import Places
from purvey._apply.redacting import clean_error, cleaned
from purvey._base.event import PhaseStarted
from purvey._base.limits import OBSERVE_BATCH
from purvey._gate.machines import Inquiry, Reply, inquire
from purvey._state.resource import ResourceState
from purvey.providers import Absent, Kind, Observed, Provider, Unreadable
from purvey.providers.host import is_asked_together

Key = tuple[str, int]


def needs_reading(parts: Parts, records: Iterable[ResourceState]) -> list[ResourceState]:
    """Those whose kind asks the world at all."""
    return [record for record in records if parts.kinds.get(record.kind).provider.reads]


async def observe(parts: Parts, records: Sequence[ResourceState], *, parallel: int) -> dict[Key, Observed]:
    """What is there now, for each of `records`.

    A provider that goes on failing makes its objects unreadable; it never makes them absent.
    """
    found: dict[Key, Observed] = {}
    jobs: dict[str, list[ResourceState]] = {}
    await _read_on_machines(parts, records, found)
    for record in records:
        provider = parts.kinds.get(record.kind).provider
        if (record.address, record.generation) in found:
            continue
        if provider.read_many is None:
            jobs[f"{record.address} #{record.generation}"] = [record]
        else:
            jobs.setdefault(f"batch of {record.kind}", []).append(record)

    async def work(job: str) -> bool:
        """Read one job's objects."""
        group = jobs[job]
        kind = parts.kinds.get(group[0].kind)
        if kind.provider.read_many is None:
            found[group[0].address, group[0].generation] = await read(parts, group[0])
        else:
            for start in range(0, len(group), OBSERVE_BATCH):
                await _read_batch(parts, kind, group[start : start + OBSERVE_BATCH], found)
        return True

    await execute(dict.fromkeys(jobs, ()), work, parallel=parallel, stop=Stop())
    return {**found, **await look_closer(parts, records, found)}


async def observe_anew(parts: Parts, places: Places, *, parallel: int) -> dict[Key, Observed]:
    """What is there of objects whose machine is reached in another way than was recorded, in the way of the script.

    Another address may be the same machine's, or that of one which has got its name: what is there says so.
    """
    records = [new for old in parts.state.resources.values() if (new := places.reached(old)) is not old]
    if records := needs_reading(parts, records):
        detail = f"{len(records)} object{'' if len(records) == 1 else 's'} in a new way"
        parts.tell(PhaseStarted(at=parts.clock.now(), run=parts.run, phase="observe", detail=detail))
    return await observe(parts, records, parallel=parallel) if records else {}


async def _read_on_machines(parts: Parts, records: Sequence[ResourceState], found: dict[Key, Observed]) -> None:
    """Read what is on machines, each of them asked once for all that is there."""
    inquiries: list[Inquiry] = []
    for record in records:
        provider, key = parts.kinds.get(record.kind).provider, (record.address, record.generation)
        if not is_asked_together(provider) or record.how is None:
            continue
        if record.container and parts.state.latest(record.container) is None:
            found[key] = Absent()  # What it lived in is gone, and so is it.
            continue
        call = parts.call(record.address, record.name, record, object_id=record.id)
        inquiries.append(Inquiry(key, call, provider, provider.facts, partial(parts.record_view, record)))
    replies = await inquire(inquiries)
    for item in inquiries:
        found[item.key] = _seen(parts, replies[item.key]) if item.key in replies else Unreadable("its machine is not known yet")


def _seen(parts: Parts, reply: Reply) -> Observed:
    try:
        seen: Observed = reply.read(reply.provider.seen)
    except Exception as error:  # noqa: BLE001 - whatever it raises, the object is unreadable, not absent.
        return Unreadable(_reason(parts, error))
    return cleaned(seen, parts.redactor)


async def read(parts: Parts, record: ResourceState) -> Observed:
    """What is there now for one object."""
    kind = parts.kinds.get(record.kind)
    provider = kind.provider
    if record.container and parts.state.latest(record.container) is None:
        return Absent()  # What it lived in is gone, and so is it.
    if provider.read_many is not None:
        found: dict[Key, Observed] = {}
        await _read_batch(parts, kind, [record], found)
        return found[record.address, record.generation]
    return await patience.still_there(parts, kind, record, partial(_read_one, parts, kind.provider, record))


async def _read_one(parts: Parts, provider: Provider[Any], record: ResourceState) -> Observed:
    try:
        call = parts.call(record.address, record.name, record, object_id=record.id)
        have = parts.record_view(record)
        observed: Observed = await answered(lambda: provider.read(call, have), parts.clock, provider)
    except Exception as error:  # noqa: BLE001 - whatever a provider raises, its object is unreadable, not absent.
        return Unreadable(_reason(parts, error))
    return cleaned(observed, parts.redactor)


async def _read_batch(parts: Parts, kind: Kind, group: Sequence[ResourceState], found: dict[Key, Observed]) -> None:
    """Read a group together; then those that are not to be seen, and may yet appear, again."""
    await _read_together(parts, kind, group, found)
    for record in group:
        if isinstance(found[record.address, record.generation], Absent) and patience.is_young(parts, kind, record):
            await patience.still_there(parts, kind, record, partial(_read_again, parts, kind, record, found))


async def _read_again(parts: Parts, kind: Kind, record: ResourceState, found: dict[Key, Observed]) -> Observed:
    await _read_together(parts, kind, [record], found)
    return found[record.address, record.generation]


async def _read_together(parts: Parts, kind: Kind, group: Sequence[ResourceState], found: dict[Key, Observed]) -> None:
    read_many = kind.provider.read_many
    assert read_many is not None  # The caller chose the batch form.
    call = parts.call(group[0].address, group[0].name, group[0])
    try:
        ids = [record.id for record in group]
        seen = await answered(lambda: read_many(call, ids), parts.clock, kind.provider)
    except Exception as error:  # noqa: BLE001 - as for one object.
        found.update({(record.address, record.generation): Unreadable(_reason(parts, error)) for record in group})
        return
    absent = Absent()
    for record in group:
        found[record.address, record.generation] = cleaned(seen.get(record.id, absent), parts.redactor)


def _reason(parts: Parts, error: Exception) -> str:
    failure = clean_error(as_provider_error(error), parts.redactor)
    return f"{failure.summary}: {failure.detail.splitlines()[0]}" if failure.detail else failure.summary
