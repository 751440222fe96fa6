"""Start-up is a feature: what is loaded before a command or a script does anything is on a list."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.tidy import house

PACKAGES = {"click", "msgspec", "purvey", "typing_extensions"}  # msgspec imports the last where it is installed.
"""What may be loaded at start besides the standard library."""

HEAVY = {
    "asyncio",
    "concurrent",
    "email",
    "http",
    "multiprocessing",
    "socket",
    "sqlite3",
    "ssl",
    "unittest",
    "urllib.request",
}
"""Parts of the standard library that only a run may load, because each costs more than the whole of purvey's start."""

SCRIPT = "from purvey import Options, Param, component, later, lookup, scope, secret, stack, stack_output, step, value"
KINDS = "from purvey.resources import command, files, http, postgres, process, tcp, tls"

TEMPLATED = """\
from purvey import stack
from purvey.resources import files

@stack
def main() -> None:
    files.File("text", path="{path}", template="text.j2", variables={{"word": "word"}})
"""


def loaded(*arguments: str, environment: dict[str, str] | None = None) -> set[str]:
    """The modules that running Python with `arguments` loads."""
    result = house.run_python("-X", "importtime", *arguments, environment=environment)
    lines = result.stderr.splitlines()
    timed = [line for line in lines if line.startswith("import time:")]
    assert result.returncode == 0, "\n".join(line for line in lines if line not in timed)
    return {line.rsplit("|", 1)[-1].strip() for line in timed}


def unexpected(modules: set[str]) -> list[str]:
    """What of `modules` should not have been loaded: packages not on the list, and heavy parts of the library."""
    tops = {name.split(".", 1)[0] for name in modules}
    foreign = {top for top in tops if top not in sys.stdlib_module_names and top not in PACKAGES}
    return sorted(foreign | (modules & HEAVY))


@pytest.fixture(scope="module")
def bare() -> set[str]:
    """What this interpreter loads by itself, an editable installation's finder included."""
    return loaded("-c", "pass")


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("-m", "purvey", "--version"), id="version"),
        pytest.param(("-m", "purvey", "--help"), id="help"),
        pytest.param(("-c", "import purvey"), id="import"),
        pytest.param(("-c", SCRIPT), id="script"),
        pytest.param(("-c", f"{SCRIPT}\n{KINDS}"), id="script-with-kinds"),
    ],
)
def test_start_up_loads_what_is_on_the_list(arguments: tuple[str, ...], bare: set[str]) -> None:
    """`purvey --version`, `--help` and the import of a script load three packages and light parts of the library."""
    assert unexpected(loaded(*arguments) - bare) == []


def test_a_family_of_kinds_loads_what_a_script_uses_of_it() -> None:
    """Each other one would cost as much, and most scripts use few."""
    use = "import sys; from purvey.resources import host; host.Command; print(*sys.modules, sep='\\n')"
    modules = house.run_python("-c", use).stdout.split()

    below = {name.rpartition(".")[2] for name in modules if name.startswith("purvey.resources.host.")}
    assert {name for name in below if not name.startswith("_")} == {"command"}


def test_a_template_that_did_not_change_loads_no_jinja(tmp_path: Path) -> None:
    """It was looked at when it was written, and is not filled again."""
    environment = {"XDG_DATA_HOME": str(tmp_path / "data")}
    (tmp_path / "text.j2").write_text("{{ word }}\n")
    script = tmp_path / "main.py"
    script.write_text(TEMPLATED.format(path=tmp_path / "text"))
    house.run_python("-m", "purvey", "apply", str(script), "--yes", environment=environment)
    plan = ("-m", "purvey", "plan", str(script))

    assert (tmp_path / "text").read_text() == "word\n"
    assert "jinja2" not in loaded(*plan, environment=environment)
    (tmp_path / "text.j2").write_text("{{ word }}!\n")
    assert "jinja2" in loaded(*plan, environment=environment)


@pytest.mark.parametrize("environment", [{}, {"PYTHONOPTIMIZE": "1"}], ids=["option", "environment"])
def test_python_without_assertions_is_refused(environment: dict[str, str]) -> None:
    """Under `python -O` the invariants would not be checked, so nothing starts, and the message says so."""
    optimised = () if environment else ("-O",)

    result = house.run_python(*optimised, "-m", "purvey", "--version", environment=environment)

    assert result.returncode != 0
    assert "-O" in result.stderr
    assert "Traceback" not in result.stderr
