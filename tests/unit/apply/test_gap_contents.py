"""What lives in a container that is deleted to make room goes with it, and comes back with it."""

from __future__ import annotations

from tests.support.project import Project

SCRIPT = """
from purvey import Input, Options, Output, Resource, stack
from tests.support.kinds import TaggedProvider, Thing, ThingProvider


class Rack(Resource, kind="own.Rack", provider=ThingProvider, delete_first=True):
    color: str = Input(default="red", immutable=True)
    key: str = Output(stable=True)


class TrayProvider(TaggedProvider):
    def fields(self, want):
        return {**super().fields(want), "shelf": want.rack.key}


class Tray(Resource, kind="own.Tray", provider=TrayProvider):
    rack: Rack = Input(container=True)
    color: str = Input(default="red", immutable=True)
    key: str = Output(stable=True)


class CupProvider(TaggedProvider):
    def fields(self, want):
        return {**super().fields(want), "shelf": want.tray.key}


class Cup(Resource, kind="own.Cup", provider=CupProvider, holds_data=HOLDS_DATA):
    tray: Tray = Input(container=True)
    color: str = Input(default="red", immutable=True)
    key: str = Output(stable=True)


@stack
def main(color: str = "red"):
    rack = Rack("r", color=color)
    tray = Tray("t", rack=rack)
    cup = Cup("c", tray=tray)
    if color != "red":
        Thing("bad", text=cup.key)
"""


def shapes(project: Project) -> list[tuple[str, str]]:
    """Every object with its color."""
    return sorted((item["name"], item["color"]) for item in project.world.objects.values())


def applied(project: Project, *, holds_data: bool) -> None:
    """The red rack with what is in it; from now on what a blue one has besides fails."""
    project.write(SCRIPT.replace("HOLDS_DATA", str(holds_data)))
    assert project.apply().result == "succeeded"
    project.world.fail("create", "bad")


def test_contents_come_back_with_their_container(project: Project) -> None:
    """An undo makes the container again, then what was in it, and what was in that."""
    applied(project, holds_data=False)
    before = shapes(project)

    assert project.apply(parameters={"color": "blue"}).result == "undone"

    assert shapes(project) == before
    project.require_sound()
    project.world.mend()
    assert project.plan().is_empty


def test_data_that_went_with_its_container_is_said_to_be_lost(project: Project) -> None:
    """What held data cannot come back, so the run was not undone."""
    applied(project, holds_data=True)

    run = project.apply(parameters={"color": "blue"})

    assert run.result == "partial"
    assert "own.Cup::c cannot be undone" in run.cause_detail
    assert [name for name, _ in shapes(project)] == ["r", "t"]
    project.require_sound()


def test_the_record_has_no_contents_of_what_is_gone(project: Project) -> None:
    """A run that stops in the gap leaves a record that is true."""
    applied(project, holds_data=False)
    project.world.fail("create", "r")

    assert project.apply(parameters={"color": "blue"}, on_failure="keep").result == "kept"

    assert project.state().resources == {}
    project.world.mend()
    assert project.undo().result == "undone"
    assert shapes(project) == [("c", "red"), ("r", "red"), ("t", "red")]
    project.require_sound()
