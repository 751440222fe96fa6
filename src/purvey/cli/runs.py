"""``purvey runs``: the newest runs."""

from __future__ import annotations

import click

from purvey._report.document import runs_document
from purvey._report.run_text import runs_page
from purvey._session import Session
from purvey.cli import complete, options
from purvey.cli.command import Command
from purvey.cli.screen import Screen


@click.command(
    cls=Command,
    examples=(
        ("purvey runs", "the newest runs of the project in this folder"),
        ("purvey -C shop runs --limit 5", "of the project in another folder"),
        ("purvey runs --stack shop -e prod --json", "of one environment, for programs"),
    ),
)
@options.STACK
@click.option("-e", "--env", default="", metavar="NAME", shell_complete=complete.environments, help="Only this environment.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1), metavar="N", help="At most so many.")
@options.JSON
def command(*, stack: str, env: str, limit: int, as_json: bool) -> int:
    """List the newest runs.

    Newest first: id, stack and environment, what was asked, how it ended, when, how long it took, and who asked. An open run is
    still going on, or its process was killed.
    """
    found = Session().runs(stack=stack, env=env, limit=limit)
    screen = Screen.of(as_json=as_json)
    if as_json:
        screen.document(runs_document(found))
    else:
        screen.page(runs_page(found))
    return 0
