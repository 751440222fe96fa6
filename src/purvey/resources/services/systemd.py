"""Units of systemd: services, timers, sockets and the others."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from purvey._base.value import Value
from purvey._hosts.change import Change, Remove, Run
from purvey._hosts.command import Command
from purvey._hosts.fact import Answers, Ask, ContentOf, Fact
from purvey._script.fields import Input, Output
from purvey._script.resource import Resource
from purvey.errors import HostError, ProviderError
from purvey.resources._given import require
from purvey.resources._inputs import refused
from purvey.resources.services._service import MISSING, START_S, ServiceProvider, revisions
from purvey.resources.services._state import State

FOLDER: Final = "/etc/systemd/system"

_FOLDERS: Final = ("/etc/systemd", "/run/systemd", "/usr/lib/systemd", "/lib/systemd")

_PROPERTIES: Final = "LoadState,ActiveState,SubState,UnitFileState,NeedDaemonReload"
_NAME: Final = re.compile(
    r"[A-Za-z0-9:_.\\@-]{1,240}\.(service|socket|device|mount|automount|swap|target|path|timer|slice|scope)"
)
"""A unit's name as systemd.unit(5) has it; one without a suffix is a service."""

_DROP_IN: Final = re.compile(r"[A-Za-z0-9_.@-]{1,200}")

_RUNS: Final = frozenset({"active", "reloading", "refreshing", "activating"})
_RESTING: Final = frozenset({"inactive", "failed", "deactivating", "maintenance"})
_ENABLED: Final = frozenset({"enabled", "enabled-runtime", "linked", "linked-runtime", "alias"})
_LOOPS: Final = "auto-restart"
"""The sub-state of a service between two of its failures."""


class SystemdProvider(ServiceProvider["Systemd"]):
    """Units by systemctl."""

    def named_as(self, subject: Systemd) -> str:
        """See `ServiceProvider.named_as`."""
        return subject.unit

    def asked(self, subject: Systemd) -> Sequence[Fact]:
        """See `ServiceProvider.asked`: all of it by one process."""
        return [_show(require(subject.unit, _NAME, "The name of a unit", "Name it whole, as in `shop.service`."))]

    def state(self, subject: Systemd, answers: Answers) -> State:
        """See `ServiceProvider.state`."""
        said = answers[_show(subject.unit)]
        if said.returncode == MISSING:
            raise HostError(
                "not_found", "The machine has no systemd", detail="There is no systemctl.",
                hint="Use services.OpenRC on Alpine, and services.Sysv where init scripts are in /etc/init.d.",
            )  # fmt: skip
        told = dict(line.split("=", 1) for line in said.text().splitlines() if "=" in line)
        if said.returncode or not told:
            raise HostError(
                "unavailable",
                "systemd does not answer",
                detail=f"systemctl ended with code {said.returncode}; a container is not started by systemd, and has no units.",
            )
        return _state(subject.unit, told)

    def files(self, subject: Systemd) -> Mapping[str, str]:
        """See `ServiceProvider.files`: the unit, and its drop-ins."""
        whole = {f"{FOLDER}/{subject.unit}": subject.content} if subject.content is not None else {}
        parts = {f"{FOLDER}/{subject.unit}.d/{name}.conf": text for name, text in subject.drop_ins.items()}
        return {**whole, **parts}

    def is_ours(self, subject: Systemd) -> bool:
        """See `ServiceProvider.is_ours`."""
        return subject.content is not None

    def also_seen(self, have: Systemd, state: State, answers: Answers) -> Mapping[str, Value]:
        """See `ServiceProvider.also_seen`: the texts that are there."""
        values: dict[str, Value] = {"masked": state.masked}
        if have.content is not None:
            values["content"] = _text(answers, f"{FOLDER}/{have.unit}")
        there = {name: _text(answers, f"{FOLDER}/{have.unit}.d/{name}.conf") for name in have.drop_ins}
        values["drop_ins"] = {name: text for name, text in there.items() if text is not None}
        return values

    def may_be_missing(self, want: Systemd) -> bool:
        """See `ServiceProvider.may_be_missing`: a unit can be masked before it comes."""
        return want.content is not None or want.masked

    def told(self, subject: Systemd, what: str, answers: Answers) -> Sequence[Change]:
        """See `ServiceProvider.told`: who has failed too often may start again, and who cannot reload restarts."""
        how = {"reload": "reload-or-restart"}.get(what, what)
        failed = self.state(subject, answers).failed and what in ("start", "restart")
        return [*([_systemctl(subject.unit, "reset-failed")] if failed else []), _systemctl(subject.unit, how)]

    def switched(self, subject: Systemd, state: State, to: State, answers: Answers) -> Sequence[Change]:
        """See `ServiceProvider.switched`."""
        return [_systemctl(subject.unit, "enable" if to.enabled else "disable")]

    def folders(self, paths: Sequence[str]) -> Sequence[Change]:
        """See `ServiceProvider.folders`: those of drop-ins, once they are empty."""
        folders = sorted({path.rpartition("/")[0] for path in paths})
        return [Remove(folder, if_empty=True) for folder in folders if folder.endswith(".d")]

    def reread(self) -> Sequence[Change]:
        """See `ServiceProvider.reread`."""
        return [Run(Command(("systemctl", "daemon-reload"), timeout_s=START_S), touches=None)]

    def masks(self, want: Systemd) -> bool:
        """See `ServiceProvider.masks`."""
        return want.masked

    def masking(self, subject: Systemd, state: State, *, wished: bool) -> Sequence[Change]:
        """See `ServiceProvider.masking`."""
        return [] if wished == state.masked else [_systemctl(subject.unit, "mask" if wished else "unmask")]

    def looks_at(self, want: Systemd) -> Sequence[str] | None:
        """See `HostProvider.looks_at`: where systemd finds units."""
        return _FOLDERS

    def advice(self, subject: Systemd) -> str:
        """See `ServiceProvider.advice`."""
        return f"See why:\n\n    systemctl status {subject.unit}\n    journalctl --unit {subject.unit}"

    def explained(self, subject: Systemd, error: ProviderError) -> ProviderError:
        """See `HostProvider.explained`: systemctl itself names the commands that tell more."""
        if "Job for" not in error.detail:
            return error
        return HostError("failed", "A service could not be started", detail=error.detail, hint=self.advice(subject))


