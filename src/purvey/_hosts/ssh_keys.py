"""With which keys to log in: the given one alone, or those of the configuration and the agent in OpenSSH's order.

Servers let in nobody who has shown too many keys that they do not know (MaxAuthTries, often 6, sometimes 1), so the order
matters: first those of the configuration that the agent holds, then the agent's others unless IdentitiesOnly, then the files.
Each key is read and unlocked once for all machines, and none before a server asks for one.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from purvey._base.value import Secret
from purvey._hosts.ssh_hop import Hop
from purvey._hosts.ssh_library import asyncssh
from purvey.errors import HostError

DEFAULT_FILES: Final = tuple(f"~/.ssh/id_{kind}" for kind in ("ed25519", "ecdsa", "rsa", "ed25519_sk", "ecdsa_sk"))
"""What OpenSSH takes where the configuration names none."""


class Offer(NamedTuple):
    """A key to show to a server, and what to call it when it was of no use."""

    said: str
    pair: asyncssh.SSHKeyPair


@dataclass(frozen=True)
class KeyFile:
    """A file of the configuration.

    Args:
        path: Where it is.
        key: What is in it; None if that cannot be read.
        public: Its public part, known even where the private one is locked; empty if it is not.
        problem: Why there is no key.
    """

    path: str
    key: asyncssh.SSHKey | None
    public: bytes
    problem: str = ""


class Keyring:
    """The keys of one run."""

    def __init__(self) -> None:
        self._given: dict[tuple[Secret, Secret | None, str | None], Sequence[asyncssh.SSHKeyPair]] = {}
        self._files: dict[tuple[str, Secret | None], KeyFile] = {}
        self._agents: dict[str, Agent] = {}

    async def offers(self, hop: Hop, problems: list[str]) -> AsyncIterator[Offer]:
        """What to show to a server, one after the other.

        Args:
            hop: The machine.
            problems: Gets what is wrong with keys that cannot be shown, for the case that none of the others is taken.

        Raises:
            HostError: if the given key cannot be used.
        """
        if hop.route.key is not None:
            for pair in self._pairs_given(hop, hop.route.key):
                yield Offer("the given key", copy.copy(pair))
            return
        files = [self._file(path, hop.route.passphrase) for path in identity_files(hop)]
        certificates = list(_certificates(hop, files))
        shown: set[bytes] = set()
        async for pair in self._from_agent(hop, [file.public for file in files], problems):
            shown.add(pair.public_data)
            for certificate in certificates:
                if certificate.key.public_data == pair.public_data:
                    yield Offer(f"a certificate for the agent's key {_called(pair)}", _certified(pair, certificate))
            yield Offer(f"the agent's key {_called(pair)}", copy.copy(pair))
        for file in files:
            if file.key is not None and file.public not in shown:
                for pair in asyncssh.load_keypairs([file.key], certlist=certificates):
                    yield Offer(f"the key {file.path}", pair)
            elif file.key is None and file.public not in shown:
                problems.append(f"{file.path} {file.problem}")

    async def close(self) -> None:
        """Let go of the agents."""
        for agent in self._agents.values():
            agent.client.close()
            await agent.client.wait_closed()

    async def _from_agent(self, hop: Hop, named: list[bytes], problems: list[str]) -> AsyncIterator[asyncssh.SSHKeyPair]:
        """The agent's keys that the configuration names, and then the others, if they may be shown."""
        path = agent_path(hop)
        if not path:
            return
        agent = self._agents.setdefault(path, Agent(path))
        held = await agent.keys(problems)
        for pair in (pair for public in named for pair in held if pair.public_data == public):
            yield pair
        if not hop.setting("IdentitiesOnly"):
            for pair in held:
                if pair.public_data not in named:
                    yield pair

    def _pairs_given(self, hop: Hop, text: Secret) -> Sequence[asyncssh.SSHKeyPair]:
        which = (text, hop.route.passphrase, hop.route.certificate)
        if which not in self._given:
            key = _parsed_key(hop, text)
            self._given[which] = asyncssh.load_keypairs([(key, _parsed_certificate(hop))] if hop.route.certificate else [key])
        return self._given[which]

    def _file(self, path: str, passphrase: Secret | None) -> KeyFile:
        if (path, passphrase) not in self._files:
            self._files[path, passphrase] = _read(path, passphrase)
        return self._files[path, passphrase]


