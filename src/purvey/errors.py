"""The one error tree of purvey; families say who must act.

    PurveyError
    ├── ScriptError      you: the script, its parameters, the command line      exit 3
    │   └── Problems     several independent script errors, reported together
    ├── RefusedError     you: preflight, a guard, a policy or a person said no  exit 4
    │   └── Refusals     several of them, reported together
    ├── HostError        the world: a machine, a file, a process, a command
    ├── ProviderError    the world: an API or a server answered with an error
    ├── StateError       stop and keep the file: the store, its key, its lease  exit 5
    └── InternalError    us                                                     exit 1

Every error has a stable ``code`` (``family.reason``), a fixed ``summary`` without user data, a ``detail`` that says what was
wrong and why it matters, and a ``hint`` that says what to do next. The address and the source line are fields, so that every
front door shows them in its own way. Whether to retry is not a type but an outcome: see `purvey.providers`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Literal, get_args

Code = Literal[
    "throttled",
    "denied",
    "quota_exceeded",
    "already_exists",
    "not_found",
    "conflict",
    "invalid",
    "unavailable",
    "timeout",
    "expired_credential",
    "schema_changed",
    "in_use",
    "failed",
    "check_failed",
]
"""The stable codes that a provider or a host error carries, whatever the vendor calls them."""

CODES: Final = frozenset(get_args(Code))


class PurveyError(Exception):
    """Anything that purvey reports on purpose; the base of the tree.

    Args:
        code: A stable dotted identifier such as ``script.duplicate_address``; documentation and runbooks are keyed by it.
        summary: One fixed sentence without user data.
        detail: What was wrong and why it matters, in sentences.
        hint: What to do next; a command to run stands alone on an indented line.
        address: The node that the error is about, if any.
        source: ``file:line`` in the user's script, if known.
    """

    exit_code: int = 1

    def __init__(
        self, code: str, summary: str, *, detail: str = "", hint: str = "", address: str = "", source: str = ""
    ) -> None:
        super().__init__(summary)
        self.code = code
        self.summary = summary
        self.detail = detail
        self.hint = hint
        self.address = address
        self.source = source

    def __str__(self) -> str:
        """The error as plain text: where, what, why, what next."""
        where = " ".join(part for part in (self.source, self.address) if part)
        lines = [f"{where}: {self.summary}" if where else self.summary]
        lines += [part for part in (self.detail, self.hint) if part]
        return "\n".join(lines)


class ScriptError(PurveyError):
    """The script, a parameter or the command line is wrong; nothing was touched."""

    exit_code = 3


class Problems(ScriptError):  # noqa: N818 - it is a list of errors, not one.
    """Several independent problems, so that one run shows them all.

    Args:
        problems: The problems, in the order of the script; at least one.
    """

    def __init__(self, problems: list[ScriptError]) -> None:
        count = len(problems)
        super().__init__("script.problems", f"{count} problem{'s' if count > 1 else ''} found")
        self.problems = problems

    def __str__(self) -> str:
        """Every problem, separated by a blank line."""
        return "\n\n".join(str(problem) for problem in self.problems)


class RefusedError(PurveyError):
    """Preflight, a guard, a policy or a person said no before the first write; nothing was touched.

    Args:
        code: See `PurveyError`.
        summary: See `PurveyError`.
        reasons: For each independent reason the address of the node that it is about, or nothing, and a line.
        detail: See `PurveyError`.
        hint: See `PurveyError`.
        single: Each reason as an error of its own, for programs; where it is left out, nothing but the line is known of it.

    Attributes:
        findings: The lines.
    """

    exit_code = 4

    def __init__(
        self, code: str, summary: str, *, reasons: Iterable[tuple[str, str]] = (), detail: str = "", hint: str = "",
        single: Sequence[PurveyError] = (),
    ) -> None:  # fmt: skip
        reasons = tuple(reasons)
        self.findings = tuple(line for _, line in reasons)
        super().__init__(code, summary, detail=detail or "\n".join(self.findings), hint=hint)
        self.single = single or [
            PurveyError(code, summary, detail=line, hint=hint, address=address) for address, line in reasons
        ]
        for error in self.single:
            error.exit_code = self.exit_code


class Refusals(RefusedError):  # noqa: N818 - it is a list of errors, not one.
    """Several guards that say no to one plan, so that one attempt shows them all.

    Args:
        problems: What each says; at least two.
    """

    def __init__(self, problems: list[RefusedError]) -> None:
        lines = [f"{problem.summary}: {finding}" for problem in problems for finding in problem.findings]
        super().__init__("refused.several", "Several guards say no", reasons=[("", line) for line in lines])
        self.problems = problems


def together(*guards: Callable[[], None]) -> None:
    """Ask every guard, and tell together what they say.

    Raises:
        RefusedError: what the only one says that says no.
        Refusals: ``refused.several``, if there are more.
    """
    found: list[RefusedError] = []
    for guard in guards:
        try:
            guard()
        except RefusedError as error:
            found.append(error)
    if found:
        raise found[0] if len(found) == 1 else Refusals(found)


class ProviderError(PurveyError):
    """An API or a server refused, failed or did not answer.

    Args:
        code: One of `CODES`.
        summary: One fixed sentence.
        detail: The server's own message, with secrets masked.
        hint: What to do next.
        may_exist: Whether the effect may have happened all the same (a timeout, a cut connection). An ambiguous error is
            retried only for kinds that recover by token; all others are looked up first.
        retry_after_s: Seconds the server asked to wait before the next attempt; None when it did not say.
    """

    def __init__(
        self,
        code: Code,
        summary: str,
        *,
        detail: str = "",
        hint: str = "",
        may_exist: bool = False,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(code, summary, detail=detail, hint=hint)
        self.may_exist = may_exist
        self.retry_after_s = retry_after_s


class HostError(ProviderError):
    """A machine, a file, a process or a command on it failed; the fields are those of `ProviderError`."""


class StateError(PurveyError):
    """The store, its key, its lease or its content is not what it must be; keep the file and stop."""

    exit_code = 5


class StoppedWaiting(StateError):  # noqa: N818 - somebody asked for it.
    """Ctrl-C while a run was waiting for its stack; nothing was begun."""

    exit_code = 13


class InternalError(PurveyError):
    """An impossible case; a bug in purvey.

    Args:
        detail: What was found that cannot be.
    """

    def __init__(self, detail: str) -> None:
        super().__init__("internal.bug", "purvey met a case that cannot be", detail=f"{detail} This is a bug in purvey.")


if sys.flags.optimize:  # Assertions guard the journal; a run without them would be a run without its safety net.
    raise SystemExit("purvey does not run under `python -O`: its invariants are assertions and must stay on.")
