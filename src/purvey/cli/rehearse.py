"""``purvey rehearse``: whether an apply could be taken back, wherever it failed."""

from __future__ import annotations

import sys
from typing import Final

import click

from purvey._base.clock import Clock, SystemClock
from purvey._report.document import rehearsal_document
from purvey._report.rehearsal_text import rehearsal_page
from purvey._session import Selection, Session
from purvey.cli import complete, options
from purvey.cli.screen import Screen
from purvey.cli.script_command import ScriptCommand
from purvey.cli.words import read_words

EXIT_NOT_RESTORED: Final = 16
QUIET_S: Final = 2.0
"""Seconds without a word, and then between two."""


@click.command(
    cls=ScriptCommand,
    examples=(
        ("purvey rehearse shop.py -e prod", "would an undo restore everything?"),
        ("purvey rehearse shop.py -e prod --workers 4", "with a parameter of the script"),
        ("purvey rehearse shop.py -e prod --json", "for a pull request; ends with 16 if something would stay"),
    ),
)
@click.argument(
    "words", nargs=-1, type=click.UNPROCESSED, metavar="SCRIPT [--PARAMETER VALUE]...", shell_complete=complete.scripts
)
@options.SCRIPT
@options.SELECTION
@options.REFRESH
@options.JSON
def command(
    *, words: tuple[str, ...], env: str, function: str, explicit: tuple[str, ...], targets: tuple[str, ...],
    excludes: tuple[str, ...], refresh: bool, as_json: bool,
) -> int:  # fmt: skip
    """Let an apply fail after each operation in turn, in memory, and see whether its undo restores everything.

    The plan is made as for an apply; then it is performed on objects in memory that obey what their kinds declare. No step is
    executed, and nothing is changed or written down. Ends with 16 when an undo would leave, change or lose something.
    """
    found = read_words(words, explicit)
    options.no_more(found.rest)
    script = options.script(found.first)
    rehearsal = Session(script).rehearse(
        script, env=env, function=function, parameters=found.parameters, selection=Selection(targets, excludes),
        refresh=refresh, progress=Progress(SystemClock()).on,
    )  # fmt: skip
    screen = Screen.of(as_json=as_json)
    if as_json:
        screen.document(rehearsal_document(rehearsal))
    else:
        screen.page(rehearsal_page(rehearsal))
    return 0 if rehearsal.restores else EXIT_NOT_RESTORED


class Progress:
    """Says how far it is, on standard error, when it takes long.

    Args:
        clock: Tells when it does.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._told = clock.monotonic()

    def on(self, done: int, total: int) -> None:
        """Say it, unless something was said just now."""
        now = self._clock.monotonic()
        if now - self._told >= QUIET_S and done < total:
            self._told = now
            sys.stderr.write(f"Rehearsing: {done} of {total} operations have failed and been undone.\n")
            sys.stderr.flush()
