"""Swap files: made, in use, and used again after each start of the machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from purvey._base.value import Value
from purvey._hosts.change import Change, Remove, Run
from purvey._hosts.command import Command
from purvey._hosts.fact import Answers, Ask, Fact, StatOf
from purvey._script.fields import Input, Output
from purvey._script.resource import Resource
from purvey.errors import HostError, ProviderError
from purvey.providers import Absent, Finding, Observed, Present
from purvey.providers.host import HostProvider, Place, Work
from purvey.resources._given import bad, recorded
from purvey.resources._inputs import absolute, require_absolute
from purvey.resources._paths import above, blocked
from purvey.resources.host._fstab import CONTENT, STATUS, Entry, entry_in, escaped, with_entry

_MIB: Final = 1 << 20
_MODE: Final = 0o600

_LOOK: Final = r"""
while read -r path rest; do
  if [ "$path" = "$1" ]; then printf 'used\n'; fi
done </proc/swaps || exit 3
"""

_MAKE: Final = r"""
set -eu
new=$1.purvey
rm -f -- "$new"
umask 077
if ! dd if=/dev/zero of="$new" bs=1048576 count="$2" conv=fsync; then
  rm -f -- "$new"
  exit 1
fi
mkswap -- "$new" >/dev/null
mv -f -- "$new" "$1"
"""
"""Written out in full, because the kernel takes no file with holes; whoever finds it finds a whole one."""


class SwapProvider(HostProvider["Swap"]):
    """Swap files, by their path."""

    def facts(self, place: Place, subject: Swap) -> Sequence[Fact]:
        """See `HostProvider.facts`."""
        return [StatOf(require_absolute(subject.path)), _question(subject), CONTENT, STATUS]

    def seen(self, place: Place, have: Swap, answers: Answers) -> Observed:
        """See `HostProvider.seen`."""
        status, entry = answers[StatOf(have.path)], entry_in(answers, _is_of(have), _entry(have))
        if status is None and entry is None:
            return Absent()
        size = status.size // _MIB if status is not None and (status.kind, status.mode) == ("file", _MODE) else 0
        values: dict[str, Value] = {"path": have.path, "size_mib": size, "used": _is_used(answers, have)}
        return Present(have.path, {**values, "persistent": entry is not None, "revision": recorded(have, "revision")})

    def make(self, place: Place, want: Swap, answers: Answers) -> Work:
        """See `HostProvider.make`.

        Raises:
            ProviderError: ``conflict`` where something else than a file is there.
        """
        status, used = answers[StatOf(want.path)], _is_used(answers, want)
        if status is not None and status.kind != "file":
            raise ProviderError(
                "conflict", "Something else stands where a swap file shall be", detail=f"{want.path} is a {status.kind}.",
                hint="Move it away, or choose another path.",
            )  # fmt: skip
        changes: list[Change] = []
        right = status is not None and status.size == want.size_mib * _MIB and status.mode == _MODE
        if used and not (right and want.used):
            changes.append(_run("swapoff", "--", want.path))
        if not right:
            changes.append(_run("sh", "-c", _MAKE, "sh", want.path, str(want.size_mib)))
        if want.used and not (used and right):
            changes.append(_run("swapon", "--", want.path))
        entry = _entry(want) if want.persistent else None
        return Work(want.path, (*changes, *with_entry(answers, _is_of(want), entry)), {"revision": place.token})

    def remove(self, place: Place, have: Swap, answers: Answers) -> Work:
        """See `HostProvider.remove`: what is in it goes back into memory first."""
        off = [_run("swapoff", "--", have.path)] if _is_used(answers, have) else []
        status = answers[StatOf(have.path)]
        gone = [Remove(have.path)] if status is not None and status.kind == "file" else []
        return Work(have.path, (*off, *with_entry(answers, _is_of(have), None), *gone))

    def take_back(self, place: Place, have: Swap, before: Swap | None, answers: Answers) -> Work:
        """See `HostProvider.take_back`."""
        if before is None:
            return self.remove(place, have, answers)
        if before.size_mib > 0:
            return Work(before.path, self.make(place, before, answers).changes, outputs=None)
        line = with_entry(answers, _is_of(before), _entry(before) if before.persistent else None)
        gone = [change for change in self.remove(place, have, answers).changes if isinstance(change, Run | Remove)]
        return Work(before.path, (*gone, *line), outputs=None)

    def explained(self, subject: Swap, error: ProviderError) -> ProviderError:
        """See `HostProvider.explained`."""
        error.detail = error.detail.replace(_MAKE, "…")
        if "No space left on device" in error.detail:
            hint = "Make room, or give a smaller size."
            return ProviderError("quota_exceeded", "There is no room for a swap file", detail=error.detail, hint=hint)
        return error

    def hazards(self, place: Place, want: Swap) -> Sequence[Fact]:
        """See `HostProvider.hazards`."""
        return above(want.path)

    def findings(self, place: Place, want: Swap, answers: Answers) -> Sequence[Finding]:
        """See `HostProvider.findings`."""
        return blocked(place.address, want.path, answers)

    def named(self, object_id: str) -> Mapping[str, Value]:
        """See `Provider.named`: its path."""
        return {"path": object_id}

    def claims(self, want: Swap) -> Sequence[str]:
        """See `Provider.claims`."""
        return (f"path:{want.path}",)


class Swap(Resource, kind="host.Swap", provider=SwapProvider):
    """A swap file.

        host.Swap("swap", path="/swapfile", size_mib=2048)

    It is made, used now, and by a line of /etc/fstab after each start. A file of another size is made anew.
    """

    path: str = Input(immutable=True, doc="Where, on a file system of a disk; the folder above it is there.")
    size_mib: int = Input(doc="Its size in MiB.")
    used: bool = Input(default=True, doc="Whether it is used now.")
    persistent: bool = Input(default=True, doc="Whether it has a line in /etc/fstab.")

    revision: str = Output(doc="Another one after each change, for what has to notice it.")

    @classmethod
    def prepare(cls, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:
        """See `Resource.prepare`.

        Raises:
            ScriptError: ``script.bad_input``, ``script.bad_path``.
        """
        size = inputs.get("size_mib")
        if isinstance(size, int) and size < 1:
            raise bad(f"`size_mib` is {size}.", "Give at least 1.")
        usual = {"used": True, "persistent": True}
        return {**usual, **inputs, **({"path": absolute(inputs["path"], folder)} if "path" in inputs else {})}


def _question(subject: Swap) -> Ask:
    return Ask(("sh", "-c", _LOOK, "sh", escaped(subject.path)))


def _is_used(answers: Answers, subject: Swap) -> bool:
    said = answers[_question(subject)]
    if said.returncode:
        raise HostError("failed", "What a machine swaps to could not be read", detail="There is no /proc/swaps.")
    return said.text() == "used"


def _entry(subject: Swap) -> Entry:
    return Entry(subject.path, "none", "swap")


def _is_of(subject: Swap) -> Any:
    """Whether a line is about this file."""
    return lambda entry: entry.type == "swap" and entry.source == subject.path


def _run(*argv: str) -> Run:
    return Run(Command(argv), touches=None)
