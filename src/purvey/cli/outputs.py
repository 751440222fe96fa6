"""``purvey outputs``: what a stack returned."""

from __future__ import annotations

import click

from purvey._report.document import outputs_document, to_json, value_document
from purvey._report.run_text import outputs_lines
from purvey._report.style import Page
from purvey._report.values import is_secret
from purvey._session import Session
from purvey.cli import complete, options
from purvey.cli.command import Command
from purvey.cli.screen import Screen
from purvey.cli.targets import target_of


@click.command(
    cls=Command,
    examples=(
        ("purvey outputs shop.py -e prod", "all, secrets masked"),
        ("purvey outputs shop.py -e prod --json", "one JSON object, for programs"),
        ("purvey outputs shop.py -e prod --name url", "one value alone, for a shell"),
    ),
)
@click.argument("target", default="", metavar="[RUN|SCRIPT]", shell_complete=complete.targets)
@options.STACK
@options.ENV
@options.FUNCTION
@click.option("--name", default="", metavar="NAME", help="Print only this output, text without quotes.")
@click.option("--reveal", is_flag=True, help="Print secrets in clear.")
@options.JSON
def command(*, target: str, stack: str, env: str, function: str, name: str, reveal: bool, as_json: bool) -> int:
    """Print a stack's outputs.

    They are those of the last run that succeeded. Secrets are masked unless you ask for them.
    """
    meant = target_of(target, stack=stack, env=env, function=function)
    found = Session(meant.script).outputs(meant, revealed=reveal)
    if name:
        if name not in found:
            raise click.UsageError(f"There is no output {name!r}; there is {', '.join(found) or 'none'}.")
        value = found[name]
        if is_secret(value) and not reveal:
            raise click.UsageError(f"The output {name!r} is a secret. Add --reveal to print it in clear.")
        click.echo(value if isinstance(value, str) and not as_json else to_json(value_document(value)).rstrip("\n"))
        return 0
    screen = Screen.of(as_json=as_json)
    if as_json:
        screen.document(outputs_document(found))
        return 0
    page = Page()
    if found:
        outputs_lines(page, found, "purvey outputs --json")
    else:
        page.add("The stack has no outputs, or was not applied yet.")
    screen.page(page)
    return 0
