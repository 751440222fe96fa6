"""What apply, resume, undo and destroy have in common: show the run, ask, tell how it ended, leave with its exit code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from purvey._report.document import ended_document, plan_document
from purvey._report.run_text import ended_page, was_asked_to_undo
from purvey._session import AwaitsApproval, RunHistory, Session, Target
from purvey.cli.ask import Asker
from purvey.cli.screen import Screen
from purvey.cli.watch import Watch

Work = Callable[[Session, Asker], RunHistory]

EXITS: Final[Mapping[str, int]] = {
    "succeeded": 0,
    "undone": 10,
    "kept": 11,
    "superseded": 11,
    "parked": 12,
    "interrupted": 13,
    "partial": 14,
}
"""The exit code of each result."""


def change(work: Work, *, start: Path | None, yes: bool, as_json: bool, verb: str) -> int:
    """Do something that changes the world, and tell it.

    Args:
        work: Calls one verb of the session, with the asker as what approves.
        start: A file in the project; the working directory's project otherwise.
        yes: Whether plans are approved beforehand.
        as_json: Whether a program reads the result.
        verb: What the user typed.

    Returns:
        The exit code.
    """
    screen = Screen.of(as_json=as_json)
    watch = Watch(screen)
    asker = Asker(screen, watch.pause, yes=yes)
    session = Session(start, observer=watch)
    try:
        with watch.stopped_by_signals(session.interrupt):
            run = work(session, asker)
    except AwaitsApproval:
        watch.pause()
        return _waits(session, screen, asker, watch.run, verb)
    finally:
        watch.pause()
    outputs = _outputs(session, run)
    screen.gap()
    screen.page(ended_page(run, outputs))
    if as_json:
        screen.document(ended_document(run, outputs))
    return exit_of(run)


def exit_of(run: RunHistory) -> int:
    """The exit code of a run; one that was taken back because somebody asked for that did what it should."""
    return 0 if run.result == "undone" and was_asked_to_undo(run) else EXITS[run.result]


def _waits(session: Session, screen: Screen, asker: Asker, run: str, verb: str) -> int:
    code = asker.unanswered(run, verb)
    if screen.as_json and run:
        plan = plan_document(asker.plan) if asker.plan is not None else None
        screen.document(ended_document(session.show(run), {}) | {"plan": plan})
    return code


def _outputs(session: Session, run: RunHistory) -> dict[str, Any]:
    if run.result != "succeeded" or run.verb != "apply":
        return {}
    return session.outputs(Target(run=run.id))
