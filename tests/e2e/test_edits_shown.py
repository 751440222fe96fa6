"""What somebody has edited on a machine, as plan and drift show it: line by line, and nothing that is or may be secret."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from purvey.testing.hosts import Lab
    from purvey.testing.pytest_plugin import Project

SCRIPT = """
from purvey import Host, secret, stack
from purvey.resources import files


@stack
def fleet(port: int = 80) -> None:
    web = Host("192.0.2.11", name="web", user="root", key=secret("file:key"), known_hosts="known_hosts", config="")
    files.File("plain", path="/srv/plain", content="one\\ntwo\\nthree\\n", on=web)
    files.File("closed", path="/srv/closed", content="one\\ntwo\\n", mode="0600", on=web)
    files.File("filled", path="/srv/filled", template="conf.j2", variables={"port": port}, on=web)
    files.File("filled-closed", path="/srv/filled-closed", template="conf.j2", variables={"port": port}, mode="0640", on=web)
    files.File("hidden", path="/srv/hidden", content=secret("file:app"), on=web)
    files.File("filled-hidden", path="/srv/filled-hidden", template="conf.j2", variables={"port": secret("file:app")}, on=web)
    files.File("odd", path="/srv/odd", content="one\\n", on=web)
    files.File("long", path="/srv/long", content="one\\n", on=web)
    files.File("here", path="here", content="one\\ntwo\\n")
"""

EDIT = r"""
cd /srv
for file in *; do echo 'by hand' >>$file; done
printf '\033[2J' >>odd
head -c 70000 /dev/zero | tr '\0' x >long
"""


@pytest.fixture
def lab(purvey_lab: Callable[[int], Lab], purvey_project: Project) -> Iterator[Lab]:
    """A host, and a project that has put files on it, which somebody has edited."""
    made = purvey_lab(1)
    made.introduce(purvey_project.folder)
    (purvey_project.folder / "app").touch(mode=0o600)
    (purvey_project.folder / "app").write_text("a secret that nobody sees", encoding="utf-8")
    (purvey_project.folder / "conf.j2").write_text("listen {{ port }}\nroot /srv\n", encoding="utf-8")
    purvey_project.write(SCRIPT)
    with made.inside():
        purvey_project.run("apply", "--yes")
        assert made.hosts[0].exec(("sh", "-c", EDIT)).returncode == 0
        with (purvey_project.folder / "here").open("a") as file:
            file.write("by hand\n")
        yield made


def texts(changes: list[dict[str, Any]]) -> dict[str, Any]:
    """What is shown of the content of each changed file."""
    fields = {item["address"].rpartition("::")[2]: item["fields"] for item in changes}
    assert all(any(field["path"] == "digest" for field in fields[name]) for name in fields)
    return {name: (field["before"], field["after"]) for name in fields for field in fields[name] if field["path"] == "content"}


SHOWN = {
    "plain": ("one\ntwo\nthree\nby hand\n", "one\ntwo\nthree\n"),
    "closed": ("one\ntwo\nby hand\n", "one\ntwo\n"),
    "filled": ("listen 80\nroot /srv\nby hand\n", "listen 80\nroot /srv\n"),
    "here": ("one\ntwo\nby hand\n", "one\ntwo\n"),
}


def test_an_edit_is_shown_line_by_line(lab: Lab, purvey_project: Project) -> None:
    """Plan and drift show what was edited where the wish is shown too, and of all else no more than that it differs."""
    for said in (purvey_project.run("plan", "--json"), purvey_project.attempt("drift", "--json").stdout):
        changes = json.loads(said)["changes"]
        assert len(changes) == 9
        assert texts(changes) == SHOWN
        assert "a secret" not in said
    said = purvey_project.run("plan")
    assert said.count("- by hand") == len(SHOWN)
    assert "+ by hand" not in said
    assert "\033[2J" not in said


def test_an_edit_that_was_shown_is_mended(lab: Lab, purvey_project: Project) -> None:
    """The next run writes what was planned and an undo gives back the edit; what was read for people is not recorded."""
    assert texts(json.loads(purvey_project.run("plan", "--json", "--port", "81"))["changes"])["filled"] == (
        "listen 80\nroot /srv\nby hand\n",
        "listen 81\nroot /srv\n",
    )
    purvey_project.run("apply", "--yes")
    assert lab.hosts[0].exec(("cat", "/srv/plain", "/srv/filled")).stdout == "one\ntwo\nthree\nlisten 80\nroot /srv\n"
    assert json.loads(purvey_project.run("plan", "--json"))["changes"] == []
    purvey_project.run("undo", "--yes")
    assert lab.hosts[0].exec(("cat", "/srv/plain", "/srv/filled")).stdout.count("by hand") == 2
    assert texts(json.loads(purvey_project.run("plan", "--json"))["changes"]) == SHOWN
