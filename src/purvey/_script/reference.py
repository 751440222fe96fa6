"""References: what an output is while the script runs, and how it travels through text.

A `Ref` stands for a value that may not be known yet. Passing it on, putting it into a container and formatting it into text
are free; everything that would need the value now is an error which names the line and says to write ``value(...)``.

In text a reference is a *token*: ``{{nonce:index:check:nonce}}`` in ASCII. The nonce, new for each run and on both ends,
finds a token that was cut, changed or encoded; the check catches a changed index.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from enum import Enum
from functools import lru_cache
from pathlib import PurePath
from typing import Any, Final, NoReturn

import msgspec

from purvey._base.value import Late, Link, Masked, NodeLink, SecretRef, Value
from purvey._script.recorder import Recorder, current, source_here
from purvey.errors import ScriptError

REVEALED_LENGTH_MIN: Final = 8
"""Characters from which a secret that `value` revealed is recognised inside longer text."""


def token(recorder: Recorder, value: Value) -> str:
    """The text form of `value` for this pass; the same output has one token however often it is formatted."""
    known = recorder.texts.get(value) if type(value) is Link else None
    if known is not None:
        return known
    index, nonce = len(recorder.tokens), recorder.nonce
    body = f"{index}:{zlib.crc32(f'{nonce}:{index}'.encode()):08x}"
    recorder.tokens[body] = value
    text = f"{{{{{nonce}:{body}:{nonce}}}}}"
    if type(value) is Link:
        recorder.texts[value] = text
    return text


class Tokenised:
    """Anything with a token for its text form; the base of references and secrets."""

    __slots__ = ("_value",)

    def __init__(self, value: Value) -> None:
        self._value = value

    def __format__(self, spec: str) -> str:
        """The token; a format specification would need the value."""
        if spec:
            raise self._misuse(f"was given the format specification {spec!r}, which needs the value now")
        return token(current(), self._value)

    def __str__(self) -> str:
        """The token."""
        return token(current(), self._value)

    def __add__(self, other: str) -> str:
        """Text that begins with the value."""
        if not isinstance(other, str | Tokenised):
            raise self._misuse("was added to something that is not text")
        return f"{self}{other}"

    def __radd__(self, other: str) -> str:
        """Text that ends with the value."""
        if not isinstance(other, str):
            raise self._misuse("was added to something that is not text")
        return f"{other}{self}"

    def _misuse(self, what: str) -> ScriptError:
        """The error for a use that needs the value now."""
        return ScriptError("script.bare_reference", "A value was used before it is known", detail=what)


class SecretHandle(Tokenised):
    """A secret while the script runs: a reference that can be passed on and formatted into text, and never read."""

    __slots__ = ()

    def __repr__(self) -> str:
        """The reference; the value is not here."""
        return f"secret({self._value.source!r})" if isinstance(self._value, SecretRef) else "(secret)"

    def _misuse(self, what: str) -> ScriptError:
        return ScriptError(
            "script.secret_misused",
            "A secret was used as a value",
            detail=f"{self!r} {what}; the plaintext is read only by the provider that needs it.",
            hint="Pass it to an input that accepts secrets, or format it into one with an f-string.",
            source=current().source(),
        )


def no_text(what: str, fields: Sequence[str]) -> ScriptError:
    """The error for a node or a place that was formatted into text, which only one of its fields could be.

    Args:
        what: What was formatted, as the message names it.
        fields: The fields that may be meant, the likeliest first.
    """
    return ScriptError(
        "script.no_text",
        "A whole object stands where text must",
        detail=f"{what} was formatted into text. It has many values, and which of them is meant is not said.",
        hint=f"Write the one that is meant, with its name in the script before it: `.{fields[0]}`."
        + (f" It has: {', '.join(sorted(fields))}." if len(fields) > 1 else ""),
        source=source_here(),
    )


class Ref(Tokenised):
    """An output of a node while the script runs.

    Scripts never make one: ``db.dsn`` is one. For a type checker it has the output's own type.
    """

    __slots__ = ()

    def __getitem__(self, key: str | int) -> Ref:
        """A reference to one item of a dictionary or list output."""
        if not isinstance(key, str | int):
            raise self._misuse("was sliced")
        link: Link = self._value
        return Ref(Link(link.address, link.output, (*link.path, key)))

    def __repr__(self) -> str:
        """For debuggers; scripts format with an f-string."""
        return f"<{self._value}: known after apply>"

    def _misuse(self, what: str) -> ScriptError:
        link: Link = self._value
        return ScriptError(
            "script.bare_reference",
            "A value that may not be known yet was used as if it were",
            detail=f"`{link}` {what}. While the script declares, an output is a reference.",
            hint="To compute with it, take the real value; the script pauses there until it is known:\n\n    value(...)",
            address=link.address,
            source=current().source(),
        )

    def _refuse(self, what: str) -> NoReturn:
        raise self._misuse(what)

    def __bool__(self) -> bool:
        self._refuse("was tested for truth")

    def __eq__(self, other: object) -> bool:
        self._refuse("was compared")

    def __ne__(self, other: object) -> bool:
        self._refuse("was compared")

    def __lt__(self, other: object) -> bool:
        self._refuse("was compared")

    __le__ = __gt__ = __ge__ = __lt__

    def __hash__(self) -> int:
        self._refuse("was hashed (put into a set, or used as a key)")

    def __iter__(self) -> NoReturn:
        self._refuse("was iterated over")

    def __len__(self) -> int:
        self._refuse("was measured with len()")

    def __contains__(self, item: object) -> bool:
        self._refuse("was searched with `in`")

    def __int__(self) -> int:
        self._refuse("was turned into a number")

    def __float__(self) -> float:
        self._refuse("was turned into a number")

    def __index__(self) -> int:
        self._refuse("was used as an index")

    def __bytes__(self) -> bytes:
        self._refuse("was turned into bytes")

    def __fspath__(self) -> str:
        self._refuse("was used as a path on this machine")

    def __call__(self, *args: object, **kwargs: object) -> NoReturn:
        self._refuse("was called")

    def __mul__(self, *others: object) -> NoReturn:
        self._refuse("was computed with")

    __rmul__ = __sub__ = __rsub__ = __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __mul__
    __pow__ = __rpow__ = __divmod__ = __rdivmod__ = __lshift__ = __rlshift__ = __rshift__ = __rrshift__ = __mul__
    __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = __matmul__ = __rmatmul__ = __mul__
    __neg__ = __pos__ = __invert__ = __abs__ = __round__ = __trunc__ = __floor__ = __ceil__ = __complex__ = __mul__

    def __reversed__(self) -> NoReturn:
        self._refuse("was iterated over")

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        self._refuse(f"was asked for `.{name}`")


@lru_cache(maxsize=4)
def _disguises(nonce: str) -> tuple[str, ...]:
    """What is left of the nonce in text that was cut or encoded: an end, hexadecimal, base64 at each of three alignments."""
    raw = nonce.encode()
    middles = [base64.b64encode(b"x" * shift + raw).decode()[4 if shift else 0 : -4] for shift in range(3)]
    return (nonce[:8], nonce[-8:], raw.hex(), *middles)


def _has_remains(nonce: str, text: str) -> bool:
    """Whether `text`, which holds no whole token, holds what is left of one."""
    lower = text.lower()
    return any(form in text or form in lower for form in _disguises(nonce))


def freeze(value: Any, source: str, what: str) -> Value:
    """The frozen form of what a script passed.

    Args:
        value: Anything; scalars, lists, dictionaries, paths, enums, structs, references, nodes and secrets are allowed.
        source: ``file:line`` for messages.
        what: The input's name for messages (``env.PORT``).

    Raises:
        ScriptError: ``script.token_damaged``, ``script.token_as_key``, ``script.bad_value``.
    """
    kind = type(value)
    if kind is str:
        return _freeze_text(current(), value, source, what)
    if value is None or kind in (int, bool, float):
        return value
    if isinstance(value, Tokenised):
        return value._value  # noqa: SLF001 - one module owns both.
    if kind is dict:
        return {_key(key, source, what): freeze(item, source, f"{what}.{key}") for key, item in value.items()}
    if kind is list or kind is tuple:
        return [freeze(item, source, f"{what}[{index}]") for index, item in enumerate(value)]
    address = getattr(value, "_address", None)
    if isinstance(address, str):
        return NodeLink(address)
    if isinstance(value, Enum):
        return freeze(value.value, source, what)
    if isinstance(value, PurePath):
        return freeze(str(value), source, what)
    if isinstance(value, msgspec.Struct):
        return freeze(msgspec.structs.asdict(value), source, what)
    raise ScriptError(
        "script.bad_value",
        "A value cannot be stored",
        detail=f"`{what}` is a {type(value).__qualname__}; inputs are text, numbers, booleans, None, lists, dictionaries, "
        "outputs, nodes and secrets.",
        hint="Pass one of these, or text made from the value.",
        source=source,
    )


def _key(key: Any, source: str, what: str) -> str:
    nonce = current().nonce
    if isinstance(key, str) and nonce not in key and key != "$" and not _revealed_in(current(), key):
        return key
    raise ScriptError(
        "script.token_as_key",
        "A dictionary key is not plain text",
        detail=f"`{what}` has the key {repr(key) if key == '$' or not isinstance(key, str) else '(a reference)'}; "
        "keys are compared while planning, so they must be known, and `$` is purvey's own.",
        hint="Use a fixed key, or take the real value first: value(...).",
        source=source,
    )


def _freeze_text(recorder: Recorder, text: str, source: str, what: str) -> Value:
    """`text`, or a Late that puts it together when its references are known."""
    if text in recorder.revealed:  # A secret that `value` revealed stays one wherever it reappears whole, ...
        return recorder.revealed[text]
    if len(text) <= 7:  # noqa: PLR2004 - half a nonce.
        return text
    plain = _revealed_in(recorder, text)
    if plain:  # ... also inside longer text.
        head, _, rest = text.partition(plain)
        parts = (_freeze_text(recorder, part, source, what) if part else part for part in (head, rest))
        return Late("concat", tuple(part for part in (next(parts), recorder.revealed[plain], next(parts)) if part != ""))
    return _freeze_references(recorder, text, source, what)


def _revealed_in(recorder: Recorder, text: str) -> str:
    """The longest secret that `value` revealed and that stands in `text`; empty if none does.

    Short ones stand in any text, so these are recognised only where they are the whole.
    """
    if not recorder.revealed:
        return ""
    found = [plain for plain in recorder.revealed if len(plain) >= REVEALED_LENGTH_MIN and plain in text]
    return max(found, key=len, default="")


def _freeze_references(recorder: Recorder, text: str, source: str, what: str) -> Value:
    """`text` without a revealed secret in it."""
    nonce = recorder.nonce
    if nonce not in text:
        if _has_remains(nonce, text):
            raise damaged(source, what)
        return text
    head, *pieces = text.split(f"{{{{{nonce}:")
    parts: list[Value] = [head] if head else []
    for piece in pieces:
        body, mark, rest = piece.partition(f":{nonce}}}}}")
        if not mark or body not in recorder.tokens or nonce in rest:
            raise damaged(source, what)
        parts.append(recorder.tokens[body])
        if rest:
            parts.append(rest)
    if nonce in head:
        raise damaged(source, what)
    return parts[0] if len(parts) == 1 and isinstance(parts[0], Link | SecretRef | Masked) else Late("concat", tuple(parts))


def damaged(source: str, what: str) -> ScriptError:
    """The error for a token that was cut, changed or encoded."""
    return ScriptError(
        "script.token_damaged",
        "Text with a reference in it was cut or encoded",
        detail=f"`{what}` holds a piece of a value that is known only after apply: it was sliced, changed or encoded as text, "
        "so the value could never be put in.",
        hint="Take the real value first, value(...), or use to_json, to_base64 or sha256 from purvey, which wait for it.",
        source=source,
    )


def refuse_tokens(text: str, where: str) -> str:
    """`text`, which must not carry a reference.

    Raises:
        ScriptError: ``script.token_refused``.
    """
    return current().require_fixed(text, where)
