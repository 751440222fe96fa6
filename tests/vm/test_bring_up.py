"""A new machine: a real cloud-init, started by a real systemd, takes what purvey builds, and purvey sees how far it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.vm import Vm
from tests.support.vm_project import VmProject, bring_up

if TYPE_CHECKING:
    from tests.vm.conftest import BroughtUp


def test_a_new_machine_is_what_its_user_data_says(brought_up: BroughtUp, vm: Vm) -> None:
    """cloud-init has done all of it, byte for byte, and found nothing wrong; what comes after it found it complete."""
    text = 'it\'s "quoted" — ünï 😀'
    size = len(text.encode())

    assert vm.told("cat", f"/srv/{size} copies") == f"{text} {size}"
    assert vm.told("cat", "/srv/shell", "/srv/script", "/srv/part", "/etc/motd") == (
        "from a shell\nset up by a script: ünï 😀\né\nready"
    )
    assert vm.told("runuser", "-u", "ops", "--", "sudo", "-n", "id", "-u") == "0"
    assert vm.told("cat", "/proc/1/comm") == "systemd"
    told = json.loads(brought_up.project.run("outputs", "--json"))
    assert told == {"from": "nocloud", "warnings": []}
    status = json.loads(vm.told("cloud-init", "status", "--format", "json"))
    assert (status["status"], status["errors"]) == ("done", [])
    assert vm.told("cut", "-d ", "-f", "1,2,3", "/run/purvey-bootstrap/results").splitlines()[-1] == "end 3/3 0"


def test_a_machine_that_is_ready_is_left_alone(brought_up: BroughtUp, vm: Vm) -> None:
    """A second run finds nothing to do."""
    assert "nothing had to change" in brought_up.project.run("apply", "--yes")


def test_a_command_that_fails_is_shown_while_the_machine_goes_on(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The command, its code and its words are told within a minute, although cloud-init is at work, and nothing follows."""
    with Vm(tmp_path_factory.mktemp("vm")) as vm:
        project = VmProject(tmp_path_factory.mktemp("project"), vm)
        ended = bring_up(vm, project, """
    web, ready = new(run=["true", ["sh", "-c", "echo no such database >&2; exit 7"], "touch /srv/never"],
                     config={"runcmd": [["sleep", "100000"]]})
    files.File("motd", on=web, path="/etc/never", content="ready", opts=Options(after=[ready]))
""")  # fmt: skip
        said = ended.stdout + ended.stderr
        assert ended.returncode != 0
        assert "Step 2/3 ended with code 7" in said, said
        assert "no such database" in said
        since_s = int(vm.told("date", "+%s")) - int(vm.told("stat", "-c", "%Y", "/run/purvey-bootstrap/output"))
        assert since_s < 60 * vm.patience
        assert vm.exec("pgrep", "-f", "sleep 100000").returncode == 0
        assert "running" in vm.told("cloud-init", "status")
        assert vm.exec("sh", "-c", "ls /srv/never /etc/never").returncode != 0
