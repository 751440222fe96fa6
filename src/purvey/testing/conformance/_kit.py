"""The list of behaviours, and the bench on which cases are held to them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Self

from purvey.errors import PurveyError
from purvey.testing.conformance import _checks, _life, _trouble
from purvey.testing.conformance._case import Case, CheckCase
from purvey.testing.conformance._cheap import cheap_import
from purvey.testing.conformance._project import NotConformingError, Project
from purvey.testing.conformance._secrecy import secrets, secrets_of_check

_OF_OBJECTS: Final[Mapping[str, Callable[[Project, Any], None]]] = {
    "create": _life.create,
    "update": _life.update,
    "undo update": _life.undo_update,
    "failed update": _life.failed_update,
    "lost": _trouble.lost,
    "drift": _trouble.drift,
    "unreadable": _trouble.unreadable,
    "killed update": _trouble.killed_update,
    "replace": _life.replace,
    "undo create": _life.undo_create,
    "failure": _life.failure,
    "adopt": _trouble.adopt,
    "created twice": _trouble.created_twice,
    "lost answer": _trouble.lost_answer,
    "late answer": _trouble.late_answer,
    "lagging view": _trouble.lagging_view,
    "killed create": _trouble.killed_create,
    "killed delete": _trouble.killed_delete,
    "delete": _life.delete,
    "secrets": secrets,
    "cheap import": cheap_import,
}
"""In an order in which one ends where the next begins, as far as that goes."""

_OF_CHECKS: Final[Mapping[str, Callable[[Project, Any], None]]] = {
    "passes": _checks.passes,
    "waits": _checks.waits,
    "fails": _checks.fails,
    "impossible": _checks.impossible,
    "secrets": secrets_of_check,
    "cheap import": cheap_import,
}


def _told(behaviours: Mapping[str, Callable[[Project, Any], None]]) -> Mapping[str, str]:
    return MappingProxyType({name: (function.__doc__ or "").splitlines()[0] for name, function in behaviours.items()})


BEHAVIOURS: Final[Mapping[str, str]] = _told(_OF_OBJECTS)
"""What is proved of every kind with objects: each behaviour with its promise."""

CHECK_BEHAVIOURS: Final[Mapping[str, str]] = _told(_OF_CHECKS)
"""What is proved of every kind that is a check."""


def behaviours(case: type[Case | CheckCase]) -> tuple[str, ...]:
    """The behaviours that a kind is held to: all but those that its case calls inapplicable, in the best order.

    Args:
        case: The case.

    Raises:
        ValueError: if the case excludes a behaviour that there is not, or gives no reason.
    """
    known = CHECK_BEHAVIOURS if issubclass(case, CheckCase) else BEHAVIOURS
    for name, reason in case.inapplicable.items():
        if name not in known or not reason.strip():
            raise ValueError(f"{case.__name__} excludes {name!r}: that must be one of {', '.join(known)}, with a reason.")
    kind = case.kind._kind  # noqa: SLF001 - the test kit knows it.
    pointless = {
        *(["secrets"] if not kind.secrets else []),
        *(["lagging view"] if not kind.provider.seen_within_s else []),
        *case.inapplicable,
    }
    return tuple(name for name in known if name not in pointless)


class Bench:
    """A project with a store in a folder, on which cases are held to their behaviours, one after another.

    What `Situation.around` declares stays from one behaviour to the next, and from one case to the next where both declare it
    alike: ten cases can share one server. A ``with`` block removes everything at its end, and fails if something is left.

    Args:
        folder: An existing folder that all users may enter; the bench makes and removes what is in it. As root, the objects'
            own files are in ``/var/lib/purvey`` as always.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._project: Project | None = None
        self._keys = os.environ.get("XDG_DATA_HOME")

    def __enter__(self) -> Self:
        """Let the store's key be made in the folder, too."""
        os.environ["XDG_DATA_HOME"] = str(self._folder / "keys")
        return self

    def __exit__(self, *error: object) -> None:
        """Remove everything that was made.

        Raises:
            NotConformingError: if something is left.
        """
        try:
            if self._project is not None:
                self._project.close()
        except PurveyError as stopped:
            raise NotConformingError(f"in the end the engine stopped: {stopped}") from stopped
        finally:
            del os.environ["XDG_DATA_HOME"]
            if self._keys is not None:
                os.environ["XDG_DATA_HOME"] = self._keys

    def check(self, case: type[Case | CheckCase], behaviour: str) -> None:
        """Hold a kind to one behaviour.

        Args:
            case: The kind's case.
            behaviour: One of `behaviours`.

        Raises:
            NotConformingError: if it does something else.
        """
        table = _OF_CHECKS if issubclass(case, CheckCase) else _OF_OBJECTS
        situation = self._situation(case)
        try:
            table[behaviour](self._project_for(situation), situation)
        except PurveyError as error:
            raise NotConformingError(f"the engine stopped: {error}") from error

    def conform(self, case: type[Case | CheckCase]) -> None:
        """Hold a kind to all its behaviours.

        Args:
            case: The kind's case.

        Raises:
            NotConformingError: naming each behaviour that it does not have, with what it does instead.
        """
        broken = []
        for behaviour in behaviours(case):
            try:
                self.check(case, behaviour)
            except AssertionError as error:
                broken.append(f"{behaviour}: {error}")
        if broken:
            raise NotConformingError("\n\n".join([f"{case.kind._kind.name} does not conform", *broken]))  # noqa: SLF001

    def _situation(self, case: type[Case | CheckCase]) -> Case | CheckCase:
        current = self._project.case if self._project is not None else None
        if current is not None and type(current) is case:
            return current
        folder = self._folder / "world" / case.__name__
        folder.mkdir(parents=True, exist_ok=True)
        return case(folder)

    def _project_for(self, situation: Case | CheckCase) -> Project:
        if self._project is None:
            self._project = Project(self._folder, situation)
        if self._project.case is not situation:
            situation.objects = self._project.case.objects
            self._project.case = situation
        return self._project
