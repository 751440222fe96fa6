"""What a machine tells of a tree and the images of it. Pure."""

from __future__ import annotations

import msgspec

from purvey._hosts.command import Completed


class Whole(msgspec.Struct, frozen=True):
    """An archive that is there: its bytes, and their SHA-256."""

    size: int
    sha256: str


class Told(msgspec.Struct, frozen=True):
    """What was told.

    Args:
        digest: Of the tree; empty if there is none, or it cannot be read.
        problem: Why it cannot be read.
        images: The names of the images, the newest first.
        whole: The one of this digest; None if there is none.
    """

    digest: str = ""
    problem: str = ""
    images: tuple[str, ...] = ()
    whole: Whole | None = None


def told_by(said: Completed) -> Told:
    """What a machine's answer means."""
    lines = [line.partition(" ") for line in said.text().splitlines()]
    known = {word: rest for word, _, rest in lines}
    size, _, sha256 = known.get("whole", "").partition(" ")
    return Told(
        digest=known.get("tree", ""), problem=known.get("problem", ""),
        images=tuple(rest for word, _, rest in lines if word == "image"),
        whole=Whole(int(size), sha256) if size.isdecimal() else None,
    )  # fmt: skip
