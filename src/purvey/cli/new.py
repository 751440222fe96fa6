"""``purvey new``: a project to begin with, which needs no server and no account."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Final

import click

from purvey._base.writing import writing
from purvey._report.style import Page, bold
from purvey.cli.command import Command
from purvey.cli.screen import Screen
from purvey.errors import RefusedError

STARTER: Final = Path(__file__).parent / "starter"

FILES: Final = {
    "purvey.toml": "purvey.toml.txt",
    "site.py": "site.py.txt",
    "README.md": "README.md.txt",
    ".gitignore": "gitignore.txt",
}
"""What is written, and what each is copied from."""


@click.command(
    cls=Command,
    examples=(("purvey new shop", "a project in the folder shop"), ("purvey new .", "a project in this folder")),
)
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
def command(*, directory: Path) -> int:
    """Write a starter project.

    Settings, a small script that works without any server, a README and a .gitignore. Nothing that is there is overwritten.
    """
    taken = [name for name in FILES if (directory / name).exists()]
    if taken:
        raise RefusedError(
            "refused.not_empty",
            "Files of the starter project are there already",
            reasons=[("", str(directory / name)) for name in taken],
            hint="Nothing was written. Choose another folder, or remove them first.",
        )
    with writing(directory):
        directory.mkdir(parents=True, exist_ok=True)
        for name, source in FILES.items():
            with (directory / name).open("x", encoding="utf-8") as file:
                file.write((STARTER / source).read_text(encoding="utf-8"))
    _show(directory)
    return 0


def _show(directory: Path) -> None:
    page = Page()
    page.add("A project is in ", bold(str(directory)), ". Look at site.py, then")
    page.add()
    page.add(f"    {shlex.join(['purvey', 'plan', str(directory / 'site.py')])}")
    page.add(f"    {shlex.join(['purvey', 'apply', str(directory / 'site.py')])}")
    Screen.of(as_json=False).page(page)
