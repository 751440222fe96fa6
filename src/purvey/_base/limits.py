"""Every bound in the program, with its unit and its reason, in one place."""

from __future__ import annotations

from typing import Final

PARALLEL_DEFAULT: Final = 16
"""Operations in flight at once. Most of them wait on an API or a disk, so more than the cores; few enough for a laptop."""

PARALLEL_MAX: Final = 1_000
"""More operations in flight than this exhaust file descriptors (the usual soft limit is 1,024)."""

HOSTS_AT_ONCE: Final = 200
"""Machines worked on at once: each costs a connection and waits most of the time; file descriptors bound it."""

ATTEMPTS_MAX: Final = 6
"""Attempts of one call: with the back-off below the last starts after about 30 s, beyond which waiting is the user's choice."""

BACKOFF_S: Final = 0.25
"""Back-off before the second attempt in seconds; doubles with each further one, with full jitter."""

BACKOFF_S_MAX: Final = 15.0
"""No single back-off is longer than this many seconds."""

ASKED_MAX: Final = 3
"""Tries of a question that changes nothing: few, because a large estate has many, and a cloud that is down answers none."""

LOOK_S: Final = 2.0
"""Most seconds between two looks at what may still appear."""

OPERATION_TIMEOUT_S: Final = 600.0
"""How long an operation may stay pending unless `Options(timeout_s=...)` says otherwise; then the run parks."""

LOCAL_LANDS_S: Final = 2.0
"""How long after its process was killed a call to this machine may still have an effect, in seconds."""

CALL_DEADLINE_S: Final = 120.0
"""How long one attempt may take. The lease must outlast it, and a takeover waits it out."""

STEP_S: Final = 5.0
"""How much longer a program for a machine may take for each step: a file is there in milliseconds, but disks can be busy."""

LEASE_S: Final = 30.0
"""How long a lease lasts without a heartbeat: three missed heartbeats."""

HEARTBEAT_S: Final = 10.0
"""Seconds between two heartbeats of a lease."""

CLOCK_SKEW_S: Final = 5.0
"""By how much the clocks of two machines may differ: another machine's lease is over only so long after its end."""

PLAN_EXPIRY_S: Final = 24 * 3600.0
"""A saved plan older than this is refused: reviews are fresh, the world moves."""

STAGES_MAX: Final = 50
"""A script that pauses more often than this does not converge."""

NAME_LENGTH_MAX: Final = 200
"""Characters in one name or scope; addresses stay readable and index keys short."""

DISK_FREE_BYTES_MIN: Final = 64 * 1024 * 1024
"""With less free disk than this a run does not start: its journal must never meet a full disk in the middle."""

EVIDENCE_BYTES_MAX: Final = 8_192
"""Bytes of a server's or command's own output kept as evidence in an error."""

OBSERVE_BATCH: Final = 500
"""Objects handed to one batch read; bounds memory and the length of one request."""
