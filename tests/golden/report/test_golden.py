"""What people and programs read is written down here, word for word; `PURVEY_GOLDEN=write` writes it anew for review."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from purvey._report import document
from purvey._report.dot import to_dot
from purvey._report.drift_text import drift_page
from purvey._report.errors_text import error_page
from purvey._report.picture import actions_of, picture
from purvey._report.run_text import ended_page, runs_page, show_page
from purvey._report.state_text import object_page, state_page
from purvey._report.style import Page, coloured, plain
from purvey._report.svg import to_svg
from purvey._report.text import plan_page
from purvey.errors import Problems, ScriptError
from tests.unit.report import samples

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent

DUPLICATE = ScriptError(
    "script.duplicate_address",
    "Two nodes have one address",
    detail="files.File::motd is declared at shop.py:12 and again at shop.py:13; names are keys, so the second would silently "
    "take the first one's place.",
    hint="Give one of them another name:\n\n    files.File('motd-2', ...)",
    address="files.File::motd",
    source="shop.py:13",
)
UNKNOWN = ScriptError("script.parameter", "A parameter is not known", detail="`wrokers` is not one.")
PROBLEMS = Problems([DUPLICATE, UNKNOWN])


def line(source: str) -> str:
    """The line of the script at `source`."""
    return "    files.File('motd', path=PATH)" if source == "shop.py:13" else ""


def runs() -> Page:
    """Runs that ended in different ways."""
    return runs_page([samples.OPEN, samples.UNDONE, samples.SUCCEEDED])


PAGES: dict[str, Callable[[], Page]] = {
    "plan.txt": lambda: plan_page(samples.PLAN),
    "plan-machine.txt": lambda: plan_page(samples.ON_A_MACHINE),
    "plan-empty.txt": lambda: plan_page(samples.EMPTY),
    "drift.txt": lambda: drift_page(samples.DRIFT, "purvey apply shop.py -e dev"),
    "succeeded.txt": lambda: ended_page(samples.SUCCEEDED, samples.OUTPUTS),
    "undone.txt": lambda: ended_page(samples.UNDONE, {}),
    "partial.txt": lambda: show_page(samples.PARTIAL),
    "show.txt": lambda: show_page(samples.UNDONE),
    "show-open.txt": lambda: show_page(samples.OPEN),
    "runs.txt": runs,
    "runs-empty.txt": lambda: runs_page([]),
    "state.txt": lambda: state_page(samples.OBJECTS),
    "object.txt": lambda: object_page(samples.OBJECTS[0]),
    "error.txt": lambda: error_page(PROBLEMS, line),
}

DOCUMENTS: dict[str, object] = {
    "plan.json": document.plan_document(samples.PLAN),
    "run.json": document.run_document(samples.UNDONE),
    "run-ended.json": document.ended_document(samples.SUCCEEDED, samples.OUTPUTS),
    "runs.json": document.runs_document([samples.OPEN]),
    "outputs.json": document.outputs_document(samples.OUTPUTS),
    "state.json": document.state_document(samples.OBJECTS),
    "graph.json": document.graph_document(samples.GRAPH, actions_of(samples.PLAN)),
    "error.json": document.error_document(PROBLEMS),
}


def compare(name: str, actual: str) -> None:
    """Compare with the golden file, or write it."""
    path = HERE / name
    if os.environ.get("PURVEY_GOLDEN") == "write":
        path.write_text(actual, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == actual


@pytest.mark.parametrize("name", PAGES)
def test_pages_read_as_agreed(name: str) -> None:
    """Each page is, word for word, what was agreed on."""
    compare(name, plain(PAGES[name]()))


def test_colours_are_as_agreed() -> None:
    """With colours a plan says the same, and what is risky is marked."""
    compare("plan-colours.txt", coloured(plan_page(samples.PLAN)))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_are_as_specified(name: str) -> None:
    """Each JSON document has the fields of `docs/formats/json.md`, in their order."""
    compare(name, document.to_json(DOCUMENTS[name]))


def test_the_picture_is_as_agreed() -> None:
    """The SVG of a graph is the same on every machine."""
    compare("graph.svg", to_svg(picture(samples.GRAPH, samples.PLAN)))


def test_the_dot_file_is_as_agreed() -> None:
    """The DOT of a graph is the same on every machine."""
    compare("graph.dot", to_dot(picture(samples.GRAPH, samples.PLAN)))


@pytest.mark.parametrize("name", [*PAGES, *DOCUMENTS, "graph.svg", "graph.dot", "plan-colours.txt"])
def test_nothing_told_holds_a_secret_or_its_digest(name: str) -> None:
    """No page and no document holds what was sealed, or the digest of a secret."""
    text = (HERE / name).read_text(encoding="utf-8")

    assert not [part for part in ("1" * 32, "2" * 32, "3" * 32, "c2VhbGVk") if part in text]
