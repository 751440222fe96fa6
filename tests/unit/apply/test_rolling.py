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
def main(
    batch: str = "50%", odd: str = "", text: str = "red", named: bool = True, spare: str = "0", then: str = "",
    first: bool = False,
):
    hosts = [Host(f"192.0.2.{n}", name=f"w{n}" if named else "") for n in range(4)]
    machines = rolling(
        hosts,
        batch=int(batch) if batch.isdecimal() else batch,
        max_failures=int(spare) if spare.isdecimal() else spare,
        on_failure=then or None,
        drain=lambda host: note("drain", what=f"drain {host.name}"),
        check=lambda host: Probe(f"check-{host.name}", of=made[-1]),
        restore=lambda host: note("restore", what=f"restore {host.name}"),
    )
    made = []
    for host in machines:
        label = made[0].label if first and made else text
        made.append(Thing(host.name, size=2 if odd == host.name else 1, text=label))
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


def test_so_many_machines_may_fail_and_the_others_go_on(project: Project) -> None:
    """One of four may: it stays as it is, out of service; the run says so, and a resume goes on there and nowhere else."""
    project.write(SCRIPT)
    project.apply(parameters={"batch": "1"})
    count = len(project.world.log)
    project.world.fail("update", "w1", code="invalid")

    kept = project.apply(parameters={"batch": "1", "text": "blue", "spare": "25%"})

    assert (kept.result, kept.cause_address) == ("kept", "w1/test.Thing::w1")
    assert project.world.log[count:] == [
        *("drain w0", "update w0", "restore w0", "drain w1", "drain w2", "update w2", "restore w2"),
        *("drain w3", "update w3", "restore w3"),
    ]
    count = len(project.world.log)
    project.world.mend()
    assert project.resume(kept.id).result == "succeeded"
    assert project.world.log[count:] == ["drain w1", "update w1", "restore w1"]
    project.require_sound()


def test_one_machine_more_than_may_fail_stops_the_rest(project: Project) -> None:
    """The second failure is one too many: the fourth machine is not touched, and all is taken back, also at the first two."""
    project.write(SCRIPT)
    project.apply(parameters={"batch": "1"})
    before = project.world.visible()
    count = len(project.world.log)
    for name in ("w1", "w2"):
        project.world.fail("update", name, code="invalid")

    assert project.apply(parameters={"batch": "1", "text": "blue", "spare": "1"}).result == "undone"

    assert [line for line in project.world.log[count:] if line.endswith("w3")] == []
    assert project.world.visible() == before
    project.require_sound()


@pytest.mark.parametrize("spare", ["0", "1"])
def test_the_batch_alone_is_taken_back(project: Project, spare: str) -> None:
    """The second batch fails: it is as before, and back in service; the first has what is new, and a resume tries again."""
    project.write(SCRIPT)
    project.apply()
    count = len(project.world.log)
    failing = ["w3"] if spare == "0" else ["w2", "w3"]
    for name in failing:
        project.world.fail("update", name, code="invalid")

    kept = project.apply(parameters={"text": "blue", "spare": spare, "then": "undo_batch"})

    assert kept.result == "kept"
    assert {thing["name"]: thing["text"] for thing in project.world.visible() if thing.get("name", "").startswith("w")} == {
        "w0": "blue", "w1": "blue", "w2": "red", "w3": "red",
    }  # fmt: skip
    log = project.world.log[count:]
    for name in ("w2", "w3"):
        assert log.count(f"drain {name}") == log.count(f"undo drain {name}") == 1
    assert not [line for line in log if line.startswith("undo") and line.endswith(("w0", "w1"))]
    count = len(project.world.log)
    project.world.mend()
    assert project.resume(kept.id).result == "succeeded"
    assert {line for line in project.world.log[count:] if line.startswith("update")} == {"update w2", "update w3"}
    project.require_sound()


def test_a_machine_that_could_not_be_checked_is_put_back_later(project: Project) -> None:
    """It has changed and its check fails, so it stays out of service; once the check passes, it is put back, unchanged."""
    project.write(SCRIPT)
    project.world.fail("check", "check-w1")

    assert project.apply(parameters={"batch": "1", "spare": "1"}).result == "kept"
    assert [line for line in project.world.log if line.endswith("w1")] == ["drain w1", "create w1"]
    assert "restore w3" in project.world.log

    count = len(project.world.log)
    project.world.mend()
    plan = project.plan(batch="1", spare="1")
    assert {change.address: change.cause for change in plan.changes if change.touches} == {
        "w1/step.note::restore": "a run that changed what it goes with did not come to it"
    }
    assert project.apply(parameters={"batch": "1", "spare": "1"}).result == "succeeded"
    assert project.world.log[count:] == ["restore w1"]
    assert project.plan(batch="1", spare="1").is_empty


def test_who_refers_to_a_machine_that_failed_does_not_go_on(project: Project) -> None:
    """Waiting for one's turn is one thing, a value that is not there another: what refers to the first machine is not begun."""
    project.write(SCRIPT)
    project.world.fail("create", "w0", code="invalid")

    kept = project.apply(parameters={"batch": "1", "spare": "1", "first": "true"})

    assert kept.result == "kept"
    assert [line for line in project.world.log if line.startswith("create")] == ["create after"]


@pytest.mark.parametrize("wrong", [
    *({"batch": batch} for batch in ("0", "0%", "101%", "half")), {"spare": "101%"}, {"spare": "few"}, {"then": "continue"},
])  # fmt: skip
def test_what_cannot_be_done_is_refused_at_its_line(project: Project, wrong: dict[str, str]) -> None:
    """No machine, more than all, no number, or no such way to go on."""
    project.write(SCRIPT)

    with pytest.raises(ScriptError) as refused:
        project.plan(**wrong)

    assert (refused.value.code, refused.value.source.partition(":")[0]) == ("script.bad_batch", "main.py")


def test_machines_need_names(project: Project) -> None:
    """What is declared for a machine is addressed by its name, so one without is refused."""
    project.write(SCRIPT)

    with pytest.raises(ScriptError) as refused:
        project.plan(named=False)

    assert refused.value.code == "script.bad_host"


@pytest.mark.parametrize("refers", [False, True])
def test_what_cannot_be_removed_keeps_only_what_it_needs(project: Project, refers: bool) -> None:
    """The machines of the batches before came first and are not needed, except for what the machine's node refers to."""
    project.write(SCRIPT)
    project.apply(parameters={"first": refers})
    project.world.fail("delete", "w3")

    run = project.destroy()

    stays = {"w3", "w0"} if refers else {"w3"}
    assert run.result == "partial"
    assert {entry["name"] for entry in project.world.objects.values()} == stays
    assert {item.address for item in run.left if "Thing" in item.address} == {f"{name}/test.Thing::{name}" for name in stays}
    project.world.mend()
    assert project.destroy().result == "succeeded"
    project.require_sound()
