"""Kinds that change a machine as a whole, on hosts of a lab: who gets in, which packets do, and whether it comes back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from purvey.errors import HostError, ProviderError
from purvey.providers import Done, Pending, Present
from purvey.resources import host, users
from purvey.testing import PlainCall, view
from purvey.testing.hosts import Lab
from tests.support.case_lab import LabCaseHost
from tests.unit.hosts.waiting import until
from tests.unit.resources.life import provider, recorded

if TYPE_CHECKING:
    from purvey._script.resource import Resource

R = TypeVar("R", bound="Resource")

OPEN = "chain input { type filter hook input priority filter; policy accept; }"
SHUT = "chain input { type filter hook input priority filter; policy drop; }"
TO_SSH = "chain input { type filter hook input priority filter; policy drop; tcp dport 22 accept; iif lo accept; }"


class Bench:
    """One host of a lab, and calls to it."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.host = lab.hosts[0]
        self.machine = LabCaseHost(lab, self.host).host
        self.calls = 0

    def call(self, *, undoes: str = "") -> PlainCall:
        """A new operation."""
        self.calls += 1
        return PlainCall("@purvey/objects/x", host=self.machine, token=f"01T{self.calls}", undoes=undoes)

    def said(self, *argv: str) -> str:
        """What a program on the host says, past its sshd."""
        ended = self.host.exec(argv)
        return f"{ended.stdout}{ended.stderr}".strip()


@pytest.fixture
def bench() -> Iterator[Bench]:
    """A new lab with one host."""
    with Lab() as lab:
        yield Bench(lab)


async def made(bench: Bench, want: R) -> R:
    """The record of an object that was just made."""
    return recorded(want, await provider(want).create(bench.call(), want))


async def read(bench: Bench, have: Resource) -> dict[str, Any]:
    """What is read of an object."""
    seen = await provider(have).read(bench.call(), have)
    assert isinstance(seen, Present)
    return seen.values


async def test_rules_that_let_us_in_stay(bench: Bench) -> None:
    """Rules that let a new connection through are in force when their time is over, and kept for the next start."""
    have = await made(bench, view(host.Firewall, name="web", family="inet", rules=TO_SSH, confirm_s=2))
    assert until(lambda: not bench.said("pgrep", "-f", "ln -s reverted"))
    assert "policy drop" in bench.said("nft", "list", "table", "inet", "web")
    assert TO_SSH in bench.said("cat", "/etc/nftables.d/purvey-inet-web.nft")
    assert (await read(bench, have))["digest"] == have.digest

    bench.said("nft", "add", "rule", "inet", "web", "input", "tcp", "dport", "23", "accept")
    assert (await read(bench, have))["digest"] != have.digest
    await provider(have).delete(bench.call(), have)
    assert "No such file" in bench.said("nft", "list", "table", "inet", "web")


async def test_rules_that_shut_us_out_take_themselves_back(bench: Bench) -> None:
    """Where no new connection gets through, the former rules are in force again, and nothing is kept for the next start."""
    have = await made(bench, view(host.Firewall, name="web", family="inet", rules=TO_SSH, confirm_s=30))
    want = view(host.Firewall, name="web", family="inet", rules=SHUT, confirm_s=7)
    call = bench.call()
    with pytest.raises(HostError):
        await provider(want).update(call, have, want)
    assert until(lambda: "tcp dport 22" in bench.said("nft", "list", "table", "inet", "web"))
    assert TO_SSH in bench.said("cat", "/etc/nftables.d/purvey-inet-web.nft")
    with pytest.raises(ProviderError, match="taken themselves back"):
        await provider(want).update(call, have, want)
    assert (await read(bench, have))["digest"] == have.digest


async def test_rules_with_a_mistake_are_never_in_force(bench: Bench) -> None:
    """The machine's nft looks at them first, and says where the mistake is."""
    want = view(host.Firewall, name="web", family="inet", rules="chain input { type filtre; }", confirm_s=5)
    with pytest.raises(HostError, match="not accepted") as caught:
        await provider(want).create(bench.call(), want)
    assert "filtre" in caught.value.detail
    assert "No such file" in bench.said("nft", "list", "table", "inet", "web")


