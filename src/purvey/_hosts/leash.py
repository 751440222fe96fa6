"""A program of a few lines that becomes a command which does not outlive purvey.

Run as ``python -I -S leash.py PARENT FAILURE UMASK UID GID GROUPS CWD COMMAND...`` (UMASK empty: as it is; UID empty: stay who
we are). The kernel kills the command when its parent dies (PR_SET_PDEATHSIG), so that recovery never meets a command of the
killed run at work. That attribute is lost when the user changes, so changing the user is done here, before. A failure is
written to the file with the number FAILURE as the stage and the system's error.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import warnings as _of_exec  # noqa: F401 - `os.execvp` wants it, when it may be out of reach (see `main`).

PR_SET_PDEATHSIG = 1  # From linux/prctl.h.
EXIT_NOT_RUN = 126  # As shells have it.


def become(user: tuple[int, int, list[int]] | None) -> None:
    """Change to the user: uid, gid and groups."""
    if user is not None:
        uid, gid, groups = user
        os.setgroups(groups)
        os.setgid(gid)
        os.setuid(uid)


def main(arguments: list[str]) -> int:
    """Turn into the command; the return code if that fails."""
    parent, failure, umask, uid, gid, groups, cwd, *command = arguments
    os.set_inheritable(int(failure), False)  # noqa: FBT003 - the system's own signature.
    libc = ctypes.CDLL(None)  # Before the change of the user, who may not be able to read Python's own files.
    if umask:
        os.umask(int(umask, 8))
    stage = "user"
    try:
        become((int(uid), int(gid), [int(group) for group in groups.split(",") if group]) if uid else None)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        stage = "cwd"
        if cwd:
            os.chdir(cwd)
        stage = "command"
        if os.getppid() == int(parent):  # Else it died before the kernel knew that we depend on it.
            os.execvp(command[0], command)  # noqa: S606 - no shell is the point.
    except (OSError, ValueError) as error:
        os.write(int(failure), f"{stage} {getattr(error, 'errno', None) or 0}".encode())
    return EXIT_NOT_RUN


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
