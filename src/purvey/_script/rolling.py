"""Rolling changes: some machines at a time, each taken out of service before it changes and put back when it has.

    for web in rolling(hosts, batch="25%", drain=take_out, check=answers, restore=put_back):
        packages.Apt("shop", on=web, packages=["shop"])

It is nothing but edges: what is declared for one batch waits for all of the batch before it, so a failure stops the machines
that were not reached yet, and what follows (undo, keep) is what the run does with any failure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import msgspec

from purvey._script.host import Place
from purvey._script.recorder import Recorder, current
from purvey.errors import ScriptError

P = TypeVar("P", bound=Place)

Around = Callable[[P], Any]


def rolling(
    hosts: Sequence[P], /, *, batch: int | str = 1, drain: Around[P] | None = None, check: Around[P] | None = None,
    restore: Around[P] | None = None,
) -> Iterator[P]:  # fmt: skip
    """Go through machines in batches; what the loop declares for each is in a scope of the machine's name.

    Args:
        hosts: The machines, each with a name of its own.
        batch: How many at a time, or a share of them in percent, rounded up: ``3`` or ``"25%"``.
        drain: Declares what takes a machine out of service (steps, usually); performed before the machine changes, and only if
            it does.
        check: Declares what must hold of a machine that has changed, before it is put back and others follow.
        restore: Declares what puts a machine back into service; performed after its change, and only if there was one.

    Raises:
        ScriptError: ``script.bad_batch``.
    """
    recorder = current()
    size = _size(batch, len(hosts))
    outer, gate = recorder.after, recorder.after
    try:
        for start in range(0, len(hosts), size):
            ends: list[str] = []
            for host in hosts[start : start + size]:
                with recorder.inside(host.name or _nameless(host)):
                    first = len(recorder.nodes)
                    recorder.after = gate
                    yield from _one(recorder, host, drain, check, restore)
                    ends += _last_of(recorder, first)
            gate = tuple(ends) or gate
    finally:
        recorder.after = outer


def _one(
    recorder: Recorder, host: P, drain: Around[P] | None, check: Around[P] | None, restore: Around[P] | None
) -> Iterator[P]:  # fmt: skip
    """One machine: out of service, changed, checked, back in service."""
    drained = _declared(recorder, drain, host)
    first = len(recorder.nodes)
    recorder.after = (*recorder.after, *drained)
    yield host
    body = list(recorder.nodes)[first:]
    recorder.after = (*recorder.after, *_last_of(recorder, first))
    _declared(recorder, check, host)
    recorder.after = (*recorder.after, *_last_of(recorder, first))
    restored = _declared(recorder, restore, host)
    for address in (*drained, *restored):
        node = recorder.nodes[address]
        options = msgspec.structs.replace(node.options, around=tuple(body))
        recorder.nodes[address] = msgspec.structs.replace(node, options=options)


def _declared(recorder: Recorder, declare: Around[P] | None, host: P) -> list[str]:
    """What a function declares for a machine."""
    first = len(recorder.nodes)
    if declare is not None:
        declare(host)
    return list(recorder.nodes)[first:]


def _last_of(recorder: Recorder, first: int) -> list[str]:
    """Of the nodes declared since, those that no other of them waits for."""
    nodes = list(recorder.nodes.values())[first:]
    needed = {need for node in nodes for need in node.needs}
    return [node.address for node in nodes if node.address not in needed]


def _size(batch: int | str, count: int) -> int:
    share = batch.removesuffix("%") if isinstance(batch, str) else ""
    if share.isdecimal() and 1 <= int(share) <= 100:  # noqa: PLR2004 - percent.
        return max(1, math.ceil(count * int(share) / 100))
    if isinstance(batch, int) and batch >= 1:
        return batch
    raise ScriptError(
        "script.bad_batch",
        "A batch is no number of machines",
        detail=f"`batch` is {batch!r}.",
        hint='Write a number from 1, or a share of the machines: batch="25%".',
        source=current().source(),
    )


def _nameless(host: Place) -> str:
    raise ScriptError(
        "script.bad_host",
        "A place to put things on is not one",
        detail=f"{host!r} has no name, and what is declared in `rolling` is addressed by it.",
        hint='Give each a name: Host("192.0.2.11", name="web-1").',
        source=current().source(),
    )
