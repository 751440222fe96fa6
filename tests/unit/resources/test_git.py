"""Checkouts of real repositories, by this machine's git: followed, moved, taken back, and left alone where they changed."""

from __future__ import annotations

import base64
import functools
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from purvey._base.value import Secret
from purvey._hosts.change import Run
from purvey._hosts.local import LocalConnector
from purvey.errors import ProviderError
from purvey.providers import Absent, Done, Present
from purvey.providers.host import HostProvider, place_of
from purvey.resources import host
from purvey.testing import PlainCall, view
from tests.unit.resources.life import differences, made, provider, recorded

SECRET = "t0ken $with 'quotes' & more"


def git(folder: Path, *words: str) -> str:
    """What git says in a folder."""
    who = ("-c", "user.name=Ana", "-c", "user.email=ana@example.org", "-c", "protocol.file.allow=always")
    ended = subprocess.run(["git", *who, *words], cwd=folder, capture_output=True, text=True, check=True, timeout=30)
    return ended.stdout.strip()


def commit(folder: Path, text: str) -> str:
    """A commit that puts a text into the file; its number."""
    (folder / "file").write_text(text)
    git(folder, "add", "file")
    git(folder, "commit", "--quiet", "-m", text)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """A repository with two commits, the first of which has a tag."""
    folder = tmp_path / "origin"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder, "one")
    git(folder, "tag", "-a", "v1", "-m", "first")
    commit(folder, "two")
    return folder


def wish(tmp_path: Path, origin: Path | str, **version: Any) -> host.Git:
    """A checkout that is wished."""
    values: dict[str, Any] = {"username": "git", "submodules": False, **version}
    return view(host.Git, path=str(tmp_path / "site"), repository=str(origin), **values)


def call(tmp_path: Path, *, undoes: str = "") -> PlainCall:
    """A new operation."""
    return PlainCall(tmp_path / "own", undoes=undoes)


async def changed(tmp_path: Path, have: host.Git, want: host.Git) -> host.Git:
    """The record after an update."""
    return recorded(want, await provider(want).update(call(tmp_path), have, want))


async def test_a_branch_is_followed(tmp_path: Path, origin: Path) -> None:
    """A branch that moves on in the repository is drift, and the next apply moves the checkout on."""
    want = wish(tmp_path, origin, branch="main")
    assert isinstance(await provider(want).find(call(tmp_path), want), Absent)
    have = await made(call(tmp_path), want)
    assert (tmp_path / "site" / "file").read_text() == "two"
    assert await differences(call(tmp_path), have) == []
    third = commit(origin, "three")
    assert await differences(call(tmp_path), have) == ["head"]
    now = await changed(tmp_path, have, want)
    assert (now.head, (tmp_path / "site" / "file").read_text()) == (third, "three")
    assert await differences(call(tmp_path), now) == []


async def test_a_tag_and_a_commit_are_checked_out(tmp_path: Path, origin: Path) -> None:
    """An annotated tag means its commit; another version moves the checkout, and an undo moves it back."""
    have = await made(call(tmp_path), wish(tmp_path, origin, tag="v1"))
    assert (tmp_path / "site" / "file").read_text() == "one"
    second = git(origin, "rev-parse", "HEAD")
    want = wish(tmp_path, origin, commit=second)
    operation = call(tmp_path)
    now = recorded(want, await provider(want).update(operation, have, want))
    assert (now.head, (tmp_path / "site" / "file").read_text()) == (second, "two")
    assert await differences(call(tmp_path), now) == []
    await provider(now).undo(call(tmp_path, undoes=operation.token), now, have)
    assert (tmp_path / "site" / "file").read_text() == "one"
    assert await differences(call(tmp_path), have) == []


async def test_the_commit_that_is_there_is_not_fetched_again(tmp_path: Path, origin: Path) -> None:
    """A checkout that is right is left alone, also where the repository is gone."""
    want = wish(tmp_path, origin, commit=git(origin, "rev-parse", "HEAD"))
    have = await made(call(tmp_path), want)
    await LocalConnector().remove_tree(str(origin))
    assert (await changed(tmp_path, have, want)).head == have.head


async def test_another_checkout_by_somebody_is_drift(tmp_path: Path, origin: Path) -> None:
    """What somebody has checked out by hand is seen, and changed back."""
    want = wish(tmp_path, origin, branch="main")
    have = await made(call(tmp_path), want)
    git(tmp_path / "site", "checkout", "--quiet", "-b", "mine", "HEAD~1")
    assert set(await differences(call(tmp_path), have)) == {"branch", "head"}
    await changed(tmp_path, have, want)
    assert git(tmp_path / "site", "branch", "--show-current") == "main"


