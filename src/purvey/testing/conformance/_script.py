"""The script of the kit's project, and what its stack does: a case declares what is around, and its object."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from purvey._script.resource import Options
from purvey.testing.conformance._case import Case, CheckCase

TEXT: Final = '''\
from __future__ import annotations

from purvey import stack
from purvey.testing.conformance._script import play


@stack
def conformance(case: str, folder: str, wish: str, options: str = "{}") -> dict[str, object]:
    """One object of one case."""
    return play(case, folder, wish, options)
'''
"""The whole script."""


def name_of(case: type[Any]) -> str:
    """A name by which `case_of` finds the class, in any process."""
    return f"{case.__module__}:{case.__qualname__}"


def case_of(name: str, folder: str) -> Case | CheckCase:
    """The case called `name`, for the folder."""
    module, _, path = name.partition(":")
    found: Any = import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    made: Case | CheckCase = found(Path(folder))
    return made


def play(name: str, folder: str, wish: str, options: str) -> dict[str, object]:
    """Declare what `wish` means; the empty wish is for nothing but what is around."""
    case = case_of(name, folder)
    outputs = dict(case.around())
    if wish:
        case.declare(wish, Options(**json.loads(options)))  # type: ignore[arg-type]
    return outputs
