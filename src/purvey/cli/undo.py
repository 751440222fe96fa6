"""``purvey undo``: take back this run."""

from __future__ import annotations

import click

from purvey._session import RunHistory, Session
from purvey.cli import complete, options
from purvey.cli.ask import Asker
from purvey.cli.changing import change
from purvey.cli.command import Command
from purvey.cli.targets import target_of


@click.command(
    cls=Command,
    examples=(
        ("purvey undo 01JD8ZK3", "take back this run; the beginning of its id is enough"),
        ("purvey undo shop.py -e prod", "take back the last run of this environment"),
        ("purvey undo --stack shop -e prod", "the same, without the script"),
    ),
)
@click.argument("target", default="", metavar="[RUN|SCRIPT]", shell_complete=complete.targets)
@options.STACK
@options.ENV
@options.FUNCTION
@options.YES
@options.PARALLEL
@options.WAIT
@options.JSON
def command(
    *, target: str, stack: str, env: str, function: str, yes: bool, parallel: int | None, wait: bool, as_json: bool
) -> int:
    """Take back what a run did.

    What it created is deleted, what it changed gets its former values, newest first, steps included. Without a run's id it is
    the stack's last run. It is refused for objects that a later run changed.
    """
    meant = target_of(target, stack=stack, env=env, function=function)

    def work(session: Session, asker: Asker) -> RunHistory:
        return session.undo(meant, approve=asker, parallel=parallel, wait=wait)

    return change(work, start=meant.script, yes=yes, as_json=as_json, verb="undo", run=meant.run)
