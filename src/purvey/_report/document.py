"""What programs read: plans, runs, outputs, records, graphs and errors as JSON documents.

`docs/formats/json.md` is the specification. Fields are only ever added; a change of meaning raises `FORMAT`. Values that
are not plain data are objects with the key ``$``, which no script can use for its own dictionaries:

    {"$": "$unknown", "link": "web.url"}    known after apply
    {"$": "$masked"}                        a secret
    {"$": "$node", "address": "..."}        another node
    {"$": "$ref", "address": "...", ...}    an output of another node
    {"$": "$late", ...}                     text or data computed from these

Invariant: no document holds a secret, its digest or its ciphertext.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from purvey._base.clock import timestamp
from purvey._base.value import Late, Link, Masked, NodeLink, Secret, SecretRef, Unknown, Value, thaw
from purvey._graph import Graph
from purvey._plan.plan import Change, Plan
from purvey._rehearse.finding import Rehearsal
from purvey._state.history import RunHistory
from purvey._state.record import thawed
from purvey._state.resource import ResourceState
from purvey._state.store import StoreFacts
from purvey._state.tag_out import TagOut
from purvey.errors import Problems, PurveyError, Refusals, RefusedError
from purvey.providers._about import KindAbout

FORMAT: Final = 1
"""Version of all documents; each one that is an object of its own carries it as ``format``, except outputs."""

MASKED: Final[Mapping[str, str]] = {"$": "$masked"}

CHANGE: Final = (
    "address", "kind", "action", "cause", "reasons", "undo", "final", "gap", "holds_data", "protected", "goes_with",
    "moved_from", "source", "generation", "where", "verdict", "why",
)  # fmt: skip
OPERATION: Final = ("id", "verb", "address", "generation", "needs", "planned", "prior", "undoes", "gates", "despite")
EFFECT: Final = ("address", "action", "result", "attempts", "seconds", "code", "detail", "undoes")
LEFT: Final = ("address", "generation", "id", "verb", "why", "detail")
REHEARSED: Final = ("operation", "address", "verb", "stage", "restored")
FINDING: Final = ("what", "address", "why", "source", "fix", "after")
STORE: Final = ("location", "estate", "key_id", "key_place", "stacks", "objects", "in_doubt", "tags")
FIELD: Final = ("name", "type", "required", "default", "replaces", "doc")
TAG: Final = ("address", "reason", "user", "host", "released_by")
OBJECT: Final = (
    "address", "kind", "generation", "id", "name", "needs", "container", "protect", "retain", "adopted", "skipped",
    "source", "run", "where",
)  # fmt: skip
"""What each document has of the value behind it. Named one by one: a field that the engine needs is no promise to programs."""

Document = dict[str, Any]


def to_json(document: object) -> str:
    """A document as indented JSON, its end of line included."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def value_document(value: Value) -> Any:
    """A value as plain data; what is secret is only named as such."""
    kind = type(value)
    if kind is dict:
        return {str(key): value_document(item) for key, item in value.items()}
    if kind is list or kind is tuple:
        return [value_document(item) for item in value]
    if kind in (Masked, Secret):
        return dict(MASKED)
    if kind in (Unknown, NodeLink, SecretRef):
        return msgspec.to_builtins(value)
    if kind is Link:
        return {"$": "$ref", "address": value.address, "output": value.output, "path": list(value.path)}
    if kind is Late:
        return {"$": "$late", "function": value.function, "arguments": value_document(value.arguments)}
    return value


def rehearsal_document(rehearsal: Rehearsal) -> Document:
    """What a rehearsal found."""
    stack, _, env = rehearsal.stack.rpartition("/")
    return {
        "format": FORMAT,
        "stack": stack,
        "env": env,
        "restores": rehearsal.restores,
        "operations": [{name: getattr(item, name) for name in REHEARSED} for item in rehearsal.operations],
        "findings": [{name: getattr(item, name) for name in FINDING} for item in rehearsal.findings],
        "limits": list(rehearsal.limits),
    }


def plan_document(plan: Plan) -> Document:
    """One stage's plan."""
    stack, _, env = plan.stack.rpartition("/")
    return {
        "format": FORMAT,
        "stack": stack,
        "env": env,
        "verb": plan.verb,
        "stage": plan.stage,
        "empty": plan.is_empty,
        "counts": plan.counts() | {"unchanged": plan.unchanged},
        "changes": [_change(change) for change in plan.changes],
        "operations": [_fields(operation, OPERATION) for operation in plan.operations],
        "deletions": [_fields(operation, OPERATION) for operation in plan.deletions],
        "pauses": [
            {"source": pause.source, "link": str(pause.link), "scope": pause.scope} for pause in plan.pauses
        ],
        "later": msgspec.to_builtins(plan.later),
        "outputs": value_document(plan.outputs),
        "skipped": list(plan.skipped),
        "warnings": list(plan.warnings),
        "refusals": list(plan.refusals),
    }  # fmt: skip


