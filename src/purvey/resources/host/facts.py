"""What a machine says of itself: read for a script to decide by, and never changed."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Final

from purvey._base.value import Value
from purvey._hosts.fact import Answers, Ask, Fact
from purvey._script.fields import Output
from purvey._script.resource import Resource
from purvey.errors import HostError
from purvey.providers import Observed, Present
from purvey.providers.host import HostProvider, Place, Work
from purvey.resources.host._fstab import unescaped

_LOOK: Final = r"""
for file in /etc/os-release /usr/lib/os-release; do
  if [ -r "$file" ]; then
    while IFS= read -r line || [ -n "$line" ]; do printf 'os %s\n' "$line"; done <"$file"
    break
  fi
done
printf 'kernel %s\narchitecture %s\nhostname %s\n' "$(uname -r)" "$(uname -m)" "$(uname -n)"
while read -r key value unit; do
  if [ "$key" = MemTotal: ]; then printf 'memory %s\n' "$value"; fi
done </proc/meminfo
printf 'cpus %s\n' "$(getconf _NPROCESSORS_ONLN 2>/dev/null || nproc)"
if command -v ip >/dev/null; then
  printf 'addresses\n'
  ip -o addr show scope global | while read -r number link family address rest; do
    printf 'address %s %s\n' "$link" "$address"
  done
fi
while read -r id parent device root path options rest; do
  rest=" $rest"
  case ${rest##* - } in
    *' /dev/'*) printf 'mount %s %s\n' "$path" "${rest##* - }" ;;
  esac
done </proc/self/mountinfo
"""
_QUESTION: Final = Ask(("sh", "-c", _LOOK))
_MOUNT_FIELDS: Final = 3


class FactsProvider(HostProvider["Facts"]):
    """Reads them, all in one process."""

    adopts = True
    forgets = True
    insulated = True

    def facts(self, place: Place, subject: Facts) -> Sequence[Fact]:
        """See `HostProvider.facts`."""
        return [_QUESTION]

    def seen(self, place: Place, have: Facts, answers: Answers) -> Observed:
        """See `HostProvider.seen`: every machine has them."""
        return Present(place.name, _told(answers))

    def make(self, place: Place, want: Facts, answers: Answers) -> Work:
        """See `HostProvider.make`: what is recorded is what is there."""
        return Work(place.name, outputs=_told(answers))

    def remove(self, place: Place, have: Facts, answers: Answers) -> Work:
        """See `HostProvider.remove`."""
        return Work(place.name)

    def take_back(self, place: Place, have: Facts, before: Facts | None, answers: Answers) -> Work:
        """See `HostProvider.take_back`: nothing was done."""
        return Work(place.name, outputs=None)


class Facts(Resource, kind="host.Facts", provider=FactsProvider):
    """What a machine says of itself.

        machine = host.Facts("machine")
        workers = value(machine.cpus) * 2

    They are read by every plan, and a change of one of them is a change of this node, so that what is built from it follows.
    """

    distribution: str = Output(compared=True, doc="Its id in os-release(5), such as debian; empty without that.")
    distribution_like: list[str] = Output(compared=True, doc="The ids of what it is made from, nearest first.")
    version: str = Output(compared=True, doc="Its version, such as 12; empty for one that has none.")
    codename: str = Output(compared=True, doc="The name of its version, such as bookworm.")
    kernel: str = Output(compared=True, doc="The kernel's release.")
    architecture: str = Output(compared=True, doc="The machine's hardware, such as x86_64.")
    hostname: str = Output(compared=True, doc="Its name.")
    cpus: int = Output(compared=True, doc="Processors that are on.")
    memory_bytes: int = Output(compared=True, doc="Memory that the kernel can use.")
    addresses: list[dict[str, str]] | None = Output(
        compared=True, doc="Addresses that others reach, each as `interface` and `address`; None where there is no ip(8)."
    )
    mounts: list[dict[str, str]] = Output(compared=True, doc="File systems on devices, each as `path`, `device` and `type`.")


def _told(answers: Answers) -> dict[str, Value]:
    """The outputs.

    Raises:
        HostError: if the machine says something else.
    """
    said = answers[_QUESTION]
    told: dict[str, list[str]] = {}
    for line in said.stdout.decode(errors="replace").split("\n"):
        key, _, rest = line.partition(" ")
        told.setdefault(key, []).append(rest)
    try:
        return {
            **_distribution(told.get("os", [])), "kernel": told["kernel"][0], "architecture": told["architecture"][0],
            "hostname": told["hostname"][0], "cpus": int(told["cpus"][0]), "memory_bytes": int(told["memory"][0]) * 1024,
            "addresses": [_address(line) for line in told.get("address", [])] if "addresses" in told else None,
            "mounts": [_mount(line) for line in told.get("mount", [])],
        }  # fmt: skip
    except (KeyError, ValueError):
        raise HostError(
            "failed", "A machine does not say what it is", detail=f"It says something else:\n{said.text()[:500]}"
        ) from None


def _distribution(lines: Sequence[str]) -> Mapping[str, Value]:
    found: dict[str, str] = {}
    for line in lines:
        key, _, value = line.partition("=")
        try:
            words = shlex.split(value)
        except ValueError:
            words = [value]
        found[key] = " ".join(words)
    return {
        "distribution": found.get("ID", ""), "distribution_like": [*found.get("ID_LIKE", "").split()],
        "version": found.get("VERSION_ID", ""), "codename": found.get("VERSION_CODENAME", ""),
    }  # fmt: skip


def _address(line: str) -> dict[str, Value]:
    interface, address = line.split(" ")
    return {"interface": interface.partition("@")[0], "address": address.partition("/")[0]}


def _mount(line: str) -> dict[str, Value]:
    path, kind, device, *_ = line.split(" ")
    return {"path": unescaped(path), "device": unescaped(device), "type": kind}
