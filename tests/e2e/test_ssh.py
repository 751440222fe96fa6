"""Commands over real OpenSSH: many at once over one connection, in both directions, through its loss, and over bastions."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from purvey._base.clock import SystemClock
from purvey._hosts import ssh_link, ssh_pipes
from purvey._hosts.pool import Pool
from purvey._hosts.route import SshRoute
from purvey.errors import HostError
from tests.e2e.sshd import Sshd, configured, running, said
from tests.support.clock import VirtualClock
from tests.unit.hosts.waiting import until


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sshd]:
    """One server."""
    with running(Sshd(tmp_path / "server")) as server:
        yield server


@pytest.fixture
async def pool() -> AsyncIterator[Pool]:
    """A run's shells."""
    pool = Pool(SystemClock())
    yield pool
    await pool.close()


async def test_a_command_reads_writes_complains_and_ends(server: Sshd, pool: Pool) -> None:
    """Input, both outputs and the return code pass; the command is read by a POSIX shell."""
    shell = pool.shell(server.route())

    assert await said(shell, "cat; echo 'a  b' >&2; exit 3", b"in") == (3, "in", "a  b\n")
    assert await said(shell, "kill -KILL $$") == (-signal.SIGKILL, "", "")


async def test_complaints_are_bounded_and_keep_the_end(server: Sshd, pool: Pool) -> None:
    """Of much on standard error the last 8 KiB are kept, and nobody is held up."""
    code, _, complaints = await said(pool.shell(server.route()), "head -c 3000000 /dev/zero >&2; echo end >&2")

    assert (code, len(complaints), complaints[-4:]) == (0, 8_192, "end\n")


async def test_many_commands_share_one_connection(server: Sshd, pool: Pool) -> None:
    """Thirty commands at once make one connection, although the server takes ten at a time."""
    shell = pool.shell(server.route())

    done = await asyncio.gather(*(said(shell, f"cat; echo {number}") for number in range(30)))

    assert done == [(0, f"{number}\n", "") for number in range(30)]
    assert (server.logins, "no more sessions" in server.log) == (1, True)


async def test_equal_routes_share_a_shell(server: Sshd, pool: Pool) -> None:
    """A route that says the same is the same way."""
    assert pool.shell(server.route()) is pool.shell(server.route())


async def test_a_lost_connection_is_told_and_made_again(server: Sshd, pool: Pool) -> None:
    """A command whose connection is lost may have had its effect; the next one gets a new connection."""
    shell = pool.shell(server.route())
    pipes = await shell.start("echo begun; exec sleep 60")
    assert await pipes.receive() == b"begun\n"

    server.cut()
    for lost in (pipes.receive, pipes.wait):
        with pytest.raises(HostError) as caught:
            await lost()
        assert (caught.value.code, caught.value.may_exist) == ("unavailable", True)

    assert await said(shell, "echo again") == (0, "again\n", "")
    assert server.logins == 2


async def test_megabytes_pass_in_both_directions(server: Sshd, pool: Pool) -> None:
    """Five million bytes go there and come back while both are still on their way."""
    data = os.urandom(5_000_000)
    pipes = await pool.shell(server.route()).start("cat")

    async def send() -> None:
        """Feed it."""
        await pipes.send(data)
        await pipes.end()

    sending = asyncio.create_task(send())
    received = b""
    while chunk := await pipes.receive():
        received += chunk
        assert len(chunk) <= 65_536
    await sending

    assert (await pipes.wait(), received == data) == (0, True)


async def test_what_nobody_takes_holds_the_command_up(server: Sshd, pool: Pool) -> None:
    """Output is held here to a bound, however long nobody takes it, and arrives whole when somebody does."""
    shell = pool.shell(server.route())
    pipes = await shell.start("head -c 50000000 /dev/zero")

    for _ in range(30):
        await said(shell, "true")
    held = pipes._held  # type: ignore[attr-defined]
    total = 0
    while chunk := await pipes.receive():
        total += len(chunk)

    assert (total, held <= ssh_pipes.HELD_BYTES + ssh_pipes.CHUNK_BYTES) == (50_000_000, True)


async def test_what_an_ended_command_did_not_read_is_nobody_s(server: Sshd, pool: Pool) -> None:
    """Sending more to a command that has ended, or ends without reading, is no error and does not wait for ever."""
    pipes = await pool.shell(server.route()).start("exit 4")

    await pipes.send(b"x" * 5_000_000)
    await pipes.end()

    assert await pipes.wait() == 4


