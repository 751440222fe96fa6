"""Performs one operation and records it, as one unit: no path has the effect and skips the record.

For every effect: decide again with what is known now (it may shrink, never grow), write `Begun` and wait until it is on disk,
call the provider, write `Succeeded` or `Failed`. Nothing that depends on the operation starts before its end is on disk.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from copy import copy
from functools import cached_property, partial
from typing import Any

import msgspec

from purvey._apply import check, make, remove, take_back
from purvey._apply.attempt import Attempts, Job, Parked
from purvey._apply.batch import Batch
from purvey._apply.call import EngineCall
from purvey._apply.executor import Stop
from purvey._apply.outcome import as_provider_error
from purvey._apply.parts import Parts
from purvey._apply.redacting import clean_error
from purvey._apply.seek import until_known
from purvey._apply.values import sealed_copies
from purvey._base.clock import ulid
from purvey._base.event import OperationEnded, OperationProgress, OperationStarted
from purvey._base.limits import CALL_DEADLINE_S, OPERATION_TIMEOUT_S
from purvey._base.value import Value, resolve
from purvey._graph import Node
from purvey._plan.decision import said
from purvey._plan.effects import Effect
from purvey._plan.guard import refuse_outside
from purvey._plan.plan import Operation, Plan
from purvey._state.ahead import Ahead
from purvey._state.contents import gone_with
from purvey._state.record import Begun, Failed, Identified, Record, Succeeded
from purvey._state.resource import ResourceState
from purvey.errors import ProviderError, ScriptError, StateError
from purvey.providers import Absent, Done, Kind, NotKnownError

Write = Callable[..., Awaitable[None]]


class Failure(msgspec.Struct, frozen=True):
    """Why an operation failed."""

    address: str
    code: str
    summary: str
    detail: str
    hint: str = ""
    verb: str = ""


class Performer:
    """Performs the operations of one plan.

    Args:
        parts: The run's tools; its state is kept up to date with every record.
        plan: The plan.
        write: Makes records durable.
        stop: Ends waits.
        fence: The lease's fencing number.
    """

    def __init__(self, parts: Parts, plan: Plan, write: Write, stop: Stop, fence: int) -> None:
        self.parts = parts
        self.plan = plan
        self.stop = stop
        self.fence = fence
        self.failures: list[Failure] = []
        self.parked: list[tuple[str, str]] = []
        self.interrupted = False
        self.cancelled: set[str] = set()
        self.undone: Mapping[str, Effect] = {}
        self.conflicts: Counter[str] = Counter()
        self.lost: dict[Any, tuple[float, ProviderError]] = {}
        self.doubtful = {doubt.begun.node.where for doubt in parts.state.in_doubt.values()}
        self._told: dict[str, Operation] = {}
        self._state = parts.state
        self._write = write
        self._final = {item.id for item in plan.deletions}
        self._operations = {item.id: item for item in (*plan.operations, *plan.deletions)}

    async def perform(self, operation_id: str) -> bool:
        """Perform one operation of the plan; False when it failed or parked."""
        operation = self._operations[operation_id]
        if operation_id in self.cancelled:
            return True
        started = self.parts.clock.monotonic()
        self.tell_started(operation)
        attempts = self._attempts(operation, started)
        try:
            result = await self._verb(operation, attempts)
        except Parked as parked:
            self.park(operation, parked, started, attempts.count)
            return False
        except (ProviderError, ScriptError, NotKnownError, StateError) as raised:
            self.fail(operation, raised, started, attempts.count)
            return False
        self.tell_ended(operation, result, started, attempts.count)
        return True

    async def perform_together(self, operation_ids: Sequence[str]) -> Mapping[str, bool]:
        """Perform operations on one machine, as many of them as can be decided now; see `Lanes.work`."""
        return await Batch(self, [self._operations[item] for item in operation_ids]).perform()

    def lane(self, operation_id: str) -> str:
        """The machine on which an operation goes together with others; empty for one that goes by itself."""
        operation = self._operations[operation_id]
        if operation.verb in ("check", "forget") or operation_id in self.cancelled:
            return ""
        at: Node | ResourceState | None = self.plan.nodes.get(operation.address)
        if operation.verb in ("delete", "undo") or at is None:
            at = self.parts.state.resources.get((operation.address, operation.generation))
        return at.where if at is not None and at.how is not None else ""

    def looking(self, ahead: Ahead) -> Performer:
        """This one, deciding from the state as it will be; what it records is recorded of the state as it is."""
        twin = copy(self)
        twin.parts = copy(self.parts)
        twin.parts.state = ahead
        return twin

    def fail(self, operation: Operation, raised: Exception, started: float, attempts: int) -> None:
        """Note that an operation failed, and tell it."""
        error = clean_error(as_provider_error(raised), self.parts.redactor)
        self.failures.append(Failure(operation.address, error.code, error.summary, error.detail, error.hint, operation.verb))
        self.tell_ended(operation, "failed", started, attempts, code=error.code, detail=error.detail or error.summary)

    def park(self, operation: Operation, parked: Parked, started: float, attempts: int) -> None:
        """Note that an operation is still pending, and tell it."""
        self.parked.append((operation.address, parked.progress))
        self.interrupted = self.interrupted or parked.interrupted
        self.tell_ended(operation, "parked", started, attempts, detail=parked.progress)

    async def _verb(self, operation: Operation, attempts: Attempts) -> str:
        if operation.verb == "create":
            return await make.create(self, operation, attempts)
        if operation.verb == "update":
            return await make.update(self, operation, attempts)
        if operation.verb == "adopt":
            return await make.adopt(self, operation, attempts)
        if operation.verb == "check":
            return await check.check(self, operation, attempts)
        if operation.verb == "undo":
            return await take_back.take_back(self, operation, attempts)
        if operation.verb == "delete":
            return await remove.delete(self, operation, attempts)
        return await remove.forget(self, operation)

    @cached_property
    def deleted(self) -> set[tuple[str, int]]:
        """The objects that the plan deletes, or takes back with a deletion."""
        undone = self.undone
        return {
            (item.address, item.generation)
            for item in self._operations.values()
            if item.verb == "delete" or (item.verb == "undo" and undone[item.undoes].begun.verb == "create")
        }

    def cancel_removal(self, record: ResourceState) -> None:
        """The object stays: its planned removal is not performed."""
        self.cancelled |= {
            item.id for item in self.plan.deletions if (item.address, item.generation) == (record.address, record.generation)
        }

    async def record(self, *records: Record) -> None:
        """Make records durable, then let the state follow."""
        await self._write(*records)
        for record in records:
            self._state.apply(record)

    async def restate(self) -> None:
        """Let the records of objects that stay as they are say what their declarations say."""
        latest = self.parts.state.latest
        nodes = [(self.plan.nodes[address], latest(address)) for address in self.plan.restated]
        await self.record(*(make.refreshed(self, node, prior) for node, prior in nodes if prior is not None))

    # What all effects share.

    async def effect(
        self, operation: Operation, verb: str, wanted: ResourceState, prior: ResourceState | None, kind: Kind,
        attempts: Attempts, act: Callable[[EngineCall], Awaitable[Any]], want: Any, *, undone: Begun | None = None,
    ) -> ResourceState | None:  # fmt: skip
        """Begin, act, record: the only place where purvey changes the world.

        Returns:
            The object's new record; None after a removal.

        Raises:
            InternalError: if the approved plan does not say so.
        """
        begun = self.begin(operation, verb, wanted, prior, undone=undone)
        await self.record(begun)
        return await self.finish(begun, kind, attempts, act, want)

    def begin(
        self, operation: Operation, verb: str, wanted: ResourceState, prior: ResourceState | None, *,
        undone: Begun | None = None, token: str = "",
    ) -> Begun:  # fmt: skip
        """The begin of an operation, for the journal.

        Raises:
            InternalError: if the approved plan does not say so.
        """
        planned = self._operations.get(operation.id) if operation.id not in self.cancelled else None
        refuse_outside(planned, operation, verb, wanted)
        generation = wanted.generation if verb == "update" else operation.generation
        return Begun(
            at=self._now(), operation=ulid(self.parts.clock), address=operation.address, generation=generation,
            verb=verb, token=token or self.parts.clock.entropy(16).hex(), node=wanted, prior=prior,
            undoes=undone.operation if undone else "", undoes_token=undone.token if undone else "",
            undoes_verb=undone.verb if undone else "", final=operation.id in self._final, fence=self.fence,
            timeout_s=self._own_timeout_s(operation.address) or 0.0, run=self.parts.run,
        )  # fmt: skip

    async def finish(
        self, begun: Begun, kind: Kind, attempts: Attempts, act: Callable[[EngineCall], Awaitable[Any]], want: Any,
        *, object_id: str = "",
    ) -> ResourceState | None:  # fmt: skip
        """Act for an operation whose begin is on disk, and record its end; recovery begins here too."""

        async def identify(object_id: str) -> None:
            """Write the id down before any waiting."""
            await self.record(Identified(at=self._now(), operation=begun.operation, id=object_id))

        call = self.parts.call(
            begun.address, begun.node.name, begun.node, object_id=object_id or begun.node.id, token=begun.token,
            undoes=begun.undoes_token, identify=identify, **({"run": begun.node.run} if begun.makes else {}),
        )  # fmt: skip
        try:
            done = await until_known(self, begun, kind, attempts, partial(act, call), call, want)
        except Parked:
            self.doubtful.add(begun.node.where)
            if attempts.called_at is not None:
                self.parts.unanswered[begun.operation] = attempts.called_at
            raise
        except ProviderError as error:
            self.clean(error)
            # A machine knows each step by its token, so that its answer is that to all attempts.
            answered = not error.may_exist and (attempts.called_at is None or kind.provider.on_hosts)
            made = begun.makes and bool(call.id)  # It was identified, so it is there, whatever the error thinks.
            error.may_exist = error.may_exist or made
            if error.may_exist:
                self.doubtful.add(begun.node.where)
            failed = self.failure(begun, error, attempts.number, attempts.job.started)
            await self.record(msgspec.structs.replace(failed, answered=answered and error.may_exist))
            raise
        return await self.succeeded(begun, kind, done, call, attempts.number, attempts.job.started)

    async def succeeded(
        self, begun: Begun, kind: Kind, done: Done | None, call: EngineCall, attempts: int, started: float
    ) -> ResourceState | None:  # fmt: skip
        """Record that an operation had its effect, and what went with it."""
        record = self._made(begun, kind, done, call)
        await self.record(
            *gone_with(self.parts.state, begun, self._now(), lambda item: self.parts.kinds.get(item.kind).delete_first),
            Succeeded(
                at=self._now(), operation=begun.operation, address=begun.address, generation=begun.generation, state=record,
                attempts=attempts, seconds=round(self.parts.clock.monotonic() - started, 3),
            )
        )  # fmt: skip
        return record

    def _made(self, begun: Begun, kind: Kind, done: Done | None, call: EngineCall) -> ResourceState | None:
        """The record of the object after the effect; None where it is gone."""
        if begun.verb == "delete" or (begun.verb == "undo" and begun.prior is None):
            return None
        assert not isinstance(done, Absent)  # Only reads answer Absent.
        object_id = done.id if done is not None else call.id
        base = begun.prior if begun.verb == "undo" and begun.prior is not None else begun.node
        outputs = self.outputs(kind, done) if done is not None else base.outputs
        run = base.run if begun.verb == "undo" else begun.run or self.parts.run  # What was taken back is the earlier run's.
        made_at = self._now() if begun.makes else base.made_at
        return msgspec.structs.replace(base, id=object_id, outputs=outputs, run=run, made_at=made_at)

    def outputs(self, kind: Kind, done: Done | None) -> dict[str, Value]:
        """The outputs as they may come to rest: secrets sealed."""
        return self.parts.at_rest(kind, done.outputs) if done is not None else {}

    def clean(self, error: ProviderError) -> None:
        """Mask every secret of the run in what an error says."""
        clean_error(error, self.parts.redactor)

    def failure(self, begun: Begun, error: ProviderError, attempts: int, started: float) -> Failed:
        """The record of an operation that failed; with `may_exist`, it stays in doubt."""
        return Failed(
            at=self._now(), operation=begun.operation, address=begun.address, generation=begun.generation, code=error.code,
            summary=error.summary, detail=error.detail, may_exist=error.may_exist, attempts=attempts,
            seconds=round(self.parts.clock.monotonic() - started, 3),
        )  # fmt: skip

    def wanted(self, node: Node, kind: Kind, values: dict[str, Value], generation: int, name: str) -> ResourceState:
        """What the record will hold of a node's object, but for its id and outputs."""
        inputs = values
        if kind.secrets:
            inputs = sealed_copies(self.parts.masked_inputs(node), values, self.parts.sealer)
        options = node.options
        before = self.parts.state.latest(node.address)
        former = before or self.parts.state.latest(options.moved_from)  # What guarded a lost object guards the new one.
        return ResourceState(
            address=node.address, kind=node.kind, generation=generation, id="", name=name, inputs=inputs, digest=node.digest,
            home=before.home if before is not None else "",
            needs=node.needs, behind=node.behind, container=node.container, where=node.where,
            how=self.parts.how_at_rest(node.how), way=node.way, machine=self.parts.machine(node.how), source=node.source,
            protect=said(options.protect, recorded=former is not None and former.protect),
            retain=said(options.retain, recorded=former is not None and former.retain),
            version=kind.version, run=self.parts.run, ignore=options.ignore,
            replace_when=resolve(options.replace_when, self.parts.masked_link, self.parts.mask),
            follows=self._generations(node.needs if kind.provider.follows else (node.container,)),
        )  # fmt: skip

    def _generations(self, needs: Iterable[str]) -> dict[str, int]:
        records = [self.parts.state.latest(need) for need in needs]
        return {record.address: record.generation for record in records if record is not None}

    def _attempts(self, operation: Operation, started: float) -> Attempts:
        node = self.plan.nodes.get(operation.address)
        record = self.parts.state.latest(operation.address)
        name = node.kind if node is not None else record.kind if record is not None else ""
        kind = self.parts.kinds.get(name) if name else None  # None: a removal that another one has done.
        within = None
        if kind is not None and kind.check and node is not None:
            within = self.parts.masked_inputs(node).get("within_s", kind.default("within_s"))
        own = self._own_timeout_s(operation.address)
        return self.attempts(operation.id, operation.address, kind, own_s=own, limit_s=within or None, started=started)

    def attempts(
        self, operation: str, address: str, kind: Kind | None, *, own_s: float | None, started: float,
        limit_s: float | None = None,
    ) -> Attempts:  # fmt: skip
        """The attempts of one operation.

        Args:
            operation: Its id, for events.
            address: Its node.
            kind: Its kind; None where nothing is there to be called.
            own_s: The node's own time; then, or for a kind of long calls, one call may take all of it.
            started: When it began, on the monotonic clock.
            limit_s: How long it may stay pending, where that is not the node's own time.
        """
        limit = limit_s or own_s or OPERATION_TIMEOUT_S
        is_long = bool(own_s) or (kind is not None and kind.provider.long_calls)
        job = Job(
            run=self.parts.run, operation=operation, address=address, timeout_s=limit, started=started,
            deadline_s=max(CALL_DEADLINE_S, limit) if is_long else CALL_DEADLINE_S,
            lands_within_s=kind.provider.lands_within_s if kind is not None else 0.0,
            seen_within_s=kind.provider.seen_within_s if kind is not None else 0.0,
        )  # fmt: skip
        return Attempts(job, self.parts.clock, self.parts.observer, self.stop, self.parts.guard)

    def _own_timeout_s(self, address: str) -> float | None:
        node = self.plan.nodes.get(address)
        return node.options.timeout_s if node is not None else None

    def _now(self) -> float:
        return self.parts.clock.now()

    def tell_started(self, operation: Operation) -> None:
        """Tell that an operation begins, once until its end."""
        if operation.id not in self._told:
            self._told[operation.id] = operation
            self.parts.tell(
                OperationStarted(
                    at=self._now(), run=self.parts.run, operation=operation.id, address=operation.address, verb=operation.verb
                )
            )

    def tell_progress(self, operation: Operation, text: str) -> None:
        """Tell what an operation does now."""
        self.parts.tell(
            OperationProgress(
                at=self._now(), run=self.parts.run, operation=operation.id, address=operation.address, text=text, again_s=0.0
            )
        )

    def tell_ended(
        self, operation: Operation, result: str, started: float, attempts: int, code: str = "", detail: str = ""
    ) -> None:
        """Tell how an operation ended; whoever was not told of its begin is told of that first."""
        self.tell_started(operation)
        del self._told[operation.id]
        self.parts.tell(
            OperationEnded(
                at=self._now(), run=self.parts.run, operation=operation.id, address=operation.address, verb=operation.verb,
                result=result, seconds=self.parts.clock.monotonic() - started, attempts=attempts, code=code, detail=detail,
            )
        )  # fmt: skip

    def tell_rest(self) -> None:
        """Tell of what was about to begin, and did not, because the execution is over."""
        for operation in tuple(self._told.values()):
            self.tell_ended(operation, "skipped", self.parts.clock.monotonic(), 1)
