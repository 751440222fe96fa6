"""What defined an object may leave the script with it: its removal takes the kind from an archived copy of the script."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import pytest

from purvey.errors import RefusedError, ScriptError
from purvey.providers import registry
from tests.support.project import Project, actions

OWN = """
from purvey import Input, Output, Resource
from tests.support.kinds import ThingProvider

class CupProvider(ThingProvider):
    def claims(self, want):
        return ("place:top",)

class Own(Resource, kind="own.Thing", provider=CupProvider):
    size: int = Input(default=1)
    key: str = Output(stable=True)
    revision: int = Output()
    label: str = Output()
"""
MAIN = "\n@stack\ndef main():\n"
FLAGGED = """
import pathlib
if not pathlib.Path(__file__).with_name("flag").exists():
    raise RuntimeError("needs the flag")
"""
DELETES = """    async def delete(self, call, have):
        helper()
        await super().delete(call, have)

    def claims"""

Anew = Callable[[], None]


@pytest.fixture
def anew(project: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[Anew]:
    """Forgets what scripts defined, as a new process would; the folder's own modules can be imported."""
    monkeypatch.syspath_prepend(str(project.folder))
    before = set(sys.modules)

    def forget() -> None:
        for name in ("own.Thing", "own.Other", "step.migrate"):
            registry._kinds.pop(name, None)
        for name in set(sys.modules) - before:
            if name.partition(".")[0] in ("purvey_script_main", "purvey_script_infra", "lib", "shelves", "nums"):
                del sys.modules[name]

    yield forget
    forget()


def test_a_kind_a_step_and_a_module_may_leave_the_script(project: Project, anew: Anew) -> None:
    """Also when a run since had not come to the removal; what the script itself has under those names stays its own."""
    shelves = project.folder / "shelves.py"
    shelves.write_text("from tests.support.kinds import ThingProvider\nOwnProvider = ThingProvider\n", encoding="utf-8")
    step = "\n@step\ndef migrate(to: int) -> int:\n    return to\n"
    own = OWN.replace(
        "from tests.support.kinds import ThingProvider", "import shelves\nfrom shelves import OwnProvider as ThingProvider"
    )
    project.write(f'{own}{step}{MAIN}    Own("mine")\n    migrate("m", to=1)\n    Thing("t")')
    project.apply()
    anew()
    shelves.write_text("size = 5\n", encoding="utf-8")

    project.world.fail("update", "t", times=1)
    project.declare('import shelves\nThing("t", size=shelves.size)')
    assert project.apply(on_failure="keep").result == "kept"  # Now the newest copy does not have them.
    assert actions(project.plan()) == {"mine": "delete", "m": "forget", "t": "update"}
    anew()
    assert project.apply().result == "succeeded"

    assert project.world.log == ["create mine", "create t", "update t", "delete mine"]
    project.require_sound()


def test_the_newest_copy_that_has_the_kind_counts(project: Project, anew: Anew) -> None:
    """Not that of the run which changed the object: meanwhile it was found to hold data, and is not deleted unasked."""
    project.write(f'{OWN}{MAIN}    Own("mine")\n    Thing("t")')
    project.apply()
    anew()
    holding = OWN.replace("provider=CupProvider", "provider=CupProvider, holds_data=True")
    project.write(f'{holding}{MAIN}    Own("mine")\n    Thing("t", size=2)')
    project.apply()
    anew()

    project.declare('Thing("t", size=2)')
    assert [change.holds_data for change in project.plan().changes] == [True]
    anew()
    with pytest.raises(RefusedError):
        project.apply(final="refuse")
    assert "delete mine" not in project.world.log


def test_the_script_runs_once(project: Project, anew: Anew) -> None:
    """Its own copy, archived by the run that begins, is not imported beside it."""
    project.write(f'{OWN}{MAIN}    Own("mine")')
    project.apply()
    anew()
    project.write(f'here().note("imported"){MAIN}    Thing("t")')

    assert project.apply().result == "succeeded"
    assert project.world.log.count("imported") == 1


@pytest.mark.parametrize("name", ["main", "infra"])
@pytest.mark.parametrize("module", ["nums", "lib.nums"])
@pytest.mark.parametrize("late", [False, True])
def test_the_script_has_its_own_modules(project: Project, anew: Anew, name: str, module: str, late: bool) -> None:
    """As they are now, in whatever file the stack is by now, and whenever they are imported."""
    path = project.folder / f"{module.replace('.', '/')}.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text("SIZE = 1\n", encoding="utf-8")
    project.write(f'{OWN}\nimport {module}{MAIN}    Own("mine")\n    Thing("t", size={module}.SIZE)')
    project.apply()
    anew()
    path.write_text("SIZE = 2\n", encoding="utf-8")

    use = f'Thing("t", size={module}.SIZE)'
    body = f"{MAIN}    import {module}\n    {use}" if late else f"\nimport {module}{MAIN}    {use}"
    plan = project.session().plan(project.write(body, name=name))
    assert actions(plan) == {"mine": "delete", "t": "update"}


def test_a_resumed_undo_knows_what_it_makes_again(project: Project, anew: Anew) -> None:
    """What was deleted to make room is not recorded any more, and its kind has left the script."""
    project.write(f'{OWN}{MAIN}    Own("mine")')
    project.apply()
    anew()
    other = OWN.replace("Own", "Other").replace("own.Thing", "own.Other")
    project.write(f'{other}{MAIN}    Probe("p", of=Other("new").key)')
    project.world.fail("check", "p")
    project.world.fail("create", "mine", times=1)
    assert project.apply().result == "partial"
    anew()

    assert project.resume().result == "undone"
    assert [entry["name"] for entry in project.world.objects.values()] == ["mine"]


def test_a_copy_that_cannot_be_imported_is_passed_over(project: Project, anew: Anew) -> None:
    """Nothing of it is used, not even what it had defined before it failed; the next older one is asked."""
    flag = project.folder / "flag"
    flag.touch()
    own = OWN.replace("    def claims", DELETES)
    helper = "\ndef helper():\n    pass\n"
    project.write(f'{own}{helper}{MAIN}    Own("mine")')
    project.apply()
    anew()
    project.write(f'{own}{FLAGGED}{helper}{MAIN}    Own("mine")\n    Thing("t")')
    project.apply()
    flag.unlink()
    anew()

    assert project.destroy().result == "succeeded"
    assert project.world.objects == {}


def test_why_no_copy_can_be_imported_is_told(project: Project, anew: Anew) -> None:
    """With the line of the script, and that it is about a copy."""
    flag = project.folder / "flag"
    flag.touch()
    project.write(f'{FLAGGED}{OWN}{MAIN}    Own("mine")')
    project.apply()
    flag.unlink()
    anew()

    with pytest.raises(ScriptError) as caught:
        project.destroy()
    assert "needs the flag" in str(caught.value)
    assert "archived copy of the script, imported for the kind own.Thing" in caught.value.hint
    assert len(project.world.objects) == 1
