"""The page about writing a kind is true: its kind conforms, by its own case and its own test."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "write-a-kind.md"


def test_the_kind_of_the_page_conforms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the page shows can be saved as three files, and the test in the third passes."""
    kind, case, test = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "notes.py").write_text(kind, encoding="utf-8")
    (tmp_path / "note_case.py").write_text(case, encoding="utf-8")
    (tmp_path / "note_test.py").write_text(f"from note_case import NoteCase\n{test}", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    room = tmp_path / "room"
    room.mkdir()

    importlib.import_module("note_test").test_a_note_conforms(room)
