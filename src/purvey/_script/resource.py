"""Declarations: the base class of all kinds, and the fields from which one is made.

    class Database(Resource, kind="postgres.Database", provider=DatabaseProvider):
        server: Server = Input(container=True, doc="The server it lives in.")
        owner: str = Input(default="postgres", doc="The role that owns it.")
        dsn: str = Output(doc="A libpq URL without a password.")

One class serves both sides. In a script an instance is a declared node whose fields read as references; in a provider it is
bound to values, so that ``want.owner`` is the text itself. A type checker sees the plain types in both.
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self, get_args

import msgspec

from purvey._base.value import Late, Link, Masked, NodeLink, Secret, SecretRef, Value, digest, walk
from purvey._graph import DEFAULT_OPTIONS, Node, NodeOptions, OnFailure, edges_of
from purvey._script.fields import Declaration, FieldSpec, Input
from purvey._script.host import Place, frozen_place
from purvey._script.misfit import parts_of, problem_of, remedy
from purvey._script.recorder import current, options_matter
from purvey._script.reference import freeze, no_text, refuse_tokens
from purvey.errors import ScriptError
from purvey.providers import Field, Kind, Provider, registry


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What belongs to the engine and never mixes with a resource's inputs.

    Attributes:
        after: Nodes (or their addresses) that must be complete first, where no value says so.
        protect: Refuse every plan that would delete or replace the object. Recorded: without a word it stays as it was, and
            only False lifts it, which is a change that the plan shows.
        retain: On delete, forget the object and leave it in the world; recorded and lifted in the same way.
        adopt: Take over an object that already exists under this name, instead of refusing.
        ignore: Inputs whose drift is somebody else's business.
        timeout_s: Seconds an operation may take before the run parks; default 600.
        replace_when: Any value; the object is replaced when it changes.
        moved_from: The address this node had before, so that a rename is no replacement.
        on_failure: What the run does when this node fails: ``undo``, ``keep`` or ``continue``; default: the run's own.
        tags: Labels for objects that can carry them.
        preflight: For a check of something that the script does not make (a registry, a name server): it must pass before the
            first write, and refuses the run otherwise.
    """

    after: Sequence[Resource | str] = ()
    protect: bool | None = None
    retain: bool | None = None
    adopt: bool = False
    ignore: Sequence[str] = ()
    timeout_s: float | None = None
    replace_when: Any = None
    moved_from: str = ""
    on_failure: OnFailure | None = None
    tags: Mapping[str, str] | None = None
    preflight: bool = False


def _node_options(options: Options | None, source: str) -> NodeOptions:
    if options is None:
        return DEFAULT_OPTIONS
    after = tuple(item if isinstance(item, str) else item._address for item in options.after)  # noqa: SLF001
    tags = dict(options.tags or {})
    for text in (*after, options.moved_from, *options.ignore, *tags, *tags.values()):
        refuse_tokens(text, "An option")
    return NodeOptions(
        after, options.protect, options.retain, options.adopt, tuple(options.ignore), options.timeout_s,
        freeze(options.replace_when, source, "opts.replace_when"), options.moved_from, options.on_failure,
        tags, options.preflight,
    )  # fmt: skip


def _needs(inputs: Mapping[str, Value], options: NodeOptions, how: Value) -> tuple[str, ...]:
    """The addresses a node depends on, through what it is given, what its options watch and how to get to where it is."""
    if options.replace_when is None and how is None:
        return edges_of(inputs, options.after)
    return edges_of({**inputs, "$replace_when": options.replace_when, "$how": how}, options.after)


