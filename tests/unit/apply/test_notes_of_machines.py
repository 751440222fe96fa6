"""What a plan notes of machines that do not answer, and of secrets that cannot be read: once, in every plan."""

from __future__ import annotations

import pytest

from purvey._apply.request import AwaitsApproval
from purvey._plan.plan import Plan
from tests.support.project import Project
from tests.support.shells import Gone, HastyClock

SCRIPT = """
from purvey import Chroot, Host, scope, secret, stack
from purvey.resources import files


@stack
def main(locked: bool = False):
    for box in (Chroot("/srv/1", name="box-1"), Chroot("/srv/2", name="box-2")):
        with scope(box.name):
            for n in range(3):
                files.File(f"page-{n}", path=f"/nowhere/{n}", content=f"{n}", on=box)
    if locked:
        web = Host("192.0.2.1", name="web", user="root", password=secret("file:nothere.key"))
        for n in range(3):
            files.File(f"locked-{n}", path=f"/nowhere/{n}", content=f"{n}", on=web)
"""


@pytest.fixture
def lost(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project whose machines are all gone."""
    monkeypatch.setattr("purvey._hosts.pool.Pool._made", lambda *_: Gone())
    project.clock = HastyClock()  # type: ignore[assignment]
    project.write(SCRIPT, prelude="")
    return project


def test_a_machine_that_cannot_be_reached_is_noted_once(lost: Project) -> None:
    """However much is on it, there is one note for each machine, with how much of it is not looked at."""
    told = "A host cannot be reached; 3 objects on it are not looked at\nNo route to it.\nLook:\n\n    ping -c 1 box"

    assert lost.plan().warnings == (f"box-1: {told}", f"box-2: {told}")


def test_an_apply_shows_the_notes_of_the_plan(lost: Project) -> None:
    """Whoever says yes to an apply has read what `purvey plan` would have told."""
    shown: list[Plan] = []

    def approve(plan: Plan) -> str:
        shown.append(plan)
        return ""

    with pytest.raises(AwaitsApproval):
        lost.session().apply(lost.script_path, approve=approve)

    assert [plan.warnings for plan in shown] == [lost.plan().warnings]


def test_a_secret_that_cannot_be_read_is_noted_once(lost: Project) -> None:
    """Its source stands in the note once, and what needs it has no note of its own."""
    warnings = [warning for warning in lost.plan(locked=True).warnings if "nothere.key" in warning]

    assert len(warnings) == 1
    assert warnings[0].startswith("files.File::locked-0: secret file:nothere.key: ")
    assert warnings[0].splitlines()[0].count("file:nothere.key") == 1
