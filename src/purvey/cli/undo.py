"""``purvey undo``: take back this run."""

from __future__ import annotations

import click

from purvey._report.document import plan_document
from purvey._report.text import plan_page
from purvey._session import RunHistory, Session
from purvey.cli import complete, options
from purvey.cli.ask import Asker
from purvey.cli.changing import change
from purvey.cli.command import Command
from purvey.cli.screen import Screen
from purvey.cli.targets import target_of


@click.command(
    cls=Command,
    examples=(
        ("purvey undo 01JD8ZK3", "take back this run; the beginning of its id is enough"),
        ("purvey undo 01JD8ZK3 --plan", "what that would do; changes nothing"),
        ("purvey undo 01JD8ZK3 --only files.File::motd", "only this, and what the run built on it"),
        ("purvey undo shop.py -e prod", "take back the last run of this environment that changed something"),
        ("purvey undo --stack shop -e prod", "the same, without the script"),
    ),
)
@click.argument("target", default="", metavar="[RUN|SCRIPT]", shell_complete=complete.targets)
@options.STACK
@options.ENV
@options.FUNCTION
@click.option("--plan", "plan_only", is_flag=True, help="Show what would be done, and change nothing.")
@click.option(
    "--only",
    multiple=True,
    metavar="ADDRESS",
    shell_complete=complete.addresses,
    help="Take back only what the run did there, and what it built on that; repeatable.",
)
@options.YES
@options.ALLOW_FINAL
@options.PARALLEL
@options.WAIT
@options.JSON
def command(
    *, target: str, stack: str, env: str, function: str, plan_only: bool, only: tuple[str, ...], yes: bool,
    allow_final: bool, parallel: int | None, wait: bool, as_json: bool,
) -> int:  # fmt: skip
    """Take back what a run did.

    What it created is deleted, what it changed gets its former values, newest first, steps included. Without a run's id it is
    the stack's last run that changed something. It is refused where a later run changed objects or built on them. What an undo
    could not take back it tries again when it is asked again.
    """
    meant = target_of(target, stack=stack, env=env, function=function)
    if plan_only:
        plan = Session(meant.script).undo_plan(meant, only=only)
        screen = Screen.of(as_json=as_json)
        if as_json:
            screen.document(plan_document(plan))
        else:
            screen.page(plan_page(plan))
        return 0

    def work(session: Session, asker: Asker) -> RunHistory:
        return session.undo(meant, approve=asker, parallel=parallel, wait=wait, only=only, final=asker.final)

    return change(work, start=meant.script, yes=yes, as_json=as_json, verb="undo", run=meant.run, allow_final=allow_final)
