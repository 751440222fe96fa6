"""``purvey store rotate-key`` and ``migrate``: another key, another place, and nothing lost on the way."""

from __future__ import annotations

import base64
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from purvey._base.clock import SystemClock
from purvey._secrets.key import KeyRing
from purvey._secrets.sealing import Sealer
from purvey._state.open import find_at
from purvey._state.sql.store import SqlStore
from purvey._state.sqlite import open_sqlite
from purvey.errors import StateError
from tests.unit.cli.conftest import Purvey

ROOT = Path(__file__).resolve().parents[3]

SCRIPT = """
from purvey import Input, Output, Resource, secret, stack
from purvey.providers import Done, Present, Provider
from purvey.resources import files


class TokenProvider(Provider):
    async def read(self, call, have):
        return Present(call.id, {"label": have.label})

    async def create(self, call, want):
        await call.identified("t")
        return Done("t", {"token": "generated-and-sealed"})

    async def update(self, call, have, want):
        return Done("t", {"token": have.token})

    async def delete(self, call, have):
        return None


class Token(Resource, kind="own.Token", provider=TokenProvider):
    label: str = Input(default="")
    token: str = Output(secret=True, stable=True)


@stack
def main(label: str = "a"):
    files.File("pw", path=f"{__file__}.pw", content=secret("env:PW"), mode="0600")
    return {"token": Token("t", label=label).token}
"""


class Project:
    """A project with a sealed value, and a digest of a secret, in its store.

    Args:
        folder: Its folder.
        purvey: Runs a command there.
    """

    def __init__(self, folder: Path, purvey: Purvey) -> None:
        self.folder = folder
        self.purvey = purvey

    def keys(self) -> KeyRing:
        """The keys as a command would find them."""
        return KeyRing(os.environ, clock=SystemClock())

    @contextmanager
    def store(self) -> Iterator[SqlStore]:
        """The store, open."""
        with closing(open_sqlite(self.folder / ".purvey" / "state.db", keys=self.keys(), clock=SystemClock())) as store:
            yield store

    def require_whole(self) -> None:
        """The store is sound, its secrets are readable, and no secret counts as changed."""
        assert self.purvey("store", "verify").code == 0
        assert self.purvey("outputs", "main.py", "--name", "token", "--reveal").out == "generated-and-sealed\n"
        again = self.purvey("apply", "main.py", "--yes")
        assert "nothing had to change" in again.out + again.err


@pytest.fixture
def project(purvey: Purvey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """It, applied twice, so that the journal has an update too."""
    monkeypatch.setenv("PW", "hunter2 hunter2")
    (tmp_path / "main.py").write_text(SCRIPT, encoding="utf-8")
    (tmp_path / "purvey.toml").write_text("", encoding="utf-8")
    for label in ("b", "a"):
        told = purvey("apply", "main.py", "--yes", "--label", label)
        assert told.code == 0, told.err
    return Project(tmp_path, purvey)


def key_file(project: Project) -> Path:
    """Where the key is."""
    with project.store() as store:
        return Path(project.keys().place(store.estate))


def test_a_new_key_takes_the_old_one_s_place(project: Project) -> None:
    """Nothing in the store needs the former key any more, which is put aside; no secret seems to have changed."""
    path, before = key_file(project), project.purvey("store", "info", "--json").json()["key_id"]
    former = base64.b64decode(path.read_text("ascii"))

    told = project.purvey("store", "rotate-key", "--json").json()

    assert told["result"] == "done"
    assert told["rows"] > 0
    assert project.purvey("store", "info", "--json").json()["key_id"] == told["key_id"] != before
    aside = Path(told["aside"])
    assert (aside.stat().st_mode & 0o777, base64.b64decode(aside.read_text("ascii"))) == (0o600, former)
    assert (path.stat().st_mode & 0o777, len(path.read_text("ascii").split())) == (0o600, 1)
    project.require_whole()
    with project.store() as store:
        old = Sealer(former)
        bodies = store.read(lambda connection: [row[0] for row in connection.execute("SELECT body FROM record")])
        sealed = [item for body in bodies for item in _sealed(body)]
        assert sealed
        for item in sealed:
            with pytest.raises(StateError, match="sealed value"):
                old.open_bytes(base64.b64decode(item), b"")


def _sealed(body: bytes) -> list[str]:
    """The ciphertexts in a record."""
    return [part.partition(b'"')[0].decode() for part in body.split(b'"sealed":"')[1:]]


def test_a_key_is_changed_again_and_again(project: Project) -> None:
    """Each time there is one key in the file, and all former ones are aside."""
    for count in (1, 2, 3):
        assert project.purvey("store", "rotate-key").code == 0
        aside = key_file(project).with_name(f"{key_file(project).name}.former")
        assert len(aside.read_text("ascii").split()) == count
    project.require_whole()


def test_two_that_change_the_key_at_once_lose_none(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """One makes a key, then others make a newer one and change to it: the first goes over to that, too."""
    extend = KeyRing.extend

    def overtaken(self: KeyRing, estate: str) -> bytes:
        own = extend(self, estate)
        monkeypatch.setattr(KeyRing, "extend", extend)
        extend(self, estate)
        assert project.purvey("store", "rotate-key").code == 0
        return own

    monkeypatch.setattr(KeyRing, "extend", overtaken)
    assert project.purvey("store", "rotate-key").code == 0

    assert len(key_file(project).read_text("ascii").split()) == 1
    project.require_whole()


def test_a_run_that_is_under_way_goes_on(project: Project) -> None:
    """Its stack is left for the next time, and what it writes meanwhile is written under the new key."""
    with project.store() as running:
        with running.hold("main/dev", "01JD8ZK3M0000000000000000A") as lease:
            journal = running.open_journal("main/dev", "01JD8ZK3M0000000000000000A", lease.fence)
            told = project.purvey("store", "rotate-key", "--json")
            assert (told.code, told.json()["result"], told.json()["busy"]) == (5, "busy", ["main/dev"])
            records = running.records(running.runs("main/dev", 1)[0].id)
            journal.write_now(records[0])
        assert running.verify() == []

    assert project.purvey("store", "rotate-key", "--json").json()["result"] == "done"
    assert len(key_file(project).read_text("ascii").split()) == 1
    assert project.purvey("store", "verify").code == 0


def test_a_run_that_was_killed_before_its_first_record_is_in_nobody_s_way(project: Project) -> None:
    """Its script is in the archive already and belongs to no run: it is signed under the new key like any other."""
    with project.store() as store:
        store.archive("01JD8ZK3M0000000000000000A", {"main.py": b"the script"})

    for _ in range(2):
        assert project.purvey("store", "rotate-key", "--json").json()["result"] == "done"
        project.require_whole()


def test_a_plan_of_the_former_key_is_refused(project: Project) -> None:
    """A reviewed plan is signed with a key that is not the store's any more; the error says what to do."""
    assert project.purvey("plan", "main.py", "--label", "z", "-o", "p.purvey").code == 0
    assert project.purvey("store", "rotate-key").code == 0

    told = project.purvey("apply", "p.purvey", "--yes")

    assert told.code == 3
    assert "another store's key" in told.err


class Dies(BaseException):
    """The process ends here."""


def killed_at(moment: int, *words: str) -> bool:
    """Run a command that is killed just before or after something becomes durable, at `moment`; whether it came to that."""
    command = [sys.executable, "-m", "tests.support.dying", str(moment), *words]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}/src:{ROOT}"}
    ended = subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False)
    assert ended.returncode in (0, -signal.SIGKILL), ended.stderr
    return ended.returncode != 0


