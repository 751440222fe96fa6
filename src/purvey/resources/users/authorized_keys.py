"""The keys of SSH that let a user in: ``~/.ssh/authorized_keys``.

The folder belongs to the user, who may put links anywhere in it; so root only looks there, and what is read or written is read
and written as the user, whose rights end where they always do. The former content is kept on the machine, and an undo gives
back exactly that while nobody else has written since; else it takes out the lines of this operation, and puts back those that
it took out.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from purvey._base.value import Value
from purvey._hosts.change import Change, MakeOwnFolder, Remove, Run, SetAttributes, Write
from purvey._hosts.command import Command, Completed
from purvey._hosts.fact import Answers, Ask, ContentOf, Fact
from purvey._script.fields import Input, Output
from purvey._script.resource import Resource
from purvey.errors import ProviderError
from purvey.providers import Absent, Observed, Present
from purvey.providers.host import HostProvider, Place, Work
from purvey.resources._given import bad, matching, require, text
from purvey.resources.users._account import NAME, NAME_SAYS
from purvey.resources.users._keys import Key, key_of, merged, shown

_LOOK: Final = r"""
while IFS=: read -r name password uid gid comment home shell || [ -n "$name" ]; do
  if [ "$name" = "$1" ]; then found=$home number=$uid group=$gid; fi
done </etc/passwd || exit 3
if [ -z "$found" ] && command -v getent >/dev/null; then
  IFS=: read -r name password number group comment found shell <<LINE
$(getent passwd "$1")
LINE
fi
if [ -z "$found" ]; then exit 0; fi
folder=$found/.ssh
file=$folder/authorized_keys
printf 'home:%s\nus:%s\n' "$found" "$(id -un)"
if [ -d "$found" ]; then printf 'there:\n'; fi
for it in "$folder" "$file"; do
  if [ -e "$it" ] || [ -L "$it" ]; then printf '%s:%s\n' "${it##*/}" "$(stat -c '%f %U' -- "$it")"; fi
done
if [ ! -f "$file" ] || [ -L "$file" ] || [ -L "$folder" ]; then exit 0; fi
of_root() {
  cd -P -- "$found" && home=$(stat -c %d:%i .) && cd -P ./.ssh && [ "$(stat -c %d:%i ..)" = "$home" ] || return
  case $(stat -c %u:%a .) in 0:*[2367] | 0:*[2367]?) return 1 ;; 0:*) ;; *) return 1 ;; esac
  [ -f authorized_keys ] && [ ! -L authorized_keys ]
}
printf 'content:\n'
if [ "$(id -u)" != 0 ] || [ "$number" = 0 ]; then exec cat -- "$file"; fi
(of_root && exec cat authorized_keys) && exit 0
if setpriv "--reuid=$number" "--regid=$group" --init-groups true 2>/dev/null; then
  setpriv "--reuid=$number" "--regid=$group" --init-groups cat -- "$file" || exit 4
else
  su -s /bin/sh -c 'exec cat -- "$0"' -- "$1" "$file" || exit 4
fi
"""
"""What the file holds is read as the user, who may put another one there between two looks at it: else root would read out to
them what they may not read. Only a folder that root keeps to itself is read by root, once we stand in it."""

_PUT: Final = r"""
set -eu
umask 077
folder=$1/.ssh
new=$folder/.authorized_keys.purvey
case $2 in
  nothing | folder)
    rm -f -- "$folder/authorized_keys"
    if [ -d "$folder" ]; then chmod "$3" -- "$folder"; fi
    if [ "$2" = nothing ] && [ -d "$folder" ]; then rmdir -- "$folder" 2>/dev/null || true; fi
    ;;
  *)
    if [ ! -d "$folder" ]; then mkdir -- "$folder"; fi
    chmod "$3" -- "$folder"
    rm -f -- "$new"
    cat >"$new"
    chmod "$2" -- "$new"
    sync "$new" 2>/dev/null || sync
    mv -f -- "$new" "$folder/authorized_keys"
    ;;
