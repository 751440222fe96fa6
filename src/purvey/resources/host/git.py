"""Repositories checked out on a machine: at a branch, a tag or a commit.

A checkout is made in place, in steps each of which may be repeated, so that one that was cut off is finished and not refused.
What somebody has changed in it is never overwritten, nor are commits lost that are nowhere else. What came from the repository
is remembered by the refs `refs/purvey/now` and `next`, for a branch may begin anew there. A password goes to git by its
environment, through a helper that the command line names without it, and that is asked for the repository's own host alone.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from purvey._base.value import Secret, Value, reveal
from purvey._hosts.change import Change, Remove, Run
from purvey._hosts.command import Command
from purvey._hosts.fact import Answers, Ask, Fact, StatOf
from purvey._script.fields import Input, Output
from purvey._script.resource import Resource
from purvey.errors import HostError, ProviderError
from purvey.providers import Absent, Diff, Finding, Kind, Observed, Present, Recorded
from purvey.providers.host import HostProvider, Place, Work
from purvey.resources._given import bad, compared, matching, recorded, require, text, wished
from purvey.resources._inputs import absolute, require_absolute
from purvey.resources._paths import above, blocked
from purvey.resources._programs import missing, program

if TYPE_CHECKING:
    from purvey._hosts.step import Ended

_PROGRAMS: Final = (("git", "git"),)
_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_COMMIT_SAYS: Final = "Give all of its 40 digits: a part of them may mean another commit one day."
_NAME: Final = re.compile(r"(?!-)(?!.*\.\.)[^\x00-\x20~^:?*\[\\\x7f]+")
_NAME_SAYS: Final = "Name it as git does: no blanks, no leading hyphen."

_REPOSITORY: Final = re.compile(r"(?!-)(?!\w+://[^/@]*:[^/@]*@)[^\n\r\0]+")
_REPOSITORY_SAYS: Final = "Give the password as `password=secret(…)`."

_AS: Final = r"""
if [ -z "$1" ] || [ "$1" = "$(id -un)" ]; then shift; exec "$@"; fi
user=$1
shift
exec su -s /bin/sh -c 'exec "$0" "$@"' -- "$user" "$@"
"""

_LOOK: Final = r"""
if [ ! -d "$1/.git" ]; then exit 0; fi
cd -- "$1" || exit 3
printf 'repository %s\n' "$(git config --get remote.origin.url)"
printf 'commit %s\n' "$(git rev-parse --verify --quiet HEAD)"
printf 'branch %s\n' "$(git symbolic-ref --short --quiet HEAD)"
git status --porcelain --untracked-files=no | while IFS= read -r line; do printf 'changed %s\n' "$line"; done
printf 'unknown %s\n' "$(git status --porcelain --untracked-files=normal | head -n 1)"
own() { git rev-list --max-count=1 "$@" --not --remotes --glob=refs/purvey; }
if [ -n "$(own --branches $(git rev-parse --verify --quiet HEAD) $(git rev-parse --verify --quiet refs/stash))" ]; then
  for ref in HEAD $(git for-each-ref --format='%(refname)' refs/heads refs/stash); do
    [ -z "$(own "$ref")" ] || printf 'own %s %s\n' "$ref" "$(git log -1 --format='%h %s' "$ref" --)"
  done
fi
if [ -n "$2" ]; then
  export GIT_TERMINAL_PROMPT=0 GIT_SSH_COMMAND='ssh -oBatchMode=yes'
  printf 'there %s\n' "$(git ls-remote -- "$3" "$2" | cut -f1 | tail -n 1)"
fi
"""

_CHECK_OUT: Final = r"""
set -eu
path=$1 repository=$2 how=$3 name=$4 submodules=$5 host=$6
umask 022
export GIT_TERMINAL_PROMPT=0
helper='!f() { printf "username=%s\npassword=%s\n" "$PURVEY_GIT_USER" "$PURVEY_GIT_PASSWORD"; }; f'
git() {
  if [ -z "${PURVEY_GIT_PASSWORD-}" ]; then command git "$@"; return; fi
  command git -c credential.helper= -c "credential.$host.helper=$helper" -c http.followRedirects=false "$@"
}
to() { # COMMIT
  next=$(git rev-parse --verify "$1^{commit}")
  there=$(git rev-parse --verify --quiet HEAD || :)
  if [ "$there" = "$(git rev-parse --verify --quiet refs/purvey/next || echo none)" ]; then
    git update-ref refs/purvey/now "$there"
  fi
  git update-ref refs/purvey/next "$next"
}
[ -d "$path" ] || mkdir -- "$path"
cd -- "$path"
[ -d .git ] || git init --quiet
git config remote.origin.url "$repository"
git config remote.origin.fetch '+refs/heads/*:refs/remotes/origin/*'
case $how in
  branch)
    git fetch --quiet origin "+refs/heads/$name:refs/remotes/origin/$name"
    to "refs/remotes/origin/$name"
    git checkout --quiet -B "$name" "refs/remotes/origin/$name"
    ;;
  tag)
    git fetch --quiet origin "+refs/tags/$name:refs/tags/$name"
    to "refs/tags/$name"
    git checkout --quiet --detach "refs/tags/$name"
    ;;
  commit)
    git cat-file -e "$name^{commit}" 2>/dev/null || git fetch --quiet --tags origin
    to "$name"
    git checkout --quiet --detach "$name"
    ;;
