"""What a file held before it was changed, for kinds that act by themselves; those that say what they do have `_paths`."""

from __future__ import annotations

from purvey._hosts.change import Keep, Restore
from purvey._hosts.step import Broken, Step
from purvey.providers import Call
from purvey.resources._paths import copy_path


async def keep(call: Call, path: str) -> None:
    """Keep what stands at `path` for an undo of this operation; what an older operation kept there is dropped."""
    await _perform(call, "keep", Keep(path, copy_path(call, path), call.token))


async def restore(call: Call, path: str) -> bool:
    """Put back what the operation that is being undone found at `path`; False if it kept nothing."""
    kept = copy_path(call, path)
    if not call.undoes or await call.host.stat(kept) is None:
        return False
    if not (await call.host.read(kept)).startswith(f"{call.undoes} ".encode()):
        return False
    await _perform(call, "restore", Restore(path, kept, call.undoes))
    return True


async def _perform(call: Call, what: str, change: Keep | Restore) -> None:
    """Perform one of the changes that an operation consists of, under a token of its own."""
    (ending,) = await call.host.perform([Step(f"{call.token}-{what}", call.attempt, (change,))])
    if isinstance(ending, Broken):
        raise ending.error
