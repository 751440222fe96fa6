"""Scripts that put things on other machines, through the command line, on real machines behind OpenSSH."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from purvey.testing.hosts import Host, Lab
    from purvey.testing.pytest_plugin import Project

SCRIPT = """
from purvey import Host, scope, secret, stack
from purvey.resources import files


@stack
def fleet(hosts: int = 2, text: str = "hello", on: str = "") -> None:
    for n in range(hosts):
        web = Host(
            f"192.0.2.{11 + n}", name=f"web-{n}", user="root", key=secret("file:key"), known_hosts="known_hosts", config=""
        )
        with scope(web.name):
            site = files.Directory("site", path="/srv/site", on=web)
            for page in range(5):
                files.File(f"page-{page}", path=f"{site.path}/{page}.html", content=f"{text} from {web.name}", on=web)
            files.Link("index", path=f"{site.path}/index.html", target="0.html", on=web)
            files.File("hidden", path="/etc/app.key", content=secret("file:app"), mode="0600", on=web)
"""


@pytest.fixture
def lab(purvey_lab: Callable[[int], Lab], purvey_project: Project) -> Iterator[Lab]:
    """Two hosts, and a project whose commands reach them."""
    made = purvey_lab(2)
    made.introduce(purvey_project.folder)
    (purvey_project.folder / "app").touch(mode=0o600)
    (purvey_project.folder / "app").write_text("a secret that nobody sees", encoding="utf-8")
    purvey_project.write(SCRIPT)
    with made.inside():
        yield made


def told(host: Host, *argv: str) -> str:
    """What a command on a host prints."""
    ended = host.exec(argv)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def tree(host: Host) -> str:
    """Everything that was put on a host: names, modes and contents."""
    return told(
        host, "sh", "-c", "cd /srv/site && ls -ld --time-style=+ . * && cat *.html && ls -l --time-style=+ /etc/app.key"
    )


def changes(project: Project, *arguments: str) -> list[dict[str, Any]]:
    """What a plan would change."""
    found: list[dict[str, Any]] = json.loads(project.run("plan", "--json", *arguments))["changes"]
    return found


def test_two_machines_are_configured_and_stay(lab: Lab, purvey_project: Project) -> None:
    """The first run makes everything on both, the second finds nothing to do, and nothing secret is in the store."""
    said = purvey_project.run("apply", "--yes")

    assert "16 created" in said
    for host in lab.hosts:
        assert f"hello from web-{lab.hosts.index(host)}" in tree(host)
    assert told(lab.hosts[0], "cat", "/etc/app.key") == "a secret that nobody sees"
    assert "nothing had to change" in purvey_project.run("apply", "--yes")
    stored = b"".join(
        path.read_bytes() for path in purvey_project.folder.rglob("*") if path.is_file() and ".purvey" in str(path)
    )
    assert b"a secret that nobody sees" not in stored
    assert b"192.0.2.11" not in stored
    assert (purvey_project.folder / "key").read_bytes()[40:120] not in stored


def test_what_somebody_changed_on_one_machine_is_seen_and_mended(lab: Lab, purvey_project: Project) -> None:
    """An edit, a lost file and a loosened mode are drift of that machine alone, and the next run mends them."""
    purvey_project.run("apply", "--yes")
    before = tree(lab.hosts[0])
    told(
        lab.hosts[0], "sh", "-c", "cd /srv/site && echo x >>1.html && rm 2.html && chmod 666 3.html && ln -sf 4.html index.html"
    )

    drifted = json.loads(purvey_project.attempt("drift", "--json").stdout)

    assert {item["address"] for item in drifted["changes"]} == {
        f"web-0/files.{name}" for name in ("File::page-1", "File::page-2", "File::page-3", "Link::index")
    }
    purvey_project.run("apply", "--yes")
    assert tree(lab.hosts[0]) == before
    assert changes(purvey_project) == []


def test_an_undo_gives_back_what_was_on_the_machines(lab: Lab, purvey_project: Project) -> None:
    """After an update is undone the files are as they were, to the byte; a destroy leaves nothing of ours but empty folders."""
    purvey_project.run("apply", "--yes")
    before = [tree(host) for host in lab.hosts]
    purvey_project.run("apply", "--yes", "--text", "bye")
    assert "bye from web-1" in tree(lab.hosts[1])

    purvey_project.run("undo", "--yes")

    assert [tree(host) for host in lab.hosts] == before
    assert changes(purvey_project) == []
    purvey_project.run("destroy", "--yes")
    assert told(
        lab.hosts[0], "sh", "-c", "ls /srv /etc/app.key 2>&1; find /var/lib/purvey -name '*.before' -o -name '*.key'"
    ) == ("ls: cannot access '/etc/app.key': No such file or directory\n/srv:\n")


def test_a_machine_out_of_reach_is_unreadable_and_never_absent(lab: Lab, purvey_project: Project) -> None:
    """With one machine switched off, what is there is unreadable or looked at again, and nothing is made anew or removed."""
    purvey_project.run("apply", "--yes")
    lab.hosts[1].stop()

    found = changes(purvey_project)

    assert {item["action"] for item in found} == {"unreadable", "update"}
    assert {item["address"].partition("/")[0] for item in found} == {"web-1"}
    unreadable = [item["cause"] for item in found if item["action"] == "unreadable"]
    assert all(cause.startswith("A host refuses the connection: root@192.0.2.12:22") for cause in unreadable)


def test_a_machine_that_is_no_longer_declared_is_cleared(lab: Lab, purvey_project: Project) -> None:
    """What was on it is removed by the way that is recorded, for the script does not know it any more."""
    purvey_project.run("apply", "--yes")

    said = purvey_project.run("apply", "--yes", "--hosts", "1")

    assert "8 deleted" in said
    assert told(lab.hosts[1], "ls", "/srv") == ""
    assert "hello from web-0" in tree(lab.hosts[0])


def test_a_rehearsal_of_two_machines_leaves_both_as_they_are(lab: Lab, purvey_project: Project) -> None:
    """What is new and what is changed on both can be taken back after each operation, and neither machine notices."""
    assert "16 operations failed in turn; every undo restores everything" in purvey_project.run("rehearse")
    assert told(lab.hosts[0], "sh", "-c", "ls /srv/site /etc/app.key 2>/dev/null || echo nothing") == "nothing\n"
    purvey_project.run("apply", "--yes")
    before = [tree(host) for host in lab.hosts]

    assert "10 operations failed in turn; every undo restores everything" in purvey_project.run("rehearse", "--text", "bye")

    assert [tree(host) for host in lab.hosts] == before


def test_a_failed_command_shows_both_of_its_outputs(lab: Lab, purvey_project: Project) -> None:
    """What it printed and what it complained of, named, without the secret that it was given."""
    purvey_project.write("""