async def test_changes_by_hand_are_never_lost(tmp_path: Path, origin: Path) -> None:
    """A file that somebody has changed keeps the checkout from being moved, taken back and removed; unknown files are left."""
    want = wish(tmp_path, origin, branch="main")
    have = await made(call(tmp_path), want)
    (tmp_path / "site" / "unknown").write_text("mine")
    commit(origin, "three")
    have = await changed(tmp_path, have, want)
    assert (tmp_path / "site" / "unknown").read_text() == "mine"
    (tmp_path / "site" / "file").write_text("edited")
    for refused in (
        provider(want).update(call(tmp_path), have, wish(tmp_path, origin, tag="v1")),
        provider(want).delete(call(tmp_path), have),
        provider(want).undo(call(tmp_path, undoes="01X"), have, have),
    ):
        with pytest.raises(ProviderError, match="changed by hand"):
            await refused
    assert (tmp_path / "site" / "file").read_text() == "edited"


async def test_commits_by_hand_are_never_lost(tmp_path: Path, origin: Path) -> None:
    """A commit that is nowhere else keeps a checkout from being moved, taken back and removed, until it is somewhere else."""
    want = wish(tmp_path, origin, branch="main")
    have = await made(call(tmp_path), want)
    mine = commit(tmp_path / "site", "mine")
    commit(origin, "three")
    for refused in (
        provider(want).update(call(tmp_path), have, want),
        provider(want).delete(call(tmp_path), have),
        provider(want).undo(call(tmp_path, undoes="01X"), have, have),
    ):
        with pytest.raises(ProviderError, match="nowhere else") as caught:
            await refused
        assert f"{mine[:7]} mine" in caught.value.detail
    assert git(tmp_path / "site", "rev-parse", "HEAD") == mine

    git(tmp_path / "site", "branch", "kept")
    git(tmp_path / "site", "checkout", "--quiet", "kept")
    git(tmp_path / "site", "branch", "--force", "main", "origin/main")
    have = await changed(tmp_path, have, want)
    assert (tmp_path / "site" / "file").read_text() == "three"
    with pytest.raises(ProviderError, match="nowhere else"):
        await provider(want).delete(call(tmp_path), have)


async def test_a_branch_that_begins_anew_is_followed(tmp_path: Path, origin: Path) -> None:
    """Commits that came from the repository are nobody's own, also where it has forgotten them; an undo finds them again."""
    want = wish(tmp_path, origin, branch="main")
    have = await made(call(tmp_path), want)
    for text in ("other", "another"):
        git(origin, "reset", "--quiet", "--hard", "HEAD~1")
        third = commit(origin, text)
        operation = call(tmp_path)
        now = recorded(want, await provider(want).update(operation, have, want))
        assert now.head == third
        await provider(now).undo(call(tmp_path, undoes=operation.token), now, have)
        assert (tmp_path / "site" / "file").read_text() == "two"
    have = await changed(tmp_path, have, want)
    await provider(want).delete(call(tmp_path), have)
    assert not (tmp_path / "site").exists()


async def test_unknown_files_are_not_removed(tmp_path: Path, origin: Path) -> None:
    """A checkout with files that git does not know is not removed; what it is told to ignore goes with it."""
    have = await made(call(tmp_path), wish(tmp_path, origin, branch="main"))
    (tmp_path / "site" / ".git" / "info" / "exclude").write_text("*.o\n")
    (tmp_path / "site" / "built.o").write_text("built")
    (tmp_path / "site" / "uploads.db").write_text("mine")
    with pytest.raises(ProviderError, match="does not know") as caught:
        await provider(have).delete(call(tmp_path), have)
    assert "uploads.db" in caught.value.detail
    (tmp_path / "site" / "uploads.db").unlink()
    await provider(have).delete(call(tmp_path), have)
    assert not (tmp_path / "site").exists()


async def test_a_checkout_that_was_cut_off_is_finished(tmp_path: Path, origin: Path) -> None:
    """What a killed attempt left is no obstacle, and no object yet."""
    site = tmp_path / "site"
    site.mkdir()
    git(site, "init", "--quiet")
    git(site, "config", "remote.origin.url", str(origin))
    want = wish(tmp_path, origin, branch="main")
    assert isinstance(await provider(want).find(call(tmp_path), want), Absent)
    await made(call(tmp_path), want)
    assert (site / "file").read_text() == "two"


async def test_a_checkout_is_removed(tmp_path: Path, origin: Path) -> None:
    """It goes as a whole, and what is gone already is no error."""
    have = await made(call(tmp_path), wish(tmp_path, origin, branch="main"))
    await provider(have).delete(call(tmp_path), have)
    assert not (tmp_path / "site").exists()
    await provider(have).delete(call(tmp_path), have)


