"""What people and programs are told of a kind: its declaration, read from the class that makes it. Pure."""

from __future__ import annotations

import inspect
from typing import Any

import msgspec

from purvey.providers.kind import Field, Kind


class FieldAbout(msgspec.Struct, frozen=True):
    """One input or output.

    Attributes:
        name: Its name.
        type: Its type, as the declaration has it.
        required: Whether the script must give it.
        default: Its value where the script gives none, as Python has it; empty for outputs, and what is required or made then.
        replaces: Whether its change replaces the object.
        doc: One sentence: meaning, unit, range.
    """

    name: str
    type: str
    required: bool
    default: str
    replaces: bool
    doc: str


class KindAbout(msgspec.Struct, frozen=True):
    """A kind.

    Attributes:
        name: ``family.Name``, as a script writes it.
        summary: One sentence.
        text: All that is said of it, with an example where there is one.
        inputs: What the script gives, in the order of the declaration, what is required first.
        outputs: What the world gives.
        on_hosts: Whether it takes ``on=``, which names a machine.
    """

    name: str
    summary: str
    text: str
    inputs: tuple[FieldAbout, ...]
    outputs: tuple[FieldAbout, ...]
    on_hosts: bool


def about(kind: Kind) -> KindAbout:
    """What is told of a kind."""
    declaration = getattr(kind.bind, "__self__", None)
    text = inspect.cleandoc(getattr(declaration, "__doc__", None) or "")
    fields = [_field(field, declaration) for field in kind.fields.values()]
    inputs = sorted((field for field in fields if field.name in kind.inputs), key=lambda field: not field.required)
    outputs = tuple(field for field in fields if field.name in kind.outputs)
    return KindAbout(
        kind.name, " ".join(text.partition("\n\n")[0].split()), text, tuple(inputs), outputs, kind.provider.on_hosts
    )


def _field(field: Field, declaration: Any) -> FieldAbout:
    annotations = (vars(base).get("__annotations__", {}) for base in getattr(declaration, "__mro__", ()))
    annotation = str(next((found[field.name] for found in annotations if field.name in found), "Any"))
    is_made = field.default is None and annotation != "Any" and "None" not in annotation
    default = "" if field.required or field.output or is_made else repr(field.default)
    return FieldAbout(field.name, annotation, field.required, default, field.immutable, field.doc)
