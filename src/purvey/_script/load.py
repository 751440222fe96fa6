"""Runs the user's file in a recorder, and turns whatever goes wrong there into an error with the user's own file and line."""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from purvey._graph import Graph, Node
from purvey._script.archive import ArchiveFinder, module_name, with_packages
from purvey._script.parameters import Given, Parameter, bind, parameters_of, unknown
from purvey._script.recorder import Knowledge, Paused, Recorder, recording
from purvey._script.reference import freeze
from purvey._script.slips import hint_for
from purvey._script.words import PausedResult, Stack
from purvey._secrets.redaction import Redactor
from purvey.errors import Problems, PurveyError, ScriptError
from purvey.providers import registry

_PACKAGE = str(Path(__file__).parents[1])


class Script:
    """A loaded script: its module and the stack function that is meant.

    Attributes:
        root: The folder where relative paths and imports begin.
        stack: The stack.
        parameters: Its parameters.
        files: The script and the modules beside it that it imported, by path relative to `root`.
    """

    def __init__(self, root: Path, module: ModuleType, stack: Stack[..., Any], path: Path) -> None:
        self.root = root
        self.module = module
        self.stack = stack
        self.path = path
        self.parameters: list[Parameter] = parameters_of(stack.function)

    def concerning(self, given: Mapping[str, Given]) -> dict[str, Given]:
        """Those of `given` that the script may ask for: variables of the environment that are for other stacks are left out."""
        text = b"\n".join(self.files().values()).decode(errors="replace").replace("-", "_")
        words = set(re.findall(r"\w+", text))  # Each name in the signature, or in a call of `param`, is one of them.
        return {
            name: item
            for name, item in given.items()
            if not item.origin.startswith("PURVEY_PARAM_") or name.replace("-", "_") in words
        }

    def files(self) -> dict[str, bytes]:
        """The script and the modules beside it that it imported, by path relative to its folder."""
        found = {self.path.name: self.path.read_bytes()}
        folder = str(self.path.parent) + "/"
        for module in list(sys.modules.values()):
            name = getattr(module, "__file__", None)
            if (
                name
                and name.startswith(folder)
                and name.endswith(".py")
                and "site-packages" not in name
                and Path(name).is_file()
            ):
                found[name.removeprefix(folder)] = Path(name).read_bytes()
        return found


def load_script(path: Path, function: str = "") -> Script:
    """Import a script and find its stack.

    Args:
        path: The file; relative paths in the script begin in its folder.
        function: The stack's name, where the file has several.

    Raises:
        ScriptError: ``script.not_found``, ``script.failed``, ``script.no_stack``, ``script.which_stack``.
    """
    if not path.is_file():
        raise ScriptError(
            "script.not_found",
            "The script does not exist",
            detail=f"There is no file {path}.",
            hint="`purvey new FOLDER` writes a first one.",
        )
    path = path.resolve()
    return _found(_import(path), path, function)


def load_archived(path: Path, function: str, files: Mapping[str, bytes]) -> Script:
    """Import the copy of a script that a run archived, as if it were still at `path`.

    Raises:
        ScriptError: as `load_script`.
    """
    finder = ArchiveFinder(path.parent, files)
    module = ModuleType(f"purvey_script_{path.stem}")
    sys.modules[module.__name__] = module
    with finder.installed(), _explained(path.parent):
        finder.run(module, path)
    return _found(module, path, function)


def load_beside(path: Path, function: str, files: Mapping[str, bytes]) -> None:
    """Import an archived copy for the kinds that it defines; kinds and modules that are loaded already stay what they are.

    Raises:
        ScriptError: as `load_script`.
    """
    names = {f"purvey_script_{path.stem}", *(name for file in files for name in with_packages(module_name(file)))}
    is_beside = any(name.startswith("purvey_script_") for name in sys.modules)
    loaded = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    try:
        with registry.keeping():
            load_archived(path, function, files)
    finally:
        if is_beside:  # The script at hand may still want to import modules of its own under these names.
            for name in names:
                sys.modules.pop(name, None)
            sys.modules.update(loaded)


def _found(module: ModuleType, path: Path, function: str) -> Script:
    stacks = {item.name: item for item in vars(module).values() if isinstance(item, Stack)}
    own = {name: item for name, item in stacks.items() if item.function.__module__ == module.__name__} or stacks
    return Script(path.parent, module, _choose(own, function, path), path)


