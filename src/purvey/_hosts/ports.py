"""Which ports a machine's servers hold, from what Linux tells in /proc/net. Pure."""

from __future__ import annotations

import ipaddress
import re
import socket
import struct
from collections.abc import Iterator
from typing import Final, TypeAlias

from purvey._hosts.fact import Answers, ContentOf
from purvey.errors import HostError

_TCP: Final = ContentOf("/proc/net/tcp")
_TCP6: Final = ContentOf("/proc/net/tcp6")
_TRIE: Final = ContentOf("/proc/net/fib_trie")
_INET6: Final = ContentOf("/proc/net/if_inet6")
_FIRST: Final = ContentOf("/proc/sys/net/ipv4/ip_unprivileged_port_start")

FACTS: Final = (_TCP, _TCP6, _TRIE, _INET6, _FIRST)
"""What must be known to see whether a port is free."""

_LISTENING: Final = "0A"  # From linux/tcp_states.h.
_LOCAL: Final = re.compile(r"\|-- (\S+)\n\s+/32 host LOCAL")

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


def is_free(port: int, host: str, answers: Answers, *, root: bool) -> bool:
    """Whether a TCP server could listen there.

    Args:
        port: The port.
        host: An address of the machine.
        answers: The answers to `FACTS`.
        root: Whether it would be root's.

    Raises:
        HostError: ``invalid`` if that is no address of the machine, ``denied`` if the port is for root.
    """
    address = _address(host)
    if not (address.is_unspecified or address in set(_own(answers)) or (address.version == 4 and address.is_loopback)):  # noqa: PLR2004
        raise HostError(
            "invalid",
            "There is no such address on this machine",
            detail=f"Nothing can listen on {host}.",
            hint="See the addresses there are:\n  ip address",
        )
    if not root and port < int(answers[_FIRST] or 1024):
        raise HostError(
            "denied",
            "A port is reserved for root",
            detail=f"We may not listen on port {port} of {host}.",
            hint="Use a port from 1024 on, or run purvey as root.",
        )
    return not any(_meet(address, held) for held, held_port in _listening(answers) if held_port == port)


def _address(host: str) -> Address:
    try:
        return ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        raise HostError("invalid", "That is no address", detail=f"{host!r} is neither an IPv4 nor an IPv6 address.") from None


def _meet(wanted: Address, held: Address) -> bool:
    """Whether servers on both would be in each other's way; one on all IPv6 addresses takes those of IPv4 too."""
    if wanted.version != held.version:
        return (wanted if wanted.version == 6 else held).is_unspecified  # noqa: PLR2004
    return wanted == held or wanted.is_unspecified or held.is_unspecified


def _listening(answers: Answers) -> Iterator[tuple[Address, int]]:
    for fact in (_TCP, _TCP6):
        for line in (answers[fact] or b"").decode().splitlines()[1:]:
            _, local, _, state, *_ = line.split()
            if state == _LISTENING:
                address, _, port = local.partition(":")
                yield _from_words(address), int(port, 16)


def _from_words(text: str) -> Address:
    """An address as the kernel prints it: words of four bytes, each in the machine's own order, nearly always little."""
    words = [int(text[start : start + 8], 16) for start in range(0, len(text), 8)]
    address = ipaddress.ip_address(struct.pack(f"<{len(words)}I", *words))
    return address.ipv4_mapped or address if isinstance(address, ipaddress.IPv6Address) else address


def _own(answers: Answers) -> Iterator[Address]:
    yield from map(ipaddress.ip_address, _LOCAL.findall((answers[_TRIE] or b"").decode()))
    for line in (answers[_INET6] or b"").decode().splitlines():
        yield ipaddress.ip_address(socket.inet_ntop(socket.AF_INET6, bytes.fromhex(line.split()[0])))
