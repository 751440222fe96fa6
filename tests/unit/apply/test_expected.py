"""An environment says in which world it is, and nothing is written into another one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from purvey._state.history import RunHistory
from purvey._state.record import Begun
from purvey.errors import InternalError, RefusedError
from tests.support.project import Project

SHELF = 's = Shelf("s")\nBook("b", shelf=s)\nThing("t", size={})'


@pytest.fixture
def owned(project: Project) -> Project:
    """An applied stack in our world, which its environment expects."""
    (project.folder / "purvey.toml").write_text('[env.dev.expect]\nowner = "us"\nregion = "nobody tells"\n')
    project.declare(SHELF.format(1))
    project.apply()
    return project


def _change(project: Project) -> RunHistory:
    project.declare(SHELF.format(2))
    return project.apply()


def _plan_file(project: Project) -> RunHistory:
    project.world.sell("us")
    project.declare(SHELF.format(2))
    path = project.folder / "it.purvey"
    project.session().save_plan(path, project.script_path)
    project.world.sell("them")
    return project.session().apply_plan(path, approve=project.approve)


def _remove(project: Project) -> RunHistory:
    project.declare("")
    return project.apply()


@pytest.mark.parametrize("act", [_change, _plan_file, _remove, Project.destroy, Project.undo])
def test_another_world_is_refused(owned: Project, act: Callable[[Project], RunHistory]) -> None:
    """Whatever would be written: nothing is, and the error tells what it is, and what was expected."""
    before = owned.world.log
    owned.world.sell("them")

    with pytest.raises(RefusedError) as caught:
        act(owned)

    assert caught.value.code == "refused.unexpected_world"
    assert "its owner is 'them', and the environment expects 'us'" in caught.value.detail
    assert "main.py:" in caught.value.detail
    assert owned.world.log == before


def test_the_expected_world_is_written_to(owned: Project) -> None:
    """One that is what it should be is no obstacle; nor is a name that no kind tells."""
    assert _change(owned).result == "succeeded"
    assert owned.undo().result == "undone"
    assert _remove(owned).result == "succeeded"


def test_a_plan_tells_beforehand(owned: Project) -> None:
    """The plan is made all the same, and says that an apply refuses it."""
    owned.world.sell("them")
    owned.declare(SHELF.format(2))
    plan = owned.plan()

    assert len(plan.changes) == 1
    assert plan.refusals[0].startswith("This is not the world that the environment expects")


def test_a_world_that_does_not_say_what_it_is_is_refused(owned: Project) -> None:
    """What cannot be told is taken for another one."""
    owned.world.fail("identity", "*")
    owned.declare(SHELF.format(2))

    with pytest.raises(RefusedError, match="not the world") as caught:
        owned.apply()
    assert "what it is in cannot be told: The world does not answer" in caught.value.detail


def test_where_nothing_changes_nobody_is_asked(owned: Project) -> None:
    """A run that touches nothing needs no account."""
    owned.world.sell("them")

    assert owned.apply().result == "succeeded"


def test_a_refused_undo_leaves_the_run_as_it_was(owned: Project) -> None:
    """It can be undone later, with the right credentials."""
    owned.world.sell("them")
    with pytest.raises(RefusedError):
        owned.undo()
    assert owned.session().runs(limit=1)[0].result == "succeeded"

    owned.world.sell("us")
    assert owned.undo().result == "undone"


def test_what_is_in_doubt_is_not_settled_in_another_world(project: Project) -> None:
    """A resume looks before its recovery calls anything."""
    (project.folder / "purvey.toml").write_text('[env.dev.expect]\nowner = "us"\n')
    project.declare('Server("a")')
    project.world.fail("create", "a", may_exist=True, after=True, times=1)
    assert project.apply(on_failure="keep").result == "kept"
    project.world.sell("them")
    before = project.world.log

    with pytest.raises(RefusedError, match="not the world"):
        project.resume()
    assert project.world.log == before
    assert len(project.state().in_doubt) == 1

    project.world.sell("us")
    run = project.resume()
    assert run.result == "succeeded"
    assert sum(isinstance(record, Begun) for record in project.records(run.id)) == 1


ACCOUNTS = """
from purvey import Input, Output, Resource
from tests.support.kinds import BookProvider, ThingProvider

class BoxProvider(ThingProvider):
    async def identity(self, call, want):
        return {"account": want.account}

class Box(Resource, kind="own.Box", provider=BoxProvider):
    account: str = Input()
    key: str = Output(stable=True)
    revision: int = Output()
    label: str = Output()

class TrayProvider(BookProvider):
    async def identity(self, call, want):
        return {"account": "1234" if want.shelf.key else ""}

class Tray(Resource, kind="own.Tray", provider=TrayProvider):
    shelf: Rack = Input(container=True)
    key: str = Output(stable=True)
    revision: int = Output()
    label: str = Output()

@stack
def main(color: str = "red"):
"""


def _in_accounts(project: Project, body: str) -> None:
    (project.folder / "purvey.toml").write_text('[env.dev.expect]\naccount = "1234"\n')
    project.write(f"{ACCOUNTS}    {body}\n")


@pytest.mark.parametrize("first", ['Box("a", account="1234")', 'Box("a", account=Thing("t").key)'])
def test_every_object_says_where_it_is(project: Project, first: str) -> None:
    """One that is where it should be, or cannot say yet, does not answer for others of its kind."""
    _in_accounts(project, f'{first}; Box("b", account="9999"); Box("c", account="9999")')

    with pytest.raises(RefusedError) as caught:
        project.apply()

    assert len(caught.value.findings) == 1
    assert "own.Box::b: its account is '9999', and the environment expects '1234'" in caught.value.findings[0]
    assert project.world.log == []


def test_what_went_with_its_container_is_nowhere(project: Project) -> None:
    """An undo brings it back; where its container is, that container's own kind says."""
    _in_accounts(project, 'r = Rack("r", number=1, color=color); Tray("t", shelf=r)')
    project.apply()
    project.world.fail("create", "r", times=1)
    assert project.apply(parameters={"color": "blue"}, on_failure="keep").result == "kept"
    assert project.world.objects == {}

    assert project.undo().result == "undone"
    assert {entry["name"] for entry in project.world.objects.values()} == {"r", "t"}


def test_our_own_mistake_is_not_taken_for_another_world(project: Project) -> None:
    """It is told as what it is."""
    _in_accounts(project, 'Box("a", account="1234")')
    source = project.script_path.read_text(encoding="utf-8")
    wrong = source.replace(
        'return {"account": want.account}', "from purvey.errors import InternalError; raise InternalError('x')"
    )
    project.script_path.write_text(wrong, encoding="utf-8")

    with pytest.raises(InternalError):
        project.apply()
