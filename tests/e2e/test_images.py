"""Images through the command line: a tree, the ordinary kinds in it by chroot, and what is packed of it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from purvey.testing.hosts._tree import base_tree
from tests.support.case_hosts import busybox_tree
from tests.unit.hosts.waiting import until

if TYPE_CHECKING:
    from purvey.testing.pytest_plugin import Project

SCRIPT = """
from purvey import Chroot, stack
from purvey.resources import files, images


@stack
def web(text: str = "one", mode: str = "0755", keep: int = 3, packed: bool = True, folder: str = "images") -> None:
    tree = images.Tree("web", path="tree", source="base.tar")
    inside = Chroot(tree.root, name="image")
    site = files.File("site", on=inside, path="/etc/site.conf", content=f"{text}\\n")
    data = files.Directory("data", on=inside, path="/srv/data", mode=mode)
    if packed:
        images.Image(
            "web", tree=tree, folder=folder, needs=[site, data], scan=["./scan.sh", "{archive}", "{tree}"], compress="gzip",
            keep=keep,
        )
"""

SCAN = """\
#!/bin/sh
set -eu
echo scanned >>scans
tar -tzf "$1" ./etc/site.conf >/dev/null
if grep -q bad "$2/etc/site.conf"; then echo "CVE-2026-0001 in site.conf"; exit 3; fi
if [ -p hold ]; then echo >begun; read -r line <hold; fi
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive of a small tree: the busybox of a Debian, and its users."""
    folder = tmp_path_factory.mktemp("base")
    tree = busybox_tree(base_tree(), folder / "tree")
    subprocess.run(["tar", "--numeric-owner", "-C", str(tree), "-cf", str(folder / "base.tar"), "."], check=True)
    return folder / "base.tar"


@pytest.fixture
def project(base: Path, purvey_project: Project) -> Project:
    """A project with the script, a tree to begin with, a scan, and a folder for images."""
    folder = purvey_project.folder
    os.link(base, folder / "base.tar")
    (folder / "scan.sh").write_text(SCAN.replace("set -eu\n", f"set -eu\ncd '{folder}'\n"), encoding="ascii")
    (folder / "scan.sh").chmod(0o755)
    (folder / "images").mkdir()
    purvey_project.write(SCRIPT)
    return purvey_project


def packed(project: Project) -> list[str]:
    """The names of all that is in the folder of images."""
    return sorted(path.name for path in (project.folder / "images").iterdir())


def outputs(project: Project) -> dict[str, Any]:
    """The outputs of the image, as they are recorded."""
    found = json.loads(project.run("state show", "images.Image::web", "--json"))
    values: dict[str, Any] = found["outputs"]
    return values


def changes(project: Project, *arguments: str) -> list[tuple[str, str]]:
    """What a plan would do to what."""
    told = json.loads(project.run("plan", "--json", *arguments))["changes"]
    return [(item["action"], item["address"]) for item in told]


def scans(project: Project) -> int:
    """How often something was scanned."""
    return len((project.folder / "scans").read_text(encoding="ascii").splitlines())


def test_an_image_is_made_once_and_found_by_its_content(project: Project) -> None:
    """It is named by its content, which is the tree's with what was put there; a second run finds nothing to do."""
    project.run("apply", "--yes")
    told = outputs(project)
    (name,) = packed(project)
    archive = project.folder / "images" / name

    assert (name, told["path"]) == (f"web-{told['digest'][:16]}.tar.gz", str(archive))
    assert (told["size"], oct(archive.stat().st_mode)[-3:]) == (archive.stat().st_size, "600")
    listed = subprocess.run(["tar", "-tvzf", str(archive)], check=True, capture_output=True, text=True).stdout
    assert "./etc/site.conf" in listed
    assert "var/lib/purvey" not in listed
    assert changes(project) == []
    assert "nothing had to change" in project.run("apply", "--yes")
    assert scans(project) == 1


