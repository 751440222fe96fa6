"""Settings of a machine's kernel: as they are now, and as they are set again after a reboot."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from purvey._base.value import Value
from purvey._hosts.change import Change, MakeDirectory, MakeOwnFolder, Remove, Run, Write
from purvey._hosts.command import Command
from purvey._hosts.fact import Answers, ContentOf, Fact, StatOf
from purvey._script.fields import Input, Output
from purvey._script.resource import Resource
from purvey.errors import ProviderError
from purvey.providers import Absent, Observed, Present
from purvey.providers.host import HostProvider, Place, Work
from purvey.resources._given import matching, recorded, require, text

_FOLDER: Final = "/etc/sysctl.d"
_KEY: Final = re.compile(r"[A-Za-z0-9_-]+([./][A-Za-z0-9_:@-]+)+")
_VALUE: Final = re.compile(r"\S+( \S+)*")
_VALUE_SAYS: Final = "Give one line, its words with one blank between them, as the kernel tells them."
_KEY_SAYS: Final = "Write it as sysctl(8) does: net.ipv4.ip_forward; a name with a point in it needs slashes between the names."


class SysctlProvider(HostProvider["Sysctl"]):
    """Files in /proc/sys, and in /etc/sysctl.d."""

    def facts(self, place: Place, subject: Sysctl) -> Sequence[Fact]:
        """See `HostProvider.facts`."""
        return [ContentOf(_live(subject)), ContentOf(_file(subject)), StatOf(_FOLDER), ContentOf(_kept(place))]

    def seen(self, place: Place, have: Sysctl, answers: Answers) -> Observed:
        """See `HostProvider.seen`: lost is what neither the kernel nor the file has any more."""
        now, there = _now(have, answers), answers[ContentOf(_file(have))]
        if there is None and now != have.value:
            return Absent()
        values: dict[str, Value] = {"key": have.key, "value": now, "persistent": there == _text(have, have.value)}
        return Present(have.key, {**values, "former": recorded(have, "former", now), "revision": recorded(have, "revision")})

    def found(self, place: Place, want: Sysctl, answers: Answers) -> Observed:
        """See `HostProvider.found`: what makes it an object is the file that sets it."""
        return self.seen(place, want, answers) if answers[ContentOf(_file(want))] is not None else Absent()

    def named(self, object_id: str) -> Mapping[str, Value]:
        """See `Provider.named`: the key."""
        return {"key": object_id}

    def make(self, place: Place, want: Sysctl, answers: Answers) -> Work:
        """See `HostProvider.make`; the kernel says first whether it takes the value."""
        former = _former(place.token, place, answers)  # A first attempt may have set it already.
        known = former[0] if former is not None else _now(want, answers)
        return Work(want.key, _set(place, want, answers), {"revision": place.token, "former": known})

    def change(self, place: Place, have: Sysctl, want: Sysctl, answers: Answers) -> Work:
        """See `HostProvider.change`."""
        former = recorded(have, "former", _now(want, answers))
        return Work(want.key, _set(place, want, answers), {"revision": place.token, "former": former})

    def take_back(self, place: Place, have: Sysctl, before: Sysctl | None, answers: Answers) -> Work:
        """See `HostProvider.take_back`: value and file as this operation found them."""
        if before is None:
            return self.remove(place, have, answers)
        former = _former(place.undoes, place, answers)
        if former is None:
            return Work(have.key, outputs=None)
        value, content = former
        runs = [] if _now(have, answers) == value else [_put(have, value)]
        file = Write(_file(have), content, 0o644) if content is not None else Remove(_file(have))
        return Work(have.key, (*runs, file, *_forgotten(place)), outputs=None)

    def remove(self, place: Place, have: Sysctl, answers: Answers) -> Work:
        """See `HostProvider.remove`: the value that was there before purvey's comes back, unless somebody has set another."""
        former = recorded(have, "former", None)
        ours = isinstance(former, str) and _now(have, answers) == have.value != former
        return Work(have.key, (Remove(_file(have)), *([_put(have, str(former))] if ours else []), *_forgotten(place)))

    def explained(self, subject: Sysctl, error: ProviderError) -> ProviderError:
        """See `HostProvider.explained`."""
        for words in ("Invalid argument", "Numerical result out of range"):
            if words in error.detail:
                return ProviderError(
                    "invalid",
                    "The kernel does not take a value",
                    detail=error.detail,
                    hint="Give one that the setting can have.",
                )
        return error

    def claims(self, want: Sysctl) -> Sequence[str]:
        """See `Provider.claims`."""
        return (f"sysctl:{'/'.join(_parts(want))}", f"path:{_file(want)}")


