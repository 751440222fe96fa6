"""Imports the archived copy of a script: what a run began with is what it goes on with, whatever was edited since.

Modules come from memory under their original file names, so that ``__file__``, paths relative to it and lines in messages mean
what they meant when the run began.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from pathlib import Path
from types import ModuleType


def module_name(file: str) -> str:
    """The name under which the file of an archive is imported: ``lib.names`` for ``lib/names.py``."""
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def with_packages(name: str) -> list[str]:
    """A module and the packages that it is in, outermost first."""
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts) + 1)]


class ArchiveFinder(MetaPathFinder, Loader):
    """Finds the modules beside an archived script.

    Args:
        folder: Where the script was.
        files: The script and its modules, by path relative to `folder`.
    """

    def __init__(self, folder: Path, files: Mapping[str, bytes]) -> None:
        self._folder = folder
        self._files = files

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module if the archive has it."""
        base = fullname.replace(".", "/")
        for name, is_package in ((f"{base}.py", False), (f"{base}/__init__.py", True)):
            if name in self._files:
                return spec_from_loader(fullname, self, origin=str(self._folder / name), is_package=is_package)
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Run a module's archived source."""
        spec = module.__spec__
        assert spec is not None  # The import system has just made it.
        assert spec.origin is not None  # `find_spec` has just set it.
        self.run(module, Path(spec.origin))

    def run(self, module: ModuleType, path: Path) -> None:
        """Run the archived source of the file at `path` in `module`."""
        source = self._files[str(path.relative_to(self._folder))]
        module.__file__ = str(path)
        exec(compile(source, str(path), "exec"), vars(module))  # noqa: S102 - running the user's script is the point.

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Let imports find the archived modules first."""
        sys.meta_path.insert(0, self)
        try:
            yield
        finally:
            sys.meta_path.remove(self)
