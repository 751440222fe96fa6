"""The life of an object through the session, on a real store and a small real world."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from purvey.providers import registry
from tests.support.project import Project, actions


def test_create_no_op_update_replace_delete(project: Project) -> None:
    """Each edit of the script has exactly its effects, a second apply none, and removing the node removes the object."""
    project.declare('Thing("a", size=1)')
    assert project.apply().result == "succeeded"
    assert project.world.log == ["create a"]

    assert project.apply().result == "succeeded"
    assert project.world.log == ["create a"]

    project.declare('Thing("a", size=2)')
    assert project.apply().result == "succeeded"
    assert project.world.log == ["create a", "update a"]

    project.declare('Thing("a", size=2, color="blue")')
    assert actions(project.plan()) == {"a": "replace"}
    assert project.apply().result == "succeeded"
    assert project.world.log[2:] == ["create a", "delete a"]
    (entry,) = project.world.objects.values()
    assert entry["color"] == "blue"

    project.declare("")
    assert project.apply().result == "succeeded"
    assert project.world.objects == {}
    project.require_sound()


OWN = """
import shelves

class Own(Resource, kind="own.Thing", provider=shelves.OwnProvider):
    size: int = Input(default=1)
    key: str = Output(stable=True)
    revision: int = Output()
    label: str = Output()

@step
def migrate(to: int) -> int:
    return to
"""


def _forget_modules() -> None:
    """As a new process: nothing that a script defined is known."""
    for name in ("own.Thing", "step.migrate"):
        registry._kinds.pop(name, None)
    sys.modules.pop("shelves", None)


@pytest.fixture
def beside(project: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A module beside the script."""
    monkeypatch.syspath_prepend(str(project.folder))
    yield project.folder / "shelves.py"
    _forget_modules()


def test_what_defined_an_object_may_leave_the_script_with_it(project: Project, beside: Path) -> None:
    """A kind, a step and a module beside the script are in the archived copy, from which the removal takes them.

    What the script itself defines stays what the script says, also where the copy has something of the same name.
    """
    module = "from tests.support.kinds import ThingProvider\n\nclass OwnProvider(ThingProvider):\n    pass\n"
    beside.write_text(module, encoding="utf-8")
    own = f"from purvey import Input, Output, Resource\n{OWN}"
    project.write(f'{own}\n@stack\ndef main():\n    Own("mine")\n    migrate("m", to=1)\n    Thing("t")')
    project.apply()
    _forget_modules()
    beside.write_text("size = 5\n", encoding="utf-8")

    project.world.fail("update", "t", times=1)
    project.declare('import shelves\nThing("t", size=shelves.size)')
    assert project.apply(on_failure="keep").result == "kept"  # Now the newest copy does not have them.
    assert actions(project.plan()) == {"mine": "delete", "m": "forget", "t": "update"}
    _forget_modules()
    assert project.apply().result == "succeeded"

    assert project.world.log == ["create mine", "create t", "update t", "delete mine"]
    project.require_sound()
