"""Who says yes: a person at a terminal, or ``--yes``; without either the run waits, and the answer is a command."""

from __future__ import annotations

import select
import shlex
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from purvey._report.style import Page, bold
from purvey._report.text import plan_page
from purvey._session import AwaitsApproval, OnFinal, Plan
from purvey.cli.screen import Screen

EXIT_REFUSED: Final = 4
EXIT_AWAITS_APPROVAL: Final = 15

STANDING: Final = "--yes"
"""Who approved, where the answer was given beforehand."""

DELETES_ASKED_TWICE: Final = 10
"""A plan that takes away more objects than this asks for their number, because a habit types `y`."""


TURN_S: Final = 0.2
"""Seconds after which a Ctrl-C is noticed at the latest."""


class Asker:
    """Shows each stage's plan and gets an answer.

    Args:
        screen: Where the plan is shown.
        quiet: Takes a live picture away before a person is asked.
        yes: Whether the answer is given beforehand.
        allow_final: Whether that includes losing data that nothing restores.
    """

    def __init__(self, screen: Screen, quiet: Callable[[], None], *, yes: bool, allow_final: bool = False) -> None:
        self._screen = screen
        self._quiet = quiet
        self._yes = yes
        self.final: OnFinal = "allow" if allow_final else "refuse" if yes else "ask"
        self.said_no = False
        self.plan: Plan | None = None

    def __call__(self, plan: Plan) -> str | None:
        """Who approved the plan; None if there is nobody to ask.

        Raises:
            AwaitsApproval: if a person said no, which no approval given beforehand overrules.
        """
        self._quiet()
        self.plan = plan
        self._screen.gap()
        self._screen.page(plan_page(plan))
        self._screen.gap()
        if self._yes:
            return STANDING
        if not (sys.stdin.isatty() and self._screen.is_terminal):
            return None
        if self._ask(plan):
            return "asked at a terminal"
        self.said_no = True
        raise AwaitsApproval(plan)

    def unanswered(self, command: Sequence[str]) -> int:
        """Tell that the run waits, and the command that goes on when it is repeated with an approval; return the exit code."""
        page = Page()
        if self.said_no:
            page.add(bold("Not approved."), " Nothing of this plan was done.")
        else:
            page.add(bold("This plan awaits approval."), " There is no terminal to ask on, so nothing of it was done.")
            page.add("To approve it, run")
            page.add()
            loses = ["--allow-final"] if self.plan is not None and self.plan.losses and self.plan.verb != "destroy" else []
            page.add(f"    {shlex.join([*command, STANDING, *loses])}")
        self._screen.page(page)
        return EXIT_REFUSED if self.said_no else EXIT_AWAITS_APPROVAL

    def _ask(self, plan: Plan) -> bool:
        lost = len(plan.losses)
        if lost and self.final == "ask":
            question = f"The data of {lost} object{'' if lost == 1 else 's'} is lost for good. Type yes to agree: "
            if self._answer(question) != "yes":
                return False
        removed = sum(change.removes for change in plan.changes)
        if removed > DELETES_ASKED_TWICE:
            return self._answer(f"This deletes {removed} objects. Type {removed} to go ahead: ") == str(removed)
        if lost and self.final == "ask":
            return True
        return self._answer("Apply these changes? [y/N]: ").lower() in ("y", "yes")

    def _answer(self, question: str) -> str:
        """What the person types; empty for Ctrl-C and for the end of input.

        The line is waited for in short turns: a Ctrl-C that comes just before a blocking read would not be seen by it.
        """
        with _interruptible():
            try:
                self._screen.stream.write(question)
                self._screen.stream.flush()
                while not select.select([sys.stdin], [], [], TURN_S)[0]:
                    pass
                return sys.stdin.readline().strip()
            except KeyboardInterrupt:
                self._screen.gap()
                return ""


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C end a question, while elsewhere in a run it only asks the run to stop."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
