"""The conformance kit passes what is sound, and finds what is broken: each fault by the behaviour that is meant to find it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

import pytest

from purvey.testing.conformance import BEHAVIOURS, CHECK_BEHAVIOURS, Bench, Case, CheckCase, NotConformingError, behaviours
from tests.e2e.conformance import toys

FAULTS = [
    ("Idle", "update", "after the change the world is"),
    ("Restless", "create", "the next run, with the same wish, did something"),
    ("Doubling", "created twice", "after the accident the world is"),
    ("Doubling", "killed create", "after the resume the world is"),
    ("Blind", "unreadable", "an object that cannot be read"),
    ("Careless", "delete", "the object's folder is still there"),
    ("Talkative", "secrets", "the secret 'password' stands in"),
    ("Amnesiac", "undo update", "after the undo the object is not what it was"),
    ("Amnesiac", "undo create", "after the undo there still is"),
    ("Greedy", "adopt", "was not refused"),
    ("Brittle", "created twice", "the run ended undone instead of succeeded"),
    ("Brittle", "killed create", "It is there already"),
    ("Messy", "failure", "after a failed creation there still is"),
    ("Trusting", "drift", "what is seen is"),
    ("Trusting", "lost", "the drift of a lost object is"),
    ("Impatient", "late answer", "It took too long"),
]
CHECK_FAULTS = [
    ("Meddling", "fails", "with a check that fails the run ended succeeded"),
    ("Meddling", "waits", "it passed before its promise held"),
    ("Silent", "fails", "the evidence 'it says no' is not in"),
    ("Stubborn", "impossible", "it waits for what can never be"),
]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A bench that a fault may leave dirty."""
    with suppress(NotConformingError), Bench(tmp_path) as bench:
        yield bench


@pytest.mark.parametrize("case", [toys.NoteCase, toys.PeekCase])
def test_what_is_sound_conforms(case: type[Case | CheckCase], tmp_path: Path) -> None:
    """A kind without faults has every behaviour, and nothing is left of it in the end."""
    with Bench(tmp_path) as bench:
        bench.conform(case)

    assert not (tmp_path / ".purvey").exists()


@pytest.mark.parametrize(("name", "behaviour", "told"), FAULTS, ids=lambda value: str(value).replace(" ", "-"))
def test_a_fault_is_found(name: str, behaviour: str, told: str, bench: Bench) -> None:
    """The behaviour that is about the fault says what is wrong."""
    with pytest.raises(NotConformingError, match=told):
        bench.check(toys.BROKEN[name], behaviour)


@pytest.mark.parametrize(("name", "behaviour", "told"), CHECK_FAULTS, ids=lambda value: str(value).replace(" ", "-"))
def test_a_fault_of_a_check_is_found(name: str, behaviour: str, told: str, bench: Bench) -> None:
    """As for objects."""
    with pytest.raises(NotConformingError, match=told):
        bench.check(toys.BROKEN_CHECKS[name], behaviour)


def test_a_heavy_import_is_found(bench: Bench) -> None:
    """A module that loads what only a run needs is named, with what it loads."""
    with pytest.raises(NotConformingError, match=r"importing tests\.e2e\.conformance\.toys loads .*asyncio"):
        bench.check(toys.NoteCase, "cheap import")


def test_every_broken_behaviour_is_named(tmp_path: Path) -> None:
    """One error tells them all, so that one run of the kit is enough to see where a kind stands."""
    with Bench(tmp_path) as bench, pytest.raises(NotConformingError) as caught:
        bench.conform(toys.BROKEN["Idle"])

    assert all(f"\n{name}: " in str(caught.value) for name in ("update", "undo update", "drift"))


def test_an_exclusion_names_a_behaviour_and_a_reason() -> None:
    """What a case leaves out is looked at: a slip of the pen, or a reason left out, would hide a behaviour for ever."""

    class Slip(toys.NoteCase):
        """Names none."""

        inapplicable: ClassVar[Mapping[str, str]] = {"updates": "no reason"}

    class Mute(toys.NoteCase):
        """Gives none."""

        inapplicable: ClassVar[Mapping[str, str]] = {"update": " "}

    for case, told in ((Slip, "updates"), (Mute, "update")):
        with pytest.raises(ValueError, match=f"{case.__name__} excludes '{told}'"):
            behaviours(case)


def test_every_behaviour_states_its_promise() -> None:
    """The lists that users read are complete sentences."""
    promises = [*BEHAVIOURS.values(), *CHECK_BEHAVIOURS.values()]

    assert all(promise[0].isupper() and promise.endswith(".") for promise in promises)
