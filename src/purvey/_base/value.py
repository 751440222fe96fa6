"""The value space: what an input can hold, from the script to the journal.

A *frozen* value is plain JSON data (None, bool, int, float, str, list, dict with string keys) in which these may stand:

    Link       an output of another node, known or not
    NodeLink   another node as a whole, which this one lives in or uses
    Late       an expression over frozen values, computed when they are known
    SecretRef  a secret in a backend, by reference

`resolve` replaces Links, Lates and SecretRefs by what is known: plain data, `Unknown` (shown as "known after apply"), and
for anything secret either `Masked` (a keyed digest: enough to compare, all that a plan or a record may hold) or `Secret` (the
plaintext, only while a provider acts). One function does both; the caller's two look-ups decide which.
"""

from __future__ import annotations

import base64
import hashlib
import re
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import msgspec

from purvey.errors import InternalError

Value: TypeAlias = Any
"""A frozen or resolved value; the types are those of the module's docstring, which no static type can say recursively."""


class Link(msgspec.Struct, frozen=True, tag="$ref", tag_field="$", array_like=False):
    """An output of the node at `address`, and the path of keys and indexes inside it."""

    address: str
    output: str
    path: tuple[str | int, ...] = ()

    def __str__(self) -> str:
        """``process.Service::web.ports[0]``, as people read it."""
        return f"{self.address}.{self.output}" + "".join(f"[{key!r}]" for key in self.path)


class NodeLink(msgspec.Struct, frozen=True, tag="$node", tag_field="$"):
    """The node at `address` as a whole."""

    address: str


class SecretRef(msgspec.Struct, frozen=True, tag="$secret", tag_field="$"):
    """A secret in a backend: `source` is ``backend:path``, for example ``env:DB_PASSWORD``."""

    source: str


class Late(msgspec.Struct, frozen=True, tag="$late", tag_field="$"):
    """A function of frozen values, computed when they are known; `function` is a key of `LATE_FUNCTIONS`."""

    function: str
    arguments: tuple[Any, ...]


class Masked(msgspec.Struct, frozen=True, tag="$masked", tag_field="$"):
    """A secret that is not here: its keyed digest, and how to get it back.

    Invariant: two Masked are equal exactly when their plaintexts are (under one key); so only `digest` takes part.
    `origin` is the frozen expression over SecretRefs that yields it again; `sealed` the ciphertext where there is none.
    """

    digest: str
    origin: Any = None
    sealed: str = ""

    def __eq__(self, other: object) -> bool:
        """Equal plaintexts, seen by their digests."""
        return isinstance(other, Masked) and other.digest == self.digest

    def __hash__(self) -> int:
        """By digest, as equality."""
        return hash(self.digest)


class Unknown(msgspec.Struct, frozen=True, tag="$unknown", tag_field="$"):
    """A value that only the world can tell, after `link` was applied; people read "known after apply"."""

    link: str


