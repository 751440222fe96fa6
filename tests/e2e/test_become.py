"""Real sudo, su and doas on the hosts of a lab: what is given to them, how often, and what is said where they refuse."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from purvey._base.clock import SystemClock
from purvey._base.value import Secret
from purvey._hosts.become import Becoming
from purvey._hosts.shell_host import ShellHost
from purvey.errors import HostError
from purvey.testing.hosts import Lab
from tests.support.case_lab import LabShell
from tests.unit.hosts.waiting import until

if TYPE_CHECKING:
    from purvey._hosts.route import Become
    from purvey.testing.pytest_plugin import Project

SCRIPT = """
from purvey import Host, secret, stack
from purvey.resources import files, host


@stack
def fleet(lines: int = 0) -> None:
    web = Host(
        "192.0.2.11", name="web", user="{user}", key=secret("file:key"), known_hosts="known_hosts", config="", {become}
    )
    for n in range(4):
        files.File(f"file-{{n}}", path=f"/etc/of-root-{{n}}", content="only root writes here", on=web)
    for n in range(lines):
        host.Command(
            f"line-{{n}}", creates=f"/srv/made-{{n}}", on=web,
            command=["sh", "-c", f"echo line {{n}} >>/srv/ledger; sleep 0.4; echo >/srv/made-{{n}}"],
        )
"""

PREPARED = r"""
set -e
: >/var/tmp/tried
chmod 666 /var/tmp/tried
printf '#!/bin/sh -p\n(cat && echo) >>/var/tmp/tried\n' >/usr/local/sbin/tried
chmod 755 /usr/local/sbin/tried
note='auth required pam_exec.so seteuid expose_authtok /usr/local/sbin/tried'
sed -i "0,/^@include common-auth/s,,$note\n&," /etc/pam.d/sudo /etc/pam.d/su
echo root:root-password | chpasswd
echo permit nopass admin >/etc/doas.conf
"""
"""Whatever is taken for a password is written down, and root has one for su."""

GIVEN = {"sudo": "admin-password", "su": "root-password"}
"""The right password for each program."""


class Desk:
    """A host of a lab, and a project that works there with another user's rights."""

    def __init__(self, lab: Lab, project: Project) -> None:
        self.host = lab.hosts[0]
        self.project = project
        lab.introduce(project.folder)
        self.on_host(PREPARED)

    def write(self, by: str, password: str = "", *, user: str = "admin", more: str = "") -> None:
        """Write the script: who logs in, and by which program that user becomes root."""
        become = f'become="{by}"'
        if password:
            (self.project.folder / "password").write_text(password, encoding="utf-8")
            (self.project.folder / "password").chmod(0o600)
            become += ', become_password=secret("file:password")'
        self.project.write(SCRIPT.format(user=user, become=become + more))

    def on_host(self, script: str) -> str:
        """Run a script on the host as root, past its sshd."""
        ended = self.host.exec(["sh", "-c", script])
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def tried(self) -> list[str]:
        """Whatever was taken for a password on the host."""
        return self.on_host("cat /var/tmp/tried").split("\n")[:-1]


@pytest.fixture
def desk(purvey_lab: Callable[[int], Lab], purvey_project: Project) -> Iterator[Desk]:
    """A new host, and a project that reaches it."""
    lab = purvey_lab(1)
    with lab.inside():
        yield Desk(lab, purvey_project)


@pytest.mark.parametrize("by", GIVEN)
def test_the_password_is_given_once_in_each_run(desk: Desk, by: str) -> None:
    """What follows is root's, and nothing else is ever tried."""
    desk.write(by, GIVEN[by])
    desk.project.run("apply", "--yes")

    assert desk.on_host("stat -c %U /etc/of-root-*").split() == ["root"] * 4
    assert desk.tried() == [GIVEN[by]]
    assert "nothing had to change" in desk.project.run("apply", "--yes")
    assert desk.tried() == [GIVEN[by]] * 2


