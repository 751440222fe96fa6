"""A machine behind a shell: asked and changed by programs, many questions or steps in each.

A lost link is no failure. Questions are asked again; and steps go on by themselves on the machine, so the same program is sent
again once there is a link: what it did is told from the machine's own log, what runs is waited for, what is left is done.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING, Final

from purvey._hosts.become import Becoming
from purvey._hosts.change import foreseen
from purvey._hosts.command import EVIDENCE_LINES, Completed
from purvey._hosts.connector import Told
from purvey._hosts.fact import Answer, Answers, Fact, Unanswered
from purvey._hosts.failures import failure
from purvey._hosts.frames import Frame, Frames
from purvey._hosts.program import INCOMPLETE, asking, working
from purvey._hosts.replies import answers_of, machine_of
from purvey._hosts.step import Broken, Ended, Ending, Interrupted, Machine, Mismatch, NotReached, Step
from purvey.errors import HostError

if TYPE_CHECKING:
    from purvey._base.clock import Clock
    from purvey._hosts.shell import Pipes, Shell

LINKS_MAX: Final = 40
"""Times that a link is sought again for steps that may be at work: with the pauses between, over half an hour."""

PAUSE_S: Final = 0.5
PAUSE_S_MAX: Final = 60.0
"""The first and the longest pause between two searches for a link, in seconds; each is twice the one before."""

ASKED_MAX: Final = 3
"""Times that questions are asked over a link that breaks."""

PROGRAMS_PER_FENCE: Final = 1_000_000
"""A run sends fewer programs than this to a machine, so they can be numbered inside its fencing number."""

_OF_AN_ENDING: Final = frozenset({"out", "err", "stats", "digests", "answer", "content", "code"})
"""Frames that follow the end of a step, and belong to it."""


class ShellHost:
    """One machine behind a shell.

    Args:
        shell: The way to it.
        name: What people call it, for messages.
        clock: Time and chance.
        becoming: How another user's rights are taken on.
        worker: The name of those who must not work there at the same time.
        fence: Our number among them, asked for each time that there is work.
    """

    def __init__(
        self, shell: Shell, name: str, clock: Clock, becoming: Becoming, *,
        worker: str = "", fence: Callable[[], int] = lambda: 0,
    ) -> None:  # fmt: skip
        self._shell = shell
        self.name = name
        self._clock = clock
        self._becoming = becoming
        self._worker = worker
        self._fence = fence
        self._sent = 0
        self._working = asyncio.Lock()
        self._machine: Machine | None = None
        self.known: dict[Fact, Answer | Unanswered] = {}
        self.requests = 0

    async def machine(self) -> Machine:
        """What the machine says of itself; asked once."""
        if self._machine is None:
            await self.ask(())
        assert self._machine is not None  # Every program begins with it.
        return self._machine

    async def ask(self, facts: Sequence[Fact]) -> Answers:
        """Ask questions, all in one program.

        Raises:
            HostError: if the machine cannot be reached, or cannot be asked at all.
        """
        facts = tuple(dict.fromkeys(facts))
        for _ in range(1, ASKED_MAX):
            try:
                return await self._asked(facts)
            except HostError as error:
                if not _is_lost(error):
                    raise
        return await self._asked(facts)

    async def _asked(self, facts: Sequence[Fact]) -> Answers:
        _, *frames = [frame async for frame in self._run(lambda nonce: asking(facts, nonce))]
        machine = await self.machine()
        found = answers_of(facts, frames, machine.folder)
        self.known.update(found)
        return Answers(found)

    def learn(self, step: Step, ended: Ended) -> None:
        """Take into account what a step has done."""
        assert self._machine is not None  # It said so itself.
        for change in step.changes:
            foreseen(change, self.known, self._machine.user)
        self.known.update(ended.answers.known)

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
        """
        async with self._working:
            work = _Work(self, steps, told)
            for link in range(1, LINKS_MAX):
                try:
                    return await self._work(work, fresh=fresh and link == 1)
                except HostError as error:
                    if error.code != "unavailable" or (link == 1 and not error.may_exist):
                        raise
                await self._clock.sleep(min(PAUSE_S_MAX, PAUSE_S * 2 ** min(link - 1, 10)))
            return await self._work(work, fresh=False)

    async def _work(self, work: _Work, *, fresh: bool) -> list[Ending]:
        """Send the steps once, and follow what becomes of them."""
        self._sent += 1
        fence = self._fence() * PROGRAMS_PER_FENCE + self._sent
        steps, worker = work.steps, self._worker
        async for frame in self._run(lambda nonce: working(steps, nonce, folder=worker, fence=fence, fresh=fresh)):
            if self._machine is not None:
                work.follow(frame, self._machine.folder)
        if not work.complete:
            raise self._lost("It ended before all was done.", begun=True)
        return work.endings

    async def _run(self, program: Callable[[str], bytes]) -> AsyncIterator[Frame]:
        """The frames of a program, the first of them its hello.

        Raises:
            HostError: if it could not be begun, or the link was lost; `may_exist` says whether it may be at work.
        """
        nonce = self._clock.entropy(12).hex()
        self.requests += 1
        pipes = await self._shell.start(self._becoming.command(nonce))
        try:
            frames = Frames(nonce)
            await self._becoming.give(pipes, program(nonce))
            begun = False
            while data := await pipes.receive():
                for frame in frames.feed(data):
                    begun = self._see(frame) or begun
                    yield frame
            for frame in frames.end():
                begun = self._see(frame) or begun
                yield frame
            code = await pipes.wait()
            if not begun:
                raise self._refused(code, pipes)
        finally:
            await pipes.close()

    def _see(self, frame: Frame) -> bool:
        if frame.kind != "hello":
            return False
        self._machine = machine_of(frame)
        return True

    def _refused(self, code: int, pipes: Pipes) -> HostError:
        """Why a program did not even begin."""
        said = pipes.complaints().decode(errors="replace").strip()
        if code == INCOMPLETE:
            return self._lost("Half of what was sent arrived.", begun=False)
        evidence = "\n".join(said.splitlines()[-EVIDENCE_LINES:]) or f"It said nothing and ended with code {code}."
        return self._becoming.refused(self.name, evidence)

    def _lost(self, why: str, *, begun: bool) -> HostError:
        return HostError(
            "unavailable",
            "The link to a machine was lost",
            detail=f"{self.name} does not answer any more. {why}",
            may_exist=begun,
        )


