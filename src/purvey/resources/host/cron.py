"""Jobs that cron(8) starts: each a file of its own in /etc/cron.d."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from purvey._base.value import Value
from purvey._hosts.change import Change, Remove, Write
from purvey._hosts.fact import Answers, ContentOf, Fact, StatOf
from purvey._script.fields import Input, Output
from purvey._script.resource import Resource
from purvey.errors import ProviderError
from purvey.providers import Absent, Finding, Observed, Present
from purvey.providers.host import HostProvider, Place, Work
from purvey.resources._given import ONE_LINE, ONE_LINE_SAYS, bad, matching, require, text
from purvey.resources._paths import above, blocked, forgotten, given_back, kept, sort
from purvey.resources.host._schedule import problem_of

_FOLDER: Final = "/etc/cron.d"
_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")
_NAME_SAYS: Final = "Letters, digits, `_` and `-`: cron passes over files with any other name."
_USER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_USER_SAYS: Final = "Name a user of the machine."
_VALUE: Final = re.compile(r"[^\n\r\0]*")
_VARIABLE: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)")
_LINE: Final = re.compile(r"(@\w+|(?:\S+\s+){4}\S+)\s+(\S+)\s+(.*)")
_MODE: Final = 0o644


class CronProvider(HostProvider["Cron"]):
    """Files in the form of crontab(5)."""

    def facts(self, place: Place, subject: Cron) -> Sequence[Fact]:
        """See `HostProvider.facts`."""
        return [StatOf(_path(subject)), ContentOf(_path(subject))]

    def seen(self, place: Place, have: Cron, answers: Answers) -> Observed:
        """See `HostProvider.seen`; cron reads no file that others may write, so owner and mode are a part of it."""
        status, content = answers[StatOf(_path(have))], answers[ContentOf(_path(have))]
        if status is None:
            return Absent()
        told = _told(content.decode(errors="replace")) if content is not None else {"command": f"(a {status.kind})"}
        if content == _text(have):
            told = {"schedule": have.schedule, "user": have.user, "command": have.command, "env": dict(have.env)}
        safe = (status.kind, status.mode, status.owner) == ("file", _MODE, "root")
        return Present(_path(have), {"name": have.name, **told, "safe": safe}, sort=sort(status, "file"))

    def named(self, object_id: str) -> Mapping[str, Value]:
        """See `Provider.named`: the file's name."""
        return {"name": object_id.removeprefix(f"{_FOLDER}/")}

    def make(self, place: Place, want: Cron, answers: Answers) -> Work:
        """See `HostProvider.make`."""
        return Work(_path(want), () if _is_right(want, answers) else (_write(_checked(want)),), {"revision": place.token})

    def change(self, place: Place, have: Cron, want: Cron, answers: Answers) -> Work:
        """See `HostProvider.change`."""
        changes = () if _is_right(want, answers) else (kept(place, _path(want)), _write(_checked(want)))
        return Work(_path(want), changes, {"revision": place.token})

    def remove(self, place: Place, have: Cron, answers: Answers) -> Work:
        """See `HostProvider.remove`."""
        return Work(_path(have), (Remove(_path(have)), *forgotten(place, _path(have))))

    def take_back(self, place: Place, have: Cron, before: Cron | None, answers: Answers) -> Work:
        """See `HostProvider.take_back`: the file as it was, to the byte."""
        if before is None:
            return self.remove(place, have, answers)
        otherwise: list[Change] = [_write(before)]
        return Work(_path(before), (given_back(place, _path(before), otherwise),), outputs=None)

    def hazards(self, place: Place, want: Cron) -> Sequence[Fact]:
        """See `HostProvider.hazards`."""
        return above(_path(want))

    def findings(self, place: Place, want: Cron, answers: Answers) -> Sequence[Finding]:
        """See `HostProvider.findings`."""
        if answers[StatOf(_FOLDER)] is None:
            fix = "Install a cron:\n  apt install cron"
            return [Finding(place.address, f"the machine has no {_FOLDER}, so no cron either", fix, certain=False)]
        return blocked(place.address, _path(want), answers)

    def claims(self, want: Cron) -> Sequence[str]:
        """See `Provider.claims`."""
        return (f"path:{_path(want)}",)