class Secret:
    """A plaintext in memory, without a text form: printing, formatting or encoding it shows ``(secret)``.

    Args:
        value: The plaintext; a string, or data that contains one.
        origin: The frozen expression that yields it again; None when only its sealed form can.
    """

    __slots__ = ("_value", "origin")

    def __init__(self, value: Value, origin: Value = None) -> None:
        self._value = value
        self.origin = origin

    def reveal(self) -> Any:
        """The plaintext. Call it as late as possible, and never keep the result."""
        return self._value

    def __repr__(self) -> str:
        """Never the plaintext."""
        return "(secret)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        """Never the plaintext."""
        return "(secret)"

    def __eq__(self, other: object) -> bool:
        """Whether both plaintexts are equal."""
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        """By plaintext; hashes of strings are salted per process."""
        return hash(repr(self._value))

    def __reduce__(self) -> str:
        """Refuse to be pickled."""
        raise TypeError("a Secret cannot be pickled")


def _text(value: Value) -> str:
    """`value` as f-strings would show it."""
    return value if isinstance(value, str) else str(value)


def _concat(*parts: Value) -> str:
    return "".join(map(_text, parts))


def _json(value: Value) -> str:
    return msgspec.json.encode(value, order="sorted").decode()


def _yaml(value: Value) -> str:
    """JSON is YAML, but for how it spells characters beyond 16 bits, and those that YAML wants spelt."""
    text = msgspec.json.format(msgspec.json.encode(value, order="sorted"), indent=1).decode()
    return _NOT_PLAIN.sub(lambda found: f"\\U{ord(found[0]):08x}", text)


def _base64(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


def _gzip(value: str) -> str:
    """Without a time and a system in its header, in which one Python differs from another (RFC 1952)."""
    data = value.encode()
    deflate = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    body = deflate.compress(data) + deflate.flush()
    return base64.b64encode(b"\x1f\x8b\x08\0\0\0\0\0\x02\xff" + body + struct.pack("<II", zlib.crc32(data), len(data))).decode()


def _replace(value: Value, old: str, new: str) -> str:
    return _text(value).replace(old, new)


def _sha256(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


_NOT_PLAIN: Final = re.compile(r"[^\n -~]")

LATE_FUNCTIONS: Final[Mapping[str, Callable[..., Value]]] = {
    "concat": _concat,
    "json": _json,
    "yaml": _yaml,
    "base64": _base64,
    "gzip": _gzip,
    "replace": _replace,
    "sha256": _sha256,
}
"""What a `Late` can compute. Pure, so that a plan and an apply agree."""

_SPECIAL: Final = (Link, NodeLink, SecretRef, Late, Masked, Unknown, Secret)
PLAIN: Final = frozenset({str, int, float, bool, type(None)})
"""Types that hold nothing else."""


def walk(value: Value) -> list[Link | NodeLink | SecretRef | Unknown | Masked]:
    """Every reference inside `value`, in order; Lates are entered, Secrets are not."""
    found: list[Link | NodeLink | SecretRef | Unknown | Masked] = []
    todo = [value]
    while todo:
        item = todo.pop()
        kind = type(item)
        if kind in PLAIN or kind is Secret:
            continue
        if kind is dict:
            todo.extend(reversed(item.values()))
        elif kind is list or kind is tuple:
            todo.extend(reversed(item))
        elif kind is Late:
            todo.extend(reversed(item.arguments))
        else:
            found.append(item)
    return found


def resolve(value: Value, link: Callable[[Link], Value], secret: Callable[[SecretRef | Masked], Value]) -> Value:
    """`value` with everything replaced that is known.

    Args:
        value: A frozen value.
        link: What an output is now: data, `Unknown`, `Masked` or `Secret`.
        secret: What a reference to a backend, or a sealed secret, is now: `Masked` or `Secret`.

    Returns:
        Plain data with `NodeLink`s, `Unknown`s and secrets inside; a Late with an unknown argument is `Unknown` as a whole.
    """
    kind = type(value)
    if kind in PLAIN:
        return value
    if kind is dict:
        return {key: resolve(item, link, secret) for key, item in value.items()}
    if kind is list:
        return [resolve(item, link, secret) for item in value]
    if kind is Link:
        return link(value)
    if kind is SecretRef:
        return secret(value)
    if kind is Late:
        return _compute(value, [resolve(item, link, secret) for item in value.arguments])
    if kind is Masked:
        return resolve(value.origin, link, secret) if value.origin is not None else secret(value)
    return value


def _compute(late: Late, arguments: list[Value]) -> Value:
    """Apply a Late's function; unknown beats secret beats plain."""
    if all(type(item) in PLAIN for item in arguments):
        return LATE_FUNCTIONS[late.function](*arguments)
    references = walk(arguments)
    for reference in references:
        if type(reference) is Unknown:
            return reference
    masked = [item for item in references if type(item) is Masked]
    if masked:
        return Masked(digest([late.function, *arguments]), _origin(late, arguments, masked))
    secrets: list[Secret] = []
    plain = [_reveal(item, secrets) for item in arguments]
    result = LATE_FUNCTIONS[late.function](*plain)
    if not secrets:
        return result
    return Secret(result, _origin(late, arguments, secrets))


