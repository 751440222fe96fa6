"""Tags on objects that no run may touch: an operator hangs one up, and the engine refuses until it is taken off.

It works like the tag on a switch that somebody works behind (lockout and tagout, 29 CFR 1910.147). It needs no lease, because
it must be possible while a run is under way: the journal looks for tags in the transaction that would begin an operation.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from purvey.errors import StateError


class TagOut(msgspec.Struct, frozen=True, kw_only=True):
    """A tag.

    Attributes:
        address: The object's address.
        reason: Why nobody may touch it.
        user: Who hung it up.
        host: Where.
        at: When, in seconds since the epoch.
        released_by: Who took it off; empty while it hangs.
        released_at: When.
    """

    address: str
    reason: str
    user: str
    host: str
    at: float
    released_by: str = ""
    released_at: float = 0.0


def blocked(address: str, stack: str, tags: Iterable[TagOut] = ()) -> StateError:
    """The error for an operation on a tagged object."""
    told = "; ".join(f"{tag.user}@{tag.host}: {tag.reason}" for tag in tags)
    name, _, env = stack.rpartition("/")
    return StateError(
        "state.tagged_out",
        "The object is tagged out",
        detail=f"{address} must not be touched{f' ({told})' if told else ''}. Nothing was begun on it.",
        hint=f"Ask who hung up the tag. When it is safe, take it off:\n\n    purvey tag-out {address} --release "
        f"--stack {name} -e {env}",
        address=address,
    )