async def test_a_version_that_is_not_there_is_named(tmp_path: Path, origin: Path) -> None:
    """A repository says that it has no such branch, and a file in the way is left."""
    with pytest.raises(ProviderError, match="no such branch") as caught:
        await made(call(tmp_path), wish(tmp_path, origin, branch="nowhere"))
    assert "nowhere" in caught.value.detail
    assert "set -eu" not in caught.value.detail, "the text of our own script is nobody's concern"
    (tmp_path / "other").write_text("here")
    blocked = view(
        host.Git, path=str(tmp_path / "other"), repository=str(origin), branch="main", username="git", submodules=False
    )
    with pytest.raises(ProviderError, match="stands where"):
        await made(call(tmp_path), blocked)


class Guarded(SimpleHTTPRequestHandler):
    """Serves files to who knows the password."""

    def do_GET(self) -> None:
        """Serve, or ask for it."""
        expected = base64.b64encode(f"ana:{SECRET}".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {expected}":
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.end_headers()
            return
        super().do_GET()

    def log_message(self, *words: Any) -> None:
        """Nothing."""


class Curious(Guarded):
    """Asks everybody for a password, and keeps what it is told."""

    told: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        """Ask for it."""
        self.told.append(self.headers.get("Authorization") or "")
        self.directory = "/nowhere"
        super().do_GET()


class Astray(Guarded):
    """Sends everybody to another host."""

    elsewhere = ""

    def do_GET(self) -> None:
        """Send there."""
        self.send_response(302)
        self.send_header("Location", f"{self.elsewhere}{self.path}")
        self.end_headers()


@contextmanager
def served(folder: Path, handler: type[Guarded] = Guarded) -> Iterator[str]:
    """The address of a server that serves a folder to who knows the password."""
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(handler, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


async def test_a_password_stands_in_no_argument(tmp_path: Path, origin: Path) -> None:
    """A repository behind a password is checked out, and the password is in no argument and in no file of the checkout."""
    git(tmp_path, "clone", "--quiet", "--bare", str(origin), "bare.git")
    git(tmp_path / "bare.git", "update-server-info")
    with served(tmp_path) as server:
        want = wish(tmp_path, f"{server}/bare.git", branch="main", username="ana", password=Secret(SECRET))
        pure = provider(want)
        assert isinstance(pure, HostProvider)
        operation = call(tmp_path)
        answers = await operation.host.ask(pure.facts(place_of(operation), want))
        (run,) = pure.make(place_of(operation), want, answers).changes
        assert isinstance(run, Run)
        assert SECRET not in repr(run.command.argv) + repr(run.command.env)
        done = await pure.create(operation, want)
        assert isinstance(done, Done)
        assert isinstance(await pure.read(call(tmp_path), recorded(want, done)), Present)
        files = [path.read_bytes() for path in (tmp_path / "site").rglob("*") if path.is_file()]
        assert not any(SECRET.encode() in content for content in files)

        wrong = wish(tmp_path / "origin", f"{server}/bare.git", branch="main", username="ana", password=Secret("wrong"))
        with pytest.raises(ProviderError, match="does not let"):
            await pure.create(call(tmp_path), wrong)


async def test_a_password_goes_to_no_other_host(tmp_path: Path, origin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a host to which the repository's own leads nor that of a submodule is told the password."""
    monkeypatch.setattr(Curious, "told", [])
    with served(tmp_path, Curious) as curious, served(tmp_path, Astray) as astray, served(tmp_path) as server:
        elsewhere = curious.replace("127.0.0.1", "localhost")
        monkeypatch.setattr(Astray, "elsewhere", elsewhere)
        led = wish(tmp_path / "led", f"{astray}/bare.git", branch="main", username="ana", password=Secret(SECRET))
        (tmp_path / "led").mkdir()
        with pytest.raises(ProviderError, match="leads to another place"):
            await made(call(tmp_path), led)

        (origin / ".gitmodules").write_text(f'[submodule "s"]\n path = s\n url = {elsewhere}/s.git\n')
        git(origin, "add", ".gitmodules")
        git(origin, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},s")
        git(origin, "commit", "--quiet", "-m", "with a submodule")
        git(tmp_path, "clone", "--quiet", "--bare", str(origin), "bare.git")
        git(tmp_path / "bare.git", "update-server-info")
        want = wish(tmp_path, f"{server}/bare.git", branch="main", username="ana", password=Secret(SECRET), submodules=True)
        with pytest.raises(ProviderError):
            await made(call(tmp_path), want)

    assert Curious.told
    assert not any(Curious.told)
