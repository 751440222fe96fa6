"""``purvey destroy``: the end of a stack."""

from __future__ import annotations

from typing import Any

import click

from purvey._session import RunHistory, Selection, Session
from purvey.cli import complete, options
from purvey.cli.ask import STANDING, Asker
from purvey.cli.changing import change
from purvey.cli.command import Command
from purvey.cli.targets import target_of


@click.command(
    cls=Command,
    examples=(
        ("purvey destroy shop.py -e pr-123", "everything that this environment has"),
        ("purvey destroy --stack shop -e pr-123", "the same, without the script"),
        ("purvey destroy shop.py --target 'files.*'", "only some of it"),
        ("purvey destroy shop.py -e pr-123 --yes --max-deletes 20", "without asking, and no more than expected"),
    ),
)
@click.argument("target", default="", metavar="[RUN|SCRIPT]", shell_complete=complete.targets)
@options.STACK
@options.ENV
@options.FUNCTION
@options.YES
@options.SELECTION
@options.MAX_DELETES
@options.PARALLEL
@options.WAIT
@options.JSON
def command(*, target: str, stack: str, env: str, function: str, yes: bool, as_json: bool, **given: Any) -> int:
    """Remove everything that a stack has.

    What depends on something goes before it. Protected objects refuse, with the line that protects them; more than ten
    deletions ask for their number. It needs the state and its key, not the script. It cannot be undone.
    """
    meant = target_of(target, stack=stack, env=env, function=function)

    def work(session: Session, asker: Asker) -> RunHistory:
        return session.destroy(
            meant, approve=asker, selection=Selection(given["targets"], given["excludes"]), parallel=given["parallel"],
            wait=given["wait"], standing=STANDING if yes else "", max_deletes=given["max_deletes"],
        )  # fmt: skip

    return change(work, start=meant.script, yes=yes, as_json=as_json, verb="destroy")