esac
if [ -n "$submodules" ]; then git submodule --quiet update --init --recursive; fi
"""


class Checkout(msgspec.Struct, frozen=True, kw_only=True):
    """What is there.

    Args:
        repository: Where it comes from.
        commit: What is checked out; empty for nothing yet.
        branch: On which branch; empty for none.
        changed: Files that somebody has changed.
        unknown: One of the files that git neither knows nor ignores; one that is changed, where there are such.
        own: Commits that are nowhere else, each after the ref that has it.
        there: What the branch or tag means in the repository now; empty where that was not asked, or not told.
    """

    repository: str
    commit: str
    branch: str
    changed: tuple[str, ...]
    unknown: str
    own: tuple[str, ...]
    there: str


class GitProvider(HostProvider["Git"]):
    """Checkouts, by the machine's own git, as the user whose they are."""

    long_calls = True

    def facts(self, place: Place, subject: Git) -> Sequence[Fact]:
        """See `HostProvider.facts`: the checkout, and what its branch or tag means now, unless that takes a password."""
        if not _REPOSITORY.fullmatch(subject.repository):
            raise ProviderError(
                "invalid", "A value came out as one that cannot be",
                detail="`repository` came out as what holds a password, begins with a hyphen, or has more than one line.",
                hint=_REPOSITORY_SAYS,
            )  # fmt: skip
        return [StatOf(require_absolute(subject.path)), _question(subject)]

    def seen(self, place: Place, have: Git, answers: Answers) -> Observed:
        """See `HostProvider.seen`: a branch that has moved on shows as another commit."""
        found = _found(answers, have)
        if found is None or not found.commit:
            return Absent()
        values: dict[str, Value] = {
            "path": have.path, "repository": found.repository, "branch": found.branch or None, "commit": found.commit,
            "head": found.commit if found.there in ("", found.commit) else f"{found.commit} behind {found.there}",
        }  # fmt: skip
        return Present(have.path, {**values, "revision": recorded(have, "revision")})

    def diff(self, kind: Kind, desired: Mapping[str, Value], recorded: Recorded | None, observed: Mapping[str, Value]) -> Diff:
        """See `Provider.diff`: a commit where none is given may be any; a tag is told by its commit alone."""
        seen = compared(kind, desired, observed)
        if seen.get("branch") is None:
            seen.pop("branch", None)
        return super().diff(kind, desired, recorded, seen)

    def make(self, place: Place, want: Git, answers: Answers) -> Work:
        """See `HostProvider.make`.

        Raises:
            ProviderError: ``conflict`` where files are in the way, or somebody's changes or commits would be lost.
        """
        status, found = answers[StatOf(want.path)], _found(answers, want)
        if found is None and status is not None and status.kind != "directory":
            raise _in_the_way(f"{want.path} is a {status.kind}.")
        if found is not None:
            _require_unchanged(want, found, _moved(found, want.branch))
        return Work(want.path, _checked_out(want, found), {"revision": place.token}, after=(_question(want),))

    def change(self, place: Place, have: Git, want: Git, answers: Answers) -> Work:
        """See `HostProvider.change`."""
        return self.make(place, want, answers)

    def remove(self, place: Place, have: Git, answers: Answers) -> Work:
        """See `HostProvider.remove`.

        Raises:
            ProviderError: ``conflict`` where anything would be lost that is nowhere else.
        """
        found = _found(answers, have)
        if found is not None:
            _require_unchanged(have, found, found.own)
            if found.unknown:
                raise _unknown(have, found)
        return Work(have.path, (Remove(have.path, whole=True),) if found is not None else ())

    def take_back(self, place: Place, have: Git, before: Git | None, answers: Answers) -> Work:
        """See `HostProvider.take_back`: to the commit that was there, which the checkout still has."""
        if before is None:
            return self.remove(place, have, answers)
        found = _found(answers, have)
        if found is not None:
            _require_unchanged(have, found, _moved(found, before.branch))
        former = before.commit or recorded(before, "head", "")
        back = ["checkout", "--quiet", *(["-B", before.branch] if before.branch else ["--detach"]), str(former)]
        changes: list[Change] = [_run(have, ("git", "-C", have.path, "config", "remote.origin.url", before.repository))]
        changes += [_run(have, ("git", "-C", have.path, *back))] if former else []
        return Work(before.path, tuple(changes), outputs=None)

    def learnt(self, want: Git, work: Work, ended: Ended) -> Mapping[str, Value]:
        """See `HostProvider.learnt`: the commit that is there."""
        if not work.after:
            return {}
        found = _found(ended.answers, want)
        return {"head": found.commit if found is not None else ""}

    def explained(self, subject: Git, error: ProviderError) -> ProviderError:
        """See `HostProvider.explained`."""
        error.detail = error.detail.replace(shlex.quote(_CHECK_OUT), "…")
        said = error.detail
        if "couldn't find remote ref" in said or "did not match any" in said or "unable to read tree" in said:
            return ProviderError("not_found", "A repository has no such branch, tag or commit", detail=said)
        if "requested URL returned error: 30" in said:
            return ProviderError(
                "failed", "A repository's address leads to another place", detail=said,
                hint="Give that one; a password is not sent on to others.",
            )  # fmt: skip
        if "Authentication failed" in said or "Permission denied" in said or "could not read Username" in said:
            return ProviderError(
                "denied", "A repository does not let the machine in", detail=said,
                hint="Give `username` and `password`, or let the machine's own key in.",
            )  # fmt: skip
        return error

    def hazards(self, place: Place, want: Git) -> Sequence[Fact]:
        """See `HostProvider.hazards`."""
        return [*above(want.path), *(program(name) for name, _ in _PROGRAMS)]

    def findings(self, place: Place, want: Git, answers: Answers) -> Sequence[Finding]:
        """See `HostProvider.findings`."""
        return [*blocked(place.address, want.path, answers), *missing(place.address, _PROGRAMS, answers)]

    def reaches(self, want: Git) -> Sequence[str] | None:
        """See `HostProvider.reaches`: the checkout."""
        return (want.path,)

    def looks_at(self, want: Git) -> Sequence[str] | None:
        """See `HostProvider.looks_at`: the checkout."""
        return (want.path,)

    def claims(self, want: Git) -> Sequence[str]:
        """See `Provider.claims`."""
        return (f"path:{want.path}",)


