"""Scripts that are run for what they declare, against no knowledge at all."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from purvey._graph import Graph
from purvey._script.load import load, load_script
from purvey._script.parameters import Given
from purvey._script.recorder import Ignorant
from purvey.errors import ScriptError
from tests.support.project import PRELUDE

NONCE = "k3v9x0q2m7zt"
"""What tokens are recognised by."""


class Scripts:
    """Writes scripts and runs them against no knowledge at all.

    Args:
        folder: Where they are.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self, body: str, *, function: str = "", env: str = "dev", **given: object) -> Graph:
        """The graph of a script whose text, after the imports of the tests, is `body`."""
        path = self.folder / "shop.py"
        path.write_text(PRELUDE + textwrap.dedent(body), encoding="utf-8")
        values = {name: Given(value, f"--{name}") for name, value in given.items()}
        return load(load_script(path, function), Ignorant(), values, env, NONCE)

    def main(self, body: str, *, signature: str = "", **given: object) -> Graph:
        """The graph of a stack function with `body`."""
        inner = textwrap.indent(textwrap.dedent(body).strip() or "pass", "    ")
        return self.load(f"\n@stack\ndef main({signature}):\n{inner}\n", **given)  # type: ignore[arg-type]

    def refused(self, body: str, **more: object) -> ScriptError:
        """The error that `main` ends in."""
        with pytest.raises(ScriptError) as caught:
            self.main(body, **more)  # type: ignore[arg-type]
        return caught.value

    def line(self, text: str) -> int:
        """The number of the only line of the script that contains `text`."""
        lines = (self.folder / "shop.py").read_text(encoding="utf-8").splitlines()
        (found,) = [number for number, line in enumerate(lines, 1) if text in line]
        return found
