"""Families of kinds, whose kinds are imported when they are first used."""

from __future__ import annotations

import importlib

import pytest

from purvey._base.on_demand import on_demand
from tests.tidy import house

FAMILIES = ("files", "host", "packages", "services", "users")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_has_what_it_promises(family: str) -> None:
    """Each name leads to what is called so, and not to a module."""
    package = importlib.import_module(f"purvey.resources.{family}")

    for name in package.__all__:
        assert getattr(package, name).__name__ == name
    assert set(package.__all__) <= set(dir(package))


def test_a_kind_is_known_by_its_name_alone() -> None:
    """A destroy without the script needs it: no script has used it."""
    find = "from purvey.providers.kind import registry; print(registry.get('host.Cron').name)"

    assert house.run_python("-c", find).stdout == "host.Cron\n"


def test_a_kind_is_known_after_a_script_that_failed() -> None:
    """What that has imported is imported still, and so is not declared again."""
    lines = (
        "from purvey.providers.kind import registry",
        "try:",
        "    with registry.keeping(): from purvey.resources.host import Mount; raise KeyError",
        "except KeyError: print(registry.knows('host.Mount'))",
    )

    assert house.run_python("-c", "\n".join(lines)).stdout == "True\n"


def test_a_kind_that_was_mistyped_is_told() -> None:
    """Also where nothing has imported its family yet."""
    lines = (
        "from purvey.providers.kind import registry",
        "from purvey.errors import ScriptError",
        "try: registry.get('host.Comand')",
        "except ScriptError as error: print(error.hint)",
    )

    assert house.run_python("-c", "\n".join(lines)).stdout == "Did you mean host.Command?\n"


def test_a_name_that_is_not_there_is_told() -> None:
    """As the language tells it of every module."""
    find, _ = on_demand("purvey.resources.host", {})

    with pytest.raises(AttributeError, match=r"'purvey.resources.host' has no attribute 'Comand'"):
        find("Comand")
