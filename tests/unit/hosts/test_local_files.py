"""Files on the local machine change at once and whole, or not at all, and nothing is left of a change that failed."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest

from purvey._hosts.command import Command
from purvey._hosts.connector import Connector
from purvey._hosts.fact import FileStat
from purvey._hosts.local import MACHINE_ID_FILES, LocalConnector
from purvey._hosts.local_errors import failure
from purvey._hosts.local_stage import beside
from purvey.errors import HostError
from tests.unit.hosts.waiting import until


@pytest.fixture
def host() -> Connector:
    """This machine; the annotation proves to the type checker that it meets the port."""
    return LocalConnector()


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Let the system refuse files that are larger, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def names(folder: Path) -> list[str]:
    """What is in a folder, hidden names too."""
    return sorted(path.name for path in folder.iterdir())


async def test_a_written_file_has_content_and_mode(host: Connector, tmp_path: Path) -> None:
    """What was written is there, with its mode whatever the umask, and nothing else is."""
    path = tmp_path / "a.conf"

    await host.write(str(path), b"hello", mode=0o664)

    stat = await host.stat(str(path))
    assert stat is not None
    assert (stat.kind, stat.mode, stat.size, stat.target) == ("file", 0o664, 5, "")
    assert (await host.read(str(path)), await host.digest(str(path))) == (b"hello", sha256(b"hello").hexdigest())
    assert names(tmp_path) == ["a.conf"]


async def test_a_new_content_is_a_new_file(host: Connector, tmp_path: Path) -> None:
    """Whoever has the old file open goes on reading the old content."""
    path = tmp_path / "a"
    path.write_bytes(b"old")

    with path.open("rb") as reader:
        await host.write(str(path), b"new", mode=0o600)
        assert (reader.read(), path.read_bytes()) == (b"old", b"new")


async def test_a_link_is_replaced_and_its_target_left_alone(host: Connector, tmp_path: Path) -> None:
    """Writing to a link does not write through it."""
    target, path = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"mine")
    path.symlink_to(target)

    await host.write(str(path), b"new", mode=0o600)

    assert (target.read_bytes(), path.read_bytes(), path.is_symlink()) == (b"mine", b"new", False)


async def test_a_refused_file_leaves_the_old_one(host: Connector, tmp_path: Path) -> None:
    """A validating command that fails keeps the old file, and its own words are in the error."""
    path = tmp_path / "a"
    path.write_bytes(b"old")
    validate = Command(("sh", "-c", 'grep -q good "$1" || { echo "no good in line 1" >&2; exit 4; }', "sh", "{path}"))

    with pytest.raises(HostError) as caught:
        await host.write(str(path), b"bad", mode=0o600, validate=validate)

    assert caught.value.code == "invalid"
    assert "no good in line 1" in caught.value.detail
    assert (path.read_bytes(), names(tmp_path)) == (b"old", ["a"])

    await host.write(str(path), b"good", mode=0o600, validate=validate)

    assert (path.read_bytes(), names(tmp_path)) == (b"good", ["a"])


async def test_a_validator_that_cannot_run_leaves_the_old_one(host: Connector, tmp_path: Path) -> None:
    """A missing validating command is an error of its own, and changes nothing."""
    path = tmp_path / "a"
    path.write_bytes(b"old")

    with pytest.raises(HostError) as caught:
        await host.write(str(path), b"new", mode=0o600, validate=Command(("/no/such/program", "{path}")))

    assert (caught.value.code, path.read_bytes(), names(tmp_path)) == ("not_found", b"old", ["a"])


async def test_a_cancelled_write_leaves_the_old_one(host: Connector, tmp_path: Path) -> None:
    """Cancelling while the new file is validated removes it."""
    path, began = tmp_path / "a", tmp_path / "began"
    path.write_bytes(b"old")
    validate = Command(("sh", "-c", 'touch "$1"; exec sleep 60', "sh", str(began)))
    task = asyncio.create_task(host.write(str(path), b"new", mode=0o600, validate=validate))
    assert await asyncio.to_thread(until, began.exists)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert (path.read_bytes(), names(tmp_path)) == (b"old", ["a", "began"])


async def test_a_full_disk_leaves_the_old_file_and_says_so(host: Connector, tmp_path: Path) -> None:
    """When the system takes only a part of the content, the old file stays, the part is removed, and the error tells it."""
    path = tmp_path / "a"
    path.write_bytes(b"old")

    with file_size_limit(4096), pytest.raises(HostError) as caught:
        await host.write(str(path), b"x" * 100_000, mode=0o600)

    assert caught.value.code == "quota_exceeded"
    assert str(path) in caught.value.detail
    assert (path.read_bytes(), names(tmp_path)) == (b"old", ["a"])


def test_a_full_disk_is_told_with_the_command_that_shows_it() -> None:
    """The system's own code for a full disk leads to a message with the next command on its own line."""
    error = failure(OSError(errno.ENOSPC, "x"), "/data/file", "written")

    assert (error.code, "No space left" in error.detail) == ("quota_exceeded", True)
    assert error.hint.endswith("\n  df -h /data")


