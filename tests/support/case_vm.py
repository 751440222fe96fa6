"""The virtual machine as cases want it: as it was when it had come up, reached by purvey's own SSH."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import stat
import tarfile
from collections.abc import AsyncIterator
from typing import Final

from purvey._base.clock import SystemClock
from purvey._base.value import Secret
from purvey._hosts.become import Becoming
from purvey._hosts.route import FIRST_USE, SshRoute
from purvey._hosts.shell_host import ShellHost
from purvey._hosts.ssh import SshShell
from purvey._hosts.ssh_link import Links
from tests.support.case_hosts import CaseHost, Entry
from tests.support.vm import Vm
from tests.support.vm_disk import base_disk

_FOLDERS: Final = ("/etc", "/home", "/opt", "/root", "/srv", "/usr/bin", "/usr/lib/systemd", "/usr/local", "/usr/sbin")
_MARK: Final = "/run/case"
_LIST: Final = ("find", *_FOLDERS, "-xdev", "-print0")
_PACK: Final = """
find "$@" -xdev -newerc /run/case -print0 | tar --create --no-recursion --null --files-from=- --absolute-names | base64 --wrap=0
"""
_TYPES: Final = {tarfile.DIRTYPE: stat.S_IFDIR, tarfile.SYMTYPE: stat.S_IFLNK, tarfile.REGTYPE: stat.S_IFREG}


class VmCaseHost(CaseHost):
    """The machine during one case.

    Args:
        vm: The machine.
    """

    def __init__(self, vm: Vm) -> None:
        super().__init__(base_disk().tree, vm.folder)
        self._vm = vm
        key = Secret(vm.key.read_text(encoding="ascii"))
        route = SshRoute(
            address="127.0.0.1", port=vm.port, user="root", key=key, config="", host_key=FIRST_USE,
            known_hosts=str(vm.folder / "known_hosts"),
        )  # fmt: skip
        self.links = Links(SystemClock(), asyncio.Semaphore(1))
        self._shell = SshShell(self.links.link(route))
        self.host = ShellHost(self._shell, "the case's machine", SystemClock(), Becoming(), worker="cases", fence=lambda: 1)
        vm.told("touch", _MARK)
        self._names = self._listed()

    def changed(self) -> dict[str, Entry | None]:
        """See `CaseHost.changed`."""
        found: dict[str, Entry | None] = {name.removeprefix("/"): None for name in self._names - self._listed()}
        packed = base64.b64decode(self._vm.told("sh", "-c", _PACK, "sh", *_FOLDERS))
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            for item in archive:
                file = archive.extractfile(item) if item.isreg() else None
                content = file.read() if file is not None else item.linkname.encode()
                found[item.name.removeprefix("/")] = Entry(_TYPES[item.type] | item.mode, item.uid, item.gid, content)
        return found

    def _listed(self) -> set[str]:
        return set(self._vm.told(*_LIST).split("\0"))


class VmHosts:
    """Makes the machine new for each case.

    Args:
        vm: The machine.
    """

    def __init__(self, vm: Vm) -> None:
        self._vm = vm

    @contextlib.asynccontextmanager
    async def machine(self) -> AsyncIterator[VmCaseHost]:
        """The machine as it was when it had just come up."""
        self._vm.reset()
        made = VmCaseHost(self._vm)
        try:
            yield made
        finally:
            await made.links.close()
