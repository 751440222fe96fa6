"""Random scripts for one machine, of parts that may disturb one another, and what is on the machine of each of them."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from purvey.testing.hosts._repository import Package

HEAD: Final = """
from purvey import Host, Options, secret, stack
from purvey.resources import files, host, packages, users


@stack
def main(text: str = "one", version: str = "1") -> None:
    box = Host("192.0.2.11", name="box", user="root", key=secret("file:key"), known_hosts="known_hosts", config="")
"""

SHIPPED: Final = {f"/etc/demo/{name}": f"port 80\n# of {name}\n" for name in ("a", "b", "c")}
_MAKES_STATE: Final = '#!/bin/sh\n[ "$1" != configure ] || { mkdir -p /var/lib/demo && echo ok >/var/lib/demo/state; }\n'


def releases() -> list[Package]:
    """Two of the package that scripts install: the second has other files."""
    scripts = {"postinst": _MAKES_STATE}
    newer = {path: f"{text}# newer\n" for path, text in SHIPPED.items()}
    return [
        Package(name="demo", files=SHIPPED, scripts=scripts), Package(name="demo", version="2", files=newer, scripts=scripts),
    ]  # fmt: skip


class Part(msgspec.Struct, frozen=True):
    """One node of a script.

    Args:
        name: Its name.
        code: The call that declares it, without `on` and `opts`.
        looks: What is on the machine of it, from the machine's root.
        needs: The names of those that it comes after.
        brings: Paths that others may find there when it is done.
        is_opaque: Whether it may do more than anybody can tell beforehand.
        asks_anything: Whether nobody can tell by what it sees that it is done: a command of one's own, or a number whose
            name is looked up.
    """

    name: str
    code: str
    looks: Callable[[Path], Any]
    needs: tuple[str, ...] = ()
    brings: tuple[str, ...] = ()
    is_opaque: bool = False
    asks_anything: bool = False


class Scripts:
    """Puts a script together.

    Args:
        chance: Decides.

    Attributes:
        parts: Its parts by name, each after those that it needs.
    """

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.parts: dict[str, Part] = {}
        for grow in (self._package, self._people, self._folder, self._commands, self._files, self._lines, self._guards):
            if chance.random() < 0.8:
                grow()

    def text(self) -> str:
        """The script."""
        lines = [HEAD]
        for part in self.parts.values():
            after = ", ".join(part.needs)
            lines.append(f"    {part.name} = {part.code[:-1]}, on=box, opts=Options(after=[{after}]))\n")
        return "".join(lines)

    def behind(self, name: str) -> set[str]:
        """All that a part comes after."""
        found: set[str] = set()
        waiting = [*self.parts[name].needs]
        while waiting:
            need = waiting.pop()
            if need not in found:
                found.add(need)
                waiting += self.parts[need].needs
        return found

    def _add(self, part: Part, *more: str) -> None:
        """Add a part, after those that are named and by chance after others."""
        known = [name for name in self.parts if name not in more]
        others = self._chance.sample(known, min(len(known), self._chance.choice((0, 0, 1, 2))))
        needs = tuple(name for name in self.parts if name in (*others, *more))
        self.parts[part.name] = msgspec.structs.replace(part, needs=needs)

    def _package(self) -> None:
        code = 'packages.Apt("demo", names={"demo": version})'
        self._add(Part("demo", code, _version_of, brings=(*SHIPPED, "/var/lib/demo/state"), is_opaque=True))
        for name in ("a", "b"):
            path = f"/etc/demo/{name}"
            code = f'files.Line("line_{name}", path="{path}", match="^port ", line=f"port {{text}}")'
            self._add(Part(f"line_{name}", code, _line(path, "^port ")), "demo")
        code = 'files.File("over", path="/etc/demo/c", content=text)'
        self._add(Part("over", code, _file("/etc/demo/c"), brings=("/etc/demo/c",)), "demo")

    def _people(self) -> None:
        home = self._chance.choice((True, False))
        self._add(Part("crew", 'users.Group("crew")', _entry("group", "crew")))
        self._add(Part("ann", f'users.User("ann", group="crew", create_home={home})', _entry("passwd", "ann")), "crew")
        code = 'files.File("of_ann", path="/srv/of-ann", content=text, owner="ann")'
        self._add(Part("of_ann", code, _file("/srv/of-ann"), brings=("/srv/of-ann",), asks_anything=True), "ann")

    def _folder(self) -> None:
        self._add(
            Part("folder", 'files.Directory("folder", path="/srv/folder")', _file("/srv/folder"), brings=("/srv/folder",))
        )
        code = 'files.File("inner", path=f"{folder.path}/inner", content="x")'
        self._add(Part("inner", code, _file("/srv/folder/inner"), brings=("/srv/folder/inner",)), "folder")
        self._add(Part("link", 'files.Link("link", path="/srv/link", target="folder")', _file("/srv/link")))

    def _commands(self) -> None:
        for number in range(self._chance.randint(1, 2)):
            name, made = f"made_{number}", f"/srv/made-{number}"
            does = f"echo {name} >>/srv/ledger; echo >{made}-{{version}}; {self._chance.choice(_DISTURB)}"
            code = f'host.Command("{name}", command=["sh", "-c", f"{does}"], creates=f"{made}-{{version}}")'
            self._add(Part(name, code, _runs(name), brings=(f"{made}-1",), is_opaque=True))

    def _files(self) -> None:
        disturbing = [name for name in self.parts if name.startswith("made_")]
        for number in range(3):
            name, path = f"plain_{number}", f"/srv/plain-{number}"
            code = f'files.File("{name}", path="{path}", content=text)'
            self._add(Part(name, code, _file(path), brings=(path,)), *disturbing)

    def _lines(self) -> None:
        disturbing = [name for name in self.parts if name.startswith("made_")]
        for number in range(2):
            name = f"own_{number}"
            code = f'files.Line("{name}", path="/srv/own", match="^{name} ", line=f"{name} {{text}}", create_mode="0644")'
            self._add(Part(name, code, _line("/srv/own", f"^{name} "), brings=("/srv/own",)), *disturbing)

    def _guards(self) -> None:
        brought = [(part.name, path) for part in self.parts.values() for path in part.brings]
        for number, (by, path) in enumerate(self._chance.sample(brought, min(len(brought), 2))):
            name = f"guard_{number}"
            does = f"echo {name} >>/srv/ledger; mkdir -p $(dirname {path}); touch {path}"
            code = f'host.Command("{name}", command=["sh", "-c", "{does}"], unless=["test", "-e", "{path}"])'
            self._add(Part(name, code, _runs(name), is_opaque=True, asks_anything=True), *self._all_of(path), by)

    def _all_of(self, path: str) -> list[str]:
        return [name for name, part in self.parts.items() if path in part.brings]


_DISTURB: Final = ("true", "rm -f /srv/plain-0", "echo theirs >/srv/plain-1", "echo own_0 theirs >/srv/own", "rm -f /srv/own")
"""What commands do besides, to what comes after them."""

BY_HAND: Final = (
    "rm -f /srv/plain-2", "echo x >>/srv/plain-1", "rm -rf /srv/folder", "rm -f /srv/own", "chmod 600 /srv/plain-0",
    "sed -i s/^port/#port/ /etc/demo/a", "dpkg --purge --force-all demo", "userdel ann", "ln -sfn / /srv/link",
    "rm -f /srv/made-0-1 /srv/made-0-2", "rm -f /etc/demo/c", "true",
)  # fmt: skip
"""What somebody does to the machine between two runs."""


def _file(path: str) -> Callable[[Path], Any]:
    def look(root: Path) -> Any:
        place = root / path[1:]
        if place.is_symlink():
            return str(place.readlink())
        if not place.exists():
            return None
        status = place.stat()
        return status.st_mode, status.st_uid, place.read_bytes() if place.is_file() else b""

    return look


def _line(path: str, match: str) -> Callable[[Path], Any]:
    def look(root: Path) -> Any:
        place = root / path[1:]
        return [line for line in place.read_text().splitlines() if re.search(match, line)] if place.exists() else None

    return look


def _entry(file: str, name: str) -> Callable[[Path], Any]:
    def look(root: Path) -> Any:
        lines = (root / "etc" / file).read_text().splitlines()
        home = (root / "home" / name).exists()
        return [line for line in lines if line.startswith(f"{name}:")], home

    return look


def _runs(name: str) -> Callable[[Path], Any]:
    def look(root: Path) -> Any:
        place = root / "srv/ledger"
        return place.read_text().splitlines().count(name) if place.exists() else 0

    return look


def _version_of(root: Path) -> Any:
    stanzas = (root / "var/lib/dpkg/status").read_text().split("\n\n")
    return [re.findall(r"^(?:Status|Version): .*$", text, re.MULTILINE) for text in stanzas if "Package: demo\n" in text]


def seen(parts: Mapping[str, Part], root: Path) -> dict[str, Any]:
    """What is on the machine of each part."""
    return {name: part.looks(root) for name, part in parts.items()}