async def test_a_command_that_nobody_waits_for_gives_its_place_back(tmp_path: Path, pool: Pool) -> None:
    """Cancelled while it is being started, a command is not left behind: a server that takes one takes the next."""
    with running(Sshd(tmp_path, settings="MaxSessions 1\n")) as server:
        shell = pool.shell(server.route())
        assert (await said(shell, "true"))[0] == 0
        starting = asyncio.create_task(shell.start("cat"))
        await asyncio.wait([starting], timeout=0)

        starting.cancel()

        assert await said(shell, "echo next") == (0, "next\n", "")
        assert starting.cancelled()


async def test_what_waits_for_more_to_do_makes_room(tmp_path: Path, pool: Pool) -> None:
    """A parked command goes on where it stood; where a server takes one command, it ends for another one."""
    with running(Sshd(tmp_path, settings="MaxSessions 1\n")) as server:
        shell = pool.shell(server.route())
        pipes = await shell.start("while read -r line; do echo $line $$; done")
        await pipes.send(b"one\n")
        first = await pipes.receive()
        await shell.park(pipes)

        assert shell.resume(pipes)
        await pipes.send(b"two\n")
        assert await pipes.receive() == first.replace(b"one", b"two")

        await shell.park(pipes)
        async with asyncio.timeout(30):
            assert await said(shell, "echo next") == (0, "next\n", "")
        assert not shell.resume(pipes)


async def test_a_closed_pool_leaves_no_connection(server: Sshd) -> None:
    """After the end of a run no server serves it any more, although a command was still running."""
    pool = Pool(SystemClock())
    await pool.shell(server.route()).start("sleep 60")

    await pool.close()

    assert await asyncio.to_thread(until, lambda: not server.sessions())


async def test_beyond_the_bound_the_idle_one_is_left(tmp_path: Path, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """With as many machines connected as may be, the next one takes the place of the one that was idle longest."""
    monkeypatch.setattr(ssh_link, "CONNECTIONS_MAX", 2)
    with running(Sshd(tmp_path, more=("127.0.0.3", "127.0.0.4"))) as server:
        for address in ("127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.3"):
            assert (await said(pool.shell(server.route(address)), "echo here"))[0] == 0

        assert (server.logins, await asyncio.to_thread(until, lambda: len(server.sessions()) == 2)) == (3, True)


async def test_a_burst_of_connections_is_backed_off(tmp_path: Path) -> None:
    """Thirty hosts behind a server that drops what comes too fast are all reached in the end."""
    with running(Sshd(tmp_path, settings="MaxStartups 4:50:8\n")) as server:
        pool = Pool(SystemClock())
        done = await asyncio.gather(*(said(pool.shell(route), "echo in") for route in aliases(server, 30)))
        await pool.close()

        assert done == [(0, "in\n", "")] * 30
        assert ("throttling" in server.log, server.logins) == (True, 30)


async def test_connections_are_opened_a_few_at_a_time(tmp_path: Path) -> None:
    """With one at a time a server that takes four at a time, itself a little behind, drops none of twenty."""
    with running(Sshd(tmp_path, settings="MaxStartups 4:100:4\n")) as server:
        pool = Pool(SystemClock(), at_once=1)
        done = await asyncio.gather(*(said(pool.shell(route), "true") for route in aliases(server, 20)))
        await pool.close()

        assert (done, "throttling" in server.log) == ([(0, "", "")] * 20, False)


async def test_a_server_that_goes_on_dropping_is_told(pool: Pool) -> None:
    """Who closes every connection before the login is tried a bounded number of times, at growing distances."""
    clock, came = VirtualClock(), []

    async def drop(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Close it at once."""
        came.append(writer)
        writer.close()

    async with await asyncio.start_server(drop, "127.0.0.2", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(HostError) as caught:
            await Pool(clock).shell(SshRoute(address="127.0.0.2", port=port, config="")).start("true")

    assert (caught.value.code, caught.value.summary) == ("unavailable", "A host closes connections before the login")
    assert (len(came), len(clock.slept), clock.slept[-1] > clock.slept[0]) == (6, 5, True)


def aliases(server: Sshd, count: int) -> list[SshRoute]:
    """Machines of different names that are all this one."""
    config = configured(server.folder / "config", "Host m*", f"HostName {server.address}")
    return [server.route(f"m{number}", config=config) for number in range(count)]
