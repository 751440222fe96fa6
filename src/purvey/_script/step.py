"""Steps: imperative work as ordinary nodes.

A step is a function; calling it with a name declares a node. Its arguments are inputs, what it returns is the output
``result``. To the engine it is a kind like any other, with an adapter for a provider: create and update run it, delete
forgets it, undo runs its undo, read asks its check or believes the record.
"""

from __future__ import annotations

import inspect
import traceback
import types
import typing
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Generic, ParamSpec, TypeVar, cast, overload

import msgspec

from purvey._base.value import Secret
from purvey._script.fields import Input, Output
from purvey._script.resource import Options, Resource
from purvey._secrets.redaction import Redactor
from purvey.errors import ProviderError, ScriptError
from purvey.providers import Absent, Call, Done, Observed, Present, Provider

P = ParamSpec("P")
T = TypeVar("T")


class StepNode(Resource, Generic[T]):
    """What calling a step returns: its node."""

    result: T = Output(doc="What the function returned.")


class StepProvider(Provider[Any]):
    """The adapter that makes a function a kind."""

    follows = True
    forgets = True
    long_calls = True
    lands_within_s = 0.0  # It runs in purvey's own process, and ends with it.

    def __init__(self, function: Callable[..., Any], names: tuple[str, ...], *, repeatable: bool) -> None:
        self.function = function
        self.names = names
        self.undo_function: Callable[..., Any] | None = None
        self.check_function: Callable[..., Any] | None = None
        self.repeatable = repeatable
        self.recovers_by = "name" if repeatable else "nothing"
        self.reads = False

    def asks(self, check: Callable[..., Any]) -> None:
        """Read through `check` from now on."""
        self.check_function = check
        self.reads = True
        if not self.repeatable:
            self.recovers_by = "tag_at_create"

    def _arguments(self, view: Any) -> dict[str, Any]:
        return {name: getattr(view, name) for name in self.names}

    async def create(self, call: Call, want: Any) -> Done:
        """Run the function."""
        arguments = self._arguments(want)
        result = await _run(self.function, **arguments)
        if _tells(result, arguments):
            result = Secret(result)
        return Done(call.address, {"result": result})

    async def update(self, call: Call, have: Any, want: Any) -> Done:
        """Run it again, with the arguments of now."""
        return await self.create(call, want)

    async def delete(self, call: Call, have: Any) -> None:
        """Nothing: what a step did is taken back by its undo, not by forgetting it."""

    async def read(self, call: Call, have: Any) -> Observed:
        """Whether its effect is still there, as its check says."""
        return await self.find(call, have)

    async def find(self, call: Call, want: Any) -> Observed:
        """As `read`; without a check nothing can be found."""
        if self.check_function is None:
            return Absent()
        there = await _run(self.check_function, **self._arguments(want))
        return Present(call.address, {}) if there else Absent()

    async def undo(self, call: Call, have: Any, before: Any | None) -> Done | None:
        """Run the undo with the result of the run that is taken back."""
        assert self.undo_function is not None  # `undoable` said so.
        await _run(self.undo_function, have.result, **self._arguments(have))
        return None if before is None else Done(call.address, {"result": before.result})

    def undoable(self, verb: str, have: Any, want: Any) -> bool:
        """Whether it has an undo."""
        return self.undo_function is not None


def _tells(result: Any, arguments: dict[str, Any]) -> bool:
    """Whether a secret among the arguments can be read in the result, which is then a secret too."""
    secrets = [value for value in arguments.values() if isinstance(value, Secret)]
    if not secrets or isinstance(result, Secret):
        return False
    redactor = Redactor()
    for secret in secrets:
        redactor.add(secret)
    text = str(result)
    return redactor.clean(text) != text


async def _run(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a user's function: a coroutine function is awaited, any other runs in a thread so that it may block."""
    import asyncio  # noqa: PLC0415 - loading a script must not load asyncio.

    try:
        if inspect.iscoroutinefunction(function):
            return await cast("Awaitable[Any]", function(*args, **kwargs))
        return await asyncio.to_thread(function, *args, **kwargs)
    except ProviderError:
        raise
    except Exception as error:
        # A step that raised has ended: whatever it did before is its own to take back, as the docs say.
        raise ProviderError("failed", "A step raised an exception", detail=_story(error, function)) from error


def _story(error: Exception, function: Callable[..., Any]) -> str:
    """What was raised, and on which line of the user's file."""
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == function.__code__.co_filename]
    where = f" ({Path(own[-1].filename).name}:{own[-1].lineno})" if own else ""
    return f"{type(error).__name__}: {error}{where}"


