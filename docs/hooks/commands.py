"""The list of commands, written by the commands themselves: each one's `--help`, below ``<!-- command list -->``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

MARKER = "<!-- command list -->"
WIDTH = 100


def root() -> click.Command:
    """The program's own command."""
    from purvey.cli.main import main  # noqa: PLC0415 - only the page with the list needs the program.

    return main


def told(command: click.Command, context: click.Context) -> Iterator[str]:
    """The help of a command and of all below it, each under a heading of its own."""
    level = "###" if context.parent is None or context.parent.parent is None else "####"
    yield f"{level} {context.command_path}\n\n```\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            if (inner := command.get_command(context, name)) and not inner.hidden:
                yield from told(inner, click.Context(inner, parent=context, info_name=name, terminal_width=WIDTH))


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the list where a page asks for it."""
    if MARKER not in markdown:
        return markdown
    program = root()
    context = click.Context(program, info_name="purvey", terminal_width=WIDTH)
    return markdown.replace(MARKER, "\n".join(told(program, context)))