class Resource(Declaration):
    """The base of all kinds; its subclasses are what scripts declare.

    A subclass names its kind and its provider in the class line, and its fields with `Input` and `Output`:

    Args (of the class line):
        kind: ``family.Name``; without it the class is an abstract base.
        provider: The `Provider` subclass that reads and changes its objects.
        check: It is a validation probe.
        holds_data: Deleting it can lose data.
        delete_first: A replacement deletes the old object first.
        version: The version of its fields' meaning.
    """

    _name: str = Input(kw_only=False, doc="The node's name, unique for its kind in its scope.")
    opts: Options | None = Input(default=None, doc="What belongs to the engine.")
    on: object = Input(default=None, doc="The machine it is on; None is this one.")

    def __init_subclass__(
        cls,
        *,
        kind: str = "",
        provider: type[Provider[Any]] | Provider[Any] | None = None,
        check: bool = False,
        holds_data: bool = False,
        delete_first: bool = False,
        version: int = 1,
    ) -> None:
        super().__init_subclass__()
        if not kind or provider is None:
            return
        made = provider() if isinstance(provider, type) else provider
        _require_reading(kind, made)
        cls._kind = Kind(
            kind, _fields(cls), made, cls._bind,
            check=check, holds_data=holds_data, delete_first=delete_first, version=version,
        )  # fmt: skip
        registry.add(cls._kind)

    def __init__(self, name: str, /, *, opts: Options | None = None, on: object = None, **inputs: Any) -> None:
        recorder = current()
        kind = self._kind
        self._values = None

        def build(address: str, source: str) -> Node:
            for given in inputs:
                if given not in kind.inputs:
                    raise _unknown_input(kind, address, given, source)
            named = {"name": name, **inputs} if "name" in kind.inputs else inputs
            recorder.elsewhere = isinstance(on, Place) and not on.has_our_files
            prepared = self.prepare(named, recorder.root)
            frozen = _frozen_inputs(type(self), address, prepared, source)
            options = _node_options(opts, source)
            where, how, route, maker = frozen_place(on, source)
            if how is not None and not kind.provider.on_hosts:
                raise _not_on_hosts(kind, source)
            matters = [kind.name, frozen, options_matter(options), *([where] if where else [])]
            return Node(
                address, kind.name, frozen, _needs(frozen, options, how), options, source, digest(matters),
                _container(kind, frozen) or maker, where, how, route,
            )  # fmt: skip

        self._address = recorder.declare(kind.name, name, build)

    @classmethod
    def prepare(cls, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:  # noqa: ARG003 - for those that override it.
        """A kind's own look at what the script passed, before it is frozen.

        Override it to make paths absolute, or to read a local source file so that its content is part of the plan.

        Args:
            inputs: The inputs as passed, references included; an input called ``name`` is the node's name by default.
            folder: The script's folder; relative paths begin here.

        Returns:
            The inputs to record.

        Raises:
            ScriptError: if a combination makes no sense; address and line are added by the caller.
        """
        return inputs

    @classmethod
    def _bind(cls, address: str, values: Mapping[str, Value]) -> Resource:
        """An instance that holds values, for a provider."""
        view = object.__new__(cls)
        view._address = address
        view._values = values
        return view

    def with_values(self, **values: Value) -> Self:
        """For a provider: a copy of an instance that holds values, with other ones in their place."""
        copy = object.__new__(type(self))
        copy._address = self._address
        copy._values = {**(self._values or {}), **values}
        return copy

    def __repr__(self) -> str:
        """The address, for debuggers; never a value."""
        return f"<{self._address}>"

    def __str__(self) -> str:
        """Refused in a script: a node has many values, and text needs one of them."""
        if self._values is not None:
            return repr(self)
        raise no_text(f"The node {self._address}", _likeliest(self._kind))

    def __format__(self, spec: str) -> str:
        """As `__str__`."""
        return format(str(self), spec)


def _fields(cls: type) -> list[Field]:
    """The fields of a declaration, base classes first; a subclass's own definition wins."""
    found: dict[str, Field] = {}
    for base in reversed(cls.__mro__):
        for name, item in vars(base).items():
            if isinstance(item, FieldSpec) and name not in ("_name", "opts", "on"):
                found[name] = item.field
    return list(found.values())


def _likeliest(kind: Kind) -> list[str]:
    """The fields of a kind, first the one that is most likely meant where the node itself was written."""
    usual = [name for name in ("path", "name") if name in kind.fields]
    return list(dict.fromkeys((*usual, *sorted(kind.outputs), *sorted(kind.inputs))))


def _container(kind: Kind, inputs: Mapping[str, Value]) -> str:
    for name in kind.containers:
        value = inputs.get(name)
        if isinstance(value, NodeLink):
            return value.address
    return ""


def _frozen_inputs(cls: type[Resource], address: str, inputs: Mapping[str, Any], source: str) -> dict[str, Value]:
    """What a script passed, frozen and checked at the door.

    Raises:
        ScriptError: ``script.unknown_input``, ``script.missing_input``, ``script.bad_input``, ``script.secret_refused``.
    """
    kind = cls._kind
    for name in inputs:
        if name not in kind.inputs:
            raise _unknown_input(kind, address, name, source)
    missing = [name for name in kind.required if name not in inputs]
    if missing:
        raise ScriptError(
            "script.missing_input",
            "An input is missing",
            detail=f"{kind.name} needs {', '.join(f'`{name}`' for name in sorted(missing))}.",
            hint=f"See `help({cls.__module__}.{cls.__qualname__})`.",
            address=address,
            source=source,
        )
    checks = _checks(cls)
    frozen: dict[str, Value] = {}
    for name, value in inputs.items():
        item = freeze(value, source, name)
        if type(item) not in checks[name][0]:
            _check_input(kind, name, value, item, checks[name][1], address, source)
        frozen[name] = item
    return frozen


_PLAIN = frozenset({str, int, bool, float})


def _check_input(kind: Kind, name: str, value: Any, item: Value, hint: Any, address: str, source: str) -> None:
    """Refuse a value that its input cannot hold; what is not known yet is checked when it is."""
    if type(item) is Late and all(type(part) in (str, Link) for part in item.arguments):
        return  # Text with outputs in it, the usual case; whether text fits is seen when it is known.
    references, advice = walk(item), ""
    if any(type(reference) in (SecretRef, Masked) for reference in references) and name not in kind.secrets:
        raise ScriptError(
            "script.secret_refused",
            "A secret was given to an input that cannot keep it",
            detail=f"`{name}` of {kind.name} is stored and shown in clear.",
            hint=f"Inputs of this kind that accept secrets: {', '.join(sorted(kind.secrets)) or 'none'}.",
            address=address,
            source=source,
        )
    if isinstance(item, NodeLink) and isinstance(value, Resource):
        fits = not _classes(hint) or isinstance(value, _classes(hint))
        problem = f"a {value._kind.name} was given"  # noqa: SLF001
    elif references:
        return
    elif _mentions_secret(hint) and item is not None:
        fits = False
        problem = "plain text was given where a secret must be; the script's own text is not a safe place for one"
    else:
        fits, problem = _converts(item, hint)
        advice = "" if fits or name in kind.secrets else remedy(name, item, hint)
    if not fits:
        raise ScriptError(
            "script.bad_input",
            "An input has a value it cannot have",
            detail=f"`{name}` of {kind.name} must be {_spell(hint)}: {problem}.",
            hint='Write secret("env:NAME") or secret("file:path").' if _mentions_secret(hint) else advice,
            address=address,
            source=source,
        )


def _converts(item: Value, hint: Any) -> tuple[bool, str]:
    try:
        msgspec.convert(item, hint, strict=True)
    except msgspec.ValidationError as error:
        return False, problem_of(str(error))
    except TypeError:  # A type that msgspec does not know, such as a node's class: nothing to check a plain value against.
        return (item is None) == (type(None) in get_args(hint)) or item is not None, "it must be a node"
    return True, ""


_MODULES: Final = re.compile(r"(?<!['\"\w.])(?:[a-z_]\w*\.)+(?=[A-Za-z_])")
"""What stands before a class in the text of a type; in quotes it is a value."""


def _spell(hint: Any) -> str:
    """A type as a script writes it: a class by its name alone."""
    return hint.__name__ if isinstance(hint, type) else _MODULES.sub("", str(hint))


def _classes(hint: Any) -> tuple[type, ...]:
    return tuple(part for part in parts_of(hint) if isinstance(part, type) and issubclass(part, Resource))


def _mentions_secret(hint: Any) -> bool:
    """Whether nothing but a secret will do; ``str | Secret`` takes plain text as well."""
    return {part for part in parts_of(hint) if part is not types.NoneType} == {Secret}


_checks_of: dict[type, dict[str, tuple[tuple[type, ...], Any]]] = {}


def _checks(cls: type[Resource]) -> dict[str, tuple[tuple[type, ...], Any]]:
    """For each input: the exact scalar types that need no further look, and the full type. Evaluated once per class."""
    found = _checks_of.get(cls)
    if found is None:
        hints = typing.get_type_hints(cls, include_extras=True)
        found = {name: (_scalars(hints[name]), hints[name]) for name in cls._kind.inputs}
        _checks_of[cls] = found
    return found


def _scalars(hint: Any) -> tuple[type, ...]:
    plain = tuple(part for part in parts_of(hint) if part in _PLAIN)
    return (*plain, int) if float in plain else plain


def _require_reading(kind: str, provider: Provider[Any]) -> None:
    """Refuse a provider that cannot see its objects and does not say so: every plan would fail on the second run."""
    if provider.reads and type(provider).read is Provider.read and provider.read_many is None:
        raise ScriptError(
            "script.bad_provider",
            "A provider does not say how its objects are read",
            detail=f"{type(provider).__name__}, the provider of {kind}, has no `read`.",
            hint="Write `async def read(self, call, have)`, or `reads = False` where nothing can be read.",
        )


def _not_on_hosts(kind: Kind, source: str) -> ScriptError:
    return ScriptError(
        "script.not_on_host",
        "A kind cannot be on another machine",
        detail=f"A {kind.name} was given `on=`, and is made from the machine that purvey runs on only.",
        hint="Leave `on` out.",
        source=source,
    )


def _unknown_input(kind: Kind, address: str, name: str, source: str) -> ScriptError:
    import difflib  # noqa: PLC0415 - only on this error's way.

    close = difflib.get_close_matches(name, kind.inputs, n=1)
    output = " It is an output: read it, do not give it." if name in kind.outputs else ""
    return ScriptError(
        "script.unknown_input",
        "An input is not known",
        detail=f"{kind.name} has no input `{name}`.{output}",
        hint=f"Did you mean `{close[0]}`?" if close else f"It has: {', '.join(sorted(kind.inputs))}.",
        address=address,
        source=source,
    )
