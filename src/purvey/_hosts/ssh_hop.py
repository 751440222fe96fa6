"""Where a connection leads, step by step: each machine on the way with its settings from the user's OpenSSH configuration.

Nothing is connected here. asyncssh reads the configuration; what it would do by itself with keys, agents, host keys and jumps
is switched off, because those are shared between machines, or decided by the route.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from purvey._hosts.route import KNOWN_HOSTS, SshRoute, described, place
from purvey._hosts.ssh_library import asyncssh
from purvey.errors import HostError

CONFIG_FILES: Final = ("~/.ssh/config", "/etc/ssh/ssh_config")
"""Where OpenSSH looks, in its order: what comes first wins."""

CONNECT_S: Final = 15.0
"""Seconds until a machine must answer: TCP tries after 0, 1, 3 and 7 s, and the answer to the last may be slow."""

LOGIN_S: Final = 30.0
"""Seconds for the exchange of keys and the login: servers that look up our name first may take 20 s."""

KEEPALIVE_S: Final = 15
"""Seconds of silence after which we ask whether the machine is there: shorter than any firewall forgets a connection."""

KEEPALIVE_COUNT: Final = 3
"""Questions without an answer until the connection counts as lost: after a minute, half of what a call may take."""

SSH_PORT: Final = 22

HOPS_MAX: Final = 16
"""More machines in a row than this are a configuration that leads in a circle."""

CHEAP_CIPHER: Final = "^aes128-gcm@openssh.com"
"""Preferred where the configuration is silent: processors have instructions for it, which saves us a tenth of a connection."""


@dataclass(frozen=True)
class Hop:
    """One machine on the way, with the settings that apply to it.

    Args:
        route: How to get in.
        options: What the user's OpenSSH configuration says about it.
        via: The machine before it; None if it is reached directly.
    """

    route: SshRoute
    options: asyncssh.SSHClientConnectionOptions
    via: Hop | None

    def __str__(self) -> str:
        """User, host and port as they are after the configuration was read."""
        return place(self.options.host, user=self.options.username, port=self.options.port)

    @property
    def connect_s(self) -> float:
        """Seconds within which the machine must answer."""
        return float(self.setting("ConnectTimeout") or CONNECT_S)

    def setting(self, name: str, default: Any = None) -> Any:
        """What the configuration says; `default` if it is silent."""
        return self.options.config.get(name, default)


def hop(route: SshRoute, known: Mapping[SshRoute, Hop] = {}, before: tuple[SshRoute, ...] = ()) -> Hop:
    """The last step of a route, and through it all before.

    Args:
        route: Where to get.
        known: Steps that were looked up before.
        before: For which steps this one is on the way.

    Raises:
        HostError: ``invalid`` if the configuration cannot be read, or leads in a circle.
    """
    if len(before) > HOPS_MAX:
        raise _circle(before)
    options = _options(route)
    jumps = route.jump or _jumps_of_config(route, options)
    if not jumps:
        return Hop(route, options, None)
    last = jumps[-1]
    via = msgspec.structs.replace(last, jump=(*jumps[:-1], *last.jump))
    return Hop(route, options, known.get(via) or hop(via, known, (*before, route)))


def _options(route: SshRoute) -> asyncssh.SSHClientConnectionOptions:
    files = config_files(route.config)
    try:
        return asyncssh.SSHClientConnectionOptions(config=files, **target(route), **OURS)
    except (OSError, ValueError) as error:
        raise _unreadable(route, files or [], error) from error


def target(route: SshRoute) -> dict[str, Any]:
    """The place as asyncssh takes it; what is left open comes from the configuration."""
    return {"host": route.address, "port": route.port or (), "username": route.user or ()}


OURS: Final[dict[str, Any]] = {
    "agent_forwarding": False,
    "agent_path": None,
    "client_keys": None,
    "client_host_keysign": False,
    "command": None,
    "compression_algs": ["none"],  # Programs are compressed before they are sent.
    "connect_timeout": None,
    "encoding": None,
    "env": None,
    "gss_auth": False,
    "gss_host": None,
    "gss_kex": False,
    "host_based_auth": False,
    "known_hosts": b"",
    "pkcs11_provider": None,
    "request_pty": False,
    "send_env": None,
    "tunnel": None,
    "x11_forwarding": False,
    "x509_trusted_cert_paths": (),
    "x509_trusted_certs": None,
}
"""What we do ourselves, and what a provisioning engine has no use for."""


def config_files(config: str | None) -> list[str] | None:
    """The configuration files to read, the first one first; None for none."""
    if config is not None:
        return [str(Path(config).expanduser())] if config else None
    return [path for path in map(os.path.expanduser, CONFIG_FILES) if os.access(path, os.R_OK)] or None


def has_configuration(route: SshRoute) -> bool:
    """Whether there is a configuration to read, for the target or for a machine on the way that the script gives."""
    return config_files(route.config) is not None or any(map(has_configuration, route.jump))


def _jumps_of_config(route: SshRoute, options: asyncssh.SSHClientConnectionOptions) -> tuple[SshRoute, ...]:
    """What ProxyJump says; the target's own key, password, fingerprint and belief at first use are none of these machines'."""
    jumps = options.config.get("ProxyJump")
    common: dict[str, Any] = {
        "passphrase": route.passphrase,
        "config": route.config,
        "host_key": KNOWN_HOSTS,
        "known_hosts": route.known_hosts,
    }
    return tuple(SshRoute(**_parsed(text), **common) for text in jumps.split(",")) if isinstance(jumps, str) else ()


def _parsed(jump: str) -> dict[str, Any]:
    """One step of ProxyJump: ``[ssh://][user@]host[:port]``."""
    user, _, host = jump.strip().removeprefix("ssh://").rstrip("/").rpartition("@")
    port = ""
    if host.startswith("["):
        host, _, port = host[1:].partition("]")
    elif host.count(":") == 1:
        host, _, port = host.partition(":")
    digits = port.removeprefix(":")
    return {"address": host, "user": user or None, "port": int(digits) if digits.isdecimal() else None}


def _unreadable(route: SshRoute, files: list[str], error: Exception) -> HostError:
    return HostError(
        "invalid",
        "The OpenSSH configuration cannot be used",
        detail=f"It was read to reach {described(route)}, from {' and '.join(files) or 'no file'}: {error}.",
        hint="Correct it, or name another file; OpenSSH itself shows what it understands:\n  ssh -G " + route.address,
    )


def _circle(way: tuple[SshRoute, ...]) -> HostError:
    return HostError(
        "invalid",
        "The way to a host leads in a circle",
        detail=f"To reach {described(way[0])} the OpenSSH configuration leads over {', '.join(map(described, way[1:4]))}, …",
        hint="Let the first bastion be reached directly, in its own section of the configuration:\n  ProxyJump none",
    )
