"""Drives one run: takes the lease, opens the journal, performs, and tells what happened."""

from __future__ import annotations

import platform
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from purvey._apply.expected import require_expected
from purvey._apply.parts import Parts
from purvey._apply.perform import Write
from purvey._apply.redacting import cleaned
from purvey._apply.request import Approve, AwaitsApproval, Request
from purvey._apply.run import Run
from purvey._base.clock import ulid
from purvey._base.event import Message, Result, RunEnded, RunStarted
from purvey._base.version import VERSION
from purvey._graph import Selection
from purvey._plan.approval import approval, beyond
from purvey._plan.effects import effects, is_undone
from purvey._plan.guard import refuse_all_final, refuse_losses
from purvey._script.load import load_archived
from purvey._script.parameters import Given
from purvey._session import recorded
from purvey._session.loop import run_with
from purvey._session.pruning import prune_empty
from purvey._session.settings import least
from purvey._session.workshop import make_parts, open_store, user_name
from purvey._state.check import violations
from purvey._state.history import RunHistory, history, is_open
from purvey._state.record import Begun, Closed, Failed, Opened, Record, Succeeded, Undoing
from purvey._state.state import State
from purvey._state.store import UNFINISHED
from purvey.errors import InternalError, PurveyError, StateError, StoppedWaiting, together

if TYPE_CHECKING:
    from purvey._apply.executor import Stop
    from purvey._base.clock import Clock
    from purvey._base.event import Observer
    from purvey._plan.guard import OnFinal
    from purvey._plan.plan import Plan
    from purvey._session.settings import EnvironmentSettings, Settings
    from purvey._state.journal import Journal
    from purvey._state.lease import HeldLease
    from purvey._state.store import RunRow, Store

T = TypeVar("T")


