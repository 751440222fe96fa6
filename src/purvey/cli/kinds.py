"""``purvey kinds``: what a script can declare."""

from __future__ import annotations

import click

from purvey._report.document import kinds_document
from purvey._report.kinds_text import kind_page, kinds_page
from purvey._session.kinds import families, kinds
from purvey.cli import complete, options
from purvey.cli.command import Command
from purvey.cli.screen import Screen


@click.command(
    cls=Command,
    examples=(
        ("purvey kinds", "all, a line each"),
        ("purvey kinds files", "those of one family"),
        ("purvey kinds files.Line", "one, with its inputs and outputs"),
        ("purvey kinds --json", "one document with all of it, for programs"),
    ),
)
@click.argument("name", default="", metavar="[FAMILY|KIND]", shell_complete=complete.kinds)
@options.JSON
def command(*, name: str, as_json: bool) -> int:
    """Show what a script can declare, with all inputs and outputs.

    Without a name there is a line for each kind; with one, all of it: types, defaults, what each means, and an example.
    """
    found, screen = kinds(name), Screen.of(as_json=as_json)
    if as_json:
        screen.document(kinds_document(found))
    else:
        screen.page(kinds_page(found) if name in ("", *families()) else kind_page(found[0]))
    return 0
