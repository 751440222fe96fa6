"""The shells of this machine, for every promise about machines behind a shell."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support.shells import NOBODY, SHELLS, Desk, desk, local_shell


@pytest.fixture(params=SHELLS)
def shell_name(request: pytest.FixtureRequest) -> str:
    """Which shell."""
    return str(request.param)


@pytest.fixture
def lasts(shell_name: str) -> bool:
    """Whether it waits for one program after another, as over SSH, or is started for each, as in a chroot: half of them do."""
    return SHELLS.index(shell_name) % 2 == 0


@pytest.fixture
async def machine(shell_name: str, lasts: bool, tmp_path: Path) -> AsyncIterator[Desk]:
    """This machine behind that shell, worked on as who we are."""
    home = {"HOME": str(tmp_path)} if os.geteuid() else None
    async with desk(local_shell(shell_name, environment=home, lasts=lasts)) as found:
        yield found


@pytest.fixture
def common() -> Iterator[Path]:
    """A folder that everybody may enter."""
    folder = Path(tempfile.mkdtemp(prefix="purvey-test-"))
    folder.chmod(0o755)
    yield folder
    for path in folder.rglob("*"):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    shutil.rmtree(folder)


@pytest.fixture
async def ordinary(shell_name: str, lasts: bool, common: Path) -> AsyncIterator[Desk]:
    """This machine behind that shell, worked on as an ordinary user, to whom all in `common` / "home" belongs."""
    home = common / "home"
    home.mkdir()
    root = os.geteuid() == 0
    if root:
        os.chown(home, NOBODY, NOBODY)
    before = ["/usr/bin/setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"] if root else []
    async with desk(
        local_shell(shell_name, before=before, environment={"HOME": str(home)}, lasts=lasts), home / ".local/state/purvey"
    ) as found:
        yield found
