"""Templates that are filled again and again in one run: kept where that is harmless, and never taken for others."""

from __future__ import annotations

from typing import Any

import pytest

from purvey._base.value import Secret
from purvey.resources.files import _template
from purvey.resources.files._template import FILLED_MAX, SHORT, render


@pytest.fixture
def filled(monkeypatch: pytest.MonkeyPatch) -> dict[Any, str]:
    """What is kept, with nothing in it."""
    kept: dict[Any, str] = {}
    monkeypatch.setattr(_template, "_filled", kept)
    return kept


def test_what_is_filled_with_the_same_is_kept(filled: dict[Any, str]) -> None:
    """So that a run, which needs each text several times, fills it once."""
    texts = [render("{{ word }}", "a.j2", {"word": "same"}) for _ in range(3)]

    assert texts == ["same"] * 3
    assert list(filled.values()) == ["same"]


@pytest.mark.parametrize("values", [(1, 1.0, True, "1"), ([1, 2], (1, 2)), ({"a": 1, "b": 2}, {"b": 2, "a": 1}), (0.0, -0.0)])
@pytest.mark.usefixtures("filled")
def test_what_is_equal_but_reads_otherwise_is_not_taken_for_the_same(values: tuple[Any, ...]) -> None:
    """Python takes these for equal; a template does not."""
    assert [render("{{ it }}", "a.j2", {"it": value}) for value in values] == [str(value) for value in values]


def test_nothing_that_is_secret_or_long_is_kept(filled: dict[Any, str]) -> None:
    """Secrets live no longer than the call."""
    assert render("{{ word }}", "a.j2", {"word": Secret("hush")}) == "hush"
    assert render("{{ words[0] }}", "a.j2", {"words": [Secret("hush")]}) == "hush"
    assert render(" " * SHORT + "{{ word }}", "a.j2", {"word": "long"}).strip() == "long"
    assert render("{% for x in xs %}{{ x }}{% endfor %}", "a.j2", {"xs": ["y"] * SHORT + ["z"]}).endswith("z")

    assert filled == {}


def test_what_is_kept_is_small(filled: dict[Any, str]) -> None:
    """However much a short text was made from."""
    render("{{ words | length }}", "a.j2", {"words": ["y" * 1000] * 1000})

    ((key, text),) = filled.items()
    assert (len(key), text) == (32, "1000")


def test_what_is_kept_has_an_end(filled: dict[Any, str]) -> None:
    """However many hosts there are."""
    for number in range(FILLED_MAX + 1):
        assert render("{{ it }}", "a.j2", {"it": number}) == str(number)

    assert len(filled) <= FILLED_MAX
