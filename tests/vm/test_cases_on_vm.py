"""The cases of `tests/cases` that need a kernel and a systemd of their own, replayed as others in `tests/e2e` are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.case_replay import confirmed, replayed
from tests.support.case_vm import VmHosts
from tests.support.cases import NAMES, load

if TYPE_CHECKING:
    from tests.vm.conftest import BroughtUp

ON_VM = [name for name in NAMES if load(name).vm]


@pytest.mark.parametrize("name", ON_VM)
async def test_a_case_on_a_virtual_machine(brought_up: BroughtUp, name: str, tmp_path: Path) -> None:
    """It answers, does and shows what the case tells; a second time changes nothing, and an undo brings it back."""
    _, told = await replayed(VmHosts(brought_up.vm), name, tmp_path)

    confirmed(name, told)
