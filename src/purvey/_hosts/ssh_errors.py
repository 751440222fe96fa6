"""What went wrong on the way to a machine, in words and in the codes of a provider."""

from __future__ import annotations

import errno
import getpass
import os
import re
import shlex
import socket
from typing import Final

from purvey._hosts import ssh_refusals as refusals
from purvey._hosts.ssh_hop import LOGIN_S, SSH_PORT, Hop
from purvey._hosts.ssh_library import asyncssh
from purvey._hosts.ssh_login import Login
from purvey._hosts.ssh_trust import Trust, files
from purvey.errors import HostError

TOO_MANY_FAILURES: Final = "Too many authentication failures"
"""OpenSSH's words when more keys were shown than MaxAuthTries allows; it has no code of its own for that."""


CONNECTION_CLOSED: Final = "SSH connection closed"
"""The library's words when the bastion was lost while we were on our way over it."""


class DroppedError(Exception):
    """The machine closed a new connection before the login began: it has too many at once, and may take the next one."""


def not_connected(error: Exception, hop: Hop, login: Login, trust: Trust) -> Exception:
    """Why there is no connection: a `HostError`, or `DroppedError` if it is worth another try."""
    match error:
        case asyncssh.HostKeyNotVerifiable():
            return trust.refusal or _distrust(error, hop, trust)
        case asyncssh.PermissionDenied():
            return _not_let_in(hop, login)
        case TimeoutError():
            return _timeout(hop, login)
        case asyncssh.KeyExchangeFailed():
            return _no_common_language(error, hop)
        case asyncssh.ChannelOpenError():
            return DroppedError() if error.reason == CONNECTION_CLOSED else _beyond(error, hop)
        case asyncssh.DisconnectError() if TOO_MANY_FAILURES in error.reason:
            return _too_many_keys(hop, login)
        case asyncssh.ConnectionLost() | ConnectionResetError() | BrokenPipeError() if login.answers and not login.takes:
            return DroppedError()
        case socket.gaierror():
            return _unknown_name(error, hop)
        case OSError():
            return _unreachable(error, hop)
        case _:
            return _ended(error, hop)


def dropped(hop: Hop, attempts: int) -> HostError:
    """It went on closing our connections."""
    return HostError(
        "unavailable",
        "A host closes connections before the login",
        detail=f"{way(hop)} accepted {attempts} connections, one after the other, and closed each of them before the login."
        " It has too many that are not logged in yet, or has shut us out for a while.",
        hint="Let fewer run at once (--parallel), or let it take more in its sshd_config:\n  MaxStartups 100",
    )


def lost(hop: Hop, error: Exception | None) -> HostError:
    """The connection went away while a command ran."""
    why = f" ({error})" if error is not None and str(error) else ""
    return HostError(
        "unavailable",
        "The connection to a host was lost",
        detail=f"The connection to {way(hop)} was lost while a command ran there{why}."
        " The command may have ended, or may still run.",
        hint="Run again: what is done is found done.",
        may_exist=True,
    )


def no_session(hop: Hop, error: asyncssh.ChannelOpenError) -> HostError:
    """It lets us in and starts no command."""
    return HostError(
        "unavailable",
        "A host starts no command",
        detail=f"{way(hop)} let us in and started no command: {error.reason}.",
        hint="Look at MaxSessions and ForceCommand in its sshd_config, and whether the user's shell is there:\n"
        f"  ssh {_arguments(hop)} true",
    )


def way(hop: Hop) -> str:
    """The machine, and over which others it is reached."""
    return f"{hop} (over {way(hop.via)})" if hop.via else str(hop)


def _distrust(error: asyncssh.HostKeyNotVerifiable, hop: Hop, trust: Trust) -> HostError:
    """What asyncssh found out by itself."""
    if "revoked" in error.reason:
        return refusals.revoked(hop, trust.revoked, files(hop))
    return refusals.certificate(hop, error.reason)


def _not_let_in(hop: Hop, login: Login) -> HostError:
    tried = [f"It did not take {_sentence(login.tried)}."] if login.tried else []
    problems = [f"Not tried: {'; '.join(login.problems)}."] if login.problems else []
    none = [] if tried else ["There was nothing to try."]
    takes = [f"It takes {_sentence(sorted(login.takes))}."] if login.takes else ["It takes neither keys nor passwords."]
    return HostError(
        "denied",
        "A host does not let us in",
        detail=" ".join([f"{way(hop)} does not let the user {hop.options.username} in.", *tried, *none, *problems, *takes]),
        hint=f"{_as_whom(hop)}Add the public key to that user's authorized_keys, or give another user, key or password; this "
        f"shows more:\n  ssh -v {_arguments(hop)} true",
    )


