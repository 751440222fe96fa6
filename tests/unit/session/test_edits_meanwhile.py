"""What happens to an edit of the record while somebody else has the lease, or works on another stack."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from purvey import reveal
from purvey._apply.ownership import Owners
from purvey._base.event import Event, OperationStarted
from purvey._secrets.sealing import Sealer
from purvey._session.target import Target
from purvey._state.record import Closed, thawed
from purvey._state.sql.store import SqlStore
from purvey.errors import RefusedError, StateError
from tests.support.fixtures import project
from tests.support.project import Project

__all__ = ["project"]

VAULT = """
from purvey import Input, Output, Resource, Secret
from purvey.providers import Present
from tests.support.kinds import TaggedProvider


class VaultProvider(TaggedProvider):
    async def find(self, call, want):
        seen = await super().find(call, want)
        return Present(seen.id, {**seen.values, "word": Secret("open sesame")}) if isinstance(seen, Present) else seen


class Vault(Resource, kind="own.Vault", provider=VaultProvider):
    size: int = Input(default=1)
    key: str = Output(stable=True)
    word: str = Output(secret=True, stable=True)
    revision: int = Output()
    label: str = Output()


@stack
def main():
    Thing("x")
    Vault("v")
"""

MOVE = ("test.Thing::a", "test.Thing::b")


@contextmanager
def _before(monkeypatch: pytest.MonkeyPatch, what: str, work: Callable[[], object]) -> Iterator[None]:
    """Let another process do something just before the next use of the store's function `what`."""
    function = getattr(SqlStore, what)

    def late(self: SqlStore, *args: object, **more: object) -> object:
        monkeypatch.setattr(SqlStore, what, function)
        work()
        return function(self, *args, **more)

    monkeypatch.setattr(SqlStore, what, late)
    yield
    assert getattr(SqlStore, what) is function


def _existing(project: Project, name: str, kind: str = "test.Tagged") -> None:
    """Something in the world that purvey does not know."""
    project.world.set(f"tag-{name}", name=name, kind=kind, size=1, color="red", revision=1, token=name)


# Importing.


