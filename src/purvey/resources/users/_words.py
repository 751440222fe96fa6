"""What the programs for users complain of, in words that say what to do. Pure."""

from __future__ import annotations

from typing import Final

from purvey.errors import Code, ProviderError
from purvey.resources._programs import not_installed

_COMPLAINTS: Final[tuple[tuple[str, Code, str, str], ...]] = (
    (
        "is currently used by process", "in_use", "A user is at work on a machine",
        "End its processes, then run again:\n\n    loginctl terminate-user NAME",
    ),
    (
        "does not exist", "not_found", "A group of a user is missing",
        "Declare it as a users.Group, and give its `name` here, so that it is made first.",
    ),
    ("is not unique", "conflict", "The number of a user is taken", "Give another `uid`, or none."),
)  # fmt: skip


def explained(error: ProviderError) -> ProviderError:
    """The error in the words of users and groups; as it is where nothing more can be said."""
    for words, code, summary, hint in _COMPLAINTS:
        if words in error.detail:
            return ProviderError(code, summary, detail=error.detail, hint=hint)
    return not_installed(error, "useradd", "passwd")
