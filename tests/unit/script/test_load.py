"""Loading: what goes wrong in the user's file is told with the user's own file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from purvey._script.load import load_script
from purvey.errors import ScriptError
from tests.support.scripts import Scripts


def _failed(path: Path, function: str = "") -> ScriptError:
    with pytest.raises(ScriptError) as caught:
        load_script(path, function)
    return caught.value


def test_the_stack_of_a_script(scripts: Scripts, tmp_path: Path) -> None:
    """The one stack is found; among several one is named; none and an unknown one are errors."""
    path = tmp_path / "s.py"
    path.write_text("from purvey import stack\n\n@stack\ndef two_words(): pass\n")
    assert load_script(path).stack.name == "two-words"
    path.write_text(path.read_text() + "\n@stack(name='other')\ndef b(): pass\n")
    assert load_script(path, "other").stack.name == "other"
    assert "other, two-words" in _failed(path).detail
    assert _failed(path, "zzz").code == "script.no_stack"
    path.write_text("x = 1\n")
    assert _failed(path).code == "script.no_stack"
    assert _failed(tmp_path / "none.py").code == "script.not_found"


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("def x(:\n", 1, "SyntaxError"),
        ("\n\n1 / 0\n", 3, "ZeroDivisionError"),
        ("\nimport no_such_module_here\n", 2, "pip install no_such_module_here"),
        ("from purvey import stack\n\nundefined\n", 3, "NameError"),
        ("from purvey import stack, step\n\n@step\ndef f(*args): pass\n", 3, "`*args` of f"),
        ("from purvey import stack, step\n\n@step\ndef f(a, /): pass\n", 3, "`a` of f"),
        ("from purvey import stack, step\n\n@step\ndef f(**more): pass\n", 3, "`**more` of f"),
    ],
)
def test_errors_at_import_name_the_line(tmp_path: Path, text: str, line: int, said: str) -> None:
    """A syntax error, an exception, a missing module, a step with a bad signature."""
    path = tmp_path / "shop.py"
    path.write_text(text)

    error = _failed(path)

    assert said in f"{error.detail} {error.hint}"
    assert error.source.endswith(f"shop.py:{line}")


def test_an_exception_in_the_stack_names_the_innermost_own_line(scripts: Scripts) -> None:
    """Not the library's line, and not purvey's."""
    error = scripts.refused("import json\njson.loads('{')  # here")
    assert (error.code, error.source) == ("script.failed", f"shop.py:{scripts.line('# here')}")
    assert "JSONDecodeError" in error.detail


def test_what_a_stack_may_return(scripts: Scripts) -> None:
    """A dictionary with text as keys, or nothing."""
    assert list(scripts.main('return {"a": Thing("a").label, "b": 1}').outputs) == ["a", "b"]
    assert scripts.main("return None").outputs == {}
    for wrong in ("return 7", "return [1]", "return {1: 2}"):
        assert scripts.refused(wrong).code == "script.outputs"


def test_loading_leaves_nothing_behind(scripts: Scripts, tmp_path: Path) -> None:
    """No bytecode beside the script."""
    scripts.main('Thing("a")')
    assert [path.name for path in tmp_path.iterdir()] == ["shop.py"]


def test_modules_beside_the_script_are_part_of_it(tmp_path: Path) -> None:
    """They are archived with the run, by path relative to the script."""
    (tmp_path / "beside_me.py").write_text("SIZE = 3\n")
    (tmp_path / "shop.py").write_text("from beside_me import SIZE\nfrom purvey import stack\n\n@stack\ndef main(): pass\n")

    assert set(load_script(tmp_path / "shop.py").files()) == {"shop.py", "beside_me.py"}


def test_arguments_of_steps(scripts: Scripts) -> None:
    """Positional and named arguments, defaults, and references are inputs; wrong ones are refused with the line."""
    script = """
    @step
    def go(a: int, b: str = "x", key: Secret = None) -> int:
        return a

    @stack
    def main():
        {call}
    """
    graph = scripts.load(script.format(call='go("s", 1, b=f"{Thing(\'t\').label}")'))
    assert graph.nodes["step.go::s"].needs == ("test.Thing::t",)
    assert graph.nodes["step.go::s"].kind == "step.go"
    for call, said in [
        ('go("s")', "`a`"), ('go("s", 1, c=2)', "no input `c`"), ('go("s", "text")', "must be int"),
        ('go("s", 1, "x", "y", 2)', "4"),
    ]:  # fmt: skip
        with pytest.raises(ScriptError) as caught:
            scripts.load(script.format(call=call))
        assert said in str(caught.value)
        assert f"shop.py:{scripts.line(call)}" in caught.value.source
