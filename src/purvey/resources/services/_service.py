"""What the kinds of services share: whether one runs and is enabled, and when it is restarted.

A service is restarted when something that it has read has changed since it was started: its own unit, or a node in
`restart_on`, whose `revision` is then another one than was recorded. So an owed restart follows from the record, and survives a
crash. One that is not running is started, and never restarted on top of that.

The former state is noted on the machine before anything is changed, for the undo; and recorded, for the removal.
"""

from __future__ import annotations

import contextlib
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol, TypeVar

import msgspec
from msgspec import UNSET

from purvey._base.limits import LOCAL_LANDS_S
from purvey._base.value import Value
from purvey._hosts.change import Change, MakeDirectory, Remove, Write
from purvey._hosts.fact import Answers, ContentOf, Fact, StatOf
from purvey._hosts.step import Ended
from purvey._script.recorder import current
from purvey._script.resource import Resource
from purvey.errors import HostError
from purvey.providers import Absent, NotKnownError, Observed, Present, Unreadable
from purvey.providers.host import HostProvider, Place, Work
from purvey.resources import _note
from purvey.resources._inputs import refused
from purvey.resources._paths import copy_path, given_back, kept
from purvey.resources.services._state import State, Was, at_boot, told_state

MISSING: Final = 127
"""What a shell ends with where there is no such program."""

START_S: Final = 300.0
"""Seconds that a service may take to start or stop."""

_OF_PROGRAMS: Final = ("/run", "/srv", "/var")


class Service(Protocol):
    """The fields that every kind of services has."""

    @property
    def enabled(self) -> bool | None:
        """Whether it shall be started at boot."""

    @property
    def running(self) -> bool | None:
        """Whether it shall run."""

    @property
    def restart_on(self) -> Sequence[str]:
        """The revisions of what it has read."""

    @property
    def reload_on(self) -> Sequence[str]:
        """The revisions of what it reads anew when it is told so."""

    @property
    def found(self) -> Mapping[str, Any]:
        """The state before purvey."""

    @property
    def revision(self) -> str:
        """The operation that last changed it."""


S = TypeVar("S", bound=Service)


