"""An apply of the kit's project in a process that dies of SIGKILL just after an effect, before its record.

python -m purvey.testing.conformance._child SCRIPT PARAMETERS METHOD
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, Final, NoReturn

from purvey._session import Plan, Session
from purvey.providers import Done
from purvey.testing.conformance._accident import replaced
from purvey.testing.conformance._script import case_of

DYING: Final = b"(killed by the conformance kit)"
"""What the process says last."""


def main() -> None:
    """Apply until `METHOD` of the subject's provider is done, and die."""
    script, text, method = sys.argv[1:]
    parameters = json.loads(text)
    provider = case_of(parameters["case"], parameters["folder"]).kind._kind.provider  # noqa: SLF001 - the test kit knows it.
    original = getattr(provider, method)

    async def deadly(call: Any, *arguments: Any) -> Any:
        """Do what is to be done, and die."""
        outcome = await original(call, *arguments)
        if call.address.endswith("::subject") and (method != "ready" or isinstance(outcome, Done)):
            die()
        return outcome

    with replaced(provider, **{method: deadly}):
        run = Session(Path(script)).apply(Path(script), approve=_yes, parameters=parameters, final="allow")
    sys.stdout.write(f"{run.result} {run.cause} {run.cause_detail}")


def _yes(plan: Plan) -> str:
    """Approve whatever it is: the kit looks at what comes of it."""
    del plan
    return "conformance kit"


def die() -> NoReturn:
    """End as a power cut would, after a word that tells this end from one by somebody else's hand."""
    os.write(sys.stdout.fileno(), DYING)
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("SIGKILL was survived")


if __name__ == "__main__":
    main()
