"""A machine that cannot be reached refuses the run before its first write, unless the run or the script explains it."""

from __future__ import annotations

import json

import pytest

from purvey._report.document import error_document
from purvey.errors import HostError, RefusedError
from tests.support.project import PRELUDE, Project
from tests.support.shells import Gone, HastyClock

PLACES = """
from purvey import Chroot, Host, rolling
from purvey.resources import files, host, http, tcp

def at(n, **more):
    return Host(f"192.0.2.{n}", name=f"web-{n}", user="root", config="", known_hosts="none", **more)

def page(on, **more):
    files.File(f"page-{on.name}", path="/nowhere/page", content="x", on=on, **more)
"""


@pytest.fixture
def lost(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project whose machines are all gone."""
    monkeypatch.setattr("purvey._hosts.pool.Pool._made", lambda *_: Gone())
    project.clock = HastyClock()  # type: ignore[assignment]
    return project


def declare(project: Project, body: str) -> None:
    """Write a script with the places above."""
    lines = "\n".join(f"    {line}" for line in body.strip().splitlines())
    project.write(f"\n@stack\ndef main():\n{lines}\n", prelude=PRELUDE + PLACES)


def is_refused(project: Project) -> bool:
    """Whether a plan says that an apply would be refused; the machine is noted in any case."""
    plan = project.plan()
    assert any("A host cannot be reached" in warning for warning in plan.warnings), plan.warnings
    return bool(plan.refusals)


REFUSED = {
    "what is new": "page(at(1))",
    "a check of another machine": 'up = tcp.Check("up", host="192.0.2.11", port=22)\npage(at(1), opts=Options(after=[up]))',
    "what changes elsewhere": 'made = Thing("made")\npage(at(1), opts=Options(after=[made]))',
    "more than may fail": "for web in rolling([at(1), at(2), at(3)], max_failures=2):\n    page(web)",
    "what is outside of a rolling change": "for web in rolling([at(1)], max_failures=1):\n    page(web)\n"
    'files.File("other", path="/nowhere/other", content="x", on=at(1))',
    "one of two that is not waited for": 'page(at(1))\nready = host.CloudInit("ready", on=at(1))\n'
    'files.File("other", path="/nowhere/other", content="x", on=at(1), opts=Options(after=[ready]))',
}  # fmt: skip

NOTED = {
    "a wait for its start": 'ready = host.CloudInit("ready", on=at(1))\npage(at(1), opts=Options(after=[ready]))',
    "a restart": 'boot = host.Reboot("boot", when=1, on=at(1))\npage(at(1), opts=Options(after=[boot]))',
    "a check of its address": 'up = tcp.Check("up", host="192.0.2.1", port=22)\npage(at(1), opts=Options(after=[up]))',
    "a check of a page of it": 'up = http.Check("up", url="http://192.0.2.1/")\npage(at(1), opts=Options(after=[up]))',
    "as many as may fail": "for web in rolling([at(1), at(2), at(3)], max_failures=3):\n    page(web)",
    "who goes on anyway": 'page(at(1), opts=Options(on_failure="continue"))',
    "what is no machine": 'page(Chroot("/", name="image"))',
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_machine_that_cannot_be_reached_refuses_the_run(lost: Project, case: str) -> None:
    """Nothing of the run can bring it up before its turn, and nobody said that it may fail."""
    declare(lost, REFUSED[case])

    assert is_refused(lost)


@pytest.mark.parametrize("case", NOTED)
def test_a_machine_that_may_be_there_in_time_is_noted(lost: Project, case: str) -> None:
    """What is to be done there waits for it, or may fail: the run goes on as far as it can."""
    declare(lost, NOTED[case])

    assert not is_refused(lost)


def test_the_refusal_names_the_machine_why_and_what_to_do(lost: Project) -> None:
    """Whoever reads it needs no other command; what is on this machine was not made either."""
    declare(lost, 'Thing("here")\npage(at(1))\npage(at(2))')

    with pytest.raises(RefusedError) as refused:
        lost.apply()

    first, second = refused.value.findings
    assert first.startswith("web-1: A host cannot be reached; 1 object on it is not looked at\nNo route to it.\n    Look:")
    assert second.startswith("web-2: ")
    assert "Bring it up; or leave it out" in first
    assert "rolling(..., max_failures=1)" in first
    assert lost.world.log == []


def test_programs_get_each_machine_by_itself(lost: Project) -> None:
    """As JSON, each finding has its machine, what is wrong there, why, and what to do."""
    declare(lost, "page(at(1))\npage(at(2))")

    with pytest.raises(RefusedError) as refused:
        lost.apply()

    error = error_document(refused.value)["error"]
    assert (error["code"], error["exit_code"]) == ("refused.preflight", 4)
    first, second = error["problems"]
    assert (first["address"], second["address"]) == ("web-1", "web-2")
    assert first["code"] == "refused.preflight"
    assert first["summary"] == "A host cannot be reached; 1 object on it is not looked at"
    assert first["detail"] == "No route to it."
    assert first["hint"].startswith("Look:\n\n    ping -c 1 box\nBring it up; or leave it out")


def test_a_machine_that_answers_and_refuses_us_need_not_be_brought_up(lost: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """What to do about the refusal comes first, then what else there is to do."""
    why = HostError("denied", "A host does not let us in", hint="Add the public key to that user's authorized_keys.")
    monkeypatch.setattr("purvey._hosts.pool.Pool._made", lambda *_: Gone(why))
    declare(lost, "page(at(1))")

    with pytest.raises(RefusedError) as refused:
        lost.apply()

    (problem,) = refused.value.single
    assert problem.hint.startswith("Add the public key to that user's authorized_keys.\nOr leave it out, by taking it out of")
    assert "ring it up" not in str(refused.value)


def test_a_run_that_has_begun_is_not_refused(lost: Project) -> None:
    """What it wrote may be why the machine is away: it tries to reach it, and ends as a failed run does."""
    declare(lost, 'here = Thing("here")\nvalue(here.key)\npage(at(1))')

    run = lost.apply()

    assert (run.result, run.cause) == ("undone", "A host cannot be reached")
    assert [line.split()[0] for line in lost.world.log] == ["create", "delete"]


def test_a_machine_of_what_changes_in_the_run_is_noted(lost: Project) -> None:
    """It has its address from what the run changes, which may well be its start."""
    declare(lost, 'vm = Thing("vm", text="192.0.2.1")')
    lost.apply()
    script = 'vm = Thing("vm", text="192.0.2.1", size={size})\npage(Host(vm.text, name="web", user="root", config=""))'
    declare(lost, script.format(size=1))
    assert is_refused(lost)

    declare(lost, script.format(size=2))

    assert not is_refused(lost)
    assert json.dumps([change.address for change in lost.plan().changes]).count("vm") == 1
