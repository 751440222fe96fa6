"""Logging in: a given key, those of the configuration and an agent, certificates, passwords, and what is said of failures."""

from __future__ import annotations

import os
import traceback
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from purvey._base.clock import SystemClock
from purvey._base.value import Secret
from purvey._hosts.pool import Pool
from purvey._hosts.route import SshRoute
from purvey.errors import HostError
from tests.e2e.sshd import USER, Sshd, agent, configured, keygen, public, running, said, sign

PASSPHRASE = "very-secret-passphrase"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sshd]:
    """One server, which lets in nobody who has shown a wrong key before."""
    with running(Sshd(tmp_path / "server", settings="MaxAuthTries 1\n")) as server:
        yield server


@pytest.fixture
async def pool() -> AsyncIterator[Pool]:
    """A run's shells."""
    pool = Pool(SystemClock())
    yield pool
    await pool.close()


@pytest.fixture
def strangers(tmp_path: Path) -> list[Path]:
    """Keys that no server knows."""
    return [keygen(tmp_path / f"stranger{number}") for number in range(3)]


@pytest.fixture
def locked(server: Sshd) -> Path:
    """A key that the server takes, locked with a passphrase."""
    key = keygen(server.folder / "locked", passphrase=PASSPHRASE)
    allow(server, key)
    return key


def text(key: Path) -> Secret:
    """The text of a private key."""
    return Secret(key.read_text())


def allow(server: Sshd, key: Path) -> None:
    """Let in this key, and no other."""
    (server.folder / "authorized_keys").write_text(f"{public(key)}\n")


async def refusal(pool: Pool, route: SshRoute) -> HostError:
    """Why a route does not lead in; whatever is in it that is secret is nowhere in the error."""
    with pytest.raises(HostError) as caught:
        await pool.shell(route).start("true")
    told = "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value)) + repr(route)
    for secret in (route.key, route.passphrase, route.password):
        assert secret is None or str(secret.reveal()) not in told
    return caught.value


