"""``purvey drift``: what has become different."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

import click

from purvey._report.document import plan_document
from purvey._report.drift_text import drift_page
from purvey._session import Plan, Session
from purvey.cli import complete, options
from purvey.cli.looking import looking
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

    Each object that is recorded of the stack is read and compared with the record: gone, different, or unreadable. What the
    script declares, and its parameters, play no part. An apply with the parameters of the last one brings back what is
    recorded, and exactly that.
    """
    found = read_words(words, explicit)
    options.no_more(found.rest)
    script = options.script(found.first)
    with looking() as observer:
        session = Session(script, observer=observer)
        plan = session.drift(script, env=env, function=function, parameters=found.parameters)
    screen = Screen.of(as_json=as_json)
    if as_json:
        screen.document(plan_document(plan))
    else:
        explicit = explicit if found.parameters else _last_given(session, plan)
        screen.page(drift_page(plan, _repair(words, explicit, env, function)))
    return EXIT_PENDING if exit_code and plan.changes else 0


def _repair(words: Sequence[str], explicit: Sequence[str], env: str, function: str) -> str:
    """The apply that has the script and the parameters of this command line."""
    given = [part for item in explicit for part in ("-p", item)]
    chosen = ["--function", function] if function else []
    return shlex.join(["purvey", "apply", *words, *given, "-e", env, *chosen])


def _last_given(session: Session, plan: Plan) -> tuple[str, ...]:
    """The parameters of the stack's last apply that stood on its command line: others would declare something else."""
    name, _, env = plan.stack.rpartition("/")
    last = next((run for run in session.runs(stack=name, env=env) if run.verb == "apply" and run.result == "succeeded"), None)
    given: Any = last.parameters if last is not None else {}
    return tuple(f"{name}={item['value']}" for name, item in given.items() if item["origin"].startswith("-"))
