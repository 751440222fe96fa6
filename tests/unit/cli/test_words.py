"""How a command line with a script is read, although its parameters are not known yet."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from purvey._session import Given
from purvey.cli.targets import target_of
from purvey.cli.words import is_run, read_words


@pytest.mark.parametrize(
    ("line", "parameters"),
    [
        ("shop.py", {}),
        ("shop.py --workers 4", {"workers": "4"}),
        ("shop.py --workers=4", {"workers": "4"}),
        ("shop.py --max-size 4", {"max_size": "4"}),
        ("shop.py --offset -4.5", {"offset": "-4.5"}),
        ("shop.py --verbose", {"verbose": True}),
        ("shop.py --no-verbose", {"verbose": False}),
        ("shop.py --verbose --workers 4", {"verbose": True, "workers": "4"}),
        ("--workers 4 shop.py", {"workers": "4"}),
        ("--verbose shop.py", {"verbose": True}),
        ("shop.py --empty=", {"empty": ""}),
    ],
)
def test_parameters_are_read_by_their_form(line: str, parameters: dict[str, str | bool]) -> None:
    """A parameter has a value after it or after an equals sign, or is a switch; the script may stand anywhere."""
    found = read_words(line.split())

    assert (found.first, found.parameters, found.rest) == ("shop.py", parameters, ())


@given(st.lists(st.text(), min_size=2))
def test_a_repeated_parameter_is_a_list(values: list[str]) -> None:
    """A parameter given several times is a list of what was given, in order."""
    found = read_words(["shop.py", *(f"--tag={value}" for value in values)])

    assert json.loads(found.parameters["tag"]) == values


def test_a_parameter_called_like_an_option_has_a_way_in() -> None:
    """`--param NAME=VALUE` reaches any parameter; without a name it is refused."""
    assert read_words(["shop.py"], ["parallel=3", "a-b=x=y"]).parameters == {
        "parallel": Given("3", "-p"), "a_b": Given("x=y", "-p")
    }  # fmt: skip
    with pytest.raises(click.UsageError, match="NAME=VALUE"):
        read_words(["shop.py"], ["parallel"])


def test_an_existing_file_can_be_a_value(tmp_path: Path) -> None:
    """Once the script is named, a parameter's value may be the name of a file."""
    page = tmp_path / "page.html"
    page.touch()

    assert read_words(["shop.py", "--template", str(page)]).parameters == {"template": str(page)}


def test_an_unknown_short_option_is_refused() -> None:
    """Parameters have no short form, so a single dash is a mistake."""
    with pytest.raises(click.UsageError, match="-x"):
        read_words(["shop.py", "-x"])


@pytest.mark.parametrize(
    ("word", "expected"), [("01JD8ZK3M0000000000000000A", True), ("01jd8z", True), ("shop.py", False), ("01U", False)]
)
def test_runs_are_told_from_scripts(word: str, *, expected: bool) -> None:
    """A run's id, or its beginning, is not taken for a script."""
    assert is_run(word) is expected


def test_a_target_is_exactly_one_thing() -> None:
    """A run, a script and a stack are told apart; none or two are refused."""
    assert target_of("01jd8z", stack="", env="prod").run == "01JD8Z"
    assert target_of("shop.py", stack="", env="prod").script == Path("shop.py")
    assert target_of("", stack="shop", env="prod").stack == "shop"
    for word, stack in (("", ""), ("shop.py", "shop"), ("shop!", "")):
        with pytest.raises(click.UsageError):
            target_of(word, stack=stack, env="dev")
