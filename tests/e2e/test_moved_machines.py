"""Machines that change their address or their name, on hosts of a lab: what is on which of them afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from purvey.testing.hosts import Lab
    from purvey.testing.pytest_plugin import Project

SCRIPT = """
from purvey import Host, Options, scope, secret, stack
from purvey.resources import files


@stack
def fleet(
    first: str = "192.0.2.11", second: str = "192.0.2.12", name: str = "web-1", more: bool = True, moved: bool = False
) -> None:
    for called, address in ((name, first), ("web-2", second)):
        if not address:
            continue
        web = Host(address, name=called, user="root", key=secret("file:key"), known_hosts="known_hosts", config="")
        with scope(called):
            for page in ("keep", "x"):
                if page == "keep" or more or called == "web-2":
                    was = f"web-1/files.File::{page}" if moved and called == name else ""
                    files.File(page, path=f"/srv/{page}", content="hello", on=web, opts=Options(moved_from=was))
"""


@pytest.fixture
def lab(purvey_lab: Callable[[int], Lab], purvey_project: Project) -> Iterator[Lab]:
    """Three machines, and a project that has set up two of them."""
    made = purvey_lab(3)
    made.introduce(purvey_project.folder)
    purvey_project.write(SCRIPT)
    with made.inside():
        purvey_project.run("apply", "--yes")
        yield made


def there(lab: Lab) -> list[list[str]]:
    """What is on each machine."""
    return [host.exec(["ls", "/srv"]).stdout.split() for host in lab.hosts]


def test_what_is_not_declared_any_more_is_removed_from_the_machine_that_has_the_name(lab: Lab, purvey_project: Project) -> None:
    """Two machines have each other's address: what one no longer has is not taken from the other, at its former address."""
    swapped = ("--first", "192.0.2.12", "--second", "192.0.2.11", "--no-more")

    said = purvey_project.run("apply", "--yes", *swapped)

    assert "1 deleted" in said
    assert there(lab) == [["keep", "x"], ["keep"], []]
    assert "nothing had to change" in purvey_project.run("apply", "--yes", *swapped)


def test_what_stays_on_the_former_machine_is_told(lab: Lab, purvey_project: Project) -> None:
    """Another machine has got the name: it gets what is declared, and nobody clears the one before."""
    said = purvey_project.run("apply", "--yes", "--first", "192.0.2.13")

    assert "Note: web-1 was another machine before, and 2 objects of it stay there.\n" in said
    assert "2 created" in said
    assert there(lab) == [["keep", "x"]] * 3
    assert "stay there" not in purvey_project.run("plan", "--first", "192.0.2.13")
    lab.hosts[0].stop()
    assert "1 deleted" in purvey_project.run("apply", "--yes", "--first", "192.0.2.13", "--no-more")
    assert lab.hosts[2].exec(["ls", "/srv"]).stdout.split() == ["keep"]


@pytest.mark.parametrize("given", [("--name", "shop"), ("--first", "", "--second", "192.0.2.11")], ids=["renamed", "reused"])
def test_nothing_is_removed_from_a_machine_of_another_name(lab: Lab, purvey_project: Project, given: tuple[str, ...]) -> None:
    """It may be the same machine under a new name, on which all of it is declared; or another one with its address."""
    before = there(lab)

    ended = purvey_project.attempt("apply", "--yes", *given)

    said = ended.stdout + ended.stderr
    assert "refused.another_machine" in said
    name = "shop" if "shop" in given else "web-2"
    assert f"web-1/files.File::x was made on web-1, which is where {name} is now." in said
    assert there(lab) == before


def test_a_new_name_with_what_was_there_before_removes_nothing(lab: Lab, purvey_project: Project) -> None:
    """Each node says what it was called, so nothing is made anew."""
    said = purvey_project.run("apply", "--yes", "--name", "shop", "--moved")

    assert "created" not in said
    assert there(lab) == [["keep", "x"], ["keep", "x"], []]
    assert "nothing had to change" in purvey_project.run("apply", "--yes", "--name", "shop")