from purvey import Host, secret, stack
from purvey.resources import files, host


@stack
def main() -> None:
    web = Host("192.0.2.11", name="web", user="root", key=secret("file:key"), known_hosts="known_hosts", config="")
    files.File("page", path="/srv/page", content="x", on=web)
    host.Command(
        "tests", always=True, on=web, env={"TOKEN": secret("file:app")},
        command=["sh", "-c", "echo 1 of 2 failed with $TOKEN; echo make: Error 1 >&2; exit 7"],
    )
""")

    ended = purvey_project.attempt("apply", "--yes")

    shown = "standard output:\n    1 of 2 failed with (secret)\n    standard error:\n    make: Error 1\n"
    assert shown in ended.stdout + ended.stderr
    assert "a secret that nobody sees" not in ended.stdout + ended.stderr


def test_a_full_disk_of_a_machine_is_told_as_one(lab: Lab, purvey_project: Project) -> None:
    """Where there is no room for purvey's own log nothing is done, and people read what to do, not an I/O error."""
    purvey_project.write(SCRIPT)
    told(
        lab.hosts[1], "sh", "-c",
        "cd /var/lib && mkdir -p purvey && mount -t tmpfs -o size=64k none purvey && ! cat /dev/zero >purvey/ballast",
    )  # fmt: skip

    ended = purvey_project.attempt("apply", "--yes", "--on-failure", "keep")

    said = ended.stdout + ended.stderr
    assert "No space left on device" in said
    assert "quota_exceeded" in said
    assert "I/O error" not in said
    told(lab.hosts[1], "rm", "/var/lib/purvey/ballast")
    assert "hello from web-1" in (purvey_project.run("resume", "--yes"), tree(lab.hosts[1]))[1]


def test_a_machine_is_believed_by_the_fingerprint_that_its_console_told(lab: Lab, purvey_project: Project) -> None:
    """It is an output of the run that made the machine; the right one lets the run go on, another is refused."""
    purvey_project.write("""
from purvey import Host, secret, stack
from purvey.resources import files, host


@stack
def main(known_as: str = "192.0.2.11", told: str = "told") -> None:
    show = f"ssh-keygen -l -F {known_as} -f known_hosts | grep -o 'SHA256:[^ ]*' | tee {told}"
    console = host.Command("console", command=["sh", "-c", show], creates=told, cwd=".")
    web = Host("192.0.2.11", name="web", user="root", key=secret("file:key"), host_key=console.stdout, config="")
    files.File("page", path="/srv/page", content="hello", on=web)
""")
    said = purvey_project.run("apply", "--yes")

    assert "2 created" in said
    assert told(lab.hosts[0], "cat", "/srv/page") == "hello"
    assert "nothing had to change" in purvey_project.run("apply", "--yes")
    purvey_project.run("destroy", "--yes")
    ended = purvey_project.attempt("apply", "--yes", "--known-as", "192.0.2.12", "--told", "told-2")
    assert "The key of a host is not the pinned one" in ended.stdout + ended.stderr
    assert told(lab.hosts[0], "sh", "-c", "ls /srv") == ""
