"""Users of a machine.

A password is hashed where purvey runs, and the hash goes to the machine through standard input: no process there has either in
its arguments. Whether somebody else changed it is told by a fingerprint of the stored hash, which has a random salt. What stood
there before is kept on the machine, readable by root alone as shadow(5) is, so that an undo gives back a password nobody knows.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from purvey._base.value import Secret, Value, reveal
from purvey._hosts.change import Change, MakeOwnFolder, Remove, Write
from purvey._hosts.fact import Answers, ContentOf, Fact, StatOf
from purvey._script.fields import Input, Output
from purvey._script.resource import Resource
from purvey.errors import ProviderError
from purvey.providers import Absent, Call, Diff, Finding, Kind, Observed, Present, Recorded
from purvey.providers.host import HostProvider, Place, Work, place_of
from purvey.resources._given import bad, compared, matching, recorded, require, text, wished
from purvey.resources._inputs import absolute, require_absolute
from purvey.resources._programs import missing, program
from purvey.resources.users._account import (
    FILES,
    NAME,
    NAME_SAYS,
    NEVER,
    Account,
    about_account,
    about_group,
    about_hash,
    account_of,
    hash_of,
)
from purvey.resources.users._changes import MADE, changed, created, removed
from purvey.resources.users._crypt import hashed, is_of
from purvey.resources.users._words import explained

if TYPE_CHECKING:
    from purvey._hosts.step import Ended

_PROGRAMS: Final = (("useradd", "passwd"),)
_CLOSED: Final = re.compile(r"never|\d{4}-\d{2}-\d{2}")
_CLOSED_SAYS: Final = 'Write a day as "2030-12-31", or "never".'
_FIELD: Final = re.compile(r"[^:\n\r\0]*")
_FIELD_SAYS: Final = "No colon and no line end can stand in a line of passwd(5)."
_HASH: Final = re.compile(r"\$[0-9a-z]+\$[^\s:!]+")

_DESCRIBED: Final = frozenset({"uid", "group", "groups", "home", "create_home", "shell", "comment"})
"""What a script says of a user; a lock and a day are no part of what it is."""


class UserProvider(HostProvider["User"]):
    """Users in /etc/passwd, by the programs of shadow-utils."""

    adopts = True

    def facts(self, place: Place, subject: User) -> Sequence[Fact]:
        """See `HostProvider.facts`: the user, its hash where a password is wished, and what may be where its home shall be."""
        name = require(subject.name, NAME, "The name of a user", NAME_SAYS)
        hashes = [about_hash(name)] if _has_password(subject) else []
        kept = [ContentOf(_kept(place))] if place.undoes else []
        return [about_account(name), *hashes, *([StatOf(subject.home)] if subject.home is not None else []), *kept]

    def seen(self, place: Place, have: User, answers: Answers) -> Observed:
        """See `HostProvider.seen`: all of it, so that an undo knows what was there; `diff` compares what is wished."""
        account = account_of(answers, about_account(have.name)).account
        if account is None:
            return Absent()
        known: dict[str, Value] = {"locked": account.locked, "expires": account.expires} if account.locked is not None else {}
        return Present(have.name, {
            "name": have.name, "uid": account.uid, "group": account.group, "groups": list(account.groups), "home": account.home,
            "create_home": account.home_uid is not None, "shell": account.shell, "comment": account.comment, **known,
            **_outputs(have, account, answers), "revision": recorded(have, "revision"),
            "home_made_by": recorded(have, "home_made_by"), "own_group": recorded(have, "own_group", default=False),
        })  # fmt: skip

    def diff(self, kind: Kind, desired: Mapping[str, Value], recorded: Recorded | None, observed: Mapping[str, Value]) -> Diff:
        """See `Provider.diff`: what the script does not give may be as it is, and groups have no order."""
        wishes = compared(kind, desired, observed)
        if not desired.get("create_home"):
            wishes.pop("create_home", None)
        if isinstance(groups := desired.get("groups"), list | tuple) and "groups" in observed:
            wishes["groups"] = _compared_groups(groups, observed, append=bool(desired.get("append")))
        return super().diff(kind, desired, recorded, wishes)

    def named(self, object_id: str) -> Mapping[str, Value]:
        """See `Provider.named`: its name."""
        return {"name": object_id}

    async def describe(self, call: Call, want: User) -> Mapping[str, Value]:
        """See `Provider.describe`: all of it but the password, which nobody can read.

        Raises:
            ProviderError: ``not_found``.
        """
        question = about_account(want.name)
        seen = self.seen(place_of(call), want, await call.host.ask([question]))
        if isinstance(seen, Present):
            return {name: value for name, value in seen.values.items() if name in _DESCRIBED}
        raise ProviderError("not_found", "Nothing is there under this id", detail=f"There is no user {want.name}.")

    def make(self, place: Place, want: User, answers: Answers) -> Work:
        """See `HostProvider.make`; one that is there, whole or half made, is brought to the wish."""
        _require_words(want)
        found = account_of(answers, about_account(want.name))
        account = found.account
        new_hash = _new_hash(place, want, answers)
        if account is None:
            changes = created(want, found, new_hash, _touched(want))
        else:
            in_the_way = want.home is not None and answers[StatOf(want.home)] is not None
            keeping = _keeping(place, hash_of(answers, about_hash(want.name))) if new_hash is not None else ()
            changes = (*keeping, *changed(want, account, new_hash, _touched(want), in_the_way=in_the_way))
        own_group = account is None and want.group is None and not found.has_namesake
        outputs = {"revision": place.token, "home_made_by": "", "own_group": own_group}
        return Work(want.name, changes, outputs, _asked_after(want))

    def change(self, place: Place, have: User, want: User, answers: Answers) -> Work:
        """See `HostProvider.change`."""
        work = self.make(place, want, answers)
        outputs = {
            "revision": place.token,
            "home_made_by": recorded(have, "home_made_by"),
            "own_group": recorded(have, "own_group", default=False),
        }
        return Work(work.id, work.changes, outputs, work.after)

    def remove(self, place: Place, have: User, answers: Answers) -> Work:
        """See `HostProvider.remove`: its home stays unless the script says otherwise."""
        account = account_of(answers, about_account(have.name)).account
        return Work(have.name, (*removed(have, account, _touched(have), home=have.remove_home), *_forgotten(place, have)))

    def leaves(self, have: User) -> Sequence[str]:
        """See `Provider.leaves`: a home may hold what nobody else has."""
        home = recorded(have, "home_path") or have.home
        return (f"the home {home}",) if have.create_home and not have.remove_home and home else ()

    def take_back(self, place: Place, have: User, before: User | None, answers: Answers) -> Work:
        """See `HostProvider.take_back`: with the home that was made for it, and with the hash that it had."""
        account = account_of(answers, about_account(have.name)).account
        made_home = bool(place.undoes) and have.home_made_by == place.undoes
        if before is None:
            return Work(have.name, (*removed(have, account, _touched(have), home=made_home), *_forgotten(place, have)))
        if account is None:
            return Work(before.name, outputs=None)
        token, _, former_hash = (answers[ContentOf(_kept(place))] or b"").decode().partition(" ")
        new_hash = former_hash if token == place.undoes else None
        left = msgspec.structs.replace(account, home_uid=None) if made_home else account
        changes = changed(before.with_values(append=False), left, new_hash, _touched(have))
        return Work(before.name, (*changes, *([Remove(account.home, whole=True)] if made_home else [])), outputs=None)

    def learnt(self, want: User, work: Work, ended: Ended) -> Mapping[str, Value]:
        """See `HostProvider.learnt`: what the machine chose."""
        if not work.after:
            return {}
        account = account_of(ended.answers, about_account(want.name)).account
        if account is None:
            raise ProviderError("not_found", "A user vanished", detail=f"{want.name} was removed while it was worked on.")
        made = {"home_made_by": (work.outputs or {})["revision"]} if MADE in ended.out.splitlines() else {}
        return {**_outputs(want, account, ended.answers), **made}

    def explained(self, subject: User, error: ProviderError) -> ProviderError:
        """See `HostProvider.explained`."""
        return explained(error)

    def hazards(self, place: Place, want: User) -> Sequence[Fact]:
        """See `HostProvider.hazards`."""
        return [program(name) for name, _ in _PROGRAMS]

    def findings(self, place: Place, want: User, answers: Answers) -> Sequence[Finding]:
        """See `HostProvider.findings`."""
        return missing(place.address, _PROGRAMS, answers)

    def reaches(self, want: User) -> Sequence[str] | None:
        """See `HostProvider.reaches`: its home, which is made from a skeleton."""
        return (want.home or f"/home/{want.name}",) if want.create_home else ()

    def looks_at(self, want: User) -> Sequence[str] | None:
        """See `HostProvider.looks_at`: the machine's files."""
        return FILES

    def claims(self, want: User) -> Sequence[str]:
        """See `Provider.claims`."""
        return (f"user:{want.name}",)


