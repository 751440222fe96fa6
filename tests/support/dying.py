"""A command that is killed just before or after something of the store or its keys becomes durable.

    python -m tests.support.dying MOMENT WORDS...

Moments count from 1: before the first, after the first, before the second, and so on. It ends with 0 when it was not killed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from purvey._secrets import key
from purvey._state.sql.store import SqlStore
from purvey.cli.main import main


def run(moment: int, words: list[str]) -> None:
    """Run the command, and die on the way."""
    passed = [0]

    def pass_by() -> None:
        passed[0] += 1
        if passed[0] == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    def wrapped(function: Callable[..., Any]) -> Callable[..., Any]:
        def work(*arguments: Any, **more: Any) -> Any:
            pass_by()
            result = function(*arguments, **more)
            pass_by()
            return result

        return work

    SqlStore._change = wrapped(SqlStore._change)  # type: ignore[method-assign]
    key._replace = wrapped(key._replace)
    with contextlib.suppress(SystemExit):
        main(words, prog_name="purvey")


if __name__ == "__main__":
    run(int(sys.argv[1]), sys.argv[2:])