class Systemd(Resource, kind="services.Systemd", provider=SystemdProvider):
    """A unit of systemd, from a package or by its own text.

        web = services.Systemd("web", unit="nginx", restart_on=[config])
        shop = services.Systemd("shop", unit="shop", content=unit_text, drop_ins={"limits": limits_text}, reload_on=[rules])

    It is restarted once when its texts or a node in `restart_on` have changed, and not when it has just been started. A unit by
    its own text is stopped and removed with the node; any other one gets back the state that it had before purvey.
    """

    unit: str = Input(immutable=True, doc="Its name; without a suffix it is a service.")
    content: str | None = Input(default=None, doc="The text of the unit; None for one that a package has brought.")
    drop_ins: Mapping[str, str] = Input(default={}, doc="Texts that change parts of it, by the name that each has in UNIT.d.")
    enabled: bool | None = Input(default=True, doc="Whether it is started at boot; None leaves that alone.")
    running: bool | None = Input(
        default=True, doc="Whether it runs; None leaves that alone, as is right for one that does its work and ends."
    )
    masked: bool = Input(default=False, doc="Whether nobody can start it; then it is neither enabled nor running.")
    restart_on: Sequence[Any] = Input(default=(), doc="Nodes whose change it has to be restarted for.")
    reload_on: Sequence[Any] = Input(default=(), doc="Nodes whose change it has to be reloaded for.")

    found: Mapping[str, Any] = Output(doc="Its state before purvey.")
    revision: str = Output(doc="Changes when it does; for `restart_on` of another service.")

    @classmethod
    def prepare(cls, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:  # noqa: ARG003 - no path is given.
        """See `Resource.prepare`.

        Raises:
            ScriptError: ``script.bad_unit``, ``script.no_revision``.
        """
        known = revisions(inputs)
        if isinstance(unit := known.get("unit"), str):
            known["unit"] = _unit(unit)
        drop_ins = known.get("drop_ins")
        for name in drop_ins if isinstance(drop_ins, Mapping) else ():
            if not isinstance(name, str) or not _DROP_IN.fullmatch(name):
                raise _bad(f"{name!r} is no name of a drop-in", "Use letters, digits, dashes and points; `.conf` is added.")
        usual = (
            {"enabled": None, "running": False} if _is_masked(known) else {"enabled": True, "running": True, "masked": False}
        )
        return {**usual, "drop_ins": {}, **known}


def _is_masked(inputs: Mapping[str, Any]) -> bool:
    """Whether it is a unit that nobody shall start.

    Raises:
        ScriptError: ``script.bad_unit`` if it shall be more than that.
    """
    if inputs.get("masked") is not True:
        return False
    if inputs.get("enabled") or inputs.get("running") or inputs.get("content") is not None:
        raise _bad("A masked unit can be neither enabled nor running, nor have a text", "Leave those inputs out.")
    return True


def _unit(unit: str) -> str:
    whole = unit if "." in unit and _NAME.fullmatch(unit) else f"{unit}.service"
    if not _NAME.fullmatch(whole) or whole.startswith("-"):
        raise _bad(f"{unit!r} is no name of a unit", "Use the name that `systemctl list-unit-files` shows.")
    return whole


def _bad(problem: str, hint: str) -> Exception:
    return refused("script.bad_unit", "A unit is not described in a way that is understood", f"{problem}.", hint)


def _show(unit: str) -> Ask:
    return Ask(("systemctl", "show", "--property", _PROPERTIES, "--", unit))


def _systemctl(unit: str, what: str) -> Run:
    return Run(Command(("systemctl", what, "--", unit), timeout_s=START_S), touches=(_show(unit),))


def _text(answers: Answers, path: str) -> str | None:
    data = answers[ContentOf(path)]
    return data.decode(errors="replace") if data is not None else None


def _state(unit: str, told: Mapping[str, str]) -> State:
    """What systemd's words mean (systemd.unit(5), systemctl(1))."""
    load, active, file = told.get("LoadState", ""), told.get("ActiveState", ""), told.get("UnitFileState", "")
    if load in ("bad-setting", "error", "stub", ""):
        raise HostError(
            "invalid", "systemd cannot load a unit", detail=f"{unit} is {load or 'in no state that it tells'}.",
            hint=f"See why:\n\n    systemctl status {unit}",
        )  # fmt: skip
    if active not in _RUNS | _RESTING:
        raise HostError(
            "failed", "systemd does not tell a unit's state", detail=f"{unit} is {active!r}, which is no known state."
        )
    masked = load == "masked" or file in ("masked", "masked-runtime")
    enabled = True if file in _ENABLED else False if file == "disabled" or masked else None
    return State(
        there=load != "not-found", running=active in _RUNS and told.get("SubState") != _LOOPS, enabled=enabled, masked=masked,
        stale=told.get("NeedDaemonReload") == "yes", failed=active == "failed",
    )  # fmt: skip