class Step(Generic[P, T]):
    """A step: call it with a name and its arguments to declare a node.

    Args:
        function: The function behind it.
        repeatable: Whether running it twice does no harm, so that an interrupted run may simply run it again.
    """

    def __init__(self, function: Callable[P, T], *, repeatable: bool) -> None:
        signature = inspect.signature(function)
        for parameter in signature.parameters.values():
            if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                raise _bad_signature(function, str(parameter))
        self._function = function
        self._names = tuple(signature.parameters)
        self._provider = StepProvider(function, self._names, repeatable=repeatable)
        self._options: Options | None = None
        self._node = _node_class(function, signature, self._provider)
        self.__doc__ = function.__doc__
        self.__name__ = function.__name__

    def __call__(self, name: str, /, *args: P.args, **kwargs: P.kwargs) -> StepNode[T]:
        """Declare one run of the step; ``.result`` is what it will return."""
        if len(args) > len(self._names):
            raise TypeError(f"{self.__name__}() takes {len(self._names)} arguments besides its name, {len(args)} were given")
        inputs = {**dict(zip(self._names, args, strict=False)), **kwargs}
        options = self._options
        if self._provider.reads:  # What its check sees already is done: it is recorded as such, and does not run.
            options = msgspec.structs.replace(options or Options(), adopt=True)
        return self._node(name, opts=options, **inputs)

    def options(self, **options: Any) -> Step[P, T]:
        """The same step with `Options`, for one call: ``migrate.options(after=[backup])("schema", ...)``."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin._options = Options(**options)
        return twin

    def undo(self, function: Callable[..., object], /) -> Callable[..., object]:
        """Decorator: how the step is taken back; gets its result first, then its arguments by name."""
        self._provider.undo_function = function
        return function

    def check(self, function: Callable[P, bool], /) -> Callable[P, bool]:
        """Decorator: whether the step's effect is there now.

        False makes it run again; True before its first run makes it count as done, with None as its result.
        """
        self._provider.asks(function)
        return function


def _node_class(function: Callable[..., Any], signature: inspect.Signature, provider: StepProvider) -> type[StepNode[Any]]:
    """The declaration of a step's node, from the function's signature."""
    hints = typing.get_type_hints(function)
    hints.pop("return", None)
    fields: dict[str, Any] = {}
    for name, parameter in signature.parameters.items():
        holds_secret = hints.get(name) is Secret or Secret in typing.get_args(hints.get(name))
        if parameter.default is inspect.Parameter.empty:
            fields[name] = Input(secret=holds_secret)
        else:
            fields[name] = Input(default=parameter.default, secret=holds_secret)
    fields["__annotations__"] = {name: hints.get(name, Any) for name in signature.parameters}
    fields["__module__"] = function.__module__
    fields["__doc__"] = function.__doc__
    keywords = {"kind": f"step.{function.__name__}", "provider": provider}
    return types.new_class(f"{function.__name__}_step", (StepNode,), keywords, lambda namespace: namespace.update(fields))


def _bad_signature(function: Callable[..., Any], parameter: str) -> ScriptError:
    return ScriptError(
        "script.step_signature",
        "A step has a parameter it cannot have",
        detail=f"`{parameter}` of {function.__name__}: a step's arguments are recorded by name.",
        hint="Use ordinary named parameters.",
    )


@overload
def step(function: Callable[P, T], /) -> Step[P, T]: ...


@overload
def step(*, repeatable: bool = False, reads_only: bool = False) -> Callable[[Callable[P, T]], Step[P, T]]: ...


def step(function: Callable[P, T] | None = None, /, *, repeatable: bool = False, reads_only: bool = False) -> Any:
    """Make a function a step: imperative work that is planned, journaled and undone like any resource.

    Args:
        function: The function; its parameters are inputs, its result must be plain data, or a `Secret`. A result in which a
            secret argument can be read is kept as a `Secret`, and its undo gets it as one.
        repeatable: Whether running it twice does no harm, so that an interrupted one may simply run again.
        reads_only: Whether it changes nothing: then it is repeatable, and there is nothing to undo.
    """

    def make(inner: Callable[P, T]) -> Step[P, T]:
        made = Step(inner, repeatable=repeatable or reads_only)
        if reads_only:
            made.undo(_nothing_to_undo)
        return made

    return make if function is None else make(function)


def _nothing_to_undo(result: object, /, **arguments: object) -> None:
    """The undo of a step that changes nothing."""
