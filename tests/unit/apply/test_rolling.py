"""Rolling changes: batch after batch, each machine taken out of service for as long as it changes, and only then."""

from __future__ import annotations

import pytest

from purvey.errors import ScriptError
from tests.support.project import Project

SCRIPT = """
from purvey import Host, rolling


@step
def note(what: str) -> str:
    here().note(what)
    return what


@note.undo
def _(found: str, /, what: str) -> None:
    here().note(f"undo {what}")


@stack
def main(batch: str = "50%", odd: str = "", text: str = "red", named: bool = True):
    hosts = [Host(f"192.0.2.{n}", name=f"w{n}" if named else "") for n in range(4)]
    machines = rolling(
        hosts,
        batch=int(batch) if batch.isdecimal() else batch,
        drain=lambda host: note("drain", what=f"drain {host.name}"),
        check=lambda host: Probe(f"check-{host.name}", of=made[-1]),
        restore=lambda host: note("restore", what=f"restore {host.name}"),
    )
    made = []
    for host in machines:
        made.append(Thing(host.name, size=2 if odd == host.name else 1, text=text))
    Thing("after")
"""


def batches(log: list[str]) -> list[set[str]]:
    """Which machines were worked on together: those between a first drain and the last restore of the same ones."""
    found: list[set[str]] = []
    away: set[str] = set()
    for line in log:
        verb, _, name = line.partition(" ")
        if verb == "drain":
            if not away:
                found.append(set())
            away.add(name)
            found[-1].add(name)
        if verb == "restore":
            away.remove(name)
    assert not away
    return found


def test_each_batch_waits_for_the_one_before(project: Project) -> None:
    """Two at a time: a machine is drained, changed and restored in this order, and the third waits for the first two."""
    project.write(SCRIPT)

    assert project.apply().result == "succeeded"

    log = project.world.log
    assert batches(log) == [{"w0", "w1"}, {"w2", "w3"}]
    for name in ("w0", "w1", "w2", "w3"):
        assert [line for line in log if line.endswith(name)] == [f"drain {name}", f"create {name}", f"restore {name}"]


def test_what_does_not_change_is_left_in_service(project: Project) -> None:
    """A second run drains nobody; where one machine changes it alone goes out of service and comes back."""
    project.write(SCRIPT)
    project.apply()
    count = len(project.world.log)

    assert project.plan().is_empty
    project.apply()
    assert project.world.log[count:] == []

    project.apply(parameters={"odd": "w2"})
    assert project.world.log[count:] == ["drain w2", "update w2", "restore w2"]
    assert project.plan(odd="w2").is_empty
    project.require_sound()


def test_a_failure_stops_the_batches_to_come_and_gives_back_what_was_taken(project: Project) -> None:
    """The second machine cannot be changed: the third is never touched, and the undo puts both of the others back."""
    project.write(SCRIPT)
    project.apply(parameters={"batch": "1"})
    count = len(project.world.log)
    project.world.fail("update", "w1", code="invalid")

    assert project.apply(parameters={"batch": "1", "text": "blue"}).result == "undone"

    assert project.world.log[count:] == [
        *("drain w0", "update w0", "restore w0", "drain w1"),
        *("undo drain w1", "undo restore w0", "update w0", "undo drain w0"),
    ]
    project.require_sound()


@pytest.mark.parametrize("batch", ["0", "0%", "101%", "half"])
def test_a_batch_that_is_none_is_refused_at_its_line(project: Project, batch: str) -> None:
    """No machine, more than all, or no number."""
    project.write(SCRIPT)

    with pytest.raises(ScriptError) as refused:
        project.plan(batch=batch)

    assert (refused.value.code, refused.value.source.partition(":")[0]) == ("script.bad_batch", "main.py")


def test_machines_need_names(project: Project) -> None:
    """What is declared for a machine is addressed by its name, so one without is refused."""
    project.write(SCRIPT)

    with pytest.raises(ScriptError) as refused:
        project.plan(named=False)

    assert refused.value.code == "script.bad_host"
