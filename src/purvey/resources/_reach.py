"""Why a connection failed, in words that say what to look at; shared by the checks that connect."""

from __future__ import annotations

from collections.abc import Iterator


def plain_words(error: BaseException, place: str, timeout_s: float) -> str:
    """What a failed connection means.

    Args:
        error: What was raised; its causes are looked at too, because libraries wrap them.
        place: What was connected to, such as ``127.0.0.1:8080``.
        timeout_s: How long was waited.

    Returns:
        One sentence without its full stop.
    """
    import socket  # noqa: PLC0415 - declaring a check must not load the network.
    import ssl  # noqa: PLC0415 - as above.

    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"the certificate of {place} is not accepted: {cause.verify_message or cause.reason}"
        if isinstance(cause, socket.gaierror):
            return f"the name in {place} cannot be resolved: {cause.strerror}"
        if isinstance(cause, ConnectionRefusedError):
            return f"nothing listens on {place} (connection refused)"
        if isinstance(cause, ConnectionResetError | BrokenPipeError):
            return f"{place} closed the connection in the middle"
        if isinstance(cause, ssl.SSLError):
            return f"TLS with {place} failed: {(cause.reason or str(cause)).lower().replace('_', ' ')}"
    for cause in causes:
        if isinstance(cause, TimeoutError) or "Timeout" in type(cause).__name__:
            return f"{place} did not answer within {timeout_s:g} s"
        if isinstance(cause, OSError) and cause.strerror:
            return f"{place} cannot be reached: {cause.strerror}"
    return f"{place}: {str(error) or type(error).__name__}"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error, and everything that led to it; each once."""
    todo = [error]
    seen: set[int] = set()
    while todo:
        cause = todo.pop()
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        if isinstance(cause, BaseExceptionGroup):
            todo.extend(cause.exceptions)
        todo.extend(next_ for next_ in (cause.__context__, cause.__cause__) if next_ is not None)
