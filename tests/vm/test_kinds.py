"""What a machine has one of, with a kernel of its own: applied, left alone, still so after a start, and taken away."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.vm import Vm
    from tests.support.vm_project import VmProject

SETTINGS = """
    swap = host.Swap("swap", on=web, path="/srv/swap", size_mib=size)
    host.Sysctl("swappiness", on=web, key="vm.swappiness", value="7")
    host.Hostname("name", on=web, hostname="shop-1")
    host.Timezone("zone", on=web, zone="Asia/Tokyo")
    format = host.Command("format", on=web, command=["mke2fs", "-q", "-L", "shop", "/dev/vdc"], unless=["blkid", "/dev/vdc"])
    host.Mount("data", on=web, path="/srv/data", source="LABEL=shop", type="ext4", opts=Options(after=[format]))
    host.timer("tick", on=web, command=["/bin/sh", "-c", "echo tick >>/srv/ticks"], every="1s")
"""
LOOK = """
awk '$1 == "/srv/swap" { print $1, $3 }' /proc/swaps
cat /proc/sys/vm/swappiness /proc/sys/kernel/hostname
date +%Z
findmnt --noheadings --output SOURCE,FSTYPE /srv/data
systemctl is-active tick.timer
systemctl is-enabled tick.timer
"""
WISHED = ["/srv/swap 16380", "7", "shop-1", "JST", "/dev/vdc ext4", "active", "enabled"]


def look(vm: Vm) -> list[str]:
    """What the machine is like, by its kernel and its own programs."""
    return [" ".join(line.split()) for line in vm.exec("sh", "-c", LOOK).stdout.splitlines()]


@pytest.fixture
def settings(project: VmProject) -> VmProject:
    """A project that has one of each."""
    project.declare(SETTINGS, "size: int = 16")
    return project


def test_a_machine_is_what_is_declared_until_it_is_destroyed(vm: Vm, settings: VmProject) -> None:
    """The kernel and systemd have each setting; a second run changes none; a destroy leaves only what every machine has."""
    before, fstab = look(vm), vm.told("cat", "/etc/fstab")

    settings.run("apply", "--yes")

    assert look(vm) == WISHED
    assert vm.until(lambda: len(vm.exec("cat", "/srv/ticks").stdout.splitlines()) > 1)
    assert "nothing had to change" in settings.run("apply", "--yes")
    assert look(vm) == WISHED
    settings.run("destroy", "--yes")
    assert look(vm) == [before[0], "shop-1", "JST", *before[3:]]
    assert vm.told("cat", "/etc/fstab") == fstab
    assert vm.told("find", "/srv", "-name", "swap*", "-o", "-name", "data") == ""
    assert vm.told("find", "/etc", "-name", "tick.*", "-o", "-name", "*purvey*") == ""


def test_a_swap_file_in_use_grows_and_an_undo_gives_the_former_one_back(vm: Vm, settings: VmProject) -> None:
    """It is in use in its new size, then in its former one again."""
    settings.run("apply", "--yes")

    settings.run("apply", "--yes", "--size", "24")

    assert look(vm)[0] == "/srv/swap 24572"
    settings.run("undo", "--yes")
    assert look(vm) == WISHED
    assert vm.told("cat", "/etc/fstab").count("/srv/swap") == 1
