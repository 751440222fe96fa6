"""The way to a machine: the user's OpenSSH configuration, bastions in a row, and what is said where the way ends."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from purvey._base.clock import SystemClock
from purvey._base.limits import ATTEMPTS_MAX
from purvey._hosts import ssh_link
from purvey._hosts.pool import Pool
from purvey._hosts.route import SshRoute
from purvey.errors import HostError
from tests.e2e.sshd import USER, Sshd, configured, free_port, running, said
from tests.support.clock import VirtualClock


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


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[tuple[Sshd, Sshd, Sshd]]:
    """Two bastions and a machine behind them; each lets in a key of its own."""
    names = ("outer", "inner", "target")
    servers = [Sshd(tmp_path / name, address=f"127.0.0.{number}") for number, name in enumerate(names, 2)]
    with running(servers[0]) as outer, running(servers[1]) as inner, running(servers[2]) as target:
        yield outer, inner, target


def section(name: str, server: Sshd, *lines: str) -> str:
    """What a user's configuration says of a server."""
    said = (f"HostName {server.address}", f"Port {server.port}", f"User {USER}", f"IdentityFile {server.key}", *lines)
    return "\n".join([f"Host {name}", *(f"  {line}" for line in (*said, f"UserKnownHostsFile {server.known_hosts}"))])


