"""How to get to a machine, as data with every secret opened: made for one run, held in memory, never recorded in clear."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from purvey._base.value import Secret

Become = Literal["", "sudo", "su", "doas"]
"""By which program another user's rights are taken on; empty: we work as the user we log in as."""

KNOWN_HOSTS = "known_hosts"
FIRST_USE = "first_use"


class SshRoute(msgspec.Struct, frozen=True, kw_only=True):
    """A machine behind OpenSSH. What is None is taken from the user's OpenSSH configuration, then from its defaults.

    Args:
        address: A host name, an address, or an alias in the user's OpenSSH configuration.
        user: Whom to log in as.
        port: 1 to 65535.
        key: A private key in OpenSSH's or PEM's text form; without one, those of the configuration, then the agent's.
        certificate: The public certificate that goes with `key`, as text.
        passphrase: What `key`, or a key of the configuration, is locked with.
        password: For a machine that takes passwords.
        jump: Bastions on the way, the first one first; empty: what ProxyJump of the configuration says.
        config: The OpenSSH configuration file; None: the user's own and the system's; empty: none.
        host_key: How the machine proves that it is the one meant: ``known_hosts`` (OpenSSH's files; an unknown key is refused),
            ``first_use`` (an unknown key is believed once, and recorded in the user's known_hosts), or a fingerprint
            ``SHA256:…`` that its key must have. Bastions of the configuration must be in known_hosts.
        known_hosts: A known_hosts file in place of the configuration's; None: the configuration's.
        become: The program that gives us another user's rights.
        become_user: That user.
        become_password: What that program asks for; given on its standard input.
    """

    address: str
    user: str | None = None
    port: int | None = None
    key: Secret | None = None
    certificate: str | None = None
    passphrase: Secret | None = None
    password: Secret | None = None
    jump: tuple[SshRoute, ...] = ()
    config: str | None = None
    host_key: str = KNOWN_HOSTS
    known_hosts: str | None = None
    become: Become = ""
    become_user: str = "root"
    become_password: Secret | None = None


class ChrootRoute(msgspec.Struct, frozen=True, kw_only=True):
    """A root file system in a folder of this machine, entered with chroot(8); needs root."""

    root: str


class NamespaceRoute(msgspec.Struct, frozen=True, kw_only=True):
    """A network namespace of this machine, by its name in ip-netns(8), with this machine's files; needs root."""

    name: str


Route: TypeAlias = SshRoute | ChrootRoute | NamespaceRoute


def described(route: Route) -> str:
    """To which machine a route leads and as whom, for messages: ``deploy@web1:2222``."""
    match route:
        case SshRoute():
            return place(route.address, user=route.user, port=route.port)
        case ChrootRoute():
            return f"the root file system {route.root}"
        case NamespaceRoute():
            return f"the network namespace {route.name}"


def place(host: str, *, user: str | None = None, port: int | None = None) -> str:
    """A host as people write it: brackets only where an IPv6 address meets a port."""
    shown = f"[{host}]" if port and ":" in host else host
    return (f"{user}@" if user else "") + shown + (f":{port}" if port else "")
