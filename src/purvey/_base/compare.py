"""Structural comparison of two values to the fields in which they differ."""

from __future__ import annotations

import msgspec

from purvey._base.value import Value


class FieldChange(msgspec.Struct, frozen=True):
    """One field that differs: `path` is ``env.PORT`` or ``rules[2]``; `replaces` says that it cannot be changed in place.

    `because` is ``script`` (the wish changed), ``drift`` (the world changed), ``upstream`` (a value it uses changes) or
    ``always`` (the script wants it done in every run).
    """

    path: str
    before: Value
    after: Value
    because: str = "script"
    replaces: bool = False

    @property
    def name(self) -> str:
        """The input or output that `path` is in: ``rules`` of ``rules[2].port``."""
        return self.path.partition(".")[0].partition("[")[0]


def differences(before: Value, after: Value, path: str) -> list[tuple[str, Value, Value]]:
    """The innermost places in which two values differ, as (path, before, after); lists of unequal length differ as a whole."""
    if before == after:
        return []
    if type(before) is dict and type(after) is dict:
        found: list[tuple[str, Value, Value]] = []
        for key in [*before, *(key for key in after if key not in before)]:
            if key in before and key in after:
                found += differences(before[key], after[key], f"{path}.{key}")
            else:  # A key without a value is not the same as no key.
                found.append((f"{path}.{key}", before.get(key), after.get(key)))
        return found
    if type(before) is list and type(after) is list and len(before) == len(after):
        return [
            item
            for index, (old, new) in enumerate(zip(before, after, strict=True))
            for item in differences(old, new, f"{path}[{index}]")
        ]
    return [(path, before, after)]
