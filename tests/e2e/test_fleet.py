"""The fleet of the example: ten machines that are set up, upgraded a few at a time, and taken back when a version is bad."""

from __future__ import annotations

import importlib.util
import json
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from purvey.testing.hosts import Host, Lab
from purvey.testing.pytest_plugin import Project
from tests.unit.hosts.waiting import until

EXAMPLE = Path(__file__).parents[2] / "examples" / "fleet"
KILLS = 3


class Fleet:
    """The example's machines, as its script has left them at version 1.0.

    Args:
        lab: The machines.
        project: The example.
    """

    def __init__(self, lab: Lab, project: Project) -> None:
        self.lab = lab
        self.project = project

    def said(self, host: Host, command: str) -> str:
        """What a command on a machine says, past its sshd."""
        return host.exec(["sh", "-c", command]).stdout.strip()

    def everywhere(self, command: str) -> list[str]:
        """What it says on each."""
        return [self.said(host, command) for host in self.lab.hosts]

    def shown(self) -> list[str]:
        """The first page of each shop, as people see it."""
        return [self.got(host, "") for host in self.lab.hosts]

    def got(self, host: Host, path: str) -> str:
        """What a machine's web server answers to the lab."""
        with self.lab.inside(), urlopen(f"http://{host.address}:8080/{path}", timeout=5) as answer:
            told: str = answer.read().decode().strip()
        return told

    def plan(self, *arguments: str) -> set[str]:
        """What a plan would change."""
        return {item["address"] for item in json.loads(self.project.run("plan", "--json", *arguments))["changes"]}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Ten machines, set up once."""
    folder = tmp_path_factory.mktemp("fleet")
    shutil.copytree(EXAMPLE, folder, dirs_exist_ok=True, symlinks=True, ignore=shutil.ignore_patterns(".lab", "__pycache__"))
    with Lab(10, offers=["nginx"]) as lab:
        project = Project(folder, _example().furnish(lab, folder))
        project.script = folder / "fleet.py"
        with lab.inside():
            project.run("apply", "--yes")
            yield Fleet(lab, project)


def comes_true(condition: Callable[[], bool]) -> bool:
    """Whether it comes true within what ten machines may take on a loaded one."""
    return any(until(condition) for _ in range(6))


def _example() -> Any:
    spec = importlib.util.spec_from_file_location("fleet_lab", EXAMPLE / "lab.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_all_are_set_up_and_stay(fleet: Fleet) -> None:
    """Each has its people, its rules and its shop, which answers over the network; a second run finds nothing to do."""
    assert fleet.shown() == ["<h1>The shop, version 1.0</h1>"] * 10
    assert set(fleet.everywhere("id -nG ana")) == {"ana web"}
    assert all("policy drop" in rules for rules in fleet.everywhere("nft list table inet shop"))
    assert set(fleet.everywhere("sysctl -n net.core.somaxconn")) == {"8192"}
    assert fleet.plan() == set()
    assert "nothing had to change" in fleet.project.run("apply", "--yes")


def test_what_somebody_did_to_one_machine_is_named_and_mended(fleet: Fleet) -> None:
    """A line in a file, a stopped server, a lost membership: drift of that machine alone, and gone with the next run."""
    fleet.said(fleet.lab.hosts[2], "echo '# by hand' >>/etc/nginx/conf.d/shop.conf; service nginx stop; gpasswd -d ana web")

    drifted = json.loads(fleet.project.attempt("drift", "--json").stdout)

    expected = {"web-3/files.File::site", "web-3/services.Sysv::nginx", "web-3/users.User::ana"}
    assert {item["address"] for item in drifted["changes"]} == expected
    assert "3 updated" in fleet.project.run("apply", "--yes")
    assert fleet.said(fleet.lab.hosts[2], "tail -1 /etc/nginx/conf.d/shop.conf; id -nG ana") == "}\nana web"
    assert fleet.shown() == ["<h1>The shop, version 1.0</h1>"] * 10
    assert fleet.plan() == set()


def test_an_upgrade_takes_out_three_at_a_time(fleet: Fleet) -> None:
    """Never more than the batch is out of service, each is checked and put back, and the undo brings the former version."""
    said = fleet.project.run("apply", "--yes", "--version", "1.1")

    out: set[str] = set()
    batches: list[set[str]] = []
    for machine, what in re.findall(r"updated (web-\d+)/host\.Command::(out|back)", said):
        batches += [set()] if what == "out" and not out else []
        (out.add if what == "out" else out.remove)(machine)
        batches[-1].add(machine)
    assert batches == [{f"web-{n}" for n in numbers} for numbers in ((1, 2, 3), (4, 5, 6), (7, 8, 9), (10,))]
    assert fleet.shown() == ["<h1>The shop, version 1.1</h1>"] * 10
    assert {fleet.got(host, "health") for host in fleet.lab.hosts} == {"Good things, fairly made"}
    assert fleet.plan("--version", "1.1") == set()

    fleet.project.run("undo", "--yes")
    assert fleet.shown() == ["<h1>The shop, version 1.0</h1>"] * 10
    assert fleet.plan() == {f"web-{n}/http.Check::shop" for n in range(1, 11)}, "what was put back has not been checked yet"
    assert "10 checks passed" in fleet.project.run("apply", "--yes")


def test_a_bad_version_is_taken_back_from_its_first_batch(fleet: Fleet) -> None:
    """Its check fails: those three get the former version and are in service, and no other machine has ever seen it."""
    before = fleet.everywhere("grep -c ' upgrade shop:all 1.0 2.0' /var/log/dpkg.log")

    ended = fleet.project.attempt("apply", "--yes", "--version", "2.0")

    assert "Undone: the run failed, and what it had changed was taken back." in ended.stdout + ended.stderr
    assert "answered 403 instead of 200" in ended.stdout + ended.stderr
    assert fleet.shown() == ["<h1>The shop, version 1.0</h1>"] * 10
    assert set(fleet.everywhere("test -e /run/shop.drained || echo in service")) == {"in service"}
    after = fleet.everywhere("grep -c ' upgrade shop:all 1.0 2.0' /var/log/dpkg.log")
    assert [int(new) - int(old) for new, old in zip(after, before, strict=True)] == [1] * 3 + [0] * 7
    assert fleet.plan() == set()


def test_a_file_that_its_server_refuses_is_taken_back(fleet: Fleet) -> None:
    """The reload fails on three words too many: every machine has its former file, which its server has read again."""
    ended = fleet.project.attempt("apply", "--yes", "--greeting", 'Hello"; nonsense on; # ')

    assert "Undone: the run failed, and what it had changed was taken back." in ended.stdout + ended.stderr
    assert set(fleet.everywhere("nginx -q -t && echo sound")) == {"sound"}
    assert {fleet.got(host, "health") for host in fleet.lab.hosts} == {"Good things, fairly made"}
    assert fleet.plan() == set()


def test_a_killed_run_repeats_nothing_and_owes_nothing(fleet: Fleet, seed: int) -> None:
    """Killed again and again in the middle: every package was upgraded once, and every server has read its new file."""
    chance = random.Random(seed)
    arguments = ("--yes", "--version", "1.1", "--greeting", "Hello again")
    before = fleet.everywhere("grep -c ' upgrade shop:all 1.0 1.1' /var/log/dpkg.log")

    def has_come_to(count: int) -> bool:
        """Whether so many machines have the new version."""
        return fleet.everywhere("dpkg-query --show shop").count("shop\t1.1") >= count

    process = fleet.project.begin("apply", *arguments)
    assert comes_true(lambda: "Hello again" in "".join(fleet.everywhere("cat /etc/nginx/conf.d/shop.conf")))
    for count in sorted(chance.sample(range(1, 9), KILLS - 1)):
        process.kill()
        process.communicate()
        process = fleet.project.begin("resume", "--yes", "--wait")
        assert comes_true(partial(has_come_to, count))
    process.kill()
    process.communicate()
    fleet.project.run("resume", "--yes", "--wait")

    after = fleet.everywhere("grep -c ' upgrade shop:all 1.0 1.1' /var/log/dpkg.log")
    assert [int(new) - int(old) for new, old in zip(after, before, strict=True)] == [1] * 10
    assert fleet.shown() == ["<h1>The shop, version 1.1</h1>"] * 10
    assert {fleet.got(host, "health") for host in fleet.lab.hosts} == {"Hello again"}
    assert fleet.plan("--version", "1.1", "--greeting", "Hello again") == set()
    fleet.project.run("apply", "--yes")


def test_the_example_starts_its_own_machines() -> None:
    """`lab.py` runs a command among machines that it has made, and leaves nothing behind."""
    ended = subprocess.run(
        [sys.executable, str(EXAMPLE / "lab.py"), "--hosts", "1", "purvey", "plan", "fleet.py", "--hosts", "1"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert "+ create   web-1/packages.Apt::nginx" in ended.stdout, ended.stderr
    assert not (EXAMPLE / ".lab").is_symlink()


@pytest.mark.parametrize("hosts", ["0", "99999"])
def test_a_number_of_machines_that_cannot_be_is_refused(hosts: str) -> None:
    """It is told as any other mistake in the command line, before anything is begun."""
    ended = subprocess.run(
        [sys.executable, str(EXAMPLE / "lab.py"), "--hosts", hosts], capture_output=True, text=True, timeout=300, check=False
    )

    assert ended.returncode == 2
    assert ended.stderr.endswith(f"error: A lab has 1 to 200 hosts, not {hosts}.\n")
    assert "Making" not in ended.stderr
