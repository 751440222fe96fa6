"""``purvey show``: the story of a run."""

from __future__ import annotations

import click

from purvey._report.document import run_document
from purvey._report.run_text import show_page
from purvey._session import Session
from purvey.cli import complete, options
from purvey.cli.command import Command
from purvey.cli.screen import Screen


@click.command(
    cls=Command,
    examples=(
        ("purvey show 01JD8ZK3", "one run; the beginning of its id is enough"),
        ("purvey show 01JD8ZK3 --json", "for programs"),
    ),
)
@click.argument("run", metavar="RUN", shell_complete=complete.runs)
@options.JSON
def command(*, run: str, as_json: bool) -> int:
    """Tell what a run did, and why it ended as it did.

    What happened, what was undone, and the cause with the server's own message; then what can be done next.
    """
    if not run.strip():
        raise click.UsageError("Give a run's id; `purvey runs` lists them.")
    found = Session().show(run.upper())
    screen = Screen.of(as_json=as_json)
    if as_json:
        screen.document(run_document(found))
    else:
        screen.page(show_page(found))
    return 0
