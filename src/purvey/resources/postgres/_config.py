"""The configuration files of a server, as text. Pure.

purvey's file includes the one that ``initdb`` made and overrides it, so a setting that is not wanted any more falls back to
what the server itself chose. Logins over TCP need a password (SCRAM-SHA-256). Over the socket the kernel says who asks: root,
or whoever runs purvey, and the server's own user are let in as the superuser ``postgres``, and nobody else is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

OWNED: Final = frozenset({
    "config_file", "data_directory", "external_pid_file", "hba_file", "ident_file", "include", "include_dir",
    "include_if_exists", "listen_addresses", "logging_collector", "port", "unix_socket_directories", "unix_socket_permissions",
})  # fmt: skip
"""Settings that purvey makes from the inputs."""

SETTING: Final = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?")

_LINE: Final = re.compile(r"(?P<name>[a-z0-9_.]+) = '(?P<value>(?:[^'\\]|''|\\\\)*)'")
_OURS: Final = "# What the script sets."

HBA: Final = "local all all peer map=purvey\nhost all all all scram-sha-256\n"
"""Who may log in, and how."""


def server_conf(root: str, socket: str, host: str, port: int, settings: Mapping[str, str]) -> str:
    """The main file.

    Args:
        root: The server's own folder.
        socket: The folder of its socket.
        host: The address or addresses it listens on.
        port: Its port.
        settings: What the script sets.
    """
    own = {
        "listen_addresses": host,
        "port": str(port),
        "unix_socket_directories": socket,
        "unix_socket_permissions": "0700",
        "data_directory": f"{root}/data",
        "hba_file": f"{root}/pg_hba.conf",
        "ident_file": f"{root}/pg_ident.conf",
        "logging_collector": "off",
    }
    lines = ["# Written by purvey, and written anew at every change.", f"include {_quoted(f'{root}/data/postgresql.conf')}"]
    lines += [f"{name} = {_quoted(value)}" for name, value in own.items()]
    lines += [_OURS, *(f"{name} = {_quoted(value)}" for name, value in sorted(settings.items()))]
    return "\n".join(lines) + "\n"


def settings_in(text: str) -> dict[str, str]:
    """What the script sets, by a file of `server_conf`; lines that somebody added are taken in where they look alike."""
    return dict(_pairs(text.partition(_OURS)[2]))


def port_in(text: str) -> int | None:
    """The port in a file of `server_conf`."""
    port = dict(_pairs(text.partition(_OURS)[0])).get("port", "")
    return int(port) if port.isdigit() else None


def _pairs(text: str) -> list[tuple[str, str]]:
    matches = (_LINE.fullmatch(line.strip()) for line in text.splitlines())
    return [(match["name"], match["value"].replace("''", "'").replace("\\\\", "\\")) for match in matches if match]


def ident(users: Sequence[str]) -> str:
    """Whom the socket lets in as ``postgres``."""
    quoted = [user.replace('"', '""') for user in dict.fromkeys(users)]
    return "".join(f'purvey "{user}" postgres\n' for user in quoted)


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"
