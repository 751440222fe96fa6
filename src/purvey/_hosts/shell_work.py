"""Steps that are sent to a machine, and what is known of how they ended, over as many links as it takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from purvey._hosts.command import Completed
from purvey._hosts.connector import Told
from purvey._hosts.fact import Answers
from purvey._hosts.failures import code_of, failure
from purvey._hosts.frames import Frame
from purvey._hosts.replies import answers_of, returncode
from purvey._hosts.step import Broken, Ended, Ending, Interrupted, Mismatch, NotReached, Step
from purvey.errors import HostError

_OF_AN_ENDING: Final = frozenset({"out", "err", "stats", "unseen", "digests", "unread", "answer", "content", "code"})
"""Frames that follow the end of a step, and belong to it."""


class Work:
    """The steps of one call.

    Args:
        steps: The steps.
        name: What people call the machine.
        told: Is told of each step that begins (None) and that ends, once.
    """

    def __init__(self, steps: Sequence[Step], name: str, told: Told) -> None:
        self.steps = steps
        self.endings: list[Ending] = [NotReached()] * len(steps)
        self.may_run = False
        self._name = name
        self._told = told
        self._begun: set[int] = set()
        self._ending: list[Frame] = []

    def follow(self, frame: Frame, folder: str) -> None:
        """See one frame.

        Raises:
            HostError: ``conflict`` if somebody else works there now; whatever keeps the machine from working at all.
        """
        if self._ending and frame.kind in _OF_AN_ENDING:
            self._ending.append(frame)
            return
        self._finish(folder)
        match frame.kind:
            case "ended" | "broken":
                self._ending = [frame]
            case "begun":
                self._begin(int(frame.words[0]))
            case "mismatch":
                self._end(int(frame.words[0]), Mismatch(int(frame.words[1])))
            case "interrupted":
                self._end(int(frame.words[0]), Interrupted())
            case "superseded":
                raise _superseded(self._name)
            case "unable":
                raise _unable(self._name, frame.data.decode(errors="replace"))
            case _:  # What people need not be told.
                return

    def _finish(self, folder: str) -> None:
        """The step whose frames are all there has ended."""
        if not self._ending:
            return
        first, *more = self._ending
        self._ending = []
        number, code, *change = (int(word) for word in first.words)
        texts = {frame.kind: frame.data for frame in more if frame.kind in ("out", "err")}
        said = Completed(returncode(code), texts.get("out", b""), texts.get("err", b""))
        step = self.steps[number]
        if first.kind == "broken":
            self._end(number, Broken(failure(step.changes[change[0]], said, self._name)))
        else:
            answers = Answers(answers_of(step.after, more, folder))
            self._end(number, Ended(said.stdout, said.stderr, answers, said.returncode))

    def _begin(self, number: int) -> None:
        if number not in self._begun:
            self._begun.add(number)
            self._told(number, None)

    def _end(self, number: int, ending: Ending) -> None:
        """Tell it once, however often the machine tells it."""
        known, self.endings[number] = self.endings[number], ending
        if isinstance(known, NotReached):
            self._told(number, ending)


def _superseded(name: str) -> HostError:
    return HostError(
        "conflict",
        "Another run works on a machine",
        detail=f"On {name} a newer run of the same stack has begun to work, so this one does nothing more there.",
        hint="See who it is:\n  purvey runs",
    )


def _unable(name: str, complaint: str) -> HostError:
    code = code_of(complaint)
    return HostError(
        "failed" if code == "conflict" else code,
        "A machine cannot keep a log of what is done there",
        detail=f"Nothing was done on {name}, because what is done could not be written down:\n{complaint}",
        hint="Make room, or let the user whom we work as write there.",
    )
