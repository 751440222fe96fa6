"""One decision: what happens to a node that does not simply stay as it is. Pure data."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from purvey._base.compare import FieldChange
from purvey._base.value import Masked, Value, is_known, walk
from purvey._graph import Node
from purvey._plan.plan import UNSURE, Action
from purvey._state.resource import ResourceState
from purvey._state.state import State
from purvey.errors import ScriptError
from purvey.providers import Kind


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What happens to a node that does not simply stay as it is.

    Attributes:
        node: The declaration.
        action: What happens.
        inputs: The resolved inputs, secrets masked.
        outputs: The outputs as far as they are known beforehand.
        record: The object it acts upon; None for a new one.
        fields: The fields that differ.
        reasons: Why it must be replaced.
        cause: Why anything happens, in words.
        lost: The recorded object is not there any more.
    """

    node: Node
    action: Action
    inputs: dict[str, Value]
    outputs: dict[str, Value]
    record: ResourceState | None = None
    fields: tuple[FieldChange, ...] = ()
    reasons: tuple[str, ...] = ()
    cause: str = ""
    lost: bool = False


def said(option: bool | None, *, recorded: bool) -> bool:  # noqa: FBT001 - what the script says, if it says anything.
    """What holds of an option that lasts until the script says otherwise, such as `protect`."""
    return recorded if option is None else option


def lifted(node: Node, record: ResourceState | None) -> tuple[FieldChange, ...]:
    """What the declaration takes away of what guards the recorded object: the one change of a record that needs a yes."""
    if record is None:
        return ()
    pairs = (("protect", record.protect, node.options.protect), ("retain", record.retain, node.options.retain))
    return tuple(FieldChange(f"opts.{name}", before, after) for name, before, after in pairs if before and after is False)


def refuse_secrets(node: Node, kind: Kind, inputs: Mapping[str, Value]) -> None:
    """Stop a secret output from reaching an input that is stored and shown in clear.

    Raises:
        ScriptError: ``script.secret_refused``.
    """
    for name, value in inputs.items():
        if name not in kind.secrets and any(type(item) is Masked for item in walk(value)):
            raise ScriptError(
                "script.secret_refused",
                "A secret was given to an input that cannot keep it",
                detail=f"`{name}` of {node.kind} is stored and shown in clear, and its value comes from a secret output.",
                hint=f"Inputs of this kind that accept secrets: {', '.join(sorted(kind.secrets)) or 'none'}.",
                address=node.address,
                source=node.source,
            )


def moves(node: Node, record: ResourceState, _: object = None) -> str:
    """Why a node's object has to be made anew on another machine, where only names are known; empty if it stays."""
    if node.where == record.where:
        return ""
    return f"it moves from {record.where or 'this machine'} to {node.where or 'this machine'}"


def same_terms(node: Node, record: ResourceState) -> bool:
    """Whether the record says of the object's surroundings what its declaration says now."""
    options = node.options
    return (
        record.protect is said(options.protect, recorded=record.protect)
        and record.retain is said(options.retain, recorded=record.retain)
        and record.needs == node.needs
        and record.behind == node.behind
        and record.container == node.container
        and record.way == node.way
        and record.ignore == options.ignore
    )


def matches(seen: Mapping[str, Value], record: ResourceState) -> bool:
    """Whether everything that was read is as recorded."""
    inputs, outputs = record.inputs, record.outputs
    for name, value in seen.items():
        if name in outputs:
            if outputs[name] != value:
                return False
        elif name in inputs and inputs[name] != value:
            return False
    return True


def is_owed(node: Node, record: ResourceState | None, state: State) -> bool:
    """Whether an earlier run changed what the node goes with, and ended before it came to the node that follows."""
    if set(node.options.around).isdisjoint(node.needs):
        return False
    changed = [state.latest(address) for address in node.options.around]
    return max((item.run for item in changed if item is not None), default="") > (record.run if record is not None else "")


def cause_of(node: Node, fields: tuple[FieldChange, ...], action: Action) -> str:
    """Why a node changes, in words, where nothing more telling is known."""
    if action == "create":
        return f"declared at {node.source}"
    if any(change.path == UNSURE for change in fields):
        return "it may not stay as it is"
    reasons = {change.because for change in fields}
    if reasons == {"always"}:
        return f"declared at {node.source}"
    if reasons == {"drift"}:
        return "it was changed outside purvey"
    if reasons == {"upstream"} or any(not is_known(change.after) for change in fields):
        return "something it uses changes"
    return f"changed at {node.source}"
