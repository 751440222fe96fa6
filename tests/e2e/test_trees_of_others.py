"""What root does in folders that another user owns: no link that he plants there leads it to anything else."""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from purvey._base.value import Secret
from purvey._hosts.change import Change, Run
from purvey._hosts.step import Broken, Ended, Ending, Step
from purvey.providers.host import HostProvider, Place
from purvey.resources import files
from purvey.resources.files._merge import Item, give_back, plainly, put, take_away, take_unpacked_away, unpack
from purvey.testing import view
from tests.support.case_hosts import CaseHost, CaseHosts
from tests.unit.resources.life import provider

FOLDER = "@purvey/objects/x"
TREE = {"sub": Item(0o755), "sub/name": Item(0o644, b"site\n")}


@pytest.fixture(scope="module", params=["debian", "busybox"])
def hosts(request: pytest.FixtureRequest) -> Iterator[CaseHosts]:
    """Machines with a small Debian, and with nothing but busybox."""
    with CaseHosts(busybox=request.param == "busybox") as made:
        yield made


class Bench:
    """A machine with a folder of the user nobody, and one of root's; and what root does there."""

    def __init__(self, machine: CaseHost) -> None:
        self.machine = machine
        self.steps = 0

    async def done(self, changes: tuple[Change, ...]) -> Ending:
        """Do it, as a step of its own."""
        self.steps += 1
        (ending,) = await self.machine.host.perform([Step(f"01S{self.steps}", 1, changes)])
        return ending

    async def prepared(self, *lines: str) -> None:
        """What others do."""
        await self.machine.prepare(lines)

    def at(self, path: str) -> Path:
        """Where a path of the machine is."""
        return Path(f"{self.machine.root}{path}")

    def theirs(self) -> dict[str, str]:
        """What is in root's own folder."""
        return {path.name: path.read_text() for path in self.at("/srv/theirs").iterdir()}


@pytest.fixture
async def bench(hosts: CaseHosts) -> AsyncIterator[Bench]:
    """A new machine."""
    async with hosts.machine() as machine:
        made = Bench(machine)
        await made.prepared(
            "mkdir /srv/site /srv/theirs && chown nobody /srv/site && chmod 777 /srv/theirs", "echo precious >/srv/theirs/name"
        )
        yield made


def place(token: str, undoes: str = "") -> Place:
    """An operation."""
    return Place(address="s/e::files.Sync::x", folder=FOLDER, token=token, undoes=undoes)


def words(changes: tuple[Change, ...]) -> list[str]:
    """The arguments of the commands that are run."""
    return [word for change in changes if isinstance(change, Run) for word in change.command.argv]


async def swapped(bench: Bench) -> None:
    """The user puts a link in the place of a folder of his."""
    await bench.prepared("cd /srv/site", "rm -r sub", "ln -s /srv/theirs sub", "chown -h nobody sub")


async def test_nothing_behind_a_link_is_removed(bench: Bench) -> None:
    """A tree that goes, or an archive, takes nothing with it from behind a link that somebody has put there."""
    assert isinstance(await bench.done(put(place("01A"), "/srv/site", TREE, owner="nobody")), Ended)
    await swapped(bench)

    assert isinstance(await bench.done(take_away(place("01B"), "/srv/site", TREE)), Ended)

    assert bench.theirs() == {"name": "precious\n"}
    assert list(bench.at("/srv/site").iterdir()) == []


