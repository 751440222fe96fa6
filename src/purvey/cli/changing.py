"""What apply, resume, undo and destroy have in common: show the run, ask, tell how it ended, leave with its exit code."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from purvey._report.document import FORMAT, ended_document, plan_document
from purvey._report.run_text import ended_page, was_asked_to_undo
from purvey._session import AwaitsApproval, RunHistory, Session, Target
from purvey.cli.ask import Asker
from purvey.cli.screen import Screen
from purvey.cli.targets import program
from purvey.cli.watch import Watch
from purvey.errors import StateError

Work = Callable[[Session, Asker], RunHistory]

EXITS: Final[Mapping[str, int]] = {
    "succeeded": 0,
    "undone": 10,
    "kept": 11,
    "refused": 4,
    "superseded": 11,
    "parked": 12,
    "interrupted": 13,
    "partial": 14,
}
"""The exit code of each result."""


def change(
    work: Work, *, start: Path | None, yes: bool, as_json: bool, verb: str, run: str = "", allow_final: bool = False
) -> int:  # fmt: skip
    """Do something that changes the world, and tell it.

    Args:
        work: Calls one verb of the session, with the asker as what approves.
        start: A file in the project; the working directory's project otherwise.
        yes: Whether plans are approved beforehand.
        as_json: Whether a program reads the result.
        verb: What the user typed.
        run: The run that the user named, if any.
        allow_final: Whether the user agrees to lose data that nothing restores.

    Returns:
        The exit code.
    """
    screen = Screen.of(as_json=as_json)
    watch = Watch(screen)
    asker = Asker(screen, watch.pause, yes=yes, allow_final=allow_final)
    session = Session(start, observer=watch)
    try:
        with watch.stopped_by_signals(session.interrupt, program(session)):
            ended = work(session, asker)
    except AwaitsApproval:
        watch.pause()
        return _waits(session, screen, asker, watch.run, run, verb)
    except StateError as error:
        if error.code == "state.busy":  # Only these commands can queue, so only they say so.
            error.hint += "\n\nTo queue for it, add\n\n    --wait"
        raise
    finally:
        watch.pause()
    outputs = _outputs(session, ended)
    screen.gap()
    screen.page(ended_page(ended, outputs, program=shlex.join(program(session))))
    if as_json:
        screen.document(ended_document(ended, outputs))
    return exit_of(ended)


def exit_of(run: RunHistory) -> int:
    """The exit code of a run; one that was taken back because somebody asked for that did what it should."""
    return 0 if run.result in ("undone", "kept") and was_asked_to_undo(run) else EXITS[run.result]


def _waits(session: Session, screen: Screen, asker: Asker, begun: str, named: str, verb: str) -> int:
    """Tell that a plan awaits approval: that of a run that has begun, or of one that is to be taken back."""
    plan = asker.plan
    assert plan is not None  # What awaits approval was shown.
    run = begun or named or _newest(session, plan.stack)
    code = asker.unanswered([*program(session), "resume" if begun else verb, run])
    if screen.as_json:
        told = ended_document(session.show(begun), {}) if begun else {"format": FORMAT}
        screen.document(told | {"awaits_approval": True, "plan": plan_document(plan)})
    return code


def _newest(session: Session, stack: str) -> str:
    name, _, env = stack.rpartition("/")
    return session.runs(stack=name, env=env, limit=1)[0].id


def _outputs(session: Session, run: RunHistory) -> dict[str, Any]:
    if run.result != "succeeded" or run.verb != "apply":
        return {}
    return session.outputs(Target(run=run.id))
