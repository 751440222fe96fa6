"""The reference of the kinds, which is made from syntax trees, says what the kinds themselves say."""

from __future__ import annotations

import importlib
import importlib.util
from types import ModuleType

import pytest

from purvey.providers import registry
from tests.tidy import house


def hook() -> ModuleType:
    """The module that makes the pages; it is loaded by its file, as MkDocs does."""
    spec = importlib.util.spec_from_file_location("kinds_shown", house.ROOT / "docs" / "hooks" / "kinds.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SHOWN = hook()


@pytest.mark.parametrize("module", SHOWN.modules())
def test_every_field_of_a_kind_is_shown(module: str) -> None:
    """Each kind's table has all its inputs and outputs, also those that it shares with others of its family."""
    importlib.import_module(f"purvey.resources.{module}")
    for entry in SHOWN.entries(module):
        kind = registry.get(entry.kind)

        assert {row.name for row in entry.inputs} == set(kind.inputs), entry.kind
        assert {row.name for row in entry.outputs} == set(kind.outputs), entry.kind
