"""Units under a real systemd, through the command line: made, changed, restarted once, owed after a kill, and taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.vm import Vm
    from tests.support.vm_project import VmProject

SHOP = """
    conf = files.File("conf", on=web, path="/etc/shop.conf", content=text)
    unit = (
        "[Service]\\nExecStart=/bin/sh -c 'echo start $$GREETING $$(cat /etc/shop.conf) >>/srv/ledger; exec sleep 100000'\\n"
        "ExecReload=/bin/sh -c 'echo reload $$(cat /etc/shop.conf) >>/srv/ledger'\\n[Install]\\nWantedBy=multi-user.target\\n"
    )
    waits = [conf]
    if gate:
        waits.append(command.Check("gate", command=["test", "-e", gate], within_s=3000, opts=Options(after=[conf])))
    services.Systemd(
        "shop", on=web, unit="shop", content=unit, drop_ins={"greeting": f"[Service]\\nEnvironment=GREETING={greeting}\\n"},
        {reads}_on=[conf], opts=Options(after=waits),
    )
"""
PARAMETERS = "text: str = 'one', greeting: str = 'hello', gate: str = ''"


@pytest.fixture
def shop(project: VmProject, request: pytest.FixtureRequest) -> VmProject:
    """A project with a service that writes down when it was started and reloaded, and with what."""
    project.declare(SHOP.replace("{reads}", getattr(request, "param", "restart")), PARAMETERS)
    project.run("apply", "--yes")
    return project


def ledger(vm: Vm) -> list[str]:
    """What the service has written down."""
    return vm.told("cat", "/srv/ledger").splitlines()


def state(vm: Vm) -> str:
    """How systemd sees it."""
    return vm.told("systemctl", "show", "--property=ActiveState,UnitFileState,NeedDaemonReload", "shop").replace("\n", " ")


def test_a_unit_runs_and_is_restarted_once_for_its_file_and_its_drop_in(vm: Vm, shop: VmProject) -> None:
    """It is enabled and runs with its drop-in; a change of its file or its texts is one restart, and no change is none."""
    assert state(vm) == "ActiveState=active UnitFileState=enabled NeedDaemonReload=no"
    assert ledger(vm) == ["start hello one"]
    assert "nothing had to change" in shop.run("apply", "--yes")

    shop.run("apply", "--yes", "--text", "two")
    assert ledger(vm) == ["start hello one", "start hello two"]
    shop.run("apply", "--yes", "--text", "three", "--greeting", "bye")
    assert ledger(vm)[2:] == ["start bye three"]
    assert "nothing had to change" in shop.run("apply", "--yes", "--text", "three", "--greeting", "bye")
    assert state(vm) == "ActiveState=active UnitFileState=enabled NeedDaemonReload=no"
    assert len(ledger(vm)) == 3


@pytest.mark.parametrize("shop", ["reload"], indirect=True)
def test_a_unit_that_can_is_reloaded_and_goes_on(vm: Vm, shop: VmProject) -> None:
    """With `reload_on` the same process reads the file again, once; and the former one after an undo."""
    pid = vm.told("systemctl", "show", "--property=MainPID", "shop")

    shop.run("apply", "--yes", "--text", "two")

    assert ledger(vm) == ["start hello one", "reload two"]
    assert "nothing had to change" in shop.run("apply", "--yes", "--text", "two")
    shop.run("undo", "--yes")
    assert ledger(vm) == ["start hello one", "reload two", "reload one"]
    assert vm.told("systemctl", "show", "--property=MainPID", "shop") == pid


def test_a_restart_that_is_owed_after_a_kill_is_made_once(vm: Vm, shop: VmProject) -> None:
    """After a kill between the file and the restart the resume restarts, and the run after it does not."""
    gate = shop.folder / "gate"
    arguments = ("--text", "two", "--gate", str(gate))
    process = shop.begin("apply", "--yes", *arguments)
    assert vm.until(lambda: vm.told("cat", "/etc/shop.conf") == "two")
    shop.kill(process)
    assert ledger(vm) == ["start hello one"]
    gate.touch()

    shop.run("resume", "--yes", "--wait")

    assert ledger(vm) == ["start hello one", "start hello two"]
    assert "nothing had to change" in shop.run("apply", "--yes", *arguments)
    assert len(ledger(vm)) == 2


def test_an_undo_gives_back_the_file_and_restarts(vm: Vm, shop: VmProject) -> None:
    """The service runs with the former file and drop-in again; a destroy leaves nothing of it."""
    shop.run("apply", "--yes", "--text", "two", "--greeting", "bye")

    shop.run("undo", "--yes")

    assert vm.told("cat", "/etc/shop.conf") == "one"
    assert ledger(vm) == ["start hello one", "start bye two", "start hello one"]
    assert state(vm) == "ActiveState=active UnitFileState=enabled NeedDaemonReload=no"
    assert "nothing had to change" in shop.run("apply", "--yes")
    shop.run("destroy", "--yes")
    assert (
        vm.told("systemctl", "show", "--property=LoadState,ActiveState", "shop") == "LoadState=not-found\nActiveState=inactive"
    )
    assert vm.told("find", "/etc/systemd/system", "-name", "shop*") == ""
