"""``purvey apply``: a script, or exactly a reviewed plan."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from purvey._report.text import plan_page
from purvey._session import Plan, RunHistory, Selection, Session
from purvey.cli import complete, options
from purvey.cli.ask import STANDING, Asker
from purvey.cli.changing import change
from purvey.cli.screen import Screen
from purvey.cli.script_command import ScriptCommand
from purvey.cli.words import Words, read_words
from purvey.errors import ScriptError

PLAN_BEGINS = b"purvey plan "
"""The first bytes of a plan file; see `docs/formats/plan.md`."""


@click.command(
    cls=ScriptCommand,
    examples=(
        ("purvey apply shop.py -e prod", "plan, ask, apply, check"),
        ("purvey apply shop.py -e prod --workers 4 --yes", "with a parameter of the script, without asking"),
        ("purvey apply shop.purvey", "exactly the plan in this file, or less"),
        ("purvey apply shop.py --on-failure keep", "leave a failed run as it is, to look at it"),
    ),
)
@click.argument(
    "words", nargs=-1, type=click.UNPROCESSED, metavar="SCRIPT|PLAN [--PARAMETER VALUE]...", shell_complete=complete.scripts
)
@options.SCRIPT
@options.YES
@options.SELECTION
@options.MAX_DELETES
@options.ALLOW_FINAL
@options.ON_FAILURE
@options.PARALLEL
@options.REFRESH
@options.CHECK_ALL
@options.WAIT
@options.JSON
def command(*, words: tuple[str, ...], explicit: tuple[str, ...], yes: bool, as_json: bool, **given: Any) -> int:
    """Plan, ask, apply, check; undo if it fails.

    The plan is shown, and performed once it is approved, as much at once as its order allows. The run has succeeded when the
    checks have passed; deletions come last. When something fails, what the run had done is taken back. A killed run is resumed.
    """
    found = read_words(words, explicit)
    options.no_more(found.rest)
    path = options.script(found.first)
    if _is_plan(path):
        return _apply_plan(path, found, given, yes=yes, as_json=as_json)

    def work(session: Session, asker: Asker) -> RunHistory:
        return session.apply(
            path, approve=asker, parameters=found.parameters, env=given["env"], function=given["function"],
            selection=Selection(given["targets"], given["excludes"]), on_failure=given["on_failure"],
            parallel=given["parallel"], refresh=given["refresh"], check_all=given["check_all"], wait=given["wait"],
            standing=STANDING if yes else "", max_deletes=given["max_deletes"], final=asker.final,
        )  # fmt: skip

    return change(work, start=path, yes=yes, as_json=as_json, verb="apply", allow_final=given["allow_final"])


def _is_plan(path: Path) -> bool:
    """Whether a file is a plan, by its content; a file that can be neither that nor a script is refused."""
    try:
        with path.open("rb") as file:
            is_plan = file.read(len(PLAN_BEGINS)) == PLAN_BEGINS
    except OSError:
        return False
    if not is_plan and path.suffix != ".py":
        raise click.UsageError(f"{path} is neither a script (NAME.py) nor a plan file (of `purvey plan --out`).")
    return is_plan


def _apply_plan(path: Path, found: Words, given: dict[str, Any], *, yes: bool, as_json: bool) -> int:
    """Perform a plan file; what it was made with is in it."""
    plan = Session(path).load_plan(path)
    _refuse_contradictions(path, plan, found, given)
    Screen.of(as_json=as_json).page(plan_page(plan))

    def work(session: Session, asker: Asker) -> RunHistory:
        return session.apply_plan(
            path, approve=asker, parallel=given["parallel"], wait=given["wait"], on_failure=given["on_failure"],
            check_all=given["check_all"], max_deletes=given["max_deletes"], final=asker.final,
        )  # fmt: skip

    return change(work, start=path, yes=yes, as_json=as_json, verb="apply", allow_final=given["allow_final"])


def _refuse_contradictions(path: Path, plan: Plan, found: Words, given: Mapping[str, Any]) -> None:
    """Stop where the command line asks for something else than was reviewed.

    Raises:
        ScriptError: ``script.plan_options``, naming every such option.
    """
    stack, _, env = plan.stack.rpartition("/")
    is_env_said = click.get_current_context().get_parameter_source("env") is not ParameterSource.DEFAULT
    wrong = [f"`--{name.replace('_', '-')}`: the parameters are those that it was made with." for name in found.parameters]
    if is_env_said and given["env"] != env:
        wrong.append(f"`-e {given['env']}`: it was made for {plan.stack}, and would be performed there.")
    if given["function"] not in ("", stack):
        wrong.append(f"`--function {given['function']}`: it is about the stack {stack}.")
    wrong += [f"`--{name}`: which objects it is about is decided." for name in ("target", "exclude") if given[f"{name}s"]]
    if not given["refresh"]:
        wrong.append("`--no-refresh`: the world is read first, to see that it does not need more than was reviewed.")
    if wrong:
        raise ScriptError(
            "script.plan_options", "Options contradict the plan file",
            detail=f"{path} is performed exactly as it was reviewed, so these cannot hold:\n" + "\n".join(wrong),
            hint="Leave them out to perform the file as it is. To have them, make a new plan and review that:\n\n"
            "    purvey plan SCRIPT -e ENV --out FILE",
        )  # fmt: skip
