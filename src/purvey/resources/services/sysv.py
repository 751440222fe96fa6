"""Init scripts of System V, as Debian and its relatives have them: without systemd, or before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from msgspec import UNSET

from purvey._hosts.change import Change, Run
from purvey._hosts.command import Command
from purvey._hosts.fact import Answers, Ask, Fact, StatOf
from purvey._script.fields import Input, Output
from purvey._script.resource import Resource
from purvey.errors import HostError
from purvey.resources.services._script import ScriptProvider, bad, facts_of, prepared, status_of
from purvey.resources.services._service import MISSING
from purvey.resources.services._state import State

_SYSTEMD: Final = "/run/systemd/system"
"""The folder by which programs see that a machine is run by systemd (sd_booted(3))."""

STATUS: Final = 'said=$(service "$1" status 2>&1); code=$?; case $said in *[Uu]"sage: "*) exit 64 ;; esac; exit $code'
"""Its status; 64 where the script knows no such word, and says how it is used."""

LINKS: Final = (
    'for it in /etc/rc?.d/[SK][0-9][0-9]"$1"; do if [ -L "$it" ]; then '
    'level=${it#/etc/rc} name=${it##*/}; echo "${level%%.*} ${name%"${name#?}"}"; fi; done'
)
"""In which runlevels it is started (S) or ended (K); its place among the others is left out, which any of them may change."""

_LEVELS: Final = ("2", "3", "4", "5", "S")
"""Those in which something may be started; the others are for ends, and for repairs."""

_STOPPED: Final = frozenset({1, 2, 3})
"""What a script ends with that does not run (Linux Standard Base, init script actions)."""

_NO_STATUS: Final = 64


class SysvProvider(ScriptProvider["Sysv"]):
    """Init scripts by service and update-rc.d."""

    program = "service"

    def asked(self, subject: Sysv) -> Sequence[Fact]:
        """See `ServiceProvider.asked`."""
        return facts_of(subject, _status(subject), _links(subject), _SYSTEMD)

    def status(self, subject: Sysv) -> Ask:
        """See `ScriptProvider.status`."""
        return _status(subject)

    def state(self, subject: Sysv, answers: Answers) -> State:
        """See `ServiceProvider.state`."""
        if answers[StatOf(_SYSTEMD)] is not None:
            hint = "Use services.Systemd."
            raise HostError("conflict", "The machine is run by systemd", detail="Init scripts are units there.", hint=hint)
        there = self.is_there(subject, answers)
        running = there and subject.running is not None and self._runs(subject, answers)
        if subject.enabled is None:
            return State(there=there, running=running)
        links = [line.split() for line in answers[_links(subject)].text().splitlines()]
        known = sorted((level, letter) for level, letter in links if level in _LEVELS)
        levels = tuple(level for level, letter in known if letter == "S")
        return State(there=there, running=running, enabled=bool(levels), runlevels=levels, linked=bool(known))

    def _runs(self, subject: Sysv, answers: Answers) -> bool:
        code = answers[_status(subject)].returncode
        if code == MISSING:
            needed = ("service", "init-system-helpers") if subject.process is None else ("pgrep", "procps")
            raise HostError(
                "not_found", "A program is missing on a machine", detail=f"There is no {needed[0]}, which tells what runs.",
                hint=f"Install {needed[1]}.",
            )  # fmt: skip
        if code != 0 and (code not in _STOPPED if subject.process is None else code != 1):
            problem = "does not know the word status" if code == _NO_STATUS else f"ended with code {code}, which tells nothing"
            raise HostError(
                "invalid", "An init script does not tell whether its service runs",
                detail=f"/etc/init.d/{subject.script} status {problem}.",
                hint='Name the process that runs then: process="…".',
            )  # fmt: skip
        return code == 0

    def told(self, subject: Sysv, what: str, answers: Answers) -> Sequence[Change]:
        """See `ServiceProvider.told`: the word for who cannot reload to restart is force-reload."""
        return super().told(subject, {"reload": "force-reload"}.get(what, what), answers)

    def switched(self, subject: Sysv, state: State, to: State, answers: Answers) -> Sequence[Change]:
        """See `ServiceProvider.switched`."""
        if not to.there or to.linked is False:
            return [_update(subject, "remove", force=True)]
        # While a runlevel for an end is left, nothing is set up anew.
        changes = [_update(subject, "remove", force=True)] if not state.linked and answers[_links(subject)].text() else []
        if to.runlevels is UNSET or not to.runlevels:
            new, known = ("defaults", "enable") if to.enabled else ("defaults-disabled", "disable")
            return [*changes, _update(subject, known if state.linked else new)]
        changes += [] if state.linked else [_update(subject, "defaults-disabled")]
        before = {*(state.runlevels or ())}
        missing, beyond = sorted({*to.runlevels} - before), sorted(before - {*to.runlevels})
        changes += [_update(subject, "enable", *missing)] if missing else []
        return [*changes, *([_update(subject, "disable", *beyond)] if beyond else [])]


class Sysv(Resource, kind="services.Sysv", provider=SysvProvider):
    """An init script of System V, from a package or by its own text, on Debian and its relatives without systemd.

        web = services.Sysv("web", script="nginx", restart_on=[config])
        shop = services.Sysv("shop", script="shop", content=script_text, process="shopd")

    It is restarted once when its text or a node in `restart_on` has changed, and not when it has just been started. A script by
    its own text is stopped and removed with the node; any other one gets back the state that it had before purvey.
    """

    script: str = Input(immutable=True, doc="Its name in /etc/init.d.")
    content: str | None = Input(default=None, doc="The text of the script; None for one that a package has brought.")
    enabled: bool | None = Input(default=True, doc="Whether it is started at boot; None leaves that alone.")
    runlevels: Sequence[str] | None = Input(
        default=None, doc="Exactly those in which it is started, of those that its header names; None for all of them."
    )
    running: bool | None = Input(default=True, doc="Whether it runs; None leaves that alone, as is right for an image.")
    process: str | None = Input(
        default=None, doc="The name of the process that runs then, for a script that does not know the word status."
    )
    restart_on: Sequence[Any] = Input(default=(), doc="Nodes whose change it has to be restarted for.")
    reload_on: Sequence[Any] = Input(default=(), doc="Nodes whose change it has to be reloaded for.")

    found: Mapping[str, Any] = Output(doc="Its state before purvey.")
    revision: str = Output(doc="Changes when it does; for `restart_on` of another service.")

    @classmethod
    def prepare(cls, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:  # noqa: ARG003 - no path is given.
        """See `Resource.prepare`.

        Raises:
            ScriptError: ``script.bad_service``, ``script.no_revision``.
        """
        known = prepared(inputs)
        for level in known["runlevels"] or ():
            if level not in _LEVELS:
                raise bad(f"Nothing is started in the runlevel {level!r}", f"They are {', '.join(_LEVELS)}.")
        return known


def _status(subject: Sysv) -> Ask:
    if subject.process is not None:
        return status_of('pgrep -x -- "$1" >/dev/null', subject.process)
    return status_of(STATUS, subject.script)


def _links(subject: Sysv) -> Ask:
    return status_of(LINKS, subject.script)


def _update(subject: Sysv, *words: str, force: bool = False) -> Run:
    options = ("-f",) if force else ()
    return Run(Command(("update-rc.d", *options, subject.script, *words)), touches=(_links(subject),))
