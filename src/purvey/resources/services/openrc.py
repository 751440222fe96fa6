"""Services of OpenRC, as Alpine and Gentoo have them."""

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
from purvey.resources.services._script import ScriptProvider, facts_of, prepared, status_of
from purvey.resources.services._service import MISSING, START_S
from purvey.resources.services._state import State

_BOOTED: Final = "/run/openrc/softlevel"
"""What OpenRC leaves when it has brought a machine up."""

_USUAL: Final = ("default",)
"""Where a service is started that nothing else is said of."""

STATUS: Final = 'rc-service -- "$1" status >/dev/null 2>&1'

LEVELS: Final = 'for it in /etc/runlevels/*/"$1"; do if [ -L "$it" ]; then it=${it%/*}; echo "${it##*/}"; fi; done'

RELOAD: Final = (
    'if rc-service -- "$1" describe 2>&1 | grep -q "^ [*] reload:"; then set -- "$1" reload; else set -- "$1" restart; fi; '
    'exec rc-service -- "$@"'
)
"""Who cannot reload restarts."""

_STARTED: Final = 0
_RUNS: Final = frozenset({_STARTED, 8, 16})
"""Started, on its way there, and waiting for what will start it (rc-service(8) ends with the state)."""

_RESTS: Final = frozenset({1, 3, 4})
_CRASHED: Final = 32


class OpenRCProvider(ScriptProvider["OpenRC"]):
    """Services by rc-service and rc-update."""

    program = "rc-service"

    def asked(self, subject: OpenRC) -> Sequence[Fact]:
        """See `ServiceProvider.asked`."""
        return facts_of(subject, _status(subject), _levels(subject), _BOOTED)

    def status(self, subject: OpenRC) -> Ask:
        """See `ScriptProvider.status`."""
        return _status(subject)

    def state(self, subject: OpenRC, answers: Answers) -> State:
        """See `ServiceProvider.state`."""
        there = self.is_there(subject, answers)
        code = self._code(subject, answers) if there and subject.running is not None else 3
        if subject.enabled is None:
            return State(there=there, running=code in _RUNS, failed=code == _CRASHED)
        levels = tuple(sorted(answers[_levels(subject)].text().split()))
        return State(there=there, running=code in _RUNS, enabled=bool(levels), failed=code == _CRASHED, runlevels=levels)

    def _code(self, subject: OpenRC, answers: Answers) -> int:
        code = answers[_status(subject)].returncode
        if code == MISSING:
            raise HostError("not_found", "The machine has no OpenRC", detail="There is no rc-service.")
        if answers[StatOf(_BOOTED)] is None:
            raise HostError(
                "unavailable", "The machine was not brought up by OpenRC", detail="So nothing tells there which services run.",
                hint="For an image, write running=None.",
            )  # fmt: skip
        if code not in _RUNS | _RESTS | {_CRASHED}:
            raise HostError(
                "failed", "OpenRC does not tell a service's state",
                detail=f"The status of {subject.script} ended with code {code}, which is no known state.",
            )  # fmt: skip
        return code

    def told(self, subject: OpenRC, what: str, answers: Answers) -> Sequence[Change]:
        """See `ServiceProvider.told`: who has crashed counts as started, until that is put right."""
        touches = (_status(subject),)
        if what == "reload":
            return [Run(Command(("sh", "-c", RELOAD, "sh", subject.script), timeout_s=START_S), touches=touches)]
        crashed = what == "start" and self.state(subject, answers).failed
        ending = [Run(Command((self.program, subject.script, "zap")), touches=touches)] if crashed else []
        return [*ending, *super().told(subject, what, answers)]

    def switched(self, subject: OpenRC, state: State, to: State, answers: Answers) -> Sequence[Change]:
        """See `ServiceProvider.switched`."""
        usual = _USUAL if to.enabled else ()
        wished = {*(usual if to.runlevels is UNSET else to.runlevels)}
        before = set(state.runlevels or ())
        adding = [_update(subject, "add", sorted(wished - before))] if wished - before else []
        return [*adding, *([_update(subject, "delete", sorted(before - wished))] if before - wished else [])]


class OpenRC(Resource, kind="services.OpenRC", provider=OpenRCProvider):
    """A service of OpenRC, from a package or by its own script.

        web = services.OpenRC("web", script="nginx", restart_on=[config])
        shop = services.OpenRC("shop", script="shop", content=script_text, runlevels=["default"])

    It is restarted once when its text or a node in `restart_on` has changed, and not when it has just been started. A service
    by its own script is stopped and removed with the node; any other one gets back the state that it had before purvey.
    """

    script: str = Input(immutable=True, doc="Its name in /etc/init.d.")
    content: str | None = Input(default=None, doc="The text of the script; None for one that a package has brought.")
    enabled: bool | None = Input(default=True, doc="Whether it is started in any runlevel; None leaves that alone.")
    runlevels: Sequence[str] | None = Input(
        default=None, doc="Exactly those in which it is started; None for those where it is, else the one called default."
    )
    running: bool | None = Input(default=True, doc="Whether it runs; None leaves that alone, as is right for an image.")
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
        return prepared(inputs)


def _status(subject: OpenRC) -> Ask:
    return status_of(STATUS, subject.script)


def _levels(subject: OpenRC) -> Ask:
    return status_of(LEVELS, subject.script)


def _update(subject: OpenRC, what: str, levels: Sequence[str]) -> Run:
    return Run(Command(("rc-update", what, subject.script, *levels)), touches=(_levels(subject),))
