"""Slips of a newcomer at the command line: each is told as what it is."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from purvey._base.clock import SystemClock
from purvey._secrets.key import KeyRing
from purvey._state.open import open_at
from purvey._state.sqlite import connect
from tests.unit.cli.conftest import Purvey
from tests.unit.cli.terminal import Terminal

SITE = "site/site.py"


@pytest.fixture
def applied(purvey: Purvey, project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The starter project, applied, and as the working directory."""
    monkeypatch.chdir(project)
    assert purvey("apply", "site.py", "--yes").code == 0
    return project


@pytest.mark.parametrize("env", ["BAD/env", "../x", "..", "-x", "", "e" * 300])
@pytest.mark.parametrize("verb", ["plan", "apply", "drift", "graph", "rehearse"])
def test_an_environment_that_cannot_be_is_refused(verb: str, env: str, purvey: Purvey, project: Path) -> None:
    """A name that would lead out of the project, or is a mistyped option, is told as a bad name."""
    told = purvey(verb, SITE, "-e", env, "--json")

    assert told.code == 3
    assert told.json()["error"]["code"] == "script.bad_name"


@pytest.mark.parametrize("words", [("-e", "nope"), ("--stack", "nope"), ("--stack", "site", "-e", "nope")])
def test_runs_of_what_never_was_are_refused(words: tuple[str, ...], purvey: Purvey, applied: Path) -> None:
    """A misspelt environment is not a project without runs."""
    told = purvey("runs", *words)

    assert told.code == 5
    assert "No run yet" not in told.out
    assert "site/dev" in told.err


def test_an_old_environment_keeps_its_runs(purvey: Purvey, applied: Path) -> None:
    """However many runs of other environments came later, its own are listed."""
    assert purvey("apply", "site.py", "-e", "prod", "--yes").code == 0

    (run,) = purvey("runs", "-e", "dev", "--limit", "1", "--json").json()

    assert run["env"] == "dev"


