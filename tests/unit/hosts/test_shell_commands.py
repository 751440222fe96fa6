"""A machine behind a shell runs a command as whom, with what, where and for as long as was said, and in no other way."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest

from purvey._hosts.command import Command, Completed
from purvey._hosts.local import LocalConnector
from tests.support.shells import Desk

OUR_NAMES: Final = (
    "user", "su", "as_user", "limit", "timeout", "found", "at", "words", "folder", "codes", "input", "uid", "me", "boot", "pid",
    "started", "lang", "code", "last", "failed", "S", "U", "B", "L", "N", "F", "IFS", "nl",
)  # fmt: skip
"""Variables that a shell uses to run a command, or has for itself."""


@pytest.mark.parametrize("value", ["", "root", "1", "/no/such", "no such"])
async def test_no_variable_of_a_command_changes_how_it_is_run(machine: Desk, value: str) -> None:
    """Whatever the names and values are, the command gets just these, and is run as who was named, as on this machine."""
    user = "nobody" if os.geteuid() == 0 else None
    names = [name for name in OUR_NAMES if name not in {"IFS", "at"}]
    command = Command(
        ("sh", "-c", f'id -un; for it in {" ".join(names)}; do eval "printf \'%s;\' \\"\\$$it\\""; done; printenv IFS || :'),
        env=dict.fromkeys((*names, "at"), value) | {"IFS": ":"}, user=user, cwd="/",
    )  # fmt: skip

    assert await machine.host.run(command) == await LocalConnector().run(command)


async def test_a_command_gets_its_own_path(machine: Desk, tmp_path: Path) -> None:
    """A path with none of the system's programs is searched for the command, and not for what runs it."""
    (tmp_path / "tool").write_text("#!/bin/sh\necho $PATH")
    (tmp_path / "tool").chmod(0o755)

    found = await machine.host.run(Command(("tool",), env={"PATH": str(tmp_path)}))

    assert found == Completed(0, f"{tmp_path}\n".encode())
