"""The keeper: the small program that starts one service, owns its log, reaps it, and outlives purvey.

Run as ``python -I -S keeper.py FOLDER ID`` with one JSON document on its standard input (`keeper_client` tells its
fields). It answers with one JSON line on its standard output, once the service runs or could not be started.

    launch   takes the lock FOLDER/ID.lock, detaches from everything, becomes the reaper of its descendants
    keep     reads the document, writes FOLDER/ID.json, starts the service, and sleeps until a signal or output comes

Invariants, each of which holds when any process is killed at any instant:

- One keeper for one id: the lock is held from before the first effect until the keeper is gone.
- No service without a record: its pid is in FOLDER/ID.json before it may run (see `keeper_service`).
- No service without a keeper: the kernel kills the service when its keeper dies (PR_SET_PDEATHSIG). So a live keeper is
  the whole identity of a running service, and a killed one is seen as drift instead of a process that nobody owns. What
  the service itself had started is found by its session and by PURVEY_INSTANCE in its environment.
- An ended service leaves nothing: its orphans become children of the keeper (PR_SET_CHILD_SUBREAPER), and the keeper
  ends only when it has no child left.
- The environment comes in on standard input and goes out through `exec`; it is in no file, no log and no argument.

A machine holds one keeper for each service, so it imports only what it must. `ctypes` serves two calls only, and is
loaded where a process is about to turn into another program, never in the one that stays.
"""

# Ruff's PTH rules: pathlib would cost every keeper a megabyte.
# ruff: noqa: PTH116, PTH118, PTH120, PTH208

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import sys
import time

TYPE_CHECKING = False  # As in `typing`, which would cost every keeper a megabyte.
if __name__ == "__main__" and not TYPE_CHECKING:  # As a file: importing the package would load all that it needs.
    sys.path.append(os.path.dirname(__file__))
    from keeper_log import Log
    from keeper_service import EXIT_NOT_STARTED, NotStartedError, Record, Service, prctl, process_stat
else:
    from purvey.resources.process.keeper_log import Log
    from purvey.resources.process.keeper_service import (
        EXIT_NOT_STARTED,
        NotStartedError,
        Record,
        Service,
        prctl,
        process_stat,
    )
if TYPE_CHECKING:
    from typing import Any

EXIT_BAD_DOCUMENT = 64  # EX_USAGE of sysexits.h, as are the following.
EXIT_NO_FOLDER = 73
EXIT_LOCKED = 75

PR_SET_CHILD_SUBREAPER = 36  # From linux/prctl.h.

CHUNK_BYTES = 65_536  # The size of a pipe: more is never there to read.
KILL_REPEAT_S = 0.1  # A process may fork while it is being killed, so killing repeats until nothing is left.
STEADY_S = 60.0  # A service that ran this long has recovered; its next restart waits the shortest back-off again.


def descendants() -> list[int]:
    """Every living process below this one."""
    parents: dict[int, int] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                state, parent, _ = process_stat(entry)
            except (OSError, IndexError):  # It ended while we looked.
                continue
            if state != "Z":
                parents[int(entry)] = parent
    family = {os.getpid()}
    while found := {pid for pid, parent in parents.items() if parent in family and pid not in family}:
        family |= found
    return sorted(family - {os.getpid()})


