"""Directories and links on a real disk; what others have made is never lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from purvey.errors import HostError, ProviderError
from purvey.providers import Absent, Present
from purvey.resources import files
from purvey.testing import PlainCall, view
from tests.unit.resources.life import changed, differences, everything_below, made, provider

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def call(tmp_path: Path) -> PlainCall:
    """A call whose own folder does not exist."""
    return PlainCall(tmp_path / "state" / "x")


async def test_a_directory_is_made_and_then_stays(call: PlainCall, tmp_path: Path) -> None:
    """A directory gets its mode; making it again changes nothing; another mode is drift and repaired."""
    have = await made(call, view(files.Directory, path=str(tmp_path / "d"), mode="0750"))
    assert (await made(call, have)).path == have.path
    assert await differences(call, have) == []
    (tmp_path / "d").chmod(0o777)
    assert await differences(call, have) == ["mode"]

    assert await differences(call, await changed(call, have, have)) == []


async def test_an_undo_gives_a_directory_its_mode_back(call: PlainCall, tmp_path: Path) -> None:
    """Undoing an update restores the mode that was there; undoing a create removes the directory."""
    have = await made(call, view(files.Directory, path=str(tmp_path / "d"), mode="0750"))
    after = await changed(call, have, view(files.Directory, path=have.path, mode="0700"))

    await provider(have).undo(call, after, have)
    assert await differences(call, have) == []

    await provider(have).undo(call, have, None)
    assert isinstance(await provider(have).read(call, have), Absent)


async def test_a_full_directory_is_not_removed(call: PlainCall, tmp_path: Path) -> None:
    """What others have put into a directory stays, and the message says how to go on; an empty or lost one is removed."""
    have = await made(call, view(files.Directory, path=str(tmp_path / "d")))
    (tmp_path / "d" / "theirs").write_text("")

    with pytest.raises(ProviderError, match="not empty") as refused:
        await provider(have).delete(call, have)

    assert refused.value.code == "in_use"
    assert f"\n    ls -A {have.path}" in refused.value.hint
    assert everything_below(tmp_path) == ["d", "d/theirs"]
    (tmp_path / "d" / "theirs").unlink()
    await provider(have).delete(call, have)
    await provider(have).delete(call, have)
    assert everything_below(tmp_path) == []


async def test_a_directory_needs_the_one_above(call: PlainCall, tmp_path: Path) -> None:
    """A missing parent is an error that says what to declare, and a file in its place is found before the first write."""
    want = view(files.Directory, path=str(tmp_path / "a" / "b"))
    assert await provider(want).preflight(call, want) == []
    with pytest.raises(HostError) as refused:
        await provider(want).create(call, want)
    assert refused.value.code == "not_found"
    (tmp_path / "a").write_text("")

    assert len(await provider(want).preflight(call, want)) == 1


async def test_a_file_in_the_place_of_a_directory_is_drift_and_spared(call: PlainCall, tmp_path: Path) -> None:
    """A file where a directory was is seen, not overwritten, and left alone by a delete."""
    have = await made(call, view(files.Directory, path=str(tmp_path / "d")))
    (tmp_path / "d").rmdir()
    (tmp_path / "d").write_text("theirs")

    seen = await provider(have).read(call, have)
    assert isinstance(seen, Present)
    assert seen.values["mode"] == "(a file)"
    with pytest.raises(HostError):
        await provider(have).update(call, have, have)
    await provider(have).delete(call, have)

    assert (tmp_path / "d").read_text() == "theirs"


async def test_a_link_points_where_it_should(call: PlainCall, tmp_path: Path) -> None:
    """A link is made, compared by its target, switched in one step, switched back by an undo, and removed."""
    have = await made(call, view(files.Link, path=str(tmp_path / "current"), target="v1"))
    assert await differences(call, have) == []
    want = view(files.Link, path=have.path, target="v2")
    assert await differences(call, have, want) == ["target"]
    after = await changed(call, have, want)
    assert (tmp_path / "current").readlink().name == "v2"

    await provider(have).undo(call, after, have)
    assert (tmp_path / "current").readlink().name == "v1"
    await provider(have).delete(call, have)
    assert everything_below(tmp_path) == []


async def test_a_link_never_replaces_a_file(call: PlainCall, tmp_path: Path) -> None:
    """A file where a link shall be is somebody's: it is drift, and neither an update nor a delete touches it."""
    have = await made(call, view(files.Link, path=str(tmp_path / "current"), target="v1"))
    (tmp_path / "current").unlink()
    (tmp_path / "current").write_text("theirs")
    assert await differences(call, have) == ["target"]

    with pytest.raises(ProviderError, match="Something else stands"):
        await provider(have).update(call, have, have)
    await provider(have).delete(call, have)

    assert (tmp_path / "current").read_text() == "theirs"


async def test_every_place_is_claimed() -> None:
    """Two nodes cannot share one path, whatever their kinds."""
    nodes = [view(files.File, path="/a"), view(files.Directory, path="/a"), view(files.Link, path="/a")]

    assert {provider(node).claims(node) for node in nodes} == {("path:/a",)}
