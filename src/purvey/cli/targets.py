"""What a command is about: a run's id, a script with its environment, or a stack by its name."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import click

from purvey._session import Session, Target
from purvey.cli.words import is_run, is_script


def words_of(target: Target) -> str:
    """What names the target on a command line, so that a command that is advised runs as it is printed."""
    if target.run:
        return target.run
    named = [str(target.script)] if target.script is not None else ["--stack", target.stack]
    function = ["--function", target.function] if target.function else []
    return shlex.join([*named, "-e", target.env, *function])


def program(session: Session) -> list[str]:
    """How purvey is called for the session's project from the working directory."""
    root = session.settings().root.resolve()
    return ["purvey"] if Session().settings().root.resolve() == root else ["purvey", "-C", os.path.relpath(root)]


def target_of(word: str, *, stack: str, env: str, function: str = "") -> Target:
    """The target that a command line names.

    Args:
        word: A run's id, or a script; empty where `stack` is given.
        stack: The stack's name.
        env: The environment, for a script or a stack.
        function: The stack function, where the script has several.

    Raises:
        UsageError: if nothing is named, or both.
    """
    if word and stack:
        raise click.UsageError("Name a run, a script, or --stack NAME: only one of them.")
    if stack:
        return Target(stack=stack, env=env)
    if not word:
        raise click.UsageError("Name a run's id, SCRIPT -e ENV, or --stack NAME -e ENV.")
    if is_script(word):
        return Target(script=Path(word), env=env, function=function)
    if is_run(word):
        return Target(run=word.upper())
    raise click.UsageError(f"{word!r} is neither a script that exists nor a run's id; `purvey runs` lists runs.")
