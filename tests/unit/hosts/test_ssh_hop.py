"""The steps of a way are found from the route and the user's configuration, without connecting to anything."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from purvey._base.clock import SystemClock
from purvey._base.value import Secret
from purvey._hosts.route import ChrootRoute, NamespaceRoute, Route, SshRoute, described
from purvey._hosts.ssh_hop import Hop, hop
from purvey._hosts.ssh_link import Links
from purvey._hosts.ssh_refusals import known_as
from purvey._hosts.ssh_trust import files
from purvey.errors import HostError


def configured(folder: Path, *lines: str) -> str:
    """An OpenSSH configuration of these lines."""
    path = folder / "config"
    path.write_text("\n".join(lines))
    return str(path)


def steps(at: Hop) -> list[str]:
    """Each machine of the way, the first one first."""
    return [*(steps(at.via) if at.via else []), str(at)]


@pytest.mark.parametrize(
    ("route", "text"),
    [
        (SshRoute(address="web1"), "web1"),
        (SshRoute(address="web1", user="deploy", port=2222), "deploy@web1:2222"),
        (SshRoute(address="::1", user="deploy"), "deploy@::1"),
        (SshRoute(address="::1", port=22), "[::1]:22"),
        (ChrootRoute(root="/srv/tree"), "the root file system /srv/tree"),
        (NamespaceRoute(name="blue"), "the network namespace blue"),
    ],
)
def test_a_route_has_a_name_for_people(route: Route, text: str) -> None:
    """User, host and port as OpenSSH writes them."""
    assert described(route) == text


@pytest.mark.parametrize(
    ("jumps", "way"),
    [
        ("b", ["me@b:22"]),
        ("you@b:2222", ["you@b:2222"]),
        ("ssh://you@b:2222", ["you@b:2222"]),
        ("you@[fe80::1]:2222,b", ["you@[fe80::1]:2222", "me@b:22"]),
        ("fe80::1", ["me@[fe80::1]:22"]),
        ("none", []),
    ],
)
def test_proxy_jump_is_read_as_openssh_reads_it(tmp_path: Path, jumps: str, way: list[str]) -> None:
    """Users, ports and IPv6 addresses, several in a row, and none."""
    config = configured(tmp_path, "User me", "Host a", f"ProxyJump {jumps}")

    assert steps(hop(SshRoute(address="a", config=config))) == [*way, "me@a:22"]


def test_bastions_of_the_route_come_before_the_configuration_s(tmp_path: Path) -> None:
    """The route's bastions are taken in its order, each with its own way to it, and ProxyJump of the target does not count."""
    config = configured(tmp_path, "User me", "Host a", "ProxyJump x", "Host b", "ProxyJump y")
    route = SshRoute(
        address="a", config=config, jump=(SshRoute(address="b", config=config), SshRoute(address="c", config=config))
    )

    assert steps(hop(route)) == ["me@y:22", "me@b:22", "me@c:22", "me@a:22"]


def test_a_bastion_gets_nothing_that_is_the_target_s(tmp_path: Path) -> None:
    """Key, password and pinned fingerprint are for the target; what unlocks the user's own keys is for all."""
    secret = Secret("x")
    config = configured(tmp_path, "Host a", "ProxyJump b")
    route = SshRoute(
        address="a", config=config, key=secret, password=secret, passphrase=secret, host_key="SHA256:x", known_hosts="k"
    )

    via = hop(route).via

    assert via is not None
    assert via.route == SshRoute(address="b", config=config, passphrase=secret, host_key="known_hosts", known_hosts="k")


def test_belief_at_first_use_is_for_the_machine_that_is_asked_for(tmp_path: Path) -> None:
    """A bastion of the configuration, which sees all that goes over it, must be known; one of the route says so for itself."""
    config = configured(tmp_path, "Host a", "ProxyJump b")
    named = SshRoute(address="c", config=config, host_key="first_use")

    through_config = hop(SshRoute(address="a", config=config, host_key="first_use")).via
    through_route = hop(SshRoute(address="a", config=config, jump=(named,))).via

    assert (through_config and through_config.route.host_key) == "known_hosts"
    assert (through_route and through_route.route.host_key) == "first_use"


def test_a_way_in_a_circle_is_refused(tmp_path: Path) -> None:
    """A bastion that is its own bastion is an error that says how to end it."""
    config = configured(tmp_path, "Host *", "ProxyJump b")

    with pytest.raises(HostError) as caught:
        hop(SshRoute(address="a", config=config))

    assert (caught.value.code, "ProxyJump none" in caught.value.hint) == ("invalid", True)
    assert "To reach a the OpenSSH configuration leads over b, b, b" in caught.value.detail


def test_known_hosts_files_of_the_route_the_configuration_and_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the three the first that is named counts; new keys go into the first file."""
    monkeypatch.setenv("HOME", "/h")
    config = configured(tmp_path, "UserKnownHostsFile ~/one /two", "GlobalKnownHostsFile /three")

    assert files(hop(SshRoute(address="a", config=config, known_hosts="~/mine"))) == ["/h/mine"]
    assert files(hop(SshRoute(address="a", config=config))) == ["/h/one", "/two", "/three"]
    assert files(hop(SshRoute(address="a", config="")))[0] == "/h/.ssh/known_hosts"


def test_a_machine_is_known_by_the_name_that_openssh_uses(tmp_path: Path) -> None:
    """In lower case, after aliases, with another port than 22 in brackets."""
    config = configured(tmp_path, "Host a", "HostName Web.Example", "Port 2222", "Host b", "HostKeyAlias Web")

    assert known_as(hop(SshRoute(address="a", config=config))) == "[web.example]:2222"
    assert known_as(hop(SshRoute(address="b", config=config))) == "web"


@pytest.mark.parametrize("whose", ["the target's", "the bastion's"])
async def test_a_configuration_holds_up_nobody_else(tmp_path: Path, whose: str) -> None:
    """It can run programs, as here one that waits for what others do after it: they go on meanwhile."""
    go = tmp_path / "go"
    (tmp_path / "config").write_text(
        f'Match exec "for i in $(seq 300); do [ ! -e {go} ] || exit 0; sleep 0.1; done; exit 1"\n  User found\n'
    )
    path = str(tmp_path / "config")
    bastion = SshRoute(address="bastion", config=path if whose == "the bastion's" else "")
    route = SshRoute(address="web", config=path if whose == "the target's" else "", jump=(bastion,))
    links = Links(SystemClock(), asyncio.Semaphore(1))

    async def work() -> None:
        """What others do."""
        go.touch()

    found, _ = await asyncio.gather(links.hop(route), work())

    users = {"the target's": found.options.username, "the bastion's": found.via.options.username if found.via else ""}
    assert users[whose] == "found"
