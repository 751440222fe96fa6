"""What a machine's programs complain of, as errors."""

from __future__ import annotations

import pytest

from purvey._hosts.command import Command, Completed
from purvey._hosts.failures import not_run


@pytest.mark.parametrize(("returncode", "code"), [(126, "denied"), (127, "not_found")])
def test_why_a_command_was_not_run_is_known_in_every_language(returncode: int, code: str) -> None:
    """Its own language is the machine's, so the code tells where the words do not."""
    said = Completed(returncode, b"", b"timeout: Befehl 'x' konnte nicht gestartet werden\n")

    error = not_run(Command(("x",)), said, "box")

    assert error is not None
    assert error.code == code
    assert error.hint
