"""Run a keeper: the document that it is given, and its answer, put into words where the answer is no."""

from __future__ import annotations

import errno
import os
import pwd
import signal
import sys
from typing import Final

import msgspec

from purvey.errors import Code, HostError
from purvey.resources.process import keeper
from purvey.resources.process.keeper_model import ServiceSpec


class Answer(msgspec.Struct, frozen=True):
    """What a keeper says: "running", "locked", or the `stage` of the start that failed and the system's error."""

    stage: str
    errno: int = 0


_CODES: Final[dict[int, Code]] = {
    errno.ENOENT: "not_found",
    errno.ENOTDIR: "not_found",
    errno.EACCES: "denied",
    errno.EPERM: "denied",
    errno.ENOSPC: "quota_exceeded",
    errno.EDQUOT: "quota_exceeded",
    errno.EAGAIN: "quota_exceeded",
    errno.EMFILE: "quota_exceeded",
}

_WHAT: Final = {
    "command": "The command {spec.argv[0]} cannot be run",
    "cwd": "The working directory {spec.cwd} cannot be entered",
    "user": "The service cannot become the user {spec.user}",
    "nofile": "The limit of open files cannot be set to {spec.nofile}",
    "log": "The log {spec.log} cannot be written",
    "record": "The keeper's folder {spec.state_dir} cannot be written",
    "fork": "The machine has no room for another process",
    "setup": "The process cannot be set up",
}

_HINTS: Final = {
    (
        "command",
        errno.ENOENT,
    ): "Check the name, the PATH in the service's environment, and, for a script, its first line.",
    ("command", errno.EACCES): "Make the file executable, and let the user reach every folder above it.",
    ("command", errno.ENOEXEC): "A script needs a first line that names its interpreter, such as #!/bin/sh.",
    ("cwd", errno.ENOENT): "Declare the directory, and let the service come after it.",
    ("cwd", errno.EACCES): "Let the user enter it and every folder above it.",
}


def document(spec: ServiceSpec) -> bytes:
    """What the keeper reads, users and signals as numbers; holds the environment, so it goes nowhere but into a pipe.

    Raises:
        HostError: if a field is not usable here: an unknown user or signal, a relative path.
    """
    for path in (spec.state_dir, spec.log, spec.cwd):
        if not os.path.isabs(path):  # noqa: PTH117 - as text: the path is for another process.
            raise HostError("invalid", "A service needs absolute paths", detail=f"{path!r} is relative.")
    if not (spec.argv and spec.log_bytes_max >= 1 and spec.log_files >= 1):
        raise HostError("invalid", "A service needs a command, and a log of at least one byte and one file")
    stop_signal = signal.Signals.__members__.get(spec.stop_signal)
    if stop_signal is None:
        detail = f"{spec.stop_signal!r} is none; SIGTERM, SIGINT and SIGQUIT are the usual ones."
        raise HostError("invalid", "There is no such signal", detail=detail)
    fields = {name: getattr(spec, name) for name in spec.__struct_fields__ if name not in ("id", "state_dir", "user")}
    return msgspec.json.encode({**fields, "stop_signal": stop_signal.value, **_identity(spec.user)})


def _identity(user: str | None) -> dict[str, object]:
    if user is None:
        return {"uid": None, "gid": None, "groups": []}
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        hint = f"Create it, or name another one:\n  useradd --system {user}"
        detail = f"The service is to run as {user!r}, which this machine does not know."
        raise HostError("not_found", "There is no such user", detail=detail, hint=hint) from None
    if entry.pw_uid == os.geteuid():
        return {"uid": None, "gid": None, "groups": []}
    if os.geteuid() != 0:
        detail = f"We are not root, and the service is to run as {user!r}."
        hint = "Run purvey as root, or leave the service's user out."
        raise HostError("denied", "Only root runs services as another user", detail=detail, hint=hint)
    return {"uid": entry.pw_uid, "gid": entry.pw_gid, "groups": os.getgrouplist(user, entry.pw_gid)}


async def run_keeper(spec: ServiceSpec, text: bytes) -> Answer:
    """Start a keeper with the document `text`; its answer, when the service runs or could not be started.

    Raises:
        HostError: if the keeper ended without an answer.
    """
    import asyncio  # noqa: PLC0415 - the import of a script must not pay for asyncio.

    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", keeper.__file__, spec.state_dir, spec.id,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env=_bare_environment(), cwd="/", start_new_session=True,
    )  # fmt: skip
    output, complaint = await process.communicate(text)
    try:
        return msgspec.json.decode(output, type=Answer)
    except msgspec.DecodeError:
        last = complaint.decode(errors="replace").strip().splitlines()[-1:]
        detail = f"It was killed, or failed: {''.join(last) or 'it said nothing'}"
        raise HostError("failed", "The keeper of a service ended before it started it", detail=detail) from None


def _bare_environment() -> dict[str, str]:
    """What the interpreter itself needs; ours may hold secrets, and the keeper is there for as long as the service."""
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    return {**kept, "LC_ALL": "C.UTF-8"}


def not_started(answer: Answer, spec: ServiceSpec) -> HostError:
    """Why the service does not run, for people."""
    what = _WHAT.get(answer.stage, f"The stage {answer.stage} failed").format(spec=spec)
    why = os.strerror(answer.errno) if answer.errno else "the system refuses the value"
    who = f" by the user {spec.user}" if spec.user and answer.stage in ("command", "cwd") else ""
    return HostError(
        _CODES.get(answer.errno, "failed"),
        "A service cannot be started",
        detail=f"{what}{who}: {why}.",
        hint=_HINTS.get((answer.stage, answer.errno), ""),
    )
