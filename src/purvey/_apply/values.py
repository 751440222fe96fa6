"""Copies of secrets for the record, where no backend could be asked for them again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from purvey._base.value import Masked, Secret, Value

if TYPE_CHECKING:
    from purvey._secrets.sealing import Sealer


def sealed_copies(masked: Value, opened: Value, sealer: Sealer) -> Value:
    """`masked` with a ciphertext for every secret that has neither a source nor one already.

    Args:
        masked: A value with secrets masked.
        opened: The same value with secrets opened.
        sealer: Seals.
    """
    kind = type(masked)
    if kind is Masked:
        if masked.origin is None and not masked.sealed and isinstance(opened, Secret):
            return sealer.seal(masked, opened)
        return masked
    if kind is dict and type(opened) is dict:
        return {key: sealed_copies(item, opened[key], sealer) for key, item in masked.items()}
    if kind is list and type(opened) is list:
        return [sealed_copies(item, other, sealer) for item, other in zip(masked, opened, strict=True)]
    return masked
