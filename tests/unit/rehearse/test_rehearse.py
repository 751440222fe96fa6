"""A rehearsal finds what an undo would not restore, and nothing else."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest

from purvey._rehearse.finding import Rehearsal
from purvey._report.rehearsal_text import rehearsal_sum
from purvey._state.history import RunHistory
from purvey.errors import RefusedError
from tests.support.project import PRELUDE, Project
from tests.support.rehearsals import BUGS, RIGHT, Case

SEEN_FOR_REAL = (
    "a step without an undo",
    "a step without an undo that runs again",
    "an undo that does not take the step's arguments",
    "data that is deleted first",
    "data in a container that is deleted first",
    "an update that the kind cannot undo",
    "a secret whose former value is gone",
    "an object that is protected by the run that makes it",
)
"""The bugs that show when the run fails at its end; others depend on order, or on what the tests' world does not keep."""


def rehearsed(project: Project, case: Case, monkeypatch: pytest.MonkeyPatch) -> Rehearsal:
    """Apply what was before, then rehearse what is now."""
    monkeypatch.setenv("SECRET", "old")
    if case.before:
        declare(project, case, case.before)
        assert project.apply().result == "succeeded"
    declare(project, case, case.now)
    monkeypatch.setenv("SECRET", case.secret)
    return project.session().rehearse(project.script_path)


def declare(project: Project, case: Case, body: str) -> None:
    """Write the script."""
    inner = textwrap.indent(textwrap.dedent(body).strip(), "    ")
    project.write(f"import msgspec\n{case.above}\n\n@stack\ndef main():\n{inner}\n", prelude=PRELUDE)


def meet_adopted(project: Project, case: Case) -> None:
    """Let what a case adopts be there already."""
    if "adopted" in case.name:
        kind = "test.Slot" if "Slot" in case.now else "test.Tagged"
        project.world.set("mine", name="s", kind=kind, size=1, color="red", revision=1)


def failed_for_real(
    project: Project, case: Case, monkeypatch: pytest.MonkeyPatch
) -> tuple[RunHistory, set[tuple[str, int]], list[dict[str, Any]]]:
    """Apply a case for real, with a check after everything else that fails.

    Returns:
        The run, and what was recorded and there before it.
    """
    operations = rehearsed(project, case, monkeypatch).operations
    after = dict.fromkeys(item.address for item in operations if item.verb != "delete" and item.stage == 1)
    before = {key for key in project.state().resources if "test.Probe" not in key[0]} if case.before else set()
    objects = project.world.visible()
    body = textwrap.dedent(case.now).strip()
    declare(project, case, f'{body}\nProbe("last", opts=Options(after={list(after)}))')
    project.world.fail("check", "last")
    return project.apply(), before, objects