esac
"""
"""What is run as the user: with a mode it puts what it reads into the file, with a word it leaves no more than that says."""

_NOT_THEIRS: Final = 4
"""What the question ends with where the user may not read the file."""

_FOLDER: Final = 0o040700
_FILE: Final = 0o100600


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What is there.

    Args:
        home: The user's home; empty if there is no such user.
        is_us: Whether we work as that user.
        has_home: Whether the home is a directory.
        folder: Mode with type, and owner, of ``.ssh``; None if it is not there.
        file: The same of the file.
        content: What the file holds.
    """

    home: str = ""
    is_us: bool = False
    has_home: bool = False
    folder: tuple[int, str] | None = None
    file: tuple[int, str] | None = None
    content: bytes = b""

    @property
    def path(self) -> str:
        """The file."""
        return f"{self.home}/.ssh/authorized_keys"

    @property
    def lines(self) -> list[str]:
        """The file's lines."""
        return _lines(self.content)

    @property
    def folder_mode(self) -> str:
        """The folder's mode; that which it shall have where it is not there."""
        return f"{self.folder[0] & 0o7777:04o}" if self.folder is not None else "0700"

    @property
    def state(self) -> str:
        """How much of it is there, as a word of `_PUT`; the mode where all is."""
        if self.file is not None:
            return f"{self.file[0] & 0o7777:04o}"
        return "folder" if self.folder is not None else "nothing"

    def is_private(self, user: str) -> bool:
        """Whether nobody but the user could have written it, nor reads it."""
        return self.folder in (None, (_FOLDER, user)) and self.file in (None, (_FILE, user))


class AuthorizedKeysProvider(HostProvider["AuthorizedKeys"]):
    """Keys, line by line."""

    adopts = True

    def facts(self, place: Place, subject: AuthorizedKeys) -> Sequence[Fact]:
        """See `HostProvider.facts`: the file with all around it, and for an undo what was kept of it."""
        require(subject.user, NAME, "The name of a user", NAME_SAYS)
        return [_question(subject), *([ContentOf(_kept(place))] if place.undoes else [])]

    def seen(self, place: Place, have: AuthorizedKeys, answers: Answers) -> Observed:
        """See `HostProvider.seen`."""
        found = _found(answers, have)
        keys = shown(found.lines, _keys(have), exclusive=have.exclusive)
        if not found.home or not (keys or (have.exclusive and not have.keys)):
            return Absent()
        return Present(_id(place, have), {
            "user": have.user, "keys": list(keys), "private": found.is_private(have.user), "path": found.path,
        })  # fmt: skip

    def make(self, place: Place, want: AuthorizedKeys, answers: Answers) -> Work:
        """See `HostProvider.make`."""
        return self._write(place, want, (), answers)

    def change(self, place: Place, have: AuthorizedKeys, want: AuthorizedKeys, answers: Answers) -> Work:
        """See `HostProvider.change`: the keys that were this node's and are no more are taken out."""
        return self._write(place, want, [key.blob for key in _keys(have)], answers)

    def remove(self, place: Place, have: AuthorizedKeys, answers: Answers) -> Work:
        """See `HostProvider.remove`: the keys of this node; a file in which nothing is left goes."""
        found = _found(answers, have)
        blobs = [key.blob for key in _keys(have)]
        lines = merged(found.lines, (), blobs, exclusive=False)
        changes = () if lines == found.lines else _put(have, found, "folder" if not lines else found.state, lines)
        return Work(_id(place, have), (*changes, Remove(_kept(place)), Remove(place.folder, if_empty=True)))

    def take_back(self, place: Place, have: AuthorizedKeys, before: AuthorizedKeys | None, answers: Answers) -> Work:
        """See `HostProvider.take_back`."""
        found = _found(answers, have)
        id_ = _id(place, have)
        head, _, former = (answers[ContentOf(_kept(place))] or b"").partition(b"\n")
        token, digest, state, mode = [*head.decode().split(" "), "", "", "", ""][:4]
        if token != place.undoes or not found.home:
            return Work(id_, outputs=None)
        if hashlib.sha256(found.content).hexdigest() == digest:
            lines = former.decode("utf-8", "surrogateescape")
            return Work(id_, _put(have, found, state, lines, folder_mode=mode), outputs=None)
        kept = [key for line in _lines(former) if (key := key_of(line))]
        ours = [key.blob for key in _keys(have)]
        wished = [key for key in kept if have.exclusive or key.blob in {*ours, *(one.blob for one in _keys(before))}]
        lines_left = merged(found.lines, wished, ours, exclusive=False)
        return Work(id_, _put(have, found, found.state if found.file else "0600", lines_left), outputs=None)

    def explained(self, subject: AuthorizedKeys, error: ProviderError) -> ProviderError:
        """See `HostProvider.explained`: without the script that puts the file there."""
        error.detail = error.detail.replace(_PUT, "…")
        return error

    def claims(self, want: AuthorizedKeys) -> Sequence[str]:
        """See `Provider.claims`: the file, where no other key may be in it; else each key, which goes with its node."""
        if want.exclusive:
            return (f"keys of the user:{want.user}",)
        return tuple(f"key of the user:{want.user} {_fingerprint(key)}" for key in _keys(want))

    def _write(self, place: Place, want: AuthorizedKeys, unwished: Sequence[str], answers: Answers) -> Work:
        found = _usable(_found(answers, want), want)
        lines = merged(found.lines, _keys(want), unwished, exclusive=want.exclusive)
        outputs: dict[str, Value] = {"path": found.path}
        if lines == found.lines and (found.is_private(want.user) or not want.private):
            return Work(_id(place, want), outputs=outputs)
        mode = "0600" if want.private or found.file is None else found.state
        content = _content(lines)
        head = f"{place.token} {hashlib.sha256(content).hexdigest()} {found.state} {found.folder_mode}\n"
        keeping = (MakeOwnFolder(place.folder), Write(_kept(place), head.encode() + found.content, 0o600))
        return Work(_id(place, want), (*keeping, *_put(want, found, mode, lines)), outputs)


