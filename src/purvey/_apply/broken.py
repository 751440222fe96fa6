"""What the commands of a run have failed with before it is taken up again: that is its failure, and they are not run again.

A run that sees a command fail ends with that failure, and takes back what its policy says. One that was killed or interrupted
meanwhile learns of the failure when it is resumed, from the machine. It goes on as if it had seen it: nothing that comes after
the command begins. Only a run that has ended with a failure, of which a person was told, tries again when it is resumed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from purvey._apply.outcome import TRANSIENT
from purvey._apply.perform import Failure
from purvey._state.record import Begun, Closed, Failed, Record
from purvey.errors import ProviderError
from purvey.providers.host import HostProvider

if TYPE_CHECKING:
    from purvey._apply.parts import Parts
    from purvey._apply.perform import Performer
    from purvey._plan.plan import Operation, Plan

Broken = Mapping[tuple[str, str], Failed]
"""Failures by address and by the operation that was to be taken back; that one is empty where none was."""


def broken(records: Iterable[Record], parts: Parts) -> Broken:
    """What a run that goes on has failed with since it last ended.

    Args:
        records: All its records in order.
        parts: The run's tools.
    """
    begun: dict[str, Begun] = {}
    found: dict[tuple[str, str], Failed] = {}
    for record in records:
        if isinstance(record, Closed):
            found.clear()
        elif isinstance(record, Begun):
            begun[record.operation] = record
            found.pop(_key(record), None)
        elif isinstance(record, Failed) and record.operation in begun and _is_final(record):
            found[_key(begun[record.operation])] = record
    return {key: failed for key, failed in found.items() if _runs_once(begun[failed.operation], parts)}


def passed_on(performer: Performer, failures: Broken) -> list[Operation]:
    """Note the failures of a plan's operations; return the operations that are not, and do not need, one of those.

    Args:
        performer: Performs the plan.
        failures: What the run has failed with.
    """
    plan = performer.plan
    out: set[str] = set()
    for (address, undoes), failed in failures.items():
        there = [item for item in plan.operations if (item.address, item.undoes) == (address, undoes)]
        if not there and not undoes and address in plan.nodes:
            performer.failures.append(Failure(address, failed.code, failed.summary, failed.detail))
        for item in there[:1]:
            error = ProviderError(failed.code, failed.summary, detail=failed.detail)  # type: ignore[arg-type]
            performer.fail(item, error, performer.parts.clock.monotonic() - failed.seconds, failed.attempts)
        out |= {item.id for item in there}
    return _apart_from(plan, out)


def _key(begun: Begun) -> tuple[str, str]:
    return begun.address, begun.undoes


def _is_final(failed: Failed) -> bool:
    """Whether it was tried, and has failed with more than a refusal that may pass by itself."""
    return not failed.may_exist and not failed.unbegun and failed.code not in TRANSIENT


def _runs_once(begun: Begun, parts: Parts) -> bool:
    provider = parts.kinds.get(begun.node.kind).provider
    if not isinstance(provider, HostProvider) or begun.verb == "delete":
        return False
    return provider.runs_once(parts.record_view(begun.node))


def _apart_from(plan: Plan, out: set[str]) -> list[Operation]:
    """The operations of a plan without some, and without what needs those."""
    size = -1
    while size != len(out):
        size = len(out)
        out |= {item.id for item in plan.operations if out.intersection(item.needs) - set(item.despite)}
    return [item for item in plan.operations if item.id not in out]
