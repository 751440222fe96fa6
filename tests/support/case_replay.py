"""One case on a real machine: asked, seen, done, done again, and taken back."""

from __future__ import annotations

import os
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path
from typing import Any, Protocol

from purvey._apply.consequence import does_anything, is_private
from purvey._hosts.change import Keep, Run, SetAttributes
from purvey._hosts.fact import Answers, Ask
from purvey._hosts.step import Ended, Step
from purvey.errors import PurveyError
from purvey.providers import Absent, Observed, Present
from purvey.providers.host import Place, Work, went_through
from tests.support.case_hosts import CaseHost, Entry, served
from tests.support.case_words import plain, told_facts
from tests.support.cases import NO_SERVER, Setting, Trial, load, told_error, told_seen, write


class Machines(Protocol):
    """What makes machines for cases."""

    def machine(self) -> AbstractAsyncContextManager[CaseHost]:
        """A new machine."""


class Replay:
    """One case on one machine, with what it tells.

    Attributes:
        after: What the machine answers when it is done.
    """

    after: Answers

    def __init__(self, trial: Trial, machine: CaseHost) -> None:
        self.trial = trial
        self.machine = machine
        self.told: dict[str, Any] = {}

    async def whole(self) -> None:
        """Replay it, and prove that it may be repeated and taken back."""
        before = self.machine.changed()
        try:
            answers = await self.asked()
            asked = self.machine.changed()
            self.told["seen"] = told_seen(self.trial.seen(answers))
            work = self.trial.work(answers)
            self.told["changes"] = plain(work.changes)
            self.noticed(answers, work)
            ended = await self.performed("first", self.trial.place, self.trial.subject, work)
            after = await self.checked(work, ended)
            self.foretold(asked, answers, work)
        except PurveyError as error:
            self.told["error"] = told_error(error)
            assert self.trial.case.no_undo or self.machine.differences(before, self.machine.changed()) == []
            return
        await self.again(after)
        if self.trial.want is not None and not self.trial.case.no_undo:
            await self.undone(answers, work, ended)
            assert self.machine.differences(before, self.machine.changed()) == []

    def noticed(self, answers: Answers, work: Work) -> None:
        """What is done to an object on record is seen to differ by a plan, which nothing would be done without."""
        trial, case = self.trial, self.trial.case
        does = any(not isinstance(change, Keep | SetAttributes) for change in work.changes)  # Those give again what is there.
        if isinstance(case.have, dict) and trial.want is not None and does:
            seen = trial.seen(answers)
            record = trial.have(answers)
            inputs = {name: value for name, value in record._values.items() if name in trial.kind.inputs}
            if isinstance(seen, Present) and inputs == dict(trial.want._values):
                assert trial.differences(record, seen) != []

    def foretold(self, before: dict[str, Entry | None], answers: Answers, work: Work) -> None:
        """What a plan says of it is what happened: a machine that was to change is another one, and one that was not is not."""
        verdict = does_anything(work.changes, answers.known, self.trial.place.folder)
        facts = tuple(fact for fact in self.trial.facts() if isinstance(fact, Ask) or not is_private(fact.path))
        told = told_facts(facts, answers) != told_facts(facts, self.after)
        changed = told or self.machine.differences(before, self.machine.changed()) != []
        restarts = self.trial.provider.settles  # Nothing that is asked tells a service from one that was restarted.
        may_be_seen_nowhere = any(isinstance(change, Run) and (restarts or change.touches is None) for change in work.changes)
        assert verdict == changed or (verdict and may_be_seen_nowhere)

    async def asked(self) -> Answers:
        """What the machine answers now."""
        facts = self.trial.facts()
        answers = await self.machine.host.ask(facts)
        self.told.setdefault("facts", told_facts(facts, answers))
        return answers

    async def performed(self, token: str, place: Place, subject: Any, work: Work) -> Ended:
        """Do it."""
        (ending,) = await self.machine.host.perform([Step(token, 1, work.changes, after=work.after)])
        return went_through(self.trial.provider, subject, ending)

    async def checked(self, work: Work, ended: Ended) -> Answers:
        """What is there afterwards is what was wished, or nothing."""
        outputs = self.trial.outputs(work, ended)
        self.told["outputs"] = plain(outputs)
        self.told["ended"] = self._end(work, ended, outputs)
        answers = self.after = await self.asked()
        seen = self._seen_after(outputs, answers)
        self.told["after"] = told_seen(seen)
        if self.trial.want is None:
            only_removed = not any(change for change in self.told["changes"] if change["do"] != "remove")
            assert isinstance(seen, Absent) or only_removed or self.trial.case.no_undo
        else:
            assert isinstance(seen, Present), seen
            assert self.trial.differences(self.trial.want.with_values(**outputs), seen) == []
        return answers

    async def again(self, after: Answers) -> None:
        """A second time changes nothing."""
        state = self.machine.changed()
        work = self.trial.work(after)
        await self.performed("second", self.trial.place, self.trial.subject, work)
        facts = self.trial.facts()
        assert told_facts(facts, await self.machine.host.ask(facts)) == told_facts(facts, after)
        assert self.machine.differences(state, self.machine.changed()) == []

    async def undone(self, first: Answers, work: Work, ended: Ended) -> None:
        """Taking it back."""
        trial, place = self.trial, self.trial.undoing()
        record = trial.want.with_values(**trial.outputs(work, ended))
        answers = await self.machine.host.ask(trial.provider.facts(place, record))
        back = trial.provider.take_back(place, record, trial.before(first), answers)
        await self.performed("undo", place, record, back)
        facts = trial.facts()
        assert told_facts(facts, await self.machine.host.ask(facts)) == self.told["facts"]

    def _seen_after(self, outputs: dict[str, Any], answers: Answers) -> Observed:
        trial = self.trial
        record = trial.want.with_values(**outputs) if trial.want is not None else trial.have(answers)
        return trial.provider.seen(trial.place, record, answers)

    def _end(self, work: Work, ended: Ended, outputs: dict[str, Any]) -> dict[str, Any]:
        """What the case has to tell of the end, for the outputs to follow from it."""
        told: dict[str, Any] = {"answers": told_facts(work.after, ended.answers)} if work.after else {}
        if self.trial.outputs(work, Ended(b"", b"", ended.answers, ended.returncode)) != outputs:
            told["out"] = plain(ended.out)
        return told | ({"code": ended.returncode} if ended.returncode else {})


async def replayed(hosts: Machines, name: str, folder: Path) -> tuple[Trial, dict[str, Any]]:
    """A case on a machine of its own, and what that told."""
    case = load(name)
    with served(folder) if "{server}" in str(case) else nullcontext("") as server:
        trial = Trial(case, Setting(str(folder), server or NO_SERVER))
        async with hosts.machine() as machine:
            await machine.prepare(trial.setting.filled(case.given))
            replay = Replay(trial, machine)
            await replay.whole()
    return trial, trial.setting.spelt(replay.told)


def confirmed(name: str, told: dict[str, Any]) -> None:
    """What a machine told is what the case tells; it is written down where that is asked for."""
    if os.environ.get("PURVEY_GOLDEN") == "write":
        write(name, told)
    case = load(name)
    expected = {field: getattr(case, field) for field in told}
    assert expected == told
    assert case.error is None or "error" in told
