"""Parts of text files: what scripts may say of them, and undoing them where others have changed the file meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purvey._base.value import SecretRef
from purvey._hosts.fact import Answers, ContentOf, FileStat, StatOf
from purvey._script.recorder import Recorder, recording
from purvey._script.words import secret
from purvey.errors import ProviderError, ScriptError
from purvey.providers.host import Place
from purvey.resources import files
from purvey.resources._paths import copy_path
from purvey.resources.files._text import data_of, lines_of, spliced, taken_back
from purvey.testing import view
from tests.unit.resources.life import only, provider, recorder

if TYPE_CHECKING:
    from pathlib import Path

PATH = "/etc/app.conf"
PLACE = Place(address="s/e::files.Line::x", folder="/own", token="undo", undoes="01CASE", name="x")
TEXTS = st.lists(st.sampled_from(["a\n", "b\n", "c\n"]), max_size=6)


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Recorder]:
    """A script that is running in `tmp_path`."""
    with recording(recorder(tmp_path)) as running:
        yield running


@pytest.mark.parametrize(
    ("kind", "inputs", "told"),
    [
        (files.Line, {"path": "/a"}, "no `line`"),
        (files.Line, {"path": "/a", "present": False}, "neither `line` nor `match`"),
        (files.Line, {"path": "/a", "line": "x\ny"}, "more than one line"),
        (files.Line, {"path": "/a", "line": "x", "match": "("}, "`match`"),
        (files.Line, {"path": "/a", "line": "x", "after": "["}, "`after`"),
        (files.Line, {"path": "/a", "line": "x", "after": "a", "before": "b"}, "`after` and `before`"),
        (files.Block, {"path": "/a"}, "no `content`"),
        (files.Block, {"path": "/a", "content": "x", "marker": "# here"}, "`marker`"),
        (files.Block, {"path": "/a", "content": "x", "marker": "# {mark}\n"}, "more than one line"),
        (files.Block, {"path": "/a", "content": "x", "name": "a\nb"}, "more than one line"),
    ],
)
def test_a_mistake_tells_what_to_write(script: Recorder, kind: Any, inputs: dict[str, Any], told: str) -> None:
    """Each wrong declaration is refused while the script runs, with what is wrong and what to do."""
    with pytest.raises(ScriptError) as refused:
        kind("a", **inputs)

    assert refused.value.code == "script.bad_text"
    assert told in refused.value.detail
    assert refused.value.hint
    assert script.nodes == {}


def test_modes_and_paths_are_spelt_in_one_way(script: Recorder, tmp_path: Path) -> None:
    """A relative path begins at the script, a mode has four digits, and a line may be a secret."""
    files.Line("a", path="app.conf", line=secret("env:PW"), create_mode="600")

    expected = {"path": str(tmp_path / "app.conf"), "line": SecretRef("env:PW"), "create_mode": "0600"}
    assert dict(only(script, "files.Line").inputs) == expected


def test_an_output_in_a_line_is_looked_at_later(script: Recorder) -> None:
    """What is known only after an apply may stand in a line and in an expression."""
    site = files.Link("l", path="/l", target="x")

    files.Line("a", path="/a", line=f"path = {site.target}", match=f"^{site.target}")

    assert "files.Link::l" in only(script, "files.Line").needs


async def test_a_line_that_comes_out_as_two_is_refused() -> None:
    """A line end that only the apply knows is refused before anything is written."""
    want = view(files.Line, path=PATH, line="a\nb")

    with pytest.raises(ProviderError, match="more than one"):
        provider(want).make(PLACE, want, answers(b""))  # type: ignore[attr-defined]


def answers(now: bytes | None, kept: bytes | None = None) -> Answers:
    """A machine whose file holds that, where `kept` was found before."""
    status = FileStat("file", 0o644, "root", "root", len(now)) if now is not None else None
    copy = None if kept is None else b"01CASE 644 root root\n" + kept
    return Answers({StatOf(PATH): status, ContentOf(PATH): now, ContentOf(copy_path(PLACE, PATH)): copy})


def undone(have: Any, before: Any, now: bytes | None, kept: bytes | None) -> bytes | None:
    """What an undo writes; None if it writes nothing."""
    work = provider(have).take_back(PLACE, have, before, answers(now, kept))  # type: ignore[attr-defined]
    written = [change.data for change in work.changes if hasattr(change, "data")]
    return written[0] if written else None


def test_an_undo_leaves_what_others_did_elsewhere() -> None:
    """A line that was put in, replaced or taken out goes back; lines that others have added since stay."""
    new = view(files.Line, path=PATH, line="a")
    replaced = view(files.Line, path=PATH, line="a = 1", match="^a =")
    out = view(files.Line, path=PATH, match="^debug", present=False)

    assert undone(new, None, b"top\nx\na\nmore\n", b"x\n") == b"top\nx\nmore\n"
    assert undone(replaced, replaced, b"x\nnew\na = 1\n", b"x\na = 9\n") == b"x\nnew\na = 9\n"
    assert undone(out, out, b"new\nx\ny\n", b"x\ndebug\ny\n") == b"new\nx\ndebug\ny\n"


def test_an_undo_of_what_is_gone_already_does_nothing() -> None:
    """A line that somebody has taken out needs not be taken out; a file that is gone holds none."""
    new = view(files.Line, path=PATH, line="a")

    assert undone(new, None, b"x\n", b"x\n") is None
    assert undone(new, None, None, b"x\n") is None


def test_an_undo_does_not_guess() -> None:
    """Where somebody has changed the very lines, the undo stops and says so, and nothing is written."""
    replaced = view(files.Line, path=PATH, line="a = 1", match="^a =")

    with pytest.raises(ProviderError, match="changed after"):
        undone(replaced, replaced, b"x\na = 5\n", b"x\na = 9\n")


def test_an_undo_of_what_changed_nothing_changes_nothing() -> None:
    """Where nothing was kept nothing was changed, so a line that was there all the time stays."""
    line = view(files.Line, path=PATH, line="a")

    assert undone(line, None, b"a\n", None) is None
    assert undone(line, line, b"a\n", None) is None


@given(was=TEXTS, became=TEXTS)
def test_taking_back_at_once_gives_what_was(was: list[str], became: list[str]) -> None:
    """Whatever was made of a text: with nothing changed since, the former text comes back to the byte."""
    assert taken_back(was, became, became) == was


@given(was=TEXTS, became=TEXTS, top=TEXTS)
def test_what_others_have_added_stays(was: list[str], became: list[str], top: list[str]) -> None:
    """Lines that nobody else has, put on top since, are there after an undo, and the rest is the former text."""
    others = [f"other {line}" for line in top]

    result = taken_back(was, became, [*others, *became])

    assert result is None or [line for line in result if line in others] == others
    assert result is None or [line for line in result if line not in others] == was


@given(st.binary(max_size=40))
def test_any_bytes_are_lines(data: bytes) -> None:
    """Lines give back the bytes they were made of, whatever these are."""
    assert data_of(lines_of(data)) == data


@given(lines=st.lists(st.sampled_from(["a\n", "b\r\n", "\n"]), max_size=4), at=st.integers(0, 4))
def test_an_inserted_line_is_a_line(lines: list[str], at: int) -> None:
    """Wherever a line is put, the others stay as they are, and it has an end of its own."""
    at = min(at, len(lines))
    new = spliced(lines, at, at, ["x"])

    assert [*new[:at], *new[at + 1 :]] == lines
    assert new[at] in ("x\n", "x\r\n")