def test_the_same_content_is_the_same_image(project: Project) -> None:
    """Made anew from nothing, at another time, it has the same digest; packed to the same bytes."""
    project.run("apply", "--yes")
    before = outputs(project)
    project.run("destroy", "--yes")
    assert packed(project) == []
    assert not (project.folder / "tree").exists()

    project.run("apply", "--yes")

    assert {**outputs(project), "revision": ""} == {**before, "revision": ""}


def test_a_change_in_the_tree_makes_another_image_and_an_undo_goes_back(project: Project) -> None:
    """The former image stays, and is the image again after an undo; what the undone run published is gone."""
    project.run("apply", "--yes")
    before, first = outputs(project), packed(project)

    planned = changes(project, "--text", "two")
    project.run("apply", "--yes", "--text", "two")

    assert planned == [("update", "files.File::site"), ("update", "images.Image::web")]
    assert len(packed(project)) == 2
    assert outputs(project)["digest"] != before["digest"]
    assert changes(project, "--text", "two") == []
    project.run("undo", "--yes")
    assert (packed(project), outputs(project)) == (first, before)
    assert changes(project) == []


def test_a_node_without_a_revision_is_noticed(project: Project) -> None:
    """A folder whose mode changes makes another image in the same run."""
    project.run("apply", "--yes")

    assert ("update", "images.Image::web") in changes(project, "--mode", "0700")
    project.run("apply", "--yes", "--mode", "0700")

    assert len(packed(project)) == 2
    assert changes(project, "--mode", "0700") == []


def test_as_many_images_are_kept_as_is_said(project: Project) -> None:
    """The oldest go; where none but the present one is kept, an undo packs the former one again, from the tree as it was."""
    for text in ("one", "two", "three"):
        project.run("apply", "--yes", "--text", text, "--keep", "2")
    assert len(packed(project)) == 2
    before, kept = outputs(project), packed(project)
    project.run("apply", "--yes", "--text", "four", "--keep", "1")
    assert len(packed(project)) == 1

    project.run("undo", "--yes")

    assert outputs(project) == before
    assert packed(project) == [Path(before["path"]).name]
    assert set(packed(project)) < set(kept)
    assert changes(project, "--text", "three", "--keep", "2") == []


def test_what_does_not_pass_its_scan_is_not_published(project: Project) -> None:
    """What was found is told, the tree is taken back, and the former image is the only one."""
    project.run("apply", "--yes")
    first = packed(project)

    failed = project.attempt("apply", "--yes", "--text", "bad")

    assert "An image did not pass its scan" in failed.stdout
    assert "CVE-2026-0001 in site.conf" in failed.stdout
    assert packed(project) == first
    assert changes(project) == []


def test_an_image_that_somebody_altered_is_packed_again(project: Project) -> None:
    """One that is gone, one with another byte, and one whose tree somebody changed are drift, and mended to the byte."""
    project.run("apply", "--yes")
    archive = project.folder / "images" / packed(project)[0]
    data = archive.read_bytes()

    archive.unlink()
    assert [item for item in changes(project) if item[0] == "create"] == [("create", "images.Image::web")]
    project.run("apply", "--yes")
    assert archive.read_bytes() == data

    archive.write_bytes(data + b"\0")
    assert changes(project) == [("update", "images.Image::web")]
    project.run("apply", "--yes")
    assert archive.read_bytes() == data

    (project.folder / "tree/etc/by-hand").touch()
    assert changes(project) == [("update", "images.Image::web")]


def test_a_tree_that_somebody_removed_is_made_again_with_what_is_in_it(project: Project) -> None:
    """What lived in it is made anew in the new one, and the image that is packed of that is the same."""
    project.run("apply", "--yes")
    before = {**outputs(project), "revision": ""}
    (project.folder / "tree").rename(project.folder / "aside")

    planned = changes(project)
    project.run("apply", "--yes")

    assert ("create", "images.Tree::web") in planned
    assert ("replace", "files.File::site") in planned
    assert {**outputs(project), "revision": ""} == before
    assert changes(project) == []


