"""What the stories are told with: the verbs, one operation at a time, and scripts that several of them share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from tests.support.project import Project

Story: TypeAlias = Callable[[Project], None]

STEPS = """
@step
def migrate(to: int) -> int:
    here().note(f"migrate {to}")
    if here().fault("step", "migrate") is not None:
        raise ValueError("bad luck")
    return to + 1

@migrate.undo
def _(result: int, /, to: int) -> None:
    here().note(f"back from {result}")
"""

TOLD_STEPS = """
from tests.support import points

@step
def migrate(to: int) -> int:
    here().note(f"migrate {to}")
    points.called("in the step")
    return to + 1

@migrate.undo
def _(result: int, /, to: int) -> None:
    here().note(f"back from {result}")
    points.called("in the undo")

@stack
def main(to: int = 3):
    migrate("m", to=to)
"""

LOST = "after the create in the world"


def apply(project: Project, **more: Any) -> None:
    """Apply the script."""
    project.apply(parallel=1, **more)


def undo(project: Project, *only: str) -> None:
    """Take the last run back, or what it did at some addresses."""
    project.session().undo(project.target(), approve=project.approve, parallel=1, only=only, final="allow")


def resume(project: Project) -> None:
    """Go on with the last run."""
    project.session().resume(project.target(), approve=project.approve, parallel=1)
