"""File systems at their places: mounted now, and by fstab(5) after each start of the machine.

What is mounted is told by /proc/self/mountinfo, what will be by the line of /etc/fstab. The kernel tells options in words of
its own, with those that it adds itself; so of the present ones only whether it may be written is compared.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from purvey._base.value import Value
from purvey._hosts.change import Change, MakeDirectory, Remove, Run
from purvey._hosts.command import Command
from purvey._hosts.fact import Answers, Ask, Fact, StatOf
from purvey._script.fields import Input, Output
from purvey._script.resource import Resource
from purvey.errors import HostError, ProviderError
from purvey.providers import Absent, Finding, Observed, Present
from purvey.providers.host import HostProvider, Place, Work
from purvey.resources._given import ONE_LINE, ONE_LINE_SAYS, bad, recorded, require, text
from purvey.resources._inputs import absolute, require_absolute
from purvey.resources._paths import above, blocked
from purvey.resources.host._fstab import CONTENT, STATUS, Entry, entry_in, escaped, unescaped, with_entry

_LOOK: Final = r"""
while read -r id parent device root path options rest; do
  rest=" $rest"
  if [ "$path" = "$1" ]; then printf '%s %s %s\n' "$root" "$options" "${rest##* - }"; fi
done </proc/self/mountinfo || exit 3
"""
_OPTION: Final = re.compile(r"[^\s,]+")
_OPTION_SAYS: Final = "Give each option by itself, without blanks and commas."
_READ_ONLY: Final = "ro"


class Mounted(msgspec.Struct, frozen=True):
    """What is mounted at a path, on top where there are several."""

    type: str
    source: str
    read_only: bool


class MountProvider(HostProvider["Mount"]):
    """Mounts, by their place."""

    def facts(self, place: Place, subject: Mount) -> Sequence[Fact]:
        """See `HostProvider.facts`."""
        return [_question(subject), StatOf(subject.path), CONTENT, STATUS]

    def seen(self, place: Place, have: Mount, answers: Answers) -> Observed:
        """See `HostProvider.seen`: it is there while it is mounted, or has its line."""
        mounted, entry = _mounted(answers, have), entry_in(answers, _is_of(have), _entry(have))
        if mounted is None and entry is None:
            return Absent()
        told = _told(entry or _entry(have), mounted, have)
        values: dict[str, Value] = {
            "path": have.path, "source": told.source, "type": told.type, "options": told.options.split(","),
            "check_order": int(told.check) if told.check.isdecimal() else 0, "persistent": entry is not None,
            "mounted": mounted is not None,
        }  # fmt: skip
        outputs = {"made_path": recorded(have, "made_path", default=False), "revision": recorded(have, "revision")}
        return Present(have.path, {**values, **outputs})

    def named(self, object_id: str) -> Mapping[str, Value]:
        """See `Provider.named`: its place."""
        return {"path": object_id}

    def make(self, place: Place, want: Mount, answers: Answers) -> Work:
        """See `HostProvider.make`: first mounted, so that a line which does not work never comes into the file."""
        _require_words(want)
        made = answers[StatOf(want.path)] is None
        changes = [*([MakeDirectory(want.path, 0o755)] if made else []), *_settled(want, _mounted(answers, want))]
        lines = with_entry(answers, _is_of(want), _entry(want) if want.persistent else None)
        return Work(want.path, (*changes, *lines), {"revision": place.token, "made_path": made})

    def change(self, place: Place, have: Mount, want: Mount, answers: Answers) -> Work:
        """See `HostProvider.change`: another source or type is mounted anew, other options in place."""
        _require_words(want)
        return self._changed(place, have, want, answers)

    def _changed(self, place: Place, have: Mount, want: Mount, answers: Answers) -> Work:
        mounted = _mounted(answers, want)
        lines = with_entry(answers, _is_of(want), _entry(want) if want.persistent else None)
        first: list[Change] = []
        if mounted is not None and want.mounted and (have.source, have.type) != (want.source, want.type):
            first, mounted = [_run("umount", "--", want.path)], None
        elif mounted is not None and want.mounted and [*have.options] != [*want.options] and _fits(mounted, want):
            first = [_remounted(want)]
        made_path = recorded(have, "made_path", default=False)
        made = answers[StatOf(want.path)] is None
        folder = [MakeDirectory(want.path, 0o755)] if made else []
        outputs: dict[str, Value] = {"revision": place.token, "made_path": made_path or made}
        return Work(want.path, (*folder, *first, *_settled(want, mounted), *lines), outputs)

    def remove(self, place: Place, have: Mount, answers: Answers) -> Work:
        """See `HostProvider.remove`: what is in it stays in it; the folder goes if purvey made it, and nothing is in it."""
        runs = [_run("umount", "--", have.path)] if _mounted(answers, have) is not None and have.mounted else []
        folder = [Remove(have.path, if_empty=True)] if recorded(have, "made_path", default=False) else []
        return Work(have.path, (*runs, *with_entry(answers, _is_of(have), None), *folder))

    def take_back(self, place: Place, have: Mount, before: Mount | None, answers: Answers) -> Work:
        """See `HostProvider.take_back`."""
        if before is None:
            return self.remove(place, have, answers)
        return Work(before.path, self._changed(place, have, before, answers).changes, outputs=None)

    def explained(self, subject: Mount, error: ProviderError) -> ProviderError:
        """See `HostProvider.explained`."""
        if "target is busy" in error.detail or "Device or resource busy" in error.detail:
            return ProviderError(
                "in_use", "A file system is in use", detail=error.detail,
                hint=f"End what uses it, then run again:\n\n    fuser -vm {subject.path}",
            )  # fmt: skip
        return error

    def hazards(self, place: Place, want: Mount) -> Sequence[Fact]:
        """See `HostProvider.hazards`."""
        return above(want.path)

    def findings(self, place: Place, want: Mount, answers: Answers) -> Sequence[Finding]:
        """See `HostProvider.findings`."""
        return blocked(place.address, want.path, answers)

    def reaches(self, want: Mount) -> Sequence[str] | None:
        """See `HostProvider.reaches`: what is seen where it is mounted."""
        return (want.path,)

    def claims(self, want: Mount) -> Sequence[str]:
        """See `Provider.claims`."""
        return (f"mount:{want.path}",)


class Mount(Resource, kind="host.Mount", provider=MountProvider):
    """A file system at its place.

        host.Mount("data", path="/srv/data", source="UUID=0a3407de-014b-458b-b5c1-848e92a327a3", type="ext4")
        host.Mount("scratch", path="/srv/scratch", source="tmpfs", type="tmpfs", options=["size=64m", "mode=0700"])

    It is mounted now, and by a line of /etc/fstab after each start. When the node goes it is unmounted; what is in it stays.
    """

    path: str = Input(immutable=True, doc="Where; a folder that is not there is made.")
    source: str = Input(doc="What: a device, LABEL=…, UUID=…, a folder of a server, or a word such as tmpfs.")
    type: str = Input(doc="The type of the file system.")
    options: Sequence[str] = Input(default=("defaults",), doc="Options as mount(8) has them.")
    check_order: int = Input(default=0, doc="When it is checked at a start: 1 for the root, 2 for others, 0 for never.")
    mounted: bool = Input(default=True, doc="Whether it is mounted now.")
    persistent: bool = Input(default=True, doc="Whether it has a line in /etc/fstab.")

    made_path: bool = Output(doc="Whether purvey made the folder.")
    revision: str = Output(doc="Another one after each change, for what has to notice it.")

    @classmethod
    def prepare(cls, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:
        """See `Resource.prepare`.

        Raises:
            ScriptError: ``script.bad_input``, ``script.bad_path``.
        """
        usual = {"options": ["defaults"], "check_order": 0, "mounted": True, "persistent": True}
        known = {**usual, **inputs, **({"path": absolute(inputs["path"], folder)} if "path" in inputs else {})}
        for name in ("source", "type"):
            if (given := text(known.get(name))) is not None and not ONE_LINE.fullmatch(given):
                raise bad(f"`{name}` is {given!r}.", "Say in a line what is mounted, and of which type it is.")
        options = known.get("options", ())
        if options in ([], ()):
            raise bad("`options` is empty.", 'Leave it out, which means ["defaults"].')
        for option in options if isinstance(options, list | tuple) else ():
            if (given := text(option)) is not None and not _OPTION.fullmatch(given):
                raise bad(f"An option is {given!r}.", _OPTION_SAYS)
        if known.get("mounted") is False and known.get("persistent") is False:
            raise bad("It is neither `mounted` nor `persistent`.", "Remove the node instead.")
        return known


def _require_words(want: Mount) -> None:
    """Refuse what is known only now, and would be more than its place in a line of fstab(5).

    Raises:
        ProviderError: ``invalid``.
    """
    require(want.source, ONE_LINE, "What is to be mounted", ONE_LINE_SAYS)
    require(want.type, ONE_LINE, "The type of a file system", ONE_LINE_SAYS)
    for option in want.options:
        require(option, _OPTION, "An option of a mount", _OPTION_SAYS)


def _question(subject: Mount) -> Ask:
    return Ask(("sh", "-c", _LOOK, "sh", escaped(require_absolute(subject.path))))


def _mounted(answers: Answers, subject: Mount) -> Mounted | None:
    """What is mounted there.

    Raises:
        HostError: if it cannot be told.
    """
    said = answers[_question(subject)]
    lines = said.text().splitlines()
    if said.returncode or any(len(line.split(" ")) < 4 for line in lines):  # noqa: PLR2004 - what `_LOOK` prints.
        raise HostError("failed", "What is mounted on a machine could not be read", detail=said.text()[:500])
    if not lines:
        return None
    _, options, kind, source, *more = lines[-1].split(" ")
    both = {*options.split(","), *(more[0].split(",") if more else ())}
    return Mounted(kind, unescaped(source), _READ_ONLY in both)


def _is_of(subject: Mount) -> Any:
    """Whether a line is about this place."""
    return lambda entry: entry.path.rstrip("/") == subject.path.rstrip("/")


def _entry(want: Mount) -> Entry:
    return Entry(want.source, want.path, want.type, ",".join(want.options), "0", str(want.check_order))


def _told(entry: Entry, mounted: Mounted | None, have: Mount) -> Entry:
    """The line, with what is mounted in its place where that is another thing."""
    if mounted is None or _fits(mounted, have):
        return entry
    if not _fits(msgspec.structs.replace(mounted, read_only=_READ_ONLY in have.options), have):
        return msgspec.structs.replace(entry, source=mounted.source, type=mounted.type)
    others = [option for option in entry.options.split(",") if option != _READ_ONLY]
    return msgspec.structs.replace(entry, options=",".join([*others, *([_READ_ONLY] if mounted.read_only else [])]))


def _fits(mounted: Mounted, want: Mount) -> bool:
    """Whether what is mounted is what is wished, as far as the kernel tells it in the same words."""
    same_type = want.type in ("auto", "none", "bind") or mounted.type.split(".")[0] == want.type
    return same_type and mounted.read_only == (_READ_ONLY in want.options)


def _settled(want: Mount, mounted: Mounted | None) -> list[Change]:
    """Mounted, or not, as is wished."""
    if mounted is None:
        return [_mounting(want)] if want.mounted else []
    if not want.mounted:
        return [_run("umount", "--", want.path)]
    if _fits(mounted, want):
        return []
    if _fits(msgspec.structs.replace(mounted, read_only=not mounted.read_only), want):
        return [_remounted(want)]
    return [_run("umount", "--", want.path), _mounting(want)]


def _mounting(want: Mount) -> Run:
    return _run("mount", "-t", want.type, "-o", ",".join(want.options), "--", want.source, want.path)


def _remounted(want: Mount) -> Run:
    writable = [] if _READ_ONLY in want.options else ["rw"]
    return _run("mount", "-o", ",".join(["remount", *writable, *want.options]), "--", want.path)


def _run(*argv: str) -> Run:
    """What is below the place is another thing after this, whatever was asked of it."""
    return Run(Command(argv), touches=None)
