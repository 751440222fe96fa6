"""The one process that a keeper keeps, and its record: fork, write down, let go. A part of the keeper's program.

The order is the invariant: the forked child waits for a byte that is sent only after its pid is on record, so a service
never runs unrecorded; and it asked the kernel before to be killed with its keeper, so it never runs unkept.
"""

# Ruff's PTH rules: pathlib would cost every keeper a megabyte.
# ruff: noqa: PTH104, PTH123

from __future__ import annotations

import json
import os
import resource
import signal

TYPE_CHECKING = False  # As in `typing`, which would cost every keeper a megabyte.
if TYPE_CHECKING:
    from typing import Any, NoReturn

EXIT_NOT_STARTED = 69  # EX_UNAVAILABLE of sysexits.h.

PR_SET_PDEATHSIG = 1  # From linux/prctl.h.


class NotStartedError(Exception):
    """The service did not start: the `stage` that failed and the system's error `number` (0 if there is none)."""

    def __init__(self, stage: str, number: int) -> None:
        super().__init__(stage, number)
        self.stage = stage
        self.number = number


def prctl(option: int, value: int) -> None:
    """Set an attribute of this process in the kernel; raise OSError if it refuses."""
    import ctypes  # noqa: PLC0415 - See the module's docstring.

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def process_stat(pid: int | str) -> tuple[str, int, int]:
    """State letter, parent and start time (clock ticks since boot) of a process; raise OSError if there is none."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    return fields[0].decode(), int(fields[1]), int(fields[19])


class Record:
    """What is known about the service, in a file (mode 0600) for everyone who asks; no value of its environment."""

    def __init__(self, path: str, service_id: str, log: str) -> None:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            boot = file.read().strip()
        self.path = path
        self.token = os.urandom(12).hex()
        self.fields: dict[str, Any] = {
            "version": 1,
            "id": service_id,
            "token": self.token,
            "boot": boot,
            "status": "starting",
            "keeper_pid": os.getpid(),
            "keeper_ticks": process_stat("self")[2],
            "restarts": 0,
            "log": log,
        }

    def save(self, **changes: object) -> None:
        """Change fields; readers see all of the change or nothing.

        There is no fsync: the record speaks about processes, which do not survive what unsynced files do not survive.
        """
        self.fields.update(changes)
        new = self.path + ".new"
        file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        try:
            os.write(file, json.dumps(self.fields).encode())
        finally:
            os.close(file)
        os.rename(new, self.path)


class Service:
    """The one process that is kept: how to start it, and the pipe that carries its output."""

    def __init__(self, spec: dict[str, Any], record: Record) -> None:
        self.spec = spec
        self.record = record
        self.core_limit = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (0, self.core_limit[1]))  # A core file would hold secrets.
        self.pid = 0
        self.output = -1

    def start(self, now: float) -> None:
        """Start the process and return when it runs the command.

        Args:
            now: Seconds since the epoch, for the record.

        Raises:
            NotStartedError: if it does not; then nothing is left of it.
        """
        self.output, output = os.pipe()
        os.set_blocking(self.output, False)
        go_read, go = os.pipe()
        failure, failure_write = os.pipe()
        keeper = os.getpid()
        self.pid = self._fork()
        if self.pid == 0:
            os.close(go)
            self._become(output, go_read, failure_write, keeper)
        for file in (output, go_read, failure_write):
            os.close(file)
        try:
            self.record.save(status="starting", **self._identity(now))
            os.write(go, b"g")
        except OSError as error:
            os.kill(self.pid, signal.SIGKILL)
            self._abandon("record", error.errno or 0)
        finally:
            os.close(go)
            answer = os.read(failure, 64)
            os.close(failure)
        if answer:
            stage, number = answer.decode().split()
            self._abandon(stage, int(number))

    def _fork(self) -> int:
        try:
            return os.fork()
        except OSError as error:
            raise NotStartedError("fork", error.errno or 0) from error

    def _identity(self, now: float) -> dict[str, Any]:
        started = {"pid": self.pid, "started_ticks": process_stat(self.pid)[2], "started_at": now}
        return {**started, "exit_code": None, "exit_signal": None, "ended_at": None}

    def _abandon(self, stage: str, number: int) -> NoReturn:
        os.waitpid(self.pid, 0)
        os.close(self.output)
        self.pid, self.output = 0, -1
        raise NotStartedError(stage, number)

    def _become(self, output: int, go: int, failure: int, keeper: int) -> NoReturn:
        """Turn this forked child into the service, or report the stage that failed, and leave."""
        stage = "setup"
        try:
            self._cut_loose(output)
            stage = "nofile"
            if self.spec["nofile"] is not None:
                resource.setrlimit(resource.RLIMIT_NOFILE, (self.spec["nofile"], self.spec["nofile"]))
            import ctypes  # noqa: F401, PLC0415 - Once we are another user, Python's own files may be out of reach,
            import warnings  # noqa: F401, PLC0415 - and `prctl` and `os.execvpe` want these.

            stage = "user"
            if self.spec["uid"] is not None:
                os.setgroups(self.spec["groups"])
                os.setgid(self.spec["gid"])
                os.setuid(self.spec["uid"])
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # After setuid, which resets it.
            stage = "cwd"
            os.chdir(self.spec["cwd"])
            allowed = os.getppid() == keeper and os.read(go, 1) == b"g"
            if allowed:  # Else the keeper is gone, and nobody keeps what would start here.
                stage = "command"
                environment = {**self.spec["env"], "PURVEY_INSTANCE": self.record.token}
                os.execvpe(self.spec["argv"][0], self.spec["argv"], environment)  # noqa: S606 - no shell is the point.
        except BaseException as error:  # noqa: BLE001 - whatever it is, this process must report it and end.
            os.write(failure, f"{stage} {getattr(error, 'errno', None) or 0}".encode())
        finally:
            os._exit(EXIT_NOT_STARTED)

    def _cut_loose(self, output: int) -> None:
        """Own session and group, output into the pipe, and signals, limits and mask as a fresh process has them."""
        os.setsid()
        null = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((null, 0), (output, 1), (output, 2)):
            os.dup2(source, target)
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        resource.setrlimit(resource.RLIMIT_CORE, self.core_limit)
        os.umask(self.spec["umask"])