def _as_whom(hop: Hop) -> str:
    """That nobody said whom to log in as, and it is who works here."""
    if hop.route.user is not None or hop.options.username != getpass.getuser():
        return ""
    return 'Nothing says whom to log in as, so it is you. Write user="root", if that is who is let in there.\n'


def _too_many_keys(hop: Hop, login: Login) -> HostError:
    return HostError(
        "denied",
        "A host was shown too many keys",
        detail=f"{way(hop)} lets nobody in after so many tries (MaxAuthTries). It did not take {_sentence(login.tried)}.",
        hint="Give the one key that it knows, or name it in the OpenSSH configuration, so that no others are shown:\n"
        "  IdentityFile ~/.ssh/KEY\n  IdentitiesOnly yes",
    )


def _timeout(hop: Hop, login: Login) -> HostError:
    if login.answers:
        detail = f"{way(hop)} accepted the connection and did not finish the login within {LOGIN_S:g} s."
        hint = "Look at its load, and whether it waits for the name service (UseDNS no in its sshd_config)."
    else:
        detail = f"{way(hop)} did not answer within {hop.connect_s:g} s: it is down, or a firewall drops what we send."
        hint = f"Look whether it can be reached from here:\n  nc -vz {shlex.quote(hop.options.host)} {hop.options.port}"
    return HostError("unavailable", "A host does not answer", detail=detail, hint=hint)


def _no_common_language(error: asyncssh.KeyExchangeFailed, hop: Hop) -> HostError:
    return HostError(
        "denied",
        "No encryption was agreed upon with a host",
        detail=f"{way(hop)} and we have no algorithm in common, or it broke the rules: {error.reason}.",
        hint="Update the machine's OpenSSH, or take limits out of sshd_config and of the OpenSSH configuration here\n"
        "(Ciphers, KexAlgorithms, MACs, HostKeyAlgorithms).",
    )


def _beyond(error: asyncssh.ChannelOpenError, hop: Hop) -> HostError:
    return HostError(
        "unavailable",
        "A host cannot be reached from its bastion",
        detail=f"{hop.via} let us in and could not reach {hop}: {error.reason}.",
        hint="Look whether the bastion reaches it, and allows it (AllowTcpForwarding in its sshd_config):\n"
        f"  ssh {_arguments(hop.via or hop)} nc -vz {shlex.quote(hop.options.host)} {hop.options.port}",
    )


def _unknown_name(error: socket.gaierror, hop: Hop) -> HostError:
    return HostError(
        "unavailable",
        "A host's name is not known",
        detail=f"{hop.options.host} has no address: {error.strerror}.",
        hint="Correct the name, or give it an address; this shows whether it has one:\n"
        f"  getent hosts {shlex.quote(hop.options.host)}",
    )


def _unreachable(error: OSError, hop: Hop) -> HostError:
    number = _number(error)
    if number == errno.ECONNREFUSED:
        summary, said = "A host refuses the connection", f"Nothing listens on port {hop.options.port} of {hop.options.host}"
    else:
        summary, said = "A host cannot be reached", os.strerror(number) if number else str(error)
    return HostError(
        "unavailable",
        summary,
        detail=f"{way(hop)} cannot be connected to: {said}.",
        hint="Look whether it is up, and its sshd runs on that port:\n"
        f"  nc -vz {shlex.quote(hop.options.host)} {hop.options.port}",
    )


def _number(error: OSError) -> int:
    """The number of the system's error; of several addresses', that of the first."""
    found = re.search(r"Errno (\d+)", str(error))
    return error.errno or (int(found[1]) if found else 0)


def _ended(error: Exception, hop: Hop) -> HostError:
    return HostError(
        "unavailable",
        "A host ended the connection during the login",
        detail=f"{way(hop)} ended the connection before we were logged in: {str(error) or type(error).__name__}.",
        hint=f"Look into its log, and whether OpenSSH gets in:\n  ssh -v {_arguments(hop)} true",
    )


def _sentence(parts: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))


def _arguments(hop: Hop) -> str:
    """How OpenSSH is told the same place."""
    port = "" if hop.options.port == SSH_PORT else f"-p {hop.options.port} "
    return f"{port}{shlex.quote(f'{hop.options.username}@{hop.options.host}')}"