class AuthorizedKeys(Resource, kind="users.AuthorizedKeys", provider=AuthorizedKeysProvider):
    """The keys of SSH that let a user in.

        users.AuthorizedKeys("ana", user=ana.name, keys=[
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ… ana@laptop",
            'restrict,command="/usr/bin/backup" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK… backup',
        ])

    A key is told by itself, not by its comment; comments and keys of others stay as they are. With `exclusive` no other key
    lets the user in, not even one that somebody adds by hand.
    """

    user: str = Input(immutable=True, doc="The user; give the `name` of a users.User, so that it is made first.")
    keys: Sequence[str] = Input(doc="Public keys, each a line of authorized_keys(5) with the options before it.")
    exclusive: bool = Input(default=False, doc="Whether no other key may be there.")
    private: bool = Input(default=True, doc="Whether the file and ~/.ssh belong to the user alone, as sshd(8) asks for.")

    path: str = Output(doc="The file.")

    @classmethod
    def prepare(cls, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:  # noqa: ARG003 - as the base has it.
        """See `Resource.prepare`.

        Raises:
            ScriptError: ``script.bad_input`` for what is no public key, and for one that is given twice.
        """
        matching(inputs, "user", NAME, NAME_SAYS)
        given = inputs.get("keys")
        seen: set[str] = set()
        if isinstance(given, list | tuple):
            for line in given:
                if (known := text(line)) is not None:
                    _check(known, seen)
            inputs = {**inputs, "keys": [line if text(line) is None else str(line).strip() for line in given]}
        return {"exclusive": False, "private": True, **inputs}


def _check(line: str, seen: set[str]) -> None:
    key = key_of(line)
    if "PRIVATE KEY" in line:
        raise bad("A private key stands among `keys`.", "Give the public one, from the file that ends in .pub.")
    if key is None or "\n" in line.strip():
        raise bad(
            f"{line[:60]!r} is no public key.", 'Give a whole line of the file that ends in .pub: "ssh-ed25519 AAAA… name".'
        )
    if key.blob in seen:
        raise bad(f"The key {key.blob[:20]}… is given twice.", "Give it once, with the options that it shall have.")
    seen.add(key.blob)


def _question(subject: AuthorizedKeys) -> Ask:
    return Ask(("sh", "-c", _LOOK, "sh", subject.user))


def _kept(place: Place) -> str:
    return f"{place.folder}/keys.before"


def _id(place: Place, subject: AuthorizedKeys) -> str:
    """The file as a whole, or this node's part of it."""
    return subject.user if subject.exclusive else f"{subject.user}/{place.name}"


def _keys(subject: AuthorizedKeys | None) -> list[Key]:
    """The keys of a node.

    Raises:
        ProviderError: ``invalid`` for a line that is known only now, and is none.
    """
    found = []
    for line in subject.keys if subject is not None else ():
        key = key_of(line)
        if key is None or "\n" in line.strip():
            raise ProviderError("invalid", "A public key is none", detail=f"A key came out as {line[:60]!r}.")
        found.append(key)
    return found


def _fingerprint(key: Key) -> str:
    """What ssh-keygen tells of a key."""
    return f"SHA256:{base64.b64encode(hashlib.sha256(base64.b64decode(key.blob)).digest()).decode().rstrip('=')}"


def _found(answers: Answers, subject: AuthorizedKeys) -> Found:
    """What is there.

    Raises:
        ProviderError: ``failed`` if it cannot be told.
    """
    said = answers[_question(subject)]
    if said.returncode == _NOT_THEIRS:
        raise ProviderError(
            "denied", "A user may not read its own keys",
            detail=f"There is a file ~/.ssh/authorized_keys of {subject.user}, which {subject.user} may not read."
            " So no key in it lets anybody in, and purvey does not read for users what is closed to them.",
            hint=f"Look what it is; then give it away:\n\n    chown {subject.user}: ~{subject.user}/.ssh/authorized_keys",
        )  # fmt: skip
    if said.returncode:
        raise _unreadable(subject, said)
    head, mark, content = said.stdout.partition(b"content:\n")
    told = dict(line.split(":", 1) for line in _lines(head) if ":" in line)
    try:
        return Found(
            home=told.get("home", ""), is_us=told.get("us") == subject.user, has_home="there" in told,
            folder=_stat(told.get(".ssh")), file=_stat(told.get("authorized_keys")), content=content if mark else b"",
        )  # fmt: skip
    except ValueError:
        raise _unreadable(subject, said) from None


def _unreadable(subject: AuthorizedKeys, said: Completed) -> ProviderError:
    detail = f"What {subject.user} has of keys cannot be told:\n{said.text()[:500]}"
    return ProviderError("failed", "A user's keys could not be read", detail=detail)


def _stat(told: str | None) -> tuple[int, str] | None:
    if told is None:
        return None
    mode, owner = told.split(" ")
    return int(mode, 16), owner


def _usable(found: Found, want: AuthorizedKeys) -> Found:
    """What is there, if keys can be put there.

    Raises:
        ProviderError: ``not_found`` without user or home, ``conflict`` where something else stands in the way.
    """
    if not found.has_home:
        missing = f"folder {found.home}, the home of {want.user}" if found.home else f"user {want.user}"
        raise ProviderError(
            "not_found", "There is no place for a user's keys", detail=f"There is no {missing}.",
            hint="Declare the user, and give its `name` as `user`, so that it is made first.",
        )  # fmt: skip
    for name, status, kind in ((".ssh", found.folder, _FOLDER), (".ssh/authorized_keys", found.file, _FILE)):
        if status is not None and status[0] >> 12 != kind >> 12:
            raise ProviderError(
                "conflict", "Something else stands where a user's keys are",
                detail=f"{found.home}/{name} is a link, or no {'folder' if kind == _FOLDER else 'file'}.",
                hint="Remove it, then run again; what a link in a home leads to may be anything.",
            )  # fmt: skip
    return found


def _lines(content: bytes) -> list[str]:
    """The lines, which nothing but a line feed ends."""
    lines = content.decode("utf-8", "surrogateescape").split("\n")
    return lines if lines[-1] else lines[:-1]


def _content(lines: Sequence[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")


def _put(
    subject: AuthorizedKeys, found: Found, how: str, lines: Sequence[str] | str, *, folder_mode: str = "0700"
) -> tuple[Change, ...]:
    """Put the lines there as the user, or take the file away; a folder that belongs to another becomes the user's first."""
    content = lines.encode("utf-8", "surrogateescape") if isinstance(lines, str) else _content(lines)
    command = Command(
        ("sh", "-c", _PUT, "sh", found.home, how, folder_mode), stdin=content if how.isdecimal() else b"", cwd="/",
        user=None if found.is_us else subject.user,
    )  # fmt: skip
    strange = found.folder is not None and found.folder[1] != subject.user
    given = [SetAttributes(f"{found.home}/.ssh", owner=subject.user)] if strange else []
    return (*given, Run(command, touches=(_question(subject),)))
