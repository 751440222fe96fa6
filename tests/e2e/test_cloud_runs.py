"""What goes wrong in the cloud, seen through whole runs: each trouble ends as purvey promises, and the oracle finds no harm."""

from __future__ import annotations

from typing import Any

import pytest

from purvey.errors import StateError
from purvey.testing import VirtualClock, cloud
from purvey.testing.pytest_plugin import Project

SCRIPT = """
from purvey import Options, stack
from purvey.testing import VirtualClock, cloud

@stack
def main(cpus: int = 1, title: str = "one"):
    net = cloud.Network("net", title=title)
    web = cloud.Server("web", network=net.id, cpus=cpus)
    cloud.Volume("data", size_gb=10 * cpus)
    cloud.Record("www", network=net.id, value=web.address)
"""

TICKET = """
from purvey import stack
from purvey.testing import VirtualClock, cloud

@stack
def main(urgency: int = 3):
    cloud.Ticket("please", subject="more servers", urgency=urgency)
"""


@pytest.fixture
def project(purvey_cloud: cloud.Cloud, purvey_project: Project) -> Project:
    """A project with a script, and a cloud whose clock only the run moves."""
    purvey_cloud.freeze()
    purvey_project.write(SCRIPT)
    return purvey_project


def harm(cloud: cloud.Cloud, project: Project) -> list[str]:
    """What the oracle says."""
    return cloud.violations(project.ids())


def slept(project: Project) -> float:
    """How long the runs have waited, on their own clock."""
    assert isinstance(project.clock, VirtualClock)
    return sum(project.clock.slept)


def test_what_takes_minutes_takes_no_time(purvey_cloud: cloud.Cloud, project: Project) -> None:
    """A server that is made in five minutes of the cloud's is waited for, and plan, update and destroy find it."""
    purvey_cloud.behave("server", creating_s=300.0)

    assert project.apply().result == "succeeded"

    assert slept(project) >= 300.0
    assert not project.plan().changes
    assert project.apply(cpus=2).result == "succeeded"
    assert {item["fields"].get("cpus") for item in purvey_cloud.objects()} == {None, 2}
    assert harm(purvey_cloud, project) == []
    assert project.destroy().result == "succeeded"
    assert purvey_cloud.objects() == []


def test_credentials_that_expire_are_renewed_in_the_middle(purvey_cloud: cloud.Cloud, project: Project) -> None:
    """A credential that lasts a second is renewed again and again while a run waits for minutes."""
    purvey_cloud.manner(credential_s=1.0)
    purvey_cloud.behave("server", creating_s=60.0)

    assert project.apply().result == "succeeded"

    assert len(purvey_cloud.save()["credentials"]) > 2
    assert harm(purvey_cloud, project) == []


def test_another_schema_stops_the_run_before_it_changes_anything(purvey_cloud: cloud.Cloud, project: Project) -> None:
    """An API that changed under an estate: nothing is taken for gone, nothing is made or removed, and the reason is told."""
    project.apply()
    before = purvey_cloud.ledger()
    purvey_cloud.manner(schema=2)

    ended = project.attempt("apply", "--yes", "--cpus", "2")

    assert ended.returncode != 0
    assert "another version of its API" in ended.stdout + ended.stderr
    assert purvey_cloud.ledger() == before
    purvey_cloud.manner(schema=1)
    assert harm(purvey_cloud, project) == []


def test_a_quota_undoes_what_was_made(purvey_cloud: cloud.Cloud, project: Project) -> None:
    """The cloud allows no server: the run is undone, and says why."""
    purvey_cloud.make("network", "theirs")
    purvey_cloud.behave("server", quota=1)
    purvey_cloud.make("server", "theirs", parent=purvey_cloud.objects()[0]["id"])

    ended = project.attempt("apply", "--yes")

    assert ended.returncode == 10
    assert "allows no more of them" in ended.stdout + ended.stderr
    assert [item["name"] for item in purvey_cloud.objects()] == ["theirs", "theirs"]
    assert harm(purvey_cloud, project) == []


def test_a_slow_answer_is_waited_for(purvey_cloud: cloud.Cloud, project: Project) -> None:
    """Slow answers to every kind of request change nothing but the time."""
    for verb in ("create", "read", "list"):
        purvey_cloud.fault(verb, "*", action="slow", seconds=0.2, times=2)

    assert project.apply().result == "succeeded"

    assert [effect.verb for effect in purvey_cloud.ledger()] == ["create"] * 4
    assert harm(purvey_cloud, project) == []


