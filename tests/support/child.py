"""One verb of the session in a process of its own, which may be told to die at a point.

    python -m tests.support.child VERB FOLDER [PARAMETERS AS JSON]

The environment names the world, the keys' folder and the point; the answer is one word on standard output: how the run ended.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from purvey import Session
from purvey._session.target import Target
from purvey._state.history import RunHistory
from purvey.errors import RefusedError, StateError
from tests.support import points
from tests.support.clock import VirtualClock


def main() -> None:
    """Perform the verb."""
    verb, folder, *rest = sys.argv[1:]
    parameters = json.loads(rest[0]) if rest else {}
    points.wrap_journal()
    session = Session(Path(folder), clock=VirtualClock(time.time(), seed=None))
    try:
        run = _perform(session, verb, Path(folder) / "main.py", parameters)
    except StateError as error:
        sys.stdout.write(error.code)
    except RefusedError as error:
        sys.stdout.write(f"{error.code}: {error.detail}")
    else:
        sys.stdout.write(run.result)


def _perform(session: Session, verb: str, script: Path, parameters: dict[str, object]) -> RunHistory:
    target = Target(stack="main")
    if verb == "apply":
        return session.apply(script, approve=lambda plan: "test", parameters=parameters)
    if verb == "resume":
        return session.resume(target, approve=lambda plan: "test")
    if verb == "undo":
        return session.undo(target, approve=lambda plan: "test")
    assert verb == "destroy"
    return session.destroy(target, approve=lambda plan: "test")


if __name__ == "__main__":
    main()
