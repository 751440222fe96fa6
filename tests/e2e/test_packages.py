"""Packages on real machines, operation after operation: what an undo brings back, and what a run does once."""

from __future__ import annotations

import fcntl
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from purvey._hosts.step import Step
from purvey.errors import HostError
from purvey.providers import registry
from purvey.providers.host import HostProvider, Place, Work, went_through
from tests.support.case_hosts import CaseHost, CaseHosts

NEW_PACKAGE = r"""
deb() {
  folder=/srv/$1.$2 file=/srv/repo/$1_$2.deb
  mkdir -p $folder/DEBIAN /srv/repo
  printf 'Package: %s\nVersion: %s\nArchitecture: all\n' $1 $2 >$folder/DEBIAN/control
  printf 'Maintainer: l <l@l>\n%bDescription: d\n' "${3-}" >>$folder/DEBIAN/control
  dpkg-deb --root-owner-group -Zgzip -b $folder $file >/dev/null
  { dpkg-deb -f $file; echo "Filename: ./$1_$2.deb"; echo "Size: $(stat -c %s $file)"
    sha256sum $file | sed 's/^/SHA256: /; s/ [^ ]*$//'; echo; } >>/srv/repo/Packages
}
echo 'deb [trusted=yes] copy:/srv/repo ./' >/etc/apt/sources.list.d/own.list
"""


@pytest.fixture(scope="module")
def hosts() -> Iterator[CaseHosts]:
    """Machines with a small Debian."""
    with CaseHosts() as made:
        yield made


@pytest.fixture
async def machine(hosts: CaseHosts) -> AsyncIterator[CaseHost]:
    """One that is thrown away."""
    async with hosts.machine() as made:
        yield made


class Node:
    """A node on a machine, and what is recorded of it.

    Args:
        machine: The machine.
        inputs: What the script wishes.
        name: Tells it from others.
    """

    def __init__(self, machine: CaseHost, inputs: dict[str, Any], name: str = "x") -> None:
        self.kind = registry.get("packages.Apt")
        provider = self.kind.provider
        assert isinstance(provider, HostProvider)
        self.provider: HostProvider[Any] = provider
        self.machine = machine
        self.inputs = inputs
        self.record: Any = None
        self.name = name

    def place(self, token: str, undoes: str = "") -> Place:
        """What an operation knows of itself."""
        return Place(address=f"lab::{self.name}", folder=f"@purvey/objects/{self.name}", token=token, undoes=undoes, run="run1")

    async def make(self, token: str, *, changes: int | None = None, **inputs: Any) -> Work:
        """Make it, or change it to other inputs; no more than so many changes before it is cut off."""
        place, want = self.place(token), self.kind.bind("lab::x", {**self.inputs, **inputs})
        answers = await self.machine.host.ask(self.provider.facts(place, want))
        make, change = self.provider.make, self.provider.change
        work = make(place, want, answers) if self.record is None else change(place, self.record, want, answers)
        attempt = Step(f"{token}-{changes}", 1, work.changes[:changes], after=work.after if changes is None else ())
        (ending,) = await self.machine.host.perform([attempt])
        ended = went_through(self.provider, want, ending)
        if changes is None:
            self.record = want.with_values(**{**(work.outputs or {}), **self.provider.learnt(want, work, ended)})
        return work

    async def undo(self, token: str, before: Any = None) -> None:
        """Take an operation back."""
        place = self.place(f"undo-{token}", token)
        answers = await self.machine.host.ask(self.provider.facts(place, self.record))
        work = self.provider.take_back(place, self.record, before, answers)
        (ending,) = await self.machine.host.perform([Step(f"undo-{token}", 1, work.changes)])
        went_through(self.provider, self.record, ending)

    async def remove(self, token: str) -> None:
        """Remove it."""
        place = self.place(token)
        answers = await self.machine.host.ask(self.provider.facts(place, self.record))
        work = self.provider.remove(place, self.record, answers)
        (ending,) = await self.machine.host.perform([Step(token, 1, work.changes)])
        went_through(self.provider, self.record, ending)


def installed(machine: CaseHost) -> str:
    """Every package that dpkg knows, with its state and whether it was asked for."""
    status = (machine.root / "var/lib/dpkg/status").read_text()
    fields = ("Package:", "Status:", "Version:")
    states = machine.root / "var/lib/apt/extended_states"
    automatic = states.read_text() if states.exists() else ""
    asked = "\n".join(sorted(part for part in automatic.split("\n\n") if "Auto-Installed: 1" in part))
    return "\n".join(line for line in status.splitlines() if line.startswith(fields)) + asked


async def test_an_undone_installation_leaves_nothing(machine: CaseHost) -> None:
    """The packages go with all that came along, and dpkg knows what it knew before."""
    await machine.prepare([NEW_PACKAGE, "deb lib 1; deb demo 1 'Depends: lib\\n'", "apt-get -qq update"])
    before = installed(machine)
    node = Node(machine, {"names": {"demo": ""}})
    await node.make("op1")

    assert node.record.brought == ["lib"]
    await node.undo("op1")

    assert installed(machine) == before


