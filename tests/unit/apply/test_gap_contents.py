"""What lives in a container that is deleted to make room goes with it, and comes back with it."""

from __future__ import annotations

from tests.support.project import Project

SCRIPT = """
from purvey import Input, Options, Output, Resource, stack
from tests.support.cabinet import Cabinet, Tray
from tests.support.kinds import TaggedProvider, Thing


class CupProvider(TaggedProvider):
    def fields(self, want):
        return {**super().fields(want), "shelf": want.tray.key}


class Cup(Resource, kind="own.Cup", provider=CupProvider, holds_data=HOLDS_DATA):
    tray: Tray = Input(container=True)
    color: str = Input(default="red", immutable=True)
    key: str = Output(stable=True)


@stack
def main(color: str = "red"):
    tray = Tray("t", cabinet=Cabinet("r", color=color))
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


FREED = """
r = Rack("{name}", number=1)
{inside}
"""


def freed(project: Project, *, inside: str = 'Tag("t", shelf=r)') -> list[tuple[str, str]]:
    """A rack with something in it, and a script in which another one takes its place; what the world had before."""
    project.declare(FREED.format(name="r", inside=inside))
    assert project.apply().result == "succeeded"
    project.declare(FREED.format(name="other", inside='Thing("bad", text=r.key)'))
    return names(project)


def names(project: Project) -> list[tuple[str, str]]:
    """Every object, and whose it is."""
    return sorted((entry["name"], entry["tag"]) for entry in project.world.objects.values())


def test_contents_of_an_undeclared_container_come_back_with_it(project: Project) -> None:
    """It was deleted because another one takes its place."""
    before = freed(project)
    project.world.fail("create", "bad")

    assert project.apply().result == "undone"

    assert names(project) == before
    assert set(project.state().resources) == {("test.Rack::r", 1), ("test.Tag::t", 1)}
    project.require_sound()


def test_data_in_an_undeclared_container_is_said_to_be_lost(project: Project) -> None:
    """It was there before the run, and is not after it."""
    freed(project, inside='Book("b", shelf=r)')
    project.world.fail("create", "bad")

    run = project.apply()

    assert run.result == "partial"
    assert "test.Book::b cannot be undone" in run.cause_detail


def test_contents_are_there_until_their_container_is_gone(project: Project) -> None:
    """A container that cannot be deleted keeps what is in it, on record too; so nothing is made twice."""
    before = freed(project)
    project.world.fail("delete", "r")

    assert project.apply().result == "undone"

    assert names(project) == before
    project.declare(FREED.format(name="r", inside='Tag("t", shelf=r)'))
    assert project.plan().is_empty


def test_contents_of_what_a_destroy_cannot_delete_stay_on_record(project: Project) -> None:
    """As long as their container is there, so are they."""
    project.declare('s = Shelf("s")\nTag("t", shelf=s)')
    project.apply()
    project.world.fail("delete", "s")

    run = project.destroy()

    assert run.result == "partial"
    assert {(item.address, item.why) for item in run.left} == {("test.Shelf::s", "failed"), ("test.Tag::t", "waiting")}
    project.world.mend()
    assert project.destroy().result == "succeeded"
    assert project.state().resources == {}


def test_contents_that_the_run_had_changed_come_back_as_they_were_before_it(project: Project) -> None:
    """First changed, then gone with the container: what counts is what the run had found."""
    body = 'r = Rack("r", number=1, color="red")\nt = Tag("t", shelf=r, text="{}")\n{}'
    project.declare(body.format("a", ""))
    project.apply()
    project.declare(body.format("b", 'Thing("bad", text=t.key)'))
    project.world.fail("create", "bad")
    run = project.apply(on_failure="keep")
    rack = next(key for key, entry in project.world.objects.items() if entry["name"] == "r")
    project.world.set(rack, color="green")  # Now the rack has to be replaced, and what is in it with it.
    assert project.resume(run.id).result == "kept"
    assert "delete r" in project.world.log

    assert project.undo(run.id).result == "undone"

    assert sorted((entry["name"], entry.get("text")) for entry in project.world.objects.values()) == [("r", None), ("t", "a")]
    project.require_sound()


def test_an_undo_forgets_contents_with_their_container_and_not_before(project: Project) -> None:
    """Where the container's deletion fails, its contents are on record and in the ledger, and the next apply takes them up."""
    project.declare('s = Shelf("s")\nt = Tag("t", shelf=s)\nThing("bad", text=t.key)')
    project.world.fail("create", "bad")
    project.world.fail("delete", "s")

    run = project.apply()

    assert run.result == "partial"
    assert {(item.address, item.why) for item in run.left} == {("test.Shelf::s", "failed"), ("test.Tag::t", "waiting")}
    project.world.mend()
    assert project.apply().result == "succeeded"
    assert [name for name, _ in names(project)] == ["bad", "s", "t"]
    project.require_sound()


def test_contents_of_a_container_that_no_undo_takes_away_are_deleted(project: Project) -> None:
    """It stays, so they would stay in it."""
    project.write("""
class StaysProvider(type(Shelf._kind.provider)):
    def undoable(self, verb, have, want):
        return False

class Stays(Shelf, kind="own.Stays", provider=StaysProvider):
    pass

@stack
def main():
    t = Tag("t", shelf=Stays("s"))
    Thing("bad", text=t.key)
""")
    project.world.fail("create", "bad")

    assert project.apply().result == "partial"

    assert [name for name, _ in names(project)] == ["s"]
    assert list(project.state().resources) == [("own.Stays::s", 1)]


def test_contents_of_a_retained_container_are_deleted_by_themselves(project: Project) -> None:
    """The old container stays in the world when a new one takes its place; what was in it does not."""
    body = 's = Shelf("s", color="{}", opts=Options(retain=True))\nTag("t", shelf=s)'
    project.declare(body.format("red"))
    project.apply()
    project.declare(body.format("blue"))

    assert project.apply().result == "succeeded"

    assert sorted((entry["name"], entry.get("color")) for entry in project.world.objects.values()) == [
        ("s", "blue"), ("s", "red"), ("t", None),
    ]  # fmt: skip
    project.require_sound()
