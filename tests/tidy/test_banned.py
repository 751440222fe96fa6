"""Some things are done in one place only, so that they can be replaced, masked and tested there."""

from __future__ import annotations

import ast
import re
from typing import NamedTuple

from tests.tidy import house


class Ban(NamedTuple):
    """Calls that only some modules make.

    Args:
        calls: Full names; one that ends in a dot stands for everything below it.
        allowed: Beginnings of the paths which may.
        instead: What to do in any other place.
    """

    calls: tuple[str, ...]
    allowed: tuple[str, ...]
    instead: str


CLOCK = "src/purvey/_base/clock.py"
VIRTUAL_CLOCK = "src/purvey/testing/clock.py"
KEEPER = "src/purvey/resources/process/keeper"

BANS = (
    Ban(
        (
            "time.time",
            "time.time_ns",
            "time.monotonic",
            "time.monotonic_ns",
            "time.perf_counter",
            "time.sleep",
            "asyncio.sleep",
            "datetime.datetime.now",
            "datetime.datetime.utcnow",
            "datetime.datetime.today",
            "datetime.date.today",
        ),
        (CLOCK, VIRTUAL_CLOCK, KEEPER),
        "take a Clock (purvey._base.clock), so that a test can make an hour pass in a millisecond",
    ),
    Ban(("random.", "uuid."), (CLOCK, VIRTUAL_CLOCK), "take a Clock: its random(), entropy() and ulid() repeat from one seed"),
    Ban(
        ("print",),
        ("src/purvey/cli/", "src/purvey/_report/"),
        "emit an event; how a run is shown is the observers' business",
    ),
    Ban(
        (
            "os.system",
            "os.popen",
            "subprocess.getoutput",
            "subprocess.getstatusoutput",
            "asyncio.create_subprocess_shell",
        ),
        (),
        "run a list of arguments without a shell, which would read a value as a command",
    ),
)

LEFTOVERS = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" * 3)) + r")\b")
HOMES = re.compile(r"(?<![\w.$}])/(?:home/\w|Users/\w|root/)")


def banned(call: house.Call, name: str) -> str | None:
    """Why this call may not stand in the file `name`, if it may not."""
    for ban in BANS:
        hit = any(call.name == one or (one.endswith(".") and call.name.startswith(one)) for one in ban.calls)
        if hit and not name.startswith(ban.allowed):
            return f"{name}:{call.line}: {call.name}(): {ban.instead}"
    return None


def uses_shell(call: house.Call) -> bool:
    """Whether the call hands its command to a shell, or may."""
    return call.name.startswith(("subprocess.", "asyncio.")) and any(
        keyword.arg == "shell" and not (isinstance(keyword.value, ast.Constant) and keyword.value.value is False)
        for keyword in call.node.keywords
    )


def test_calls_are_made_where_they_belong() -> None:
    """Time, chance and printing happen in the one module that owns them."""
    found = [why for name in house.python_files("src") for call in house.calls(name) if (why := banned(call, name))]

    assert not found, "\n".join(found)


def test_no_command_goes_through_a_shell() -> None:
    """No call passes `shell=` anything but False."""
    found = [
        f"{name}:{call.line}: pass a list of arguments instead of shell="
        for name in house.python_files("src", "tests", "examples", "bench")
        if "shell" in house.text(name)  # No other has to be parsed.
        for call in house.calls(name)
        if uses_shell(call)
    ]

    assert not found, "\n".join(found)


def test_the_package_imports_from_the_owner_of_a_name() -> None:
    """No module inside imports from `purvey` itself, which is still being imported then and would load everything."""
    found = [
        f"{name}:{node.lineno}: import from the module that owns the name"
        for name in house.python_files("src")
        for node in ast.walk(house.tree(name))
        if (isinstance(node, ast.ImportFrom) and node.module == "purvey" and _takes_a_name(node))
        or (isinstance(node, ast.Import) and any(alias.name == "purvey" for alias in node.names))
    ]

    assert not found, "\n".join(found)


def _takes_a_name(node: ast.ImportFrom) -> bool:
    return any(
        not (house.PACKAGE / alias.name).is_dir() and not (house.PACKAGE / f"{alias.name}.py").exists() for alias in node.names
    )


def test_nothing_is_left_over() -> None:
    """No file carries a note about work to be done: open questions are decision records, defects are issues."""
    found = [
        f"{name}:{number}: {line.strip()}"
        for name in house.files()
        for number, line in enumerate(house.text(name).splitlines(), 1)
        if LEFTOVERS.search(line)
    ]

    assert not found, "\n".join(found)


def test_no_file_knows_somebody_s_machine() -> None:
    """No file names a path in somebody's home folder."""
    found = [
        f"{name}:{number}: {line.strip()}"
        for name in house.files()
        for number, line in enumerate(house.text(name).splitlines(), 1)
        if HOMES.search(line)
    ]

    assert not found, "\n".join(found)