class User(Resource, kind="users.User", provider=UserProvider, holds_data=True):
    """A user of a machine.

        deploy = users.User("deploy", groups=["sudo"], shell="/bin/bash", password=secret("env:DEPLOY_PASSWORD"))
        daemon = users.User("shop", system=True, home="/var/lib/shop")

    A user that is there already is taken over, and stays when its node goes. What is not given is left as it is. Where `home`
    changes, what is in the old one moves; where `uid` changes, the files in the home do, and no others.
    """

    name: str = Input(default=None, immutable=True, doc="Its name; by default the node's.")
    uid: int | None = Input(default=None, doc="Its number; by default the machine chooses one, and keeps it.")
    group: str | None = Input(default=None, doc="Its primary group; by default one of its own name.")
    groups: Sequence[str] | None = Input(default=None, doc="The other groups that it is in.")
    append: bool = Input(default=False, doc="Whether it stays in other groups than `groups`, too.")
    home: str | None = Input(default=None, doc="Its home; by default where the machine puts homes.")
    create_home: bool = Input(default=True, doc="Whether its home is made, from /etc/skel; by default not for a system user.")
    shell: str | None = Input(default=None, doc="Its login shell, by its path.")
    comment: str | None = Input(default=None, doc="Its full name, or what it is for.")
    system: bool = Input(default=False, doc="Whether a number is chosen from those of the system; counts when it is made.")
    locked: bool | None = Input(default=None, doc="Whether its password is locked; keys of SSH still let it in.")
    expires: str | None = Input(default=None, doc='The day from which nothing lets it in, "2030-12-31", or "never".')
    password: Secret | None = Input(default=None, secret=True, doc="Its password; the machine gets the hash only.")
    password_hash: Secret | None = Input(default=None, secret=True, doc="The hash instead, as crypt(5) has it.")
    remove_home: bool = Input(default=False, doc="Whether its home goes when it is removed.")

    assigned_uid: int = Output(doc="Its number.")
    assigned_gid: int = Output(doc="The number of its primary group.")
    home_path: str = Output(doc="Its home.")
    own_group: bool = Output(doc="Whether a group of its name was made with it, and goes with it.")
    home_made_by: str = Output(doc="The operation that made its home, so that an undo removes it; empty where none did.")
    password_fingerprint: str = Output(compared=True, doc="Changes when anybody changes the password; empty without one.")
    revision: str = Output(doc="Another one after each change, for what has to notice it.")

    @classmethod
    def prepare(cls, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:
        """See `Resource.prepare`.

        Raises:
            ScriptError: ``script.bad_input``, ``script.bad_path``.
        """
        known = {"create_home": not inputs.get("system", False), **inputs}
        matching(known, "name", NAME, NAME_SAYS)
        matching(known, "group", NAME, NAME_SAYS)
        matching(known, "expires", _CLOSED, _CLOSED_SAYS)
        for group in groups if isinstance(groups := known.get("groups"), list | tuple) else ():
            matching({"groups": group}, "groups", NAME, NAME_SAYS)
        _check_words(known)
        for name in ("home", "shell"):
            if known.get(name) is not None:
                known[name] = absolute(known[name], folder)
        return known


def _check_words(inputs: dict[str, Any]) -> None:
    """Refuse what would break a line of passwd(5), and two ways to give one password."""
    for name in ("comment", "home", "shell"):
        matching(inputs, name, _FIELD, _FIELD_SAYS)
    if inputs.get("password") is not None and inputs.get("password_hash") is not None:
        raise bad("Both `password` and `password_hash` were given.", "Give one of them.")
    if (day := text(inputs.get("expires"))) not in (None, NEVER):
        try:
            date.fromisoformat(str(day))
        except ValueError:
            raise bad(f"`expires` is {day!r}, which is no day.", _CLOSED_SAYS) from None


def _require_words(want: User) -> None:
    """Refuse what is known only now, and would be more in a line of passwd(5) or group(5) than its place there.

    Raises:
        ProviderError: ``invalid``.
    """
    for group in (*([want.group] if want.group is not None else []), *(want.groups or ())):
        require(group, NAME, "The name of a group", NAME_SAYS)
    if want.expires is not None:
        require(want.expires, _CLOSED, "The day from which nothing lets a user in", _CLOSED_SAYS)
    for name in ("comment", "home", "shell"):
        if (given := getattr(want, name)) is not None:
            require(given, _FIELD, f"`{name}` of a user", _FIELD_SAYS)
    for path in (want.home, want.shell):
        if path is not None:
            require_absolute(path)


def _asked_after(want: User) -> tuple[Fact, ...]:
    return (about_account(want.name), *([about_hash(want.name)] if _has_password(want) else []))


def _touched(subject: User) -> tuple[Fact, ...]:
    """Questions whose answers change with a user, others' among them."""
    return (about_account(subject.name), about_hash(subject.name), about_group(subject.name))


def _kept(place: Place) -> str:
    """Where the hash is that a user had before."""
    return f"{place.folder}/hash.before"


def _keeping(place: Place, former: str) -> tuple[Change, ...]:
    """Keep the hash that is there for an undo of this operation; a second attempt comes here only where it is still there."""
    return (MakeOwnFolder(place.folder), Write(_kept(place), f"{place.token} {former}".encode(), 0o600))


def _forgotten(place: Place, have: User) -> tuple[Change, ...]:
    return (Remove(_kept(place)), Remove(place.folder, if_empty=True)) if _has_password(have) else ()


def _has_password(subject: User) -> bool:
    return wished(subject, "password") or wished(subject, "password_hash")


def _compared_groups(wish: Sequence[Value], observed: Mapping[str, Value], *, append: bool) -> list[Value]:
    """The groups in the order of the script's; with `append` those only that the script names."""
    there = observed["groups"]
    assert isinstance(there, list)  # `seen` gives it.
    present = [name for name in wish if name in there or name == observed.get("group")]
    return present if append else [*present, *(name for name in there if name not in present)]


def _outputs(want: User, account: Account, answers: Answers) -> dict[str, Value]:
    question = about_hash(want.name)
    bare = hash_of(answers, question).lstrip("!") if question in answers else ""
    return {
        "assigned_uid": account.uid, "assigned_gid": account.gid, "home_path": account.home,
        "password_fingerprint": hashlib.sha256(bare.encode()).hexdigest()[:32] if bare else "",
    }  # fmt: skip


def _new_hash(place: Place, want: User, answers: Answers) -> str | None:
    """The hash that is to be set, with the mark of a lock; None where the right one is there, or none is wished.

    Raises:
        ProviderError: ``invalid`` for what is no hash.
    """
    if not _has_password(want):
        return None
    former = hash_of(answers, about_hash(want.name))
    bare = former.lstrip("!")
    if want.password is not None:
        plain = str(reveal(want.password))
        wish = bare if is_of(plain, bare) else hashed(plain, place.entropy)
    else:
        wish = _checked(want.name, str(reveal(want.password_hash)))
    if wish == bare:
        return None
    stays_locked = former.startswith("!") and bare not in ("", "*")
    return f"!{wish}" if (stays_locked if want.locked is None else want.locked) else wish


def _checked(name: str, given: str) -> str:
    if _HASH.fullmatch(given):
        return given
    raise ProviderError(
        "invalid", "A hash is none", detail=f"`password_hash` of {name} is not what crypt(5) makes.",
        hint="Make one, or give the password itself as `password`:\n\n    openssl passwd -6",
    )  # fmt: skip
