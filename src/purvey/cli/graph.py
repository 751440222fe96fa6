"""``purvey graph``: a picture of a script."""

from __future__ import annotations

from pathlib import Path

import click

from purvey._base.writing import require_place, writing
from purvey._report.document import graph_document, to_json
from purvey._report.dot import to_dot
from purvey._report.picture import actions_of, picture
from purvey._report.svg import to_svg
from purvey._session import Session
from purvey.cli import complete, options
from purvey.cli.script_command import ScriptCommand
from purvey.cli.words import read_words

FORMATS = ("svg", "dot", "json")


@click.command(
    cls=ScriptCommand,
    examples=(
        ("purvey graph shop.py -e prod -o shop.svg", "a picture for a browser"),
        ("purvey graph shop.py --format dot | dot -Tpdf > shop.pdf", "with Graphviz"),
        ("purvey graph shop.py --format json", "nodes and edges, for programs"),
    ),
)
@click.argument(
    "words", nargs=-1, type=click.UNPROCESSED, metavar="SCRIPT [--PARAMETER VALUE]...", shell_complete=complete.scripts
)
@options.SCRIPT
@click.option("--format", "form", type=click.Choice(FORMATS), help="By default as the file is called, else dot.")
@click.option("-o", "--out", type=click.Path(dir_okay=False, path_type=Path), help="A file instead of standard output.")
def command(
    *, words: tuple[str, ...], env: str, function: str, explicit: tuple[str, ...], form: str | None, out: Path | None
) -> int:
    """Draw what a script declares, and what depends on what.

    Arrows run from what is needed to what needs it. Colours say what an apply would do, as far as the record tells without
    reading the world.
    """
    found = read_words(words, explicit)
    options.no_more(found.rest)
    script = options.script(found.first)
    wanted = form or _format_of(out)
    if out is not None:
        require_place(out)
    graph, plan = Session(script).graph(script, env=env, function=function, parameters=found.parameters)
    if wanted == "json":
        text = to_json(graph_document(graph, actions_of(plan)))
    else:
        drawn = picture(graph, plan)
        text = to_svg(drawn) if wanted == "svg" else to_dot(drawn)
    if out is None:
        click.echo(text, nl=False)
    else:
        with writing(out):
            out.write_text(text, encoding="utf-8")
    return 0


def _format_of(out: Path | None) -> str:
    """The format that a file is called after; DOT for standard output and for a name without an ending."""
    ending = out.suffix[1:] if out is not None else ""
    if ending and ending not in FORMATS:
        raise click.UsageError(f"{out}: .{ending} is not a format; there is {', '.join(FORMATS)}, or say --format.")
    return ending or "dot"
