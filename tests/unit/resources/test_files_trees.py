"""Trees, archives and downloads: what scripts may say of them, and what they tell from what a machine answers."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from purvey._base.value import Secret
from purvey._hosts.change import Run, foreseen
from purvey._hosts.command import Completed
from purvey._hosts.fact import Answer, Answers, DigestOf, FileStat, StatOf, Unanswered
from purvey._script.recorder import Recorder, recording
from purvey._script.words import secret
from purvey.errors import HostError, ProviderError, ScriptError
from purvey.providers.host import Place
from purvey.resources import files
from purvey.resources.files._merge import Item, put
from purvey.resources.files._tree import LOOK, found_in
from purvey.testing import view
from tests.unit.resources.life import only, provider, recorder

if TYPE_CHECKING:
    from pathlib import Path

    from purvey._hosts.fact import Fact

DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
URL = "https://example.org/tool"
PLACE = Place(address="s/e::files.Download::x", folder="/own", token="01CASE", name="x")


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Recorder]:
    """A script that is running in `tmp_path`."""
    (tmp_path / "app.tar.gz").write_bytes(b"packed")
    (tmp_path / "pages").mkdir()
    with recording(recorder(tmp_path)) as running:
        yield running


@pytest.mark.parametrize(
    ("kind", "inputs", "code"),
    [
        (files.Download, {"path": "/a", "url": "ftp://example.org/a", "sha256": DIGEST}, "script.bad_download"),
        (files.Download, {"path": "/a", "url": "https://example.org/a b", "sha256": DIGEST}, "script.bad_download"),
        (files.Download, {"path": "/a", "url": URL, "sha256": "9f86"}, "script.bad_download"),
        (files.Download, {"path": "/a", "url": URL, "sha256": DIGEST, "headers": {"A b": "x"}}, "script.bad_download"),
        (files.Download, {"path": "/a", "url": URL, "sha256": DIGEST, "headers": {"A": "x\nB: y"}}, "script.bad_download"),
        (files.Download, {"path": "/a", "url": URL}, "script.missing_input"),
        (files.Archive, {"path": "/a"}, "script.bad_archive"),
        (files.Archive, {"path": "/a", "source": "app.tar.gz", "archive": "/b.zip"}, "script.bad_archive"),
        (files.Archive, {"path": "/a", "archive": "/b.rar"}, "script.bad_archive"),
        (files.Archive, {"path": "/a", "archive": "/b", "format": "rar"}, "script.bad_archive"),
        (files.Archive, {"path": "/a", "archive": "/b.zip", "strip": -1}, "script.bad_archive"),
        (files.Archive, {"path": "/a", "source": "missing.zip"}, "script.source_unreadable"),
        (files.Sync, {"path": "/a", "source": "missing"}, "script.source_unreadable"),
        (files.Sync, {"path": "/a", "source": "pages", "mode": "rw"}, "script.bad_mode"),
    ],
)
def test_a_mistake_is_refused_with_a_way_out(script: Recorder, kind: Any, inputs: dict[str, Any], code: str) -> None:
    """Each wrong declaration is refused while the script runs, and nothing is declared."""
    with pytest.raises(ScriptError) as refused:
        kind("a", **inputs)

    assert refused.value.code == code
    assert refused.value.detail
    assert script.nodes == {}


@pytest.mark.parametrize("name", ["a\nb", "a\\b"])
def test_a_name_that_no_machine_can_be_told_is_refused(script: Recorder, tmp_path: Path, name: str) -> None:
    """A line end or a backslash in a name of a tree is refused, instead of being copied under another name."""
    (tmp_path / "pages" / name).write_text("x")

    with pytest.raises(ScriptError, match="cannot be read"):
        files.Sync("a", path="/a", source="pages")

    assert script.nodes == {}


def test_digests_are_spelt_in_one_way(script: Recorder) -> None:
    """Capital letters in a digest make no difference."""
    files.Download("a", path="/a", url=URL, sha256=DIGEST.upper())

    assert only(script, "files.Download").inputs["sha256"] == DIGEST


def test_an_archive_may_be_a_download(script: Recorder) -> None:
    """The path of another node says where the archive is, and makes an edge; its name is looked at when it is known."""
    tool = files.Download("a", path="/a.tar.gz", url=URL, sha256=DIGEST, headers={"Authorization": secret("env:TOKEN")})
    files.Archive("b", path="/b", archive=tool.path)

    assert only(script, "files.Archive").needs == ("files.Download::a",)


def test_an_archive_whose_name_comes_out_odd_is_refused() -> None:
    """A name that only the apply knows, and that does not tell what the archive is, stops before anything is done."""
    want = view(files.Archive, path="/b", archive="/blob")
    known = Answers({fact: _answer(fact) for fact in provider(want).facts(PLACE, want)})  # type: ignore[attr-defined]

    with pytest.raises(ProviderError, match="does not tell what it is"):
        provider(want).make(PLACE, want, known)  # type: ignore[attr-defined]


def _answer(fact: Fact) -> Any:
    """A folder, and an archive in it; nothing was unpacked."""
    if isinstance(fact, StatOf):
        return FileStat("directory", 0o755, "root", "root", 0)
    return DIGEST if isinstance(fact, DigestOf) else None


def test_what_is_downloaded_is_foreseen() -> None:
    """What is unpacked from a download in the same program is decided before the download has happened."""
    want = view(files.Download, path="/a", url=URL, sha256=DIGEST)
    known: dict[Fact, Answer | Unanswered] = {StatOf("/a"): None, DigestOf("/a"): None}
    work = provider(want).make(PLACE, want, Answers(known))  # type: ignore[attr-defined]

    foreseen(work.changes[0], known, "root")

    assert known == {DigestOf("/a"): DIGEST}


def test_secret_headers_are_in_no_argument_and_no_error() -> None:
    """What a machine's users and the readers of errors see does not hold the secret."""
    want = view(files.Download, path="/a", url=URL, sha256=DIGEST, headers={"Authorization": Secret("s3cret-token")})
    (change,) = provider(want).make(PLACE, want, Answers({DigestOf("/a"): None})).changes  # type: ignore[attr-defined]
    error = HostError("failed", "A command failed", detail="It ended with code 22:\nrejected s3cret-token")

    assert "s3cret-token" not in repr(change)
    assert not any("s3cret-token" in word for word in change.command.argv)
    assert b"s3cret-token" in change.command.stdin
    assert "s3cret-token" not in provider(want).explained(want, error).detail  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "said",
    [b"", b"=\n=\n", b"oops\n=\n=\n=\n", b"=\noops\n=\n=\n", b"=\n=\n=\n./link\n", b"81a4 0:0 root:root ./a\nb\n=\n=\n=\n"],
)
def test_what_is_not_understood_is_no_tree(said: bytes) -> None:
    """An answer that is cut off, or that a name with a line end has confused, is never taken for a folder with less in it."""
    assert found_in(Completed(0, said)) is None
    assert found_in(Completed(1, b"=\n=\n=\n")) is None
    assert found_in(Completed(0, b"=\n=\n=\n")) is not None


def test_two_nodes_may_fill_one_folder_at_once() -> None:
    """Each has a folder of its own for what is not in its place yet, which neither a tree's question nor its deletion sees."""
    places = [msgspec.structs.replace(PLACE, folder=folder) for folder in ("/own/a", "/own/b")]
    runs = [change for place in places for change in put(place, "/srv", {"a": Item(0o644, b"x")}) if isinstance(change, Run)]
    names = [run.command.argv[4] for run in runs]

    assert len(set(names)) == len(names)
    assert all(fnmatchcase(name, ".purvey[.-]*") for name in names)
    assert "-name '.purvey[.-]*' -prune" in LOOK
