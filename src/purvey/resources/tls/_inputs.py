"""What the kinds for certificates share when they look at what a script passed."""

from __future__ import annotations

from typing import Any

from purvey._script.recorder import current
from purvey._script.resource import Resource
from purvey.resources._inputs import refused
from purvey.resources.tls._x509 import COMMON_NAME_MAX


def fingerprint_of(node: Any) -> Any:
    """A reference to the fingerprint of a key or an authority, so that a new one is a change of what was issued with it."""
    return getattr(node, "fingerprint", "") if isinstance(node, Resource) else ""


def require_days(inputs: dict[str, Any]) -> None:
    """Refuse a renewal window that is as long as the certificate: it would be renewed by every run.

    Raises:
        ScriptError: ``script.bad_days``.
    """
    days, window = inputs["days"], inputs["renew_before_days"]
    if type(days) is not int or type(window) is not int or 0 <= window < days:
        return
    raise refused(
        "script.bad_days",
        "A renewal window does not fit",
        f"`renew_before_days` is {window} and `days` is {days}; the window must be shorter, and not negative.",
        "Give fewer days to `renew_before_days`, or more to `days`.",
    )


def require_common_name(name: Any) -> None:
    """Refuse a name that no certificate can hold, as far as it is known.

    Raises:
        ScriptError: ``script.bad_name``.
    """
    if not isinstance(name, str) or current().nonce in name or 0 < len(name) <= COMMON_NAME_MAX:
        return
    raise refused(
        "script.bad_name",
        "An authority's name does not fit",
        f"`common_name` has {len(name)} characters, and a certificate holds 1 to {COMMON_NAME_MAX}.",
        "Write a short name that people recognise, such as `shop authority`.",
    )
