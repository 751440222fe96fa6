"""A machine behind a shell: asked and changed by programs, many questions or steps in each.

A lost link is no failure. Questions are asked again; and steps go on by themselves on the machine, so the same program is sent
again once there is a link: what it did is told from the machine's own log, what runs is waited for, what is left is done.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncGenerator, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from purvey._hosts.become import Becoming, Door
from purvey._hosts.change import foreseen
from purvey._hosts.connector import Told
from purvey._hosts.fact import Answer, Answers, Ask, Fact, Unanswered
from purvey._hosts.frames import Frame
from purvey._hosts.paths import refusal
from purvey._hosts.program import Program, asking, looking, working
from purvey._hosts.reminder import Reminder
from purvey._hosts.replies import answers_of, begun_of, machine_of, returncode
from purvey._hosts.session import INCOMPLETE, Session
from purvey._hosts.shell_calls import ShellCalls
from purvey._hosts.shell_work import Work
from purvey._hosts.step import Ended, Ending, Machine, Step
from purvey.errors import HostError

if TYPE_CHECKING:
    from purvey._base.clock import Clock
    from purvey._hosts.shell import Shell

LINKS_MAX: Final = 40
"""Times that a link is sought again for steps that may be at work: with the pauses between, over half an hour."""

PAUSE_S: Final = 0.5
PAUSE_S_MAX: Final = 60.0
"""The first and the longest pause between two searches for a link, in seconds; each is twice the one before."""

ASKED_MAX: Final = 3
"""Times that questions are asked over a link that breaks."""

PROGRAMS_PER_FENCE: Final = 1_000_000
"""A run sends fewer programs than this to a machine, so they can be numbered inside its fencing number."""


class ShellHost(ShellCalls):
    """One machine behind a shell; see `purvey._hosts.connector.Connector` for what each method does.

    Args:
        shell: The way to it.
        name: What people call it, for messages.
        clock: Time and chance.
        becoming: How another user's rights are taken on.
        worker: The name of those who must not work there at the same time.
        fence: Our number among them, asked for each time that there is work; nobody else has it at the same time.
        number: Gives each program a higher number than every one before it that has the same fence and the same worker.
        tell: Tells people that the machine does not answer, that a link with work on it was lost, and that it is there again.
    """

    def __init__(
        self, shell: Shell, name: str, clock: Clock, becoming: Becoming, *,
        worker: str = "anyone", fence: Callable[[], int] = lambda: 0, number: Callable[[], int] | None = None,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:  # fmt: skip
        self._shell = shell
        self.name = name
        self._clock = clock
        self._door = Door(becoming, name)
        self._worker = worker
        self._fence = fence
        self._number = number or itertools.count(1).__next__
        self._free: Session | None = None
        self._working = asyncio.Lock()
        self._is_halted = False
        self._tell = tell
        self._reminder = Reminder(name, tell, shell.is_queued)
        self._is_lost = False
        self._rejoined: Callable[[], None] = lambda: None
        self._is_leaving = False
        self._spent: tuple[str, ...] = ()
        self._machine: Machine | None = None
        self.known: dict[Fact, Answer | Unanswered] = {}
        self.requests = 0

    async def machine(self) -> Machine:
        """What the machine says of itself; asked once."""
        if self._machine is None:
            await self.ask(())
        assert self._machine is not None  # Every program begins with it.
        return self._machine

    async def renew(self) -> None:
        """See `Connector.renew`; what is asked meanwhile is asked again."""
        async with self._working:
            await self._shell.close()

    async def ask(self, facts: Sequence[Fact]) -> Answers:
        """Ask questions, all in one program.

        Raises:
            HostError: if the machine cannot be reached, or cannot be asked at all.
        """
        known: dict[Fact, Answer | Unanswered] = {}
        for fact in facts:
            if not isinstance(fact, Ask) and (error := refusal(fact.path)) is not None:
                known[fact] = Unanswered("invalid", error.summary, error.detail)
        sound = tuple(fact for fact in dict.fromkeys(facts) if fact not in known)
        for _ in range(1, ASKED_MAX):
            try:
                return Answers(known | await self._asked(sound))
            except HostError as error:
                if not _is_lost(error):
                    raise
        return Answers(known | await self._asked(sound))

    async def _asked(self, facts: Sequence[Fact]) -> dict[Fact, Answer | Unanswered]:
        spent = self._spent
        program = asking(facts, folder=self._worker, spent=spent)
        async with contextlib.aclosing(self._run(program)) as frames:
            found = [frame async for frame in frames]
        if not found or found.pop().kind != "left":
            raise self._lost("It ended before all was answered.", begun=True)
        self._forgotten(spent)
        answers = answers_of(facts, found, (await self.machine()).folder)
        self.known.update(answers)
        return answers

    async def perform(self, steps: Sequence[Step], *, fresh: bool = False, told: Told = lambda *_: None) -> list[Ending]:
        """Perform steps, all in one program, until one does not go through.

        Args:
            steps: The steps, in this order.
            fresh: Whether everything that was done there before is settled.
            told: Is told of each step that begins (None) and that ends.

        Returns:
            How each ended.

        Raises:
            HostError: ``unavailable`` if the link was lost and is not to be had again; then steps may be at work.
            HostError: ``conflict`` if somebody else with a higher number works there.
            HostError: ``invalid`` if a step cannot be done on any machine; then none is.
        """
        async with self._working:
            self._is_halted = False
            with contextlib.ExitStack() as lost:
                return await self._performed(Work(steps, self.name, partial(self._heard, steps, told)), lost, fresh=fresh)

    async def _performed(self, work: Work, lost: contextlib.ExitStack, *, fresh: bool) -> list[Ending]:
        """Send the steps, and again over each new link; `lost` lasts longer than any."""
        for link in itertools.count():
            try:
                return await self._work(work, fresh=fresh and not link)
            except HostError as error:
                work.may_run = error.may_exist = work.may_run or error.may_exist
                if error.code != "unavailable" or not work.may_run or link + 1 == LINKS_MAX or self._is_halted:
                    raise
                self._see_lost(lost)
                await self._clock.sleep(min(PAUSE_S_MAX, PAUSE_S * 2 ** min(link, 10)))
                if self._is_halted:  # What we would send now would be newer than what halted it.
                    raise
        raise AssertionError  # It is left above.

    def _see_lost(self, lost: contextlib.ExitStack) -> None:
        """Tell once that the link is sought again; and from then on that there is no answer, however each attempt ends."""
        if not self._is_lost:
            self._is_lost = True
            self._tell(f"waiting {self.name}: the link was lost; the work goes on there, joining again")
            self._rejoined = lost.enter_context(self._reminder.waiting())

    def _see_joined(self) -> None:
        """Tell that the link is there again, if people were told that it was lost."""
        if self._is_lost:
            self._is_lost = False
            self._rejoined()
            self._tell(f"{self.name}: joined again")

    async def halt(self) -> None:
        """See `Connector.halt`: a newer program, which does nothing, makes the one at work leave."""
        self._is_halted = True
        await self._work(Work((), self.name, lambda *_: None), fresh=False)

    async def begun(self) -> frozenset[str]:
        """See `Connector.begun`."""
        begun: frozenset[str] | None = None
        work, (worker, fence) = Work((), self.name, lambda *_: None), self._turn()
        program = looking(folder=worker, fence=fence)
        async with contextlib.aclosing(self._run(program)) as frames:
            async for frame in frames:
                work.follow(frame, "")
                if frame.kind == "log":
                    begun = begun_of(frame)
        if begun is None:
            raise self._lost("It ended before all was told.", begun=False)
        return begun

    async def remembers(self, token: str) -> bool:
        """See `Connector.remembers`."""
        return token in await self.begun()

    def spend(self, tokens: Sequence[str]) -> None:
        """See `Connector.spend`."""
        self._spent = (*self._spent, *tokens)

    async def tidy(self) -> None:
        """See `Connector.tidy`."""
        if self._spent:
            self._is_leaving = True
            try:
                await self.ask(())
            finally:
                self._is_leaving = False
        session, self._free = self._free, None
        if session is not None:
            await session.pipes.close()

    def _forgotten(self, spent: Sequence[str]) -> None:
        self._spent = tuple(token for token in self._spent if token not in spent)

    def _heard(self, steps: Sequence[Step], told: Told, number: int, ending: Ending | None) -> None:
        """Take into account what a step has done, before anybody else learns of it."""
        if isinstance(ending, Ended):
            assert self._machine is not None  # Every program begins with it.
            for change in steps[number].changes:
                foreseen(change, self.known, self._machine.user)
            self.known.update(ending.answers.known)
        told(number, ending)

    async def _work(self, work: Work, *, fresh: bool) -> list[Ending]:
        """Send the steps once, and follow what becomes of them."""
        spent, (worker, fence), left = self._spent, self._turn(), False
        program = working(work.steps, folder=worker, fence=fence, fresh=fresh, spent=spent)
        async with contextlib.aclosing(self._run(program)) as frames:
            async for frame in frames:
                assert self._machine is not None  # Every program begins with it.
                work.follow(frame, self._machine.folder)
                left = frame.kind == "left"
        if not left:
            raise self._lost("It ended before all was done.", begun=True)
        self._forgotten(spent)
        return work.endings

    def _turn(self) -> tuple[str, int]:
        """Who works, and a number above all before."""
        return self._worker, self._fence() * PROGRAMS_PER_FENCE + self._number()

    async def _run(self, program: Program) -> AsyncGenerator[Frame]:
        """The frames of a program after its hello; the last one is ``left``, unless it was ended.

        Raises:
            HostError: if it could not be begun, or the link was lost; `may_exist` says whether it may be at work.
        """
        self.requests += 1
        begun = left = False
        with self._reminder.waiting() as answered:
            while not begun:
                session = await self._waiting()
                is_new = session.machine is None
                try:
                    async with contextlib.aclosing(
                        session.run(program, self._clock.entropy(12).hex(), is_last=self._is_leaving)
                    ) as frames:
                        async for frame in frames:
                            if frame.kind == "hello":
                                self._machine = session.machine = machine_of(frame)
                                begun = True
                                answered()
                                self._see_joined()
                            else:
                                left = frame.kind == "left"
                                yield frame
                    if not begun and is_new:
                        raise await self._refused(session)
                except HostError as error:
                    if not left:
                        error.may_exist = error.may_exist or error.code == "unavailable"
                        raise
                finally:
                    await self._release(session, is_sound=begun)

    async def _waiting(self) -> Session:
        """A shell that waits for a program: the one that ran the last one, if it is still there."""
        session, self._free = self._free, None
        if session is not None and self._shell.resume(session.pipes):
            return session
        mark = self._clock.entropy(12).hex()
        return Session(await self._door.open(self._shell, mark), mark, lasts=self._shell.lasts)

    async def _release(self, session: Session, *, is_sound: bool) -> None:
        """Let a shell that waits for the next program wait; one is enough, and one that could not even begin one is none."""
        if is_sound and session.is_free and self._free is None:
            self._free = session
            await self._shell.park(session.pipes)
        else:
            await session.pipes.close()

    async def _refused(self, session: Session) -> HostError:
        """Why a program did not even begin."""
        if session.is_free:
            return self._lost("What it was sent ended at once.", begun=True)
        code = await session.pipes.wait()
        said = session.pipes.complaints().decode(errors="replace").strip()
        if code == INCOMPLETE:
            return self._lost("Half of what was sent arrived.", begun=False)
        if returncode(code) < 0:
            return self._lost("The shell that ran what it was sent was killed.", begun=True)
        return self._door.refusal(said, code)

    def _lost(self, why: str, *, begun: bool) -> HostError:
        return HostError(
            "unavailable",
            "The link to a machine was lost",
            detail=f"{self.name} does not answer any more. {why}",
            may_exist=begun,
        )


def _is_lost(error: HostError) -> bool:
    """Whether a link broke that there was."""
    return error.code == "unavailable" and error.may_exist
