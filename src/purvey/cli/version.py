"""``purvey version``: the versions of purvey, of what runs it, and of everything that it writes.

Invariant: it loads nothing of the engine, because a script that asks for the version should not wait for one.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import Final

import click

from purvey._base.version import VERSION
from purvey.cli.command import Command

FORMATS: Final[Mapping[str, int]] = {"json": 1, "plan": 1, "journal": 1, "sqlite": 4}
"""The version of each format that is written; a test compares them with those of the modules that write."""


@click.command(cls=Command, examples=(("purvey version", "for people"), ("purvey version --json", "for programs")))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document for programs.")
def command(*, as_json: bool) -> int:
    """Print the version of purvey and of its formats.

    Attach it to a report of a problem.
    """
    system = os.uname()
    python = ".".join(map(str, sys.version_info[:3]))
    found = {"version": VERSION, "python": python, "platform": f"{system.sysname} {system.machine}"}
    if as_json:
        click.echo(json.dumps(found | {"formats": dict(FORMATS)}, indent=2))
        return 0
    click.echo(f"purvey {VERSION}")
    click.echo(f"Python {python} on {found['platform']}")
    click.echo("formats: " + ", ".join(f"{name} {number}" for name, number in FORMATS.items()))
    return 0