def _change(change: Change) -> Document:
    fields = [
        {
            "path": field.path,
            "before": value_document(field.before),
            "after": value_document(field.after),
            "because": field.because,
            "replaces": field.replaces,
        }
        for field in change.fields
    ]
    return _fields(change, CHANGE) | {"fields": fields}


def _fields(struct: msgspec.Struct, names: Sequence[str]) -> Document:
    """These fields by name, defaults included, so that a program need not know them; tuples become lists."""
    found = {name: getattr(struct, name) for name in names}
    return {name: list(item) if isinstance(item, tuple) else item for name, item in found.items()}


def run_document(run: RunHistory) -> Document:
    """One run; `result` and `ended` are null while it is open."""
    return {
        "format": FORMAT,
        "id": run.id,
        "stack": run.stack,
        "env": run.env,
        "verb": run.verb,
        "result": run.result or None,
        "started": timestamp(run.started),
        "ended": timestamp(run.ended) if run.ended is not None else None,
        "changes": [_fields(change, EFFECT) for change in run.changes],
        "cause": _cause(run),
        "left": [_fields(item, LEFT) for item in run.left],
        "user": run.user,
        "machine": run.machine,
        "stages": run.stages,
        "parameters": value_document(thaw(run.parameters)),
    }


def _cause(run: RunHistory) -> Document | None:
    if not run.cause:
        return None
    return {"summary": run.cause, "address": run.cause_address, "detail": run.cause_detail}


def ended_document(run: RunHistory, outputs: Mapping[str, Value]) -> Document:
    """A run that has just ended, with the stack's outputs."""
    return run_document(run) | {"outputs": outputs_document(outputs)}


def runs_document(runs: Sequence[RunHistory]) -> list[Document]:
    """Runs, in the order given."""
    return [run_document(run) for run in runs]


def outputs_document(outputs: Mapping[str, Value]) -> Document:
    """A stack's outputs as one object."""
    return {name: value_document(value) for name, value in outputs.items()}


def state_document(objects: Sequence[ResourceState]) -> list[Document]:
    """What is remembered, object by object."""
    return [object_document(item) for item in objects]


def object_document(item: ResourceState) -> Document:
    """One object's record."""
    values = {name: value_document(thawed(getattr(item, name))) for name in ("inputs", "outputs")}
    return {"format": FORMAT} | _fields(item, OBJECT) | values


def tags_document(tags: Sequence[TagOut]) -> list[Document]:
    """Tags on objects that no run may touch, oldest first."""
    return [{"format": FORMAT} | _fields(tag, TAG) | {"at": timestamp(tag.at)} for tag in tags]


def store_document(facts: StoreFacts) -> Document:
    """A store at a glance."""
    return {"format": FORMAT} | _fields(facts, STORE)


def kinds_document(kinds: Sequence[KindAbout]) -> Document:
    """Kinds, with all that a script can give and read."""
    return {"format": FORMAT, "kinds": [_kind(kind) for kind in kinds]}


def _kind(kind: KindAbout) -> Document:
    inputs = [_fields(field, FIELD) for field in kind.inputs]
    outputs = [_fields(field, ("name", "type", "doc")) for field in kind.outputs]
    return _fields(kind, ("name", "summary", "text", "on_hosts")) | {"inputs": inputs, "outputs": outputs}


def verdict_document(found: Sequence[str]) -> Document:
    """Whether a store is sound, and what is wrong with it."""
    return {"format": FORMAT, "sound": not found, "found": list(found)}


def graph_document(graph: Graph, actions: Mapping[str, str]) -> Document:
    """Nodes with what happens to each, and edges from what is needed to what needs it."""
    return {
        "format": FORMAT,
        "nodes": [
            {
                "address": node.address,
                "kind": node.kind,
                "action": actions.get(node.address, "none"),
                "container": node.container,
                "source": node.source,
            }
            for node in graph.nodes.values()
        ],
        "edges": [{"from": need, "to": node.address} for node in graph.nodes.values() for need in node.needs],
    }


def error_document(error: PurveyError) -> Document:
    """An error; `problems` has the single ones where several were found together, or more is known of each than a line."""
    if isinstance(error, Problems) and len(error.problems) == 1:
        error = error.problems[0]
    return {"format": FORMAT, "error": _error(error)}


def _error(error: PurveyError) -> Document:
    found: Document = {
        name: getattr(error, name) for name in ("code", "summary", "detail", "hint", "address", "source", "exit_code")
    }
    problems: Sequence[PurveyError] = ()
    if isinstance(error, Problems | Refusals):
        problems = error.problems
    elif isinstance(error, RefusedError):
        problems = error.single
    return found | {"problems": [_error(problem) for problem in problems]}
