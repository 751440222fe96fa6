"""Users and groups of this machine, by name and by number."""

from __future__ import annotations

import grp
import os
import pwd

from purvey._hosts.connector import User
from purvey.errors import HostError


def user(name: str) -> User | None:
    """See `Connector.user`."""
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return User(entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir)


def groups_of(account: User) -> list[int]:
    """The numbers of all groups that a user is in."""
    return os.getgrouplist(account.name, account.gid)


def user_name(uid: int) -> str:
    """The user's name; the number if there is none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def group_name(gid: int) -> str:
    """The group's name; the number if there is none."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def uid_of(owner: str | None) -> int:
    """The number of a user; -1, which changes nothing, for None."""
    if owner is None:
        return -1
    try:
        return pwd.getpwnam(owner).pw_uid
    except KeyError:
        return _number(owner, "user")


def gid_of(group: str | None) -> int:
    """The number of a group; -1, which changes nothing, for None."""
    if group is None:
        return -1
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        return _number(group, "group")


def _number(name: str, kind: str) -> int:
    if name.isdecimal():
        return int(name)
    raise HostError(
        "not_found",
        f"There is no such {kind}",
        detail=f"A file is to belong to the {kind} {name!r}, which this machine does not know.",
        hint=f"Create it, or name another one:\n  {kind}add --system {name}",
    )