def test_what_is_deleted_in_the_background_is_waited_for(purvey_cloud: cloud.Cloud, project: Project) -> None:
    """A network goes only when its server is really gone, and an undo of what is deleted slowly leaves nothing either."""
    purvey_cloud.behave("server", deleting_s=300.0)
    purvey_cloud.behave("network", deleting_looks=3)
    project.apply()

    assert project.destroy().result == "succeeded"

    assert purvey_cloud.objects() == []
    assert slept(project) >= 300.0
    project.apply()
    assert project.undo().result == "undone"
    assert purvey_cloud.objects() == []
    assert harm(purvey_cloud, project) == []


def test_a_deletion_that_is_killed_in_the_background_is_resumed(purvey_cloud: cloud.Cloud, project: Project) -> None:
    """The process dies when the deletion has begun; the resume waits for its end, and deletes nothing twice."""
    purvey_cloud.thaw()
    purvey_cloud.behave("server", deleting_looks=3)
    project.run("apply", "--yes")
    purvey_cloud.fault("delete", "server", action="kill_after")

    assert project.attempt("destroy", "--yes").returncode == -9
    project.run("resume", "--yes")

    assert purvey_cloud.objects() == []
    assert [effect.verb for effect in purvey_cloud.ledger()].count("delete") == 4
    assert harm(purvey_cloud, project) == []


@pytest.mark.parametrize("lag", [{"unread_s": 2.0}, {"unlisted_s": 2.0}], ids=["unread", "unlisted"])
def test_reads_and_lists_may_lag_apart(purvey_cloud: cloud.Cloud, project: Project, lag: Any) -> None:
    """What only one of both shows at first is neither made twice nor lost, although answers are lost too."""
    for kind in ("network", "server", "record"):
        purvey_cloud.behave(kind, **lag)
        purvey_cloud.fault("create", kind, action="cut_after")

    assert project.apply().result == "succeeded"

    assert not project.plan().changes
    assert [effect.verb for effect in purvey_cloud.ledger()] == ["create"] * 4
    assert harm(purvey_cloud, project) == []


def test_a_ticket_lives_like_everything_else(purvey_cloud: cloud.Cloud, project: Project) -> None:
    """Made, changed in place and removed, by the id alone."""
    project.write(TICKET)
    assert project.apply().result == "succeeded"
    assert project.apply(urgency=1).result == "succeeded"
    (ticket,) = purvey_cloud.objects()
    assert (ticket["name"], ticket["tags"], ticket["fields"]["urgency"]) == ("", {}, 1)
    assert harm(purvey_cloud, project) == []

    assert project.destroy().result == "succeeded"

    assert purvey_cloud.objects() == []


@pytest.mark.parametrize(("action", "happened"), [("kill_after", True), ("kill", False)])
def test_a_ticket_in_doubt_waits_for_a_person(purvey_cloud: cloud.Cloud, project: Project, action: Any, happened: bool) -> None:
    """Nothing can tell whether it was made: no run guesses, a person looks, and then the estate goes on with one ticket."""
    purvey_cloud.thaw()
    project.write(TICKET)
    purvey_cloud.fault("create", "ticket", action=action)
    assert project.attempt("apply", "--yes").returncode == -9

    with pytest.raises(StateError) as caught:
        project.resume()
    assert caught.value.code == "state.in_doubt"
    assert len(purvey_cloud.objects()) == happened
    for item in purvey_cloud.objects():  # The person withdraws the one that nobody knows the number of.
        purvey_cloud.remove(item["id"])
    project.run("state settle", "cloud.Ticket::please", "--not-done")
    assert project.resume().result == "succeeded"

    assert len(purvey_cloud.objects()) == 1
    assert harm(purvey_cloud, project) == []


def test_the_oracle_sees_what_no_tag_tells(purvey_cloud: cloud.Cloud, project: Project) -> None:
    """A ticket that the record has lost is an orphan by the ledger's word, because the cloud knows no tags of it."""
    project.write(TICKET)
    project.apply()

    (found,) = purvey_cloud.violations([])

    assert found.startswith("orphan: ticket")