def test_an_import_seals_under_the_key_of_its_moment(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key changed before the import's turn is not used any more: the secret can be opened, and the key changed again."""
    project.write('\n@stack\ndef main():\n    Thing("x")\n')
    project.apply()
    _existing(project, "v", "own.Vault")
    project.write(VAULT)

    with _before(monkeypatch, "hold", lambda: project.session().store_rotate_key()):
        project.session().state_import(project.script_path, "own.Vault::v")

    assert project.session().store_rotate_key().result == "done"
    store = project.store()
    found = store.load("main/dev").latest("own.Vault::v")
    assert found is not None
    assert reveal(Sealer(*store.ring).unseal(thawed(found.outputs)["word"])) == "open sesame"
    store.close()
    project.require_sound()


def test_an_import_uses_no_generation_of_an_earlier_one(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """What somebody imported and forgot meanwhile has had its number."""
    _existing(project, "a")
    project.declare('Tagged("a")')

    def other() -> None:
        project.session().state_import(project.script_path, "test.Tagged::a")
        project.session().state_remove(project.target(), "test.Tagged::a")

    with _before(monkeypatch, "hold", other):
        found = project.session().state_import(project.script_path, "test.Tagged::a")

    assert found.generation == 2


def _import_elsewhere(project: Project) -> None:
    """Another stack gets the object called a."""
    project.session().state_import(project.declare('Tagged("a")', name="other"), "test.Tagged::a")


def test_two_imports_at_once_give_an_object_one_owner(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two stacks have two leases; the second to write is told who was first."""
    _existing(project, "a")
    project.declare('Tagged("a")')

    with (
        _before(monkeypatch, "write_together", lambda: _import_elsewhere(project)),
        pytest.raises(StateError, match="was recorded as other/dev::") as caught,
    ):
        project.session().state_import(project.script_path, "test.Tagged::a")

    assert caught.value.code == "state.owned"
    assert project.state().current() == {}
    assert list(project.state("other/dev").current()) == ["test.Tagged::a"]


def test_an_object_imported_and_forgotten_elsewhere_meanwhile_is_free(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another stack had for a moment has no owner."""
    _existing(project, "a")
    project.declare('Tagged("a")')

    def other() -> None:
        _import_elsewhere(project)
        project.session().state_remove(Target(stack="other"), "test.Tagged::a")

    with _before(monkeypatch, "write_together", other):
        assert project.session().state_import(project.script_path, "test.Tagged::a").id == "tag-a"


def test_an_object_imported_elsewhere_meanwhile_is_not_adopted(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The adoption fails as an operation, and the run takes back what it did."""
    _existing(project, "a")
    project.declare('b = Thing("b")\nTagged("a", size=5, opts=Options(adopt=True, after=[b]))')
    owner_of = Owners.of

    def late(self: Owners, *args: Any) -> str:
        """Nobody has it, until the one who asked has the answer."""
        monkeypatch.setattr(Owners, "of", owner_of)
        found = owner_of(self, *args)
        with ThreadPoolExecutor(1) as other:  # This thread has an event loop already.
            other.submit(_import_elsewhere, project).result()
        return found

    def react(event: Event) -> None:
        if isinstance(event, OperationStarted) and event.verb == "adopt":
            monkeypatch.setattr(Owners, "of", late)

    project.watcher.react = react
    run = project.apply()

    assert run.result == "undone"
    closed = project.records(run.id)[-1]
    assert isinstance(closed, Closed)
    assert "was recorded as other/dev::test.Tagged::a" in closed.detail
    assert list(project.world.objects) == ["tag-a"]
    assert project.world.objects["tag-a"]["size"] == 1
    assert project.state().current() == {}
    project.require_sound()


# Forgetting.


def test_what_is_forgotten_is_what_is_there(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run replaced the object before the removal's turn: the new one is forgotten, and said to be."""
    project.declare('Tagged("a", color="red")')
    project.apply()
    project.declare('Tagged("a", color="blue")')

    with _before(monkeypatch, "hold", project.apply):
        gone = project.session().state_remove(project.target(), "test.Tagged::a")

    assert gone.generation == 2
    assert project.state().current() == {}


def test_what_is_gone_is_not_forgotten(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A removal that comes too late says so."""
    project.declare('Thing("a")')
    project.apply()

    with (
        _before(monkeypatch, "hold", lambda: project.session().state_remove(project.target(), "test.Thing::a")),
        pytest.raises(StateError, match="No such object"),
    ):
        project.session().state_remove(project.target(), "test.Thing::a")


# The store itself.


def _apply_elsewhere(project: Project) -> None:
    """A stack that was not there when the leases were taken has a run."""
    project.session().apply(project.declare('Thing("n")', name="new"), approve=project.approve)


def _begin_elsewhere(project: Project) -> None:
    """Such a stack's run has its lease, and has written nothing yet."""
    project.store().acquire("new/dev", "RUN1")


def _tag(project: Project) -> None:
    """Somebody works on an object, which needs no lease."""
    project.session().tag_out(project.target(), "test.Thing::x", "being repaired")


@pytest.mark.parametrize("other", [_apply_elsewhere, _begin_elsewhere, _tag])
def test_what_is_written_while_the_store_moves_is_not_left_behind(
    project: Project, monkeypatch: pytest.MonkeyPatch, other: Callable[[Project], None]
) -> None:
    """The copy does not have it, so the store stays where it is."""
    project.declare('Thing("x")')
    project.apply()

    with (
        _before(monkeypatch, "leave_for", lambda: other(project)),
        pytest.raises(StateError, match="used the store while it was copied"),
    ):
        project.session().store_migrate(str(project.folder / "there"))

    assert project.apply().result == "succeeded" or other is _tag
    project.require_sound()


# Destroying.


def test_a_stack_that_got_a_reader_while_its_destruction_queued_stays(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who reads it is asked when it is its turn."""
    project.declare('return {"key": Thing("x").key}')
    project.apply()
    reader = project.declare('Thing("r", text=stack_output("main", "dev")["key"])', name="reader")

    with (
        _before(monkeypatch, "hold", lambda: project.session().apply(reader, approve=project.approve)),
        pytest.raises(RefusedError, match="read this stack's outputs"),
    ):
        project.destroy()

    assert sorted(item["name"] for item in project.world.objects.values()) == ["r", "x"]


# Tagging out.


def test_an_object_that_moves_away_before_it_is_tagged_is_not_tagged(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever tags it is told, and does not work on something that nothing protects."""
    project.declare('Thing("a")')
    project.apply()

    with (
        _before(monkeypatch, "tag_out", lambda: project.session().state_move(project.target(), *MOVE)),
        pytest.raises(StateError, match="No such object"),
    ):
        project.session().tag_out(project.target(), MOVE[0], "being repaired")

    assert project.session().tags(project.target()) == []
