"""What preflight found, as a plan notes it for people, and as the errors that programs read."""

from __future__ import annotations

from collections.abc import Sequence

from purvey.errors import PurveyError, RefusedError
from purvey.providers import Finding


def notes(findings: Sequence[Finding]) -> tuple[str, ...]:
    """A note for each finding: where, what, and what to do."""
    return tuple(_note(finding) for finding in findings)


def _note(finding: Finding) -> str:
    told = f"{finding.address}: {_ended(finding.problem)}"
    if not finding.fix:
        return told
    return f"{told}\n{finding.fix}" if _is_command(told) or "\n" in finding.fix else f"{told} {finding.fix}"


def _ended(text: str) -> str:
    """`text` with a full stop at its end; not where it has one, nor after a command, which is copied as it stands."""
    return text if text.endswith(".") or _is_command(text) else f"{text}."


def _is_command(text: str) -> bool:
    """Whether a text ends in a command: it stands alone on an indented line."""
    return text.rpartition("\n")[2].startswith(" ")


def as_errors(findings: Sequence[Finding], code: str) -> list[PurveyError]:
    """Each finding as an error of its own: its first line in short, what else is known of it, and what to do."""
    return [_error(finding, code) for finding in findings]


def _error(finding: Finding, code: str) -> PurveyError:
    summary, _, detail = finding.problem.partition("\n")
    error = RefusedError(code, summary, detail=detail, hint=finding.fix)
    error.address, error.source = finding.address, finding.source
    return error
