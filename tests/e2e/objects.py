"""Real objects made, changed and removed through their providers, with the engine's waiting done by bounded polling."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from purvey._base.address import split
from purvey._script.resource import Resource
from purvey.errors import ProviderError
from purvey.providers import Done, Outcome, Pending, Present
from purvey.resources import postgres
from purvey.testing import PlainCall, view
from tests.unit.resources.life import kind_of, provider, recorded, values

R = TypeVar("R", bound=Resource)

WITHIN_S = 60.0
"""No object of these tests takes longer, even on a busy machine."""


async def eventually(passes: Callable[[], bool], within_s: float = WITHIN_S) -> None:
    """Return as soon as `passes` does."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within_s
    while not passes():
        assert loop.time() < deadline, "it did not come to pass in time"
        await asyncio.sleep(0.01)


class Objects:
    """The objects of one test, each with a folder of its own below `folder`.

    Args:
        folder: An existing folder that everybody can enter.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def call(self, node: Resource, id: str = "", **more: Any) -> PlainCall:
        """A gate for one operation on `node`."""
        address = repr(node).strip("<>")
        name = split(address)[2]
        return PlainCall(self.folder / kind_of(node).name / name, id=id, name=f"test-dev-{name}", address=address, **more)

    def known(self, have: Resource, **more: Any) -> PlainCall:
        """A gate for one operation on `have`, which is recorded with its id."""
        return self.call(have, values(have)["(id)"], **more)

    async def made(self, want: R, call: PlainCall | None = None) -> R:
        """The record of `want` after its creation."""
        call = call or self.call(want)
        done = await settled(call, want, await _created(call, want))
        assert call.identified_ids[-1:] == [done.id], "the id is durable before the object is complete"
        return _with_id(recorded(want, done), done)

    async def changed(self, have: R, want: R, call: PlainCall | None = None) -> R:
        """The record of `have` after its update to `want`."""
        call = call or self.known(have)
        done = await settled(call, want, await provider(want).update(call, have, want))
        return _with_id(recorded(want, done), done)

    async def removed(self, have: Resource) -> None:
        """Delete `have`."""
        await provider(have).delete(self.known(have), have)

    async def drift(self, have: Resource) -> dict[str, Any]:
        """What is there now of `have`, as read; only what differs from the record."""
        seen = await provider(have).read(self.known(have), have)
        assert isinstance(seen, Present), seen
        record = values(have)
        return {name: value for name, value in seen.values.items() if name in record and record[name] != value}


async def _created(call: PlainCall, want: Resource) -> Outcome:
    """The outcome of a creation, called again, as the engine does, while something of a killed one is in use."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + WITHIN_S
    while True:
        try:
            created: Outcome = await provider(want).create(call, want)
        except ProviderError as error:
            if error.code != "in_use" or loop.time() > deadline:
                raise
            await asyncio.sleep(0.1)
        else:
            return created


async def settled(call: PlainCall, want: Resource, outcome: Outcome | None) -> Done:
    """The end of an operation that may be pending."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + WITHIN_S
    while isinstance(outcome, Pending):
        assert loop.time() < deadline, outcome.progress
        await asyncio.sleep(outcome.again_s)
        outcome = await provider(want).ready(call, want)
    assert isinstance(outcome, Done)
    return outcome


def _with_id(have: R, done: Done) -> R:
    bound = kind_of(have).bind(repr(have).strip("<>"), {**values(have), "(id)": done.id})
    assert isinstance(bound, type(have))
    return bound


def at(path: str) -> Path:
    """What is at a path, for a look that takes no time."""
    return Path(path)


def open_folder() -> Path:
    """A new short folder that an unprivileged user can enter."""
    folder = Path(tempfile.mkdtemp(prefix="purvey-test-"))
    folder.chmod(0o755)
    return folder


@asynccontextmanager
async def server(**inputs: Any) -> AsyncIterator[tuple[Objects, postgres.Server]]:
    """A running server, and room for what is in it; afterwards nothing of it is left."""
    folder = open_folder()
    objects = Objects(folder)
    quick = {"fsync": "off", **inputs.pop("settings", {})}
    try:
        have = await objects.made(view(postgres.Server, "db", settings=quick, **inputs))
        try:
            yield objects, have
        finally:
            await objects.removed(have)
        assert processes_in(folder) == []
    finally:
        shutil.rmtree(folder)


def processes_in(folder: Path) -> list[int]:
    """Living processes that name `folder` in their arguments or environment, or work in it."""
    mark, found = str(folder).encode(), []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            texts = [(entry / name).read_bytes() for name in ("cmdline", "environ")]
            where = str((entry / "cwd").readlink()).encode()
        except OSError:
            continue
        if any(mark in text for text in (*texts, where)):
            found.append(int(entry.name))
    return found
