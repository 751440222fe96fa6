"""The public surface is small, sorted, documented, and changes only on purpose."""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import os

import pytest

from tests.tidy import house, surface

GOLDEN = house.ROOT / "tests" / "golden" / "public_api.txt"


def rank(name: str) -> tuple[int, str]:
    """Constants first, then classes, then the rest: the order that the linter keeps as well."""
    return (0 if name.isupper() else 1 if name[:1].isupper() else 2, name)


@pytest.mark.parametrize("name", surface.public_modules())
def test_exports_are_sorted(name: str) -> None:
    """`__all__` is sorted and names nothing twice."""
    exported = surface.exported(importlib.import_module(name))

    assert exported == sorted(set(exported), key=rank)


@pytest.mark.parametrize("name", surface.public_modules())
def test_exports_exist_and_are_documented(name: str) -> None:
    """Each name in `__all__` can be imported, and says what it gives you where the language lets it."""
    module = importlib.import_module(name)
    missing = [export for export in surface.exported(module) if not hasattr(module, export)]
    silent = [
        export
        for export in surface.exported(module)
        if (inspect.isclass(thing := getattr(module, export, None)) or inspect.isroutine(thing)) and not inspect.getdoc(thing)
    ]

    assert not missing, f"{name}.__all__ promises what is not there: {', '.join(missing)}"
    assert not silent, f"{name}: give these a docstring: {', '.join(silent)}"


def test_exports_are_promised() -> None:
    """The package itself says what it exports, and completion shows it."""
    package = importlib.import_module("purvey")

    assert set(package.__all__) <= set(dir(package))


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A name that the package does not export fails as in any module, although exports are lazy."""
    package = importlib.import_module("purvey")

    with pytest.raises(AttributeError, match="no_such_name"):
        package.no_such_name  # noqa: B018 - the access is what is tested.


def test_the_public_surface_changes_on_purpose() -> None:
    """The public names and signatures are those of the golden file; `PURVEY_GOLDEN=write` writes it anew for review."""
    actual = surface.render()
    if os.environ.get("PURVEY_GOLDEN") == "write":
        GOLDEN.write_text(actual, encoding="utf-8")

    assert GOLDEN.read_text(encoding="utf-8") == actual


def test_there_is_one_version() -> None:
    """The package tells the version that it was installed with."""
    told = house.run_python("-m", "purvey", "--version").stdout

    assert importlib.metadata.version("purvey") in told
