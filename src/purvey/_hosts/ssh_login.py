"""What asyncssh asks while it connects: whether the machine's key is good, and with which key or password to log in."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from purvey._hosts import ssh_refusals as refusals
from purvey._hosts.ssh_hop import Hop
from purvey._hosts.ssh_keys import Keyring
from purvey._hosts.ssh_library import asyncssh
from purvey._hosts.ssh_trust import Trust


class Login(asyncssh.SSHClient):
    """One attempt to get in.

    Args:
        hop: The machine.
        trust: What it must prove.
        keyring: Our keys.
        answered: Called when the machine answers, before anything is exchanged.

    Attributes:
        answers: Whether the machine answered.
        tried: What was shown to it; all but the last, if it let us in, without success.
        problems: Keys that could not be tried, and why.
        takes: The ways of logging in that the machine offered.
    """

    def __init__(self, hop: Hop, trust: Trust, keyring: Keyring, answered: Callable[[], None]) -> None:
        self.answers = False
        self.tried: list[str] = []
        self.problems: list[str] = []
        self.takes: set[str] = set()
        self._hop = hop
        self._trust = trust
        self._answered = answered
        self._offers = keyring.offers(hop, self.problems)
        self._passwords = [] if hop.route.password is None else [hop.route.password]

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        """See `asyncssh.SSHClient`."""
        self.answers = True
        self._answered()

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """See `asyncssh.SSHClient`."""
        return self._trust.accepts(key)

    def validate_host_ca_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """See `asyncssh.SSHClient`."""
        self._trust.refusal = refusals.authority(self._hop, key, self._trust.authorities)
        return False

    async def public_key_auth_requested(self) -> asyncssh.SSHKeyPair | None:
        """See `asyncssh.SSHClient`; asked again after each key that was not taken."""
        self.takes.add("keys")
        offer = await anext(self._offers, None)
        if offer is None:
            return None
        self.tried.append(offer.said)
        return offer.pair

    def password_auth_requested(self) -> str | None:
        """See `asyncssh.SSHClient`."""
        self.takes.add("passwords")
        if not self._passwords:
            return None
        self.tried.append("the given password")
        return str(self._passwords.pop().reveal())

    def kbdint_auth_requested(self) -> str | None:
        """See `asyncssh.SSHClient`; many servers ask for a password in this way only."""
        self.takes.add("passwords")
        return "" if self._passwords else None

    def kbdint_challenge_received(
        self, name: str, instructions: str, lang: str, prompts: Sequence[tuple[str, bool]]
    ) -> list[str] | None:
        """See `asyncssh.SSHClient`: a password for the one hidden question, nothing for a mere notice."""
        if not prompts:
            return []
        password = self.password_auth_requested() if [echo for _, echo in prompts] == [False] else None
        return None if password is None else [password]
