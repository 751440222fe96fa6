"""``purvey tag-out``: keep every run off an object, as the tag on a switch does that somebody works behind."""

from __future__ import annotations

import click

from purvey._report.document import tags_document
from purvey._report.state_text import tags_page
from purvey._session import Session, TagOut
from purvey.cli import complete, options
from purvey.cli.command import Command
from purvey.cli.screen import Screen
from purvey.cli.state import about, said
from purvey.cli.targets import target_of, words_of
from purvey.cli.words import is_script


@click.command(
    cls=Command,
    examples=(
        ("purvey tag-out shop.py files.File::motd -e prod --reason 'editing it by hand'", ""),
        ("purvey tag-out shop.py -e prod --list", "every tag that hangs"),
        ("purvey tag-out shop.py files.File::motd -e prod --release", "the object may be touched again"),
    ),
)
@click.argument("words", nargs=-1, metavar="[SCRIPT] ADDRESS", shell_complete=complete.addresses)
@click.option("--reason", default="", metavar="TEXT", help="Why nobody may touch it; whoever is refused reads it.")
@click.option("--release", is_flag=True, help="Take the tags off the object.")
@click.option("--list", "as_list", is_flag=True, help="Show every tag that hangs.")
@options.together(options.STACK, options.ENV, options.FUNCTION)
@options.JSON
def command(
    *, words: tuple[str, ...], reason: str, release: bool, as_list: bool, stack: str, env: str, function: str, as_json: bool
) -> int:  # fmt: skip
    """Keep every run off an object until it is released.

    A plan that would touch a tagged object is refused before its first write, and a run that is under way begins nothing on it.
    Reading goes on: plans, drift and checks still look at it. It needs no lease, so it works while a run holds the stack.
    """
    if as_list:
        return _list(words, stack, env, function, as_json=as_json)
    target, (address,) = about(words, 1, stack, env, function)
    session = Session(target.script)
    if release:
        return _told(session.release_tags(target, address), f"{address} may be touched again.", as_json=as_json)
    if not reason:
        raise click.UsageError("Say why with --reason: whoever is refused reads it.")
    tag = session.tag_out(target, address, reason)
    release_it = (
        f"purvey tag-out {address} --release {words_of(target)}"
        if not target.script
        else (f"purvey tag-out {words_of(target)} {address} --release")
    )
    return _told([tag], f"{address} is tagged out. No run touches it until\n\n    {release_it}", as_json=as_json)


def _list(words: tuple[str, ...], stack: str, env: str, function: str, *, as_json: bool) -> int:
    script = words[0] if words and is_script(words[0]) else ""
    if len(words) > bool(script):
        raise click.UsageError("--list shows the tags of a whole stack; give no address.")
    known = bool(script or stack)
    target = target_of(script, stack=stack, env=env, function=function) if known else about((), 0, "", env, "")[0]
    found = Session(target.script).tags(target)
    screen = Screen.of(as_json=as_json)
    if as_json:
        screen.document(tags_document(found))
    else:
        screen.page(tags_page(found))
    return 0


def _told(tags: list[TagOut], text: str, *, as_json: bool) -> int:
    if as_json:
        Screen.of(as_json=True).document(tags_document(tags))
        return 0
    return said(text)
