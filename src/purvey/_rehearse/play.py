"""One rehearsal run: the real engine, on a copy of the record, with kinds that act in memory; it fails where it is told to."""

from __future__ import annotations

import asyncio
import io
import shutil
from collections.abc import Mapping, Sequence
from contextlib import closing, redirect_stdout
from pathlib import Path
from typing import Any

import msgspec

from purvey._apply.executor import Stop
from purvey._apply.knowledge import OtherStacks
from purvey._apply.parts import Parts
from purvey._apply.perform import Failure, Performer
from purvey._apply.redacting import cleaned
from purvey._apply.request import Request
from purvey._apply.run import Run
from purvey._base.clock import ulid
from purvey._base.event import Event
from purvey._base.limits import PARALLEL_DEFAULT
from purvey._graph import Node
from purvey._plan.effects import effects
from purvey._plan.plan import Operation, Plan
from purvey._plan.undo import undo_plan
from purvey._rehearse.kinds import SimulatedKinds, Stage, claims_of
from purvey._rehearse.order import Undone, undone
from purvey._rehearse.world import Thing, World, traits_of
from purvey._state.record import Closed, LookedUp, Noted, Opened, Record
from purvey._state.resource import ResourceState
from purvey._state.sqlite.open import open_sqlite
from purvey._state.state import State
from purvey._state.store import Store
from purvey.errors import InternalError, PurveyError
from purvey.providers import Absent, Observed, Registry

CAUSE = "The rehearsal fails here"


class Trouble(msgspec.Struct, frozen=True):
    """An operation that failed by itself; `undoing` says whether it was one of the undo."""

    address: str
    summary: str
    detail: str
    hint: str
    undoing: bool

    @classmethod
    def of(cls, failure: Failure, *, undoing: bool) -> Trouble:
        """From what a performer noted."""
        return cls(failure.address, failure.summary, failure.detail, failure.hint, undoing)


class Start(msgspec.Struct, frozen=True):
    """Where every rehearsal run starts from.

    Attributes:
        parts: The tools of a run on the real stack; nothing is done with them but reading secrets.
        request: What is asked, with everything that was looked up.
        state: What is recorded.
        seen: What was observed of it.
        found: What was found under the identity of new nodes, by full address.
        others: The outputs of other stacks.
        key: The store's key.
        folder: A private folder for the copies of the record.
    """

    parts: Parts
    request: Request
    state: State
    seen: Mapping[tuple[str, int], Observed]
    found: Mapping[str, Observed]
    others: OtherStacks
    key: bytes
    folder: Path


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """How one rehearsal run went.

    Attributes:
        operations: What was performed before the run failed, in order, each with its stage.
        closed: The run's end; None where an error ended it.
        error: The error that ended it.
        failures: What failed by itself: in the run, or in its undo.
        undo: The plan of the undo; None if there was none.
        undone: What it had to take back.
        state: What is recorded at the end.
        world: What exists at the end.
        nodes: What was declared, by address.
        deletions: What comes last, and no undo takes back.
        records: What the run wrote.
        kinds: The simulated kinds.
    """

    operations: tuple[tuple[int, Operation], ...]
    closed: Closed | None
    error: PurveyError | None
    failures: tuple[Trouble, ...]
    undo: Plan | None
    undone: tuple[Undone, ...]
    state: State
    world: World
    nodes: Mapping[str, Node]
    deletions: tuple[Operation, ...]
    records: tuple[Record, ...]
    kinds: Registry


class Keys:
    """The one key that the copies of the record have; it is written nowhere."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def make(self, estate: str) -> bytes:
        """See `purvey._state.store.Keys`."""
        return self._key

    def find(self, estate: str) -> tuple[bytes, ...]:
        """See `purvey._state.store.Keys`."""
        return (self._key,)

    def place(self, estate: str) -> str:
        """See `purvey._state.store.Keys`."""
        return "the memory of this process"


def seed(start: Start) -> Path:
    """Write the record that every run starts from, and return its file."""
    path = start.folder / "seed" / "state.db"
    clock, stack = start.parts.clock, start.parts.stack
    with closing(open_sqlite(path, keys=Keys(start.key), clock=clock)) as store:
        run = ulid(clock)
        with store.hold(stack, run) as lease:
            now = clock.now()
            records: list[Record] = [Opened(at=now, verb="state")]
            records += [
                Noted(at=now, what="forgotten", address=address, generation=generation)
                for address, generation in start.state.generations.items()
            ]
            records += [
                Noted(at=now, what="refreshed", address=item.address, generation=item.generation, state=item)
                for item in start.state.resources.values()
            ]
            store.open_journal(stack, run, lease.fence).write_now(*records, Closed(at=now, result="succeeded"))
    return path


def play(start: Start, seeded: Path, fail_after: int) -> Played:
    """Run the engine on a copy of the record.

    Args:
        start: Where it starts from.
        seeded: What `seed` wrote.
        fail_after: After how many operations the run fails; 0 for a run that does not.
    """
    folder = start.folder / f"run-{fail_after}"
    shutil.copytree(seeded.parent, folder)
    clock = start.parts.clock
    try:
        with closing(open_sqlite(folder / "state.db", keys=Keys(start.key), clock=clock)) as store:
            run_id = ulid(clock)
            with store.hold(start.parts.stack, run_id) as lease:
                return _play(start, store, run_id, lease.fence, fail_after)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _play(start: Start, store: Store, run_id: str, fence: int, fail_after: int) -> Played:
    parts = _parts(start, store, run_id)
    journal = store.open_journal(parts.stack, run_id, fence)
    journal.write_now(Opened(at=parts.clock.now(), verb="apply"))

    async def write(*records: Record) -> None:
        """As a real run: durable, without a secret."""
        await journal.write(*(cleaned(record, parts.redactor) for record in records))

    run = RehearsedRun(
        parts, start.request, write=write, fence=fence, stop=Stop(), approve=lambda _: "the rehearsal", others=start.others,
        records=lambda: store.records(run_id),
    )  # fmt: skip
    run.fail_after = fail_after
    closed, error = _ended(run)
    return Played(
        operations=tuple(run.performed), closed=closed, error=error, failures=tuple(run.failed), undo=run.plan_of_undo,
        undone=tuple(run.undone), state=store.load(parts.stack), world=run.world, nodes=run.nodes,
        deletions=tuple(run.deletions), records=tuple(store.records(run_id)), kinds=parts.kinds,
    )  # fmt: skip


def _ended(run: RehearsedRun) -> tuple[Closed | None, PurveyError | None]:
    """Perform; the script's own prints are for its real runs."""
    found: list[Closed] = []

    async def work() -> None:
        """The whole run, with every way to a machine given up: what was opened on one event loop is of no use on the next."""
        try:
            found.append(await run.apply())
        finally:
            await run.parts.hosts.close()

    try:
        with redirect_stdout(io.StringIO()):
            asyncio.run(work())
    except InternalError:
        raise
    except PurveyError as error:
        return None, error
    return found[0], None


