"""Says recorded objects in Python: the declarations that a script needs so that a plan has nothing to do. Pure.

What has its default is left out. A value that is the id of another object becomes a reference to it, and a secret becomes
``secret("env:...")``, under a comment where purvey does not know where it comes from: its plaintext is never written.
"""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from purvey._base.address import split
from purvey._base.value import Masked, NodeLink, SecretRef, Value
from purvey._state.record import thawed
from purvey._state.resource import ResourceState
from purvey.errors import ScriptError
from purvey.providers import Kind, Registry

LINE_MAX: Final = 100
"""Characters in a line of what is written; longer declarations have one argument a line."""


def placeholder(name: str, field: str) -> SecretRef:
    """Where a secret of an imported object is looked for until somebody names a better place."""
    return SecretRef("env:" + re.sub(r"\W", "_", f"{name}_{field}").upper())


class Writer:
    """Writes the declarations of one stack's objects.

    Args:
        objects: Everything that is recorded there.
        kinds: The kinds.
    """

    def __init__(self, objects: Iterable[ResourceState], kinds: Registry) -> None:
        self._objects = {item.address: item for item in objects}
        self._kinds = kinds
        self._variables = _variables(self._objects.values())
        self._by_id: dict[str, list[ResourceState]] = {}
        self._written: set[str] = set()
        self._used: set[str] = set()
        self._words: set[str] = {"stack"}
        self._modules: dict[str, set[str]] = {}

    def fragment(self, new: Sequence[ResourceState]) -> str:
        """The declarations of `new`, to be put into the function that declares the others; its file's imports are comments."""
        fresh = {item.address for item in new}
        for address, item in self._objects.items():
            if address not in fresh:
                self._know(item)
        body = [line for item in new for line in self._declaration(item, always=True)]
        others = sorted(self._used - fresh)
        comments = [f"# `{self._variables[address]}` is {address}." for address in others]
        return "\n".join([*(f"# {line}" for line in self._imports(self._words - {"stack"})), *comments, *body]) + "\n"

    def script(self, stack: str) -> str:
        """A whole script, which declares everything that the stack has.

        Raises:
            ScriptError: ``script.not_importable`` for what only its own script can declare.
        """
        lines = {item.address: self._declaration(item, always=False) for item in self._ordered()}
        body = [line for address, own in lines.items() for line in self._named(address, own)]
        function = stack.replace("-", "_")
        plain = function.isidentifier() and not keyword.iskeyword(function) and "_" not in stack
        head = ["@stack", f"def {function}():"] if plain else [f"@stack(name={_literal(stack)})", "def imported():"]
        text = [f'"""What {stack} has, as it was imported."""', "", *self._imports(self._words), "", "", *head]
        return "\n".join([*text, *(f"    {line}" for line in body or ["pass"])]) + "\n"

    def _named(self, address: str, lines: list[str]) -> list[str]:
        """A declaration that gives the object to a variable, if another one needs that."""
        if address not in self._used:
            return lines
        variable = f"{self._variables[address]} = "
        place = next(place for place, line in enumerate(lines) if not line.lstrip().startswith(("#", "with ")))
        indent = len(lines[place]) - len(lines[place].lstrip())
        lines[place] = lines[place][:indent] + variable + lines[place][indent:]
        return lines

    def _ordered(self) -> list[ResourceState]:
        """The objects, each after everything it needs."""
        found: dict[str, ResourceState] = {}
        for address in self._objects:
            stack = [address]
            while stack:
                item = self._objects[stack[-1]]
                waits = [need for need in item.needs if need in self._objects and need not in found and need not in stack]
                if waits:
                    stack.append(waits[0])
                else:
                    found.setdefault(stack.pop(), item)
        return list(found.values())

    def _know(self, item: ResourceState) -> None:
        """Let what is declared from now on refer to `item`."""
        self._by_id.setdefault(item.id, []).append(item)
        self._written.add(item.address)

    def _declaration(self, item: ResourceState, *, always: bool) -> list[str]:
        scope, _, name = split(item.address)
        kind = self._kinds.get(item.kind)
        comments, arguments = self._arguments(item, kind, name)
        call = self._class(kind, item)
        start = f"{self._variables[item.address]} = {call}" if always else call
        line = f"{start}({', '.join((_literal(name), *arguments))})"
        lines = [line]
        if len(line) > LINE_MAX:
            lines = [f"{start}(", f"    {_literal(name)},", *(f"    {argument}," for argument in arguments), ")"]
        lines = [*comments, *lines]
        if scope:
            self._words.add("scope")
            opened = ", ".join(f"scope({_literal(part)})" for part in scope.split("/"))
            lines = [f"with {opened}:", *(f"    {line}" for line in lines)]
        self._know(item)
        return lines

    def _arguments(self, item: ResourceState, kind: Kind, name: str) -> tuple[list[str], list[str]]:
        comments: list[str] = []
        arguments: list[str] = []
        for field, value in thawed(item.inputs).items():
            if field not in kind.inputs or (field == "name" and value == name):
                continue
            if field in kind.required or value != kind.default(field):
                arguments.append(f"{field}={self._value(item, field, value, comments)}")
        words = [f"{word}=True" for word in ("protect", "retain") if getattr(item, word)]
        if words:
            self._words.add("Options")
            arguments.append(f"opts=Options({', '.join(words)})")
        return comments, arguments

    def _value(self, item: ResourceState, field: str, value: Value, comments: list[str]) -> str:
        if isinstance(value, NodeLink):
            return self._refer(value.address)
        if isinstance(value, Masked):
            return self._secret(item, field, value, comments)
        if isinstance(value, str):
            other = self._reference(item, value)
            return other or _literal(value)
        if isinstance(value, dict):
            inner = ", ".join(f"{_literal(key)}: {self._value(item, field, part, comments)}" for key, part in value.items())
            return f"{{{inner}}}"
        if isinstance(value, list):
            return f"[{', '.join(self._value(item, field, part, comments) for part in value)}]"
        return _literal(value)

    def _refer(self, address: str) -> str:
        self._used.add(address)
        return self._variables[address]

    def _secret(self, item: ResourceState, field: str, value: Masked, comments: list[str]) -> str:
        self._words.add("secret")
        known = isinstance(value.origin, SecretRef)
        source = value.origin if known else placeholder(split(item.address)[2], field)
        if not known or source == placeholder(split(item.address)[2], field):
            comments.append(f"# `{field}` is a secret: put its value there, or name the place where it is.")
        return f"secret({_literal(source.source)})"

    def _reference(self, item: ResourceState, value: str) -> str:
        """A reference to the one other object that has `value` as its id; empty if there is none."""
        others = [other for other in self._by_id.get(value, ()) if other.address != item.address]
        if len(others) != 1 or value == item.id:
            return ""
        fields: Mapping[str, Value] = {**thawed(others[0].inputs), **thawed(others[0].outputs)}
        field = next((name for name in fields if fields[name] == value), "")
        return f"{self._refer(others[0].address)}.{field}" if field else ""

    def _class(self, kind: Kind, item: ResourceState) -> str:
        """How the kind's class is called in a script that imports it."""
        declaration = getattr(kind.bind, "__self__", None)
        if not isinstance(declaration, type):
            raise not_importable(kind.name, f"{item.address} can only be declared by its own script.")
        family = kind.name.partition(".")[0]
        if declaration.__module__.startswith(f"purvey.resources.{family}"):
            self._modules.setdefault("purvey.resources", set()).add(family)
            return f"{family}.{declaration.__qualname__}"
        self._modules.setdefault(declaration.__module__, set()).add(declaration.__qualname__)
        return declaration.__qualname__

    def _imports(self, words: set[str]) -> list[str]:
        modules = {**({"purvey": words} if words else {}), **self._modules}
        return [f"from {module} import {', '.join(sorted(names))}" for module, names in sorted(modules.items())]


def not_importable(kind: str, why: str) -> ScriptError:
    """The error for a kind of which purvey cannot write a declaration."""
    return ScriptError(
        "script.not_importable",
        "The object cannot be imported by its id",
        detail=why,
        hint=f"Declare it in a script ({kind}), then record it:\n\n    purvey state import SCRIPT ADDRESS",
    )


def _variables(objects: Iterable[ResourceState]) -> dict[str, str]:
    """A variable for each address: its name, as far as Python allows, and unique."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for item in objects:
        scope, kind, name = split(item.address)
        word = re.sub(r"\W", "_", name)
        word = f"_{word}" if not word.isidentifier() or keyword.iskeyword(word) else word
        wider = re.sub(r"\W", "_", f"{word}_{kind.rpartition('.')[2]}_{scope}").strip("_").lower()
        chosen = next(
            word for word in (word, wider, *(f"{wider}_{number}" for number in range(2, len(found) + 3))) if word not in taken
        )
        taken.add(chosen)
        found[item.address] = chosen
    return found


def _literal(value: Value) -> str:
    """Plain data as Python writes it, text in double quotes."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
