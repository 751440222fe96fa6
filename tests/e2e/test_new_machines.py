"""New machines: the real cloud-init takes what purvey builds, and purvey sees how far it is, over OpenSSH."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from purvey.testing.hosts import Lab
from tests.support.guest import SCRIPT, Guest

if TYPE_CHECKING:
    from purvey.testing.pytest_plugin import Project


@pytest.fixture(scope="module")
def machines() -> Iterator[Lab]:
    """A machine to come up, and one that is there."""
    with Lab(2, packages=["cloud-init"]) as lab:
        yield lab


@pytest.fixture
def guest(machines: Lab, purvey_project: Project) -> Iterator[Guest]:
    """A machine that is off, and a project whose scripts make it."""
    folder = purvey_project.folder
    machines.introduce(folder)
    (folder / "setup.sh").write_text("#!/bin/sh -e\necho set up by a script: ünï 😀 >/srv/script\n", encoding="utf-8")
    made = Guest(machines.hosts[0], folder / "power")
    with machines.inside():
        yield made
    made.host.stop()


def write(project: Project, body: str) -> None:
    """Write a script whose stack has this body."""
    project.write(f"{SCRIPT}\n\n@stack\ndef shop(text: str = 'it\\'s \"quoted\" — ünï 😀'):\n{body}")


def test_a_new_machine_is_waited_for_and_then_configured(guest: Guest, purvey_project: Project) -> None:
    """Nobody listens, then cloud-init works; what comes after finds all that the user data says, byte for byte."""
    write(purvey_project, """
    note = files.File("note", path="note", content=text)
    web, ready = new(host.user_data(
        write_files=[{"path": "/srv/note", "content": f"{text} {note.size}"}],
        run=["echo from a shell >/srv/shell", ["cp", "/srv/note", f"/srv/{note.size} copies"]], scripts=["setup.sh"],
        parts=["#!/bin/sh\\necho é >/srv/part\\n"], cloud="aws"))
    files.File("motd", on=web, path="/etc/motd", content="ready", opts=Options(after=[ready]))
    command.Check("all", on=web, command=["cat", "/srv/script", "/srv/shell"], contains="ünï 😀", opts=Options(after=[ready]))
    return {"from": ready.datasource, "warnings": ready.warnings}
""")  # fmt: skip
    guest.await_power()

    purvey_project.run("apply", "--yes")

    text = 'it\'s "quoted" — ünï 😀'
    assert guest.told("cat", f"/srv/{len(text.encode())} copies") == f"{text} {len(text.encode())}"
    assert guest.told("cat", "/etc/motd", "/srv/part") == "readyé\n"
    told = json.loads(purvey_project.run("outputs", "--json"))
    assert told == {"from": "nocloud", "warnings": []}
    assert "nothing had to change" in purvey_project.run("apply", "--yes")


def test_a_step_that_fails_is_shown_while_the_machine_goes_on(guest: Guest, purvey_project: Project) -> None:
    """The command, its code and its words are told at once, although cloud-init would work for hours, and nothing follows."""
    write(purvey_project, """
    web, ready = new(host.user_data(
        run=["true", ["sh", "-c", "echo no such database >&2; exit 7"], "touch /srv/never"],
        config={"runcmd": [["sleep", "5000"]]}))
    files.File("motd", on=web, path="/etc/never", content="ready", opts=Options(after=[ready]))
""")  # fmt: skip
    guest.await_power()

    ended = purvey_project.attempt("apply", "--yes")

    assert ended.returncode != 0
    assert "Step 2/3 ended with code 7" in ended.stdout + ended.stderr
    assert "no such database" in ended.stdout + ended.stderr
    assert (
        guest.told("sh", "-c", "pgrep -f 'sleep 5000' >/dev/null; ls /srv/never /etc/never 2>/dev/null || echo none")
        == "none\n"
    )


def test_a_module_that_fails_is_shown_with_the_log(guest: Guest, purvey_project: Project) -> None:
    """Where no step of ours failed, cloud-init's own errors are told, with what the command said."""
    write(purvey_project, """
    web, ready = new(host.user_data(config={"runcmd": ["echo the disk is upside down; exit 3"]}))
""")  # fmt: skip
    guest.await_power()

    ended = purvey_project.attempt("apply", "--yes")

    said = ended.stdout + ended.stderr
    assert ended.returncode != 0
    assert "Runparts: 1 failures" in said
    assert "the disk is upside down" in said


