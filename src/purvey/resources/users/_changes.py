"""What is done to a machine's user, as data: by which programs it gets from what it is to what it shall be. Pure.

A home is made by a script of our own and not by ``useradd -m``: it is built beside its place and put there whole, so that a
home that is there is never a half of one, and a missing one is made in the same way for a user who has been there for long.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from purvey._hosts.change import Change, Remove, Run
from purvey._hosts.command import Command
from purvey.errors import ProviderError
from purvey.resources.users._account import NEVER

if TYPE_CHECKING:
    from purvey._hosts.fact import Fact
    from purvey.resources.users._account import Account, Answer
    from purvey.resources.users.user import User

_MAKE_HOME: Final = r"""
set -eu
IFS=: read -r home uid gid <<LINE
$(while IFS=: read -r name password uid gid comment home shell; do
  if [ "$name" = "$1" ]; then printf '%s:%s:%s\n' "$home" "$uid" "$gid"; fi
done </etc/passwd)
LINE
if [ -d "$home" ]; then exit 0; fi
new=${home%/}.purvey
rm -rf -- "$new"
umask 022
mkdir -p -- "${home%/*}/"
umask 077
mkdir -- "$new"
if [ -d /etc/skel ]; then cp -R -P -- /etc/skel/. "$new"; fi
chown -R -h -- "$uid:$gid" "$new"
chmod 700 -- "$new"
mv -T -- "$new" "$home"
if command -v restorecon >/dev/null; then restorecon -R -- "$home"; fi
echo made
"""
"""Mode 0700, as login.defs(5) of the present distributions has it. The home is asked for here, for `useradd` may choose it; and
`MADE` is said where there was none."""

MADE: Final = b"made"

_NO_USER: Final = 6
"""What `userdel` ends with where there is no such user any more, as when it is repeated."""

_GROUP_BACK: Final = r"""
while IFS=: read -r name rest; do
  if [ "$name" = "$1" ]; then exit 0; fi
