"""Where things are, as values of a script: `on=` takes one, and puts a resource there.

    web = Host("192.0.2.11", user="root", key=secret("file:fleet.key"))
    files.File("motd", on=web, path="/etc/motd", content="hello")

A place has two sides. *Where* it is, its `name`, is recorded with each object and decides whether that is still where it was.
*How* to get there may change at any time, and comes to rest sealed.
"""

from __future__ import annotations

import os.path
import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, Literal, NamedTuple

from purvey._base.value import Link, Masked, NodeLink, Secret, SecretRef, Value, digest, walk
from purvey._hosts.route import FIRST_USE, KNOWN_HOSTS, place
from purvey._script.recorder import current, source_here
from purvey._script.reference import Ref, SecretHandle, freeze, no_text, refuse_tokens
from purvey.errors import ScriptError

_FINGERPRINT: Final = re.compile(r"SHA256:[A-Za-z0-9+/]{43}=?")
"""A fingerprint as ssh-keygen(1) shows it: 32 bytes in base64."""
_PORT_MAX: Final = 65_535
_SSH_PORT: Final = 22


class Place:
    """The base of what `on=` takes; `name` is where it is, `has_our_files` whether this machine's folders are there."""

    name: str
    has_our_files: ClassVar[bool] = False
    _how: Mapping[str, Any]
    _texts: ClassVar[Sequence[str]] = ("name",)

    def __repr__(self) -> str:
        """Where it is, for debuggers; never how to get there."""
        return f"<{type(self).__name__} {self.name}>"

    def __str__(self) -> str:
        """Refused: it has an address and a name, and text needs one of them."""
        raise no_text(f"A {type(self).__name__}", self._texts)

    def __format__(self, spec: str) -> str:
        """As `__str__`."""
        return str(self)


class Host(Place):
    """A machine behind OpenSSH.

    What is not given is taken from the user's OpenSSH configuration (aliases, ProxyJump, keys, the agent), then from its
    defaults. The address may be an output of a resource of the same script; what is on the machine then lives in that resource.

    Args:
        address: A host name, an address, or an alias in the user's OpenSSH configuration.
        name: What it is called in plans, and what is recorded as the place; by default the address, with the port where that
            is another than 22. Give one where addresses change, or are not known before the machine is made.
        user: Whom to log in as.
        port: 1 to 65535.
        key: The private key, as text in OpenSSH's or PEM's form.
        certificate: The public certificate that goes with the key.
        passphrase: What the key is locked with.
        password: For a machine that takes passwords.
        jump: The bastion, or several, the first one first.
        config: An OpenSSH configuration file in place of the user's own; empty for none.
        host_key: How the machine proves to be the one meant: ``known_hosts`` (OpenSSH's own files; an unknown key is refused),
            ``first_use`` (an unknown key is believed once, and recorded in known_hosts), or the fingerprint ``SHA256:…`` of its
            key, as a cloud's console shows it, which may be an output. Bastions of the configuration's ProxyJump must be in
            known_hosts.
        known_hosts: A known_hosts file in place of the user's own.
        become: ``sudo``, ``su`` or ``doas``, for the rights of another user than the one who logs in.
        become_user: That other user.
        become_password: What that program asks for; not for doas, which asks on a terminal only.

    Raises:
        ScriptError: ``script.bad_host``.
    """

    _texts = ("address", "name")

    def __init__(
        self, address: str, /, *, name: str = "", user: str | None = None, port: int | None = None, key: Secret | None = None,
        certificate: str | None = None, passphrase: Secret | None = None, password: Secret | None = None,
        jump: Host | Sequence[Host] = (), config: str | None = None, host_key: str = KNOWN_HOSTS,
        known_hosts: str | None = None, become: Literal["sudo", "su", "doas"] | None = None, become_user: str = "root",
        become_password: Secret | None = None,
    ) -> None:  # fmt: skip
        if port is not None and (type(port) is not int or not 1 <= port <= _PORT_MAX):
            raise _bad(f"`port` is {port!r}.", "Ports are numbers from 1 to 65535.")
        _require_policy(host_key)
        if become not in (None, "sudo", "su", "doas"):
            raise _bad(f"`become` is {become!r}.", 'Write "sudo", "su" or "doas".')
        for what, given_secret in (("key", key), ("passphrase", passphrase), ("password", password),
                                   ("become_password", become_password)):  # fmt: skip
            _require_secret(what, given_secret)
        if become == "doas" and become_password is not None:
            raise _bad(
                "doas asks for a password on a terminal only, and there is none, so that it is of no use.",
                "Allow it without one in /etc/doas.conf on the machine, with the name of the user that logs in:\n\n"
                f'    permit nopass LOGIN as {become_user}\n\nor use become="sudo".',
            )
        jumps = (jump,) if isinstance(jump, Host) else tuple(jump)
        given = {
            "address": address, "user": user, "port": port, "key": key, "certificate": certificate, "passphrase": passphrase,
            "password": password, "jump": [item._how for item in jumps] or None,  # noqa: SLF001 - one of our own kind.
            "config": _file(config), "host_key": host_key, "known_hosts": _file(known_hosts), "become": become,
            "become_user": become_user, "become_password": become_password,
        }  # fmt: skip
        self.address = address
        self.name = name
        self._how = {"by": "ssh", **{key: value for key, value in given.items() if value is not None}}