class ServiceProvider(HostProvider[S]):
    """Starts, stops and enables services; a subclass says by which commands."""

    adopts = True
    long_calls = True
    settles = True
    settles_for = ("restart_on", "reload_on")
    lands_within_s = LOCAL_LANDS_S

    file_mode = 0o644
    """Of its own files."""

    # What a service manager has to say.

    @abstractmethod
    def named_as(self, subject: S) -> str:
        """What the service manager calls it."""

    @abstractmethod
    def asked(self, subject: S) -> Sequence[Fact]:
        """The questions about its state."""

    @abstractmethod
    def state(self, subject: S, answers: Answers) -> State:
        """Its state.

        Raises:
            HostError: if the answers do not tell.
        """

    @abstractmethod
    def told(self, subject: S, what: str, answers: Answers) -> Sequence[Change]:
        """Have it ``start``, ``stop``, ``restart``, ``reload``."""

    @abstractmethod
    def switched(self, subject: S, state: State, to: State, answers: Answers) -> Sequence[Change]:
        """Have it started at boot as in the state `to`; one that is not there then is told to nobody any more."""

    def runlevels(self, want: S) -> tuple[str, ...] | None:
        """The runlevels in which it shall be started at boot; None for the usual ones, and where there are none."""
        return None

    def files(self, subject: S) -> Mapping[str, str]:
        """The texts of its own files, by path."""
        return {}

    def is_ours(self, subject: S) -> bool:
        """Whether it is there by these files alone."""
        return False

    def may_be_missing(self, want: S) -> bool:
        """Whether it need not be there before."""
        return self.is_ours(want)

    def folders(self, paths: Sequence[str]) -> Sequence[Change]:
        """Remove the folders that were made for these files alone."""
        return ()

    def reread(self) -> Sequence[Change]:
        """Have the service manager read files again."""
        return ()

    def masking(self, subject: S, state: State, *, wished: bool) -> Sequence[Change]:
        """Have it masked or not."""
        return ()

    def masks(self, want: S) -> bool:
        """Whether it shall be masked."""
        return False

    def also_seen(self, have: S, state: State, answers: Answers) -> Mapping[str, Value]:
        """Other inputs that can be read."""
        return {}

    # The contract.

    def facts(self, place: Place, subject: S) -> Sequence[Fact]:
        """See `HostProvider.facts`."""
        files = self.files(subject)
        folders = sorted({path.rpartition("/")[0] for path in files}) if place.token else []
        note = [_note.asked(place)] if place.token else []
        return [*self.asked(subject), *map(ContentOf, files), *map(StatOf, folders), *note]

    def seen(self, place: Place, have: S, answers: Answers) -> Observed:
        """See `HostProvider.seen`."""
        try:
            state = self.state(have, answers)
        except HostError as error:
            return Unreadable(f"{error.summary}: {error.detail}")
        if not state.there:
            return Absent()
        values: dict[str, Value] = {}
        if have.enabled is not None:
            values["enabled"] = have.enabled if state.enabled is None else state.enabled
        if have.running is not None:
            values["running"] = state.running
        return Present(self.named_as(have), {**values, **self.also_seen(have, state, answers)})

    def found(self, place: Place, want: S, answers: Answers) -> Observed:
        """See `HostProvider.found`: it is there when it is as it is wanted; else it is made so, and given back at the end."""
        seen = self.seen(place, want, answers)
        if not isinstance(seen, Present):
            return seen
        if any(getattr(want, name) != value for name, value in seen.values.items()):
            return Absent()
        return Present(seen.id, {**seen.values, "found": told_state(self.state(want, answers)), "revision": ""})

    def make(self, place: Place, want: S, answers: Answers) -> Work:
        """See `HostProvider.make`."""
        return self._made(place, None, want, answers)

    def change(self, place: Place, have: S, want: S, answers: Answers) -> Work:
        """See `HostProvider.change`."""
        return self._made(place, have, want, answers)

    def _made(self, place: Place, have: S | None, want: S, answers: Answers) -> Work:
        state = self.state(want, answers)
        self._require(want, state)
        written = {path: text for path, text in self.files(want).items() if answers[ContentOf(path)] != text.encode()}
        dropped = [path for path in (self.files(have) if have is not None else ()) if path not in self.files(want)]
        before = _note.was_before(place, answers, Was, token=place.token)
        was = Was(state, (*written, *dropped)) if before is None else before
        noting = _note.noted(place, was) if before is None else ()
        files = [*self._placed(place, written, answers), *(it for path in dropped for it in (kept(place, path), Remove(path)))]
        loading = self.reread() if files or state.stale else ()
        acting = self._acted(have, want, state, was, answers)
        changes = [*files, *loading, *self._switched(want, state, answers), *acting]
        outputs: dict[str, Value] = {"found": _found_of(have) or told_state(was.state), "revision": _revision_of(have)}
        if not changes:
            return Work(self.named_as(want), (), outputs)
        if files or acting:
            outputs["revision"] = place.token
        return Work(self.named_as(want), (*noting, *changes), outputs, after=tuple(self.asked(want)))

    def _require(self, want: S, state: State) -> None:
        if state.there or self.may_be_missing(want):
            return
        raise HostError(
            "not_found",
            "There is no such service",
            detail=f"The machine does not know {self.named_as(want)}.",
            hint="Check the name, and let the package that brings it come before: opts=Options(after=[package]).",
        )

    def _placed(self, place: Place, written: Mapping[str, str], answers: Answers) -> list[Change]:
        """Put files in their place, each kept for the undo."""
        folders = sorted({path.rpartition("/")[0] for path in written})
        missing: list[Change] = [MakeDirectory(folder, 0o755) for folder in folders if answers[StatOf(folder)] is None]
        for path, text in written.items():
            missing += [kept(place, path), Write(path, text.encode(), self.file_mode)]
        return missing

    def _switched(self, want: S, state: State, answers: Answers) -> list[Change]:
        """Have it enabled and masked as wished."""
        masking = self.masking(want, state, wished=self.masks(want))
        levels = self.runlevels(want)
        switchable = state.enabled is not None or not state.there or state.masked
        if want.enabled is None or not switchable or (state.enabled == want.enabled and levels in (None, state.runlevels)):
            return [*masking]
        to = State(there=True, enabled=want.enabled, runlevels=UNSET if levels is None else levels)
        return [*masking, *self.switched(want, state, to, answers)]

    def _acted(self, have: S | None, want: S, state: State, was: Was, answers: Answers) -> Sequence[Change]:
        """Have it run or not, and know what has changed."""
        if want.running is False:
            return self.told(want, "stop", answers) if state.running else ()
        if not state.running:
            return self.told(want, "start", answers) if want.running else ()
        if not was.state.running:  # An earlier attempt has started it, with everything new.
            return ()
        if was.files or owed(have.restart_on if have is not None else (), want.restart_on):
            return self.told(want, "restart", answers)
        if owed(have.reload_on if have is not None else (), want.reload_on):
            return self.told(want, "reload", answers)
        return ()

    def remove(self, place: Place, have: S, answers: Answers) -> Work:
        """See `HostProvider.remove`: a service by our own unit goes; any other one gets back the state before purvey."""
        state = self.state(have, answers)
        paths = [path for path in self.files(have) if answers[ContentOf(path)] is not None]
        files = [*map(Remove, paths), *self.folders(paths)]
        ending = self._ended(have, state, answers) if self.is_ours(have) else self._restored(have, state, _was(have), answers)
        before, after = (ending, ()) if self.is_ours(have) else ((), ending)
        changes = [*before, *files, *(self.reread() if files else ()), *after]
        copies = [Remove(copy_path(place, path)) for path in self.files(have)]
        return Work(self.named_as(have), (*changes, *copies, *_note.forgotten(place)))

    def take_back(self, place: Place, have: S, before: S | None, answers: Answers) -> Work:
        """See `HostProvider.take_back`: files and state come back, and what runs has read the former files."""
        was = _note.was_before(place, answers, Was, token=place.undoes)
        if was is None:  # Nothing was done.
            return Work(self.named_as(have), (), None)
        state = self.state(have, answers)
        files = [given_back(place, path, [Remove(path)]) for path in was.files]
        ending = self._ended(have, state, answers) if not was.state.there else ()
        again = "restart" if was.files else ""
        if before is not None and not again:
            read_anew = "reload" if owed(have.reload_on, before.reload_on) else ""
            again = "restart" if owed(have.restart_on, before.restart_on) else read_anew
        restoring = self._restored(have, state, was.state, answers, again=again) if was.state.there else ()
        changes = [*ending, *files, *self.folders(was.files), *(self.reread() if files else ()), *restoring]
        copies = [Remove(copy_path(place, path)) for path in was.files]
        return Work(self.named_as(have), (*changes, *copies, *_note.forgotten(place)), None)

    def _ended(self, have: S, state: State, answers: Answers) -> list[Change]:
        """Have it neither run nor be enabled, before its unit goes."""
        stopping = self.told(have, "stop", answers) if state.running else ()
        told = state.enabled or state.linked is True
        disabling = self.switched(have, state, State(there=False, enabled=False), answers) if told else ()
        return [*stopping, *disabling, *self.masking(have, state, wished=False)]

    def _restored(self, have: S, state: State, was: State, answers: Answers, *, again: str = "") -> list[Change]:
        """Have it in a former state; one that runs does `again` what makes it read what has come back."""
        changes = [*self.masking(have, state, wished=was.masked)]
        if have.enabled is not None and was.enabled is not None and at_boot(was) != at_boot(state):
            changes += self.switched(have, state, was, answers)
        if was.running and (again or not state.running):
            changes += self.told(have, again if state.running else "start", answers)
        elif state.running and not was.running:
            changes += self.told(have, "stop", answers)
        return changes

    def learnt(self, want: S, work: Work, ended: Ended) -> Mapping[str, Value]:
        """See `HostProvider.learnt`: whether it stayed up.

        Raises:
            HostError: ``failed`` if it did not.
        """
        if not work.after or work.outputs is None or not want.running:
            return {}
        if not self.state(want, ended.answers).running:
            raise HostError(
                "failed",
                "A service does not stay up",
                detail=f"{self.named_as(want)} was started, and does not run a moment later.",
                hint=self.advice(want),
            )
        return {}

    def advice(self, subject: S) -> str:
        """How to see why it does not run."""
        return "See what it has logged."

    def reaches(self, want: S) -> Sequence[str] | None:
        """See `HostProvider.reaches`: where a program that is started or stopped leaves its things."""
        return () if want.running is None else _OF_PROGRAMS

    def claims(self, want: S) -> Sequence[str]:
        """See `Provider.claims`: the service, and the files that make it."""
        return (f"service:{self.named_as(want)}", *(f"path:{path}" for path in self.files(want)))