def test_user_data_that_is_too_large_arrives_compressed(guest: Guest, purvey_project: Project) -> None:
    """Four times as much as the cloud takes arrives whole, with every character, in a text that keeps the limit."""
    write(purvey_project, """
    lines = "".join(f"{n} {text}\\n" for n in range(1500))
    data = host.user_data(write_files=[{"path": "/srv/lines", "content": lines}], scripts=["setup.sh"], cloud="aws")
    web, ready = new(data)
    return {"bytes": len(data)}
""")  # fmt: skip
    guest.await_power()

    purvey_project.run("apply", "--yes")

    text = 'it\'s "quoted" — ünï 😀'
    assert guest.told("cat", "/srv/lines") == "".join(f"{n} {text}\n" for n in range(1500))
    assert guest.told("cat", "/srv/script") == "set up by a script: ünï 😀\n"
    assert len((guest.host.root / "var/lib/cloud/seed/nocloud/user-data").read_bytes()) <= 16_384


def test_cloud_init_finds_nothing_wrong_with_a_document(guest: Guest, purvey_project: Project, machines: Lab) -> None:
    """The validator that comes with cloud-init accepts what is built of everything that has a name of its own."""
    write(purvey_project, """
    files.File("document", path="document", content=host.user_data(
        packages=["nginx", ["curl", "7.88.1-10"]], run=["true", ["echo", "é"]],
        write_files=[{"path": "/srv/x", "content": text}],
        users=["default", {"name": "deploy", "groups": "sudo", "ssh_authorized_keys": ["ssh-ed25519 AAAA"]}],
        scripts=["setup.sh"], config={"timezone": "UTC", "runcmd": ["echo last"]}, cloud="hetzner"))
""")  # fmt: skip
    purvey_project.run("apply", "--yes")
    other = machines.hosts[1]
    (other.root / "srv/document").write_bytes((purvey_project.folder / "document").read_bytes())

    ended = other.exec(["cloud-init", "schema", "-c", "/srv/document"])

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Valid cloud-config" in ended.stdout


def test_a_machine_that_never_comes_up_is_named_with_the_reason(guest: Guest, purvey_project: Project) -> None:
    """Where nobody listens for as long as the script waits, the run fails and tells what was tried."""
    write(purvey_project, """
    web, ready = new(host.user_data(run=["true"]), within_s=1.0)
""")  # fmt: skip
    threading.Thread(target=guest.pipe.read_text, daemon=True).start()

    ended = purvey_project.attempt("apply", "--yes")

    assert ended.returncode != 0
    assert "it cannot be reached yet: root@192.0.2.11:22 cannot be connected to" in ended.stdout + ended.stderr


def test_the_user_whom_the_user_data_makes_is_waited_for(guest: Guest, purvey_project: Project, machines: Lab) -> None:
    """A login that is refused is no failure as long as the machine comes up; who becomes root may see what failed."""
    key = machines.key.with_suffix(".pub") if machines.key.with_suffix(".pub").exists() else None
    public = key.read_text() if key else guest.host.root.joinpath("root/.ssh/authorized_keys").read_text()
    (purvey_project.folder / "key.pub").write_text(public, encoding="utf-8")
    write(purvey_project, """
    keys = [Path(__file__).with_name("key.pub").read_text().strip()]
    user = {"name": "ops", "shell": "/bin/sh", "sudo": "ALL=(ALL) NOPASSWD:ALL", "ssh_authorized_keys": keys}
    web, ready = new(host.user_data(users=[user], run=["echo only root reads this; exit 3"]), user="ops", become="sudo")
""")  # fmt: skip
    guest.await_power()

    ended = purvey_project.attempt("apply", "--yes")

    assert "Step 1/1 ended with code 3" in ended.stdout + ended.stderr
    assert "only root reads this" in ended.stdout + ended.stderr


@pytest.mark.parametrize("shell", [["dash"], ["busybox", "sh"], ["bash", "--posix"]], ids=lambda shell: shell[0])
def test_the_agent_works_in_every_shell(machines: Lab, shell: list[str]) -> None:
    """It tells of each step in turn, leaves the words of the last, and begins none after one that failed."""
    host = machines.hosts[1]
    agent = Path(__file__).parents[2] / "src/purvey/resources/host/agent.sh"
    (host.root / "srv/agent").write_bytes(agent.read_bytes())
    steps = [["1/4", "sh", "-ec", "echo 'one\n two'; sleep 900 &"], ["2/4", "no-such-program"], ["3/4", "touch", "/srv/no"]]

    codes = [host.exec([*shell, "/srv/agent", *step]).returncode for step in steps]

    told = host.exec(["cat", "/run/purvey-bootstrap/results"]).stdout.splitlines()
    assert codes == [0, 127, 1]
    assert [line.split()[:2] for line in told] == [["begin", "1/4"], ["end", "1/4"], ["begin", "2/4"], ["end", "2/4"]]
    assert told[0].split(" ", 3)[3] == "echo 'one two'; sleep 900 &"
    assert told[3].startswith("end 2/4 127 ")
    assert "no-such-program" in host.exec(["cat", "/run/purvey-bootstrap/output"]).stdout
    assert not (host.root / "srv/no").exists()