class _Work:
    """Steps that are sent to a machine, and what is known of how they ended."""

    def __init__(self, host: ShellHost, steps: Sequence[Step], told: Told) -> None:
        self.steps = steps
        self.endings: list[Ending] = [NotReached()] * len(steps)
        self.complete = False
        self._host = host
        self._told = told
        self._ending: list[Frame] = []

    def follow(self, frame: Frame, folder: str) -> None:
        """See one frame.

        Raises:
            HostError: ``conflict`` if somebody else works there now.
        """
        if self._ending and frame.kind in _OF_AN_ENDING:
            self._ending.append(frame)
            return
        self._finish(folder)
        if frame.kind == "ended":
            self._ending = [frame]
        elif frame.kind == "begun":
            self._told(int(frame.words[0]), None)
        elif frame.kind == "mismatch":
            self._end(int(frame.words[0]), Mismatch(int(frame.words[1])))
        elif frame.kind == "interrupted":
            self._end(int(frame.words[0]), Interrupted())
        elif frame.kind == "superseded":
            raise _superseded(self._host.name)
        elif frame.kind == "left":
            self.complete = True

    def _finish(self, folder: str) -> None:
        """The step whose frames are all there has ended."""
        if not self._ending:
            return
        first, *more = self._ending
        self._ending = []
        number, code, change = (int(word) for word in first.words)
        step = self.steps[number]
        texts = {frame.kind: frame.data for frame in more if frame.kind in ("out", "err")}
        said = Completed(code, texts.get("out", b""), texts.get("err", b""))
        if code:
            self._end(number, Broken(failure(step.changes[change], said, self._host.name)))
        else:
            self._end(number, Ended(said.stdout, said.stderr, Answers(answers_of(step.after, more, folder))))

    def _end(self, number: int, ending: Ending) -> None:
        """Tell it once, however often the machine tells it."""
        known, self.endings[number] = self.endings[number], ending
        if isinstance(known, NotReached):
            if isinstance(ending, Ended):
                self._host.learn(self.steps[number], ending)
            self._told(number, ending)


def _is_lost(error: HostError) -> bool:
    """Whether a link broke that there was."""
    return error.code == "unavailable" and error.may_exist


def _superseded(name: str) -> HostError:
    return HostError(
        "conflict",
        "Another run works on a machine",
        detail=f"On {name} a newer run of the same stack has begun to work, so this one does nothing more there.",
        hint="See who it is:\n  purvey runs",
    )