async def test_an_alias_of_the_user_s_own_configuration(server: Sshd, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Name, port, user, key and known_hosts file come from ~/.ssh/config where the route says nothing."""
    home = server.folder / "home"
    (home / ".ssh").mkdir(parents=True)
    configured(home / ".ssh/config", section("web", server))
    monkeypatch.setenv("HOME", str(home))

    assert await said(pool.shell(SshRoute(address="web")), "echo there") == (0, "there\n", "")


async def test_what_the_route_says_wins_over_the_configuration(server: Sshd, pool: Pool) -> None:
    """A port, a user and a known_hosts file of the route come before those of the configuration."""
    config = configured(
        server.folder / "config", "Host web", f"HostName {server.address}", "Port 1", "User nobody", "IdentityFile /no"
    )

    assert (await said(pool.shell(server.route("web", config=config)), "true"))[0] == 0


async def test_no_configuration_is_read_where_none_is_wanted(server: Sshd, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an empty name of the configuration an alias is a mere host name."""
    home = server.folder / "home"
    (home / ".ssh").mkdir(parents=True)
    configured(home / ".ssh/config", section("web", server))
    monkeypatch.setenv("HOME", str(home))

    with pytest.raises(HostError) as caught:
        await pool.shell(SshRoute(address="web", config="")).start("true")

    assert caught.value.summary == "A host's name is not known"


async def test_a_chain_of_bastions_in_the_configuration(chain: tuple[Sshd, Sshd, Sshd], tmp_path: Path, pool: Pool) -> None:
    """ProxyJump leads over two machines, each with its own key and known_hosts file."""
    outer, inner, target = chain
    sections = [section("outer", outer), section("inner", inner), section("target", target, "ProxyJump outer,inner")]
    config = configured(tmp_path / "config", *sections)

    assert await said(pool.shell(SshRoute(address="target", config=config)), "echo $SSH_CONNECTION | cut -d' ' -f3") == (
        0,
        f"{target.address}\n",
        "",
    )
    assert [server.logins for server in chain] == [1, 1, 1]


async def test_a_bastion_of_a_bastion_in_the_configuration(chain: tuple[Sshd, Sshd, Sshd], tmp_path: Path, pool: Pool) -> None:
    """The first bastion of a way is reached as its own section says."""
    outer, inner, target = chain
    sections = [
        section("outer", outer),
        section("inner", inner, "ProxyJump outer"),
        section("target", target, "ProxyJump inner"),
    ]
    config = configured(tmp_path / "config", *sections)

    assert (await said(pool.shell(SshRoute(address="target", config=config)), "true"))[0] == 0
    assert [server.logins for server in chain] == [1, 1, 1]


async def test_bastions_of_the_route_are_shared(chain: tuple[Sshd, Sshd, Sshd], pool: Pool) -> None:
    """Five users of a machine behind two bastions are let in once by each of those."""
    outer, inner, target = chain
    routes = [target.route(jump=(outer.route(), inner.route()), become_user=f"user{number}") for number in range(5)]

    done = await asyncio.gather(*(said(pool.shell(route), "echo in") for route in routes))

    assert done == [(0, "in\n", "")] * 5
    assert [server.logins for server in chain] == [1, 1, 5]


async def test_a_way_in_a_circle_is_told(tmp_path: Path, pool: Pool) -> None:
    """Bastions that are behind each other are an error, not an endless search."""
    config = configured(tmp_path / "config", "Host a", "ProxyJump b", "Host b", "ProxyJump a")

    with pytest.raises(HostError) as caught:
        await pool.shell(SshRoute(address="a", config=config)).start("true")

    assert (caught.value.code, caught.value.summary) == ("invalid", "The way to a host leads in a circle")


async def test_a_configuration_that_cannot_be_read_is_told(tmp_path: Path, pool: Pool) -> None:
    """A wrong line is named, and so is a file that is not there."""
    wrong = configured(tmp_path / "config", "Host *", "  Port many")
    for config, words in ((wrong, "line 2"), (str(tmp_path / "none"), "No such file")):
        with pytest.raises(HostError) as caught:
            await pool.shell(SshRoute(address="a", config=config)).start("true")

        assert (caught.value.code, words in caught.value.detail) == ("invalid", True)


async def test_what_a_bastion_does_not_reach_is_told(server: Sshd, pool: Pool) -> None:
    """Nothing listens behind the bastion: both are named, and the bastion's own words."""
    route = SshRoute(address="127.0.0.9", port=1, user=USER, config="", jump=(server.route(),))

    with pytest.raises(HostError) as caught:
        await pool.shell(route).start("true")

    assert (caught.value.code, caught.value.summary) == ("unavailable", "A host cannot be reached from its bastion")
    assert f"{USER}@{server.address}:{server.port} let us in" in caught.value.detail
    assert f"{USER}@127.0.0.9:1: Connection refused" in caught.value.detail


async def test_a_bastion_that_is_down_is_named(server: Sshd, pool: Pool) -> None:
    """The machine that fails is the one in the error, not the one behind it."""
    route = server.route(jump=(server.route(port=free_port("127.0.0.2")),))

    with pytest.raises(HostError) as caught:
        await pool.shell(route).start("true")

    assert (caught.value.code, caught.value.summary) == ("unavailable", "A host refuses the connection")


async def test_the_ends_of_the_way_are_told_apart(pool: Pool) -> None:
    """A port without a server and a name without an address differ, and each says what to look at."""
    port = free_port("127.0.0.2")
    for address, summary, command in (
        ("127.0.0.2", "A host refuses the connection", f"\n  nc -vz 127.0.0.2 {port}"),
        ("no-such-host.invalid", "A host's name is not known", "\n  getent hosts no-such-host.invalid"),
    ):
        with pytest.raises(HostError) as caught:
            await pool.shell(SshRoute(address=address, port=port, config="")).start("true")

        assert (caught.value.code, caught.value.summary) == ("unavailable", summary)
        assert command in caught.value.hint


async def test_a_machine_that_does_not_answer_is_told(tmp_path: Path, pool: Pool) -> None:
    """A machine whose queue is full drops what comes, as a firewall does; the configuration says how long to wait."""
    config = configured(tmp_path / "config", "ConnectTimeout 1")
    with socket.socket() as deaf, socket.socket() as first, socket.socket() as second:
        deaf.bind(("127.0.0.2", 0))
        deaf.listen(0)
        for queued in (first, second):
            queued.setblocking(False)
            queued.connect_ex(deaf.getsockname())

        with pytest.raises(HostError) as caught:
            await pool.shell(SshRoute(address="127.0.0.2", port=deaf.getsockname()[1], config=config)).start("true")

    assert (caught.value.code, caught.value.summary) == ("unavailable", "A host does not answer")
    assert "within 1 s" in caught.value.detail


async def test_a_login_that_does_not_end_is_told(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who accepts the connection and says nothing more is not waited for for ever, and told apart from who does not answer."""
    monkeypatch.setattr(ssh_link, "LOGIN_S", 0.2)
    with socket.create_server(("127.0.0.2", 0)) as mute, pytest.raises(HostError) as caught:
        await pool.shell(SshRoute(address="127.0.0.2", port=mute.getsockname()[1], config="")).start("true")

    assert (caught.value.code, "did not finish the login" in caught.value.detail) == ("unavailable", True)


async def test_a_refused_command_is_told(tmp_path: Path) -> None:
    """A server that takes no command at all is asked a few times, as one that was let go of may hold its place."""
    clock = VirtualClock()
    pool = Pool(clock)
    with running(Sshd(tmp_path, settings="MaxSessions 0\n")) as server, pytest.raises(HostError) as caught:
        await pool.shell(server.route()).start("true")
    await pool.close()

    assert (caught.value.code, caught.value.summary) == ("unavailable", "A host starts no command")
    assert len(clock.slept) == ATTEMPTS_MAX - 1
