"""What this machine's system says, in words: what was to be done where and as whom, why it was not, what to do."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from purvey._hosts.local_users import user_name
from purvey.errors import Code, HostError

CODES: Final[dict[int, Code]] = {
    errno.ENOENT: "not_found",
    errno.ENOTDIR: "not_found",
    errno.EACCES: "denied",
    errno.EPERM: "denied",
    errno.EROFS: "denied",
    errno.ENOSPC: "quota_exceeded",
    errno.EDQUOT: "quota_exceeded",
    errno.EFBIG: "quota_exceeded",
    errno.EEXIST: "conflict",
    errno.EISDIR: "conflict",
    errno.ENOTEMPTY: "conflict",
}

_HINTS: Final[dict[Code, str]] = {
    "not_found": "Declare the folder, and let this come after it.",
    "denied": "Run purvey as a user who may, or as root; or choose another path.",
    "quota_exceeded": "Nothing was changed. Make room, then run again:\n  df -h {folder}",
    "conflict": "Something else is there. Move it away, or choose another path.",
}


def failure(error: OSError, path: str, doing: str) -> HostError:
    """The error of the system as people read it: what, where, as whom, and what to do."""
    code = CODES.get(error.errno or 0, "failed")
    hint = _HINTS.get(code, "").format(folder=Path(path).parent)
    detail = f"{path} could not be {doing} by the user {user_name(os.geteuid())}: {os.strerror(error.errno or 0)}."
    return HostError(code, f"A file or folder could not be {doing}", detail=detail, hint=hint)


@contextlib.contextmanager
def explained(path: str, doing: str) -> Iterator[None]:
    """Turn the system's errors into `failure`."""
    try:
        yield
    except OSError as error:
        raise failure(error, path, doing) from error
