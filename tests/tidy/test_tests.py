"""A test states a promise, and waits for it instead of sleeping."""

from __future__ import annotations

import ast

from tests.tidy import house

TESTS = [name for name in house.python_files("tests") if name.rsplit("/", 1)[-1].startswith("test_")]


def promises_of(name: str) -> list[house.Function]:
    """The test functions of a file."""
    return [function for function in house.functions(name) if function.name.startswith("test_")]


def test_each_test_states_its_promise() -> None:
    """Each test has a docstring that says what is promised."""
    silent = [
        f"{name}:{test.lineno}: {test.name} does not say what it promises; give it a docstring"
        for name in TESTS
        for test in promises_of(name)
        if not ast.get_docstring(test)
    ]

    assert not silent, "\n".join(silent)


def test_no_test_sleeps() -> None:
    """No test waits for time to pass; it polls with a bound for what it expects, or moves a virtual clock."""
    sleeps = [
        f"{name}:{call.line}: {test.name} sleeps; poll for the expected state within a bound instead"
        for name in TESTS
        for call in house.calls(name)
        if call.name in {"time.sleep", "asyncio.sleep", "anyio.sleep"}
        for test in promises_of(name)
        if test.lineno <= call.line <= (test.end_lineno or test.lineno)
    ]

    assert not sleeps, "\n".join(sleeps)


def test_no_test_can_be_skipped() -> None:
    """No test asks to be skipped or expected to fail; conftest turns one that does so at run time into a failure."""
    marks = {"skip", "skipif", "xfail", "importorskip"}
    found = [
        f"{name}:{node.lineno}: pytest {node.attr}: make the test run, or remove it"
        for name in TESTS
        for node in ast.walk(house.tree(name))
        if isinstance(node, ast.Attribute) and node.attr in marks and ast.unparse(node.value) in {"pytest", "pytest.mark"}
    ]

    assert not found, "\n".join(found)


def test_each_kind_of_the_tests_has_a_name_of_its_own() -> None:
    """Two of one name would be told apart by which file a worker has imported last."""
    named: dict[str, list[str]] = {}
    for name in house.python_files("tests"):
        for item in ast.parse(house.text(name)).body:
            for keyword in item.keywords if isinstance(item, ast.ClassDef) else ():
                if keyword.arg == "kind" and isinstance(keyword.value, ast.Constant):
                    named.setdefault(str(keyword.value.value), []).append(f"{name}:{item.lineno}")

    assert not {kind: places for kind, places in named.items() if len(places) > 1}
