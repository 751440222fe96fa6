"""Fixtures that several folders of tests share; a folder's conftest imports what it needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.project import Project


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """An empty project with a world of its own."""
    return Project(tmp_path, monkeypatch)
