"""How checks that do not pass are told: with what passing means, and none of them left out."""

from __future__ import annotations

import re

from purvey._report.run_text import ended_page
from purvey._report.style import plain
from tests.support.project import Project

SCRIPT = """
from purvey import stack
from purvey.resources import command

@stack
def main():
    command.Check("queue", title="the queue is empty", command=["sh", "-c", "echo 4 jobs; exit 1"], within_s=1.0)
"""


def test_a_failed_check_tells_what_passing_means(project: Project) -> None:
    """The title stands before what the check saw, in the cause and in the story of the run."""
    project.write(SCRIPT, prelude="")

    run = project.apply(on_failure="keep")

    told = "Not so: the queue is empty\nended with code 1 instead of 0: 4 jobs"
    assert run.cause_detail == f"{told}\nIt is declared at main.py:7."
    assert [change.detail for change in run.changes] == [told]


def test_every_failure_is_told_at_the_end(project: Project) -> None:
    """Whoever mends the first one knows of the others."""
    project.declare('for name in "abc":\n    Probe(name)')
    for name in "abc":
        project.world.fail("check", name, detail=f"{name} is down")

    run = project.apply(on_failure="keep")

    told = plain(ended_page(run, {}))
    causes = {f"test.Probe::{name}": f"{name} is down" for name in "abc"}
    assert (run.cause, run.cause_detail.split("\n")[0]) == ("It does not answer", causes.pop(run.cause_address))
    assert re.findall(r"^  (test\S+) +(.+)$", told[told.index("Also failed") :], re.MULTILINE) == list(causes.items())
