"""What goes in and out of the cloud, whatever carries it."""

from __future__ import annotations

from typing import Any, Final

import msgspec

VERBS: Final = {"POST": "create", "PATCH": "update", "DELETE": "delete"}


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request to the API: method, the parts of the path after ``/v1``, the query, the body, and headers in lower case."""

    method: str
    kind: str
    id: str = ""
    query: dict[str, str] = {}
    body: dict[str, Any] = {}
    headers: dict[str, str] = {}

    @property
    def verb(self) -> str:
        """``create``, ``update``, ``delete``, ``read`` or ``list``."""
        return VERBS.get(self.method, "read" if self.id else "list")


class Answer(msgspec.Struct, frozen=True):
    """What is answered."""

    status: int
    body: dict[str, Any]
    retry_after_s: float | None = None


class Reaction(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a request: an answer, or the connection is cut; a wait before it; the caller is killed."""

    answer: Answer | None
    wait_s: float = 0.0
    kills: bool = False


class RefusedError(Exception):
    """The API says no.

    Args:
        status: The status.
        code: The API's own code.
        message: One sentence.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.answer = Answer(status, {"error": code, "message": message})
