"""The whole run on one screen: recover, observe, plan, gate, apply with checks, delete, close.

A staged script loops from planning to the checks once per stage. Whatever happens is in the journal before and after it
happens, so that a run which is killed here goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

import msgspec

from purvey._apply.abandon import abandon, settling_ones
from purvey._apply.attempt import Parked
from purvey._apply.broken import Broken, broken, passed_on
from purvey._apply.carry_out import carry_out, carry_out_undo
from purvey._apply.doubts import passed_over, refuse_entangled, settled_by
from purvey._apply.executor import Either, Stop, Stopped
from purvey._apply.expected import require_expected
from purvey._apply.knowledge import OtherStacks
from purvey._apply.ledger import Ledger, unmade
from purvey._apply.make import noted
from purvey._apply.parts import Parts
from purvey._apply.perform import Performer, Write
from purvey._apply.places import refuse_misplaced
from purvey._apply.policy import Policies, story
from purvey._apply.probe import failing_already, probe
from purvey._apply.recover import settle
from purvey._apply.request import Approve, AwaitsApproval, Request, StagePlan
from purvey._apply.stage import observed, prepare
from purvey._apply.unbegun import without_unbegun
from purvey._base.event import Message, PhaseStarted
from purvey._base.limits import STAGES_MAX
from purvey._base.value import resolve, thaw
from purvey._gate.expected import refuse_strangers
from purvey._gate.notes import notes
from purvey._gate.preflight import refuse
from purvey._gate.tags import refuse_tagged
from purvey._graph import Graph
from purvey._plan.approval import approval, beyond, losses, remaining, within_later
from purvey._plan.effects import effects, standing
from purvey._plan.guard import refuse_losses, refuse_many_deletes, refuse_protected
from purvey._plan.leaving import stays_behind
from purvey._plan.plan import Operation, Plan
from purvey._plan.undo import undo_plan
from purvey._state.history import is_open
from purvey._state.record import Approved, Closed, Left, Noted, OutputsSet, Record, Staged, Undoing, Unmade
from purvey._state.state import InDoubt
from purvey._state.tag_out import TagOut
from purvey.errors import ScriptError, StateError, together
from purvey.providers import Observed


class Run:
    """One run, from its lease to its last record.

    Args:
        parts: The run's tools.
        request: What is asked.
        write: Makes records durable.
        fence: The lease's fencing number.
        stop: Asked by Ctrl-C.
        approve: Says yes or no to each stage.
        others: The outputs of other stacks.
        records: Reads the run's records from the store.
        supersede: Called once the run may begin: unfinished runs before it can then be neither resumed nor undone.
        tags: Reads the tags on the stack's objects.
        write_of: Makes records of another run durable: the ends of what it began.
        later: Reads which runs began after this one, where it is taken up again.
    """

    def __init__(
        self, parts: Parts, request: Request, *, write: Write, fence: int, stop: Stop, approve: Approve, others: OtherStacks,
        records: Callable[[], Sequence[Record]], supersede: Callable[[], None] = lambda: None,
        tags: Callable[[], Sequence[TagOut]] = tuple, write_of: Callable[[str], Write] | None = None,
        later: Callable[[], Collection[str]] = tuple,
    ) -> None:  # fmt: skip
        self.parts = parts
        self.request = request
        self.stop = stop
        self._write = write
        self._fence = fence
        self._approve = approve
        self._others = others
        self.records = records
        self._supersede = supersede
        self._tags = tags
        self._later = later
        self._write_of = write_of or (lambda _: write)
        self._failing: frozenset[str] = frozenset()
        self._broken: Broken = {}
        self._unmade: tuple[Unmade, ...] = ()

    async def apply(self) -> Closed:
        """Bring the world to what the script declares; with no script, to nothing."""
        pending = await self.settle()
        if pending is not None:
            return await self._end(pending)
        try:
            return await self._stages()
        except Stopped:
            return await self._close("interrupted", "interrupted")

    async def _stages(self) -> Closed:
        """Plan and perform, once per stage; while nothing is under way, a stop waits for nobody."""
        seen: dict[tuple[str, int], Observed] = await self.stop.unless_asked(observed(self.parts, self.request))
        previous: Graph | None = None
        for stage in range(1, STAGES_MAX + 1):
            earlier = list(self.records())
            planning = prepare(self.parts, self.request, seen, self._others, stage=stage, earlier=earlier, previous=previous)
            ready = await self.stop.unless_asked(planning)
            await self._gate(ready, earlier)
            if stage == 1:
                self._supersede()
            performer = await self._perform(ready)
            for change in ready.plan.changes:
                seen.pop((change.address, change.generation), None)
            ended = await self._after(performer)
            if ended is not None:
                return ended
            await performer.restate()
            if not ready.graph.pauses:
                return await self._finish(performer, ready)
            await self._write(
                Staged(at=self._now(), stage=stage, pauses=tuple(str(pause.link) for pause in ready.graph.pauses))
            )
            previous = ready.graph
        raise ScriptError(
            "script.too_many_stages",
            "The script pauses again and again",
            detail=f"After {STAGES_MAX} stages it still asks for values that are not known.",
        )

    async def settle(self) -> Closed | None:
        """Recover what earlier runs left in doubt, and learn what this one has failed with already.

        What the run passes over stays in doubt, so that a machine which is gone holds up no other.

        Returns:
            How the run is to end where something is still pending; None where it can go on.
        """
        doubts = self._doubts()
        for doubt in passed_over(self.parts.run, self.parts.state, self.request.selection):
            text = f"{doubt.begun.address}: its {doubt.begun.verb} stays in doubt, for the run passes over it"
            self.parts.tell(Message(at=self._now(), run=self.parts.run, level="warning", text=text))
        if not doubts:
            if not self.parts.state.in_doubt:
                self.parts.hosts.forget()
            self._broken = broken(self.records(), self.parts)
            return None
        refuse_tagged((doubt.begun.address for doubt in doubts), self._tags())
        await require_expected(self.parts, self.request.expect, [doubt.begun.node for doubt in doubts])
        self._phase("recover", f"{len(doubts)} operation{'' if len(doubts) == 1 else 's'} in doubt")
        try:
            for doubt in await without_unbegun(doubts, self._settler):
                sentence = await settle(self._settler(doubt), doubt)
                self.parts.tell(Message(at=self._now(), run=self.parts.run, level="info", text=sentence))
        except Parked as parked:
            result = "interrupted" if parked.interrupted else "parked"
            return Closed(at=self._now(), result=result, cause="still pending", address=parked.address, detail=parked.progress)
        self._broken = broken(self.records(), self.parts)
        return None

    def _doubts(self, touched: Iterable[str] = ()) -> list[InDoubt]:
        return settled_by(self.parts.run, self.parts.state, self.request.selection, touched)

    def _settler(self, doubt: InDoubt) -> Performer:
        """What settles an operation: it writes into the journal of the run that began it."""
        write = self._write_of(doubt.begun.run) if doubt.begun.run else self._write
        return Performer(self.parts, Plan(stack=self.parts.stack), write, self.stop, self._fence)

    async def _gate(self, ready: StagePlan, earlier: Sequence[Record]) -> None:
        """Guards, findings and approval, all before the first write of the stage."""
        plan = ready.plan
        approved = [record for record in earlier if isinstance(record, Approved)]
        removed = [address for record in approved for address in record.removes]
        lost = losses(plan, approved)
        touched = [change.address for change in plan.changes if change.touches]
        together(
            lambda: refuse_strangers(ready.strangers),
            lambda: refuse_entangled(ready.entangled),
            lambda: refuse_misplaced(ready.misplaced),
            lambda: refuse(ready.findings),
            lambda: refuse_protected(plan),
            lambda: refuse_tagged(touched, self._tags()),
            lambda: refuse_many_deletes(plan, self.request.deletes_max, removed),
            lambda: refuse_losses(lost, self.request.final),
        )
        await self._write(*ready.records)
        if plan.is_empty and not plan.operations:
            for warning in plan.warnings:  # Nobody is shown this plan.
                self.parts.tell(Message(at=self._now(), run=self.parts.run, level="warning", text=warning))
            return
        await self._approved(plan, approved, notes(ready.findings))
        if not self._failing:
            self._failing = await self.stop.unless_asked(failing_already(self.parts, plan))

    async def _approved(self, plan: Plan, earlier: Sequence[Approved], found: Sequence[str]) -> None:
        if not beyond(plan, earlier):
            return
        covered = within_later(plan, earlier)
        if covered is not None:
            await self._write(msgspec.structs.replace(covered, at=self._now()))
            return
        shown = msgspec.structs.replace(plan, later=remaining(plan, earlier))
        standing = "" if losses(plan, earlier) and self.request.final != "allow" else self.request.standing
        noted = msgspec.structs.replace(shown, warnings=(*shown.warnings, *found))
        who = self._approve(noted) or standing
        if not who:
            raise AwaitsApproval(noted)
        await self._write(approval(shown, self._now(), who))

    async def _perform(self, ready: StagePlan) -> Performer:
        plan = ready.plan
        self._phase("apply", f"stage {plan.stage}")
        performer = self.performer(plan, self.stop)
        await performer.record(*(noted(self.parts, new, old) for old, new in ready.rerouted))
        policies = self._policies(plan)
        addresses = {operation.id: operation.address for operation in plan.operations}

        def may_follow(address: str) -> bool:
            """Whether others may still start after the failure at an address."""
            return policies.of(address, [failure.address for failure in performer.failures]) == "continue"

        left = passed_on(performer, self._broken)
        if all(may_follow(failure.address) for failure in performer.failures):
            await carry_out(left, performer, Either(self.stop), lambda item: may_follow(addresses[item]), self.request.parallel)
        return performer

    def performer(self, plan: Plan, stop: Stop) -> Performer:
        """What performs a plan; a rehearsal has one that fails on purpose."""
        return Performer(self.parts, plan, self._write, stop, self._fence)

    async def _after(self, performer: Performer) -> Closed | None:
        """How the run ends when a stage did not go through; None when it did."""
        if performer.failures:
            return await self._failed(performer)
        if performer.parked and not performer.interrupted:
            address, progress = performer.parked[0]
            return await self._close("parked", "still pending", address, progress)
        if self.stop.is_asked():
            return await self._close("interrupted", "interrupted")
        return None

    async def _failed(self, performer: Performer) -> Closed:
        failure, policy, batch = self._policies(performer.plan).verdict(performer.failures)
        done = {effect.begun.address for effect in effects(self.records())}
        only = tuple(address for address in batch if address in done)
        self._unmade = unmade(performer, self.records())
        cause, told = failure.summary, story(failure, performer.plan)
        if policy in ("keep", "continue") or (policy == "undo_batch" and not only):
            return await self._close("kept", cause, failure.address, told)
        await self._write(Undoing(at=self._now(), cause=cause, address=failure.address, detail=told, only=only))
        return await self.undo(cause, failure.address, told, only)

    def _policies(self, plan: Plan) -> Policies:
        return Policies(plan, self.request.on_failure, self._failing)

    async def go_on_undoing(
        self, cause: str, address: str = "", detail: str = "", only: Sequence[str] = (),
        agree: Callable[[], Sequence[Record]] = tuple,
    ) -> Closed:  # fmt: skip
        """Settle what is in doubt, and take the run back; not by itself as it failed, but later, so the world is looked at.

        Args:
            cause: Why.
            address: Where it failed, if it did.
            detail: What was said there.
            only: See `undo`.
            agree: Asked once nothing is in doubt, for what is then written down first; raises where it may not be taken back.

        Raises:
            StateError: ``state.still_pending`` if a run that has ended cannot be taken back yet, for something is pending.
        """
        pending = await self.settle()
        if pending is not None and is_open(self.records()):
            return await self._end(pending)
        if pending is not None:
            raise StateError(
                "state.still_pending",
                "An operation of the stack is still pending",
                detail=self.parts.redactor.clean(f"{pending.address}: {pending.detail}"),
                hint="Nothing was undone. Try again when it has ended.",
            )
        touched = [effect.begun.node for effect in effects(self.records())]
        await require_expected(self.parts, self.request.expect, touched)
        await self._write(*agree())
        return await self.undo(cause, address, detail, only)

    async def undo(self, cause: str, address: str = "", detail: str = "", only: Sequence[str] = ()) -> Closed:
        """Take back what the run did and has not taken back yet; with `only`, what it did there."""
        self._phase("undo", "")
        stop = Stop()  # One Ctrl-C ends only its waiting for what may still land; a second one leaves at once.
        first = Performer(self.parts, Plan(stack=self.parts.stack), self._write, stop, self._fence)
        touched = [effect.begun.address for effect in effects(self.records())]
        own = await without_unbegun(self._doubts(touched), self._settler)
        settling, doubts = settling_ones(self.parts, own)
        await abandon(first, doubts, self.stop)
        if first.parked and self.stop.is_asked():  # A resume goes on with the undo.
            address, progress = first.parked[0]
            return await self._close("interrupted", "still pending", address, progress)
        done = effects(self.records())
        plan = undo_plan(
            self.parts.stack, self.parts.run, done, self.parts.state, self.parts.kinds, only, later=self._later(),
            doubts=[doubt.begun for doubt in settling.values()],
        )  # fmt: skip
        performer = self.performer(plan, stop)
        performer.undone = {effect.begun.operation: effect for effect in done}
        performer.failures, performer.parked = first.failures, first.parked
        operations = passed_on(performer, self._broken)
        await carry_out_undo(operations, performer, stop, settling, self.stop, self.request.parallel)
        await self._forget_checks(performer)
        left = [change.address for change in plan.changes if change.final]
        if performer.failures or performer.parked or left:
            more = "\n".join(f"{item.address}: {story(item)}" for item in performer.failures)
            more += "".join(f"\n{item} cannot be undone" for item in left)
            ledger = Ledger(performer, self._doubts(touched)).of_undo(plan, effects(self.records()))
            cause = cause or "the undo is not complete"
            return await self._close("partial", cause, address, f"{detail}\n{more}".strip(), ledger)
        stays = standing(self.records()) if only else []
        if not stays:
            return await self._close("undone", cause, address, detail)
        text = f"As the run left it, for it was not to be taken back: {', '.join(stays)}"
        passed = any(isinstance(record, Closed) and record.result == "succeeded" for record in self.records())
        return await self._close("succeeded" if passed else "kept", cause, address, f"{detail}\n{text}".strip())

    async def _forget_checks(self, performer: Performer) -> None:
        """What a check saw in this run is no longer there to be believed."""
        seen = [record for record in self.parts.state.current().values() if record.run == self.parts.run]
        for record in seen:
            if self.parts.kinds.get(record.kind).check:
                await performer.record(
                    Noted(at=self._now(), what="forgotten", address=record.address, generation=record.generation)
                )

    async def _finish(self, performer: Performer, ready: StagePlan) -> Closed:
        """Deletions, now that every check has passed; then the checks once more, and the outputs."""
        plan = ready.plan
        deletions = [item for item in plan.deletions if item.id not in performer.cancelled]
        if deletions:
            failed = await self._remove(performer, deletions)
            if failed is not None:
                return failed
        if self.request.check_all:
            await probe(self.parts, [node for node in ready.graph.nodes.values() if self.parts.kinds.get(node.kind).check])
        outputs = self.parts.sealer.protect(self._outputs(ready.graph))
        if outputs != thaw(self.parts.state.outputs) or ready.reads != self.parts.state.reads:
            await performer.record(OutputsSet(at=self._now(), values=outputs, reads=ready.reads))
        return await self._close("succeeded", detail=self._stays_behind(plan))

    def _stays_behind(self, plan: Plan) -> str:
        """What is left in the world of the objects that were removed."""
        there = self.parts.state.resources
        removals = [item for item in (*plan.operations, *plan.deletions) if item.verb == "delete"]
        gone = {item.address for item in removals if (item.address, item.generation) not in there}
        return stays_behind(change for change in plan.changes if change.address in gone)

    async def _remove(self, performer: Performer, deletions: Sequence[Operation]) -> Closed | None:
        removed = sum(item.verb == "delete" for item in deletions)  # Of what is gone already only the record goes.
        if removed:
            self._phase("delete", f"{removed} object{'' if removed == 1 else 's'}")
        await carry_out(deletions, performer, self.stop, lambda _: True, self.request.parallel)
        if performer.failures:
            failure = performer.failures[0]
            self._unmade = unmade(performer, self.records())
            ledger = Ledger(performer, self._doubts()).of_removal(deletions)
            told = "\n".join(part for part in (story(failure, performer.plan), self._stays_behind(performer.plan)) if part)
            return await self._close("partial", failure.summary, failure.address, told, ledger)
        if performer.parked and not performer.interrupted:
            address, progress = performer.parked[0]
            return await self._close("parked", "still pending", address, progress)
        if self.stop.is_asked():
            return await self._close("interrupted", "interrupted")
        gates = [performer.plan.nodes[item.address] for item in performer.plan.operations if item.verb == "check"]
        failing = await probe(self.parts, gates)
        if failing:
            address, detail = next(iter(failing.items()))
            return await self._close("partial", "a check fails after the deletions", address, detail)
        return None

    def _outputs(self, graph: Graph) -> dict[str, object]:
        return {name: resolve(value, self.parts.open_link, self.parts.open) for name, value in graph.outputs.items()}

    async def _close(
        self, result: str, cause: str = "", address: str = "", detail: str = "", left: tuple[Left, ...] = ()
    ) -> Closed:  # fmt: skip
        told = Closed(
            at=self._now(), result=result, cause=cause, address=address, detail=detail, left=left, unmade=self._unmade
        )
        return await self._end(told)

    async def _end(self, closed: Closed) -> Closed:
        await self._write(closed)
        return closed

    def _phase(self, phase: str, detail: str) -> None:
        self.parts.tell(PhaseStarted(at=self._now(), run=self.parts.run, phase=phase, detail=detail))  # type: ignore[arg-type]

    def _now(self) -> float:
        return self.parts.clock.now()