@pytest.mark.parametrize("case", BUGS, ids=lambda case: case.name)
def test_an_undo_bug_is_found(case: Case, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each seeded bug is found as what it is, at its node, with its line and what to write."""
    meet_adopted(project, case)

    found = rehearsed(project, case, monkeypatch).findings

    told = [(item.what, item.address.rpartition("::")[2]) for item in found]
    assert told == [(case.what, case.at)]
    (finding,) = found
    assert case.why in finding.why
    assert finding.source.startswith("main.py:")
    assert finding.fix
    assert finding.after or case.what == "apply"


@pytest.mark.parametrize("case", RIGHT, ids=lambda case: case.name)
def test_a_right_script_is_not_blamed(case: Case, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script that can be undone has no finding, and says of each operation that the undo restores everything."""
    meet_adopted(project, case)

    found = rehearsed(project, case, monkeypatch)

    assert [(item.what, item.address, item.why) for item in found.findings] == []
    assert found.restores
    assert all(item.restored for item in found.operations)


def test_a_run_that_fails_at_once_is_not_called_empty(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the first operation fails by itself there was nothing to undo, but something to do."""
    case = next(item for item in BUGS if item.name == "a diff that lets an immutable field change")

    told = rehearsal_sum(rehearsed(project, case, monkeypatch))

    assert told == "Rehearsal: the run fails before it has done anything, so there was nothing to undo."


def test_what_a_protected_object_stands_on_is_told_too(project: Project) -> None:
    """An object is left because a protected one stands on it, and the reason says so."""
    project.declare('a = Thing("a")\nThing("b", text=a.key, opts=Options(protect=True))')

    found = {item.address: item for item in project.session().rehearse(project.script_path).findings}

    assert set(found) == {"test.Thing::a", "test.Thing::b"}
    assert "test.Thing::b stands on it" in found["test.Thing::a"].why


def test_a_rehearsal_leaves_nothing(project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No object, no step's effect, no store, no key, no copy of the record, and no secret on the disk remains."""
    monkeypatch.setenv("SECRET", "hunter2-hunter2")
    case = next(item for item in RIGHT if item.name == "a step with an undo")
    declare(project, case, 'book("b", who="me")\nSafe("s", text=secret("env:SECRET"))')
    folders = tmp_path / "tmp"
    folders.mkdir()
    monkeypatch.setattr("purvey._session.rehearse._MEMORY", folders)

    assert project.session().rehearse(project.script_path).restores

    assert project.world.log == []
    assert not project.world.objects
    assert list(folders.iterdir()) == []
    assert sorted(path.name for path in project.folder.iterdir()) == ["main.py", "tmp"]


def test_the_copies_hold_no_secret_and_are_private(project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """While it goes on, the folder of the copies is the user's alone, and no file in it holds a plaintext."""
    monkeypatch.setenv("SECRET", "hunter2-hunter2")
    project.declare('s = Safe("s", text=secret("env:SECRET"))\nSafe("t", text=s.made)')
    monkeypatch.setattr("purvey._session.rehearse._MEMORY", tmp_path)
    modes: set[int] = set()

    def look(done: int, total: int) -> None:
        for path in tmp_path.glob("purvey-rehearsal-*"):
            modes.add(path.stat().st_mode & 0o777)
            for file in path.rglob("*.db*"):
                assert b"hunter2" not in file.read_bytes()

    assert project.session().rehearse(project.script_path, progress=look).restores
    assert modes == {0o700}


def test_the_record_stays_as_it_is(project: Project) -> None:
    """A rehearsal on a stack that was applied writes no run and takes no lease; the world keeps its objects."""
    project.declare('Thing("a")')
    project.apply()
    before, objects = project.state().resources, project.world.objects
    project.declare('Thing("a", color="blue")\nThing("b")')

    found = project.session().rehearse(project.script_path)

    assert [item.operation for item in found.operations] == ["create test.Thing::a #2", "create test.Thing::b #1"]
    assert project.state().resources == before
    assert project.world.objects == objects
    assert len(project.session().runs()) == 1


def test_what_an_apply_would_refuse_is_refused(project: Project) -> None:
    """A plan that a guard refuses is no plan to rehearse."""
    project.declare('Thing("a", opts=Options(protect=True))')
    project.apply()
    project.declare('Thing("a", color="blue", opts=Options(protect=True))')

    with pytest.raises(RefusedError, match="protected"):
        project.session().rehearse(project.script_path)


def test_a_stage_that_needs_a_real_value_is_said_to_be_missing(project: Project) -> None:
    """Where the script cannot go on with a made-up value, what comes before is rehearsed and the rest is named."""
    project.declare('s = Server("s")\nThing("t", size={"srv-1": 2}[value(s.key)])')

    found = project.session().rehearse(project.script_path)

    assert [item.operation for item in found.operations] == ["create test.Server::s #1"]
    assert found.restores
    assert any("stage 1" in limit for limit in found.limits)


def test_every_stage_is_rehearsed_and_a_lookup_is_asked_once(project: Project) -> None:
    """Made-up outputs let later stages go on, and what the outside world was asked is replayed."""
    project.declare(
        """
        found = lookup("image", lambda: here().note("asked") or "img-1")
        s = Server("s", text=found)
        Thing("t", text=value(s.key))
        """
    )

    found = project.session().rehearse(project.script_path)

    assert [(item.stage, item.address) for item in found.operations] == [(1, "test.Server::s"), (2, "test.Thing::t")]
    assert project.world.log == ["asked"]


def test_progress_goes_to_the_end(project: Project) -> None:
    """Whoever watches is told how many operations of how many have failed."""
    project.declare('Thing("a")\nThing("b")')
    seen: list[tuple[int, int]] = []

    project.session().rehearse(project.script_path, progress=lambda done, total: seen.append((done, total)))

    assert seen == [(0, 2), (1, 2), (2, 2)]


@pytest.mark.parametrize("case", RIGHT, ids=lambda case: case.name)
def test_what_is_not_blamed_can_really_be_undone(case: Case, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real engine on the tests' world agrees: a check that fails at the end leads to an undo that restores everything."""
    meet_adopted(project, case)
    failed, before, objects = failed_for_real(project, case, monkeypatch)

    assert failed.result == "undone"
    assert project.world.visible() == objects
    assert {key for key in project.state().resources if "test.Probe" not in key[0]} == before
    project.require_sound()


@pytest.mark.parametrize("case", [case for case in BUGS if case.name in SEEN_FOR_REAL], ids=lambda case: case.name)
def test_what_is_blamed_really_goes_wrong(case: Case, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real engine on the tests' world agrees: the run is not undone, or the world is another than before."""
    failed, _, objects = failed_for_real(project, case, monkeypatch)

    assert failed.result == "partial" or project.world.visible() != objects
