"""The fields from which a declaration is made: what the script gives, and what the world gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, dataclass_transform

import msgspec

from purvey._base.value import Link, Masked, Unknown, Value
from purvey._script.recorder import current
from purvey._script.reference import Ref
from purvey.errors import ScriptError
from purvey.providers import Field, Kind, NotKnownError


class FieldSpec:
    """The descriptor behind `Input` and `Output`."""

    __slots__ = ("field",)

    def __init__(self, field: Field) -> None:
        self.field = field

    def __set_name__(self, owner: type, name: str) -> None:
        self.field = msgspec.structs.replace(self.field, name=name)

    def __get__(self, instance: Declaration | None, owner: type) -> Any:
        if instance is None:
            return self
        values = instance._values  # noqa: SLF001 - one module owns both.
        name = self.field.name
        if values is None:
            return Ref(Link(instance._address, name))  # noqa: SLF001
        value = values.get(name, self.field.default)
        if type(value) in (Unknown, Masked):
            raise NotKnownError(name)
        return value

    def __set__(self, instance: Declaration, value: object) -> None:
        raise ScriptError(
            "script.read_only",
            "A field of a declared node was assigned",
            detail=f"`{self.field.name}` is given when the node is declared; later assignments could not be seen by the plan.",
            hint="Pass it as an argument.",
            source=current().source(),
        )


def Input(  # noqa: N802 - it stands where a type checker expects a field specifier, and reads as a declaration.
    *,
    default: Any = ...,
    immutable: bool = False,
    secret: bool = False,
    container: bool = False,
    kw_only: bool = True,  # noqa: ARG001 - read by type checkers only.
    doc: str = "",
) -> Any:
    """A field that the script gives.

    Args:
        default: Its value where the script gives none; without it the input is required.
        immutable: Whether a change of it replaces the object.
        secret: Whether it accepts secrets, on its own or inside text and containers; the provider then calls `reveal`.
        container: Whether the node given here is one that this one lives in.
        kw_only: For type checkers.
        doc: One sentence for the reference: meaning, unit, range.
    """
    required = default is ...
    field = Field(
        "", Any, required=required, default=None if required else default, immutable=immutable, secret=secret, doc=doc,
        container=container,
    )  # fmt: skip
    return FieldSpec(field)


def Output(  # noqa: N802 - as Input.
    *,
    stable: bool = False,
    compared: bool = False,
    secret: bool = False,
    init: Literal[False] = False,  # noqa: ARG001 - read by type checkers only.
    doc: str = "",
) -> Any:
    """A field that the world gives.

    Args:
        stable: Whether no update changes it (an id), so that it stays known while its node changes.
        compared: Whether a difference between what is read and what was recorded is drift, to be repaired by an update.
        secret: Whether it is sealed at rest and masked everywhere.
        init: For type checkers.
        doc: One sentence for the reference.
    """
    return FieldSpec(Field("", Any, output=True, stable=stable, compared=compared, secret=secret, doc=doc))


@dataclass_transform(kw_only_default=True, field_specifiers=(Input, Output))
class Declaration:
    """Tells type checkers that the fields below it make the constructor; those of the marked class itself would not count."""

    _kind: ClassVar[Kind]
    _address: str
    _values: Mapping[str, Value] | None