async def test_what_a_killed_writer_left_is_replaced(host: Connector, tmp_path: Path) -> None:
    """A half-written successor of an earlier run neither stops the next write nor survives it; nor does a trap."""
    path, trap = tmp_path / "a", tmp_path / "trap"
    trap.write_bytes(b"untouched")
    beside(str(path)).write_bytes(b"hal")
    await host.write(str(path), b"one", mode=0o600)
    beside(str(path)).symlink_to(trap)
    await host.write(str(path), b"two", mode=0o600)
    beside(str(path)).symlink_to(trap)
    await host.link(str(tmp_path / "a"), "elsewhere")

    assert (path.readlink(), trap.read_bytes(), names(tmp_path)) == (Path("elsewhere"), b"untouched", ["a", "trap"])


async def test_two_writers_of_one_file_do_not_mix(host: Connector, tmp_path: Path) -> None:
    """While another process builds the successor of a file, a second one is refused and disturbs nothing."""
    path = tmp_path / "a"
    with beside(str(path)).open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(HostError) as caught:
            await host.write(str(path), b"mine", mode=0o600)

    assert (caught.value.code, names(tmp_path)) == ("conflict", [".a.purvey"])


async def test_the_longest_name_can_be_written(host: Connector, tmp_path: Path) -> None:
    """A name of 255 bytes, which leaves no room for anything around it, works as any other."""
    path = tmp_path / ("n" * 255)

    await host.write(str(path), b"x", mode=0o600)

    assert names(tmp_path) == [path.name]


async def test_a_missing_folder_is_named(host: Connector, tmp_path: Path) -> None:
    """A file in a folder that is not there is an error which says what to declare."""
    with pytest.raises(HostError) as caught:
        await host.write(str(tmp_path / "no" / "a"), b"x", mode=0o600)

    assert (caught.value.code, "folder" in caught.value.hint) == ("not_found", True)


async def test_an_unknown_owner_is_named_before_anything_happens(host: Connector, tmp_path: Path) -> None:
    """A file for a user or group that does not exist is not made."""
    for owner, group in (("nobody-of-this-name", None), (None, "nobody-of-this-name")):
        with pytest.raises(HostError) as caught:
            await host.write(str(tmp_path / "a"), b"x", mode=0o600, owner=owner, group=group)
        assert (caught.value.code, "nobody-of-this-name" in caught.value.detail) == ("not_found", True)

    assert names(tmp_path) == []


async def test_an_owner_is_given_by_root_and_refused_to_others(host: Connector, tmp_path: Path) -> None:
    """Root gives a file to its owner; anyone else is told who they are and that they may not, and nothing is made."""
    path = tmp_path / "a"
    if await host.is_root():
        await host.write(str(path), b"x", mode=0o4755, owner="nobody", group="daemon")
        stat = await host.stat(str(path))
        assert stat is not None
        assert (stat.owner, stat.group, stat.mode) == ("nobody", "daemon", 0o4755)
    else:
        with pytest.raises(HostError) as caught:
            await host.write(str(path), b"x", mode=0o600, owner="nobody")
        assert (caught.value.code, "by the user" in caught.value.detail, names(tmp_path)) == ("denied", True, [])


