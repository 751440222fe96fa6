"""A saved plan: what was reviewed, with everything that must still hold when it is applied. Bytes only; pure.

The file is one line that says what it is, then one JSON document: the plan, and the request that makes it repeatable (script
digest, parameters, what look-ups found). Whoever writes it to disk seals and signs it. `docs/formats/plan.md` is the
specification.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from purvey._base.value import thaw
from purvey._plan.plan import FORMAT, Plan
from purvey.errors import ScriptError

MAGIC: Final = b"purvey plan 1\n"
"""The first line of every plan file; the number is the format's version."""


class SavedPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a plan file holds.

    Attributes:
        plan: The plan.
        made: When, in seconds since the epoch; it expires.
        estate: The store it was made against.
        script: The script's path.
        function: The stack's name.
        archive: Digest of the script and the modules beside it.
        parameters: What was given, by name, with its origin.
        lookups: What look-ups found, replayed when it is applied.
        secrets: The version digest of each secret source.
        selection: Targets and excludes.
        check_all: Whether every check runs.
        format: The format's version.
    """

    plan: Plan
    made: float
    estate: str
    script: str
    function: str
    archive: str
    parameters: dict[str, Any]
    lookups: dict[str, Any] = {}
    secrets: dict[str, str] = {}
    selection: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    check_all: bool = False
    format: int = FORMAT


def to_bytes(saved: SavedPlan) -> bytes:
    """The document of a plan file, before it is sealed."""
    return msgspec.json.encode(saved, order="sorted")


def from_bytes(document: bytes) -> SavedPlan:
    """The inverse of `to_bytes`.

    Raises:
        ScriptError: ``script.plan_file`` if it is not one, or of a later format.
    """
    try:
        raw = msgspec.json.decode(document)
        if raw["format"] > FORMAT:
            raise not_a_plan(f"It has format {raw['format']}; this purvey knows {FORMAT}.")
        saved = msgspec.json.decode(document, type=SavedPlan)
    except (msgspec.DecodeError, KeyError, TypeError) as error:
        raise not_a_plan(str(error)) from None
    return msgspec.structs.replace(saved, plan=_thawed(saved.plan))


def _thawed(plan: Plan) -> Plan:
    """The plan with the special values in its nodes and fields restored."""
    nodes = {
        address: msgspec.structs.replace(node, inputs={name: thaw(value) for name, value in node.inputs.items()})
        for address, node in plan.nodes.items()
    }
    changes = tuple(
        msgspec.structs.replace(
            change,
            fields=tuple(
                msgspec.structs.replace(field, before=thaw(field.before), after=thaw(field.after)) for field in change.fields
            ),
        )
        for change in plan.changes
    )
    outputs = {name: thaw(value) for name, value in plan.outputs.items()}
    return msgspec.structs.replace(plan, nodes=nodes, changes=changes, outputs=outputs)


def not_a_plan(why: str) -> ScriptError:
    """The error for a file that is not a usable plan."""
    return ScriptError(
        "script.plan_file", "The plan file cannot be used", detail=why, hint="Make a new one: purvey plan SCRIPT --out FILE"
    )
