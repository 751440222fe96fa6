"""A command with examples in its help, because people copy before they read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

Examples = Sequence[tuple[str, str]]
"""Command lines, and what each is for."""


class Command(click.Command):
    """A command whose help ends with examples.

    Args:
        examples: Command lines and what each is for.
        args: As click's.
        kwargs: As click's.
    """

    def __init__(self, *args: Any, examples: Examples = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = examples

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples."""
        write_examples(formatter, self.examples)


def write_examples(formatter: click.HelpFormatter, examples: Examples) -> None:
    """Write examples as a section, commands left and meanings right."""
    if not examples:
        return
    width = max(len(line) for line, _ in examples)
    with formatter.section("Examples"):
        for line, meaning in examples:
            formatter.write(f"  {line.ljust(width)}   {meaning}".rstrip() + "\n")
