"""What users may do as others: files in /etc/sudoers.d, of which none that sudo cannot read ever takes its place."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from purvey._base.value import Value
from purvey._hosts.change import Change, Remove, Write
from purvey._hosts.command import Command
from purvey._hosts.fact import Answers, ContentOf, Fact, FileStat, StatOf
from purvey._script.fields import Input, Output
from purvey._script.resource import Resource
from purvey.errors import ProviderError
from purvey.providers import Absent, Finding, Observed, Present
from purvey.providers.host import HostProvider, Place, Work
from purvey.resources._given import bad, matching, require, text
from purvey.resources._paths import forgotten, given_back, kept, sort
from purvey.resources._programs import missing, not_installed, program

FOLDER: Final = "/etc/sudoers.d"
_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")
_NAME_SAYS: Final = "Letters, digits, `_` and `-`: sudo passes over files whose name has a point, or ends in `~`."
_PROGRAMS: Final = (("visudo", "sudo"),)
_MODE: Final = 0o440


class SudoersProvider(HostProvider["Sudoers"]):
    """Files that visudo(8) accepts."""

    def facts(self, place: Place, subject: Sudoers) -> Sequence[Fact]:
        """See `HostProvider.facts`."""
        path = _path(subject)
        return [StatOf(path), ContentOf(path)]

    def seen(self, place: Place, have: Sudoers, answers: Answers) -> Observed:
        """See `HostProvider.seen`; sudo reads no file that others may write, so owner and mode are a part of it."""
        status = answers[StatOf(_path(have))]
        if status is None:
            return Absent()
        content = answers[ContentOf(_path(have))]
        told = f"(a {status.kind})" if content is None else content.decode(errors="replace")
        return Present(_path(have), {"name": have.name, "content": told, "safe": _is_safe(status)}, sort=sort(status, "file"))

    def named(self, object_id: str) -> Mapping[str, Value]:
        """See `Provider.named`: the file's name."""
        return {"name": object_id.removeprefix(f"{FOLDER}/")}

    def make(self, place: Place, want: Sudoers, answers: Answers) -> Work:
        """See `HostProvider.make`: the file takes its place when visudo has accepted it."""
        return Work(_path(want), () if _is_right(want, answers) else (_write(want),), {"revision": place.token})

    def change(self, place: Place, have: Sudoers, want: Sudoers, answers: Answers) -> Work:
        """See `HostProvider.change`."""
        changes = () if _is_right(want, answers) else (kept(place, _path(want)), _write(want))
        return Work(_path(want), changes, {"revision": place.token})

    def remove(self, place: Place, have: Sudoers, answers: Answers) -> Work:
        """See `HostProvider.remove`."""
        return Work(_path(have), (Remove(_path(have)), *forgotten(place, _path(have))))

    def take_back(self, place: Place, have: Sudoers, before: Sudoers | None, answers: Answers) -> Work:
        """See `HostProvider.take_back`: the file as it was, to the byte."""
        if before is None:
            return self.remove(place, have, answers)
        otherwise: list[Change] = [_write(before)]
        return Work(_path(before), (given_back(place, _path(before), otherwise),), outputs=None)

    def explained(self, subject: Sudoers, error: ProviderError) -> ProviderError:
        """See `HostProvider.explained`."""
        return not_installed(error, "visudo", "sudo")

    def hazards(self, place: Place, want: Sudoers) -> Sequence[Fact]:
        """See `HostProvider.hazards`."""
        return [program(name) for name, _ in _PROGRAMS]

    def findings(self, place: Place, want: Sudoers, answers: Answers) -> Sequence[Finding]:
        """See `HostProvider.findings`."""
        return missing(place.address, _PROGRAMS, answers)

    def claims(self, want: Sudoers) -> Sequence[str]:
        """See `Provider.claims`."""
        return (f"path:{_path(want)}",)


class Sudoers(Resource, kind="users.Sudoers", provider=SudoersProvider):
    r"""What users may do as others, as a file in /etc/sudoers.d.

        users.Sudoers("deploy", content="deploy ALL=(root) NOPASSWD: /usr/bin/systemctl restart shop\n")

    The file is checked by visudo(8) before it takes its place: one with a mistake would shut everybody out of sudo.
    """

    name: str = Input(default=None, immutable=True, doc="The file's name; by default the node's.")
    content: str = Input(doc="Lines of sudoers(5).")
    safe: bool = Input(default=True, doc="Whether it belongs to root and nobody may write it, as sudo asks for.")

    revision: str = Output(doc="Another one after each change, for what has to notice it.")

    @classmethod
    def prepare(cls, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:  # noqa: ARG003 - as the base has it.
        """See `Resource.prepare`.

        Raises:
            ScriptError: ``script.bad_input``.
        """
        matching(inputs, "name", _NAME, _NAME_SAYS)
        if inputs.get("safe") is False:
            raise bad("`safe` is False.", "Leave it out: sudo reads no file that others may write.")
        given = text(inputs.get("content"))
        known = {"safe": True, **inputs}
        return known if given is None or given.endswith("\n") else {**known, "content": f"{given}\n"}


def _path(subject: Sudoers) -> str:
    return f"{FOLDER}/{require(subject.name, _NAME, 'The name of a file for sudo', _NAME_SAYS)}"


def _write(want: Sudoers) -> Write:
    validate = Command(("visudo", "-c", "-f", "{path}"))
    return Write(_path(want), want.content.encode(), _MODE, "root", "root", validate)


def _is_right(want: Sudoers, answers: Answers) -> bool:
    status = answers[StatOf(_path(want))]
    return _is_safe(status) and answers[ContentOf(_path(want))] == want.content.encode()


def _is_safe(status: FileStat | None) -> bool:
    return status is not None and (status.kind, status.mode, status.owner, status.group) == ("file", _MODE, "root", "root")