def test_a_mistyped_store_is_not_a_new_project(purvey: Purvey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A place that somebody names for a store, and that has none, is told."""
    monkeypatch.setenv("PURVEY_STORE", str(tmp_path / "nowhere"))

    told = purvey("runs", "--json")

    assert told.code == 5
    assert told.json()["error"]["code"] == "state.no_store"
    assert "nowhere" in told.json()["error"]["detail"]
    assert not (tmp_path / "nowhere").exists()


def test_the_way_to_take_a_tag_off_stands_on_a_line(purvey: Purvey, applied: Path) -> None:
    """The command can be copied."""
    address = next(item["address"] for item in purvey("state", "list", "--json", "site.py").json())

    told = purvey("tag-out", "site.py", address, "--reason", "by hand")

    assert f"    purvey tag-out site.py -e dev {address} --release" in told.out.splitlines()


def test_a_backup_that_fails_leaves_nothing(purvey: Purvey, applied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No empty file stays that looks like a copy."""
    real = connect.connect
    copy = applied / "copy.db"

    def full(path: Path) -> connect.SqliteConnection:
        """Stands for a full disk: the copy cannot be opened."""
        if path == copy:
            raise sqlite3.OperationalError("database or disk is full")
        return real(path)

    monkeypatch.setattr(connect, "connect", full)

    assert purvey("store", "backup", str(copy)).code == 5
    assert not copy.exists()


@pytest.mark.parametrize("harm", ["empty", "missing"])
@pytest.mark.parametrize("words", [("runs",), ("apply", "site.py", "--yes"), ("plan", "site.py"), ("store", "verify")])
def test_a_lost_store_is_not_begun_anew(harm: str, words: tuple[str, ...], purvey: Purvey, applied: Path) -> None:
    """A record that is gone is told, and no new one is made in its place; a backup put there is taken."""
    store = applied / ".purvey" / "state.db"
    assert purvey("store", "backup", "copy.db").code == 0
    for path in (applied / ".purvey").glob("state.db*"):
        path.unlink()
    if harm == "empty":
        store.touch()

    told = purvey(*words)

    assert told.code == 5
    assert "[state.damaged]" in told.err
    assert not (store.exists() and store.stat().st_size)
    (applied / "copy.db").replace(store)
    assert purvey(*words).code == 0


def test_a_log_without_its_store_is_damage(purvey: Purvey, applied: Path) -> None:
    """Even where the note beside the store was taken away too."""
    (applied / ".purvey" / "state.txt").unlink()
    (applied / ".purvey" / "state.db").write_bytes(b"")
    (applied / ".purvey" / "state.db-wal").write_bytes(b"something")

    assert purvey("runs").code == 5


def test_a_death_while_a_store_was_made_leaves_no_mark(purvey: Purvey, project: Path) -> None:
    """An empty file where no store was is still a new project."""
    (project / ".purvey").mkdir()
    (project / ".purvey" / "state.db").touch()

    assert purvey("plan", SITE).code == 0
    told = purvey("apply", SITE, "--yes")

    assert told.code == 0
    assert "A new store is made in " in told.out + told.err
    again = purvey("apply", SITE, "--yes")
    assert "A new store" not in again.out + again.err


def test_whoever_stops_waiting_is_not_advised_to_wait(purvey: Purvey, applied: Path) -> None:
    """Ctrl-C in the queue for a stack: nothing was begun, and the exit code says that somebody stopped it."""
    clock = SystemClock()
    keys = KeyRing(os.environ, clock=clock)
    with closing(open_at(applied / ".purvey", keys=keys, clock=clock)) as store, store.hold("site/dev", "RUN"):
        waiting = Terminal(applied, "apply", "site.py", "--yes", "--wait")
        waiting.wait_for("Waiting for the stack")
        waiting.press("\x03")
        code = waiting.end()

    assert code == 13
    assert "state.stopped_waiting" in waiting.shown
    assert "add" not in waiting.shown.rpartition("state.stopped_waiting")[2]


def test_an_import_tells_what_is_misspelt(purvey: Purvey, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kind that there is not has a neighbour; an id that is relative has an absolute form."""
    monkeypatch.chdir(project)
    kind = purvey("state", "import", "site.py", "--kind", "files.Fil", "--id", "/etc/hostname")
    relative = purvey("state", "import", "site.py", "--kind", "files.File", "--id", "site.py")

    assert (kind.code, relative.code) == (3, 3)
    assert "Did you mean files.File?" in kind.err
    assert "The record holds" not in kind.err
    assert f"    --id {project / 'site.py'}" in relative.err.replace("      --id", "    --id").splitlines()


def test_an_option_that_is_not_known_has_a_neighbour(purvey: Purvey, tmp_path: Path) -> None:
    """The line of the script, and what was most likely meant."""
    (tmp_path / "odd.py").write_text(
        "from purvey import Options, stack\nfrom purvey.resources import files\n\n\n@stack\ndef odd():\n"
        "    files.Directory('a', path='/tmp/a', opts=Options(protct=True))\n",
        encoding="utf-8",
    )

    told = purvey("plan", "odd.py")

    assert told.code == 3
    assert "odd.py:7" in told.err
    assert "Did you mean `protect`?" in told.err


@pytest.mark.parametrize(("name", "expected"), [("hostnam", "Did you mean `hostname`?"), ("os", "A host.Facts has: ")])
def test_an_output_that_a_kind_does_not_have_is_told(name: str, expected: str, purvey: Purvey, tmp_path: Path) -> None:
    """With its neighbour, or with all that there are."""
    (tmp_path / "odd.py").write_text(
        "from purvey import stack\nfrom purvey.resources import host\n\n\n@stack\ndef odd():\n"
        f"    return {{'it': host.Facts('here').{name}}}\n",
        encoding="utf-8",
    )

    told = purvey("plan", "odd.py")

    assert told.code == 3
    assert "odd.py:7" in told.err
    assert expected in told.err


def test_what_a_machine_says_of_itself_is_taken_as_it_is(purvey: Purvey, tmp_path: Path) -> None:
    """Nobody has changed it, and the first plan says so."""
    (tmp_path / "here.py").write_text(
        "from purvey import stack\nfrom purvey.resources import host\n\n\n@stack\ndef here():\n    host.Facts('here')\n",
        encoding="utf-8",
    )

    told = purvey("plan", "here.py")

    assert "= adopt    host.Facts::here  it exists already\n" in told.out
    assert "outside purvey" not in told.out


def test_a_step_whose_check_is_true_already_is_done(purvey: Purvey, tmp_path: Path) -> None:
    """After a destroy that forgot it, the next apply takes it as done, and does not run it; an undo of that forgets it."""
    page = (Path(__file__).parents[3] / "docs" / "how-to" / "steps.md").read_text(encoding="utf-8")
    (tmp_path / "shop.py").write_text(page.partition("```python\n")[2].partition("```")[0], encoding="utf-8")
    assert purvey("apply", "shop.py", "--yes").code == 0
    assert purvey("destroy", "shop.py", "--yes").code == 0
    revision = tmp_path / "data-dev" / "revision"
    before = revision.stat().st_mtime_ns

    again = purvey("apply", "shop.py", "--yes", "--json")

    assert again.code == 0
    assert {change["action"] for change in again.json()["changes"]} == {"adopted"}
    assert revision.stat().st_mtime_ns == before
    assert "nothing had to change" in purvey("apply", "shop.py", "--yes").out
    assert purvey("undo", again.json()["id"], "--yes").code == 0
    assert revision.read_text(encoding="utf-8") == "7"


def test_what_was_taken_back_is_not_taken_back_again(purvey: Purvey, applied: Path) -> None:
    """A second undo does nothing, says so, and writes nothing; its plan says so, too."""
    run = purvey("runs", "--json").json()[0]["id"]
    assert purvey("undo", run, "--yes").code == 0
    story = purvey("show", run, "--json").json()

    again = purvey("undo", run, "--yes")
    plan = purvey("undo", "site.py", "--plan")

    assert again.code == 0
    assert "was taken back already" in again.out
    assert purvey("show", run, "--json").json() == story
    assert "Nothing to take back" in plan.out
    assert "as declared" not in plan.out


def test_a_drift_looks_at_everything_that_is_recorded(purvey: Purvey, applied: Path) -> None:
    """Whatever the parameters of this command are; the advice has those of the last apply."""
    assert purvey("apply", "site.py", "--pages", "4", "--yes").code == 0
    (applied / "public-dev" / "page-4.html").write_text("by hand", encoding="utf-8")

    drift = purvey("drift", "site.py", "--exit-code")

    assert drift.code == 2
    assert "files.File::page-4" in drift.out
    assert "1 differs; 5 objects looked at, 4 as recorded" in drift.out
    assert "    purvey apply site.py -p pages=4 -e dev" in drift.out.splitlines()
    assert purvey("apply", "site.py", "-p", "pages=4", "-e", "dev", "--yes").code == 0
    assert "No drift: 5 objects looked at, all as recorded." in purvey("drift", "site.py").out
    assert purvey("drift", "site.py", "--nope", "1").code == 3


def test_a_drift_of_what_never_was_is_refused(purvey: Purvey, applied: Path) -> None:
    """A misspelt environment has no record to compare with."""
    assert purvey("drift", "site.py", "-e", "prdo").code == 5


def test_a_plan_that_cannot_succeed_ends_with_four(purvey: Purvey, applied: Path) -> None:
    """What stands in the way, and what is tagged out, stops an apply; the plan says so, and its exit code too."""
    (applied / "public-dev" / "page-3.html").write_text("mine", encoding="utf-8")
    taken = purvey("plan", "site.py", "--pages", "3", "--exit-code")
    (applied / "public-dev" / "page-3.html").unlink()
    assert purvey("plan", "site.py", "--pages", "3", "--exit-code").code == 2
    assert purvey("tag-out", "site.py", "files.File::page-1", "--reason", "by hand").code == 0
    tagged = purvey("plan", "site.py", "--title", "Other", "--exit-code")

    assert (taken.code, tagged.code) == (4, 4)
    assert "An apply refuses this" in taken.out
    assert "An apply refuses this" in tagged.out
    assert purvey("apply", "site.py", "--title", "Other", "--yes").code == 4


DYING = '''
import os
from pathlib import Path

from purvey import stack, step


@step
def move():
    """Die in the middle."""
    if not Path("mended").exists():
        os._exit(9)


@move.check
def _() -> bool:
    """Cannot tell, for it has a bug."""
    raise ZeroDivisionError("a bug")


@stack
def moving():
    """One step."""
    move("it")
'''


def test_a_check_with_a_bug_does_not_block_the_way(purvey: Purvey, tmp_path: Path) -> None:
    """A step died, and its check raises: where, on which line, and each way on is told; the mended script settles it."""
    script = tmp_path / "moving.py"
    script.write_text(DYING, encoding="utf-8")
    died = subprocess.run([sys.executable, "-m", "purvey", "apply", "moving.py", "--yes"], check=False, capture_output=True)
    assert died.returncode == 9

    told = purvey("resume", "moving.py")

    assert told.code == 1
    assert "step.move::it" in told.err
    assert "moving.py:24" in told.err
    settle = "purvey state settle step.move::it --stack moving -e dev --done"
    assert settle in told.err
    run = purvey("runs", "--json").json()[0]["id"]
    assert settle in purvey("show", run).out
    script.write_text(DYING.replace('raise ZeroDivisionError("a bug")', "return False"), encoding="utf-8")
    (tmp_path / "mended").touch()
    assert purvey("apply", "moving.py", "--yes").code == 0


def test_the_place_of_the_key_is_shown(purvey: Purvey, applied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever shares the store must copy it; one that is in the environment is not shown."""
    place = purvey("store", "info", "--json").json()["key_place"]
    key = Path(place).read_text(encoding="ascii").strip()
    monkeypatch.setenv("PURVEY_KEY", key)
    told = purvey("store", "info").out

    assert place.endswith(".key")
    assert "in the variable PURVEY_KEY" in told
    assert key not in told
