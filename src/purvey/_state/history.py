"""What a run did, told from its records: for `purvey show`, `purvey runs` and the end of an apply. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from purvey._state.record import Begun, Closed, Failed, Left, Noted, Opened, Record, Staged, Succeeded


class ChangeHistory(msgspec.Struct, frozen=True, kw_only=True):
    """One operation of a run.

    Attributes:
        address: The node.
        action: ``create``, ``update``, ``delete``, ``check``, ``undo``, ``settle``, ``adopted``, ``moved``, ``forgotten``.
        result: ``done``, ``unchanged``, ``failed``, ``in doubt``, ``not begun``.
        attempts: How many times it was tried.
        seconds: How long it took.
        code: The error's stable code, empty when it did not fail.
        detail: The world's own message.
        undoes: For an undo: what is taken back (``create`` or ``update``); empty otherwise.
    """

    address: str
    action: str
    result: str
    attempts: int = 1
    seconds: float = 0.0
    code: str = ""
    detail: str = ""
    undoes: str = ""


class RunHistory(msgspec.Struct, frozen=True, kw_only=True):
    """A run, as its records tell it; `started` and `ended` are seconds since the epoch, `ended` None while it is open.

    `result` is empty while the run is open. `cause` is the failure that decided it, with its address and the world's message.
    `resumed` is when it was last taken up again; None for a run that never stopped.
    `targets` and `excludes` are what it was limited to, `script` is its path, and `left` the ledger of a partial run.
    """

    id: str
    stack: str
    env: str
    verb: str
    result: str
    started: float
    ended: float | None
    resumed: float | None = None
    changes: tuple[ChangeHistory, ...] = ()
    cause: str = ""
    cause_address: str = ""
    cause_detail: str = ""
    user: str = ""
    machine: str = ""
    stages: int = 1
    parameters: dict[str, object] = {}
    targets: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    script: str = ""
    left: tuple[Left, ...] = ()


def history(run: str, stack: str, records: Iterable[Record]) -> RunHistory:
    """Tell a run from its records.

    Args:
        run: The run's id.
        stack: ``name/environment``.
        records: All its records in order; the first is `Opened`.
    """
    name, _, env = stack.rpartition("/")
    opened: Opened | None = None
    closed: Closed | None = None
    resumed: float | None = None
    stages = 1
    begun: dict[str, Begun] = {}
    verbs: dict[str, str] = {}
    made: dict[str, int] = {}
    found: dict[str, ChangeHistory] = {}
    for record in records:
        if isinstance(record, Opened):
            resumed = record.at if opened else None
            opened = opened or record
            closed = None
        elif isinstance(record, Closed):
            closed = record
        elif isinstance(record, Staged):
            stages = record.stage + 1
        elif isinstance(record, Begun):
            begun[record.operation] = record
            verbs[record.operation] = record.verb
            if record.makes:
                made[record.address] = record.generation
            undone = verbs.get(record.undoes, "create") if record.undoes else ""
            found[record.operation] = ChangeHistory(
                address=record.address, action=record.verb, result="in doubt", undoes=undone
            )
        elif isinstance(record, Succeeded | Failed):
            # What an earlier run began and this one settled has its begin there.
            settled = ChangeHistory(address=record.address, action="settle", result="in doubt")
            found[record.operation] = _ended(found.get(record.operation, settled), record)
        elif isinstance(record, Noted) and not _is_aside(record, made):
            found[f"{record.what} {record.address} {len(found)}"] = _noted(record)
    for item in closed.unmade if closed is not None else ():
        found[f"{item.verb} {item.address} unmade"] = ChangeHistory(
            address=item.address, action=item.verb, result="failed", code=item.code, detail=item.detail
        )
    return RunHistory(
        id=run,
        stack=name,
        env=env,
        verb=opened.verb if opened else "",
        result=closed.result if closed else "",
        started=opened.at if opened else 0.0,
        ended=closed.at if closed else None,
        resumed=resumed,
        changes=_told(list(found.values())),
        cause=closed.cause if closed else "",
        cause_address=closed.address if closed else "",
        cause_detail=closed.detail if closed else "",
        user=opened.user if opened else "",
        machine=opened.machine if opened else "",
        stages=stages,
        parameters=dict(opened.parameters) if opened else {},
        targets=opened.targets if opened else (),
        excludes=opened.excludes if opened else (),
        script=opened.script if opened else "",
        left=closed.left if closed else (),
    )


def is_open(records: Sequence[Record]) -> bool:
    """Whether the last that was written of a run's own life is that it began, or that it went on."""
    return isinstance(next((item for item in reversed(records) if isinstance(item, Opened | Closed)), None), Opened)


def _told(changes: Sequence[ChangeHistory]) -> tuple[ChangeHistory, ...]:
    """The changes without those that were not begun, and were come to later."""
    last = {_which(change): place for place, change in enumerate(changes)}
    return tuple(
        change for place, change in enumerate(changes) if change.result != "not begun" or last[_which(change)] == place
    )  # fmt: skip


def _which(change: ChangeHistory) -> tuple[str, str, str]:
    return change.address, change.action, change.undoes


def _ended(change: ChangeHistory, record: Succeeded | Failed) -> ChangeHistory:
    if isinstance(record, Failed) and record.unbegun:
        return msgspec.structs.replace(change, result="not begun", seconds=record.seconds, detail=record.detail)
    if isinstance(record, Failed):
        return msgspec.structs.replace(
            change, result="failed", attempts=record.attempts, seconds=record.seconds, code=record.code,
            detail=record.detail or record.summary,
        )  # fmt: skip
    result = "unchanged" if record.unchanged else "done"
    return msgspec.structs.replace(change, result=result, attempts=record.attempts, seconds=record.seconds)


def _is_aside(record: Noted, made: Mapping[str, int]) -> bool:
    """Whether a note is not worth telling: nor is that what was gone is forgotten, where the run has made it again."""
    if record.what == "forgotten":
        return record.generation < made.get(record.address, 0)
    return record.what in ("refreshed", "skipped")


def _noted(record: Noted) -> ChangeHistory:
    if record.what == "checked":
        return ChangeHistory(
            address=record.address, action="check", result="done" if record.ok else "failed", attempts=record.attempts,
            seconds=record.seconds, code="" if record.ok else "check_failed", detail=record.detail,
        )  # fmt: skip
    return ChangeHistory(address=record.address, action=record.what, result="done")
