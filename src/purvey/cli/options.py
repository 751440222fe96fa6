"""The options that several commands share, each written once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from purvey.cli import complete

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
Decorator = Callable[[Decorated], Decorated]

ENV: Final = click.option(
    "-e", "--env", default="dev", metavar="NAME", show_default=True, shell_complete=complete.environments,
    help="The environment.",
)  # fmt: skip
JSON: Final = click.option("--json", "as_json", is_flag=True, help="Print one JSON document for programs.")
FUNCTION: Final = click.option("--function", default="", metavar="NAME", help="The stack, where the script has several.")
STACK: Final = click.option("--stack", default="", metavar="NAME", help="A stack by its name, instead of its script.")
YES: Final = click.option("-y", "--yes", is_flag=True, help="Do not ask; the plan is approved beforehand.")
WAIT: Final = click.option("--wait", is_flag=True, help="Queue while another run holds the stack.")
PARALLEL: Final = click.option(
    "--parallel", type=click.IntRange(1, 1000), metavar="N", help="Operations in flight at once.  [default: 16]"
)
MAX_DELETES: Final = click.option(
    "--max-deletes", type=click.IntRange(0), metavar="N",
    help="Refuse to delete and replace more objects than this.  [default: what purvey.toml says, or no limit]",
)  # fmt: skip
ALLOW_FINAL: Final = click.option("--allow-final", is_flag=True, help="Agree beforehand to losing data that nothing restores.")
ON_FAILURE: Final = click.option(
    "--on-failure", type=click.Choice(["undo", "keep", "continue"]),
    help="What to do when an operation fails.  [default: undo]",
)  # fmt: skip
REFRESH: Final = click.option(
    "--refresh/--no-refresh", default=True, show_default=True, help="Read the world first, or believe the record."
)
CHECK_ALL: Final = click.option("--check-all", is_flag=True, help="Run every check, also where nothing changes.")
EXIT_CODE: Final = click.option("--exit-code", is_flag=True, help="End with 2 when there is something to do.")
TARGET: Final = click.option(
    "--target", "targets", multiple=True, metavar="PATTERN",
    help="Only these: a glob over addresses, a kind, or a name; repeatable.",
)  # fmt: skip
EXCLUDE: Final = click.option("--exclude", "excludes", multiple=True, metavar="PATTERN", help="All but these; repeatable.")
PARAM: Final = click.option(
    "-p", "--param", "explicit", multiple=True, metavar="NAME=VALUE",
    help="A parameter that is called like an option of purvey.",
)  # fmt: skip


def together(*options: Callable[[Any], Any]) -> Callable[[Decorated], Decorated]:
    """One decorator for several options, shown in the order given."""

    def decorate(function: Decorated) -> Decorated:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


SCRIPT: Final = together(ENV, FUNCTION, PARAM)
"""What every command with a script takes."""

SELECTION: Final = together(TARGET, EXCLUDE)


def no_more(rest: Sequence[str]) -> None:
    """Refuse words that have no meaning.

    Raises:
        UsageError: if there are any.
    """
    if rest:
        raise click.UsageError(f"Nothing is known about {rest[0]!r} here. A parameter is written --NAME VALUE.")


def script(word: str) -> Path:
    """The script that a command line names.

    Raises:
        UsageError: if it names none, or a folder.
    """
    if not word:
        raise click.UsageError("Name the script.")
    path = Path(word)
    if path.is_dir():
        raise click.UsageError(f"{word} is a folder. Name the script in it.")
    return path
