"""Killed by SIGKILL at any request or time, and resumed: nothing is lost, leaked or doubled, by a cloud's own ledger."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from purvey.testing.cloud import Cloud
from purvey.testing.pytest_plugin import Project
from tests.fault.cloud_kills import PLOTS, Theatre, fight, go_on, harm, kill_once, world
from tests.fault.crash import Note


@pytest.fixture(scope="module")
def theatre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theatre]:
    """One cloud for all trials, each of which puts it back to its plot's beginning."""
    with Cloud() as cloud, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PURVEY_CLOUD_URL", cloud.url)
        yield Theatre(tmp_path_factory.mktemp("kills"), cloud)


def require_no_harm(theatre: Theatre, name: str, project: Project, where: str, note: Note) -> None:
    """The ledger has no violation, the record has what lives, and the world is as after an undisturbed run."""
    found = harm(theatre.cloud, project)
    note("duplicates", sum(text.startswith(("created twice", "done twice")) for text in found))
    note("orphans", sum(text.startswith("orphan") for text in found))
    assert found == [], where
    assert world(theatre.cloud) == theatre.undisturbed(name).world, where


@pytest.mark.parametrize("name", PLOTS)
@pytest.mark.trials(sample=2, full=56)
def test_a_killed_process_does_no_harm(name: str, theatre: Theatre, rng: random.Random, record_property: Note) -> None:
    """After `purvey resume` and no other command, the cloud is as after an undisturbed run, and every object is recorded."""
    project = theatre.begin(name)
    where, killed = kill_once(theatre, name, project, rng)
    record_property("faults", int(killed))
    theatre.cloud.calm()

    go_on(name, project)

    require_no_harm(theatre, name, project, f"{name}, {where}", record_property)


@pytest.mark.parametrize("name", ["create", "update", "replace", "destroy"])
@pytest.mark.trials(sample=1, full=20)
def test_who_follows_a_killed_worker_does_no_harm(
    name: str, theatre: Theatre, rng: random.Random, record_property: Note
) -> None:
    """Two workers want the lease, one is killed with it; the other, which waited, ends with everything as it should be."""
    project = theatre.begin(name)

    where, killed = fight(theatre, name, project, rng)

    record_property("faults", int(killed))
    theatre.cloud.calm()
    require_no_harm(theatre, name, project, f"{name}, {where}", record_property)
