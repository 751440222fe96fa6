"""A stack's interface, as the front doors show it."""

from __future__ import annotations

import msgspec

from purvey._script.parameters import Parameter


class StackSignature(msgspec.Struct, frozen=True):
    """A stack's interface.

    Attributes:
        name: Its name.
        doc: Its docstring.
        parameters: Its parameters, in order.
    """

    name: str
    doc: str
    parameters: tuple[Parameter, ...]