@pytest.mark.parametrize("by", GIVEN)
def test_a_wrong_password_is_tried_once(desk: Desk, by: str) -> None:
    """No line of a program becomes a second try, and the run makes none; the error names machine, user and way out."""
    desk.write(by, "wrong-password")
    assert f"On web, {by} does not let us be root with the password that is given." in desk.project.run("plan")
    assert desk.tried() == ["wrong-password"]

    ended = desk.project.attempt("apply", "--yes")
    assert ended.returncode != 0
    assert "Correct the secret that is given as `become_password=`" in ended.stdout + ended.stderr
    assert desk.tried() == ["wrong-password"] * 2


def test_a_password_that_nobody_wants_is_not_given(desk: Desk) -> None:
    """Who may do everything without a password is asked for none, and what is sent is not taken for one."""
    desk.write("sudo", "no-password-at-all", user="deploy")
    desk.project.run("apply", "--yes")

    assert desk.on_host("stat -c %U /etc/of-root-*").split() == ["root"] * 4
    assert desk.tried() == []


def test_doas_without_a_password(desk: Desk) -> None:
    """Who may do it without one is let in; a password for it is refused before anything is done, as there is no terminal."""
    desk.write("doas")
    desk.project.run("apply", "--yes")
    assert desk.on_host("stat -c %U /etc/of-root-*").split() == ["root"] * 4

    desk.write("doas", "admin-password")
    ended = desk.project.attempt("plan")
    assert "permit nopass LOGIN as root" in ended.stderr


REFUSALS: dict[str, tuple[Become, str, str, str]] = {
    "no-password": ("sudo", "", "true", "Give it as `become_password=secret(…)`"),
    "su-no-password": ("su", "", "true", "Give it as `become_password=secret(…)`"),
    "doas-wants-one": ("doas", "", "echo permit admin >/etc/doas.conf", "permit nopass LOGIN as root"),
    "doas-denies": ("doas", "", "echo permit nopass deploy >/etc/doas.conf", "permit nopass LOGIN as root"),
    "doas-is-not-set-up": ("doas", "", "rm /etc/doas.conf", "permit nopass LOGIN as root"),
    "one-try": ("sudo", "wrong-password", "echo 'Defaults passwd_tries=1' >/etc/sudoers.d/more", "Correct the secret"),
    "not-in-sudoers": ("sudo", "admin-password", "gpasswd --delete admin sudo", "LOGIN ALL=(root) ALL"),
    "not-this": ("sudo", "admin-password", "echo 'admin ALL=(ALL) !ALL' >/etc/sudoers.d/more", "LOGIN ALL=(root) ALL"),
    "requiretty": ("sudo", "admin-password", "echo 'Defaults requiretty' >/etc/sudoers.d/more", "Defaults:LOGIN !requiretty"),
    "requiretty-no-password": ("sudo", "", "echo 'Defaults requiretty' >/etc/sudoers.d/more", "Defaults:LOGIN !requiretty"),
    "missing": ("sudo", "admin-password", "mv /usr/bin/sudo /root", "Install sudo there"),
    "doas-missing": ("doas", "", "mv /usr/bin/doas /root", "Install doas there"),
    "broken": ("sudo", "admin-password", "chmod u-s /usr/bin/sudo", "Mend what it complains of on the machine"),
    "su-not-allowed": ("su", "root-password", "sed -i '1i auth requisite pam_wheel.so' /etc/pam.d/su", "who may use it"),
}


@pytest.fixture(scope="module")
def several() -> Iterator[Lab]:
    """A host for each way to be refused or to be asked."""
    with Lab(len(REFUSALS) + len(SETTINGS)) as lab:
        yield lab


async def answered(lab: Lab, number: int, by: Become, password: str) -> list[str]:
    """What comes of two questions to a host that is prepared: who we are there, or why we are nobody."""
    becoming = Becoming(by, password=Secret(password) if password else None)
    host = ShellHost(LabShell(lab, lab.hosts[number], user="admin"), "web", SystemClock(), becoming)
    told = []
    for _ in range(2):
        try:
            told.append((await host.machine()).user)
        except HostError as error:
            told.append(f"{error.detail} {error.hint}")
    return told


