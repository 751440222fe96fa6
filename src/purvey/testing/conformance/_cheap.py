"""The behaviour of imports: a script that only names a kind loads nothing that only a run needs."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from purvey.testing.conformance._project import require

if TYPE_CHECKING:
    from purvey.testing.conformance._case import Case, CheckCase
    from purvey.testing.conformance._project import Project

PACKAGES: Final = frozenset({"click", "msgspec", "purvey", "typing_extensions"})
"""What may be loaded besides the standard library and the kind's own package."""

HEAVY: Final = frozenset(
    {
        "asyncio",
        "concurrent",
        "email",
        "http",
        "multiprocessing",
        "socket",
        "sqlite3",
        "ssl",
        "unittest",
        "urllib.request",
    }
)
"""Parts of the standard library that cost more than all of purvey's own start."""


def cheap_import(project: Project, case: Case | CheckCase) -> None:  # noqa: ARG001 - all behaviours are called alike.
    """Importing the kind's family loads only what is on the list."""
    module = case.kind.__module__
    loaded = _modules(f"import {module}") - _modules("pass")
    own = {*PACKAGES, module.partition(".")[0]}
    tops = {name.partition(".")[0] for name in loaded}
    foreign = {name for name in tops if name not in sys.stdlib_module_names and name not in own}
    found = sorted(foreign | (loaded & HEAVY))
    require(not found, f"importing {module} loads what only a run needs", ", ".join(found))


def _modules(statement: str) -> set[str]:
    program = f"import sys; {statement}; print(*sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    ended = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    require(ended.returncode == 0, f"`{statement}` fails", ended.stderr)
    return set(ended.stdout.split())
