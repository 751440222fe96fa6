"""``purvey state``: what is remembered, and the few edits of it that people need."""

from __future__ import annotations

from pathlib import Path

import click

from purvey._report.document import FORMAT, object_document, state_document
from purvey._report.state_text import object_page, state_page
from purvey._report.style import Page
from purvey._session import Session, Target
from purvey.cli import complete, options
from purvey.cli.command import Command
from purvey.cli.screen import Screen
from purvey.cli.script_command import ScriptCommand
from purvey.cli.targets import target_of, words_of
from purvey.cli.words import Words, is_script, read_words

_ABOUT = options.together(options.STACK, options.ENV, options.FUNCTION)


@click.group()
def command() -> None:
    """Read and edit what is remembered.

    The record is the journal of all runs, added up. Edits of it are journaled as well, and never touch the world.
    """


@command.command(
    "list",
    cls=Command,
    examples=(("purvey state list shop.py -e prod", ""), ("purvey state list --stack shop -e prod --json", "")),
)
@click.argument("target", default="", metavar="[RUN|SCRIPT]", shell_complete=complete.targets)
@_ABOUT
@options.JSON
def list_command(*, target: str, stack: str, env: str, function: str, as_json: bool) -> int:
    """List every object that a stack has, with its id."""
    meant = target_of(target, stack=stack, env=env, function=function)
    found = Session(meant.script).state_list(meant)
    screen = Screen.of(as_json=as_json)
    if as_json:
        screen.document(state_document(found))
    else:
        screen.page(state_page(found))
    return 0


@command.command(cls=Command, examples=(("purvey state show shop.py files.File::motd -e prod", ""),))
@click.argument("words", nargs=-1, metavar="[SCRIPT] ADDRESS", shell_complete=complete.addresses)
@_ABOUT
@options.JSON
def show(*, words: tuple[str, ...], stack: str, env: str, function: str, as_json: bool) -> int:
    """Show all that is remembered of one object, secrets masked."""
    target, (address,) = about(words, 1, stack, env, function)
    found = Session(target.script).state_show(target, address)
    screen = Screen.of(as_json=as_json)
    if as_json:
        screen.document(object_document(found))
    else:
        screen.page(object_page(found))
    return 0


@command.command(
    cls=Command,
    examples=(
        ("purvey state mv shop.py files.File::motd files.File::greeting -e prod", ""),
        ("purvey state mv shop.py files.File::motd -e prod --to-stack web", "To another stack."),
    ),
)
@click.argument("words", nargs=-1, metavar="[SCRIPT] ADDRESS [NEW_ADDRESS]", shell_complete=complete.addresses)
@_ABOUT
@click.option("--to-stack", default="", metavar="NAME[/ENV]", help="The stack that gets the object, and what lives in it.")
@click.option("--to", default="", metavar="ADDRESS", help="With --to-stack: its address there; by default the same.")
def mv(*, words: tuple[str, ...], stack: str, env: str, function: str, to_stack: str, to: str) -> int:
    """Give an object another address, so that renaming its node in the script replaces nothing.

    `Options(moved_from=...)` in the script does the same for everybody who applies it. With --to-stack the object leaves for
    another stack of this store, in one step, and everything that lives in it comes along.
    """
    if to_stack:
        target, (address,) = about(words, 1, stack, env, function)
        moved = Session(target.script).state_hand_over(target, address, to_stack, to=to)
        return said(f"{address} is now {moved.address} of {to_stack}. Move its node to that stack's script, then plan both.")
    if to:
        raise click.UsageError("--to goes with --to-stack; inside one stack give the new address after the old one.")
    target, (old, new) = about(words, 2, stack, env, function)
    Session(target.script).state_move(target, old, new)
    return said(f"{old} is now {new}. Rename the node in the script as well, then plan: nothing should be to do.")


@command.command(cls=Command, examples=(("purvey state rm shop.py files.File::motd -e prod", ""),))
@click.argument("words", nargs=-1, metavar="[SCRIPT] ADDRESS", shell_complete=complete.addresses)
@_ABOUT
def rm(*, words: tuple[str, ...], stack: str, env: str, function: str) -> int:
    """Forget an object and leave it in the world.

    Remove its node from the script as well; otherwise the next apply wants to make it again.
    """
    target, (address,) = about(words, 1, stack, env, function)
    found = Session(target.script).state_remove(target, address)
    return said(f"{address} is forgotten. What it stood for is still there: {found.id}")


@command.command(
    cls=Command,
    examples=(
        ("purvey state settle shop.py step.migrate::schema --done", ""),
        ("purvey state settle shop.py cloud.Ticket::t --done --id ticket-000017", "with the id of what was made"),
    ),
)
@click.argument("words", nargs=-1, metavar="[SCRIPT] ADDRESS", shell_complete=complete.addresses)
@_ABOUT
@click.option("--done/--not-done", "happened", default=None, help="Whether it happened.")
@click.option("--id", "object_id", default="", metavar="ID", help="With --done: what the world calls the object that was made.")
def settle(*, words: tuple[str, ...], stack: str, env: str, function: str, happened: bool | None, object_id: str) -> int:
    """Say how an interrupted operation ended that purvey cannot find out by itself."""
    if happened is None:
        raise click.UsageError("Look yourself, then say --done or --not-done.")
    target, (address,) = about(words, 1, stack, env, function)
    Session(target.script).state_settle(target, address, happened=happened, object_id=object_id)
    return said(f"{address} is settled. Go on with `purvey resume {words_of(target)}`.")