def packed(*names: str) -> bytes:
    """An archive of small files."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = 5
            archive.addfile(member, io.BytesIO(b"site\n"))
    return stream.getvalue()


async def unpacked(bench: Bench, token: str, *names: str) -> Ending:
    """Root unpacks an archive."""
    bench.at("/srv/packed.tar").write_bytes(packed(*names))
    return await bench.done(
        unpack(place(token), "/srv/site", "/srv/packed.tar", "tar", strip=0, owner="nobody", mark=".purvey-x")
    )


async def test_nothing_is_unpacked_behind_a_link(bench: Bench) -> None:
    """An archive is refused where a link stands for one of its folders, and what is behind it goes with no archive."""
    assert isinstance(await unpacked(bench, "01A", "sub/name"), Ended)
    await swapped(bench)

    ending = await unpacked(bench, "01B", "sub/name", "other")
    assert isinstance(ending, Broken)
    error = plainly(ending.error)
    assert (error.code, error.detail.partition(" ")[0]) == ("conflict", "/srv/site/sub")
    assert not bench.at("/srv/site/other").exists()

    assert isinstance(await unpacked(bench, "01C", "other"), Ended)
    assert isinstance(await bench.done(take_unpacked_away(place("01D"), "/srv/site")), Ended)
    assert bench.theirs() == {"name": "precious\n"}


async def test_an_undo_stays_in_the_folder(bench: Bench) -> None:
    """What comes back does not come back behind a link, and nothing there gets another owner or goes."""
    await bench.prepared("mkdir /srv/site/sub", "echo old >/srv/site/sub/name", "chown -R nobody /srv/site")
    assert isinstance(await bench.done(put(place("01A"), "/srv/site", {**TREE, "sub/new": TREE["sub/name"]})), Ended)
    await bench.prepared("echo precious >/srv/theirs/new")
    await swapped(bench)

    assert isinstance(await bench.done(give_back(place("01B", "01A"), "/srv/site")), Ended)

    assert bench.theirs() == {"name": "precious\n", "new": "precious\n"}
    assert bench.at("/srv/theirs").stat().st_uid == 0
    assert not bench.at("/srv/site/sub").is_symlink()
    assert bench.at("/srv/site/sub/name").read_text() == "old\n"


async def test_names_with_a_backslash_come_and_go(bench: Bench) -> None:
    """They are names as all others, and go with the archive that brought them."""
    assert isinstance(await unpacked(bench, "01A", "a\\band", "sub\\c/name"), Ended)
    assert isinstance(await unpacked(bench, "01B", "a\\band"), Ended)
    assert {path.name for path in bench.at("/srv/site").iterdir()} == {"a\\band"}
    assert isinstance(await bench.done(give_back(place("01C", "01B"), "/srv/site")), Ended)
    assert {path.name for path in bench.at("/srv/site").iterdir()} == {"a\\band", "sub\\c"}
    assert isinstance(await bench.done(take_unpacked_away(place("01D"), "/srv/site")), Ended)
    assert list(bench.at("/srv/site").iterdir()) == []


@pytest.mark.parametrize("planted", ["ln -s /srv/theirs {}", "mkdir {} && ln -s /srv/theirs {}/tree && chown -R nobody {}"])
async def test_what_stands_where_files_wait_is_not_used(bench: Bench, planted: str) -> None:
    """Files on their way wait in a folder that is ours alone, whatever the user puts there before."""
    changes = put(place("01A"), "/srv/site", TREE)
    waiting = next(word for word in words(changes) if word.startswith(".purvey.new"))
    await bench.prepared("cd /srv/site", planted.format(*[waiting] * planted.count("{}")))

    await bench.done(changes)

    assert bench.theirs() == {"name": "precious\n"}


@contextmanager
def serving(content: bytes, meanwhile: Callable[[], None]) -> Iterator[str]:
    """The address of a server that lets something happen before it answers."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            meanwhile()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *words: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


async def getting(bench: Bench, want: files.Download) -> tuple[Change, ...]:
    """How a file is fetched that is not there."""
    pure = provider(want)
    assert isinstance(pure, HostProvider)
    return pure.make(place("01A"), want, await bench.machine.host.ask(pure.facts(place("01A"), want))).changes


async def test_a_download_is_written_through_no_link(bench: Bench) -> None:
    """A link that the folder's owner plants while the server answers leads neither the download nor its owner anywhere else."""
    content = b"#!/bin/sh\n"
    site = bench.at("/srv/site")

    def plant() -> None:
        """Put links where the download will be written."""
        for waiting in site.glob(".purvey.*"):
            waiting.rename(site / "aside")
            waiting.symlink_to("/srv/theirs/name")
        if not list(site.glob(".purvey.*")):
            name = next(word for word in words(changes) if re.fullmatch(r"\S*\.purvey\.\w+", word))
            (site / name.rpartition("/")[2]).symlink_to("/srv/theirs/name")

    with serving(content, plant) as server:
        digest = hashlib.sha256(content).hexdigest()
        want = view(files.Download, path="/srv/site/tool", url=f"{server}/tool", sha256=digest, mode="0755", owner="nobody")
        changes = await getting(bench, want)
        ending = await bench.done(changes)

    assert isinstance(ending, Ended)
    assert bench.theirs() == {"name": "precious\n"}
    assert bench.at("/srv/theirs/name").stat().st_uid == 0
    assert bench.at("/srv/site/tool").read_bytes() == content
    assert not bench.at("/srv/site/tool").is_symlink()


async def test_secret_headers_are_in_no_file_that_stays(bench: Bench) -> None:
    """The file that wget reads them from has lost its name by then, so nothing is left of a killed one; busybox's gets none."""
    await bench.prepared("rm -f /usr/bin/curl")
    left: list[list[str]] = []

    def look() -> None:
        """See what files there are while wget runs."""
        for line in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                if (words := line.read_bytes().split(b"\0"))[0] == b"wget" and server.encode() in words[-2]:
                    names = [path.name for path in (line.parent / "root/dev/shm").iterdir()]
                    left.append([name for name in names if not name.startswith("PostgreSQL.")])

    with serving(b"x\n", look) as server:
        want = view(
            files.Download, path="/srv/site/tool", url=f"{server}/tool", sha256=hashlib.sha256(b"x\n").hexdigest(),
            headers={"Authorization": Secret("Bearer s3cret")},
        )  # fmt: skip
        ending = await bench.done(await getting(bench, want))

    gnu = bench.at("/usr/bin/wget").exists()
    assert isinstance(ending, Ended if gnu else Broken)
    assert left == ([[]] if gnu else [])