class Drive:
    """One verb that changes the world or the record, on one stack.

    Args:
        settings: The project's settings.
        stack: ``name/environment``.
        root: The script's folder.
        clock: Time and chance.
        observer: Sees every event.
        stop: Asked by Ctrl-C.
    """

    def __init__(self, settings: Settings, stack: str, root: Path, *, clock: Clock, observer: Observer, stop: Stop) -> None:
        self.settings = settings
        self.stack = stack
        self.root = root
        self.clock = clock
        self.observer = observer
        self.stop = stop

    def apply(self, request: Request, approve: Approve, *, wait: bool) -> RunHistory:
        """A new run; an unfinished one before it is superseded."""
        archive = request.script.files() if request.script is not None else {}
        store = self.store()

        async def work(run: Run) -> Closed:
            """What the run does under the lease."""
            return await run.apply()

        def opened() -> Sequence[Record]:
            """What the run begins with; who reads a stack is asked when it is the turn of its destruction."""
            if request.script is None:
                recorded.refuse_read_by_others(store, self.stack)
            return (self._opened(request),)

        return self.held(store, ulid(self.clock), opened, request, approve, work, wait=wait, archive=archive)

    def resume(
        self, store: Store, run: str, approve: Approve, nonce: str, parallel: int | None, *, wait: bool, final: OnFinal
    ) -> RunHistory:  # fmt: skip
        """Go on with an unfinished run."""
        row = self._unfinished(store, run)
        first = next(record for record in store.records(row.id) if isinstance(record, Opened))
        request = self._request_of(store, row, first, nonce, parallel)
        request = msgspec.structs.replace(request, final=self._final(first, final))

        async def work(run: Run) -> Closed:
            """What the run does under the lease."""
            undoing = next((record for record in reversed(run.records()) if isinstance(record, Undoing)), None)
            if undoing is None or is_undone(run.records(), undoing.only):
                return await run.apply()
            return await run.go_on_undoing(undoing.cause, undoing.address, undoing.detail, undoing.only)

        def again() -> Sequence[Record]:
            """The run is open again, unless whoever held the lease in the meantime has ended or superseded it."""
            self._unfinished(store, row.id)
            return (msgspec.structs.replace(first, at=self.clock.now()),)

        return self.held(store, row.id, again, request, approve, work, wait=wait)

    def undo(
        self, store: Store, row: RunRow, approve: Approve, parallel: int | None, *, wait: bool, only: Sequence[str] = (),
        final: OnFinal,
    ) -> RunHistory:  # fmt: skip
        """Take back a run that has ended, or what it did to some addresses.

        Nobody holds the lease while somebody reads the plan. So it is made again once the lease is held and nothing is in
        doubt, and who approved it is asked again if it has become more; only then is anything written down.
        """
        plan = recorded.undo_plan_of(store, row, only)
        _refuse_superseded(row)
        first = next(record for record in store.records(row.id) if isinstance(record, Opened))
        if row.result == "succeeded":  # Any other has something to settle or to close, even where nothing comes back.
            refuse_all_final(plan)
        self._guard_undo(store, row.id, plan, final)
        if plan.operations and approve(plan) is None:
            raise AwaitsApproval(plan)
        given = [approval(plan, self.clock.now(), "")]
        cause = "undone by request"
        request = Request(
            verb="undo", env=self._env(), parallel=parallel or self.settings.parallel_in(self._env()), expect=self._own.expect
        )  # fmt: skip

        async def work(run: Run) -> Closed:
            """What the run does under the lease."""
            return await run.go_on_undoing(cause, only=only, agree=agreed)

        def agreed() -> Sequence[Record]:
            """What an undo begins with that does what was approved, or less."""
            _refuse_superseded(store.run(row.id))
            plan = recorded.undo_plan_of(store, row, only)
            if beyond(plan, given):
                refuse_losses(plan.losses, self._final(None, final))
                if approve(plan) is None:
                    raise AwaitsApproval(plan)
            now = self.clock.now()
            return (msgspec.structs.replace(first, at=now), Undoing(at=now, cause=cause, only=tuple(only)))

        return self.held(store, row.id, tuple, request, approve, work, wait=wait)

    def _guard_undo(self, store: Store, run: str, plan: Plan, final: OnFinal) -> None:
        """Ask the guards before anything is written down, so that a run whose undo they refuse stays as it was."""
        touched = [effect.begun.node for effect in effects(store.records(run))]
        parts = self.parts(store, "", store.load(self.stack))
        work = require_expected(parts, self._own.expect, touched)
        together(lambda: run_with(parts, work), lambda: refuse_losses(plan.losses, self._final(None, final)))

    @property
    def _own(self) -> EnvironmentSettings:
        """What the stack's environment says."""
        return self.settings.environment(self._env())

    def held(
        self, store: Store, run_id: str, opened: Callable[[], Sequence[Record]], request: Request, approve: Approve,
        work: Callable[[Run], Awaitable[Closed]], *, wait: bool = False, archive: Mapping[str, bytes] | None = None,
    ) -> RunHistory:  # fmt: skip
        """Hold the lease, write the first records, work, and tell the story."""
        with closing(store), self._hold(store, run_id, wait=wait) as lease:
            if archive:
                store.archive(run_id, dict(archive))
            state = store.load(self.stack)
            _require_sound(state)
            journal = store.open_journal(self.stack, run_id, lease.fence, since=store.moment().sequence)
            before = store.unfinished(self.stack)
            journal.write_now(*opened())
            parts = self.parts(store, run_id, state)
            parts.guard = lease.check
            parts.hosts.fence = lease.fence
            parts.former = lease.former
            self._tell(RunStarted(at=self.clock.now(), run=run_id, stack=self.stack, verb=request.verb))

            def write_of(run: str) -> Write:
                """How records of a run are made durable, as long as the lease is ours: every effect begins with one."""
                its = journal if run == run_id else store.open_journal(self.stack, run, lease.fence)

                async def write(*records: Record) -> None:
                    """Make records durable."""
                    if records:
                        lease.check()
                        await its.write(*(cleaned(record, parts.redactor) for record in records))

                return write

            run = Run(
                parts, request, write=write_of(run_id), write_of=write_of, fence=lease.fence, stop=self.stop, approve=approve,
                others=recorded.outputs_of(store), records=lambda: store.records(run_id),
                tags=lambda: store.tags(self.stack), supersede=partial(self._supersede, store, before, run_id, lease.fence),
                later=lambda: store.later(run_id),
            )  # fmt: skip
            started = self.clock.monotonic()
            closed = self._work(run, work, journal)
            prune_empty(parts.folder)
            result: Result = closed.result  # type: ignore[assignment]
            self._tell(RunEnded(at=self.clock.now(), run=run_id, result=result, seconds=self.clock.monotonic() - started))
            return history(run_id, self.stack, store.records(run_id))

    @contextmanager
    def _hold(self, store: Store, run_id: str, *, wait: bool) -> Iterator[HeldLease]:
        """The stack's lease; whoever has to queue for it is told so once."""
        with ExitStack() as held:
            try:
                lease = held.enter_context(store.hold(self.stack, run_id))
            except StateError as error:
                if not wait or error.code != "state.busy":
                    raise
                text = f"Waiting for the stack, as --wait says. {error.detail}"
                self._tell(Message(at=self.clock.now(), run=run_id, level="info", text=text))
                try:
                    lease = held.enter_context(store.hold(self.stack, run_id, wait=True, give_up=self.stop.is_asked))
                except StateError as still:
                    if still.code != "state.busy":
                        raise
                    raise StoppedWaiting(
                        "state.stopped_waiting",
                        "Waiting for the stack was stopped, and nothing was begun",
                        detail=still.detail,
                        hint="Repeat the command to wait again.",
                    ) from None
            yield lease

    def _work(self, run: Run, work: Callable[[Run], Awaitable[Closed]], journal: Journal) -> Closed:
        """Run to the end; one that an error stops is closed as refused, or as kept when it had effects already.

        An undo that is stopped before it begins leaves its run as it ended.
        """
        try:
            return run_with(run.parts, work(run))
        except AwaitsApproval:
            if is_open(run.records()):
                journal.write_now(Closed(at=self.clock.now(), result="parked", cause="awaits approval"))
            raise
        except InternalError:
            raise
        except PurveyError as error:
            if not isinstance(error, StateError):  # Those tell of the store or the lease themselves.
                run.parts.guard()  # Without the lease, what it has found may be its follower's doing, and says nothing.
            records = run.records()
            begun = any(isinstance(record, Begun) for record in records)
            result = "kept" if begun or effects(records) else "refused"
            closed = Closed(at=self.clock.now(), result=result, cause=error.summary, detail=error.detail)
            if is_open(records):
                journal.write_now(cleaned(closed, run.parts.redactor))
            raise

    def parts(self, store: Store, run_id: str, state: State) -> Parts:
        """The tools of one run."""
        return make_parts(
            stack=self.stack, run=run_id, state=state, store=store, settings=self.settings, root=self.root, clock=self.clock,
            observer=self.observer,
        )  # fmt: skip

    def store(self) -> Store:
        """The project's store, made if there is none."""
        store = open_store(self.settings, self.clock, create=False)
        if store is None:
            store = open_store(self.settings, self.clock, create=True)
            assert store is not None  # create=True
            self._tell(Message(at=self.clock.now(), run="", level="info", text=f"A new store is made in {store.location}."))
        return store

    def note(self, store: Store, work: Callable[[State, float], list[Record]], *, settles: bool = False) -> State:
        """Edit the record under the lease, without touching the world.

        Records that end what another run began (`settles`) become records of that run, in one transaction with the edit's own.
        """
        run_id = ulid(self.clock)
        with closing(store), store.hold(self.stack, run_id, wait=False) as lease:
            own = store.open_journal(self.stack, run_id, lease.fence, since=store.moment().sequence)
            state = store.load(self.stack)
            records = work(state, self.clock.now())
            parts = {run_id: self.edit([] if settles else records)}
            for record in records if settles else ():
                assert isinstance(record, Succeeded | Failed)  # Only these end what was begun.
                begun = state.in_doubt[record.operation].begun
                parts.setdefault(begun.run or run_id, []).append(record)
            journals = {run: store.open_journal(self.stack, run, lease.fence) for run in parts} | {run_id: own}
            store.write_together(*((journals[run], written) for run, written in parts.items()))
            for record in records:
                state.apply(record)
            return state

    def edit(self, records: Sequence[Record]) -> list[Record]:
        """`records` as the whole story of one edit."""
        opened = Opened(at=self.clock.now(), verb="state", purvey=VERSION, user=user_name(), machine=platform.node())
        return [opened, *records, Closed(at=self.clock.now(), result="succeeded")]

    def _supersede(self, store: Store, rows: Sequence[RunRow], run_id: str, fence: int) -> None:
        """Mark every unfinished run but this one: they can then be neither resumed nor undone."""
        for row in rows:
            if row.id != run_id:
                store.open_journal(self.stack, row.id, fence).write_now(Closed(at=self.clock.now(), result="superseded"))

    def _unfinished(self, store: Store, run: str) -> RunRow:
        row = store.run(run) if run else next(iter([*store.unfinished(self.stack), *store.runs(self.stack, 1)]), None)
        if row is None or not (row.result in UNFINISHED or _is_half_undone(store, row)):
            raise StateError(
                "state.nothing_to_resume",
                "There is nothing to resume",
                detail=f"Run {row.id} ended {row.result}." if row is not None else f"No run of {self.stack} is unfinished.",
                hint="`purvey runs` shows how each run ended; `purvey apply` begins a new one.",
            )
        return row

    def _request_of(self, store: Store, row: RunRow, first: Opened, nonce: str, parallel: int | None) -> Request:
        """The request of an earlier run, with the archived copy of its script."""
        archive = store.archived(row.id)
        script = load_archived(Path(first.script), first.function, archive) if archive else None
        if script is not None:
            self.root = script.root
        given = {name: Given(item["value"], item["origin"]) for name, item in first.parameters.items()}
        own = self._own
        return Request(
            verb=first.verb, script=script, given=given, env=self._env(), nonce=nonce, on_failure=first.on_failure,  # type: ignore[arg-type]
            selection=Selection(first.targets, first.excludes), deletes_max=least(own.max_deletes, first.deletes_max),
            standing=first.standing,
            parallel=parallel or self.settings.parallel_in(self._env()), expect=own.expect,
        )  # fmt: skip

    def _opened(self, request: Request) -> Opened:
        script = request.script
        given = script.concerning(request.given) if script is not None else request.given
        return Opened(
            at=self.clock.now(), verb=request.verb, script=str(script.path) if script else "",
            function=script.stack.name if script else "",
            parameters={name: {"value": item.value, "origin": item.origin} for name, item in given.items()},
            on_failure=request.on_failure, purvey=VERSION, targets=request.selection.targets,
            excludes=request.selection.excludes, user=user_name(), machine=platform.node(), standing=request.standing,
            deletes_max=request.deletes_max, allow_final=request.final == "allow",
        )  # fmt: skip

    def _final(self, first: Opened | None, asked: OnFinal) -> OnFinal:
        """Whether data may be lost: as it is asked now, as the environment says, or as the run was allowed from the start."""
        allowed = self._own.allow_final or (first is not None and first.allow_final)
        return "allow" if allowed else asked

    def _env(self) -> str:
        return self.stack.rpartition("/")[2]

    def _tell(self, event: Any) -> None:
        self.observer.on(event)


def _is_half_undone(store: Store, row: RunRow) -> bool:
    """Whether a run ended partial in the middle of taking itself back, so that a resume tries the rest again."""
    return row.result == "partial" and any(isinstance(record, Undoing) for record in store.records(row.id))


def _refuse_superseded(row: RunRow) -> None:
    if row.result == "superseded":
        raise StateError("state.superseded", "A later run took over what this run left", hint="Undo the later run instead.")


def _require_sound(state: State) -> None:
    found = violations(state)
    if found:
        raise StateError(
            "state.unsound",
            "The record contradicts itself",
            detail="\n".join(found),
            hint="Keep the store as it is. `purvey state list` still works; this is a bug in purvey.",
        )
