"""``purvey plan``: what would change."""

from __future__ import annotations

import shlex
from functools import partial
from pathlib import Path
from typing import Final

import click

from purvey._report.document import plan_document
from purvey._report.style import Page, bold
from purvey._report.text import plan_page
from purvey._session import Plan, Selection, Session
from purvey.cli import complete, options
from purvey.cli.ask import EXIT_REFUSED
from purvey.cli.looking import looking
from purvey.cli.screen import Screen
from purvey.cli.script_command import ScriptCommand
from purvey.cli.words import read_words

EXIT_PENDING: Final = 2


@click.command(
    cls=ScriptCommand,
    examples=(
        ("purvey plan shop.py -e prod", "what an apply would do"),
        ("purvey plan shop.py -e prod --workers 4", "with a parameter of the script"),
        ("purvey plan shop.py -e prod -o shop.purvey", "keep it, to apply exactly this later"),
        ("purvey plan shop.py -e prod --exit-code", "0: nothing to do, 2: changes pending, 4: an apply would be refused"),
    ),
)
@click.argument(
    "words", nargs=-1, type=click.UNPROCESSED, metavar="SCRIPT [--PARAMETER VALUE]...", shell_complete=complete.scripts
)
@options.SCRIPT
@options.SELECTION
@options.REFRESH
@options.CHECK_ALL
@options.MAX_DELETES
@click.option("-o", "--out", type=click.Path(dir_okay=False, path_type=Path), help="Write the plan to a file, sealed.")
@options.EXIT_CODE
@options.JSON
def command(
    *, words: tuple[str, ...], env: str, function: str, explicit: tuple[str, ...], targets: tuple[str, ...],
    excludes: tuple[str, ...], refresh: bool, check_all: bool, max_deletes: int | None, out: Path | None,
    exit_code: bool, as_json: bool,
) -> int:  # fmt: skip
    """Show what would change, why, and how it would be undone.

    The script is run against what is recorded and what is there now. Nothing is changed and nothing is written down; checks are
    listed and not run. What is risky stands first.
    """
    found = read_words(words, explicit)
    options.no_more(found.rest)
    script = options.script(found.first)
    selection = Selection(targets, excludes)
    with looking() as observer:
        session = Session(script, observer=observer)
        make = partial(session.save_plan, out) if out is not None else session.plan
        plan = make(
            script, env=env, function=function, parameters=found.parameters, selection=selection, refresh=refresh,
            check_all=check_all, max_deletes=max_deletes,
        )  # fmt: skip
    _show(plan, out, as_json=as_json)
    if exit_code and plan.refusals:
        return EXIT_REFUSED
    return EXIT_PENDING if exit_code and (not plan.is_empty or plan.pauses) else 0


def _show(plan: Plan, out: Path | None, *, as_json: bool) -> None:
    screen = Screen.of(as_json=as_json)
    if as_json:
        screen.document(plan_document(plan))
        return
    page = plan_page(plan)
    if out is not None:
        page.extend(_saved(out).lines)
    screen.page(page)


def _saved(out: Path) -> Page:
    page = Page()
    page.add()
    page.add("The plan is in ", bold(str(out)), ". Apply exactly this with")
    page.add()
    page.add(f"    purvey apply {shlex.quote(str(out))}")
    return page