class _Deaf:
    """Sees every event of a rehearsal, and shows none."""

    def on(self, event: Event, /) -> None:
        """Nothing: what happens is not real."""


def _parts(start: Start, store: Store, run_id: str) -> Parts:
    real = start.parts
    state = store.load(real.stack)
    world = World()
    prefix = f"{real.stack}::"
    found = {address.removeprefix(prefix): seen for address, seen in start.found.items()}
    kinds = SimulatedKinds(real.kinds, Stage(real.stack, world, state, found))
    parts = Parts(
        stack=real.stack, run=run_id, state=state, kinds=kinds, hosts=real.hosts, reader=real.reader, sealer=real.sealer,
        clock=real.clock, observer=_Deaf(), folder=start.folder / "objects", estate=real.estate,
    )  # fmt: skip
    parts.asks_machines = False
    for record in state.resources.values():
        kind = real.kinds.get(record.kind)
        seen = start.seen.get((record.address, record.generation))
        if not kind.check and not isinstance(seen, Absent):
            thing = Thing((record.kind, record.name or record.address), record, traits_of(kind), held(parts, record))
            thing.seen = seen
            world.put(thing)
    return parts


def held(parts: Parts, record: ResourceState | None) -> tuple[str, ...]:
    """What a recorded object occupies alone."""
    if record is None:
        return ()
    kind = parts.kinds.get(record.kind)
    return tuple(claims_of(kind, parts.record_view(record))) if kind.claims_anything else ()


class RehearsedRun(Run):
    """A run which fails after so many operations, and remembers what it did.

    Attributes:
        fail_after: After how many; 0 for never.
    """

    fail_after = 0

    def __init__(self, parts: Parts, request: Request, **more: Any) -> None:
        super().__init__(parts, request, **more)
        assert isinstance(parts.kinds, SimulatedKinds)  # `_parts` made them.
        self.world = parts.kinds.stage.world
        self.performed: list[tuple[int, Operation]] = []
        self.failed: list[Trouble] = []
        self.deletions: list[Operation] = []
        self.nodes: dict[str, Node] = {}
        self.plan_of_undo: Plan | None = None
        self.undone: Sequence[Undone] = ()

    def performer(self, plan: Plan, stop: Stop) -> Performer:
        """See `Run.performer`."""
        self.nodes.update(plan.nodes)
        if plan.verb != "undo":
            self.deletions = list(plan.deletions)
        return _FailingPerformer(self, plan, self._write, stop, self._fence)

    async def undo(self, cause: str, address: str = "", detail: str = "", only: Sequence[str] = ()) -> Closed:
        """See `Run.undo`; its plan is kept, for what it says about order."""
        parts = self.parts
        done = effects(self.records())
        self.plan_of_undo = undo_plan(parts.stack, parts.run, done, parts.state, parts.kinds, later=())
        self.undone = undone(self.plan_of_undo, done, lambda record: held(parts, record))
        self.request = msgspec.structs.replace(self.request, parallel=PARALLEL_DEFAULT)  # As many as a real undo has in flight.
        return await super().undo(cause, address, detail, only)


class _FailingPerformer(Performer):
    """Performs, notes, and says that it failed when it is time to."""

    def __init__(self, run: RehearsedRun, plan: Plan, *more: Any) -> None:
        super().__init__(run.parts, plan, *more)
        self._run = run

    async def perform(self, operation_id: str) -> bool:
        """See `Performer.perform`."""
        known = len(self.failures)
        done = await super().perform(operation_id)
        self._run.failed += [Trouble.of(item, undoing=self.plan.verb == "undo") for item in self.failures[known:]]
        if not done or self.plan.verb == "undo" or operation_id in self._final:
            return done
        operation = self._operations[operation_id]
        self._run.performed.append((self.plan.stage, operation))
        if len(self._run.performed) != self._run.fail_after:
            return True
        self.failures.append(Failure(operation.address, "failed", CAUSE, ""))
        return False


def lookups(played: Played) -> dict[str, Any]:
    """What the script looked up, so that no later run asks again."""
    return {record.name: record.value for record in played.records if isinstance(record, LookedUp)}
