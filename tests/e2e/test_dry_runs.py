"""What a plan says of a real machine is what the run does to it: random scripts, installed, disturbed by hand, and upgraded.

A plan that says `will` is held to a difference on the machine, one that says nothing or `will not` to none, and `cannot know`
to a cause: an operation before it that nobody can foresee. Whatever it said, a second run finds nothing to do.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from purvey._base.clock import SystemClock
from tests.support.dry_runs import BY_HAND, Part, Scripts, releases, seen

if TYPE_CHECKING:
    from purvey._plan.plan import Change, Plan
    from purvey.testing.hosts import Host, Lab
    from purvey.testing.pytest_plugin import Project

ROUNDS = (("one", "1"), ("one", "1"), ("two", "1"), ("two", "2"))
"""The text and the version of each round; before each but the first one, somebody works on the machine by hand."""


@pytest.fixture
def machine(purvey_lab: Callable[[int], Lab], purvey_project: Project) -> Iterator[Host]:
    """A host that installs from a repository, and a project that reaches it; both in this process."""
    lab = purvey_lab(1)
    repository = lab.repository()
    for package in releases():
        repository.publish(package)
    host = lab.hosts[0]
    (host.root / "etc/apt/sources.list").write_text(repository.source(), encoding="utf-8")
    lab.introduce(purvey_project.folder)
    purvey_project.clock = SystemClock()
    with lab.inside():
        yield host


@pytest.mark.trials(sample=2, full=40)
def test_a_dry_run_is_the_real_run(machine: Host, purvey_project: Project, rng: random.Random) -> None:
    """Of every operation the plan says what happens to it; and what it could not know had a cause."""
    scripts = Scripts(rng)
    purvey_project.write(scripts.text())
    for number, (text, version) in enumerate(ROUNDS):
        by_hand = rng.sample(BY_HAND, 2) if number else []
        for line in by_hand:
            machine.exec(["sh", "-c", line])
        before = seen(scripts.parts, machine.root)
        plan = purvey_project.plan(text=text, version=version)
        run = purvey_project.apply(text=text, version=version)
        told = f"{scripts.text()}\n{by_hand}\n{(text, version)}\n{run.cause_address} {run.cause} {run.cause_detail}"
        assert run.result == "succeeded", told
        assert _wrong(scripts, plan, before, seen(scripts.parts, machine.root)) == [], told
        assert purvey_project.plan(text=text, version=version).changes == (), told


def _wrong(scripts: Scripts, plan: Plan, before: dict[str, object], after: dict[str, object]) -> list[str]:
    """What the plan said of parts that is not so."""
    changes = {change.address.rpartition("::")[2]: change for change in plan.changes}
    found: list[str] = []
    for name, part in scripts.parts.items():
        change = changes.get(name)
        differs = before[name] != after[name]
        if change is None or change.verdict == "will not":
            found += [f"{name} was to stay, and is {after[name]}"] if differs else []
        elif change.verdict == "will":
            found += [] if differs else [f"{name} was to change, and stays {after[name]}"]
        elif not _has_cause(scripts, part, changes):
            found.append(f"{name} could have been known: {change.verdict} {change.why}")
    return found


def _has_cause(scripts: Scripts, part: Part, changes: dict[str, Change]) -> bool:
    """Whether something before a part changes that may do anything, or, where it may ask anything, whatever it is."""
    first = [scripts.parts[name] for name in scripts.behind(part.name) if name in changes]
    return any(
        changes[item.name].verdict != "will not" and (item.is_opaque or part.asks_anything or changes[item.name].why)
        for item in first
    )
