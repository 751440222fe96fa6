"""A kind as the engine sees it, and the registry in which kinds are found by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import msgspec

from purvey._base.value import Value
from purvey.errors import ScriptError
from purvey.providers.contract import Provider


class Field(msgspec.Struct, frozen=True):
    """One input or output of a kind; made by `purvey.Input` and `purvey.Output`.

    Attributes:
        name: The field's name.
        type: Its Python type, checked at the door.
        output: Whether the world, not the script, gives it.
        required: Whether the script must give it.
        default: Its value where the script gives none.
        immutable: Whether a change replaces the object.
        secret: Whether it holds a `Secret`.
        stable: An output that no update changes (an id), so it stays known while its node changes.
        compared: An output whose difference from the record is drift.
        container: An input whose node this one lives in.
        doc: One sentence for the reference.
    """

    name: str
    type: Any
    output: bool = False
    required: bool = False
    default: Value = None
    immutable: bool = False
    secret: bool = False
    stable: bool = False
    compared: bool = False
    container: bool = False
    doc: str = ""


class Kind:
    """A kind as the engine sees it: its name, its fields and its provider.

    Args:
        name: ``family.Name``, for example ``postgres.Database``.
        fields: Inputs and outputs.
        provider: The provider; one instance serves all objects of the kind.
        bind: Makes an instance of the declaration from values, for the provider.
        check: A validation probe: performed when its needs are met, gates the run, leaves nothing behind.
        holds_data: Deleting or replacing it can lose data that no script can restore.
        delete_first: A replacement must delete the old object before it creates the new one.
        version: Version of the kind's schema; raised when recorded fields change meaning.
    """

    __slots__ = (
        "_defaults", "bind", "check", "compared", "containers", "delete_first", "fields", "holds_data", "immutable", "inputs",
        "name", "outputs", "provider", "required", "secrets", "stable", "version",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        fields: Sequence[Field],
        provider: Provider[Any],
        bind: Callable[[str, Mapping[str, Value]], Any],
        *,
        check: bool = False,
        holds_data: bool = False,
        delete_first: bool = False,
        version: int = 1,
    ) -> None:
        self.name = name
        self.fields = {field.name: field for field in fields}
        self.provider = provider
        self.bind = bind
        self.check = check
        self.holds_data = holds_data
        self.delete_first = delete_first
        self.version = version
        self.inputs = frozenset(field.name for field in fields if not field.output)
        self.outputs = frozenset(field.name for field in fields if field.output)
        self.immutable = frozenset(field.name for field in fields if field.immutable)
        self.stable = frozenset(field.name for field in fields if field.stable)
        self.compared = tuple(field.name for field in fields if field.compared)
        self.secrets = frozenset(field.name for field in fields if field.secret)
        self.required = frozenset(field.name for field in fields if field.required)
        self.containers = tuple(field.name for field in fields if field.container)
        self._defaults = {field.name: field.default for field in fields}
        if provider.prints_secrets is None:
            provider.prints_secrets = not self.outputs.isdisjoint(self.secrets)

    def default(self, name: str) -> Value:
        """The value of an input that the script does not give."""
        return self._defaults.get(name)

    @property
    def claims_anything(self) -> bool:
        """Whether its objects may occupy something alone."""
        return type(self.provider).claims is not Provider.claims


class Registry:
    """The kinds that are known, by name."""

    def __init__(self) -> None:
        self._kinds: dict[str, Kind] = {}

    def add(self, kind: Kind) -> None:
        """Make a kind known; a second one of the same name takes the first one's place (a script loaded twice)."""
        self._kinds[kind.name] = kind

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Meanwhile, nothing that is known already loses its place; after an error nothing is known that was not before."""
        before = dict(self._kinds)
        try:
            yield
        except BaseException:
            self._kinds = before
            raise
        self._kinds |= before

    def get(self, name: str) -> Kind:
        """The kind called `name`.

        Raises:
            ScriptError: ``script.unknown_kind`` if nothing that was imported defines it.
        """
        if name not in self._kinds and not self.knows(name):
            import difflib  # noqa: PLC0415 - only on this error's way.

            close = difflib.get_close_matches(name, {**self._kinds, **_family(name)}, n=1)
            raise ScriptError(
                "script.unknown_kind",
                "A kind is not known",
                detail=f"No module that is imported defines the kind {name!r}.",
                hint=f"Did you mean {close[0]}?"
                if close
                else "Install the package that defines it, or run with the script that does.",
            )
        return self._kinds[name]

    def knows(self, name: str) -> bool:
        """Whether there is a kind called `name`."""
        if name not in self._kinds:
            self._load(name)
        return name in self._kinds

    def own(self, family: str) -> list[Kind]:
        """Every kind of one of purvey's own families; nothing if there is no such family."""
        return [self._kinds[name] for name in sorted(_family(family)) if self.knows(name)]

    def _load(self, name: str) -> None:
        """Make a kind of purvey's own known, if it is one: a destroy without the script needs it."""
        find = _family(name).get(name)
        kind = getattr(find(), "_kind", None) if find is not None else None
        if isinstance(kind, Kind):  # What its declaration has added, if no failed script has taken it away since.
            self.add(kind)


def _family(name: str) -> dict[str, Callable[[], Any]]:
    """How to import the kinds of that one of purvey's own families to which a name would belong, by their names."""
    import importlib  # noqa: PLC0415 - only needed for kinds that no script has imported.

    family = name.partition(".")[0]
    if not family.isidentifier():
        return {}
    try:
        package = importlib.import_module(f"purvey.resources.{family}")
    except ModuleNotFoundError as error:
        if error.name != f"purvey.resources.{family}":
            raise
        return {}
    return {f"{family}.{kind}": partial(getattr, package, kind) for kind in package.__all__ if kind[:1].isupper()}


registry = Registry()
"""The kinds of this process; declarations register themselves when their module is imported."""