def test_a_change_of_key_that_is_killed_at_any_moment_is_finished_by_the_next(project: Project) -> None:
    """Whatever was durable by then, the store can be read and written, and the command is simply repeated."""
    moment = 1
    while killed_at(moment, "store", "rotate-key"):
        assert project.purvey("store", "verify").code == 0, moment
        again = project.purvey("store", "rotate-key", "--json")
        assert again.json()["result"] == "done", (moment, again.out)
        assert len(key_file(project).read_text("ascii").split()) == 1, moment
        moment += 1
    assert moment > 15
    project.require_whole()


def test_a_key_in_the_environment_is_changed_by_its_owner(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one key purvey says how; with two it goes over to the second, and says when the first is not needed any more."""
    path = key_file(project)
    old = path.read_text("ascii").strip()
    path.unlink()
    monkeypatch.setenv("PURVEY_KEY", old)
    refused = project.purvey("store", "rotate-key")
    assert refused.code == 5
    assert "openssl rand -base64 32" in refused.err

    new = base64.b64encode(bytes(range(32))).decode()
    monkeypatch.setenv("PURVEY_KEY", f"{old} {new}")
    assert "take it out of PURVEY_KEY" in project.purvey("store", "rotate-key").out

    monkeypatch.setenv("PURVEY_KEY", new)
    project.require_whole()


def test_a_store_moves_to_another_folder(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that was remembered is there; the old store refuses to be used, and says where it went."""
    told = project.purvey("store", "migrate", "--to", str(tmp_path / "elsewhere"))

    assert told.code == 0, told.err
    assert str(tmp_path / "elsewhere") in told.out
    refused = project.purvey("apply", "main.py", "--yes")
    assert refused.code == 5
    assert "was moved to" in " ".join(refused.err.split()) or "elsewhere" in refused.err
    (tmp_path / "purvey.toml").write_text('store = "elsewhere"\n', encoding="utf-8")
    project.require_whole()


def test_a_store_that_is_in_use_does_not_move(project: Project, tmp_path: Path) -> None:
    """While a run is under way nothing is copied, and the store stays in use."""
    with project.store() as running, running.hold("main/dev", "01JD8ZK3M0000000000000000A"):
        assert project.purvey("store", "migrate", "--to", str(tmp_path / "elsewhere")).code == 5

    assert find_at(tmp_path / "elsewhere", keys=project.keys(), clock=SystemClock()) is None
    project.require_whole()


def test_nothing_is_written_over(project: Project, tmp_path: Path) -> None:
    """Neither another store, nor the store itself, is a place to move to."""
    own = project.purvey("store", "migrate", "--to", ".purvey")
    assert (own.code, "state.not_empty" in own.err or "There is a store already" in own.err) == (5, True)
    project.require_whole()


def test_a_move_that_died_before_its_end_is_said_again(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """The copy is there and the old store does not know yet: the second time it is taken for what it is."""

    def dies(_store: SqlStore, *_: object) -> None:
        raise Dies

    with monkeypatch.context() as patched:
        patched.setattr(SqlStore, "leave_for", dies)
        with pytest.raises(Dies):
            project.purvey("store", "migrate", "--to", "elsewhere")
    project.require_whole()  # It is still in use, and has one run more.

    assert project.purvey("store", "migrate", "--to", "elsewhere").code == 5
    shutil.rmtree(tmp_path / "elsewhere")
    assert project.purvey("store", "migrate", "--to", "elsewhere").code == 0


def test_a_password_does_not_go_on_the_command_line(project: Project) -> None:
    """An address with one is refused, and not shown."""
    told = project.purvey("store", "migrate", "--to", "postgresql://me:hunter2@127.0.0.1:1/x")

    assert told.code == 5
    assert "hunter2" not in told.out + told.err
    assert "PGPASSWORD" in told.err
