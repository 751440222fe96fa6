"""``purvey store``: care for the store that holds the record."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import click

from purvey._report.document import FORMAT, store_document, verdict_document
from purvey._report.state_text import store_page
from purvey._report.style import Page, bad, good
from purvey._session import Repair, Session
from purvey.cli import options
from purvey.cli.command import Command
from purvey.cli.screen import Screen
from purvey.cli.state import said

EXIT_UNSOUND: Final = 5
"""As for every error of the store, and as for a stack that is busy."""


@click.group()
def command() -> None:
    """Verify, repair, copy and move the store, and change its key.

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
        _listed(page, found)
        if found:
            page.add()
            page.add("What the journal proves is made anew from it by")
            page.add()
            page.add("    purvey store repair")
        screen.page(page)
    return EXIT_UNSOUND if found else 0


@command.command(
    cls=Command,
    examples=(
        ("purvey store repair", "0: sound, 5: something is left"),
        ("purvey store repair --wait", "queue for stacks that are busy"),
    ),
)
@options.WAIT
@options.JSON
def repair(*, wait: bool, as_json: bool) -> int:
    """Make anew what is wrong and the journal proves.

    Indices are made from their tables, and what is remembered of each object from the journal of all runs, added up again, if
    every record of it is as it was written. A stack whose journal is damaged or incomplete itself is left as it is, and so are
    tags and kept scripts, for nothing else says what was in them; that takes a backup.
    """
    done = Session().store_repair(wait=wait, progress=_looked_at)
    screen = Screen.of(as_json=as_json)
    if as_json:
        screen.document({"format": FORMAT, **done._asdict()})
    else:
        screen.page(_repaired(done))
    return 0 if done.sound else EXIT_UNSOUND


def _looked_at(stack: str) -> None:
    click.echo(f"  {stack}", err=True)


def _repaired(done: Repair) -> Page:
    page = Page()
    if done.rebuilt:
        page.add("Made anew, so that this is not so any more:")
        _listed(page, done.rebuilt)
    if done.kept:
        page.add("Left as it is:")
        _listed(page, done.kept)
    if done.busy:
        page.add(f"Busy, so not looked at: {', '.join(done.busy)}. When they have ended, say the command again.")
    page.add(good("The store is sound") if done.sound else bad("The store is still damaged"), ".")
    _listed(page, done.left)
    if done.left and not done.busy:
        page.add("The store itself does not say how this was. Keep a copy of it, and put a backup in its place.")
    return page


def _listed(page: Page, sentences: Iterable[str]) -> None:
    for sentence in sentences:
        page.add(f"  {sentence}")


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


@command.command(
    cls=Command,
    examples=(
        ("purvey store rotate-key", "a new key; runs go on meanwhile"),
        ("purvey store rotate-key --wait", "queue for stacks that are busy"),
    ),
)
@options.WAIT
@options.JSON
def rotate_key(*, wait: bool, as_json: bool) -> int:
    """Change the key of the store.

    All that is written from now on is written under a new key, by every run; what is there is written anew, and the former key
    is put aside for backups that were made before. A stack that is busy is left for the next time: say the command again. Plan
    files that were made before cannot be applied afterwards.

    A store on a server gets its key in two steps, because every machine needs it: the first makes it and says so.
    """
    rotation = Session().store_rotate_key(wait=wait, progress=_told)
    if as_json:
        told = rotation._asdict() | {"aside": str(rotation.aside) if rotation.aside is not None else None}
        Screen.of(as_json=True).document({"format": FORMAT, **told})
    else:
        said(_ROTATED[rotation.result].format(**rotation._asdict(), stacks=", ".join(rotation.busy)))
        if rotation.aside is not None:
            said(_ASIDE.format(aside=rotation.aside))
        elif rotation.result == "done" and rotation.place.endswith("PURVEY_KEY"):
            said(_GIVEN)
    return EXIT_UNSOUND if rotation.result == "busy" else 0


_ROTATED: Final = {
    "done": "The store's key is {key_id} now, in {place}; {rows} rows are written anew.",
    "prepared": "The new key, {key_id}, is in {place}, beside the one in use. Bring that file to every machine that uses the "
    "store; then change the key:\n\n    purvey store rotate-key",
    "busy": "The store's key is {key_id} now, in {place}; {rows} rows are written anew. Busy, so not finished: {stacks}. The "
    "former key is still needed. When they have ended:\n\n    purvey store rotate-key",
}
_ASIDE: Final = "The former key is in {aside}, for backups that were made before; remove it when you need none of them."
_GIVEN: Final = "The former key is not needed any more: take it out of PURVEY_KEY."


def _told(stack: str, rows: int) -> None:
    """Tell how far it is."""
    click.echo(f"  {rows:,} rows written anew; at {stack}", err=True)


@command.command(
    cls=Command,
    examples=(
        ('purvey store migrate --to "$SERVER"', "to a server, for several machines"),
        ("purvey store migrate --to /srv/purvey", "to a folder"),
    ),
)
@click.option("--to", "place", required=True, metavar="PLACE", help="A folder, or the address of a server.")
@options.JSON
def migrate(*, place: str, as_json: bool) -> int:
    """Move the store, with all that it remembers.

    The place must not have a store yet. All is copied and proved to be sound there, or nothing is; then nobody uses the old
    store any more, which stays as it was. No run may be under way. The key is not moved: it stays where it is.
    """
    location = Session().store_migrate(place)
    if as_json:
        Screen.of(as_json=True).document({"format": FORMAT, "location": location})
        return 0
    return said(
        f"The store is at {location} now, and sound. Tell purvey where it is:\n\n    {_named(place)}\n\n"
        "The old one is left as it was, and refuses to be used."
    )


def _named(place: str) -> str:
    """How purvey is told of a place."""
    if "://" in place:
        return f"export PURVEY_STORE={shlex.quote(place)}"
    return f"echo 'store = \"{place}\"' >> purvey.toml"