@pytest.mark.parametrize("case", REFUSALS)
async def test_why_the_rights_were_refused(several: Lab, case: str) -> None:
    """Whatever keeps us from being root is an error that says what to do about it, and names the machine and the user."""
    by, password, spoilt, words = REFUSALS[case]
    host = several.hosts[list(REFUSALS).index(case)]
    host.exec(["sh", "-c", PREPARED + spoilt])

    first, second = await answered(several, several.hosts.index(host), by, password)

    assert words in first
    assert "On web" in first
    assert "root" in first
    assert second == first
    assert len(host.exec(["cat", "/var/tmp/tried"]).stdout.splitlines()) <= 1


SETTINGS = {
    "use_pty": "admin-password",
    "lecture=always,insults": "admin-password",
    "passprompt_override,passprompt=Password:": "admin-password",
    "rootpw": "root-password",
}
"""Settings that change what sudo says or wants, and the password then."""


@pytest.mark.parametrize("settings", SETTINGS)
async def test_settings_that_change_what_sudo_says(several: Lab, settings: str) -> None:
    """Lectures, insults, prompts and terminals of its own neither keep anybody out nor make two tries of a wrong password."""
    number = len(REFUSALS) + list(SETTINGS).index(settings)
    host = several.hosts[number]
    host.exec(["sh", "-c", f"{PREPARED} echo 'Defaults {settings}' >/etc/sudoers.d/more"])

    wrong = await answered(several, number, "sudo", "wrong-password")
    assert all("with the password that is given" in told for told in wrong)
    assert await answered(several, number, "sudo", SETTINGS[settings]) == ["root", "root"]
    tried = host.exec(["cat", "/var/tmp/tried"]).stdout.splitlines()
    assert tried == ["wrong-password", SETTINGS[settings]]


def outputs(ended: subprocess.CompletedProcess[str]) -> tuple[str, str]:
    """All that a command has said."""
    return ended.stdout, ended.stderr


WATCHED = r"""
while [ ! -e /var/tmp/seen-enough ]; do
  cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\0' '\n' | grep -aFf /var/tmp/words >>/var/tmp/seen || true
done
"""
"""Looks at the arguments and the variables of every process, again and again."""


def test_the_password_is_nowhere(desk: Desk) -> None:
    """Neither a list of processes nor a file of the machine has it, nor the store, the keys, or what purvey says."""
    desk.on_host("printf 'admin-password\nIN-THE-OPEN\n' >/var/tmp/words; : >/var/tmp/seen")
    watching = threading.Thread(target=desk.on_host, args=(WATCHED,))
    watching.start()
    shown = desk.host.exec(["sh", "-c", "until [ -s /var/tmp/seen ]; do :; done", "IN-THE-OPEN"])
    assert shown.returncode == 0
    desk.write("sudo", GIVEN["sudo"])
    told = desk.project.run("apply", "--yes", "--lines", "2")
    told += desk.project.run("plan", "--json")
    desk.on_host("touch /var/tmp/seen-enough; rm /var/tmp/tried")
    watching.join()

    assert set(desk.on_host("cat /var/tmp/seen").split()) == {"IN-THE-OPEN"}
    assert "admin-password" not in told
    ours = [path for path in desk.project.folder.rglob("*") if path.is_file() and b"admin-password" in path.read_bytes()]
    assert [path.name for path in ours] == ["password"]
    theirs = [
        path for path in (desk.host.folder / "upper").rglob("*") if path.is_file() and b"admin-password" in path.read_bytes()
    ]
    assert [path.name for path in theirs] == ["words"]


@pytest.mark.parametrize("by", GIVEN)
def test_a_killed_run_goes_on_with_the_same_rights(desk: Desk, by: str) -> None:
    """A command goes on as root after purvey is killed; the resume is let in anew, and every command ran once."""
    desk.write(by, GIVEN[by])
    process = desk.project.begin("apply", "--yes", "--lines", "3")
    assert until(lambda: desk.on_host("cat /srv/ledger 2>/dev/null || :") != "")
    process.kill()
    process.communicate()
    desk.project.run("resume", "--yes", "--wait")

    assert desk.on_host("cat /srv/ledger").splitlines() == ["line 0", "line 1", "line 2"]
    assert desk.on_host("stat -c %U /srv/made-*").split() == ["root"] * 3
    assert set(desk.tried()) == {GIVEN[by]}
