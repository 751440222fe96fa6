"""``purvey store``: care for the store that holds the record."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Final

import click

from purvey._report.document import store_document, verdict_document
from purvey._report.state_text import store_page
from purvey._report.style import Page, bad, good
from purvey._session import Session
from purvey.cli import options
from purvey.cli.command import Command
from purvey.cli.screen import Screen
from purvey.cli.state import said

EXIT_UNSOUND: Final = 5
"""As for every error of the store."""


@click.group()
def command() -> None:
    """Verify and copy the store that remembers it.

    It is one file of the project, `.purvey/state.db` unless purvey.toml says otherwise; its key lies outside of it.
    """


@command.command(cls=Command, examples=(("purvey store info", "where it is, its estate and key, how much it holds"),))
@options.JSON
def info(*, as_json: bool) -> int:
    """Show where the store is, what it belongs to, and how much it holds."""
    facts = Session().store_facts()
    screen = Screen.of(as_json=as_json)
    if as_json:
        screen.document(store_document(facts))
    else:
        screen.page(store_page(facts))
    return 0


@command.command(cls=Command, examples=(("purvey store verify", "0: sound, 5: something is wrong"),))
@options.JSON
def verify(*, as_json: bool) -> int:
    """Prove that the store is sound.

    The file is checked, every row against its digest, and what is remembered of each object against the journal of all runs,
    added up again. One changed bit is found and named.
    """
    found = Session().store_verify()
    screen = Screen.of(as_json=as_json)
    if as_json:
        screen.document(verdict_document(found))
    else:
        page = Page()
        page.add(bad("The store is damaged") if found else good("The store is sound"), ".")
        for sentence in found:
            page.add(f"  {sentence}")
        screen.page(page)
    return EXIT_UNSOUND if found else 0


@command.command(cls=Command, examples=(("purvey store backup /backup/shop.db", ""),))
@click.argument("file", type=click.Path(path_type=Path))
def backup(*, file: Path) -> int:
    """Copy the store to a new file, while runs go on.

    The copy has mode 0600 and does not hold the key: keep a copy of that as well. To go back, put the file in the place of the
    store.
    """
    session = Session()
    session.store_backup(file)
    key = session.store_facts().key_id
    return said(f"The store is copied to {shlex.quote(str(file))}. It is worth nothing without its key, {key}.")