class Cron(Resource, kind="host.Cron", provider=CronProvider):
    """A job that cron starts, as a file in /etc/cron.d.

        host.Cron("backup", schedule="15 3 * * *", user="shop", command="/opt/shop/bin/backup --day $(date +%F)")

    The command is a line for the shell. It is run as it stands here: a percent sign, which cron takes for the end of the line,
    is written for cron as it has to be.
    """

    name: str = Input(default=None, immutable=True, doc="The file's name; by default the node's.")
    schedule: str = Input(doc="When, in the five fields of crontab(5), or a word such as @daily.")
    command: str = Input(doc="What is run: one line for the shell.")
    user: str = Input(default="root", doc="As whom.")
    env: Mapping[str, str] = Input(default={}, doc="Variables for it, which every user of the machine can read.")
    safe: bool = Input(default=True, doc="Whether the file belongs to root and nobody else may write it, as cron asks for.")

    revision: str = Output(doc="Another one after each change, for what has to notice it.")

    @classmethod
    def prepare(cls, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:  # noqa: ARG003 - as the base has it.
        """See `Resource.prepare`.

        Raises:
            ScriptError: ``script.bad_input``.
        """
        matching(inputs, "name", _NAME, _NAME_SAYS)
        matching(inputs, "user", _USER, _USER_SAYS)
        schedule = text(inputs.get("schedule"))
        if schedule is not None and (problem := problem_of(schedule)):
            raise bad(
                f"`schedule` is {schedule!r}: {problem}.", 'Five fields as in "15 3 * * 1-5", or a word such as "@daily".'
            )
        if (command := text(inputs.get("command"))) is not None and not ONE_LINE.fullmatch(command):
            raise bad(f"`command` is {command!r}.", "Give one line that is not empty; cron has no way to write more.")
        if isinstance(env := inputs.get("env"), Mapping):
            for name, value in env.items():
                if not _VARIABLE.fullmatch(f"{name}=") or not _VALUE.fullmatch(str(value)):
                    raise bad(f"A variable is {name!r}.", "Letters, digits and `_`; no line end in the value.")
        known = {"user": "root", "env": {}, "safe": True, **inputs}
        return {**known, "schedule": " ".join(schedule.split())} if schedule is not None else known


def _path(subject: Cron) -> str:
    return f"{_FOLDER}/{require(subject.name, _NAME, 'The name of a file for cron', _NAME_SAYS)}"


def _text(want: Cron) -> bytes:
    variables = "".join(f"{name}={_quoted(str(value))}\n" for name, value in want.env.items())
    return f"{variables}{want.schedule} {want.user} {_escaped(want.command)}\n".encode()


def _checked(want: Cron) -> Cron:
    """The wish, if what is known of it only now is no more than its place in the line.

    Raises:
        ProviderError: ``invalid``.
    """
    require(want.user, _USER, "The user of a job", _USER_SAYS)
    require(want.schedule, ONE_LINE, "The schedule of a job", ONE_LINE_SAYS)
    if problem := problem_of(want.schedule):
        raise ProviderError(
            "invalid",
            "A value came out as one that cannot be",
            detail=f"The schedule came out as {want.schedule!r}: {problem}.",
        )
    require(want.command, ONE_LINE, "The command of a job", ONE_LINE_SAYS)
    for name, value in want.env.items():
        require(str(value), _VALUE, f"The variable {name} of a job", "No line end can stand in it.")
    return want


def _quoted(value: str) -> str:
    """A value as crontab(5) reads it: quotes keep blanks at its ends."""
    if value == value.strip() and value and value[0] not in "\"'":
        return value
    return f'"{value}"' if '"' not in value else f"'{value}'"


def _escaped(command: str) -> str:
    return command.replace("%", r"\%")


def _told(content: str) -> dict[str, Value]:
    """What a file says that is not as it was written: the one job in it, as far as it can be read."""
    env: dict[str, Value] = {}
    jobs: list[str] = []
    for line in content.splitlines():
        if (variable := _VARIABLE.fullmatch(line.strip())) is not None:
            env[variable[1]] = variable[2].strip("\"'")
        elif line.strip() and not line.lstrip().startswith("#"):
            jobs.append(line.strip())
    job = _LINE.fullmatch(jobs[0]) if len(jobs) == 1 else None
    if job is None:
        return {"command": "\n".join(jobs)}
    return {"schedule": " ".join(job[1].split()), "user": job[2], "command": job[3].replace(r"\%", "%"), "env": env}


def _is_right(want: Cron, answers: Answers) -> bool:
    status = answers[StatOf(_path(want))]
    safe = status is not None and (status.kind, status.mode, status.owner) == ("file", _MODE, "root")
    return safe and answers[ContentOf(_path(want))] == _text(want)


def _write(want: Cron) -> Write:
    return Write(_path(want), _text(want), _MODE, "root", "root")
