"""Which stack a verb is about: a run, a script with its environment, or a stack by name."""

from __future__ import annotations

from pathlib import Path

import msgspec


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One of: a run's id (or its unique beginning), a script, or a stack's name; the latter two with an environment.

    Attributes:
        run: The run.
        script: The script.
        stack: The stack's name.
        env: The environment.
        function: The stack function, where a script has several.
    """

    run: str = ""
    script: Path | None = None
    stack: str = ""
    env: str = "dev"
    function: str = ""
