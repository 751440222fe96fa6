"""The table of tags on objects that no run may touch; a tag that was taken off stays there, with who took it off."""

from __future__ import annotations

import msgspec

from purvey._state.mac import RowMac, tag_out_identity, tampered
from purvey._state.sql.database import Connection
from purvey._state.tag_out import TagOut

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(TagOut)


def hang(connection: Connection, stack: str, tag: TagOut, mac: RowMac) -> bool:
    """Hang up a tag on an object of the snapshot; returns whether there is one."""
    body = _encoder.encode(tag)
    hung = connection.execute(
        "INSERT INTO tag_out (stack, address, active, body, mac) SELECT number, ?, 1, ?, ? FROM stack "
        "WHERE name = ? AND EXISTS (SELECT 1 FROM resource WHERE stack = stack.number AND address = ?) RETURNING number",
        (tag.address, body, mac.of(tag_out_identity(stack, 1), body), stack, tag.address),
    )
    return bool(hung.fetchall())


def release(connection: Connection, stack: str, address: str, by: str, at: float, mac: RowMac) -> list[TagOut]:
    """Take every tag off an object; returns those that hung there."""
    found = [(number, tag) for number, tag in _rows(connection, stack, mac) if not tag.released_by and tag.address == address]
    for number, tag in found:
        body = _encoder.encode(msgspec.structs.replace(tag, released_by=by, released_at=at))
        signed = mac.of(tag_out_identity(stack, 0), body)
        connection.execute("UPDATE tag_out SET active = 0, body = ?, mac = ? WHERE number = ?", (body, signed, number))
    return [tag for _, tag in found]


def tags(connection: Connection, stack: str, mac: RowMac) -> list[TagOut]:
    """Every tag that a stack ever had, in the order in which they were hung up.

    Raises:
        StateError: ``state.tampered_row``.
    """
    return [tag for _, tag in _rows(connection, stack, mac)]


def blocked(connection: Connection, stack: int) -> frozenset[str]:
    """The addresses of a stack that are tagged out now."""
    rows = connection.execute("SELECT address FROM tag_out WHERE stack = ? AND active = 1", (stack,))
    return frozenset(address for (address,) in rows)


def _rows(connection: Connection, stack: str, mac: RowMac) -> list[tuple[int, TagOut]]:
    found = []
    for number, address, active, body, digest in connection.execute(
        "SELECT number, address, active, body, mac FROM tag_out "
        "WHERE stack = (SELECT number FROM stack WHERE name = ?) ORDER BY number",
        (stack,),
    ).fetchall():
        signed = mac.matches(tag_out_identity(stack, active), body, digest)
        if not signed or _decoder.decode(body).address != address:
            raise tampered(f"Tag-out {number} of {stack}::{address}")
        found.append((number, _decoder.decode(body)))
    return found
