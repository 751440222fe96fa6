"""What purvey and a keeper say to each other: what to keep, and what became of it."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Status = Literal["starting", "running", "stopping", "restarting", "exited", "failed", "lost"]


class ServiceSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What to keep, and how.

    Args:
        id: The service's own name on this machine, unique in `state_dir`; letters, digits, ``.``, ``_`` and ``-``.
        state_dir: An existing absolute folder that only we can write, for the keeper's record and lock.
        argv: The command and its arguments, without a shell; the command is looked up in the PATH of `env`. No secrets.
        env: The whole environment of the service. May hold secrets: it is written nowhere and never shown.
        log: Absolute path of the log; rotated files get ``.1``, ``.2`` and so on.
        cwd: The service's working directory, absolute.
        user: The name to run as; None for the user who runs purvey. Needs root.
        log_bytes_max: Size of one log file, at least 1.
        log_files: Number of log files with the current one, at least 1.
        restart: When to start a service again that ended by itself.
        backoff_s: Seconds before the first restart; doubles with each further one.
        backoff_s_max: No back-off is longer than this many seconds.
        stop_signal: What asks the service to stop, for example ``SIGTERM``; sent to its whole process group.
        grace_s: Seconds the service gets to stop before it is killed.
        nofile: Limit of open files; None to leave it as it is.
        umask: The service's file mode creation mask.
    """

    id: str
    state_dir: str
    argv: tuple[str, ...]
    env: dict[str, str]
    log: str
    cwd: str = "/"
    user: str | None = None
    log_bytes_max: int = 10 * 1024 * 1024
    log_files: int = 5
    restart: Literal["no", "on-failure", "always"] = "no"
    backoff_s: float = 1.0
    backoff_s_max: float = 60.0
    stop_signal: str = "SIGTERM"
    grace_s: float = 10.0
    nofile: int | None = None
    umask: int = 0o022

    def __repr__(self) -> str:
        """Without a value of the environment."""
        return f"ServiceSpec(id={self.id!r}, argv={self.argv!r}, env={sorted(self.env)}, user={self.user!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """As `__repr__`, for the terminal's printer."""
        return [("id", self.id), ("argv", self.argv), ("env", sorted(self.env)), ("user", self.user)]


class ServiceState(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a service: the keeper's record, corrected by what really lives.

    Args:
        id: The service.
        status: See the module's docstring.
        pid: The service's process, also after its end; 0 if there never was one.
        started_ticks: When that process started, in clock ticks since the machine's start: with `pid` its identity.
        started_at: The same in seconds since the epoch; 0.0 if there never was one.
        keeper_pid: The keeper's process.
        keeper_ticks: When the keeper started, in clock ticks since the machine's start.
        exit_code: The code it ended with; None while it runs, or if a signal ended it.
        exit_signal: The signal that ended it.
        ended_at: When it ended, in seconds since the epoch.
        restarts: How often the keeper has restarted it.
        log: Path of its log.
        token: The value of PURVEY_INSTANCE in the environment of the service and of all that it starts.
        boot: The start of the machine that the pids belong to.
        leftovers: For ``lost``, processes that the service had started and that still run.
    """

    id: str
    status: Status
    keeper_pid: int
    keeper_ticks: int
    log: str
    token: str
    boot: str
    pid: int = 0
    started_ticks: int = 0
    started_at: float = 0.0
    exit_code: int | None = None
    exit_signal: int | None = None
    ended_at: float | None = None
    restarts: int = 0
    leftovers: tuple[int, ...] = ()

    @property
    def alive(self) -> bool:
        """Whether a keeper lives and has not finished."""
        return self.status in ("starting", "running", "stopping", "restarting")
