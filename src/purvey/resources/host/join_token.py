"""Tokens by which a machine joins others: made for one machine, good for minutes, taken back when it has joined.

    token = host.JoinToken(
        "web", on=control, holder=vm.id, create=["kubeadm", "token", "create", "--ttl", "{ttl_s}s"],
        listed=["kubeadm", "token", "list"], revoke=["kubeadm", "token", "delete", "{id}"],
    )
    joined = host.Command("join", on=web, command=["/opt/join"], stdin=token.token, creates="/etc/kubernetes/kubelet.conf")
    host.Revocation("web", on=control, token=token, opts=Options(after=[joined]))

The token ends in one of three ways. The revocation takes it back in the same run; a run that fails takes it back in its undo;
and where nobody comes any more, it expires.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from purvey._hosts.command import Command, check
from purvey._script.fields import Input, Output
from purvey._script.resource import Resource
from purvey.errors import HostError, ScriptError
from purvey.providers import Call, Done, Provider
from purvey.resources._inputs import refused

TTL_S_MIN: Final = 60.0
"""A token that lives shorter than this may be over before it is used."""

TTL_S_MAX: Final = 3600.0
"""A token that lives longer than this is a password: it outlives the run that it was made for."""

_KUBEADM: Final = r"\b([a-z0-9]{6})\.[a-z0-9]{16}\b"


class JoinTokenProvider(Provider["JoinToken"]):
    """Has a token made by a command, and takes it back by another one."""

    on_hosts = True
    reads = False

    async def create(self, call: Call, want: JoinToken) -> Done:
        """See `Provider.create`. One that was made and not told expires unused.

        Raises:
            HostError: ``failed`` if the command fails, or prints no token.
        """
        argv = tuple(part.replace("{ttl_s}", f"{want.ttl_s:.0f}") for part in want.create)
        said = await _said(call, argv)
        found = re.search(want.pattern, said)
        if found is None or not found[1] or found[1].startswith("-"):  # Such an id would be an option to what revokes it.
            raise HostError(
                "failed",
                "A command printed no token",
                detail=f"Nothing that {argv[0]} printed matches {want.pattern!r}. It may be secret, so it is not shown.",
                hint="Give the `pattern` of the token; its first group is the id it is revoked by, and begins with no hyphen.",
            )
        await call.identified(found[1])
        return Done(found[1], {"id": found[1], "token": found[0], "text": said})

    async def update(self, call: Call, have: JoinToken, want: JoinToken) -> Done:
        """See `Provider.update`: it is made, however another one would be made now."""
        return Done(call.id, {"id": have.id, "token": have.token, "text": have.text})

    async def delete(self, call: Call, have: JoinToken) -> None:
        """See `Provider.delete`: take it back, if it still lives."""
        await _revoke(call, have, call.id)


class RevocationProvider(Provider["Revocation"]):
    """Takes a token back; that cannot be undone, and need not be."""

    on_hosts = True
    reads = False
    forgets = True

    async def create(self, call: Call, want: Revocation) -> Done:
        """See `Provider.create`."""
        await _revoke(call, want.token, want.token.id)
        await call.identified(want.token.id)
        return Done(want.token.id, {})

    async def update(self, call: Call, have: Revocation, want: Revocation) -> Done:
        """See `Provider.update`."""
        return await self.create(call, want)

    async def undo(self, call: Call, have: Revocation, before: Revocation | None) -> None:
        """See `Provider.undo`: the token stays revoked."""


class JoinToken(Resource, kind="host.JoinToken", provider=JoinTokenProvider):
    """A token with which one machine joins others, made by a command on one of these.

    It is short-lived and for one machine, so it is the one secret that may stand in `user_data`. Give a `Revocation` that
    comes after the machine has joined; a run that fails revokes it in its undo. It is made once and never looked at again:
    that it is gone is how it should be.
    """

    create: Sequence[str] = Input(doc="What makes one and prints it; `{ttl_s}` stands for the seconds that it is good for.")
    listed: Sequence[str] = Input(doc="What prints the ids of those that live.")
    revoke: Sequence[str] = Input(doc="What takes one back; `{id}` stands for its id.")
    pattern: str = Input(default=_KUBEADM, doc="How a token looks; the first group is its id, which is no secret.")
    ttl_s: float = Input(default=900.0, doc="Seconds that it is good for, 60 to 3600.")
    holder: str = Input(default="", immutable=True, doc="Whom it is for, as `vm.id`; another machine gets another token.")

    id: str = Output(stable=True, doc="What it is listed by.")
    token: str = Output(secret=True, doc="The token.")
    text: str = Output(secret=True, doc="All that the command printed, such as the command by which to join.")

    @classmethod
    def prepare(cls, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:  # noqa: ARG003 - nothing is a path.
        """See `Resource.prepare`.

        Raises:
            ScriptError: ``script.bad_join_token``.
        """
        for name, mark in (("create", "{ttl_s}"), ("revoke", "{id}")):
            argv = inputs.get(name)
            if isinstance(argv, Sequence) and not any(mark in str(part) for part in argv):
                raise _bad(f"`{name}` does not say where `{mark}` stands.", f"Write {mark} into one of its arguments.")
        ttl_s = inputs.get("ttl_s")
        if isinstance(ttl_s, int | float) and not TTL_S_MIN <= ttl_s <= TTL_S_MAX:
            raise _bad(f"`ttl_s` is {ttl_s:g}.", f"To join takes minutes: give {TTL_S_MIN:g} to {TTL_S_MAX:g} seconds.")
        pattern = inputs.get("pattern")
        if isinstance(pattern, str) and not _groups(pattern):
            raise _bad(f"`pattern` is {pattern!r}.", "It is a regular expression whose first group is the token's id.")
        return inputs


class Revocation(Resource, kind="host.Revocation", provider=RevocationProvider):
    """A join token is taken back.

    Let it come `after` all that uses the token. Where that fails, the undo of the token does the same.
    """

    token: JoinToken = Input(container=True, doc="The token.")


def _groups(pattern: str) -> int:
    """How many groups a regular expression has; none where it is no such expression."""
    try:
        return re.compile(pattern).groups
    except re.error:
        return 0


async def _revoke(call: Call, token: JoinToken, token_id: str) -> None:
    """Take a token back; it may be over already."""
    if token_id in re.split(r"[\s.]+", await _said(call, tuple(token.listed))):
        await _said(call, tuple(part.replace("{id}", token_id) for part in token.revoke))


async def _said(call: Call, argv: tuple[str, ...]) -> str:
    command = Command(argv, hides_stdout=True)  # It prints tokens, also when it fails.
    return check(command, await call.host.run(command)).text()


def _bad(problem: str, hint: str) -> ScriptError:
    return refused("script.bad_join_token", "A join token makes no sense", problem, hint)
