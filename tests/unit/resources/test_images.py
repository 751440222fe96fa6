"""What a script may say about trees and images, and what is foreseen of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from purvey._hosts.command import Completed
from purvey._hosts.fact import Answers, Fact, StatOf
from purvey._script.recorder import Recorder, recording
from purvey.errors import HostError, ProviderError, ScriptError
from purvey.providers.host import HostProvider, Place
from purvey.resources import files, images
from purvey.resources.images.image import Image
from purvey.resources.images.tree import Tree
from purvey.testing import view
from tests.unit.resources.life import only, provider, recorder


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Recorder]:
    """A script that is running in `tmp_path`."""
    with recording(recorder(tmp_path)) as running:
        yield running


REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "a tree of nothing": (lambda: Tree("t", path="/t"), "neither"),
    "a tree of two things": (lambda: Tree("t", path="/t", suite="bookworm", source="base.tar"), "one of them"),
    "packages for an archive": (lambda: Tree("t", path="/t", source="base.tar", packages=["nginx"]), "Chroot"),
    "packages as text": (lambda: Tree("t", path="/t", suite="bookworm", packages="nginx"), "a list"),
    "an archive that is not there": (lambda: Tree("t", path="/t", source="none.tar"), "none.tar"),
    "a name with a slash": (lambda: Image("i", tree="/t", folder="/i", name="a/b"), "letters, digits"),
    "another compression": (lambda: Image("i", tree="/t", folder="/i", compress="rar"), "zstd, gzip, xz, none"),
    "none to keep": (lambda: Image("i", tree="/t", folder="/i", keep=0), "always kept"),
    "a scan as text": (lambda: Image("i", tree="/t", folder="/i", scan="trivy"), "a list"),
    "a pattern of two lines": (lambda: Image("i", tree="/t", folder="/i", exclude=["./a\n./b"]), "line end"),
}


@pytest.mark.parametrize("mistake", REFUSED)
def test_what_makes_no_sense_is_refused(script: Recorder, mistake: str) -> None:
    """Each mistake is an error of the script that says what to write."""
    declare, told = REFUSED[mistake]
    with pytest.raises(ScriptError) as caught:
        declare()
    assert told in f"{caught.value.detail} {caught.value.hint}"


def test_an_image_comes_after_its_tree_and_what_works_in_it(script: Recorder, tmp_path: Path) -> None:
    """A tree is named itself, and each node by its revision, or itself where it has none; a scan may lie beside the script."""
    tree = images.Tree("web", path="tree", suite="bookworm")
    nodes = [files.File("site", path="/etc/site", content="x"), files.Directory("data", path="/srv/data")]
    images.Image("web", tree=tree, folder="images", needs=nodes, scan=["./scan.sh", "{tree}"])

    node = only(script, "images.Image")
    assert set(node.needs) == {"images.Tree::web", "files.File::site", "files.Directory::data"}
    assert node.inputs["scan"] == [str(tmp_path / "scan.sh"), "{tree}"]
    assert node.inputs["name"] == "web"


def test_who_is_not_root_is_told_before_anything_is_done(tmp_path: Path) -> None:
    """A plan finds that a tree cannot be made: by whom, and for want of which program."""
    want = view(Tree, path=str(tmp_path / "tree"), suite="bookworm")
    kind = provider(want)
    assert isinstance(kind, HostProvider)
    known: dict[Fact, Any] = {}
    for fact in kind.hazards(Place(), want):
        known[fact] = None if isinstance(fact, StatOf) else Completed(1, b"1000\n")

    found = kind.findings(Place(), want, Answers(known))

    assert [finding.fix for finding in found] == ["Run purvey as root.", "Install it: apt install mmdebstrap"]


@pytest.mark.parametrize(
    ("detail", "summary"),
    [
        ("ended with code 77:\n  sh\n", "Only root makes a root file system"),
        ("ended with code 66:\n  sh\n", "An archive of a tree is not the planned one"),
        ("ended with code 74:\n  sh\ntar: a: Cannot write: No space left on device", "There is no room for a tree"),
        ("ended with code 74:\n  sh\nE: no such suite", "A tree could not be made"),
        ("was ended after 3600 s", "A command failed"),
    ],
)
def test_why_a_tree_was_not_made(detail: str, summary: str) -> None:
    """Each way to fail has a name of its own."""
    want = view(Tree, path="/t", source="base.tar")
    kind = provider(want)
    assert isinstance(kind, HostProvider)

    told: ProviderError = kind.explained(want, HostError("failed", "A command failed", detail=f"On x: The command {detail}"))

    assert told.summary == summary
