"""A machine that a script reaches in another way than before: what is on it is the same, and all is done in one order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from purvey._graph import Selection
from purvey._hosts.route import SshRoute
from purvey._state.history import RunHistory
from purvey.errors import HostError, RefusedError
from tests.support.project import Project
from tests.support.wire import Wire, WirePipes

SCRIPT = """
from pathlib import Path

from purvey import Host, Options, stack
from purvey.resources import command, files

HERE = Path(__file__).parent


@stack
def main(first: bool = True) -> None:
    box = Host("192.0.2.1", name="box", user="root" if first else "admin", config="")
    page = files.File("page", on=box, path=str(HERE / "page"), content=f"{first}")
    for n in range(9):
        command.Check(f"check-{n}", on=box, command=["true"], opts=Options(after=[page]))
    if first:
        files.File("old", on=box, path=str(HERE / "old"), content="old")
"""


def test_a_new_way_and_the_recorded_one_do_not_shut_each_other_out(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is changed goes the new way, and what is no longer declared is removed the recorded way, in one run."""
    home = project.folder / "own"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr("purvey._hosts.pool.Pool._made", lambda *_: Wire(home, lambda _: None))
    project.write(SCRIPT, prelude="")
    assert project.apply().result == "succeeded"

    run = project.apply(parameters={"first": False})

    assert (run.result, run.cause_detail) == ("succeeded", "")
    assert (project.folder / "page").read_text() == "False"
    assert not (project.folder / "old").exists()


MOVING = """
from pathlib import Path

from purvey import Host, stack
from purvey.resources import files

HERE = Path(__file__).parent


@stack
def main(address: str = "192.0.2.1", name: str = "box", user: str = "root", text: str = "one") -> None:
    box = Host(address, name=name, user=user, config="")
    files.File("page", on=box, path=str(HERE / "page"), content=text)
"""


@pytest.fixture
def refused() -> set[str]:
    """Users that are let in nowhere, and machines that let nobody in."""
    return set()


@pytest.fixture
def moving(project: Project, monkeypatch: pytest.MonkeyPatch, refused: set[str]) -> Callable[..., RunHistory]:
    """Applies the script; each address is a machine of its own."""
    homes = project.folder / "homes"
    monkeypatch.setenv("HOME", str(homes))

    def made(_: object, route: SshRoute) -> Wire:
        home = homes / route.address
        home.mkdir(parents=True, exist_ok=True)
        return Closed(home) if route.user in refused or route.address in refused else Wire(home, lambda _: None)

    monkeypatch.setattr("purvey._hosts.pool.Pool._made", made)
    project.write(MOVING, prelude="")

    def apply(**given: str) -> RunHistory:
        """Apply, with these parameters."""
        return project.apply(parameters=given)

    return apply


class Closed(Wire):
    """Lets nobody in."""

    def __init__(self, home: Path) -> None:
        super().__init__(home, lambda _: None)

    async def start(self, command: str) -> WirePipes:
        """See `Shell.start`."""
        del command
        raise HostError("denied", "A host does not let the user in", detail="Its keys are others.")


def test_a_new_name_of_a_machine_is_no_move(project: Project, moving: Callable[..., RunHistory]) -> None:
    """What is there is there under the new name as well; nothing of it is made again, nor deleted."""
    assert moving().result == "succeeded"
    before = (project.folder / "page").stat().st_ino

    plan = project.plan(name="other")
    run = moving(name="other")

    assert (plan.changes, run.result, run.changes) == ((), "succeeded", ())
    assert (project.folder / "page").stat().st_ino == before
    assert [item.where for item in project.state().resources.values()] == ["other"]
    assert moving(name="other", text="two").result == "succeeded"
    assert (project.folder / "page").read_text() == "two"


def test_who_is_let_in_no_more_is_asked_in_the_new_way(
    project: Project, refused: set[str], moving: Callable[..., RunHistory]
) -> None:
    """A key was changed on the machine and in the script: the recorded one says nothing of what is there."""
    assert moving().result == "succeeded"
    refused.add("root")

    with pytest.raises(RefusedError, match="not look"):
        moving(text="two")
    assert moving(user="admin", text="two").result == "succeeded"
    assert (project.folder / "page").read_text() == "two"


def test_a_new_way_on_which_nobody_is_let_in_is_refused(refused: set[str], moving: Callable[..., RunHistory]) -> None:
    """It is not recorded either, so the former one goes on working."""
    assert moving().result == "succeeded"
    refused.add("admin")

    with pytest.raises(RefusedError, match="not look"):
        moving(user="admin")
    assert moving().result == "succeeded"


def test_another_machine_with_the_name_gets_what_is_declared(
    project: Project, refused: set[str], moving: Callable[..., RunHistory]
) -> None:
    """What is not there is made, whether or not the former machine is; one that does not let us in is refused."""
    assert moving().result == "succeeded"
    (project.folder / "page").unlink()
    refused.add("192.0.2.1")

    (change,) = project.plan(address="192.0.2.2").changes
    assert (change.action, change.cause) == ("create", "it is gone")
    assert moving(address="192.0.2.2").result == "succeeded"
    assert (project.folder / "page").read_text() == "one"
    assert project.plan(address="192.0.2.2").is_empty
    refused.add("192.0.2.3")
    with pytest.raises(RefusedError, match="not look"):
        moving(address="192.0.2.3")


