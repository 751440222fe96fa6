"""The tables, in SQLite's words, and how a store of an earlier version becomes one of this version.

The journal is the truth. Everything else is derived from it in the transaction that writes it: `resource` and `retired` are
the snapshot; `in_doubt` and the outputs of a `stack` only point into the journal; a `run` is its records at a glance.

Bodies are in tables with row ids: appending a body then touches the end of the file, and the index beside it stays small.
A table without row ids would scatter the bodies over its tree, which costs twice the work for each change.
"""

from __future__ import annotations

from typing import Final

_VERSION_1: Final = (
    """CREATE TABLE store (
        number INTEGER PRIMARY KEY CHECK (number = 1),
        estate TEXT NOT NULL,
        key_id TEXT NOT NULL,
        format INTEGER NOT NULL,
        made REAL NOT NULL
    ) STRICT""",
    """CREATE TABLE stack (
        number INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        outputs INTEGER REFERENCES record (sequence)
    ) STRICT""",
    """CREATE TABLE run (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        stack INTEGER NOT NULL REFERENCES stack (number),
        verb TEXT NOT NULL DEFAULT '',
        result TEXT NOT NULL DEFAULT '',
        started REAL NOT NULL DEFAULT 0,
        ended REAL,
        user TEXT NOT NULL DEFAULT '',
        machine TEXT NOT NULL DEFAULT '',
        changes INTEGER NOT NULL DEFAULT 0
    ) STRICT""",
    "CREATE INDEX run_of_stack ON run (stack, number)",
    """CREATE TABLE record (
        sequence INTEGER PRIMARY KEY,
        run INTEGER NOT NULL REFERENCES run (number),
        body BLOB NOT NULL,
        mac BLOB NOT NULL
    ) STRICT""",
    "CREATE INDEX record_of_run ON record (run, sequence)",
    """CREATE TABLE resource (
        number INTEGER PRIMARY KEY,
        stack INTEGER NOT NULL REFERENCES stack (number),
        address TEXT NOT NULL,
        generation INTEGER NOT NULL,
        body BLOB NOT NULL,
        mac BLOB NOT NULL,
        UNIQUE (stack, address, generation)
    ) STRICT""",
    """CREATE TABLE retired (
        stack INTEGER NOT NULL REFERENCES stack (number),
        address TEXT NOT NULL,
        generation INTEGER NOT NULL,
        mac BLOB NOT NULL,
        PRIMARY KEY (stack, address)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE in_doubt (
        operation TEXT PRIMARY KEY,
        stack INTEGER NOT NULL REFERENCES stack (number),
        address TEXT NOT NULL,
        generation INTEGER NOT NULL,
        begun INTEGER NOT NULL REFERENCES record (sequence),
        identified INTEGER REFERENCES record (sequence),
        failed INTEGER REFERENCES record (sequence)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE lease (
        stack INTEGER PRIMARY KEY REFERENCES stack (number),
        fence INTEGER NOT NULL,
        run TEXT NOT NULL,
        machine TEXT NOT NULL,
        boot TEXT NOT NULL,
        pid INTEGER NOT NULL,
        pid_started INTEGER NOT NULL,
        user TEXT NOT NULL,
        host TEXT NOT NULL,
        heartbeat_at REAL NOT NULL,
        expires_at REAL NOT NULL
    ) STRICT""",
    """CREATE TABLE file (
        digest BLOB PRIMARY KEY,
        content BLOB NOT NULL
    ) STRICT""",
    """CREATE TABLE manifest (
        run TEXT PRIMARY KEY,
        body BLOB NOT NULL,
        mac BLOB NOT NULL
    ) STRICT, WITHOUT ROWID""",
)

_VERSION_2: Final = (
    """ALTER TABLE lease ADD COLUMN addresses TEXT NOT NULL DEFAULT '["*"]'""",
    "ALTER TABLE lease ADD COLUMN hung_until REAL NOT NULL DEFAULT 0",
    """CREATE TABLE waiting (
        number INTEGER PRIMARY KEY,
        stack INTEGER NOT NULL REFERENCES stack (number),
        ticket TEXT NOT NULL,
        run TEXT NOT NULL,
        machine TEXT NOT NULL,
        boot TEXT NOT NULL,
        pid INTEGER NOT NULL,
        pid_started INTEGER NOT NULL,
        heartbeat_at REAL NOT NULL,
        UNIQUE (stack, ticket)
    ) STRICT""",
    """CREATE TABLE tag_out (
        number INTEGER PRIMARY KEY,
        stack INTEGER NOT NULL REFERENCES stack (number),
        address TEXT NOT NULL,
        active INTEGER NOT NULL,
        body BLOB NOT NULL,
        mac BLOB NOT NULL
    ) STRICT""",
    "CREATE INDEX tag_out_of_stack ON tag_out (stack, active)",
)

_VERSION_3: Final = (
    "ALTER TABLE store ADD COLUMN digest_key BLOB",
    "ALTER TABLE store ADD COLUMN moved_to TEXT NOT NULL DEFAULT ''",
)

KEYS_SINCE: Final = 3
"""The version since which a store knows its key for digests, and where it was moved to."""

_VERSION_4: Final = (
    "ALTER TABLE stack ADD COLUMN head BLOB",
    "ALTER TABLE stack ADD COLUMN mac BLOB",
    "UPDATE lease SET fence = fence + 1",  # Who still writes does not know of heads: it has lost its lease.
)

HEADS_SINCE: Final = 4
"""The version since which a stack knows the head of its journal."""

MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (_VERSION_1, _VERSION_2, _VERSION_3, _VERSION_4)
"""What makes version n of version n - 1, from an empty file on; released entries never change."""

VERSION: Final = len(MIGRATIONS)
"""The version of the tables that this program reads and writes."""
