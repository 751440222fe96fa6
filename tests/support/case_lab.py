"""Hosts of a lab, for cases that need more of a machine than a file system: reached by SSH, as real ones are."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Self

from purvey._base.clock import SystemClock
from purvey._hosts.become import Becoming
from purvey._hosts.enter import EnteredPipes
from purvey._hosts.shell_host import ShellHost
from purvey.testing.hosts import Lab
from purvey.testing.hosts._tree import base_tree
from tests.support.case_hosts import CaseHost
from tests.support.shells import Brief

if TYPE_CHECKING:
    from purvey.testing.hosts import Host


class LabShell(Brief):
    """See `purvey._hosts.shell.Shell`; each command is a connection of its own.

    Args:
        lab: The lab.
        host: The host in it.
        user: Who logs in.
    """

    def __init__(self, lab: Lab, host: Host, user: str = "root") -> None:
        self._lab = lab
        self._host = host
        self._user = user

    async def start(self, command: str) -> EnteredPipes:
        """See `Shell.start`."""
        return EnteredPipes(["ip", "netns", "exec", self._lab.namespace, *self._lab.ssh(self._host, command, user=self._user)])

    async def close(self) -> None:
        """See `Shell.close`; there is nothing to close."""


class LabCaseHost(CaseHost):
    """One host of a lab, as a case wants it.

    Args:
        lab: The lab.
        host: The host in it.
        packages: What it has on top of others.
    """

    def __init__(self, lab: Lab, host: Host, packages: tuple[str, ...] = ()) -> None:
        super().__init__(base_tree(packages), host.folder)
        self._shell = LabShell(lab, host)
        self.host = ShellHost(self._shell, "the case's machine", SystemClock(), Becoming(), worker="cases", fence=lambda: 1)


class LabHosts:
    """Makes hosts of labs, for the length of a ``with`` block.

    Args:
        packages: What they have on top of what every host has.
    """

    def __init__(self, packages: tuple[str, ...] = ()) -> None:
        self._packages = packages

    def __enter__(self) -> Self:
        """Make the tree."""
        base_tree(self._packages)
        return self

    def __exit__(self, *error: object) -> None:
        """Leave nothing: every host went with its lab."""

    @contextlib.asynccontextmanager
    async def machine(self) -> AsyncIterator[LabCaseHost]:
        """A new host in a new lab."""
        with Lab(packages=self._packages) as lab:
            yield LabCaseHost(lab, lab.hosts[0], self._packages)