def owed(before: Sequence[str], now: Sequence[str]) -> bool:
    """Whether something has changed since it was looked at; what nobody has ever changed has no revision."""
    return any(revision and revision not in before for revision in now)


def _was(have: Service) -> State:
    """The state before purvey; where nobody has recorded one, it was stopped."""
    return msgspec.convert(_found_of(have) or {"there": True}, State)


def _found_of(have: Service | None) -> dict[str, Value]:
    with contextlib.suppress(NotKnownError):
        return dict(have.found or {}) if have is not None else {}
    return {}


def _revision_of(have: Service | None) -> str:
    with contextlib.suppress(NotKnownError):
        return (have.revision or "") if have is not None else ""
    return ""


def revisions(inputs: dict[str, Any]) -> dict[str, Any]:
    """`inputs` with the nodes in `restart_on` and `reload_on` turned into their revisions.

    Raises:
        ScriptError: ``script.no_revision`` for a node that has none.
    """
    known = dict(inputs)
    for name in ("restart_on", "reload_on"):
        if isinstance(known.get(name), list | tuple):
            known[name] = [_revision(item, name) for item in known[name]]
    return known


def _revision(item: Any, name: str) -> Any:
    if not isinstance(item, Resource):
        return item
    kind = item._kind  # noqa: SLF001 - a node's kind is known to kinds.
    if "revision" in kind.outputs:
        return item.revision  # type: ignore[attr-defined]
    raise refused(
        "script.no_revision",
        "A service cannot notice changes of a node",
        f"{kind.name} has no `revision`, so a change of {item!r} does not show in `{name}`.",
        "Name a value that changes with it, such as an output, in its place.",
        source=current().source(),
    )
