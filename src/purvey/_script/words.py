"""The words of a script that are not resources: values, scopes, components, secrets, look-ups."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from typing import Any, Generic, ParamSpec, TypeVar, cast, overload

import msgspec

from purvey._base.value import LATE_FUNCTIONS, Late, Link, Masked, Secret, SecretRef, Unknown, Value, resolve, walk
from purvey._graph import Later
from purvey._script.parameters import Parameter, convert, given_text
from purvey._script.recorder import Paused, Recorder, current, is_recording, source_here
from purvey._script.reference import SecretHandle, Tokenised, freeze, refuse_tokens, token
from purvey.errors import ScriptError

T = TypeVar("T")
P = ParamSpec("P")


class Stack(Generic[P, T]):
    """A stack: a function whose parameters are its interface and whose result are its outputs."""

    def __init__(self, function: Callable[P, T], name: str) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.name = name

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Declare the stack's content inside another one."""
        return self.function(*args, **kwargs)


@overload
def stack(function: Callable[P, T], /) -> Stack[P, T]: ...


@overload
def stack(*, name: str) -> Callable[[Callable[P, T]], Stack[P, T]]: ...


def stack(function: Callable[P, T] | None = None, /, *, name: str = "") -> Any:
    """Make a function a stack.

    Its parameters become options of the command line; what it returns (a dictionary) are its outputs.

    Args:
        function: The function; a parameter called ``env`` receives the environment.
        name: The stack's name; by default the function's, with ``-`` for ``_``.
    """
    if function is None:
        return lambda inner: Stack(inner, name)
    return Stack(function, name or function.__name__.replace("_", "-"))


def value(reference: T) -> T:
    """The real value of an output, for computing with it.

    When it is not known yet the script pauses here: what was declared so far is one stage, which is applied before the script
    runs again from the top. A pause inside a `component` ends only that component's call.

    Args:
        reference: An output, or text or a container with outputs inside; anything else is returned as it is.

    Raises:
        ScriptError: ``script.value_changed`` if an earlier pass of this run was given another value.
    """
    recorder = current()
    frozen = freeze(reference, recorder.source(), "value(...)")
    links = [item for item in walk(frozen) if isinstance(item, Link)]
    if not links:
        return reference
    known: dict[Link, Value] = {}
    hidden: set[Link] = set()
    for link in links:
        found = recorder.knowledge.settled(recorder.nodes, link)
        if isinstance(found, Unknown):
            raise recorder.pause(link)
        if isinstance(found, Secret):
            found = found.reveal()
            hidden.add(link)
            _hide(recorder, link, found)
        else:
            recorder.knowledge.given(link, found)
        known[link] = found
    result = resolve(frozen, known.__getitem__, SecretHandle)
    if hidden:
        _hide_composed(recorder, frozen, result, hidden)
    return cast("T", result)


def _hide(recorder: Recorder, link: Link, plain: Value) -> None:
    """Let each text in a revealed secret be the secret again where it reappears."""
    if isinstance(plain, str) and plain:
        recorder.revealed[plain] = link
    elif isinstance(plain, dict | list):
        for key, item in plain.items() if isinstance(plain, dict) else enumerate(plain):
            _hide(recorder, Link(link.address, link.output, (*link.path, key)), item)


def _hide_composed(recorder: Recorder, frozen: Value, result: Value, hidden: AbstractSet[Link]) -> None:
    """Let each text that was put together from a revealed secret be the expression that it is made by."""
    if isinstance(frozen, Late):
        if not hidden.isdisjoint(item for item in walk(frozen) if isinstance(item, Link)):
            recorder.revealed[result] = frozen
    elif isinstance(frozen, dict):
        for key, item in frozen.items():
            _hide_composed(recorder, item, result[key], hidden)
    elif isinstance(frozen, list):
        for item, made in zip(frozen, result, strict=True):
            _hide_composed(recorder, item, made, hidden)


class PausedResult:
    """What a component that paused returns: using it pauses the caller too."""

    def __init__(self, paused: Paused) -> None:
        self.__dict__["_paused"] = paused

    def _again(self, *_: object, **__: object) -> Any:
        paused: Paused = self.__dict__["_paused"]
        raise current().pause(paused.pause.link)

    __getattr__ = __getitem__ = __iter__ = __len__ = __bool__ = __eq__ = __str__ = __format__ = _again
    __call__ = __hash__ = __contains__ = __add__ = __radd__ = __lt__ = __gt__ = _again


def component(function: Callable[P, T], /) -> Callable[P, T]:
    """Make a function a component: a part of a stack with a scope of its own.

    The first argument of a call is the scope's name. A pause inside ends only this call; siblings are still declared.
    """

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        recorder = current()
        name = args[0] if args else kwargs.get("name", function.__name__)
        with recorder.inside(str(name)):
            try:
                return function(*args, **kwargs)
            except Paused as paused:
                recorder.ended(paused)
                return cast("T", PausedResult(paused))

    return call


@contextmanager
def scope(name: str) -> Iterator[None]:
    """Everything declared inside gets `name` before its kind in its address.

    Args:
        name: Letters, digits, dots, dashes and underscores.
    """
    with current().inside(refuse_tokens(name, "A scope")):
        yield


