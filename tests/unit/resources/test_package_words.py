"""What a package manager does and complains of, in few words."""

from __future__ import annotations

import pytest

from purvey._hosts.command import Command, Completed, failed
from purvey.resources import packages
from purvey.resources.packages._apt import apt_get, dpkg
from purvey.resources.packages._apt_words import APT
from purvey.resources.packages._words import explained, in_short
from purvey.resources.packages.apt import AptProvider
from purvey.testing import view


@pytest.mark.parametrize(
    ("command", "short"),
    [
        (apt_get("--no-remove", "install", "nginx=1.22", lock_s=300), "apt-get install nginx=1.22"),
        (dpkg("--remove", "nginx"), "dpkg --remove nginx"),
        (Command(("apk", "--no-progress", "--wait", "300", "--cache-max-age", "60", "add", "curl")), "apk add curl"),
        (Command(("/srv/bin/python", "-m", "pip", "--quiet", "install", "--index-url", "u", "demo")), "pip install demo"),
    ],
)
def test_a_command_is_told_without_its_options(command: Command, short: str) -> None:
    """What is done and to which packages stays; how does not."""
    assert in_short(command.argv) == short


def test_whoever_watches_reads_the_command_in_short() -> None:
    """The line of progress has neither variables nor options."""
    want = view(packages.Apt, names={"nginx": ""})

    assert AptProvider().doing(want, apt_get("install", "nginx", lock_s=300)) == "apt-get install nginx"


def test_the_cause_has_the_command_in_short() -> None:
    """What it said is kept whole; the command of somebody else, too."""
    said = Completed(100, stderr=b"E: Unable to locate package nginxx")
    other = failed(Command(("sh", "-c", "a -b"), env={"A": "b"}), said)
    told = other.detail

    error = explained(failed(apt_get("install", "nginxx", lock_s=300), said), APT)

    assert error.code == "not_found"
    assert error.detail == "The command ended with code 100:\n  apt-get install nginxx\nE: Unable to locate package nginxx"
    assert explained(other, APT).detail == told


def test_the_progress_of_a_package_manager_is_no_cause() -> None:
    """Of one that complained, what it printed on its way is left out; one that only printed has that for its words."""
    command, printed = apt_get("install", "demo", lock_s=300), b"Reading package lists...\nGet:1 copy:/srv demo 1 [612 B]\n"

    both = explained(failed(command, Completed(100, printed, b"E: Sub-process failed")), APT)
    one = explained(failed(command, Completed(100, printed)), APT)

    assert both.detail.splitlines()[1:] == ["  apt-get install demo", "E: Sub-process failed"]
    assert one.detail.splitlines()[2:] == printed.decode().splitlines()
