"""What a machine's own files say of one user and one group: a question in one process, and its answer as values. Pure.

Only what concerns the one that is asked about is in an answer, so that it stays the same whatever becomes of others. The
directory services that a machine may ask besides its files are left out: nothing in them is purvey's to change.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Final

import msgspec

from purvey._hosts.fact import Answers, Ask
from purvey.errors import HostError

NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")
FILES: Final = ("/etc/passwd", "/etc/group", "/etc/shadow")
NAME_SAYS: Final = "Begin with a letter or `_`, then letters, digits, `_`, `-` and `.`, at most 32."

_ACCOUNT: Final = r"""
while IFS=: read -r name password uid gid comment home shell || [ -n "$name" ]; do
  if [ "$name" = "$1" ]; then
    printf 'account:%s:%s:%s:%s:%s\n' "$uid" "$gid" "$comment" "$home" "$shell"
    own=$gid
    if [ -d "$home" ]; then printf 'home:%s\n' "$(stat -c %u -- "$home")"; fi
  fi
done </etc/passwd || exit 3
while IFS=: read -r name password gid members || [ -n "$name" ]; do
  if [ "$name" = "$1" ]; then printf 'namesake:%s\n' "$gid"; fi
  if [ "$gid" = "$own" ]; then printf 'primary:%s\n' "$name"; fi
  case ",$members," in *",$1,"*) printf 'member:%s\n' "$name" ;; esac
done </etc/group || exit 3
if [ ! -r /etc/shadow ]; then exit 0; fi
while IFS=: read -r name password changed least most warn idle expires rest || [ -n "$name" ]; do
  if [ "$name" = "$1" ]; then
    case $password in '!'*) locked=locked ;; *) locked=open ;; esac
    case $password in '' | *[!!*]*) ;; *) locked=none ;; esac
    printf 'shadow:%s:%s\n' "$locked" "$expires"
  fi
done </etc/shadow
"""

_HASH: Final = r"""
while IFS=: read -r name password rest || [ -n "$name" ]; do
  if [ "$name" = "$1" ]; then printf '%s\n' "$password"; fi
done </etc/shadow || exit 3
"""

_GROUP: Final = r"""
while IFS=: read -r name password gid members || [ -n "$name" ]; do
  if [ "$name" = "$1" ]; then printf '%s\n' "$gid"; fi
done </etc/group || exit 3
"""

_EPOCH: Final = date(1970, 1, 1)
NEVER: Final = "never"


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A user, as the machine's files have it.

    Args:
        uid: Its number.
        gid: The number of its primary group.
        comment: What passwd(5) calls the comment field.
        home: Its home.
        shell: Its login shell.
        group: The name of its primary group; the number where it has none.
        groups: The other groups that it is in.
        home_uid: Who owns its home; None where there is no such directory.
        locked: Whether its password is locked; None where we may not read that.
        has_password: Whether there is one, locked or not; False where we may not read that.
        expires: The day from which nothing lets it in, ``YYYY-MM-DD``, or ``never``; None where we may not read that.
    """

    uid: int
    gid: int
    comment: str
    home: str
    shell: str
    group: str
    groups: tuple[str, ...] = ()
    home_uid: int | None = None
    locked: bool | None = None
    has_password: bool = False
    expires: str | None = None


class Answer(msgspec.Struct, frozen=True):
    """What there is.

    Args:
        account: The user; None if there certainly is none.
        has_namesake: Whether there is a group of its name.
    """

    account: Account | None
    has_namesake: bool = False


def about_account(name: str) -> Ask:
    """The question about a user."""
    return Ask(("sh", "-c", _ACCOUNT, "sh", name))


def about_hash(name: str) -> Ask:
    """The question about the hash of a user's password."""
    return Ask(("sh", "-c", _HASH, "sh", name))


def hash_of(answers: Answers, question: Ask) -> str:
    """The hash with the mark of a lock; empty where there is no such user.

    Raises:
        HostError: if it cannot be told.
    """
    said = answers[question]
    if said.returncode:
        raise _unreadable("/etc/shadow", "")
    return said.text()


def about_group(name: str) -> Ask:
    """The question about a group's number."""
    return Ask(("sh", "-c", _GROUP, "sh", name))


def group_of(answers: Answers, question: Ask) -> int | None:
    """A group's number; None if there certainly is no such group.

    Raises:
        HostError: if it cannot be told.
    """
    said = answers[question]
    if said.returncode or not re.fullmatch(r"(\d+\n)*", said.stdout.decode(errors="replace")):
        raise _unreadable("/etc/group", said.text())
    lines = said.text().splitlines()
    return int(lines[0]) if lines else None


def account_of(answers: Answers, question: Ask) -> Answer:
    """What there is.

    Raises:
        HostError: if it cannot be told.
    """
    said = answers[question]
    text = said.stdout.decode(errors="replace")
    if said.returncode:
        raise _unreadable("/etc/passwd or /etc/group", text)
    told: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, _, rest = line.partition(":")
        told.setdefault(key, []).append(rest)
    try:
        account = _account(told) if "account" in told else None
    except (ValueError, OverflowError):
        raise _unreadable("/etc/passwd, /etc/group or /etc/shadow", text) from None
    return Answer(account, "namesake" in told)


def _account(told: dict[str, list[str]]) -> Account:
    uid, gid, comment, home, shell = told["account"][0].split(":", 4)
    lock, _, days = told["shadow"][0].partition(":") if "shadow" in told else ("", "", "")
    primary = told.get("primary", [])
    return Account(
        uid=int(uid), gid=int(gid), comment=comment, home=home, shell=shell, group=(primary or [gid])[0],
        groups=tuple(name for name in told.get("member", []) if name not in primary),
        home_uid=int(told["home"][0]) if "home" in told else None,
        locked=lock != "open" if lock else None, has_password=lock in ("open", "locked"),
        expires=day_of(days) if lock else None,
    )  # fmt: skip


def day_of(days: str) -> str:
    """The date of a number of days since 1970, as shadow(5) has it."""
    return str(_EPOCH + timedelta(int(days))) if days not in ("", "-1") else NEVER


def _unreadable(what: str, said: str) -> HostError:
    return HostError(
        "failed", "A machine's users could not be read", detail=f"{what} cannot be read, or not be understood:\n{said[:500]}"
    )
