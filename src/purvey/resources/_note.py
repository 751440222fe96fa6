"""What there was before an operation, noted on the machine by its first attempt, for its undo. Pure.

A note outlives an attempt that is cut off, so the next one does not take half of its own work for the former state.
"""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec

from purvey._hosts.change import Change, MakeOwnFolder, Remove, Write
from purvey._hosts.fact import Answers, ContentOf
from purvey.providers.host import Place

T = TypeVar("T")


class Note(msgspec.Struct, Generic[T], frozen=True):
    """What `was` before the operation `token`."""

    token: str
    was: T


def asked(place: Place) -> ContentOf:
    """The question what is noted."""
    return ContentOf(f"{place.folder}/before")


def was_before(place: Place, answers: Answers, kind: type[T], *, token: str) -> T | None:
    """What was before the operation `token`; None if nothing is noted of that one."""
    data = answers[asked(place)]
    try:
        note = msgspec.json.decode(data, type=Note[kind]) if data is not None else None  # type: ignore[valid-type]
    except msgspec.DecodeError:
        return None
    return note.was if note is not None and note.token == token else None


def noted(place: Place, was: object) -> tuple[Change, ...]:
    """Note what was before this operation; not to be called where it is noted."""
    return (MakeOwnFolder(place.folder), Write(asked(place).path, msgspec.json.encode(Note(place.token, was)), 0o600))


def forgotten(place: Place) -> tuple[Change, ...]:
    """Forget it, and the object's own folder once nothing is left in it."""
    return (Remove(asked(place).path), Remove(place.folder, if_empty=True))
