"""Rolling changes: some machines at a time, each taken out of service before it changes and put back when it has.

    for web in rolling(hosts, batch="25%", max_failures=1, drain=take_out, check=answers, restore=put_back):
        packages.Apt("shop", on=web, names=["shop"])

It is nothing but edges, and a mark on each node whose turn it is: what is declared for one batch waits for all of the batch
before it, however that ends while no more machines have failed than may; then the rest is not begun.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar, get_args

import msgspec

from purvey._graph import NodeOptions, OnMachineFailure, Turn
from purvey._script.host import Place
from purvey._script.recorder import Recorder, current
from purvey.errors import ScriptError

P = TypeVar("P", bound=Place)

Around = Callable[[P], Any]


def rolling(
    hosts: Sequence[P], /, *, batch: int | str = 1, max_failures: int | str = 0, drain: Around[P] | None = None,
    check: Around[P] | None = None, restore: Around[P] | None = None, on_failure: OnMachineFailure | None = None,
) -> Iterator[P]:  # fmt: skip
    """Go through machines in batches; what the loop declares for each is in a scope of the machine's name.

    A machine on which something fails stays as it is, out of service, and the run ends as ``kept``; a resume, or the next run,
    goes on there.

    Args:
        hosts: The machines, each with a name of its own.
        batch: How many at a time, or a share of them in percent, rounded up: ``3`` or ``"25%"``.
        max_failures: How many machines may fail while the others go on, or a share of them in percent, rounded down.
        drain: Declares what takes a machine out of service (steps, usually); performed before the machine changes, and only if
            it does.
        check: Declares what must hold of a machine that has changed, before it is put back and others follow.
        restore: Declares what puts a machine back into service; performed after its change, and only if there was one.
        on_failure: What the run does once more machines have failed: ``undo`` all of it, ``keep`` all of it, or ``undo_batch``,
            which takes back the batch that it happened in and keeps those before; by default what it does with any failure.

    Raises:
        ScriptError: ``script.bad_batch``, ``script.bad_host``.
    """
    recorder = current()
    size = max(1, _count("batch", batch, len(hosts), least=1, rounded=math.ceil))
    most = _count("max_failures", max_failures, len(hosts), least=0, rounded=math.floor)
    if on_failure not in (None, *get_args(OnMachineFailure)):
        raise _bad("on_failure", on_failure, 'Write "undo", "keep" or "undo_batch".')
    rollout = f"{recorder.scope} {recorder.source()}"
    services = _Services(drain, check, restore)
    outer, gate = recorder.after, recorder.after
    try:
        for start in range(0, len(hosts), size):
            ends: list[str] = []
            behind = gate if gate is not outer else ()
            for host in hosts[start : start + size]:
                with recorder.inside(host.name or _nameless(host)):
                    first = len(recorder.nodes)
                    recorder.after = gate
                    yield from _one(recorder, host, services)
                    _mark(recorder, first, Turn(rollout, recorder.scope, start // size + 1, behind, most, on_failure))
                    ends += _last_of(recorder, first)
            gate = tuple(ends) or gate
    finally:
        recorder.after = outer


class _Services(NamedTuple):
    """What is declared around the change of a machine."""

    drain: Around[Any] | None
    check: Around[Any] | None
    restore: Around[Any] | None


def _one(recorder: Recorder, host: P, services: _Services) -> Iterator[P]:
    """One machine: out of service, changed, checked, back in service."""
    drained = _declared(recorder, services.drain, host)
    first = len(recorder.nodes)
    recorder.after = (*recorder.after, *drained)
    yield host
    body = tuple(recorder.nodes)[first:]
    recorder.after = (*recorder.after, *_last_of(recorder, first))
    _declared(recorder, services.check, host)
    recorder.after = (*recorder.after, *_last_of(recorder, first))
    restored = _declared(recorder, services.restore, host)
    for address in drained:
        _change(recorder, address, around=body)
    for address in restored:
        _change(recorder, address, around=(*drained, *body))


def _mark(recorder: Recorder, first: int, turn: Turn) -> None:
    """Note whose turn it is with the nodes declared since; those of a rolling change inside this one have theirs."""
    for address in list(recorder.nodes)[first:]:
        if recorder.nodes[address].options.turn is None:
            _change(recorder, address, turn=turn)


def _change(recorder: Recorder, address: str, **options: Any) -> None:
    node = recorder.nodes[address]
    changed: NodeOptions = msgspec.structs.replace(node.options, **options)
    recorder.nodes[address] = msgspec.structs.replace(node, options=changed)


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


def _count(name: str, given: int | str, of: int, *, least: int, rounded: Callable[[float], int]) -> int:
    """So many of the machines as a number or a share of them means."""
    share = given.removesuffix("%") if isinstance(given, str) and given.endswith("%") else ""
    if share.isdecimal() and least <= int(share) <= 100:  # noqa: PLR2004 - percent.
        return rounded(of * int(share) / 100)
    if isinstance(given, int) and not isinstance(given, bool) and given >= least:
        return given
    raise _bad(name, given, f'Write a number from {least}, or a share of the machines: {name}="25%".')


def _bad(name: str, given: object, hint: str) -> ScriptError:
    return ScriptError(
        "script.bad_batch",
        "A rolling change is told what it cannot do",
        detail=f"`{name}` is {given!r}.",
        hint=hint,
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