def _origin(late: Late, arguments: list[Value], secrets: Sequence[Masked | Secret]) -> Late | None:
    """The expression that yields a computed secret again; None when a part of it can only be unsealed.

    Outputs stand in it as the values they have now: an object's record means these also when the outputs are others.
    """
    if any(item.origin is None for item in secrets):
        return None
    return Late(late.function, tuple(_origins(item) for item in arguments))


def _origins(value: Value) -> Value:
    """`value` with each secret in it replaced by where it comes from."""
    kind = type(value)
    if kind is Secret or kind is Masked:
        return value.origin
    if kind is dict:
        return {key: _origins(item) for key, item in value.items()}
    if kind is list:
        return [_origins(item) for item in value]
    return value


def _reveal(value: Value, secrets: list[Secret]) -> Value:
    """`value` with every Secret opened; those opened are added to `secrets`."""
    kind = type(value)
    if kind is Secret:
        secrets.append(value)
        return value.reveal()
    if kind is dict:
        return {key: _reveal(item, secrets) for key, item in value.items()}
    if kind is list:
        return [_reveal(item, secrets) for item in value]
    return value


def reveal(value: Value) -> Value:
    """`value` with every Secret opened, for a provider about to act."""
    return _reveal(value, [])


def dig(value: Value, path: tuple[str | int, ...]) -> Value:
    """The item of `value` at `path`; an Unknown or a secret covers everything inside it."""
    for position, key in enumerate(path):
        if isinstance(value, Unknown):
            return value
        if isinstance(value, Masked):
            return Masked(digest([value, list(path[position:])]))
        if isinstance(value, Secret):
            return Secret(dig(value.reveal(), path[position:]))
        value = value[key]
    return value


def is_known(value: Value) -> bool:
    """Whether nothing in `value` is left to the world."""
    return not any(type(item) is Unknown for item in walk(value))


def _encode_hook(value: object) -> object:
    raise InternalError(f"A {type(value).__name__} reached the encoder.")


_ENCODER = msgspec.json.Encoder(order="sorted", enc_hook=_encode_hook)


def canonical(value: Value) -> bytes:
    """The one byte form of `value`: JSON with sorted keys; special values as objects tagged with ``$``.

    Raises:
        InternalError: if a plaintext Secret is inside.
    """
    return _ENCODER.encode(value)


def digest(value: Value) -> str:
    """32 hexadecimal digits that identify `value` (BLAKE2b, 128 bits); for change detection, not for secrets."""
    return hashlib.blake2b(_ENCODER.encode(value), digest_size=16).hexdigest()


_TAGGED: Final[Mapping[str, type[msgspec.Struct]]] = {
    "$ref": Link, "$node": NodeLink, "$secret": SecretRef, "$late": Late, "$masked": Masked, "$unknown": Unknown
}  # fmt: skip


def thaw(data: Value) -> Value:
    """The value that `canonical` (or a record) encoded, from its decoded JSON; the inverse for all but user keys ``$``.

    A script's own dictionary cannot have the key ``$``: the door refuses it (see `purvey._script`).
    """
    kind = type(data)
    if kind is dict:
        tag = data.get("$")
        if tag is None:
            return {key: thaw(item) for key, item in data.items()}
        shape = _TAGGED.get(tag)
        if shape is None:
            raise InternalError(f"The tag {tag!r} is not one of the value space.")
        fields = {key: thaw(item) for key, item in data.items() if key != "$"}
        return shape(**{key: tuple(item) if isinstance(item, list) else item for key, item in fields.items()})
    if kind is list:
        return [thaw(item) for item in data]
    return data
