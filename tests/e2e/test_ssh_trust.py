"""How a machine proves itself: known_hosts in all its forms, a pinned fingerprint, belief at first use; and all refusals."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from purvey._base.clock import SystemClock
from purvey._hosts.pool import Pool
from purvey._hosts.route import SshRoute
from purvey.errors import HostError
from tests.e2e.sshd import USER, Sshd, configured, fingerprint, keygen, public, running, said, sign
from tests.unit.hosts.waiting import until


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sshd]:
    """One server."""
    with running(Sshd(tmp_path / "server")) as server:
        yield server


@pytest.fixture
def name(server: Sshd) -> str:
    """How known_hosts calls it."""
    return f"[{server.address}]:{server.port}"


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A host key that is not its own."""
    return keygen(tmp_path / "other")


def output(*command: str) -> str:
    """What a command writes."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


async def attempt(route: SshRoute) -> HostError | None:
    """Why the machine is not believed, asked by a new run; None if it is."""
    pool = Pool(SystemClock())
    try:
        assert (await said(pool.shell(route), "true"))[0] == 0
    except HostError as error:
        return error
    finally:
        await pool.close()
    return None


async def refusal(route: SshRoute) -> HostError:
    """Why the machine is not believed; nothing may have been sent to it then."""
    error = await attempt(route)
    assert error is not None
    assert error.code == "denied"
    return error


async def test_an_unknown_key_is_refused(server: Sshd, name: str) -> None:
    """The error gives host, key and fingerprint, and both ways out as they are to be written; the server let nobody in."""
    server.known_hosts.write_text("")

    error = await refusal(server.route())

    assert error.summary == "The key of a host is not known"
    assert (
        f"{USER}@{server.address}:{server.port} offered the key\n  ssh-ed25519 {fingerprint(server.host_key)}\n" in error.detail
    )
    assert f"{name} in {server.known_hosts}" in error.detail
    assert f'\n  host_key="{fingerprint(server.host_key)}"\n' in error.hint
    assert f"\n  ssh-keyscan -p {server.port} -t ed25519 {server.address} >> {server.known_hosts}" in error.hint
    assert server.logins == 0


async def test_what_the_hint_says_helps(server: Sshd) -> None:
    """After the command of the hint the machine is believed."""
    server.known_hosts.write_text("")
    scan = (await refusal(server.route())).hint.rpartition("\n  ")[2].partition(" >> ")[0]

    server.known_hosts.write_text(await asyncio.to_thread(output, *scan.split()))

    assert await attempt(server.route()) is None


async def test_a_changed_key_is_refused(server: Sshd, name: str, other: Path) -> None:
    """The error gives what is known and what was offered, and how to forget the old one."""
    server.known_hosts.write_text(f"{name} {public(other)}\n")

    error = await refusal(server.route())

    assert error.summary == "The key of a host is not the one that is known"
    assert fingerprint(server.host_key) in error.detail
    assert f"is:\n  ssh-ed25519 {fingerprint(other)}\n" in error.detail
    assert f"\n  ssh-keygen -R '{name}' -f {server.known_hosts}\n" in error.hint


async def test_a_key_of_another_type_than_the_known_one_is_refused(server: Sshd, name: str, tmp_path: Path) -> None:
    """That no key of the known type is offered is no reason to believe another."""
    server.known_hosts.write_text(f"{name} {public(keygen(tmp_path / 'ecdsa', kind='ecdsa'))}\n")

    assert (await refusal(server.route())).summary == "The key of a host is not the one that is known"


async def test_of_several_keys_the_known_one_is_asked_for(tmp_path: Path) -> None:
    """A machine with several keys shows the one that we know, whichever it likes best."""
    ecdsa = keygen(tmp_path / "ecdsa", kind="ecdsa")
    with running(Sshd(tmp_path / "server", settings=f"HostKey {ecdsa}\n")) as server:
        server.known_hosts.write_text(f"[{server.address}]:{server.port} {public(ecdsa)}\n")

        assert await attempt(server.route()) is None


async def test_hashed_names_are_known(server: Sshd) -> None:
    """A file whose names are hashed, as Debian's OpenSSH writes it, is understood."""
    await asyncio.to_thread(output, "ssh-keygen", "-q", "-H", "-f", str(server.known_hosts))
    assert server.address not in server.known_hosts.read_text()

    assert await attempt(server.route()) is None


async def test_lines_without_sense_are_passed_over(server: Sshd) -> None:
    """One torn line does not hide the others."""
    server.known_hosts.write_text(f"torn\n@what a b\n|1|x|y ssh-ed25519 AAAA\n{server.known_hosts.read_text()}")

    assert await attempt(server.route()) is None


async def test_a_revoked_key_is_refused(server: Sshd, name: str) -> None:
    """Even where another line trusts it."""
    server.known_hosts.write_text(f"{server.known_hosts.read_text()}@revoked {name} {public(server.host_key)}\n")

    error = await refusal(server.route())

    assert (error.summary, fingerprint(server.host_key) in error.detail) == ("The key of a host is revoked", True)
    assert (await refusal(server.route(host_key="first_use"))).summary == "The key of a host is revoked"


async def test_a_certificate_by_a_trusted_authority_is_believed(tmp_path: Path, other: Path) -> None:
    """@cert-authority stands for all machines of a pattern; another authority, and a plain key, do not count there."""
    authority, folder = keygen(tmp_path / "authority"), tmp_path / "server"
    folder.mkdir()
    key = keygen(folder / "host_key")
    sign(authority, key, "-h", "-n", "127.0.0.2")
    with running(Sshd(folder, settings=f"HostCertificate {key}-cert.pub\n")) as server:
        server.known_hosts.write_text(f"@cert-authority * {public(authority)}\n")
        assert await attempt(server.route()) is None

        server.known_hosts.write_text(f"@cert-authority * {public(other)}\n")
        assert (await refusal(server.route())).summary == "The certificate of a host is by an unknown authority"

        server.known_hosts.write_text(f"@cert-authority * {public(authority)}\n@revoked * {public(authority)}\n")
        assert (await refusal(server.route())).summary == "The key of a host is revoked"