def test_a_run_that_is_killed_publishes_nothing_by_half(project: Project) -> None:
    """Killed when it was packed and not yet scanned, it has published nothing; a resumed run does, and leaves no draft."""
    folder = project.folder
    for name in ("hold", "begun"):
        os.mkfifo(folder / name)
    run = project.begin("apply", "--yes")
    (folder / "begun").read_text(encoding="ascii")
    run.kill()
    run.communicate()
    assert until(lambda: all(name.startswith(".") for name in packed(project)))
    assert [name for name in packed(project) if not name.startswith(".")] == []
    for name in ("hold", "begun"):
        (folder / name).unlink()

    project.run("resume", "--yes", "--wait")

    assert packed(project) == [Path(outputs(project)["path"]).name]
    assert changes(project) == []


@pytest.fixture
def full(project: Project) -> Iterator[Path]:
    """A folder for images without room for one."""
    folder = project.folder / "full"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "images", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_leaves_nothing(project: Project, full: Path) -> None:
    """It is told that there is no room, and nothing stays of what was begun."""
    failed = project.attempt("apply", "--yes", "--folder", str(full))

    assert "There is no room for an image" in failed.stdout
    assert list(full.iterdir()) == []


def test_a_tree_that_cannot_be_made_leaves_nothing(project: Project) -> None:
    """The program's words tell why, and no half of a tree is left."""
    (project.folder / "base.tar").unlink()
    (project.folder / "base.tar").write_bytes(b"no archive")

    failed = project.attempt("apply", "--yes")

    assert "A tree could not be made" in failed.stdout
    assert "tar archive" in failed.stdout
    assert [path.name for path in project.folder.iterdir() if path.name.startswith("tree")] == []


PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "images.md"


def test_the_page_about_images_shows_a_script_that_can_be_planned(purvey_project: Project) -> None:
    """What the page shows declares a tree, three nodes in it, a folder and an image."""
    purvey_project.write(PAGE.read_text(encoding="utf-8").partition("```python\n")[2].partition("```")[0])

    assert [action for action, _ in changes(purvey_project)] == ["create"] * 6


DEBIAN = """
from purvey import Chroot, stack
from purvey.resources import files, images, users


@stack
def web() -> None:
    tree = images.Tree("web", path="tree", source="debian.tar")
    inside = Chroot(tree.root, name="image")
    account = users.User("web", on=inside, name="web", system=True)
    program = files.File(
        "serve", on=inside, path="/usr/local/bin/serve", mode="0755", content="#!/bin/sh\\nid -un; cat /etc/debian_version\\n"
    )
    folder = files.Directory("images", path="images")
    images.Image("web", tree=tree, folder=folder.path, needs=[account, program], compress="none")
"""


def test_what_was_made_in_a_real_tree_runs_from_the_image(purvey_project: Project) -> None:
    """A Debian by mmdebstrap gets a user and a program; unpacked elsewhere, the image runs the one as the other."""
    folder = purvey_project.folder
    subprocess.run(
        ["tar", "--numeric-owner", "--xattrs", "-C", str(base_tree()), "-cf", str(folder / "debian.tar"), "."], check=True
    )
    purvey_project.write(DEBIAN)
    purvey_project.run("apply", "--yes")
    assert changes(purvey_project) == []
    (archive,) = (folder / "images").iterdir()
    root = folder / "unpacked"
    root.mkdir()
    subprocess.run(["tar", "--numeric-owner", "-C", str(root), "-xpf", str(archive)], check=True)

    said = subprocess.run(
        ["chroot", "--userspec=web", str(root), "/usr/local/bin/serve"], check=True, capture_output=True, text=True
    ).stdout

    assert said.splitlines() == ["web", (root / "etc/debian_version").read_text(encoding="ascii").strip()]