async def test_a_given_key_is_shown_alone(
    server: Sshd, pool: Pool, strangers: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although the agent holds others and the server takes one try, the given key gets in: nobody asks the agent."""
    with agent(server.folder, *strangers) as socket:
        monkeypatch.setenv("SSH_AUTH_SOCK", socket)

        assert await said(pool.shell(server.route()), "echo in") == (0, "in\n", "")


async def test_a_given_key_needs_no_line_end(server: Sshd, pool: Pool) -> None:
    """Secret stores strip what stands at the end of a text."""
    key = Secret(str(text(server.key).reveal()).strip())

    assert (await said(pool.shell(server.route(key=key)), "true"))[0] == 0


async def test_a_locked_key_is_opened(server: Sshd, pool: Pool, locked: Path) -> None:
    """A given key in OpenSSH's own form is opened with its passphrase."""
    route = server.route(key=text(locked), passphrase=Secret(PASSPHRASE))

    assert (await said(pool.shell(route), "true"))[0] == 0


async def test_a_key_of_the_configuration_is_opened(server: Sshd, pool: Pool, locked: Path) -> None:
    """So is one that the configuration names."""
    config = configured(server.folder / "config", f"IdentityFile {locked}")
    route = server.route(key=None, config=config, passphrase=Secret(PASSPHRASE))

    assert (await said(pool.shell(route), "true"))[0] == 0


@pytest.mark.parametrize(
    ("passphrase", "code", "words"),
    [(Secret("a-wrong-passphrase"), "denied", "not its own"), (None, "invalid", "no passphrase is given")],
    ids=["wrong", "none"],
)
async def test_a_given_key_that_is_not_opened_is_told(
    server: Sshd, pool: Pool, locked: Path, passphrase: Secret | None, code: str, words: str
) -> None:
    """A wrong passphrase and none are told apart."""
    error = await refusal(pool, server.route(key=text(locked), passphrase=passphrase))

    assert (error.code, words in error.detail) == (code, True)


@pytest.mark.parametrize(
    ("passphrase", "words"),
    [(Secret("a-wrong-passphrase"), "the passphrase does not open it"), (None, "no passphrase is given")],
    ids=["wrong", "none"],
)
async def test_a_key_of_the_configuration_that_is_not_opened_is_told(
    server: Sshd, pool: Pool, locked: Path, passphrase: Secret | None, words: str
) -> None:
    """A file that could not be tried is named with the reason, beside one that is missing."""
    config = configured(server.folder / "config", f"IdentityFile {locked}", "IdentityFile /no/such/key", "IdentityAgent none")

    error = await refusal(pool, server.route(key=None, config=config, passphrase=passphrase))

    assert error.code == "denied"
    assert f"{locked} is locked, and {words}" in error.detail
    assert "/no/such/key cannot be read: No such file or directory" in error.detail


async def test_the_agent_s_key_gets_in(server: Sshd, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a given key the agent of the environment is asked."""
    with agent(server.folder, server.key) as socket:
        monkeypatch.setenv("SSH_AUTH_SOCK", socket)

        assert (await said(pool.shell(server.route(key=None)), "true"))[0] == 0


async def test_the_agent_of_the_configuration_is_asked(server: Sshd, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """IdentityAgent comes before the environment."""
    monkeypatch.setenv("SSH_AUTH_SOCK", "/no/such/agent")
    with agent(server.folder, server.key) as socket:
        config = configured(server.folder / "config", f"IdentityAgent {socket}")

        assert (await said(pool.shell(server.route(key=None, config=config)), "true"))[0] == 0


async def test_one_key_of_many_in_the_agent(
    server: Sshd, pool: Pool, strangers: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """IdentitiesOnly shows the named key and no other of the agent's, although only its public part lies in a file."""
    named = server.folder / "named.pub"
    named.write_text(public(server.key))
    with agent(server.folder, *strangers, server.key) as socket:
        monkeypatch.setenv("SSH_AUTH_SOCK", socket)
        config = configured(server.folder / "config", f"IdentityFile {named}", "IdentitiesOnly yes")

        assert (await said(pool.shell(server.route(key=None, config=config)), "true"))[0] == 0


async def test_the_named_key_of_the_agent_comes_first(
    server: Sshd, pool: Pool, strangers: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without IdentitiesOnly, too, what the configuration names is shown before the agent's others, as OpenSSH does."""
    with agent(server.folder, *strangers, server.key) as socket:
        monkeypatch.setenv("SSH_AUTH_SOCK", socket)
        config = configured(server.folder / "config", f"IdentityFile {server.key}")

        assert (await said(pool.shell(server.route(key=None, config=config)), "true"))[0] == 0


async def test_too_many_keys_are_told(server: Sshd, pool: Pool, strangers: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that was shown too many keys is told apart from one that takes none, with the way out."""
    with agent(server.folder, *strangers, server.key) as socket:
        monkeypatch.setenv("SSH_AUTH_SOCK", socket)

        error = await refusal(pool, server.route(key=None))

    assert (error.code, error.summary) == ("denied", "A host was shown too many keys")
    assert "IdentitiesOnly yes" in error.hint


async def test_the_default_keys_get_in(server: Sshd, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a configuration and an agent, the user's default keys are tried."""
    home = server.folder / "home"
    home.joinpath(".ssh").mkdir(parents=True)
    home.joinpath(".ssh/id_ed25519").hardlink_to(server.key)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)

    assert (await said(pool.shell(server.route(key=None)), "true"))[0] == 0


@pytest.fixture
def certified(tmp_path: Path) -> Iterator[tuple[Sshd, str]]:
    """A server that lets in whom an authority has signed for, and a certificate for its key."""
    authority = keygen(tmp_path / "authority")
    with running(Sshd(tmp_path / "server", settings=f"TrustedUserCAKeys {authority}.pub\n")) as server:
        allow(server, authority)
        certificate = sign(authority, server.key, "-n", USER)
        Path(f"{server.key}-cert.pub").rename(server.folder / "elsewhere.pub")
        yield server, certificate


async def test_a_given_certificate_gets_in(certified: tuple[Sshd, str], pool: Pool) -> None:
    """A key that the server does not know gets in with a certificate by one that it trusts."""
    server, certificate = certified
    assert (await refusal(pool, server.route())).code == "denied"
    assert (await said(pool.shell(server.route(certificate=certificate)), "true"))[0] == 0


async def test_a_certificate_of_the_configuration_gets_in(certified: tuple[Sshd, str], pool: Pool) -> None:
    """CertificateFile goes with the key of the configuration."""
    server, _ = certified
    config = configured(
        server.folder / "config", f"IdentityFile {server.key}", f"CertificateFile {server.folder / 'elsewhere.pub'}"
    )

    assert (await said(pool.shell(server.route(key=None, config=config)), "true"))[0] == 0


async def test_a_certificate_for_a_key_of_the_agent_gets_in(
    certified: tuple[Sshd, str], pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The private key never leaves the agent; the certificate lies in a file."""
    server, _ = certified
    config = configured(server.folder / "config", f"CertificateFile {server.folder / 'elsewhere.pub'}")
    with agent(server.folder, server.key) as socket:
        monkeypatch.setenv("SSH_AUTH_SOCK", socket)

        assert (await said(pool.shell(server.route(key=None, config=config)), "true"))[0] == 0


async def test_a_text_that_is_no_key_is_told(server: Sshd, pool: Pool) -> None:
    """Neither a wrong key nor a wrong certificate reaches the server."""
    assert (await refusal(pool, server.route(key=Secret("not-a-key-at-all")))).code == "invalid"
    assert (await refusal(pool, server.route(certificate="not a certificate"))).summary == "A certificate cannot be read"


async def test_a_user_who_is_not_let_in_is_told(server: Sshd, pool: Pool, strangers: list[Path]) -> None:
    """The error names host and user, what was tried, and what the server takes."""
    route = server.route(key=text(strangers[0]))
    server.stop()
    server.settings = ""
    server.start()

    error = await refusal(pool, route)

    assert (error.code, error.summary) == ("denied", "A host does not let us in")
    assert (
        f"{USER}@{server.address}:{server.port} does not let the user {USER} in. It did not take the given key." in error.detail
    )
    assert f"\n  ssh -v -p {server.port} {USER}@{server.address} true" in error.hint


async def test_nothing_to_try_is_told(server: Sshd, pool: Pool) -> None:
    """Where neither key nor password is given, that is what the error says."""
    config = configured(server.folder / "config", "IdentityAgent none", "IdentityFile none")

    assert "There was nothing to try. It takes keys." in (await refusal(pool, server.route(key=None, config=config))).detail


SHADOW = "$6$purveytests$fs5gTiZjiKLZxbf.LaYSDNqvz9eyjb1JgVMBf9qBP7lZ.MukwFViRMwEsKuo2/jlaGhiaugc4wcTXSsiW9R2u1"
PASSWORD = "a-right-password"
WITH_SHADOW = 'mount --bind "$1" /etc/shadow; shift; exec "$@"'


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Sshd]:
    """A server that takes passwords; where we are root our own is `PASSWORD` for it and for nobody else."""
    shadow = tmp_path / "shadow"
    shadow.write_text(f"{USER}:{SHADOW}:19000:0:99999:7:::\n")
    wrapper = ("unshare", "--mount", "sh", "-c", WITH_SHADOW, "sh", str(shadow)) if os.geteuid() == 0 else ()
    settings = "PasswordAuthentication yes\nPermitRootLogin yes\n"
    with running(Sshd(tmp_path / "server", settings=settings, wrapper=wrapper)) as server:
        yield server


async def test_a_password_gets_in(gate: Sshd, pool: Pool) -> None:
    """The right password is taken; where the server cannot read its hash, because nobody here is root, it is refused."""
    config = configured(gate.folder / "config", "IdentityAgent none", "IdentityFile none")
    route = gate.route(key=None, config=config, password=Secret(PASSWORD))
    if os.geteuid() == 0:
        assert (await said(pool.shell(route), "true"))[0] == 0
    else:
        assert (await refusal(pool, route)).code == "denied"


async def test_a_wrong_password_is_told(gate: Sshd, pool: Pool, strangers: list[Path]) -> None:
    """It is told what was tried, and the password is in no part of the error."""
    error = await refusal(pool, gate.route(key=text(strangers[0]), password=Secret("a-wrong-password")))

    assert "It did not take the given key and the given password. It takes keys and passwords." in error.detail
