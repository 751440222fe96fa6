"""What preflight found, as notes of a plan: to be read, and with commands to be copied."""

from __future__ import annotations

import pytest

from purvey._gate.notes import notes
from purvey.providers import Finding


@pytest.mark.parametrize(
    ("finding", "note"),
    [
        (Finding("a", "it is wrong"), "a: it is wrong."),
        (Finding("a", "it is wrong."), "a: it is wrong."),
        (Finding("a", "it is wrong", "Mend it."), "a: it is wrong. Mend it."),
        (Finding("a", "it is wrong. Look:\n\n    nc -vz 192.0.2.99 22"), "a: it is wrong. Look:\n\n    nc -vz 192.0.2.99 22"),
        (Finding("a", "Look:\n\n    id", "Mend it."), "a: Look:\n\n    id\nMend it."),
    ],
)
def test_a_note_ends_its_sentences_and_leaves_commands_alone(finding: Finding, note: str) -> None:
    """A sentence has one full stop; a command on an indented line of its own has none, for it is copied."""
    assert notes([finding]) == (note,)
