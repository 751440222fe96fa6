"""A cloud that does not show at once what was made: nothing is made twice, leaked or believed gone."""

from __future__ import annotations

import pytest

from purvey.testing.cloud import Cloud
from purvey.testing.pytest_plugin import Project

SCRIPT = """
from purvey import Options, stack
from purvey.testing import cloud


@stack
def main(cpus: int = 1, bad: int = 0):
    net = cloud.Network("net")
    cloud.Volume("data", size_gb=10 * cpus)
    server = cloud.Server("web", network=net.id, cpus=cpus)
    record = cloud.Record("web", network=net.id, value=server.address)
    if bad:
        cloud.Key("bad", days=0, opts=Options(after=[record]))
"""

KINDS = ("network", "server", "volume", "record", "key")
HIDDEN_S = 1.0


@pytest.fixture
def lagging(purvey_cloud: Cloud, purvey_project: Project) -> Cloud:
    """A cloud that shows what was made a second later."""
    for kind in KINDS:
        purvey_cloud.behave(kind, hidden_s=HIDDEN_S, creating_looks=2 if kind == "server" else 0)
    purvey_project.write(SCRIPT)
    return purvey_cloud


def require_each_once(cloud: Cloud, project: Project, count: int) -> None:
    """Each node has one object, none is lost, and none lives unrecorded."""
    assert cloud.violations(project.ids()) == []
    assert [effect.verb for effect in cloud.ledger()].count("create") == count == len(cloud.objects())


def test_what_is_not_to_be_seen_yet_is_not_made_again(lagging: Cloud, purvey_project: Project) -> None:
    """A second apply, at once after the first, waits until it sees what the first has made, and changes nothing."""
    purvey_project.run("apply", "--yes")
    told = purvey_project.run("apply", "--yes")

    assert "nothing had to change" in told
    require_each_once(lagging, purvey_project, 4)


def test_what_is_not_to_be_seen_yet_can_be_changed_and_removed(lagging: Cloud, purvey_project: Project) -> None:
    """A change and a deletion right after the creation find their objects."""
    purvey_project.run("apply", "--yes")
    purvey_project.run("apply", "--yes", "--cpus", "2")
    require_each_once(lagging, purvey_project, 4)

    purvey_project.run("destroy", "--yes")

    assert lagging.objects() == []
    assert lagging.violations(purvey_project.ids()) == []


def test_what_was_removed_is_seen_to_be_gone_in_the_end(lagging: Cloud, purvey_project: Project) -> None:
    """Waiting ends: an object that somebody has removed right after its creation is made again."""
    purvey_project.run("apply", "--yes")
    volume = next(item["id"] for item in lagging.objects() if item["kind"] == "volume")
    lagging.remove(volume)

    purvey_project.run("apply", "--yes")

    assert sorted(purvey_project.ids()) == sorted(item["id"] for item in lagging.objects())
    assert len(lagging.objects()) == 4


@pytest.mark.parametrize("kind", ["network", "server", "volume", "record"])
def test_an_answer_that_is_lost_is_found_in_the_same_run(lagging: Cloud, purvey_project: Project, kind: str) -> None:
    """A creation whose answer is lost ends in one object that is recorded, although nobody sees it at first."""
    lagging.fault("create", kind, action="unavailable_after")

    purvey_project.run("apply", "--yes")

    require_each_once(lagging, purvey_project, 4)


@pytest.mark.parametrize("kind", ["network", "server", "volume", "record"])
def test_a_creation_that_is_killed_is_resumed(lagging: Cloud, purvey_project: Project, kind: str) -> None:
    """A process that dies before it hears the answer leaves an object that its resume finds when it is to be seen."""
    lagging.fault("create", kind, action="kill_after")
    assert purvey_project.attempt("apply", "--yes").returncode == -9

    purvey_project.run("resume", "--yes")

    require_each_once(lagging, purvey_project, 4)


@pytest.mark.parametrize("kind", ["network", "server", "volume", "record"])
def test_a_creation_that_is_killed_is_undone(lagging: Cloud, purvey_project: Project, kind: str) -> None:
    """Taken back instead, it leaves nothing."""
    lagging.fault("create", kind, action="kill_after")
    assert purvey_project.attempt("apply", "--yes").returncode == -9

    assert purvey_project.attempt("undo", "--yes").returncode == 0

    assert lagging.objects() == []
    assert lagging.violations(purvey_project.ids()) == []


def test_a_run_that_fails_leaves_nothing(lagging: Cloud, purvey_project: Project) -> None:
    """An undo of what is hardly made, after lost answers everywhere."""
    for kind in ("network", "server", "volume", "record"):
        lagging.fault("create", kind, action="cut_after")

    assert purvey_project.attempt("apply", "--yes", "--bad", "1").returncode == 10

    assert lagging.objects() == []
    assert lagging.violations(purvey_project.ids()) == []


def test_a_name_that_another_has_is_not_taken_for_our_own(lagging: Cloud, purvey_project: Project) -> None:
    """After a lost answer that had no effect, an object of somebody else under the name is neither adopted nor removed."""
    purvey_project.write(SCRIPT.replace('cloud.Network("net")', 'cloud.Network("net", title="theirs")'))
    lagging.fault("create", "network", name="*::net", action="cut", times=4)
    process = purvey_project.begin("apply", "--yes")
    while lagging.save()["faults"][0]["times"] == 4:
        pass
    theirs = lagging.make("network", "theirs")
    told, _ = process.communicate(timeout=120)

    assert process.returncode == 10, told
    assert [item["id"] for item in lagging.objects()] == [theirs]
    assert purvey_project.ids() == []
