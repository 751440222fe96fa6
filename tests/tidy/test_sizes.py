"""Files and functions stay small enough to be read; the ratchet starts with no exceptions."""

from __future__ import annotations

from tests.tidy import house

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
FUNCTION_LINES_P90_MAX = 24

PYTHON = house.python_files("src", "tests", "examples", "bench", "docs")


def test_a_file_holds_one_idea() -> None:
    """No file is longer than 400 lines."""
    long = [
        f"{name} has {count} lines; split it by idea into files of at most {FILE_LINES_MAX}"
        for name in PYTHON
        if (count := len(house.text(name).splitlines())) > FILE_LINES_MAX
    ]

    assert not long, "\n".join(long)


def test_a_function_fits_on_a_screen() -> None:
    """No function is longer than 70 lines."""
    long = [
        f"{name}:{function.lineno}: {function.name} has {count} lines; let it branch and move the work into functions"
        for name in PYTHON
        for function in house.functions(name)
        if (count := house.lines_of(function)) > FUNCTION_LINES_MAX
    ]

    assert not long, "\n".join(long)


def test_most_functions_are_short() -> None:
    """Nine functions in ten of the package are under 25 lines, docstrings not counted."""
    sized = sorted(
        (house.lines_without_docstring(function), f"{name}:{function.lineno}: {function.name}")
        for name in house.python_files("src")
        for function in house.functions(name)
    )
    over = [f"{count:4d}  {where}" for count, where in sized if count > FUNCTION_LINES_P90_MAX]

    assert len(over) <= len(sized) // 10, (
        f"{len(over)} of {len(sized)} functions have more than {FUNCTION_LINES_P90_MAX} lines:\n" + "\n".join(over)
    )
