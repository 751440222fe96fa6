"""What happens in a run, as typed events; every view of a run is made from these and nothing else.

Events are ordered per run. An `Observer` gets each as it happens, in the process that runs; what it does with it (a terminal,
a log line, a metric) is its own business and never changes the run.
"""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

Phase = Literal["recover", "observe", "load", "plan", "preflight", "approve", "apply", "delete", "check", "undo", "report"]
Result = Literal["succeeded", "undone", "kept", "parked", "interrupted", "superseded", "partial", "refused"]
"""How a run can end; see the exit codes in the reference."""


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event"):
    """One thing that happened; `at` is seconds since the epoch, `run` the run's id."""

    at: float
    run: str


class RunStarted(Event, frozen=True, tag="run_started"):
    """A run began; `verb` is what the user asked for."""

    stack: str
    verb: str


class PhaseStarted(Event, frozen=True, tag="phase_started"):
    """The run entered a phase; `detail` says more, such as the number of objects observed."""

    phase: Phase
    detail: str = ""


class Planned(Event, frozen=True, tag="planned"):
    """A plan was made: operations to perform, with their needs (operation ids), for progress and the critical path."""

    operations: dict[str, tuple[str, ...]]
    stage: int


class OperationStarted(Event, frozen=True, tag="operation_started"):
    """An operation's first attempt begins."""

    operation: str
    address: str
    verb: str


class OperationProgress(Event, frozen=True, tag="operation_progress"):
    """An operation waits for the world; `text` is the provider's own account, `again_s` when it is looked at next."""

    operation: str
    address: str
    text: str
    again_s: float


class OperationRetried(Event, frozen=True, tag="operation_retried"):
    """An attempt failed and another will follow after `again_s` seconds."""

    operation: str
    address: str
    attempt: int
    code: str
    detail: str
    again_s: float


class OperationEnded(Event, frozen=True, tag="operation_ended"):
    """An operation is over; `result` is ``done``, ``unchanged``, ``failed``, ``parked`` or ``skipped``."""

    operation: str
    address: str
    verb: str
    result: str
    seconds: float
    attempts: int = 1
    code: str = ""
    detail: str = ""


class Message(Event, frozen=True, tag="message"):
    """A sentence for the person who watches; `level` is ``info`` or ``warning``."""

    level: Literal["info", "warning"]
    text: str


class RunEnded(Event, frozen=True, tag="run_ended"):
    """The run is over."""

    result: Result
    seconds: float


class Observer(Protocol):
    """Something that wants to see runs."""

    def on(self, event: Event, /) -> None:
        """Called for each event, in order, in the engine's thread; MUST return quickly and MUST NOT raise."""


class Silent:
    """The observer that looks away."""

    def on(self, event: Event, /) -> None:
        """Nothing."""