done </etc/group
exec groupadd -g "$2" -- "$1"
"""
"""The program that removes a user takes an empty group of its name along, also one that was there before the user."""


def created(want: User, found: Answer, new_hash: str | None, touched: Sequence[Fact]) -> tuple[Change, ...]:
    """How a user is made who is not there.

    Raises:
        ProviderError: ``invalid`` for one who is to be unlocked and has no password.
    """
    if want.locked is False and new_hash is None:
        raise _open(want)
    options: list[str] = ["-M"]
    if want.group is not None:
        options += ["-N", "-g", want.group]
    elif found.has_namesake:  # Another group of its name cannot be made.
        options += ["-N", "-g", want.name]
    else:
        options += ["-U"]
    if want.system:
        options += ["-r"]
    for letter, value in (("-u", want.uid), ("-d", want.home), ("-s", want.shell), ("-c", want.comment)):
        options += [letter, str(value)] if value is not None else []
    options += ["-G", ",".join(want.groups)] if want.groups else []
    options += ["-e", want.expires] if want.expires not in (None, NEVER) else []
    return (_run("useradd", *options, "--", want.name, touched=touched), *_secret(want.name, new_hash, touched), *_home(want))


def changed(
    want: User, account: Account, new_hash: str | None, touched: Sequence[Fact], *, in_the_way: bool = False
) -> tuple[Change, ...]:
    """How a user who is there becomes what is wished.

    Args:
        want: The wish.
        account: What is there.
        new_hash: The hash that is to be set; None for none.
        touched: Questions of others whose answers change.
        in_the_way: Whether something is where another home shall be.

    Raises:
        ProviderError: ``invalid`` for one who is to be unlocked and has no password.
    """
    along = _moves(want, account) and want.create_home and account.home_uid == account.uid and not in_the_way
    home = [*(["-d", str(want.home)] if _moves(want, account) else []), *(["-m"] if along else [])]
    options = [*_numbers(want, account), *home, *_texts(want, account), *_memberships(want, account)]
    reach = None if {"-u", "-g", "-d"} & {*options} else touched
    runs = [_run("usermod", *options, "--", want.name, touched=reach)] if options else []
    if want.locked not in (None, account.locked) and new_hash is None:
        if not want.locked and not account.has_password:  # The program only warns.
            raise _open(want)
        runs.append(_run("usermod", "-L" if want.locked else "-U", "--", want.name, touched=touched))
    lacks_home = not in_the_way if _moves(want, account) else account.home_uid is None
    needs_home = want.create_home and lacks_home and not along
    return (*runs, *_secret(want.name, new_hash, touched), *(_home(want) if needs_home else ()))


def removed(have: User, account: Account | None, touched: Sequence[Fact], *, home: bool) -> tuple[Change, ...]:
    """How a user goes: first the user, whom the program does not remove while it is at work, and only then its home.

    Args:
        have: The user.
        account: What is there of it.
        touched: Questions of others whose answers change.
        home: Whether its home goes as well.

    Raises:
        ProviderError: ``denied`` for root, and for a home that belongs to somebody else.
    """
    if account is None:
        return ()
    if account.uid == 0:
        raise _refused(f"{have.name} is root, without whom no machine works.", "Keep it with Options(retain=True).")
    homes: list[Change] = []
    if home and account.home_uid is not None:
        if account.home_uid != account.uid:
            raise _refused(
                f"{account.home}, the home of {have.name}, belongs to the user with number {account.home_uid}.",
                "Look what it is; then give `remove_home=False`, so that it stays.",
            )
        homes = [Remove(account.home, whole=True)]
    away = Run(Command(("userdel", "--", have.name)), codes=(0, _NO_USER), touches=tuple(touched))
    groups: list[Change] = []
    if account.group == have.name and not have.own_group:
        groups = [_run("sh", "-c", _GROUP_BACK, "sh", have.name, str(account.gid), touched=touched)]
    return (away, *groups, *homes)


def _numbers(want: User, account: Account) -> list[str]:
    options = ["-u", str(want.uid)] if want.uid not in (None, account.uid) else []
    return [*options, *(["-g", want.group] if want.group is not None and want.group != account.group else [])]


def _moves(want: User, account: Account) -> bool:
    return want.home is not None and want.home != account.home


def _texts(want: User, account: Account) -> list[str]:
    options = []
    for letter, wish, now in (("-s", want.shell, account.shell), ("-c", want.comment, account.comment)):
        options += [letter, wish] if wish is not None and wish != now else []
    if want.expires is not None and want.expires != account.expires:
        options += ["-e", "" if want.expires == NEVER else want.expires]
    return options


def _memberships(want: User, account: Account) -> list[str]:
    if want.groups is None:
        return []
    missing = [name for name in want.groups if name not in account.groups and name != account.group]
    if want.append:
        return ["-a", "-G", ",".join(missing)] if missing else []
    surplus = set(account.groups) - {*want.groups}
    return ["-G", ",".join(want.groups)] if missing or surplus else []


def _secret(name: str, new_hash: str | None, touched: Sequence[Fact]) -> tuple[Change, ...]:
    if new_hash is None:
        return ()
    return (Run(Command(("chpasswd", "-e"), stdin=f"{name}:{new_hash}\n".encode()), touches=tuple(touched)),)


def _home(want: User) -> tuple[Change, ...]:
    return (Run(Command(("sh", "-c", _MAKE_HOME, "sh", want.name)), touches=None),) if want.create_home else ()


def _run(*argv: str, touched: Sequence[Fact] | None) -> Run:
    return Run(Command(argv), touches=None if touched is None else tuple(touched))


def _open(want: User) -> ProviderError:
    return ProviderError(
        "invalid", "A user without a password cannot be unlocked",
        detail=f"`locked` of {want.name} is False, and anybody could log in as one without a password.",
        hint="Give a `password`, or leave `locked` out: keys of SSH let in one whose password is locked.",
    )  # fmt: skip


def _refused(problem: str, hint: str) -> ProviderError:
    return ProviderError("denied", "A user is not removed", detail=problem, hint=hint)