def test_a_machine_under_another_address_is_no_other_one(project: Project, moving: Callable[..., RunHistory]) -> None:
    """An address may be written as a name, or become another one; what is there is there, and nothing is made anew."""
    assert moving().result == "succeeded"
    before = (project.folder / "page").stat().st_ino

    run = moving(address="box.example.com")

    assert (run.result, run.changes) == ("succeeded", ())
    assert (project.folder / "page").stat().st_ino == before
    (record,) = project.state().resources.values()
    assert moving(address="box.example.com").result == "succeeded"
    assert project.state().resources[record.address, 1].machine == record.machine


def test_what_is_on_a_machine_that_nobody_can_look_at_is_not_left_there(
    project: Project, refused: set[str], moving: Callable[..., RunHistory]
) -> None:
    """Another name and another address are another machine; that the first one is silent does not make what is there gone."""
    assert moving().result == "succeeded"
    refused.add("192.0.2.1")

    (change,) = project.plan(address="192.0.2.2", name="other").changes
    assert change.action == "unreadable"
    assert moving(address="192.0.2.2", name="other").changes == ()
    assert [item.where for item in project.state().resources.values()] == ["box"]
    refused.clear()
    (change,) = project.plan(address="192.0.2.2", name="other").changes
    assert (change.action, change.reasons) == ("replace", ("it moves from box to other",))


ADDRESSED = """
from pathlib import Path

from purvey import Host, stack
from purvey.resources import files
from tests.support.kinds import Server

HERE = Path(__file__).parent


@stack
def main(text: str = "one", page: str = "a", name: str = "box") -> None:
    server = Server("server", text=text)
    box = Host(f"192.0.2.{server.revision}", name=name, config="")
    files.File("page", on=box, path=str(HERE / "page"), content=page)
"""


def test_an_address_that_has_changed_is_where_the_machine_is_looked_at(
    project: Project, refused: set[str], moving: Callable[..., RunHistory]
) -> None:
    """It is an output: the script says the same, and the recorded way leads nowhere any more."""
    project.write(ADDRESSED, prelude="")
    assert moving().result == "succeeded"
    assert moving(text="two").result == "succeeded"
    refused.add("192.0.2.1")

    run = moving(text="two", page="b")

    assert (run.result, [change.address for change in run.changes]) == ("succeeded", ["files.File::page"])
    assert (project.folder / "page").read_text() == "b"
    assert moving(text="two", page="b").changes == ()


def test_a_new_name_and_an_address_that_is_not_known_yet_are_another_machine(
    project: Project, moving: Callable[..., RunHistory]
) -> None:
    """Nobody knows before the run that it is the same one, so what is there moves, as the plan says."""
    project.write(ADDRESSED, prelude="")
    assert moving().result == "succeeded"

    plan = project.plan(text="two", name="other")

    (change,) = (item for item in plan.changes if item.address == "files.File::page")
    assert (change.action, change.reasons) == ("replace", ("it moves from box to other",))
    assert moving(name="other").changes == ()


TWO_USERS = """
from pathlib import Path

from purvey import Host, stack
from purvey.resources import files

HERE = Path(__file__).parent


@stack
def main(old: bool = True) -> None:
    admin, root = (Host("192.0.2.1", name="box", user=user, config="") for user in ("admin", "root"))
    files.File("page", on=admin, path=str(HERE / "page"), content="x")
    files.File("stays", on=root, path=str(HERE / "stays"), content="x")
    if old:
        files.File("old", on=root, path=str(HERE / "old"), content="x")
"""


def test_what_is_removed_goes_the_way_that_it_was_made(
    project: Project, refused: set[str], moving: Callable[..., RunHistory]
) -> None:
    """Where the script says it still: of two users one may do less."""
    project.write(TWO_USERS, prelude="")
    assert moving().result == "succeeded"
    refused.add("admin")

    run = project.apply(parameters={"old": False}, selection=Selection(excludes=("page",)))

    assert (run.result, run.cause_detail) == ("succeeded", "")
    assert not (project.folder / "old").exists()


OWN = """
from pathlib import Path

from purvey import Host, stack
from purvey.resources import files
from purvey.resources.files.file import FileProvider

HERE = Path(__file__).parent


class ByItself(FileProvider):
    async def update(self, call, have, want):
        return await super().update(call, have, want)


class Page(files.File, kind="test.Page", provider=ByItself):
    "A file whose kind acts by itself, as that of a firewall does."


@stack
def main(user: str = "root", text: str = "one") -> None:
    Page("page", on=Host("192.0.2.1", name="box", user=user, config=""), path=str(HERE / "page"), content=text)
"""


def test_a_kind_that_acts_by_itself_goes_the_new_way(
    project: Project, refused: set[str], moving: Callable[..., RunHistory]
) -> None:
    """What it changes is read once more before, by whom the script says."""
    project.write(OWN, prelude="")
    assert moving().result == "succeeded"
    refused.add("root")

    assert moving(user="admin", text="two").result == "succeeded"
    assert (project.folder / "page").read_text() == "two"