def send(number: int, pids: list[int]) -> None:
    """Send a signal to each process that is still there."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):  # A set-user-ID child of an ordinary user is not ours to kill.
            continue


class Keeper:
    """The loop: it sleeps until output, a signal or a deadline, and moves the service from one phase to the next.

        running --> stopping --> killing --> done
           ^            |            |
           +--waiting <-+------------+       only when `restart` asks for it

    A service that ended by itself passes through `stopping` too if it has left children. `stopping` becomes `killing`
    after the time of grace, or at once for SIGQUIT; each of the three is left when there is no child any more.
    """

    def __init__(self, spec: dict[str, Any], record: Record, log: Log) -> None:
        self.spec = spec
        self.record = record
        self.log = log
        self.service = Service(spec, record)
        self.wakeup = _signals_as_bytes()
        self.poll = select.poll()
        self.poll.register(self.wakeup, select.POLLIN)
        self.phase = "running"
        self.asked_to_stop = False
        self.wait_status: int | None = None
        self.orphans_told = False
        self.deadline: float | None = None
        self.failures = 0
        self.started = 0.0

    def start(self) -> None:
        """Start the service; raise NotStartedError if it does not start."""
        self.wait_status, self.orphans_told, self.deadline = None, False, None
        self.service.start(time.time())
        self.started = time.monotonic()
        self.poll.register(self.service.output, select.POLLIN)
        self.phase = "running"
        self._save(status="running")
        if self.spec["restart"] == "no":
            self.spec["env"] = {}  # It is not needed again, so it is not kept.

    def run(self) -> None:
        """Keep the service until it has ended for good."""
        while self.phase != "done":
            left_s = None if self.deadline is None else max(0.0, self.deadline - time.monotonic())
            for file, _ in self.poll.poll(None if left_s is None else left_s * 1000 + 1):
                if file == self.wakeup:
                    self._take_signals()
                else:
                    self._take_output()
            no_children = self._reap()
            if self.phase == "waiting":
                self._go_on_waiting()
            elif no_children:
                self._ended()
            elif self.phase == "running" and (self.asked_to_stop or self.wait_status is not None):
                self._begin_stop()
                self._go_on_stopping()
            elif self.phase != "running":
                self._go_on_stopping()

    def _save(self, **changes: object) -> None:
        try:
            self.record.save(**changes)
        except OSError as error:  # The pid is on record already; a full disk must not stop a running service.
            self.log.note(f"the state could not be written: {os.strerror(error.errno or 0)}")

    def _take_signals(self) -> None:
        numbers = os.read(self.wakeup, CHUNK_BYTES)
        if {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT} & set(numbers):
            self.asked_to_stop = True
        if signal.SIGQUIT in numbers:
            if self.phase == "running":
                self._begin_stop()
            self.deadline = time.monotonic()

    def _take_output(self) -> bool:
        """Move what is in the pipe to the log; False when there is nothing (more) to move."""
        try:
            data = os.read(self.service.output, CHUNK_BYTES)
        except BlockingIOError:
            return False
        if data:
            self.log.write(data)
            return True
        self._close_output()
        return False

    def _close_output(self) -> None:
        self.poll.unregister(self.service.output)
        os.close(self.service.output)
        self.service.output = -1

    def _reap(self) -> bool:
        """Collect every child that ended; True when there is no child, and so no descendant, left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return True
            if pid == 0:
                return False
            if pid == self.service.pid:
                self.wait_status = status

    def _begin_stop(self) -> None:
        self.phase = "stopping"
        self.deadline = time.monotonic() + self.spec["grace_s"]
        self._save(status="stopping")
        if self.wait_status is None:
            try:
                os.killpg(self.service.pid, self.spec["stop_signal"])
            except (ProcessLookupError, PermissionError):  # It ended just now, or has become another user's.
                return

    def _go_on_stopping(self) -> None:
        assert self.deadline is not None, "a stop has a deadline from its first moment"
        if time.monotonic() >= self.deadline:
            if self.phase == "stopping":
                self.log.note("killed, because not everything stopped within the time of grace")
            self.phase = "killing"
            send(signal.SIGKILL, descendants())
            self.deadline = time.monotonic() + KILL_REPEAT_S
        elif self.wait_status is not None and not self.orphans_told:
            self.orphans_told = True
            send(self.spec["stop_signal"], descendants())

    def _ended(self) -> None:
        """The service and all that it started are gone: restart it or be done."""
        while self.service.output >= 0 and self._take_output():
            continue
        if self.service.output >= 0:
            self._close_output()
        assert self.wait_status is not None, "the service is a child, and there is no child left"
        code = os.waitstatus_to_exitcode(self.wait_status)
        end: dict[str, Any] = {"exit_code": code, "exit_signal": None, "ended_at": time.time()}
        if code < 0:
            end.update(exit_code=None, exit_signal=-code)
        restart = self.spec["restart"] == "always" or (self.spec["restart"] == "on-failure" and code != 0)
        if self.asked_to_stop or not restart:
            self._save(status="exited", **end)
            self.phase = "done"
        else:
            if time.monotonic() - self.started >= STEADY_S:
                self.failures = 0
            self._wait_to_restart(f"ended with {'code' if code >= 0 else 'signal'} {abs(code)}", end)

    def _wait_to_restart(self, why: str, end: dict[str, Any]) -> None:
        delay_s = min(self.spec["backoff_s"] * 2 ** min(self.failures, 32), self.spec["backoff_s_max"])
        self.failures += 1
        self.phase = "waiting"
        self.deadline = time.monotonic() + delay_s
        self._save(status="restarting", restarts=self.record.fields["restarts"] + 1, **end)
        self.log.note(f"{why}; starts again in {delay_s:g} s")

    def _go_on_waiting(self) -> None:
        if self.asked_to_stop:
            self._save(status="exited")
            self.phase = "done"
        elif self.deadline is not None and time.monotonic() >= self.deadline:
            try:
                self.start()
            except NotStartedError as error:
                self._wait_to_restart(f"did not start ({error.stage}: {os.strerror(error.number)})", {})


