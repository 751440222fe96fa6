"""How a machine proves that it is the one meant: known_hosts as OpenSSH has them, a pinned fingerprint, belief at first use.

A key that is not trusted is refused, always; it is believed without proof only where the route asks for it, only for a machine
of which nothing is known, and it is recorded then. Names count and addresses do not, as with OpenSSH since 8.5.
"""

from __future__ import annotations

import contextlib
import os
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from purvey._hosts import ssh_refusals as refusals
from purvey._hosts.route import FIRST_USE, KNOWN_HOSTS
from purvey._hosts.ssh_hop import SSH_PORT, Hop
from purvey._hosts.ssh_library import asyncssh
from purvey.errors import HostError

FINGERPRINT: Final = "SHA256:"
USER_FILES: Final = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
SYSTEM_FILES: Final = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")

Keys = list[asyncssh.SSHKey]


class Trust:
    """What one machine must prove, and what it showed.

    Args:
        hop: The machine.

    Attributes:
        keys: The keys that the machine may show.
        authorities: Whose certificates it may show.
        revoked: What it must not show.
        refusal: Why it was refused; None as long as it was not.
    """

    def __init__(self, hop: Hop) -> None:
        self.refusal: HostError | None = None
        self.keys: Keys = []
        self.authorities: Keys = []
        self.revoked: Keys = []
        self._hop = hop
        policy = hop.route.host_key.strip()  # What a command printed ends with its line.
        self._pin = policy if policy.startswith(FINGERPRINT) else ""
        self._believed: asyncssh.SSHKey | None = None
        if not self._pin and hop.route.host_key not in {KNOWN_HOSTS, FIRST_USE}:
            raise refusals.no_policy(hop)
        keys, authorities, self.revoked = known(hop)
        if not self._pin:
            self.keys, self.authorities = keys, authorities

    def options(self) -> dict[str, Any]:
        """What asyncssh needs to know: whom it may believe by itself, and which of several keys we can judge."""
        trusted = [key for key in self.keys if key not in self.revoked]
        return {"known_hosts": (trusted, self.authorities, self.revoked), **self._algorithms()}

    def accepts(self, key: asyncssh.SSHKey) -> bool:
        """Whether a key that is not among `keys` may be believed; if not, `refusal` tells why."""
        offered = key.get_fingerprint()
        if key in self.revoked:
            self.refusal = refusals.revoked(self._hop, [key], files(self._hop))
        elif self._pin:
            if offered != self._pin.rstrip("="):
                self.refusal = refusals.not_pinned(self._hop, key)
        elif self.keys or self.authorities:
            self.refusal = refusals.changed(self._hop, key, self.keys, self.authorities, files(self._hop))
        elif self._hop.route.host_key == FIRST_USE and not self.revoked:
            self._believed = key
        else:
            self.refusal = refusals.unknown(self._hop, key, files(self._hop))
        return self.refusal is None

    def record(self) -> None:
        """Write down the key that was believed at first use, now that the machine has shown to own it.

        Raises:
            HostError: if it cannot be written, or if another key was recorded in the meantime.
        """
        if self._believed is None:
            return
        keys, _, _ = known(self._hop)
        if keys and self._believed not in keys:
            raise refusals.changed(self._hop, self._believed, keys, [], files(self._hop))
        if not keys:
            _append(
                files(self._hop)[0],
                f"{refusals.known_as(self._hop)} {_line(self._believed)}\n",
                self._hop,
            )
        self.keys, self._believed = [self._believed], None

    def _algorithms(self) -> dict[str, Any]:
        """Types of which we know a key first, as OpenSSH has it, so that a machine with several shows that one.

        None of the others is left out, so that a machine which has lost the known key is refused for that, and not because
        nothing was agreed upon.
        """
        if self._hop.setting("HostKeyAlgorithms") is not None:
            return {}
        plain = [name.decode() for name in asyncssh.public_key.get_default_public_key_algs()]
        known_types = [name for key in self.keys for name in map(bytes.decode, key.sig_algorithms) if name in plain]
        certified = [name.decode() for name in asyncssh.public_key.get_default_certificate_algs()] if self.authorities else []
        return {"server_host_key_algs": list(dict.fromkeys([*certified, *known_types, *plain]))}


def files(hop: Hop) -> list[str]:
    """The known_hosts files that count, the one for new keys first; a configuration that names none gets the usual ones."""
    if hop.route.known_hosts is not None:
        named = [hop.route.known_hosts]
    else:
        user, system = hop.setting("UserKnownHostsFile"), hop.setting("GlobalKnownHostsFile")
        named = [*(user or USER_FILES), *(system or SYSTEM_FILES)]
    return [str(Path(path).expanduser()) for path in named]


def known(hop: Hop) -> tuple[Keys, Keys, Keys]:
    """The keys that the files have for a machine: its own, those of authorities, the revoked ones.

    Raises:
        HostError: ``invalid`` if there is a file that cannot be read: what is revoked may stand in it.
    """
    found: tuple[Keys, Keys, Keys] = ([], [], [])
    name, port = (hop.options.host_key_alias or hop.options.host).lower(), hop.options.port
    for path in files(hop):
        try:
            status = Path(path).stat()
            entries = _read(path, status.st_mtime_ns, status.st_size)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise refusals.not_readable(hop, path, error) from error
        keys, authorities, revoked, *_ = entries.match(name, "", None if port == SSH_PORT else port)
        found[0].extend(keys)
        found[1].extend(authorities)
        found[2].extend(revoked)
    return found


@lru_cache(maxsize=64)
def _read(path: str, *_version: int) -> asyncssh.SSHKnownHosts:
    """A file, read once for all machines as long as it stays the same; as with OpenSSH, a line without sense says nothing."""
    entries = asyncssh.SSHKnownHosts()
    for line in Path(path).read_text(errors="replace").splitlines():
        with contextlib.suppress(ValueError):
            entries.load(line)
    return entries


def _line(key: asyncssh.SSHKey) -> str:
    """A key as known_hosts has it, without a comment."""
    return " ".join(key.export_public_key().decode().split()[:2])


def _append(path: str, line: str, hop: Hop) -> None:
    """Add a line with one write, which no other process can come between."""
    try:
        Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(file).st_size
            torn = size > 0 and os.pread(file, 1, size - 1) != b"\n"
            os.write(file, ("\n" * torn + line).encode())
        finally:
            os.close(file)
    except OSError as error:
        raise refusals.not_recorded(hop, path, error) from error
