"""One verb of the session in a process of its own, which may be told to die at a point.

    python -m tests.support.child VERB FOLDER [PARAMETERS AS JSON]

The environment names the world, the keys' folder and the point; the answer is one word on standard output: how the run ended.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from purvey import Session
from purvey._apply import perform as performing
from purvey._base.clock import SystemClock
from purvey._base.event import Event, Message
from purvey._session.target import Target
from purvey._state import lease as leases
from purvey._state.history import RunHistory
from purvey._state.sql import lease as table
from purvey.errors import RefusedError, StateError
from purvey.providers import Provider
from tests.support import points
from tests.support.clock import VirtualClock

HASTY = "PURVEY_TEST_LEASE_S"
"""Seconds that a lease, and the longest call, take, so that a takeover by the machine's clock is a matter of seconds."""


def main() -> None:
    """Perform the verb."""
    verb, folder, *rest = sys.argv[1:]
    parameters = json.loads(rest[0]) if rest else {}
    points.wrap_journal()
    hasty = os.environ.get(HASTY)
    if hasty:
        _shorten_leases(float(hasty))
    session = Session(Path(folder), observer=_Told(), clock=SystemClock() if hasty else VirtualClock(time.time(), seed=None))
    try:
        run = _perform(session, verb, Path(folder) / "main.py", parameters)
    except StateError as error:
        sys.stdout.write(error.code)
    except RefusedError as error:
        sys.stdout.write(f"{error.code}: {error.detail}")
    else:
        sys.stdout.write(run.result)


class _Told:
    """Tells on standard error what a person would read."""

    def on(self, event: Event, /) -> None:
        """Tell it."""
        if isinstance(event, Message):
            sys.stderr.write(f"{event.text}\n")


def _shorten_leases(seconds: float) -> None:
    for module, name, value in (
        (table, "LEASE_S", seconds), (leases, "CLOCK_SKEW_S", 0.1), (performing, "CALL_DEADLINE_S", seconds),
    ):  # fmt: skip
        setattr(module, name, value)
    leases.HeldLease.__init__.__kwdefaults__ = {"interval_s": seconds / 5}
    Provider.lands_within_s = seconds


def _perform(session: Session, verb: str, script: Path, parameters: dict[str, object]) -> RunHistory:
    target = Target(stack="main")
    wait = HASTY in os.environ
    if verb == "apply":
        return session.apply(script, approve=lambda plan: "test", parameters=parameters, wait=wait, final="allow")
    if verb == "resume":
        return session.resume(target, approve=lambda plan: "test", wait=wait, final="allow")
    if verb == "undo":
        return session.undo(target, approve=lambda plan: "test", wait=wait, final="allow")
    assert verb == "destroy"
    return session.destroy(target, approve=lambda plan: "test", wait=wait)


if __name__ == "__main__":
    main()