async def test_a_directory_is_made_once_and_kept_in_shape(host: Connector, tmp_path: Path) -> None:
    """Making a directory again gives it its attributes; a file in its place is an error, not an overwrite."""
    path = tmp_path / "d"
    await host.make_directory(str(path), mode=0o750)
    path.chmod(0o700)
    await host.make_directory(str(path), mode=0o2775)
    stat = await host.stat(str(path))
    (tmp_path / "f").write_bytes(b"x")

    assert stat is not None
    assert (stat.kind, stat.mode) == ("directory", 0o2775)
    with pytest.raises(HostError) as caught:
        await host.make_directory(str(tmp_path / "f"), mode=0o755)
    assert (caught.value.code, (tmp_path / "f").read_bytes()) == ("conflict", b"x")


async def test_a_link_is_put_in_place_of_a_file_or_link(host: Connector, tmp_path: Path) -> None:
    """A link replaces what is there at once; a directory is not replaced, and nothing is left of the attempt."""
    path = tmp_path / "l"
    path.write_bytes(b"x")
    await host.link(str(path), "one")
    await host.link(str(path), "two")
    stat = await host.stat(str(path))
    (tmp_path / "d").mkdir()

    assert stat is not None
    assert (stat.kind, stat.target) == ("link", "two")
    with pytest.raises(HostError) as caught:
        await host.link(str(tmp_path / "d"), "one")
    assert (caught.value.code, names(tmp_path)) == ("conflict", ["d", "l"])


async def test_removing_is_done_once_and_never_takes_more(host: Connector, tmp_path: Path) -> None:
    """Files, links and empty directories go; what is gone already is fine; a directory with content stays."""
    (tmp_path / "f").write_bytes(b"x")
    (tmp_path / "l").symlink_to("f")
    (tmp_path / "d").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_bytes(b"x")

    for name in ("l", "f", "d", "d", "no/such"):
        await host.remove(str(tmp_path / name))
    with pytest.raises(HostError) as caught:
        await host.remove(str(tmp_path / "full"))

    assert (caught.value.code, names(tmp_path), names(tmp_path / "full")) == ("conflict", ["full"], ["x"])


async def test_attributes_change_one_by_one(host: Connector, tmp_path: Path) -> None:
    """Only what is given changes; a link's mode is not its target's."""
    path, link = tmp_path / "f", tmp_path / "l"
    path.write_bytes(b"x")
    link.symlink_to("f")
    before = await host.stat(str(path))

    await host.set_attributes(str(path), mode=0o640)
    await host.set_attributes(str(link), mode=0o777)
    after = await host.stat(str(path))

    assert before is not None
    assert after == FileStat("file", 0o640, before.owner, before.group, 1)


async def test_what_is_not_there_is_none_and_what_cannot_be_read_is_an_error(host: Connector, tmp_path: Path) -> None:
    """Absence is a value, also below something that is no directory; reading it is an error with its path."""
    (tmp_path / "f").write_bytes(b"x")

    assert await host.stat(str(tmp_path / "no")) is None
    assert await host.stat(str(tmp_path / "f" / "below")) is None
    for look in (host.read, host.digest):
        with pytest.raises(HostError) as caught:
            await look(str(tmp_path / "no"))
        assert (caught.value.code, str(tmp_path / "no") in caught.value.detail) == ("not_found", True)


async def test_a_port_is_free_until_a_server_listens(host: Connector) -> None:
    """A listening server takes a port, its end gives it back, and an address of another machine is an error."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not await host.port_free(port)
    assert await host.port_free(port)
    with pytest.raises(HostError) as caught:
        await host.port_free(port, host="192.0.2.1")
    assert caught.value.code == "invalid"


async def test_the_machine_and_its_users_are_known(host: Connector) -> None:
    """The identity stays the same and does not show the machine's own id; users are facts or None."""
    identity = await host.identity()
    root = await host.user("root")

    assert identity == await LocalConnector().identity()
    assert len(identity) == 32
    for path in MACHINE_ID_FILES:
        if await host.stat(path):
            assert identity.encode() not in await host.read(path)
    assert root is not None
    assert (root.uid, root.gid, root.home) == (0, 0, "/root")
    assert await host.user("nobody-of-this-name") is None
    assert await host.is_root() == (os.geteuid() == 0)