def _signals_as_bytes() -> int:
    """A file that yields one byte for each signal that the keeper takes."""
    read, write = os.pipe()
    for file in (read, write):
        os.set_blocking(file, False)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    return read


def report(stage: str, number: int = 0) -> None:
    """Tell the starter what became of the start (``stage`` is "running" if it did) and let go of it."""
    try:  # noqa: SIM105 - contextlib would cost every keeper memory.
        os.write(1, json.dumps({"stage": stage, "errno": number}).encode() + b"\n")
    except OSError:  # The starter was killed. The record is what counts.
        pass
    null = os.open(os.devnull, os.O_RDWR)
    for target in (0, 1, 2):
        os.dup2(null, target)
    os.close(null)


def keep(folder: str, service_id: str, held: int) -> int:
    """Read the document, start the service, and keep it; the exit code of the keeper.

    A start that failed lets the lock go before it is told, because the starter may try again at once.
    """
    try:
        spec = json.loads(sys.stdin.buffer.read())
    except ValueError:  # The starter was killed while it wrote: nothing has happened, and nothing will.
        return EXIT_BAD_DOCUMENT
    try:
        keeper = begin(os.path.join(folder, service_id + ".json"), service_id, spec)
    except NotStartedError as error:
        os.close(held)
        report(error.stage, error.number)
        return EXIT_NOT_STARTED
    report("running")
    keeper.run()
    return 0


def begin(path: str, service_id: str, spec: dict[str, Any]) -> Keeper:
    """A keeper whose service runs, recorded at `path`.

    Raises:
        NotStartedError: if it does not; the record says so, if it can be written.
    """
    stage = "log"
    try:
        log = Log(spec["log"], spec["log_bytes_max"], spec["log_files"])
        stage = "record"
        record = Record(path, service_id, spec["log"])
        record.save()
        keeper = Keeper(spec, record, log)
        try:
            keeper.start()
        except NotStartedError:
            record.save(status="failed", ended_at=time.time())
            raise
    except OSError as error:
        raise NotStartedError(stage, error.errno or 0) from error
    return keeper


def lock(path: str) -> int | None:
    """The open lock file, or None if another keeper holds it."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(file), os.stat(path)):  # Else it was removed between the two.
                return file
        except BlockingIOError:
            return None
        except FileNotFoundError:
            pass
        os.close(file)


def launch(folder: str, service_id: str) -> int:
    """Take the lock, leave the starter's process tree and session, and become the keeper."""
    os.umask(0o077)
    os.chdir("/")
    try:
        held = lock(os.path.join(folder, service_id + ".lock"))
    except OSError as error:
        report("record", error.errno or 0)
        return EXIT_NO_FOLDER
    if held is None:
        report("locked")
        return EXIT_LOCKED
    if os.fork() > 0:
        os.wait()  # For the child that leaves in `detach`, so that no zombie stays where process 1 does not reap.
        return 0
    detach()
    os.set_inheritable(held, True)  # noqa: FBT003 - the system's own signature.
    arguments = [sys.executable, "-I", "-S", __file__, folder, service_id, str(held)]
    return os.execv(sys.executable, arguments)  # noqa: S606 - no shell is the point.


def detach() -> None:
    """Become a process that no terminal and no parent can end, and to which the kernel gives all its orphans."""
    os.setsid()
    if os.fork() > 0:
        os._exit(0)
    prctl(PR_SET_CHILD_SUBREAPER, 1)


def main(arguments: list[str]) -> int:
    """``FOLDER ID`` launches; the same with the number of the file that holds the lock keeps."""
    if len(arguments) == 2:  # noqa: PLR2004 - as the docstring says.
        return launch(*arguments)
    folder, service_id, held = arguments
    os.set_inheritable(int(held), False)  # noqa: FBT003 - the system's own signature.
    return keep(folder, service_id, int(held))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
