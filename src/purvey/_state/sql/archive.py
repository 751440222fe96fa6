"""Keeps the script files of runs: each content once, and for each run a signed list of what was where."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec

from purvey._state.mac import RowMac, manifest_identity, tampered
from purvey._state.sql.database import Connection

_manifests = msgspec.json.Decoder(dict[str, str])


def keep(connection: Connection, run: str, files: Mapping[str, bytes], mac: RowMac) -> None:
    """Keep the files of a run; what another run had already is not written again."""
    digests = {path: hashlib.sha256(content) for path, content in files.items()}
    body = msgspec.json.encode({path: digest.hexdigest() for path, digest in digests.items()}, order="sorted")
    for path, digest in digests.items():
        insert = "INSERT INTO file (digest, content) VALUES (?, ?) ON CONFLICT (digest) DO NOTHING"
        connection.execute(insert, (digest.digest(), files[path]))
    connection.execute(
        "INSERT INTO manifest (run, body, mac) VALUES (?, ?, ?) "
        "ON CONFLICT (run) DO UPDATE SET body = excluded.body, mac = excluded.mac",
        (run, body, mac.of(manifest_identity(run), body)),
    )


def kept(connection: Connection, run: str, mac: RowMac) -> dict[str, bytes]:
    """The files of a run; empty if none were kept.

    Raises:
        StateError: ``state.tampered_row``.
    """
    row = connection.execute("SELECT body, mac FROM manifest WHERE run = ?", (run,)).fetchone()
    if row is None:
        return {}
    body, signed = row
    if not mac.matches(manifest_identity(run), body, signed):
        raise tampered(f"The list of files of run {run}")
    return {path: _content(connection, run, path, digest) for path, digest in _manifests.decode(body).items()}


def runs(connection: Connection, stack: str) -> list[str]:
    """The runs of a stack whose files are kept, newest first; of several that kept the same files, the newest."""
    rows = connection.execute(
        "SELECT run.id, manifest.body FROM run JOIN manifest ON manifest.run = run.id "
        "WHERE run.stack = (SELECT number FROM stack WHERE name = ?) ORDER BY run.number DESC",
        (stack,),
    ).fetchall()
    newest: dict[bytes, str] = {}
    for run, body in rows:
        newest.setdefault(bytes(body), run)
    return list(newest.values())


def _content(connection: Connection, run: str, path: str, digest: str) -> bytes:
    row = connection.execute("SELECT content FROM file WHERE digest = ?", (bytes.fromhex(digest),)).fetchone()
    if row is None or hashlib.sha256(row[0]).hexdigest() != digest:
        raise tampered(f"The archived file {path} of run {run}")
    content: bytes = row[0]
    return content