def _import(path: Path) -> ModuleType:
    name = f"purvey_script_{path.stem}"
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ScriptError("script.not_python", "The script is not a Python file", detail=f"{path} does not end in .py.")
    module = module_from_spec(spec)
    sys.modules[name] = module
    folder = str(path.parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    with _explained(path.parent):
        spec.loader.exec_module(module)
    return module


@contextmanager
def _explained(root: Path) -> Iterator[None]:
    """Run the user's module code; what goes wrong in it is an error with their line."""
    before = sys.dont_write_bytecode
    sys.dont_write_bytecode = True  # A plan leaves nothing behind, not even a __pycache__.
    try:
        yield
    except PurveyError as error:
        error.source = error.source or _line_of(error, root)[0]
        raise
    except (Exception, SystemExit) as error:
        raise _as_script_error(error, root) from error
    finally:
        sys.dont_write_bytecode = before


def _choose(stacks: Mapping[str, Stack[..., Any]], function: str, path: Path) -> Stack[..., Any]:
    if function:
        if function in stacks:
            return stacks[function]
        raise ScriptError(
            "script.no_stack",
            "The script has no such stack",
            detail=f"{path.name} defines {', '.join(sorted(stacks)) or 'none'}, not {function!r}.",
        )
    if len(stacks) == 1:
        return next(iter(stacks.values()))
    if not stacks:
        raise ScriptError(
            "script.no_stack",
            "The script has no stack",
            detail=f"No function in {path.name} is marked with @stack, so there is nothing to plan.",
            hint="Write `from purvey import stack` and put @stack above the function that declares the resources.",
        )
    raise ScriptError(
        "script.which_stack",
        "The script has several stacks",
        detail=f"{path.name} defines {', '.join(sorted(stacks))}.",
        hint="Say which one: --function NAME.",
    )


def load(
    script: Script, knowledge: Knowledge, given: Mapping[str, Given], env: str, nonce: str, previous: Graph | None = None
) -> Graph:
    """Run a script from the top and freeze what it declares.

    Args:
        script: The script.
        knowledge: What the run knows.
        given: Values for its parameters.
        env: The environment.
        nonce: See `Recorder`.
        previous: The graph of the stage before; its nodes must be declared again.

    Raises:
        ScriptError: for everything that is wrong in the script, with file and line.
    """
    arguments = bind(script.parameters, given, env)
    recorder = Recorder(knowledge, script.root, nonce, given)
    with recording(recorder):
        outputs = _run(script, recorder, arguments)
        graph = recorder.freeze(outputs)
    strangers = unknown({*(parameter.name for parameter in script.parameters), *recorder.asked}, given)
    if strangers:
        raise Problems(strangers)
    if previous is not None:
        _compare(previous, graph)
    return graph


def check_parameters(script: Script, given: Mapping[str, Given], env: str) -> None:
    """Refuse wrong parameters before a run begins.

    Parameters that are declared inside the script (`purvey.param`) are only seen when it runs; where there are any, names that
    the signature does not know are left to that.

    Raises:
        Problems: everything that is wrong, at once.
    """
    bind(script.parameters, given, env)
    if any(b"param(" in content for content in script.files().values()):
        return
    strangers = unknown({parameter.name for parameter in script.parameters}, given)
    if strangers:
        raise Problems(strangers)


def _run(script: Script, recorder: Recorder, arguments: Mapping[str, Any]) -> dict[str, Any]:
    try:
        result = script.stack.function(**arguments)
    except Paused as paused:
        recorder.ended(paused)
        return {}
    except PurveyError as error:
        if not error.source:
            error.source = _line_of(error, script.root)[0]
        _silence(error, recorder)
        raise
    except (Exception, SystemExit) as error:
        told = _as_script_error(error, script.root)
        _silence(told, recorder)
        raise told from error
    if result is None or isinstance(result, PausedResult):
        return {}
    if not isinstance(result, dict) or not all(isinstance(key, str) for key in result):
        raise ScriptError(
            "script.outputs",
            "A stack returned something that is not its outputs",
            detail=f"{script.stack.name} returned a {type(result).__name__}; outputs are a dictionary with text as keys.",
            hint='Write `return {"url": ...}`, or nothing.',
            source=f"{script.path.name}:{script.stack.function.__code__.co_firstlineno}",
        )
    return {key: freeze(item, script.path.name, f"outputs[{key!r}]") for key, item in result.items()}


def _compare(previous: Graph, graph: Graph) -> None:
    """A later pass must declare again what an earlier one declared.

    Raises:
        ScriptError: ``script.not_deterministic``, naming both lines.
    """
    for address, node in previous.nodes.items():
        again = graph.nodes.get(address)
        if again is not None and again.digest == node.digest:
            continue
        what = _difference(node, again)
        raise ScriptError(
            "script.not_deterministic",
            "The script declared something else when it ran again",
            detail=f"{address}, declared at {node.source}, {what}. After a pause the script runs again from the top and must "
            "declare the same, or what is applied already could not be told from what is new.",
            hint="Take what varies (time, random numbers, the environment, reads of the outside) through `lookup(...)` or a "
            "parameter: both are recorded once per run.",
            address=address,
            source=again.source if again is not None else node.source,
        )


def _difference(node: Node, again: Node | None) -> str:
    if again is None:
        return "was not declared again"
    names = [name for name in {**node.inputs, **again.inputs} if node.inputs.get(name) != again.inputs.get(name)]
    return f"has another {', '.join(f'`{name}`' for name in sorted(names)) or 'option'} at {again.source}"


def _silence(error: PurveyError, recorder: Recorder) -> None:
    """Mask the secrets that `value` gave to the script in the words of an error, which may quote them."""
    redactor = Redactor()
    redactor.add(list(recorder.revealed))
    error.detail = redactor.clean(error.detail)
    error.hint = redactor.clean(error.hint)


def _as_script_error(error: Exception | SystemExit, root: Path) -> ScriptError:
    """An exception from the user's code as an error with their file and line."""
    source, text = _line_of(error, root)
    if isinstance(error, SyntaxError):
        source, text = f"{Path(error.filename or '').name}:{error.lineno}", (error.text or "").strip()
    return ScriptError(
        "script.failed",
        "The script stopped with an error of its own",
        detail=f"{type(error).__name__}: {error}" + (f"\n    {text}" if text else ""),
        hint=hint_for(error),
        source=source,
    )


def _line_of(error: BaseException, root: Path) -> tuple[str, str]:
    """The innermost line outside purvey, Python's own modules left out where the script's are there."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(_PACKAGE)]
    own = [frame for frame in frames if frame.filename.startswith(str(root))] or frames
    if not own:
        return "", ""
    last = own[-1]
    return f"{last.filename.removeprefix(f'{root}/')}:{last.lineno}", last.line or ""
