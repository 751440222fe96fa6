"""How a failure is told: on one screen for people, as one document for programs; with the exit code of its family."""

from __future__ import annotations

import os
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from purvey._report.document import error_document, to_json
from purvey._report.errors_text import error_page, excerpt_from
from purvey.cli.screen import Screen
from purvey.errors import PurveyError, ScriptError

EXIT_INTERRUPTED: Final = 13

_PACKAGE: Final = Path(__file__).parents[1]


def tell(error: PurveyError, words: Sequence[str]) -> int:
    """Tell an error that purvey raised on purpose.

    Args:
        error: The error.
        words: The command line.

    Returns:
        The exit code.
    """
    if "--json" in words:
        click.echo(to_json(error_document(error)), nl=False)
    else:
        Screen.errors().page(error_page(error, excerpt_from(_folder(words))))
    if os.environ.get("PURVEY_DEBUG"):
        traceback.print_exception(error)
    return error.exit_code


def tell_usage(error: click.ClickException, words: Sequence[str]) -> int:
    """Tell a wrong command line as an error of purvey."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    hint = f"See\n\n    {context.command_path} --help" if context is not None else ""
    told = ScriptError("script.usage", "The command line is not understood", detail=error.format_message(), hint=hint)
    return tell(told, words)


def tell_interrupted(words: Sequence[str]) -> int:
    """Tell that somebody stopped a command that had no run to stop."""
    if "--json" not in words:
        click.echo("Interrupted.", err=True)
        return EXIT_INTERRUPTED
    error = PurveyError("interrupted.early", "The command was interrupted", hint="Repeat it; `purvey runs` lists what is open.")
    error.exit_code = EXIT_INTERRUPTED
    return tell(error, words)


def left_at_once(run: str, advice: str) -> PurveyError:
    """That somebody asked a second time, and nobody waited for the end of what was in flight.

    Args:
        run: The run's id; empty if it has none yet.
        advice: The command that settles it.
    """
    error = PurveyError(
        "interrupted.left_at_once",
        "The command was left at once, and its run has not ended",
        detail=f"Run {run} is open: what was in flight may have happened." if run else "",
        hint=f"What was in flight is settled by\n\n    {advice}",
    )
    error.exit_code = EXIT_INTERRUPTED
    return error


def tell_bug(error: Exception, words: Sequence[str]) -> int:
    """Tell an exception that nobody expected: its type and its place in purvey, and nothing that it says.

    Its own text could hold a path, or a value that is nobody's business.
    """
    return tell(UnexpectedError(error), words)


class UnexpectedError(PurveyError):
    """An exception that nobody expected.

    Args:
        error: The exception.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__(
            "internal.unexpected",
            "purvey failed in a way that it should not",
            detail=f"{type(error).__name__} in {_place(error)}. This is a bug in purvey.",
            hint="Nothing that was done is lost: what a run did is in its journal. With PURVEY_DEBUG=1 the same command "
            "shows the whole traceback, which helps whoever mends it.",
        )
        self.__cause__ = error


def _place(error: Exception) -> str:
    """The innermost module of purvey in the traceback, and the line."""
    place = "a module outside purvey"
    for frame in traceback.extract_tb(error.__traceback__):
        path = Path(frame.filename)
        if path.is_relative_to(_PACKAGE):
            module = ".".join(path.relative_to(_PACKAGE.parent).with_suffix("").parts)
            place = f"{module}, line {frame.lineno}"
    return place


def _folder(words: Sequence[str]) -> Path | None:
    """The folder of the script that the command line names."""
    for word in words:
        if word.endswith(".py") and Path(word).is_file():
            return Path(word).parent
    return None