class Chroot(Place):
    """A root file system in a folder of this machine, worked on with chroot(8): an image in the making. Needs root."""

    _texts = ("root", "name")

    def __init__(self, root: str, /, *, name: str = "") -> None:
        self.root = root
        self.name = name
        self._how = {"by": "chroot", "root": _file(root)}


class Namespace(Place):
    """A network namespace of this machine, by its name in ip-netns(8), with this machine's files. Needs root."""

    has_our_files = True
    _texts = ("namespace", "name")

    def __init__(self, namespace: str, /, *, name: str = "") -> None:
        self.namespace = namespace
        self.name = name
        self._how = {"by": "namespace", "name": namespace}


class Standing(NamedTuple):
    """Where a node is, frozen; as it is, for this machine.

    Attributes:
        where: The name of the place.
        how: How to get there.
        digest: Identifies that; empty where there is no way to go.
        maker: The node that the place is made by; empty if its address is written down.
    """

    where: str = ""
    how: Value = None
    digest: str = ""
    maker: str = ""


def frozen_place(on: object, source: str) -> Standing:
    """Where a node is and how to get there, frozen.

    Raises:
        ScriptError: ``script.bad_host``.
    """
    if on is None:
        return Standing()
    if not isinstance(on, Place):
        raise _bad(f"`on` is {on!r}.", 'Write on=Host("192.0.2.11", user="root"), or leave it out for this machine.')
    recorder = current()
    frozen, _, revealed = recorder.places.get(id(on), (None, None, 0))
    if frozen is None or revealed != len(recorder.revealed):  # What is revealed is a secret wherever it stands from then on.
        how = freeze(on._how, source, "on")  # noqa: SLF001 - one of our own kind.
        name = refuse_tokens(on.name, "A host's name") if on.name else _where(how)
        frozen = Standing(name, how, digest(how)[:16], _maker(how))
        _require_one_name(name, how, source)
        recorder.places[id(on)] = frozen, on, len(recorder.revealed)
    return frozen


def _require_one_name(name: str, how: Value, source: str) -> None:
    """Refuse one name for two machines, and two names for one, on which work would be done as on two at once.

    An address that is not known yet is compared with none; bastions do not make another machine of one.
    """
    assert isinstance(how, dict)  # A place is frozen as a dictionary.
    address = next((how[part] for part in ("address", "root", "name") if part in how), None)
    if not isinstance(address, str):
        return
    where = address if how["by"] == "ssh" else f"the {how['by']} {address}"
    machines = current().machines
    other_where, first = machines.setdefault(("name", name), (where, source))
    if other_where != where:
        raise _bad(
            f"`{name}` is {other_where} at {first}, and {where} at {source}: two machines of one name.",
            "Give each a name of its own; where it is one machine, the same address.",
        )
    # The port may be that of the configuration, and one address behind two bastions may be two machines.
    way = digest([how.get("port"), how.get("config"), how.get("jump") or []])
    other_name, first = machines.setdefault(("address", f"{where} {way}"), (name, source))
    if other_name != name:
        raise _bad(
            f"{where} is called `{other_name}` at {first}, and `{name}` at {source}: one machine of two names.",
            "Give it one name, also where it is reached as two users: then all on it is done in one order.",
        )


def _maker(how: Value) -> str:
    """The node whose output the address of a place is; empty if it is written down."""
    assert isinstance(how, dict)  # A place is frozen as a dictionary.
    made = [item.address for item in walk(how.get("address", how.get("root"))) if isinstance(item, Link | NodeLink)]
    return made[0] if made else ""


def _file(path: str | None) -> str | None:
    """A path on this machine; a relative one begins at the script's folder, an empty one stays empty."""
    text = None if path is None else str(path)
    return os.path.normpath(current().root / text) if text and current().nonce not in text else text


def _where(how: Value) -> str:
    """The name of a place that was given none: what leads there, or the node that makes it."""
    assert isinstance(how, dict)  # A place is frozen as a dictionary.
    given = how.get("address") or how.get("root") or how.get("name")
    port = how.get("port")
    beside = port if isinstance(port, int) and port != _SSH_PORT else None
    if isinstance(given, str):
        return place(given, port=beside)
    return (_maker(how) or digest(given)[:12]) + (f":{beside}" if beside else "")


def _require_policy(host_key: object) -> None:
    """Refuse what says of no key that it may be believed; what a cloud's console shows is known only later."""
    if isinstance(host_key, Ref):
        return
    text = host_key if isinstance(host_key, str) else ""
    if text in (KNOWN_HOSTS, FIRST_USE) or _FINGERPRINT.fullmatch(text) or current().nonce in text:
        return
    short = " A fingerprint has 43 characters after SHA256:." if text.startswith("SHA256:") else ""
    raise _bad(
        f"`host_key` is {host_key!r}.{short}",
        f'Write "{KNOWN_HOSTS}", "{FIRST_USE}", or the fingerprint that the machine shows for\n\n'
        "    ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub",
    )


def _require_secret(name: str, given: object) -> None:
    """Refuse what stands in clear where a secret must be; an output may be one."""
    if given is None or isinstance(given, SecretHandle):
        return
    found = walk(freeze(given, current().source(), name))
    if not any(isinstance(item, Link | SecretRef | Masked) for item in found):
        raise _bad(
            f"`{name}` is plain text, and the script's own text is not a safe place for a secret.",
            f'Write {name}=secret("env:NAME") or {name}=secret("file:path").',
        )


def _bad(problem: str, hint: str) -> ScriptError:
    return ScriptError(
        "script.bad_host", "A place to put things on is not one", detail=problem, hint=hint, source=source_here()
    )
