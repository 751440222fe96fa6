"""The lab: hosts on a switch, and the ways to them."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final, Self

import msgspec

from purvey.testing.hosts import _network
from purvey.testing.hosts._host import Host, Site, address_of
from purvey.testing.hosts._keys import new_key
from purvey.testing.hosts._place import Place
from purvey.testing.hosts._repository import Repository
from purvey.testing.hosts._tree import base_tree, offers

_HOSTS_MAX: Final = 200
_ADDRESS: Final = "192.0.2.1"
_SWITCH: Final = f"""\
link set lo up
link add switch address 02:00:00:00:00:00 type bridge
address add {_ADDRESS}/24 dev switch
link set switch up
"""
"""An address of the switch's own, because a bridge's changes with the ports it has, and hosts would go on with the old one."""


class Endpoint(msgspec.Struct, frozen=True):
    """Where a server can be reached from within the lab."""

    address: str
    port: int


class Lab:
    """Real hosts, for the length of a ``with`` block.

    It needs root, and the first time on a machine a minute to make the hosts' system.

    Args:
        hosts: How many, 1 to 200.
        packages: Debian's packages that they have on top of what every host has.
        offers: Debian's packages that they can install from `repository`.

    Attributes:
        hosts: The hosts, which run.
        namespace: The network namespace from which they are reached.
        folder: A folder in memory, which goes with the lab.
        address: Of the lab itself, on the hosts' network.
        key: A private key, without a passphrase. With it log in ``root``; ``admin``, who may do everything with sudo and the
            password ``admin-password``; and ``deploy``, who needs no password for that.
        known_hosts: A file with every host's key, for OpenSSH.
    """

    def __init__(self, hosts: int = 1, *, packages: Sequence[str] = (), offers: Sequence[str] = ()) -> None:
        if not 1 <= hosts <= _HOSTS_MAX:
            raise ValueError(f"A lab has 1 to {_HOSTS_MAX} hosts, not {hosts}.")
        self._count = hosts
        self._packages = tuple(packages)
        self._offers = tuple(offers)
        self._tree = Path()
        self._place: Place | None = None
        self._processes: list[subprocess.Popen[str]] = []
        self._host_keys: list[str] = []
        self._relays = 0
        self.hosts: tuple[Host, ...] = ()
        self.namespace = ""
        self.folder = self.key = self.known_hosts = Path()
        self.address = _ADDRESS

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        """End it."""
        self.stop()

    def start(self) -> None:
        """Make the switch and the hosts; returns when every sshd listens.

        Raises:
            PermissionError: for anybody but root.
            RuntimeError: with the error of what failed, or the name of the program that is missing.
        """
        _require_means()
        self._tree = base_tree(self._packages, self._offers)
        self._place = place = Place()
        try:
            self.namespace, self.folder = place.name, place.folder
            self.key, self.known_hosts = self.folder / "key", self.folder / "known_hosts"
            _network.command("ip", "netns", "add", self.namespace)
            _network.command("ip", "-n", self.namespace, "-batch", "-", input=_SWITCH)
            self._make_hosts()
            with ThreadPoolExecutor(len(self.hosts)) as threads:
                list(threads.map(Host.start, self.hosts))
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End everything in it and leave nothing of it; a second time does nothing."""
        place, self._place = self._place, None
        if place is None:
            return
        with contextlib.ExitStack() as stack:  # What follows happens even if one of them does not end.
            stack.callback(place.remove)
            for process in self._processes:
                stack.callback(_end, process)
            for host in self.hosts:
                stack.callback(host.stop)

    def _make_hosts(self) -> None:
        numbers = range(1, self._count + 1)
        names = "".join(f"{address_of(number)} host{number}\n" for number in numbers)
        key = new_key()
        key.write(self.key)
        site = Site(self.namespace, self.folder, self._tree, key.public, f"127.0.0.1 localhost\n{names}{_ADDRESS} lab\n")
        keys = [new_key() for _ in numbers]
        self.hosts = tuple(Host(site, number, key) for number, key in zip(numbers, keys, strict=True))
        self._host_keys = [key.public for key in keys]
        self._know([Endpoint(host.address, host.port) for host in self.hosts])

    def _know(self, endpoints: Sequence[Endpoint]) -> None:
        with self.known_hosts.open("a", encoding="ascii") as file:
            file.writelines(f"{one.address} {key}\n" for one, key in zip(endpoints, self._host_keys, strict=True))

    # From within.

    def inside(self) -> AbstractContextManager[None]:
        """Put this thread into the lab's network for the length of a ``with`` block.

        The sockets that the thread makes are there, an event loop's among them, and so are the processes and threads that it
        starts; other threads stay where they are.
        """
        return _network.inside(self.namespace)

    def run(self, argv: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a program of this machine in the lab's network.

        Args:
            argv: The program and its arguments.
            options: For `subprocess.run`; 60 s, no input and captured text unless they say otherwise.
        """
        with self.inside():
            return _network.run(argv, options)

    def popen(self, argv: Sequence[str], **options: Any) -> subprocess.Popen[str]:
        """Start a program of this machine in the lab's network; it ends with the lab at the latest.

        Args:
            argv: The program and its arguments.
            options: For `subprocess.Popen`; its streams are text unless they say otherwise.
        """
        with self.inside():
            process: subprocess.Popen[str] = subprocess.Popen(argv, **{"text": True, **options})
        self._processes.append(process)
        return process

    def ssh(self, host: Host | Endpoint, *command: str, user: str = "root") -> list[str]:
        """The command line that runs `command` on a host with OpenSSH; for `run`, because it works within the lab only."""
        options = ("BatchMode=yes", "ConnectTimeout=5", f"UserKnownHostsFile={self.known_hosts}")
        return [
            "ssh", "-F", "none", "-i", str(self.key), "-p", str(host.port), *(f"-o{option}" for option in options),
            f"{user}@{host.address}", *command,
        ]  # fmt: skip

    def introduce(self, folder: Path) -> None:
        """Put copies of `key` and `known_hosts` into a folder, where a script says ``secret("file:key")``."""
        shutil.copy(self.key, folder / "key")
        shutil.copy(self.known_hosts, folder / "known_hosts")

    # More in it.

    @contextlib.contextmanager
    def latency(self, round_trip_ms: float) -> Iterator[tuple[Endpoint, ...]]:
        """A second address for each host, in their order, from which everything takes `round_trip_ms` longer.

        A relay is there, in a process of its own, for the length of a ``with`` block. A connection takes one round trip to be
        made, as a real one does.
        """
        self._relays += 1
        endpoints = tuple(Endpoint(f"198.18.{self._relays}.{number + 1}", 22) for number in range(len(self.hosts)))
        addresses = "".join(f"address add {one.address}/32 dev lo\n" for one in endpoints)
        _network.command("ip", "-n", self.namespace, "-batch", "-", input=addresses)
        pairs = (f"{one.address}={host.address}" for one, host in zip(endpoints, self.hosts, strict=True))
        argv = [sys.executable, "-m", "purvey.testing.hosts.relay", str(round_trip_ms), *pairs]
        relay = self.popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            assert relay.stdout is not None  # It was asked for.
            if not relay.stdout.readline():
                raise RuntimeError("The relay did not start; its error is on standard error.")
            self._know(endpoints)
            yield endpoints
        finally:
            _end(relay)

    def repository(self) -> Repository:
        """A repository for apt with what the lab offers, served to the hosts until the lab ends; needs gpg."""
        folder = self.folder / f"repository{len(self._processes)}"
        repository = Repository(folder, self.address, self.popen, self.run)
        repository.offer(offers(self._tree))
        return repository


def _require_means() -> None:
    if os.geteuid() != 0:
        raise PermissionError("A lab of hosts needs root: it makes network namespaces and mounts.")
    for program, package in (("mmdebstrap", "mmdebstrap"), ("ip", "iproute2")):
        if shutil.which(program) is None:
            raise RuntimeError(f"A lab of hosts needs {program}, which root installs with\n\n  apt install {package}")


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
