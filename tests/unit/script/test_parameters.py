"""Parameters: typed from the signature, converted from text, refused all at once with their names and sources."""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import Annotated, Any, Literal

import pytest

from purvey import Param
from purvey._script.parameters import Given, Parameter, bind, convert, parameters_of, unknown
from purvey.errors import Problems, ScriptError
from tests.support.scripts import Scripts


class Size(Enum):
    """Sizes by name."""

    SMALL = "s"
    LARGE = "l"


class Level(IntEnum):
    """Levels by number."""

    LOW = 1
    HIGH = 2


def _convert(hint: Any, raw: Any, limits: Param | None = None) -> Any:
    return convert(Parameter("p", hint, True, None, limits or Param()), Given(raw, "--p"))


@pytest.mark.parametrize(
    ("hint", "text", "value"),
    [
        (int, "7", 7),
        (int, "-7", -7),
        (float, "1.5", 1.5),
        (float, "2", 2.0),
        (bool, "true", True),
        (bool, "false", False),
        (str, "7", "7"),
        (str, "", ""),
        (str, "[1]", "[1]"),
        (list[int], "[1, 2]", [1, 2]),
        (list[int], "1,2", [1, 2]),
        (list[str], "a,b", ["a", "b"]),
        (list[str], "a", ["a"]),
        (dict[str, int], '{"a": 1}', {"a": 1}),
        (int | None, "3", 3),
        (str | None, "x", "x"),
        (Literal["a", "b"], "a", "a"),
        (Literal[1, 2], "2", 2),
        (Size, "s", Size.SMALL),
        (Level, "2", Level.HIGH),
    ],
)
def test_text_is_read_as_the_type_wants(hint: Any, text: str, value: Any) -> None:
    """What comes from a command line or an environment variable is text; a parameter gets its own type."""
    found = _convert(hint, text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("hint", "raw"),
    [
        (int, "seven"), (int, "1.5"), (int, ""), (float, "x"), (bool, "maybe"), (list[int], "[1, 'x']"), (list[int], "1,x"),
        (dict[str, int], "[1]"), (Literal["a", "b"], "c"), (Literal[1, 2], "3"), (Size, "SMALL"), (Level, "9"), (int, 2.5),
        (str, 7), (bool, 1),
    ],
)  # fmt: skip
def test_what_does_not_convert_is_refused(hint: Any, raw: Any) -> None:
    """The error names the parameter, the value and where it came from."""
    with pytest.raises(ScriptError) as caught:
        _convert(hint, raw)
    assert caught.value.code == "script.parameter"
    assert f"`p` = {raw!r} (from --p)" in caught.value.detail


@pytest.mark.parametrize(
    ("limits", "good", "bad", "words"),
    [
        (Param(ge=1), 1, 0, "at least 1"),
        (Param(le=64), 64, 65, "at most 64"),
        (Param(gt=0), 0.1, 0, "more than 0"),
        (Param(lt=1), 0.9, 1, "less than 1"),
        (Param(choices=(1, 2)), 2, 3, "one of 1, 2"),
    ],
)
def test_limits_of_numbers(limits: Param, good: float, bad: float, words: str) -> None:
    """Bounds include what they say they include, and the error says which was broken."""
    assert _convert(float, good, limits) == good
    with pytest.raises(ScriptError) as caught:
        _convert(float, bad, limits)
    assert words in caught.value.detail


def test_a_pattern_matches_the_whole_text() -> None:
    """A part of the text is not enough."""
    assert _convert(str, "ab1", Param(pattern=r"[a-z]+\d")) == "ab1"
    for bad in ("ab12", "xab1 ", ""):
        with pytest.raises(ScriptError):
            _convert(str, bad, Param(pattern=r"[a-z]+\d"))


def test_choices_are_shown() -> None:
    """Where only some values are possible, the error lists them."""
    for hint in (Literal["a", "b"], Size):
        with pytest.raises(ScriptError) as caught:
            _convert(hint, "zzz")
        assert "It can be: " in caught.value.detail


def test_the_signature_is_the_interface() -> None:
    """Types, defaults, limits and help come from the function."""

    def main(env: str, workers: Annotated[int, Param(ge=1, help="web processes")] = 2, name: str = "x") -> None: ...

    env, workers, name = parameters_of(main)
    assert (env.name, env.required, env.type) == ("env", True, str)
    assert (workers.default, workers.limits.ge, workers.help, workers.type) == (2, 1, "web processes", int)
    assert (name.required, name.default) == (False, "x")


def test_everything_wrong_is_said_at_once() -> None:
    """Every bad and every missing parameter is in one error, each with its source."""

    def main(a: int, b: int, c: Annotated[int, Param(ge=5)], d: int = 1) -> None: ...

    given = {"b": Given("x", "PURVEY_PARAM_B"), "c": Given(3, "shop.prod.toml"), "d": Given("y", "--d")}
    with pytest.raises(Problems) as caught:
        bind(parameters_of(main), given, "dev")

    text = str(caught.value)
    assert len(caught.value.problems) == 4
    for part in ("`a` has no default", "from PURVEY_PARAM_B", "from shop.prod.toml", "from --d", "--a VALUE"):
        assert part in text


def test_the_environment_is_a_parameter_of_its_own() -> None:
    """A parameter called `env` receives the environment's name; dashes and underscores are one."""

    def main(env: str, two_words: int = 0) -> None: ...

    assert bind(parameters_of(main), {"two-words": Given("3", "--two-words")}, "prod") == {"env": "prod", "two_words": 3}


def test_unknown_parameters_are_refused_with_the_closest() -> None:
    """A misspelt name is named with the parameter it may have meant; the environment's variables of others are not."""
    (problem,) = unknown(["workers"], {"worker": Given(1, "--worker"), "other": Given("1", "PURVEY_PARAM_OTHER")})
    assert "`worker` (from --worker)" in problem.detail
    assert problem.hint == "Did you mean `workers`?"


def test_parameters_declared_where_they_are_used(scripts: Scripts) -> None:
    """`param` takes the command line's value, its default, or says how to give it; its name is then known."""
    body = 'Thing("a", size=param("size", int, default=3))\nThing("b", size=param("other-size", int))'

    graph = scripts.main(body, other_size="4")
    assert [node.inputs["size"] for node in graph.nodes.values()] == [3, 4]
    assert "--other-size VALUE" in scripts.refused(body).hint
    assert "must be" not in str(scripts.refused(body, other_size="x").summary)
    assert isinstance(scripts.refused(body, other_size="1", sise="2"), Problems)