class Git(Resource, kind="host.Git", provider=GitProvider):
    """A repository checked out on a machine.

        site = host.Git("site", repository="https://example.org/site.git", path="/srv/site", tag="v1.4", user="deploy")

    A branch is followed: every plan asks the repository where it is. It is not where a `password` is needed for that; then it
    moves on when something else of the node changes. The password goes to the repository's own host, and to no other.

    Files that somebody has changed are never overwritten, and keep it from being changed or removed; so do commits that would
    be nowhere then. Files that git does not know are left alone, and keep it from being removed; those that it is told to
    ignore go with it.
    """

    path: str = Input(immutable=True, doc="Where; the folder above it is there.")
    repository: str = Input(doc="The repository, as git has it, without a password in it.")
    branch: str | None = Input(default=None, doc="The branch that is followed.")
    tag: str | None = Input(default=None, doc="The tag that is checked out.")
    commit: str | None = Input(default=None, doc="The commit that is checked out, in full.")
    user: str | None = Input(default=None, doc="Whose it is; by default of whom purvey works as.")
    username: str = Input(default="git", doc="Who asks the repository, where it wants a password.")
    password: Secret | None = Input(default=None, secret=True, doc="The password, or a token, for a repository behind HTTPS.")
    submodules: bool = Input(default=False, doc="Whether its submodules are checked out as well.")

    head: str = Output(compared=True, doc="The commit that is checked out.")
    revision: str = Output(doc="Another one after each change, for what has to notice it.")

    @classmethod
    def prepare(cls, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:
        """See `Resource.prepare`.

        Raises:
            ScriptError: ``script.bad_input``, ``script.bad_path``.
        """
        given = [name for name in ("branch", "tag", "commit") if inputs.get(name) is not None]
        if len(given) != 1:
            problem = f"It was given {' and '.join(f'`{name}`' for name in given) or 'none of them'}."
            raise bad(problem, "Say what is checked out: exactly one of `branch`, `tag` and `commit`.")
        matching(inputs, "branch", _NAME, _NAME_SAYS)
        matching(inputs, "tag", _NAME, _NAME_SAYS)
        matching(inputs, "commit", _COMMIT, _COMMIT_SAYS)
        repository = text(inputs.get("repository"))
        if repository is not None and not _REPOSITORY.fullmatch(repository):
            raise bad("`repository` holds a password, or begins with a hyphen.", _REPOSITORY_SAYS)
        return {**inputs, "path": absolute(inputs["path"], folder)} if "path" in inputs else inputs


def _question(subject: Git) -> Ask:
    """The question; a branch or a tag is looked up in the repository where nothing secret is needed for it."""
    ref = f"refs/heads/{subject.branch}" if subject.branch else ""
    asks = "" if wished(subject, "password") else ref
    return Ask(("sh", "-c", _AS, "sh", subject.user or "", "sh", "-c", _LOOK, "sh", subject.path, asks, subject.repository))


def _found(answers: Answers, subject: Git) -> Checkout | None:
    """What is there; None if it is no checkout.

    Raises:
        HostError: if it cannot be told.
    """
    said = answers[_question(subject)]
    if said.returncode:
        raise HostError("failed", "A checkout could not be looked at", detail=f"{subject.path}: {said.text()[:500]}")
    told: dict[str, list[str]] = {}
    for line in said.text().splitlines():
        key, _, rest = line.partition(" ")
        told.setdefault(key, []).append(rest)
    if "repository" not in told:
        return None
    first = {key: lines[0] for key, lines in told.items()}
    return Checkout(
        repository=first["repository"], commit=first.get("commit", ""), branch=first.get("branch", ""),
        changed=tuple(told.get("changed", ())), unknown=first.get("unknown", ""), own=tuple(told.get("own", ())),
        there=first.get("there", ""),
    )  # fmt: skip


def _checked_out(want: Git, found: Checkout | None) -> tuple[Change, ...]:
    """The checkout, unless it is certain that it is right already."""
    how, name = next(
        (how, str(value)) for how, value in (("branch", want.branch), ("tag", want.tag), ("commit", want.commit)) if value
    )
    require(name, _COMMIT if how == "commit" else _NAME, f"The {how}", _COMMIT_SAYS if how == "commit" else _NAME_SAYS)
    if found is not None and found.repository == want.repository:
        if how == "commit" and found.commit == want.commit:
            return ()
        if how == "branch" and found.branch == name and found.there == found.commit != "":
            return ()
    words = (want.path, want.repository, how, name, "submodules" if want.submodules else "", _host(want.repository))
    return (_run(want, ("sh", "-c", _CHECK_OUT, "sh", *words), password=True),)


def _host(repository: str) -> str:
    """Who gets the password, as git names it; nobody gets one otherwise than by HTTP."""
    found = re.match(r"(https?://)(?:[^/@]*@)?([^/]+)", repository)
    return found[1] + found[2] if found is not None else "none"


def _run(subject: Git, argv: tuple[str, ...], *, password: bool = False) -> Run:
    secret = {}
    if password and subject.password is not None:
        secret = {"PURVEY_GIT_USER": subject.username, "PURVEY_GIT_PASSWORD": str(reveal(subject.password))}
    return Run(Command(argv, user=subject.user, secret_env=secret, cwd="/"), touches=None)


def _in_the_way(problem: str) -> ProviderError:
    return ProviderError(
        "conflict", "Something else stands where a checkout shall be", detail=problem, hint="Move it away, then run again."
    )


def _moved(found: Checkout, branch: str | None) -> list[str]:
    """Commits that are nowhere any more when that branch, or no branch, is checked out at another commit."""
    lost = {f"refs/heads/{branch}", "HEAD" if not found.branch else ""}
    return [line for line in found.own if line.partition(" ")[0] in lost]


def _require_unchanged(subject: Git, found: Checkout, lost: Sequence[str]) -> None:
    """Refuse to touch what somebody has changed, or to lose his commits.

    Raises:
        ProviderError: ``conflict``.
    """
    if found.changed:
        shown = "\n".join(f"  {line}" for line in found.changed[:10])
        raise ProviderError(
            "conflict", "Files of a checkout have been changed by hand", detail=f"In {subject.path} git tells:\n{shown}",
            hint=f"Keep what is worth it elsewhere, then put them back:\n\n    git -C {subject.path} checkout .",
        )  # fmt: skip
    if lost:
        shown = "\n".join(f"  {line}" for line in lost[:10])
        raise ProviderError(
            "conflict", "Commits in a checkout are nowhere else", detail=f"In {subject.path} somebody has made\n{shown}",
            hint=f"Push them to another branch, or fetch them from there; what is not worth it can go:\n\n"
            f"    git -C {subject.path} reset --hard origin/{subject.branch or 'BRANCH'}",
        )  # fmt: skip


def _unknown(subject: Git, found: Checkout) -> ProviderError:
    return ProviderError(
        "conflict", "A checkout has files that git does not know", detail=f"In {subject.path} git tells:\n  {found.unknown}",
        hint=f"Keep what is worth it elsewhere; see what there is with\n\n    git -C {subject.path} status",
    )  # fmt: skip
