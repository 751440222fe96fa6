"""A store on a server through the command line: the whole life of a stack, and a server that dies in its middle."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from purvey._base.clock import SystemClock
from purvey._secrets.key import KeyRing
from purvey._state.postgres import open_postgres
from purvey._state.record import Noted
from purvey._state.resource import ResourceState
from purvey._state.tag_out import TagOut
from purvey.errors import StateError
from tests.support import world
from tests.support.database_server import DatabaseServer
from tests.support.project import PRELUDE

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
COUNT = 200
SCRIPT = f"""{PRELUDE}
@stack
def main():
    for number in range({COUNT}):
        Tagged(f"n{{number}}")
"""


class Work:
    """A project in a folder whose store is in a database of `server`."""

    def __init__(self, folder: Path, server: DatabaseServer) -> None:
        self.folder = folder
        self.world = world.World(folder / "world.json")
        self.url = server.new_database()
        (folder / "main.py").write_text(SCRIPT, encoding="utf-8")
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8", "NO_COLOR": "1", "PYTHONPATH": str(ROOT),
            "PURVEY_STORE": self.url, world.VARIABLE: str(self.world.path),
        }  # fmt: skip

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Begin a command."""
        return subprocess.Popen(
            [sys.executable, "-m", "purvey", *arguments], cwd=self.folder, env=self.environment, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def run(self, *arguments: str, expect: int = 0) -> str:
        """What a command prints; it must end with `expect`."""
        process = self.start(*arguments)
        output, _ = process.communicate(timeout=120)
        assert process.returncode == expect, f"{arguments}: exit {process.returncode}\n{output}"
        return output

    def wait_for_effects(self, count: int) -> None:
        """Return when the world has seen so many."""
        deadline = time.monotonic() + 60
        while len(self.world.log) < count:
            assert time.monotonic() < deadline, "it did not come true in time"
            time.sleep(0.005)

    def complaints(self) -> list[str]:
        """What the store says is wrong with it."""
        keys = KeyRing(self.environment, clock=SystemClock())
        with closing(open_postgres(self.url, keys=keys, clock=SystemClock())) as store:
            return store.verify()


@pytest.fixture
def server() -> Iterator[DatabaseServer]:
    """A server of the test's own, which it may kill."""
    with closing(DatabaseServer()) as made:
        yield made


@pytest.fixture
def work(tmp_path: Path, server: DatabaseServer) -> Work:
    """A project."""
    return Work(tmp_path, server)


def test_a_stack_lives_in_a_store_on_a_server(work: Work) -> None:
    """Applied, planned, listed and destroyed through the command line, with nothing of the record in the folder."""
    work.run("apply", "main.py", "--yes")
    assert len(work.world.objects) == COUNT
    assert "Nothing to do" in work.run("plan", "main.py")
    assert json.loads(work.run("store", "info", "--json"))["objects"] == COUNT
    work.run("store", "verify")
    work.run("destroy", "main.py", "--yes")

    assert work.world.objects == {}
    assert list(work.folder.rglob("state.db")) == []
    assert work.complaints() == []


def test_a_store_moves_to_a_server_and_back_and_gets_another_key(work: Work) -> None:
    """Nothing is lost or made again on the way; a key that all machines need is changed in two steps."""
    here = dict(work.environment)
    work.environment["PURVEY_STORE"] = str(work.folder / ".purvey")
    work.run("apply", "main.py", "--yes")
    made = work.world.log

    assert work.url.rpartition("/")[2] in work.run("store", "migrate", "--to", work.url)
    assert "was moved to" in " ".join(work.run("plan", "main.py", expect=5).split())
    work.environment = here
    assert "nothing had to change" in work.run("apply", "main.py", "--yes")
    assert work.complaints() == []

    prepared = json.loads(work.run("store", "rotate-key", "--json"))
    assert prepared["result"] == "prepared"
    assert json.loads(work.run("store", "info", "--json"))["key_id"] != prepared["key_id"]
    done = json.loads(work.run("store", "rotate-key", "--json"))
    assert (done["result"], done["key_id"]) == ("done", prepared["key_id"])
    assert json.loads(work.run("store", "info", "--json"))["key_id"] == done["key_id"]
    assert work.complaints() == []

    work.run("store", "migrate", "--to", str(work.folder / "back"))
    work.environment["PURVEY_STORE"] = str(work.folder / "back")
    assert "nothing had to change" in work.run("apply", "main.py", "--yes")
    work.run("store", "verify")
    assert work.world.log == made


def test_a_server_that_dies_in_the_middle_costs_nothing(work: Work, server: DatabaseServer) -> None:
    """The run stops, because nothing is done that cannot be written down; after a restart a resume does the rest, once."""
    run = work.start("apply", "main.py", "--yes", "--parallel", "2")
    work.wait_for_effects(10)
    server.kill()
    output, _ = run.communicate(timeout=120)
    assert run.returncode != 0
    assert "The store cannot be" in output
    done = len(work.world.log)
    assert done < COUNT

    server.start()
    work.run("resume", "main.py", "--yes")

    assert Counter(work.world.log) == Counter({f"create n{number}": 1 for number in range(COUNT)})
    assert len(work.world.objects) == COUNT
    assert work.complaints() == []


def test_a_run_outlives_a_server_that_comes_back(work: Work, server: DatabaseServer) -> None:
    """A server that is away for a moment only makes the run wait."""
    run = work.start("apply", "main.py", "--yes", "--parallel", "2")
    work.wait_for_effects(10)
    server.kill()
    threading.Event().wait(0.5)
    server.start()
    output, _ = run.communicate(timeout=120)

    assert run.returncode == 0, output
    assert Counter(work.world.log) == Counter({f"create n{number}": 1 for number in range(COUNT)})
    assert work.complaints() == []


def test_what_is_no_journal_waits_for_a_server_that_comes_back(work: Work, server: DatabaseServer) -> None:
    """A lease, archived scripts and a tag are asked for while the server is away; each is there once, when it is back."""
    keys = KeyRing(work.environment, clock=SystemClock())
    tag = TagOut(address="test.Thing::t", reason="moving house", user="u", host="h", at=1.0)
    thing = ResourceState(address=tag.address, kind="test.Thing", generation=1, id="t")
    with closing(open_postgres(work.url, keys=keys, clock=SystemClock())) as store:
        with store.hold("s/dev", "R0") as lease:
            noted = Noted(at=1.0, what="imported", address=thing.address, generation=1, state=thing)
            store.open_journal("s/dev", "R0", lease.fence).write_now(noted)
        for ask in (
            lambda: store.acquire("s/dev", "R"), lambda: store.archive("R", {"a.py": b"a"}), lambda: store.tag_out("s/dev", tag)
        ):  # fmt: skip
            server.kill()
            back = threading.Timer(0.5, server.start)
            back.start()
            ask()
            back.join()

        assert store.archived("R") == {"a.py": b"a"}
        assert store.tags("s/dev") == [tag]
        with pytest.raises(StateError, match="Another run"):
            store.acquire("s/dev", "R2")