class Sysctl(Resource, kind="host.Sysctl", provider=SysctlProvider):
    """A setting of the kernel.

        host.Sysctl("forwarding", key="net.ipv4.ip_forward", value="1")

    It is set now, and by a file in /etc/sysctl.d after each start of the machine. When the node goes, the value that was there
    before comes back.
    """

    key: str = Input(immutable=True, doc="Its name, as sysctl(8) has it.")
    value: str = Input(doc="Its value; several words are separated by one space.")
    persistent: bool = Input(default=True, doc="Whether it is set again after a reboot.")

    former: str = Output(doc="The value before purvey's own.")
    revision: str = Output(doc="Another one after each change, for what has to notice it.")

    @classmethod
    def prepare(cls, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:  # noqa: ARG003 - as the base has it.
        """See `Resource.prepare`."""
        matching(inputs, "key", _KEY, _KEY_SAYS)
        value = inputs.get("value")
        if isinstance(value, bool):
            value = int(value)
        if isinstance(value, int):
            value = str(value)
        if (given := text(value)) is not None:
            value = " ".join(given.split())
            matching({"value": value}, "value", _VALUE, _VALUE_SAYS)
        return {"persistent": True, **inputs, "value": value}


def _parts(subject: Sysctl) -> list[str]:
    """The names in a key: separated by points, and by slashes where a name has points itself."""
    key = require(subject.key, _KEY, "The name of a setting", _KEY_SAYS)
    return key.split("/") if "/" in key and "." not in key.partition("/")[0] else [
        part.replace("/", ".") for part in key.split(".")
    ]  # fmt: skip


def _live(subject: Sysctl) -> str:
    return f"/proc/sys/{'/'.join(_parts(subject))}"


def _file(subject: Sysctl) -> str:
    """Read after those of others, whose names begin with a number as well; no name of a setting has a plus sign in it."""
    return f"{_FOLDER}/99-zz-purvey-{'+'.join(_parts(subject))}.conf"


def _kept(place: Place) -> str:
    return f"{place.folder}/value.before"


def _forgotten(place: Place) -> tuple[Change, ...]:
    return (Remove(_kept(place)), Remove(place.folder, if_empty=True))


def _text(subject: Sysctl, value: str) -> bytes:
    return f"{'/'.join(_parts(subject))} = {value}\n".encode()


def _now(subject: Sysctl, answers: Answers) -> str:
    """The value that the kernel has.

    Raises:
        ProviderError: ``not_found`` if it has no such setting.
    """
    content = answers[ContentOf(_live(subject))]
    if content is None:
        raise ProviderError(
            "not_found", "The kernel has no such setting", detail=f"There is no {_live(subject)}.",
            hint="Check the name; some settings are there only when their module is:\n\n    modprobe MODULE",
        )  # fmt: skip
    return " ".join(content.decode(errors="replace").split())


def _put(subject: Sysctl, value: str) -> Run:
    live = ContentOf(_live(subject))
    return Run(Command(("tee", live.path), stdin=f"{value}\n".encode()), touches=(live,))


def _former(token: str, place: Place, answers: Answers) -> tuple[str, bytes | None] | None:
    """The value and the file that an operation found; None if it changed nothing."""
    head, _, rest = (answers[ContentOf(_kept(place))] or b"").partition(b"\n")
    if head.split(b" ")[0] != token.encode():
        return None
    value, _, content = rest.partition(b"\n")
    return value.decode(), content if head.endswith(b" file") else None


def _set(place: Place, want: Sysctl, answers: Answers) -> tuple[Change, ...]:
    require(want.value, _VALUE, "The value of a setting", _VALUE_SAYS)
    now, there = _now(want, answers), answers[ContentOf(_file(want))]
    changes: list[Change] = [] if now == want.value else [_put(want, want.value)]
    if want.persistent and there != _text(want, want.value):
        folder = [MakeDirectory(_FOLDER, 0o755)] if answers[StatOf(_FOLDER)] is None else []
        changes += [*folder, Write(_file(want), _text(want, want.value), 0o644)]
    elif not want.persistent and there is not None:
        changes.append(Remove(_file(want)))
    if not changes or _former(place.token, place, answers) is not None:
        return tuple(changes)
    kept = f"{place.token} {'none' if there is None else 'file'}\n{now}\n".encode() + (there or b"")
    return (MakeOwnFolder(place.folder), Write(_kept(place), kept, 0o600), *changes)
