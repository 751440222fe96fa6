"""``purvey resume``: go on with this run."""

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
        ("purvey resume 01JD8ZK3", "go on with this run; the beginning of its id is enough"),
        ("purvey resume shop.py -e prod", "with the unfinished run of this environment"),
        ("purvey resume --stack shop -e prod", "the same, without the script"),
    ),
)
@click.argument("target", default="", metavar="[RUN|SCRIPT]", shell_complete=complete.targets)
@options.STACK
@options.ENV
@options.FUNCTION
@options.YES
@options.ALLOW_FINAL
@options.PARALLEL
@options.WAIT
@options.JSON
def command(
    *, target: str, stack: str, env: str, function: str, yes: bool, allow_final: bool, parallel: int | None, wait: bool,
    as_json: bool,
) -> int:  # fmt: skip
    """Go on with a run that was killed, interrupted, parked or kept.

    It is found out what became of what was in flight, and the run goes on with the script, the parameters and the look-ups that
    it began with. A run that had begun to take itself back goes on with that.
    """
    meant = target_of(target, stack=stack, env=env, function=function)

    def work(session: Session, asker: Asker) -> RunHistory:
        return session.resume(meant, approve=asker, parallel=parallel, wait=wait, final=asker.final)

    return change(work, start=meant.script, yes=yes, as_json=as_json, verb="resume", run=meant.run, allow_final=allow_final)
