"""What would keep a service from starting, found before anything is changed."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from purvey.providers import Finding
from purvey.resources.process._listeners import belongs_to, is_kept, listeners, name_of

if TYPE_CHECKING:
    from purvey.providers import Call
    from purvey.resources.process.service import Service


async def findings(call: Call, want: Service, path: str, running: int) -> list[Finding]:
    """The problems of `want`.

    Args:
        call: The operation.
        want: The service.
        path: Where commands are looked up.
        running: The process of this very service, if it runs; else 0.
    """
    found = [*_command(call, want, path), *await _user(call, want)]
    return found + await _port(call, want, running)


def _command(call: Call, want: Service, path: str) -> list[Finding]:
    command = want.command[0]
    if "/" in command:
        problem = f"the command {command} is not there" if not os.path.exists(os.path.join(want.cwd, command)) else ""  # noqa: PTH110, PTH118 - as text.
        fix = "If no other node makes it, correct the path."
        return [Finding(call.address, problem, fix, certain=False)] if problem else []
    if shutil.which(command, path=path) is None:
        return [
            Finding(
                call.address,
                f"the command {command} is not installed",
                f"Install it, or name its path; it was looked up in {path}.",
            )
        ]
    return []


async def _user(call: Call, want: Service) -> list[Finding]:
    if want.user is None:
        return []
    user = await call.host.user(want.user)
    if user is None:
        return [Finding(call.address, f"there is no user {want.user}", f"Create it:\n\n    useradd --system {want.user}")]
    if user.uid != os.geteuid() and not await call.host.is_root():
        return [Finding(call.address, f"only root can run it as {want.user}", "Run purvey as root, or leave `user` out.")]
    return []


async def _port(call: Call, want: Service, running: int) -> list[Finding]:
    if want.port is None or await call.host.port_free(want.port, host=want.host):
        return []
    pids = listeners(want.port)
    if any(belongs_to(pid, running) for pid in pids):
        return []
    who = ", ".join(f"process {pid} ({name_of(pid)})" for pid in sorted(pids)) or "somebody else"
    kept = any(is_kept(pid) for pid in pids)  # It may be about to leave: another node's, in this very plan.
    return [Finding(call.address, f"port {want.port} is taken by {who}", "Stop it, or choose another port.", certain=not kept)]