async def test_a_certificate_for_another_machine_is_refused(tmp_path: Path) -> None:
    """What a trusted authority signed for somebody else proves nothing."""
    authority, folder = keygen(tmp_path / "authority"), tmp_path / "server"
    folder.mkdir()
    key = keygen(folder / "host_key")
    sign(authority, key, "-h", "-n", "elsewhere")
    with running(Sshd(folder, settings=f"HostCertificate {key}-cert.pub\n")) as server:
        server.known_hosts.write_text(f"@cert-authority * {public(authority)}\n")

        assert (await refusal(server.route())).summary == "The certificate of a host is not valid"


async def test_a_pinned_fingerprint_decides_alone(server: Sshd, other: Path) -> None:
    """The right one is believed without any file; with a wrong one known_hosts does not help."""
    pinned = {"known_hosts": "/no/such/file", "host_key": fingerprint(server.host_key)}
    assert await attempt(server.route(**pinned)) is None

    error = await refusal(server.route(host_key=fingerprint(other)))

    assert error.summary == "The key of a host is not the pinned one"
    assert fingerprint(other) in error.detail
    assert f'host_key="{fingerprint(server.host_key)}"' in error.hint


async def test_a_pinned_key_that_is_revoked_is_refused(server: Sshd) -> None:
    """Who revoked a key knows more than the script in which it still stands."""
    server.known_hosts.write_text(f"@revoked * {public(server.host_key)}\n")

    error = await refusal(server.route(host_key=fingerprint(server.host_key)))

    assert (error.summary, server.logins) == ("The key of a host is revoked", 0)


@pytest.mark.parametrize("policy", ["known_hosts", "first_use", "pinned"])
async def test_known_hosts_that_cannot_be_read_are_told(server: Sshd, policy: str) -> None:
    """A folder in the place of the file is an error that names it, before anything is sent; nobody is believed for that."""
    server.known_hosts.unlink()
    server.known_hosts.mkdir()

    error = await attempt(server.route(host_key=fingerprint(server.host_key) if policy == "pinned" else policy))

    assert error is not None
    assert (error.code, error.summary) == ("invalid", "A file of known hosts cannot be read")
    assert f"{server.known_hosts}: Is a directory" in error.detail
    assert "Connection from" not in server.log


async def test_first_use_records_and_then_refuses_another(server: Sshd, name: str, other: Path) -> None:
    """The first key is believed and recorded for us alone; a later one is refused, and what is recorded stays."""
    known = server.folder / "new" / "known_hosts"
    route = server.route(known_hosts=str(known), host_key="first_use")

    assert await attempt(route) is None
    assert known.read_text() == f"{name} {public(server.host_key)}\n"
    assert (known.stat().st_mode & 0o777, known.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert await attempt(route) is None
    assert known.read_text().count("\n") == 1

    server.stop()
    for part in (other, Path(f"{other}.pub")):
        part.rename(server.host_key.with_suffix(part.suffix))
    server.start()

    assert (await refusal(route)).summary == "The key of a host is not the one that is known"
    assert known.read_text().count("\n") == 1


async def test_first_use_adds_a_line_of_its_own(server: Sshd, name: str) -> None:
    """A file that does not end with a line's end keeps its last line."""
    server.known_hosts.write_text("elsewhere ssh-ed25519 AAAA")

    assert await attempt(server.route(host_key="first_use")) is None
    assert server.known_hosts.read_text() == f"elsewhere ssh-ed25519 AAAA\n{name} {public(server.host_key)}\n"


async def test_a_key_that_cannot_be_recorded_is_not_believed(server: Sshd) -> None:
    """Believed and not recorded, it would be believed again each time; the connection is given up."""
    folder = server.folder / "a-file"
    folder.write_text("")

    error = await refusal(server.route(known_hosts=str(folder / "known_hosts"), host_key="first_use"))

    assert error.summary == "The key of a host cannot be recorded"
    assert await asyncio.to_thread(until, lambda: not server.sessions())


async def test_the_configuration_does_not_weaken_the_policy(server: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    """StrictHostKeyChecking no and UserKnownHostsFile none make nobody believed."""
    lines = ("StrictHostKeyChecking no", "UserKnownHostsFile none", "GlobalKnownHostsFile none")
    config = configured(server.folder / "config", *lines)
    monkeypatch.setenv("HOME", str(server.folder))

    error = await refusal(server.route(config=config, known_hosts=None))

    assert error.summary == "The key of a host is not known"
    assert f"{server.folder}/.ssh/known_hosts" in error.detail


async def test_an_alias_for_the_key_is_honoured(server: Sshd, name: str) -> None:
    """HostKeyAlias is the name under which known_hosts has the machine."""
    server.known_hosts.write_text(f"[web]:{server.port} {public(server.host_key)}\n")
    config = configured(server.folder / "config", "HostKeyAlias web")

    assert await attempt(server.route(config=config)) is None


async def test_a_policy_that_is_none_is_told(server: Sshd) -> None:
    """A word that names no way to prove oneself is an error before anything is sent."""
    error = await attempt(server.route(host_key="no"))

    assert (error and error.code, server.logins, "Connection from" in server.log) == ("invalid", 0, False)
