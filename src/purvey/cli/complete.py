"""What a shell offers when the user presses Tab: environments, runs and addresses, as far as they are cheap to find.

Whatever goes wrong here offers nothing: a completion must never print into the line that somebody is typing.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

RUNS_MAX = 20
"""Runs that are offered, newest first."""


def environments(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The environments that ``purvey.toml`` names or that have a file beside the script, and `dev`."""
    found = {"dev"}
    with suppress(Exception):
        start = _script(context) or Path.cwd()
        found |= set(_session(start).settings().environments)
        found |= {path.suffixes[-2][1:] for path in start.parent.glob(f"{start.stem}.*.toml")}
    return _items(sorted(found), incomplete)


def runs(_context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The newest runs, with what they were."""
    items: list[CompletionItem] = []
    with suppress(Exception):
        for run in _session(None).runs(limit=RUNS_MAX):
            told = f"{run.verb} {run.stack}/{run.env} {run.result or 'open'}"
            items.append(CompletionItem(run.id, help=told))
    return [item for item in items if item.value.startswith(incomplete)]


def targets(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Runs, and files for a script."""
    return [*runs(context, parameter, incomplete), CompletionItem(incomplete, type="file")]


def scripts(_context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Files."""
    return [CompletionItem(incomplete, type="file")]


def kinds(_context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Families, and the kinds of one that is written already."""
    found: list[CompletionItem] = []
    with suppress(Exception):
        known = import_module("purvey._session.kinds")
        family, dot, _rest = incomplete.partition(".")
        names = (
            [(kind.name, kind.summary) for kind in known.kinds(family)] if dot else [(name, "") for name in known.families()]
        )
        found = [CompletionItem(name, help=summary) for name, summary in names if name.startswith(incomplete)]
    return found


def addresses(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The addresses that are recorded for the script named before."""
    found: list[str] = []
    with suppress(Exception):
        script = _script(context)
        target = import_module("purvey._session").Target(script=script, env=context.params.get("env") or "dev")
        found = [item.address for item in _session(script).state_list(target)]
    return _items(found, incomplete) or scripts(context, parameter, incomplete)


def _script(context: click.Context) -> Path | None:
    words = [context.params.get("words"), context.params.get("script"), context.params.get("target")]
    for word in (text for item in words if item for text in ([item] if isinstance(item, str) else item)):
        if str(word).endswith(".py"):
            return Path(str(word))
    return None


def _session(start: Path | None) -> Any:
    return import_module("purvey._session").Session(start)


def _items(values: Iterable[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(value) for value in values if value.startswith(incomplete)]
