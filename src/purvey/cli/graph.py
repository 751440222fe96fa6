"""``purvey graph``: a picture of a script."""

from __future__ import annotations

from pathlib import Path

import click

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
    graph, plan = Session(script).graph(script, env=env, function=function, parameters=found.parameters)
    suffix = out.suffix[1:] if out is not None else ""
    wanted = form or (suffix if suffix in FORMATS else "dot")
    if wanted == "json":
        text = to_json(graph_document(graph, actions_of(plan)))
    else:
        drawn = picture(graph, plan)
        text = to_svg(drawn) if wanted == "svg" else to_dot(drawn)
    if out is None:
        click.echo(text, nl=False)
    else:
        out.write_text(text, encoding="utf-8")
    return 0
