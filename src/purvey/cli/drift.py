"""``purvey drift``: what has become different."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

import click

from purvey._report.document import plan_document
from purvey._report.drift_text import drift_page
from purvey._session import Session
from purvey.cli import complete, options
from purvey.cli.plan import EXIT_PENDING
from purvey.cli.screen import Screen
from purvey.cli.script_command import ScriptCommand
from purvey.cli.words import read_words


@click.command(
    cls=ScriptCommand,
    examples=(
        ("purvey drift shop.py -e prod", "what somebody or something changed"),
        ("purvey drift shop.py -e prod --exit-code", "0: nothing, 2: something"),
        ("purvey apply shop.py -e prod", "bring it back"),
    ),
)
@click.argument(
    "words", nargs=-1, type=click.UNPROCESSED, metavar="SCRIPT [--PARAMETER VALUE]...", shell_complete=complete.scripts
)
@options.SCRIPT
@options.EXIT_CODE
@options.JSON
def command(
    *, words: tuple[str, ...], env: str, function: str, explicit: tuple[str, ...], exit_code: bool, as_json: bool
) -> int:
    """Show what was changed outside purvey; changes nothing.

    Each recorded object is read and compared with the record: gone, different, or unreadable. An apply brings back what is
    recorded, and exactly that.
    """
    found = read_words(words, explicit)
    options.no_more(found.rest)
    script = options.script(found.first)
    plan = Session(script).drift(script, env=env, function=function, parameters=found.parameters)
    screen = Screen.of(as_json=as_json)
    if as_json:
        screen.document(plan_document(plan))
    else:
        screen.page(drift_page(plan, _repair(words, explicit, env, function)))
    return EXIT_PENDING if exit_code and plan.changes else 0


def _repair(words: Sequence[str], explicit: Sequence[str], env: str, function: str) -> str:
    """The apply that has the script and the parameters of this command line."""
    given = [part for item in explicit for part in ("-p", item)]
    chosen = ["--function", function] if function else []
    return shlex.join(["purvey", "apply", *words, *given, "-e", env, *chosen])