async def test_an_undone_upgrade_brings_the_former_version_and_hold_back(machine: CaseHost) -> None:
    """What somebody else had installed and held is as it was."""
    await machine.prepare([NEW_PACKAGE, "deb demo 1; deb demo 2; apt-get -qq update; apt-get -qq install demo=1"])
    await machine.prepare(["apt-mark hold demo"])
    before = installed(machine)
    node = Node(machine, {"names": {"demo": "2"}, "hold": True})
    await node.make("op1")

    assert node.record.versions == {"demo": "2"}
    assert node.record.found == {"demo": "1 (held)"}
    await node.undo("op1")

    assert installed(machine) == before


async def test_an_undone_change_brings_dropped_packages_back(machine: CaseHost) -> None:
    """A package that the script named no more is installed again, in the version that it had."""
    await machine.prepare([NEW_PACKAGE, "deb demo 1; deb tool 1; deb tool 2; apt-get -qq update"])
    node = Node(machine, {"names": {"demo": "", "tool": "1"}})
    await node.make("op1")
    before, record = installed(machine), node.record
    await node.make("op2", names={"demo": ""})

    assert "Package: tool\nStatus: install ok installed" not in installed(machine)
    await node.undo("op2", record)

    assert installed(machine) == before


async def test_an_attempt_that_was_cut_off_is_not_taken_for_the_former_state(machine: CaseHost) -> None:
    """What the first attempt has installed is the node's own, and is removed with it."""
    await machine.prepare([NEW_PACKAGE, "deb demo 1; deb tool 1; apt-get -qq update; apt-get -qq install tool"])
    before = installed(machine)
    node = Node(machine, {"names": {"demo": "", "tool": ""}, "purge": True})
    await node.make("op1", changes=3)
    await node.make("op1")

    assert node.record.found == {"tool": "1"}
    await node.remove("op2")

    assert installed(machine) == before


async def test_a_failed_installation_is_undone(machine: CaseHost) -> None:
    """A package whose own script has failed is taken away, half installed as it is."""
    script = "/srv/demo.1/DEBIAN/postinst"
    fails = f"mkdir -p /srv/demo.1/DEBIAN; printf '#!/bin/sh\\nexit 3\\n' >{script}; chmod 755 {script}"
    await machine.prepare([NEW_PACKAGE, fails, "deb demo 1; apt-get -qq update"])
    before = installed(machine)
    node = Node(machine, {"names": {"demo": ""}})
    with pytest.raises(HostError, match="A package's own script failed"):
        await node.make("op1")
    node.record = node.kind.bind("lab::x", node.inputs)
    await node.undo("op1")

    assert installed(machine) == before


async def test_lists_are_fetched_once_in_a_run(machine: CaseHost) -> None:
    """The second node that needs newer lists finds that the run has fetched them."""
    await machine.prepare([NEW_PACKAGE, "deb demo 1; deb tool 1; apt-get -qq update; touch -d '3 days ago' /var/lib/apt/lists"])
    first = await Node(machine, {"names": {"demo": ""}}, "a").make("op1")
    await machine.prepare(["touch -d '3 days ago' /var/lib/apt/lists"])
    second = await Node(machine, {"names": {"tool": ""}}, "b").make("op2")

    fetched = [["update" in str(change) for change in work.changes].count(True) for work in (first, second)]
    assert fetched == [1, 0]


async def test_an_upgrade_keeps_what_somebody_has_configured(machine: CaseHost) -> None:
    """A changed configuration file stays, and a new one does not ask."""
    for version in "12":
        tree = f"/srv/demo.{version}"
        conf = f"echo {version} >{tree}/etc/demo.conf; echo /etc/demo.conf >{tree}/DEBIAN/conffiles"
        await machine.prepare([NEW_PACKAGE, f"mkdir -p {tree}/etc {tree}/DEBIAN; {conf}; deb demo {version}"])
    await machine.prepare(["apt-get -qq update; apt-get -qq install demo=1; echo mine >/etc/demo.conf"])
    await Node(machine, {"names": {"demo": "2"}}).make("op1")

    assert (machine.root / "etc/demo.conf").read_text() == "mine\n"


async def test_another_who_works_on_the_packages_is_waited_for(machine: CaseHost) -> None:
    """Who waits too long is told who is in the way, and that the same can be done again."""
    await machine.prepare([NEW_PACKAGE, "deb demo 1; apt-get -qq update"])
    node = Node(machine, {"names": {"demo": ""}, "lock_timeout_s": 1})
    with (machine.root / "var/lib/dpkg/lock-frontend").open("wb") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        with pytest.raises(HostError, match="Another program works on the packages"):
            await node.make("op1")
    await node.make("op2")

    assert node.record.versions == {"demo": "1"}
