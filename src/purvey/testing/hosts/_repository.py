"""A repository for apt in which a test publishes packages, signed and served over HTTP within the lab."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from email.utils import formatdate
from pathlib import Path
from typing import Final

import msgspec

from purvey._base.clock import SystemClock
from purvey.testing.hosts._network import command

_SIGNER: Final = "The lab's repository"


class Package(msgspec.Struct, frozen=True, kw_only=True):
    """A package to publish.

    Args:
        name: Its name.
        version: Its version.
        files: What it installs: the text of each file by its path; one that begins with ``#!`` can be run.
        depends: What it needs, each as in a control file: ``cron`` or ``demo (>= 2)``.
        scripts: Maintainer scripts by their name: ``postinst``, ``prerm`` and so on.
        conffiles: Paths of `files` that are the administrator's to change.
    """

    name: str
    version: str = "1"
    files: Mapping[str, str] = msgspec.field(default_factory=dict[str, str])
    depends: tuple[str, ...] = ()
    scripts: Mapping[str, str] = msgspec.field(default_factory=dict[str, str])
    conffiles: tuple[str, ...] = ()


class Repository:
    """A repository of a `Lab`, which makes it.

    Attributes:
        url: Where hosts find it.
        key: The public key that it is signed with, as text; what a host has in ``/etc/apt/keyrings``.
    """

    def __init__(
        self, folder: Path, address: str, popen: Callable[..., subprocess.Popen[str]],
        run: Callable[..., subprocess.CompletedProcess[str]],
    ) -> None:  # fmt: skip
        self._run = run
        self._public = folder / "public"
        self._drafts = folder / "drafts"
        self._ring = folder / "ring"
        for path in (folder, self._public, self._drafts, self._ring):
            path.mkdir(mode=0o700)
        self._stanzas: list[str] = []
        self._edition = SystemClock().now()
        self._gpg("--quick-generate-key", _SIGNER, "ed25519", "sign", "never")
        self.key = self._gpg("--armor", "--export")
        self._index()
        server = popen(
            [sys.executable, "-u", "-m", "http.server", "--bind", address, "--directory", str(self._public), "0"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        assert server.stdout is not None  # It was asked for.
        port = re.search(r"port (\d+)", server.stdout.readline())
        if port is None:
            raise RuntimeError("The server of the repository did not start.")
        self.url = f"http://{address}:{port[1]}"

    def source(self, options: str = "trusted=yes") -> str:
        """The line for ``/etc/apt/sources.list.d``.

        Args:
            options: Why apt believes it; ``signed-by=/etc/apt/keyrings/lab.asc`` where `key` is there.
        """
        return f"deb [{options}] {self.url} ./\n"

    def publish(self, package: Package) -> None:
        """Add a package, or a version of it; what was published before stays."""
        draft = self._drafts / f"{package.name}-{len(self._stanzas)}"
        control = _control(package)
        _write(draft / "DEBIAN" / "control", control)
        if package.conffiles:
            _write(draft / "DEBIAN" / "conffiles", "".join(f"{path}\n" for path in package.conffiles))
        for name, text in package.scripts.items():
            _write(draft / "DEBIAN" / name, text, mode=0o755)
        for path, text in package.files.items():
            _write(draft / path.lstrip("/"), text, mode=0o755 if text.startswith("#!") else 0o644)
        built = self._public / f"{package.name}_{package.version.replace(':', '%3a')}_all.deb"
        command("dpkg-deb", "--root-owner-group", "-Zgzip", "--build", str(draft), str(built))
        self._add(built, control)
        self._index()

    def offer(self, packages: Iterable[Path]) -> None:
        """Add packages that somebody else has built, by their files."""
        for package in packages:
            here = self._public / package.name
            here.symlink_to(package)
            self._add(here, command("dpkg-deb", "--field", str(package)))
        self._index()

    def _add(self, built: Path, control: str) -> None:
        self._stanzas.append(f"{control}Filename: ./{built.name}\nSize: {built.stat().st_size}\nSHA256: {_digest(built)}\n")

    def _index(self) -> None:
        packages, release = self._public / "Packages", self._drafts / "Release"
        packages.write_text("\n".join(self._stanzas), encoding="utf-8")
        release.write_text(
            f"Origin: {_SIGNER}\nSuite: stable\nArchitectures: all amd64 arm64\nDate: {formatdate(usegmt=True)}\n"
            f"SHA256:\n {_digest(packages)} {packages.stat().st_size} Packages\n",
            encoding="utf-8",
        )
        signed = self._gpg("--clearsign", "--output", "-", str(release))
        (self._public / "InRelease").write_text(signed, encoding="utf-8")
        # Clients ask for what is newer than theirs, by the second; two editions may be made within one.
        self._edition += 1
        for path in (packages, self._public / "InRelease"):
            os.utime(path, (self._edition, self._edition))

    def _gpg(self, *arguments: str) -> str:
        """Run gpg on a ring of our own; in the lab's network, so that the agent it leaves behind goes with the lab."""
        argv = ["gpg", "--homedir", str(self._ring), "--batch", "--quiet", "--passphrase", "", "--pinentry-mode", "loopback"]
        ended = self._run([*argv, *arguments])
        if ended.returncode != 0:
            raise RuntimeError(f"gpg failed: {ended.stderr}")
        return ended.stdout


def _control(package: Package) -> str:
    depends = f"Depends: {', '.join(package.depends)}\n" if package.depends else ""
    return (
        f"Package: {package.name}\nVersion: {package.version}\nArchitecture: all\nMaintainer: lab <lab@example.invalid>\n"
        f"{depends}Description: made for a test\n"
    )


def _write(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