async def test_former_rules_come_back_with_an_undo(bench: Bench) -> None:
    """An undo tries and confirms the former rules as an update does."""
    have = await made(bench, view(host.Firewall, name="web", family="inet", rules=TO_SSH, confirm_s=30))
    want = view(host.Firewall, name="web", family="inet", rules=OPEN, confirm_s=30)
    call = bench.call()
    now = recorded(want, await provider(want).update(call, have, want))
    assert "policy accept" in bench.said("nft", "list", "table", "inet", "web")
    await provider(want).undo(bench.call(undoes=call.token), now, have)
    assert "policy drop" in bench.said("nft", "list", "table", "inet", "web")
    assert (await read(bench, have))["digest"] == have.digest


async def test_a_machine_is_restarted_once_and_waited_for(bench: Bench) -> None:
    """A changed value restarts the machine; it is over when another boot id is said, and is not begun twice."""
    have = await made(bench, view(host.Reboot, when="one", at_first=False))
    former = bench.host.boot_id
    assert have.boot_id == former
    want = view(host.Reboot, when="two", at_first=False)
    call = bench.call()
    outcome = await provider(want).update(call, have, want)
    assert isinstance(outcome, Pending)
    bench.host.await_boot(other_than=former)
    done = await provider(want).ready(call, want)
    assert isinstance(done, Done)
    assert done.outputs["boot_id"] == bench.host.boot_id != former

    again = await provider(want).update(call, have, want)
    assert isinstance(again, Done)
    assert bench.host.boot_id == done.outputs["boot_id"]


async def test_a_machine_that_is_down_is_waited_for(bench: Bench) -> None:
    """One that does not answer is not there yet, and one that has not gone down yet is neither."""
    have = await made(bench, view(host.Reboot, when="one", at_first=False))
    want = view(host.Reboot, when="two", at_first=False)
    call = bench.call()
    await provider(want).update(call, have, want)
    waiting = await provider(want).ready(call, want)
    assert isinstance(waiting, Pending)


async def test_facts_are_those_of_the_machine(bench: Bench) -> None:
    """What a script decides by is what the machine is."""
    facts = await read(bench, view(host.Facts))
    assert (facts["distribution"], facts["version"], facts["codename"]) == ("debian", "12", "bookworm")
    assert facts["hostname"] == "host1"
    assert facts["kernel"] == bench.said("uname", "-r")
    assert facts["addresses"] == [{"interface": "eth0", "address": bench.host.address}]
    assert str(facts["cpus"]) == bench.said("nproc")
    assert facts["memory_bytes"] > 0


async def test_a_user_with_a_key_gets_in_and_may_what_sudo_says(bench: Bench) -> None:
    """Account, key and rules for sudo are what the machine's own programs take them for."""
    line = bench.lab.run(["ssh-keygen", "-y", "-f", str(bench.lab.key)]).stdout.strip()
    await made(bench, view(users.User, name="ana", home="/srv/ana", create_home=True, shell="/bin/sh", comment="Ana"))
    refused = bench.lab.run(bench.lab.ssh(bench.host, "id -un", user="ana"))
    assert refused.returncode != 0
    await made(bench, view(users.AuthorizedKeys, user="ana", keys=[line], exclusive=True, private=True))
    assert bench.lab.run(bench.lab.ssh(bench.host, "id -un; pwd", user="ana")).stdout.split() == ["ana", "/srv/ana"]
    await made(bench, view(users.Sudoers, name="ana", content="ana ALL=(root) NOPASSWD: /usr/bin/id\n", safe=True))
    assert bench.lab.run(bench.lab.ssh(bench.host, "sudo -n id -un", user="ana")).stdout.strip() == "root"
    assert bench.lab.run(bench.lab.ssh(bench.host, "sudo -n true", user="ana")).returncode != 0
