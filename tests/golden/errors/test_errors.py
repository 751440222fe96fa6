"""What a script's author reads for each kind of mistake: file and line, what was wrong, what to do; one screen, no traceback.

Each ``.txt`` file here is a script, a line of dashes, and the message. `PURVEY_GOLDEN=write` writes the messages anew.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from purvey.errors import PurveyError
from tests.support.project import Project

CASES = sorted(Path(__file__).parent.glob("*.txt"))
LINE = "-" * 40 + "\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """An empty project."""
    return Project(tmp_path, monkeypatch)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_a_mistake_is_told_in_full(case: Path, project: Project) -> None:
    """The message is the golden one, fits on a screen, and nothing was written to disk."""
    script, _, expected = case.read_text(encoding="utf-8").partition(LINE)
    (project.folder / "shop.py").write_text(script, encoding="utf-8")

    with pytest.raises(PurveyError) as caught:
        project.session().plan(project.folder / "shop.py", parameters={})

    said = f"{caught.value}\n".replace(str(project.folder), "FOLDER")
    if os.environ.get("PURVEY_GOLDEN") == "write":
        case.write_text(f"{script}{LINE}{said}", encoding="utf-8")
        expected = said
    assert said == expected
    assert len(said.splitlines()) <= 24
    assert "Traceback" not in said
    assert [path.name for path in project.folder.iterdir()] == ["shop.py"]