@command.command(
    "import",
    cls=ScriptCommand,
    examples=(
        ("purvey state import shop.py files.File::motd -e prod --workers 4", "What the script declares already."),
        ("purvey state import shop.py --kind files.File --id /etc/motd -e prod", "Prints the declaration."),
        ("purvey state import --stack base --kind files.File --id /etc/motd --id /etc/hosts -o base.py", "Writes a script."),
    ),
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[SCRIPT] [ADDRESS|NAME] [--PARAMETER VALUE]...")
@options.SCRIPT
@options.STACK
@click.option("--kind", default="", metavar="KIND", help="Import by id: the kind of the objects.")
@click.option("--id", "ids", multiple=True, metavar="ID", help="With --kind: what the world knows an object by; repeatable.")
@click.option("--all", "everything", is_flag=True, help="With --kind: everything that there is and that no stack has.")
@click.option("--in", "inside", default="", metavar="ADDRESS", help="With --kind: the recorded object that they live in.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="With --kind: write a script of all that the stack has.")
@options.JSON
def import_command(
    *, words: tuple[str, ...], env: str, function: str, explicit: tuple[str, ...], stack: str, kind: str,
    ids: tuple[str, ...], everything: bool, inside: str, output: Path | None, as_json: bool,
) -> int:  # fmt: skip
    """Record an object that exists already. It is then treated as adopted: no undo deletes it.

    With ADDRESS, under a node that the script declares: it is looked for under the identity that the node would give it. With
    --kind and --id, under a new node called NAME, whose declaration is printed: with that in the script, a plan has nothing to
    do.
    """
    found = read_words(words, explicit)
    if kind:
        return _import_ids(found, kind, ids, inside, stack, env, function, output, everything=everything, as_json=as_json)
    if ids or everything or inside or stack or output is not None:
        raise click.UsageError("--id, --all, --in, --stack and --output import by id; name the kind with --kind.")
    script = options.script(found.first)
    if len(found.rest) != 1:
        raise click.UsageError("Give the script and the address of one node in it.")
    item = Session(script).state_import(script, found.rest[0], env=env, function=function, parameters=found.parameters)
    screen = Screen.of(as_json=as_json)
    if as_json:
        screen.document(object_document(item))
        return 0
    return said(f"{item.address} is now recorded: {item.id}. `purvey plan {script} -e {env}` shows what differs from it.")


def _import_ids(
    found: Words, kind: str, ids: tuple[str, ...], inside: str, stack: str, env: str, function: str, output: Path | None, *,
    everything: bool, as_json: bool,
) -> int:  # fmt: skip
    script = Path(found.first) if is_script(found.first) else None
    names = (*found.rest,) if script is not None or not found.first else (found.first, *found.rest)
    if bool(ids) == everything or len(names) > 1 or (names and len(ids) != 1) or found.parameters:
        raise click.UsageError("Give --id for each object, or --all; one NAME goes with one --id.")
    if (script is None) == (not stack):
        raise click.UsageError("Name the script, or the stack with --stack NAME.")
    if output is not None and output.exists():
        raise click.UsageError(f"{output} exists already; name a new file.")
    imported = Session(script).state_import_ids(
        kind, ids=ids, everything=everything, name=names[0] if names else "", inside=inside, script=script, stack=stack,
        env=env, function=function, whole=output is not None,
    )  # fmt: skip
    if output is not None:
        output.write_text(imported.text, encoding="utf-8")
    screen = Screen.of(as_json=as_json)
    if as_json:
        screen.document({"format": FORMAT, "objects": state_document(imported.objects), "python": imported.text})
        return 0
    if output is None:
        click.echo(imported.text, nl=False)
    lines = [f"{item.address} is now recorded: {item.id}." for item in imported.objects]
    click.echo("\n".join(lines) or "There is nothing that no stack has.", err=output is None)  # What is said is the program.
    return 0


def about(words: tuple[str, ...], count: int, stack: str, env: str, function: str) -> tuple[Target, tuple[str, ...]]:
    """The target and so many addresses; without script and `--stack` the stack of the project's newest run."""
    script = words[0] if words and is_script(words[0]) else ""
    addresses = words[1:] if script else words
    if len(addresses) != count:
        raise click.UsageError(
            f"Give {'an address' if count == 1 else f'{count} addresses'}, after the script if you name one."
        )
    if script or stack:
        return target_of(script, stack=stack, env=env, function=function), addresses
    newest = next(iter(Session(Path.cwd()).runs(limit=1)), None)
    if newest is None:
        raise click.UsageError("No run is recorded here; name the script or the stack.")
    return Target(stack=newest.stack, env=newest.env), addresses


def said(text: str) -> int:
    """Tell a person one thing, on as many lines as it has; returns the exit code 0."""
    page = Page()
    page.block(text, "")
    Screen.of(as_json=False).page(page)
    return 0
