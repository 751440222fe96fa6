"""Why a machine is not believed, in words: which key it offered, what was expected, and what to do about it."""

from __future__ import annotations

import os
import shlex

from purvey._hosts.ssh_hop import SSH_PORT, Hop
from purvey._hosts.ssh_library import asyncssh
from purvey.errors import HostError


def unknown(hop: Hop, key: asyncssh.SSHKey, files: list[str]) -> HostError:
    """Nothing is known of the machine."""
    return HostError(
        "denied",
        "The key of a host is not known",
        detail=f"{_offered(hop, key)}None is known for {known_as(hop)} in {' or '.join(files)},"
        " so anybody on the way could have answered.",
        hint=f"{_ask(key)} Is it the same, either write it down in the script:\n  {_pin(key)}\n"
        f"or record it:\n  {_scan(hop, key)} >> {shlex.quote(files[0])}",
    )


def changed(
    hop: Hop, key: asyncssh.SSHKey, known: list[asyncssh.SSHKey], by: list[asyncssh.SSHKey], files: list[str]
) -> HostError:
    """Another key is known than the one that was offered."""
    expected = [*map(shown, known), *(f"a certificate by {shown(authority)}" for authority in by)]
    return HostError(
        "denied",
        "The key of a host is not the one that is known",
        detail=f"{_offered(hop, key)}What is known for {known_as(hop)} in {' or '.join(files)} is:\n  "
        + "\n  ".join(expected)
        + "\nEither the machine was made anew, or somebody else answered in its place.",
        hint=f"{_ask(key)} Is it the same, forget the old one and record it:\n"
        f"  ssh-keygen -R {shlex.quote(known_as(hop))} -f {shlex.quote(files[0])}\n"
        f"  {_scan(hop, key)} >> {shlex.quote(files[0])}",
    )


def not_pinned(hop: Hop, key: asyncssh.SSHKey) -> HostError:
    """Its fingerprint is not the pinned one."""
    return HostError(
        "denied",
        "The key of a host is not the pinned one",
        detail=f"{_offered(hop, key)}Pinned is\n  {hop.route.host_key}\nEither the machine was made anew,"
        " or another of its keys is pinned, or somebody else answered in its place.",
        hint=f"{_ask(key)} Is it the same, pin this one:\n  {_pin(key)}",
    )


def revoked(hop: Hop, keys: list[asyncssh.SSHKey], files: list[str]) -> HostError:
    """It showed a key that it must not show any more."""
    return HostError(
        "denied",
        "The key of a host is revoked",
        detail=f"{hop} offered a key, or a certificate, that {' or '.join(files)} marks as @revoked:\n  "
        + "\n  ".join(map(shown, keys))
        + "\nWho revoked it holds it for stolen, so nothing was sent.",
        hint="Give the machine a new host key, and record that one.",
    )


def authority(hop: Hop, key: asyncssh.SSHKey, known: list[asyncssh.SSHKey]) -> HostError:
    """Its certificate is by somebody else than the trusted authorities."""
    return HostError(
        "denied",
        "The certificate of a host is by an unknown authority",
        detail=f"{hop} offered a certificate by {shown(key)}. Trusted for it are:\n  " + "\n  ".join(map(shown, known)),
        hint=f"If that authority is yours, add it to known_hosts:\n  @cert-authority {known_as(hop)} {key.get_algorithm()} …",
    )


def certificate(hop: Hop, said: str) -> HostError:
    """Its certificate is not good."""
    return HostError(
        "denied",
        "The certificate of a host is not valid",
        detail=f"{hop} proves itself by a certificate which is not good for it: {said}.",
        hint="Sign the machine's host key anew, with its name as the principal:\n"
        "  ssh-keygen -s AUTHORITY -I NAME -h -n NAME HOST_KEY.pub",
    )


def no_policy(hop: Hop) -> HostError:
    """The route does not say how the machine proves itself."""
    return HostError(
        "invalid",
        "There is no such way for a host to prove itself",
        detail=f"For {hop} host_key is {hop.route.host_key!r}.",
        hint='It is "known_hosts", "first_use", or a fingerprint as ssh-keygen shows it:\n  host_key="SHA256:…"',
    )


def not_readable(hop: Hop, path: str, error: OSError) -> HostError:
    """What is known of machines cannot be read."""
    return HostError(
        "invalid",
        "A file of known hosts cannot be read",
        detail=f"Whether {hop} is the machine meant is told by {path}: {os.strerror(error.errno or 0)}.",
        hint="Let purvey read that file, or name another one, known_hosts=….",
    )


def not_recorded(hop: Hop, path: str, error: OSError) -> HostError:
    """A key that was believed at first use cannot be written down."""
    return HostError(
        "denied",
        "The key of a host cannot be recorded",
        detail=f"The key of {hop} was to be believed once and recorded in {path}: {os.strerror(error.errno or 0)}."
        " Unrecorded, it would be believed again each time.",
        hint="Let purvey write that file, or pin the key.",
    )


def shown(key: asyncssh.SSHKey) -> str:
    """A key as people compare it."""
    return f"{key.get_algorithm()} {key.get_fingerprint()}"


def known_as(hop: Hop) -> str:
    """Under which name known_hosts has the machine."""
    name = (hop.options.host_key_alias or hop.options.host).lower()
    return name if hop.options.port == SSH_PORT else f"[{name}]:{hop.options.port}"


def _offered(hop: Hop, key: asyncssh.SSHKey) -> str:
    return f"{hop} offered the key\n  {shown(key)}\n"


def _ask(key: asyncssh.SSHKey) -> str:
    kind = _kind(key)
    return f"Look on the machine itself what ssh-keygen -lf /etc/ssh/ssh_host_{kind}_key.pub says."


def _pin(key: asyncssh.SSHKey) -> str:
    return f'host_key="{key.get_fingerprint()}"'


def _scan(hop: Hop, key: asyncssh.SSHKey) -> str:
    port = "" if hop.options.port == SSH_PORT else f"-p {hop.options.port} "
    return f"ssh-keyscan {port}-t {_kind(key)} {shlex.quote(hop.options.host)}"


def _kind(key: asyncssh.SSHKey) -> str:
    """What ssh-keygen and ssh-keyscan call the type of a key."""
    return next((kind for kind in ("ed25519", "ecdsa", "rsa") if kind in key.get_algorithm()), "ed25519")
