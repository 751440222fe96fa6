"""The pages about writing a kind and about testing a script are true: what they show does what they say."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "write-a-kind.md"
TESTING = PAGE.with_name("test-a-script.md")


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


def test_the_tests_of_the_page_about_testing_pass(tmp_path: Path) -> None:
    """What the page shows can be saved as a file, pytest finds the fixtures by itself, and the tests pass."""
    *tests, alone = re.findall(r"```python\n(.*?)```", TESTING.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "test_shop.py").write_text("\n\n".join(tests), encoding="utf-8")
    (tmp_path / "alone.py").write_text(alone, encoding="utf-8")

    for command in (["-m", "pytest", "-q", "-p", "no:cacheprovider", "test_shop.py"], ["alone.py"]):
        ended = subprocess.run(
            [sys.executable, *command], cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False
        )  # fmt: skip
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert "4 passed" in ended.stdout or command == ["alone.py"]
