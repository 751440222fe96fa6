"""Refuses to write into another world than the environment expects: the wrong account, the wrong machine."""

from __future__ import annotations

from collections.abc import Sequence

from purvey._gate.notes import as_errors
from purvey.errors import RefusedError
from purvey.providers import Finding


def refuse_strangers(findings: Sequence[Finding]) -> None:
    """Stop if anything is elsewhere than it is expected.

    Raises:
        RefusedError: ``refused.unexpected_world``, with one line for each kind and place.
    """
    if findings:
        raise RefusedError(
            "refused.unexpected_world",
            "This is not the world that the environment expects",
            reasons=[(item.address, f"{item.source} {item.address}: {item.problem}".lstrip()) for item in findings],
            single=as_errors(findings, "refused.unexpected_world"),
            hint="Nothing was touched. Use the credentials and the machine of this environment, or name the environment that "
            "you mean with -e. If the world has changed for good, mend `expect` in purvey.toml.",
        )
