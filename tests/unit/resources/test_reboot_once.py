"""A restart that is asked for twice happens once."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from purvey._hosts.change import Run
from purvey._hosts.command import Completed
from purvey._hosts.fact import Answer, Answers, Ask, Fact
from purvey.providers.host import HostProvider, Place
from purvey.resources import host
from purvey.testing import view
from tests.unit.resources.life import kind_of

NOW = Path("/proc/sys/kernel/random/boot_id").read_bytes()
PLACE = Place(address="test::x", folder="@purvey/objects/x", token="01T", name="x")


def restart_of(boot_id: bytes) -> tuple[str, ...]:
    """The command by which a machine is restarted that was asked while it had this boot id."""
    want = view(host.Reboot, when="two", at_first=True)
    provider = kind_of(want).provider
    assert isinstance(provider, HostProvider)
    answers: dict[Fact, Answer] = {
        fact: Completed(0, boot_id, b"") if isinstance(fact, Ask) else None for fact in provider.facts(PLACE, want)
    }
    (run,) = (change for change in provider.make(PLACE, want, Answers(answers)).changes if isinstance(change, Run))
    assert run.repeats
    return run.command.argv


@pytest.mark.parametrize(
    ("boot_id", "goes_down"), [(NOW, True), (b"00000000-0000-0000-0000-000000000000\n", False)], ids=["same", "another"]
)
def test_a_machine_that_was_restarted_is_not_restarted_again(tmp_path: Path, boot_id: bytes, *, goes_down: bool) -> None:
    """The command is sent again where the machine went down before it could say that it began: it does nothing then."""
    read, write = os.pipe()
    (tmp_path / "setsid").write_text(f"#!/bin/sh\necho down >/dev/fd/{write}\n")
    (tmp_path / "setsid").chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}

    subprocess.run(restart_of(boot_id), check=True, env=environment, pass_fds=[write])
    os.close(write)

    with os.fdopen(read, "rb") as pipe:  # It ends when nothing is left that the command has started.
        assert pipe.read() == (b"down\n" if goes_down else b"")
