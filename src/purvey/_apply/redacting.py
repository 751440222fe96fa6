"""The second net for secrets: text that a provider or a server wrote, cleaned before anybody sees or records it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

if TYPE_CHECKING:
    from purvey._base.event import Event, Observer
    from purvey._secrets.redaction import Redactor
    from purvey.errors import ProviderError

_TEXTS = ("cause", "detail", "reason", "summary", "text")
"""The fields of events, records and observations in which the world has its say."""

T = TypeVar("T", bound=msgspec.Struct)


def cleaned(item: T, redactor: Redactor) -> T:
    """An event, a record or an observation with every secret of the run masked in its words, and in those of its ledger."""
    changed: dict[str, Any] = {}
    for name in _TEXTS:
        text = getattr(item, name, "")
        clean = redactor.clean(text) if text else text
        if clean != text:
            changed[name] = clean
    if lines := getattr(item, "left", ()):
        changed["left"] = tuple(cleaned(line, redactor) for line in lines)
    return msgspec.structs.replace(item, **changed) if changed else item


class Redacting:
    """An observer that masks every secret of the run in what it passes on.

    Args:
        observer: Who gets the events.
        redactor: Knows the secrets that were opened so far.
    """

    def __init__(self, observer: Observer, redactor: Redactor) -> None:
        self._observer = observer
        self._redactor = redactor

    def on(self, event: Event, /) -> None:
        """Pass on `event`, cleaned."""
        self._observer.on(cleaned(event, self._redactor))


def clean_error(error: ProviderError, redactor: Redactor) -> ProviderError:
    """`error` with every secret of the run masked in its words; the same object, so that its traceback stays."""
    error.summary = redactor.clean(error.summary)
    error.detail = redactor.clean(error.detail)
    error.hint = redactor.clean(error.hint)
    return error
