"""The virtual machine itself: nothing of it is left, however its test ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.vm import Vm
from tests.unit.hosts.waiting import runs, until

START = """
import signal, sys
from pathlib import Path
from tests.support.vm import Vm
vm = Vm(Path(sys.argv[1]))
vm.start("")
print(vm.pid, flush=True)
signal.pause()
"""


def test_a_machine_ends_with_the_process_that_has_started_it(tmp_path: Path) -> None:
    """After a SIGKILL its QEMU is gone, and with it the file system that its disk was in, which nobody else ever saw."""
    with subprocess.Popen([sys.executable, "-c", START, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            pid = int(process.stdout.readline())
            assert "/memory " in Path(f"/proc/{pid}/mounts").read_text(encoding="utf-8")
        finally:
            process.kill()

    assert until(lambda: not runs(pid))
    assert list((tmp_path / "memory").iterdir()) == []
    assert str(tmp_path) not in Path("/proc/mounts").read_text(encoding="utf-8")


def test_a_machine_that_is_switched_off_leaves_nothing(tmp_path: Path) -> None:
    """The end of the block ends QEMU."""
    with Vm(tmp_path) as vm:
        vm.start("")
        pid = vm.pid
        assert runs(pid)

    assert not runs(pid)
