"""The cases of `tests/cases`, replayed on real machines: asked, seen, done, done again, and taken back.

Everything goes through the shell that real machines are reached by. ``PURVEY_GOLDEN=write`` writes down what they tell. Those
that need a systemd or a kernel of their own are replayed in `tests/vm`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest

from tests.support.case_hosts import CaseHosts
from tests.support.case_lab import LabHosts
from tests.support.case_replay import confirmed, replayed
from tests.support.cases import NAMES, load

ON_HOSTS = [name for name in NAMES if not load(name).no_host and not load(name).lab and not load(name).vm]
ON_LAB = [name for name in NAMES if load(name).lab]
ON_BUSYBOX = [name for name in ON_HOSTS if load(name).busybox]


@pytest.fixture(scope="module")
def debian() -> Iterator[Callable[..., CaseHosts]]:
    """Machines with a small Debian, and with packages on top."""
    with ExitStack() as stack:
        yield cache(lambda *packages: stack.enter_context(CaseHosts(packages=packages)))


@pytest.fixture(scope="module")
def busybox() -> Iterator[CaseHosts]:
    """Machines with nothing but busybox."""
    with CaseHosts(busybox=True) as hosts:
        yield hosts


@pytest.fixture(scope="module")
def lab() -> Iterator[Callable[..., LabHosts]]:
    """Machines with a network, mounts and a name of their own, and with packages on top."""
    with ExitStack() as stack:
        yield cache(lambda *packages: stack.enter_context(LabHosts(packages)))


@pytest.mark.parametrize("name", ON_HOSTS)
async def test_a_case_on_a_debian(debian: Callable[..., CaseHosts], name: str, tmp_path: Path) -> None:
    """A real machine answers, does and shows what the case tells; a second time changes nothing, and an undo brings it back."""
    _, told = await replayed(debian(*load(name).packages), name, tmp_path)

    confirmed(name, told)


@pytest.mark.parametrize("name", ON_LAB)
async def test_a_case_on_a_host_of_a_lab(lab: Callable[..., LabHosts], name: str, tmp_path: Path) -> None:
    """So does a machine that has more of its own."""
    _, told = await replayed(lab(*load(name).packages), name, tmp_path)

    confirmed(name, told)


@pytest.mark.parametrize("name", ON_BUSYBOX)
async def test_a_case_on_busybox(busybox: CaseHosts, name: str, tmp_path: Path) -> None:
    """A machine with nothing but busybox does the same."""
    _, told = await replayed(busybox, name, tmp_path)

    case = load(name)
    fields = ("seen", "changes", "outputs", "after")
    assert {field: getattr(case, field) for field in fields if field in told} == {
        field: told[field] for field in fields if field in told
    }
    assert (case.error is None) == ("error" not in told)
