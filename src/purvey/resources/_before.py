"""What a file held before it was changed, kept until the next change so that an undo gives back exactly that.

One copy for each path, in the object's own folder, readable by nobody else: a line of JSON that names the operation and the
file's attributes, then the content. It is written before the file is touched, and by the first attempt only, so an operation
that was interrupted and called again never takes its own half-done work for the former state.
"""

from __future__ import annotations

import hashlib
import json
import posixpath

from purvey.providers import Call


async def keep(call: Call, path: str) -> None:
    """Keep what stands at `path` for an undo of this operation; what an older operation kept there is dropped."""
    kept = copy_path(call, path)
    status = await call.host.stat(path)
    if status is None or status.kind != "file" or await _token_of(call, kept) == call.token:
        return
    attributes = {"token": call.token, "mode": status.mode, "owner": status.owner, "group": status.group}
    content = await call.host.read(path)
    await make_folder(call)
    await call.host.write(kept, json.dumps(attributes).encode() + b"\n" + content, mode=0o600)


async def restore(call: Call, path: str) -> bool:
    """Put back what the operation that is being undone found at `path`; False if it kept nothing."""
    kept = copy_path(call, path)
    if not call.undoes or await _token_of(call, kept) != call.undoes:
        return False
    first, _, content = (await call.host.read(kept)).partition(b"\n")
    attributes = {name: value for name, value in json.loads(first).items() if name != "token"}
    await call.host.write(path, content, **attributes)
    return True


async def make_folder(call: Call) -> None:
    """Make the object's own folder, closed to others, and the ones above it where they are missing."""
    missing: list[str] = []
    folder = posixpath.dirname(call.folder)
    while await call.host.stat(folder) is None:
        missing.append(folder)
        folder = posixpath.dirname(folder)
    for parent in reversed(missing):
        await call.host.make_directory(parent, mode=0o755)
    await call.host.make_directory(call.folder, mode=0o700)


def copy_path(call: Call, path: str) -> str:
    """Where the copy for `path` is; two generations of one object share a folder, so the path is part of the name."""
    return f"{call.folder}/{stem(path)}.before"


def stem(path: str) -> str:
    """A short name for purvey's own files about `path`."""
    return hashlib.sha256(path.encode()).hexdigest()[:16]


async def _token_of(call: Call, kept: str) -> str:
    """The operation that kept a copy; empty if there is none."""
    if await call.host.stat(kept) is None:
        return ""
    return str(json.loads((await call.host.read(kept)).partition(b"\n")[0])["token"])