class Agent:
    """One ssh-agent, asked once for what it holds."""

    def __init__(self, path: str) -> None:
        self.client = asyncssh.SSHAgentClient(path)
        self._path = path
        self._keys: Sequence[asyncssh.SSHKeyPair] | None = None
        self._asking = asyncio.Lock()

    async def keys(self, problems: list[str]) -> Sequence[asyncssh.SSHKeyPair]:
        """The keys that it holds; none if it does not answer."""
        async with self._asking:
            if self._keys is None:
                try:
                    self._keys = await self.client.get_keys()
                except ValueError as error:
                    problems.append(f"the agent at {self._path} does not answer ({error})")
        return self._keys or ()


def identity_files(hop: Hop) -> list[str]:
    """The files with keys that count for a machine."""
    named = hop.setting("IdentityFile")
    if named is None:
        named = [path for path in DEFAULT_FILES if Path(path).expanduser().exists()]
    return [str(Path(path).expanduser()) for path in named]


def agent_path(hop: Hop) -> str:
    """Where the agent listens; empty if there is none, or none is to be asked."""
    named = hop.setting("IdentityAgent", "SSH_AUTH_SOCK")
    if named is None:
        return ""
    if named == "SSH_AUTH_SOCK" or named.startswith("$"):
        named = os.environ.get(named.strip("${}"), "")
    return str(Path(named).expanduser()) if named else ""


def _read(path: str, passphrase: Secret | None) -> KeyFile:
    public = b""
    for beside in (f"{path}.pub", path):
        with contextlib.suppress(OSError, ValueError):
            public = public or asyncssh.read_public_key(beside).public_data
    try:
        key = asyncssh.read_private_key(path, passphrase.reveal() if passphrase else None)
    except OSError as error:
        return KeyFile(path, None, public, f"cannot be read: {os.strerror(error.errno or 0)}")
    except asyncssh.KeyEncryptionError:
        return KeyFile(path, None, public, "is locked, and the passphrase does not open it")
    except ValueError as error:
        return KeyFile(path, None, public, "is locked, and no passphrase is given" if _locked(error) else "is no private key")
    return KeyFile(path, key, key.public_data)


def _certificates(hop: Hop, files: list[KeyFile]) -> Iterator[asyncssh.SSHCertificate]:
    """Those of the configuration, and those that lie beside their keys."""
    for path in (*(hop.setting("CertificateFile") or ()), *(f"{file.path}-cert.pub" for file in files)):
        with contextlib.suppress(OSError, ValueError):
            yield asyncssh.read_certificate(path)


def _certified(pair: asyncssh.SSHKeyPair, certificate: asyncssh.SSHCertificate) -> asyncssh.SSHKeyPair:
    made = copy.copy(pair)
    made.set_certificate(certificate)
    return made


def _called(pair: asyncssh.SSHKeyPair) -> str:
    return pair.get_comment() or pair.get_algorithm()


def _locked(error: ValueError) -> bool:
    """Whether the library asks for a passphrase; it has no type of its own for that."""
    return "assphrase" in str(error)


def _parsed_key(hop: Hop, text: Secret) -> asyncssh.SSHKey:
    passphrase = hop.route.passphrase
    try:
        return asyncssh.import_private_key(text.reveal(), passphrase.reveal() if passphrase else None)
    except asyncssh.KeyEncryptionError:
        raise HostError(
            "denied",
            "A passphrase does not open its key",
            detail=f"The key to log in to {hop} with is locked, and the passphrase given with it is not its own.",
            hint="Give the passphrase of that key.",
        ) from None
    except ValueError as error:
        wrong = "is locked, and no passphrase is given with it" if _locked(error) else "is in no form that OpenSSH knows"
        raise HostError(
            "invalid",
            "A private key cannot be read",
            detail=f"The key to log in to {hop} with {wrong}.",
            hint="Give the whole text of the key's file, and its passphrase if it has one; this shows whether it is good:\n"
            "  ssh-keygen -y -f FILE",
        ) from None


def _parsed_certificate(hop: Hop) -> asyncssh.SSHCertificate:
    try:
        return asyncssh.import_certificate((hop.route.certificate or "").strip())
    except ValueError as error:
        raise HostError(
            "invalid",
            "A certificate cannot be read",
            detail=f"The certificate to log in to {hop} with is not one of OpenSSH's: {error}.",
            hint="Give the line of the file that ssh-keygen made; this shows what is in it:\n  ssh-keygen -L -f KEY-cert.pub",
        ) from None