def secret(source: str, /) -> Secret:
    """A secret, by reference; the plaintext is read only by the provider that needs it, when it needs it.

    It may stand at the top of a script; text is made with it only inside a stack.

    Args:
        source: ``env:NAME`` or ``file:path`` (relative to the script's folder), or ``scheme:path`` of a registered backend.
    """
    scheme, colon, path = source.partition(":")
    if not colon or not scheme or not path:
        raise ScriptError(
            "script.bad_secret",
            "A secret's source is not of the form backend:path",
            detail="What was given names no backend; if it is the secret itself, it does not belong into a script.",
            hint='Write secret("env:NAME") or secret("file:path").',
            source=source_here(),
        )
    fixed = refuse_tokens(source, "A secret's source") if is_recording() else source
    return cast("Secret", SecretHandle(SecretRef(fixed)))


def lookup(name: str, read: Callable[..., T], /, *args: Any) -> T:
    """What `read` finds in the outside world, read once per run and replayed when the script runs again.

    Args:
        name: A key, unique in the stack.
        read: Any function; its result must be plain data.
        args: Its arguments; outputs are refused, for they may not be known.
    """
    recorder = current()
    refuse_tokens(name, "A look-up's name")
    _require_fixed(args, f"lookup({name!r})")
    return cast("T", recorder.knowledge.lookup(name, lambda: msgspec.to_builtins(read(*args))))


def _require_fixed(item: object, where: str) -> None:
    """Refuse `item` if a reference is in it.

    Raises:
        ScriptError: ``script.token_refused``.
    """
    if isinstance(item, str | Tokenised):
        refuse_tokens(str(item), where)
    elif isinstance(item, Mapping):
        _require_fixed([*item, *item.values()], where)
    elif isinstance(item, list | tuple | set | frozenset):
        for part in item:
            _require_fixed(part, where)


def later(*, at_most: int, kinds: Sequence[type] = ()) -> None:
    """Let the first approval cover creates of later stages, up to a bound.

    Args:
        at_most: How many objects later stages may create without asking again.
        kinds: Of which kinds; empty for any.
    """
    names = tuple(kind._kind.name for kind in kinds if hasattr(kind, "_kind"))  # noqa: SLF001
    current().later = Later(at_most, names)


def param(name: str, type: Any = str, /, *, default: Any = ..., help: str = "") -> Any:
    """A parameter declared where it is used, for components; the command line takes it like one in the signature.

    Args:
        name: Its name.
        type: Its type.
        default: Its default; without one it is required.
        help: One line for people.

    Raises:
        ScriptError: ``script.parameter`` if it is missing or does not convert.
    """
    recorder = current()
    parameter = Parameter(name, type, default is ..., None if default is ... else default, help=help)
    recorder.asked.add(name)
    given = given_text(parameter, recorder.parameters)
    if given is None:
        if parameter.required:
            raise ScriptError(
                "script.parameter",
                "A parameter is missing",
                detail=f"`{name}` has no default.",
                hint=f"Give it as --{name.replace('_', '-')} VALUE.",
                source=recorder.source(),
            )
        return default
    return convert(parameter, given)


def stack_output(name: str, env: str, /) -> Mapping[str, Any]:
    """The outputs of another stack; it cannot be destroyed while this one reads them.

    Args:
        name: The other stack.
        env: Its environment.
    """
    outputs = current().knowledge.stack_outputs(refuse_tokens(name, "A stack's name"), refuse_tokens(env, "An environment"))
    return {key: _with_handles(item) for key, item in outputs.items()}


def _with_handles(value: Value) -> Any:
    """`value` as a script may hold it: secrets can be passed on, and not read."""
    if isinstance(value, Masked):
        return SecretHandle(value)
    if isinstance(value, dict):
        return {key: _with_handles(item) for key, item in value.items()}
    return [_with_handles(item) for item in value] if isinstance(value, list) else value


def to_json(data: Any, /) -> str:
    """`data` as JSON text with sorted keys; outputs inside are put in when they are known."""
    return _late("json", data)


def to_yaml(data: Any, /) -> str:
    """`data` as YAML text in ASCII with sorted keys; outputs inside are put in when they are known."""
    return _late("yaml", data)


def to_base64(text: str, /) -> str:
    """`text` in base64; an output is put in when it is known."""
    return _late("base64", text)


def to_gzip(text: str, /) -> str:
    """`text` compressed by gzip, in base64; an output is put in when it is known."""
    return _late("gzip", text)


def sha256(text: str, /) -> str:
    """The SHA-256 of `text` as 64 hexadecimal digits; an output is put in when it is known."""
    return _late("sha256", text)


def replaced(text: str, /, *pairs: tuple[str, str]) -> str:
    """`text` with the first of each pair replaced by the second, one pair after the other; outputs in it are treated alike.

    For kinds that write text into a format of others, where an output must not mean more than itself.
    """
    recorder = current()
    found = freeze(text, recorder.source(), "replaced(...)")
    waits = bool(walk(found))
    for old, new in pairs:
        found = Late("replace", (found, old, new)) if waits else str(found).replace(old, new)
    return token(recorder, found) if waits else str(found)


def _late(function: str, data: Any) -> str:
    recorder = current()
    frozen = freeze(data, recorder.source(), f"{function}(...)")
    if not walk(frozen):  # Nothing to wait for.
        return cast("str", LATE_FUNCTIONS[function](frozen))
    return token(recorder, Late(function, (frozen,)))
