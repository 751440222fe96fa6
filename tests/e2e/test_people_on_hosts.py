"""Scripts that set machines and their users up: the second run finds nothing to do, drift is seen, and an undo is true."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from purvey.testing.hosts import Host, Lab
    from purvey.testing.pytest_plugin import Project

SCRIPT = """
from purvey import Host, Options, secret, stack
from purvey.resources import host, users

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOcu76/SDZ4aEqlVf+5kzuE9U+buJg529CPsyQekTF79 ana@laptop"


@stack
def people(shell: str = "/bin/sh", fail: bool = False) -> dict[str, str]:
    web = Host("192.0.2.11", name="web", user="root", key=secret("file:key"), known_hosts="known_hosts", config="")
    ops = users.Group("ops", gid=2000, on=web)
    ana = users.User("ana", groups=[ops.name], home="/srv/ana", shell=shell, password=secret("file:password"), on=web)
    users.AuthorizedKeys("ana", user=ana.name, keys=[KEY], on=web)
    users.User("games", shell="/bin/false", create_home=False, on=web)
    users.Sudoers("ops", content=f"%{ops.name} ALL=(root) NOPASSWD: /usr/bin/id", on=web)
    setting = host.Sysctl("forward", key="net.ipv4.ip_forward", value="1", on=web)
    host.Hostname("name", hostname="web-1", on=web)
    host.Timezone("zone", zone="Europe/Berlin", on=web)
    host.Cron("clean", schedule="15 3 * * *", user=ana.name, command="date +%F >/dev/null", on=web)
    done = host.Command(
        "site", command=["sh", "-c", "touch site; echo a token"], creates="/srv/ana/site", cwd=ana.home_path, user=ana.name,
        undo=["rm", "-f", "site"], on=web,
    )
    host.Mount("scratch", path="/srv/scratch", source="tmpfs", type="tmpfs", options=["size=1m"], on=web)
    facts = host.Facts("facts", on=web)
    if fail:
        host.Command("fails", command=["false"], creates="/srv/never", on=web, opts=Options(after=[done, setting]))
    return {"kernel": facts.kernel, "uid": f"{ana.assigned_uid}"}
"""

WATCHED = (
    "cat /etc/passwd /etc/group /etc/shadow /etc/fstab /etc/hostname /etc/timezone; readlink /etc/localtime; "
    "uname -n; cat /proc/sys/net/ipv4/ip_forward; ls /etc/sudoers.d /etc/cron.d /etc/sysctl.d; ls -lR --time-style=+ /srv"
)


@pytest.fixture
def lab(purvey_lab: Callable[[int], Lab], purvey_project: Project) -> Iterator[Lab]:
    """One host, and a project whose commands reach it."""
    made = purvey_lab(1)
    made.introduce(purvey_project.folder)
    (purvey_project.folder / "password").touch(mode=0o600)
    (purvey_project.folder / "password").write_text("a password that nobody sees", encoding="utf-8")
    purvey_project.write(SCRIPT)
    with made.inside():
        yield made


def state(host: Host) -> str:
    """All that the script is about on a machine."""
    ended = host.exec(["sh", "-c", WATCHED])
    return re.sub(r"\btotal \d+", "total", ended.stdout)


def said(host: Host, *argv: str) -> str:
    """What a command on a host prints."""
    ended = host.exec(argv)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def changes(project: Project, *arguments: str) -> list[dict[str, Any]]:
    """What a plan would change."""
    found: list[dict[str, Any]] = json.loads(project.run("plan", "--json", *arguments))["changes"]
    return found


def test_a_machine_is_set_up_once(lab: Lab, purvey_project: Project) -> None:
    """The first run sets it all up, what is there is taken over, and the second run finds nothing to do."""
    (host,) = lab.hosts
    purvey_project.run("apply", "--yes")

    assert said(host, "id", "-nG", "ana") == "ana ops"
    assert said(host, "stat", "-c", "%U %a", "/srv/ana/.ssh/authorized_keys") == "ana 600"
    assert said(host, "stat", "-c", "%U", "/srv/ana/site") == "ana"
    assert said(host, "uname", "-n") == "web-1"
    assert r"date +\%F" in said(host, "cat", "/etc/cron.d/clean")
    assert said(host, "find", "/var/lib/purvey/work", "-path", "*/said/*") == ""
    assert changes(purvey_project) == []
    assert "nothing had to change" in purvey_project.run("apply", "--yes")
    stored = b"".join(
        path.read_bytes() for path in purvey_project.folder.rglob("*") if path.is_file() and ".purvey" in str(path)
    )
    assert b"a password that nobody sees" not in stored


def test_drift_of_users_is_seen_and_mended(lab: Lab, purvey_project: Project) -> None:
    """Another shell, password and setting, and a key that is gone, are drift by their names, and mended."""
    (host,) = lab.hosts
    purvey_project.run("apply", "--yes")
    before = state(host)
    said(
        host, "sh", "-c",
        "usermod -s /bin/false ana; echo 'ana:$6$x$y' | chpasswd -e; : >/srv/ana/.ssh/authorized_keys; "
        "echo 0 >/proc/sys/net/ipv4/ip_forward; umount /srv/scratch; gpasswd -d ana ops",
    )  # fmt: skip

    drifted = json.loads(purvey_project.attempt("drift", "--json").stdout)

    assert {item["address"] for item in drifted["changes"]} == {
        "users.User::ana", "users.AuthorizedKeys::ana", "host.Sysctl::forward", "host.Mount::scratch",
    }  # fmt: skip
    purvey_project.run("apply", "--yes")
    assert re.sub(r"\$6\$[^:]*", "hash", state(host)) == re.sub(r"\$6\$[^:]*", "hash", before)
    assert changes(purvey_project) == []


def test_a_failed_run_leaves_a_machine_as_it_was(lab: Lab, purvey_project: Project) -> None:
    """Everything that was done before a failure is taken back, also what was there before and was only changed."""
    (host,) = lab.hosts
    before = state(host)
    ended = purvey_project.attempt("apply", "--yes", "--fail")

    assert ended.returncode != 0
    assert state(host) == before


def test_an_update_is_undone(lab: Lab, purvey_project: Project) -> None:
    """An undo gives back what an update found, and a destroy leaves what was there before purvey."""
    (host,) = lab.hosts
    first = state(host)
    purvey_project.run("apply", "--yes")
    before = state(host)
    purvey_project.run("apply", "--yes", "--shell", "/bin/bash")
    assert "ana:x:1002:1002::/srv/ana:/bin/bash" in state(host)
    purvey_project.run("undo", "--yes")
    assert state(host) == before
    purvey_project.run("destroy", "--yes", "--max-deletes", "20")
    assert "games" in said(host, "cat", "/etc/passwd")
    assert "ana:" not in said(host, "cat", "/etc/passwd")
    assert said(host, "cat", "/proc/sys/net/ipv4/ip_forward") == "0"
    assert "scratch" not in state(host)
    assert "0" in first
