"""Restarts of a machine, each because something that it was given has changed.

It is done when the machine says another boot id than before. The former one is put on its disk before it goes down, so that
whoever asks afterwards, also another run after this one was killed, knows what to compare with.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from purvey._base.value import Value
from purvey._hosts.change import MakeOwnFolder, Run, Write
from purvey._hosts.command import Command
from purvey._hosts.fact import Answers, Ask, ContentOf, Fact
from purvey._script.fields import Input, Output
from purvey._script.resource import Resource
from purvey.errors import HostError
from purvey.providers import Absent, Call, Done, Observed, Outcome, Pending, Present
from purvey.providers.host import HostProvider, Place, Work, place_of
from purvey.resources._given import recorded

AGAIN_S: Final = 5.0
"""A machine takes between ten seconds and some minutes to start."""

_NOT_YET: Final = frozenset({"unavailable", "denied"})
"""Codes of a machine that is not back: nobody listens, or only root is let in until all is started (pam_nologin)."""

_BOOT: Final = Ask(("cat", "/proc/sys/kernel/random/boot_id"))
_GO_DOWN: Final = r"""
if [ "$(cat /proc/sys/kernel/random/boot_id)" != "$1" ]; then exit 0; fi
setsid sh -c "sleep 1; exec reboot" </dev/null >/dev/null 2>&1 &
"""
"""After a moment, in which we are still told that it was begun. A machine that went down before it could say so is sent this
again when it is back, and stays up then: it is another start than the one that was to be ended."""


class RebootProvider(HostProvider["Reboot"]):
    """Restarts, and waits until the machine is another one."""

    adopts = True
    forgets = True
    recovers_by = "token"
    insulated = True
    awaits_machine = True

    def facts(self, place: Place, subject: Reboot) -> Sequence[Fact]:
        """See `HostProvider.facts`."""
        return [_BOOT, ContentOf(_begun(place))]

    def seen(self, place: Place, have: Reboot, answers: Answers) -> Observed:
        """See `HostProvider.seen`: whether a restart is owed follows from `when` alone."""
        return Present(
            "reboot", {"boot_id": recorded(have, "boot_id", _boot_id(answers)), "revision": recorded(have, "revision")}
        )

    def found(self, place: Place, want: Reboot, answers: Answers) -> Observed:
        """See `HostProvider.found`: a machine is there, and owes nothing unless it is restarted at first."""
        return Absent() if want.at_first else self.seen(place, want, answers)

    def make(self, place: Place, want: Reboot, answers: Answers) -> Work:
        """See `HostProvider.make`: a machine that has just come under purvey's hands is restarted where the script says so."""
        if want.at_first:
            return self.change(place, want, want, answers)
        return Work("reboot", outputs={"boot_id": _boot_id(answers), "revision": place.token})

    def change(self, place: Place, have: Reboot, want: Reboot, answers: Answers) -> Work:
        """See `HostProvider.change`: once for each operation, however often it is called."""
        token, former = _noted(place, answers)
        outputs: dict[str, Value] = {"boot_id": _boot_id(answers), "revision": place.token}
        if token == place.token and former != _boot_id(answers):
            return Work("reboot", outputs=outputs)
        begun = f"{place.token} {_boot_id(answers)}".encode()
        down = Run(Command(("sh", "-c", _GO_DOWN, "sh", _boot_id(answers))), touches=None)
        return Work("reboot", (MakeOwnFolder(place.folder), Write(_begun(place), begun, 0o600), down), outputs)

    def remove(self, place: Place, have: Reboot, answers: Answers) -> Work:
        """See `HostProvider.remove`: nothing is there to be removed."""
        return Work("reboot")

    def take_back(self, place: Place, have: Reboot, before: Reboot | None, answers: Answers) -> Work:
        """See `HostProvider.take_back`: what needs another restart to be as it was says so by its own `when`."""
        return Work("reboot", outputs=None)

    async def create(self, call: Call, want: Reboot) -> Outcome:
        """See `Provider.create`."""
        if want.at_first:
            return await self._restarted(call, want)
        place = place_of(call)
        return await self._perform(call, want, self.make(place, want, await call.host.ask(self.facts(place, want))))

    async def update(self, call: Call, have: Reboot, want: Reboot) -> Outcome:
        """See `Provider.update`."""
        return await self._restarted(call, want)

    async def ready(self, call: Call, want: Reboot) -> Outcome:
        """See `Provider.ready`: the machine answers, and says another boot id than before."""
        place = place_of(call)
        answers = await self._asked(call, want)
        if isinstance(answers, Pending):
            return answers
        token, former = _noted(place, answers)
        if token != place.token:  # It was down when it was to be told to restart.
            return await self._restarted(call, want)
        if former == _boot_id(answers):
            return _waits("it goes down")
        return Done("reboot", {"boot_id": _boot_id(answers), "revision": call.token})

    async def _restarted(self, call: Call, want: Reboot) -> Outcome:
        """Tell it to restart, and wait for it; a run that was killed may come back while it is down."""
        place = place_of(call)
        answers = await self._asked(call, want)
        if isinstance(answers, Pending):
            return answers
        work = self.change(place, want, want, answers)
        done = await self._perform(call, want, work)
        return _waits("it goes down") if work.changes else done

    async def _asked(self, call: Call, want: Reboot) -> Answers | Pending:
        """What it answers; that it is not back yet, where it does not."""
        try:
            return await call.host.ask(self.facts(place_of(call), want))
        except HostError as error:
            if error.code not in _NOT_YET:
                raise
            return _waits("it does not let us in yet" if error.code == "denied" else "it does not answer yet")

    def reaches(self, want: Reboot) -> Sequence[str] | None:
        """See `HostProvider.reaches`: everything is started anew."""
        return None

    def claims(self, want: Reboot) -> Sequence[str]:
        """See `Provider.claims`."""
        return ("reboot",)


class Reboot(Resource, kind="host.Reboot", provider=RebootProvider):
    """A restart of the machine whenever something changes.

        host.Reboot("kernel", when=[kernel.revision, cmdline.revision])

    It is over when the machine answers with another boot id. What has to come after it says so with Options(after=[…]).
    """

    when: Any = Input(doc="Any value; the machine is restarted when it changes.")
    at_first: bool = Input(default=False, doc="Whether it is restarted when the node is new, too.")

    boot_id: str = Output(doc="The id of the start that it runs since.")
    revision: str = Output(doc="Another one after each restart, for what has to notice it.")


def _begun(place: Place) -> str:
    """Where the operation that restarts it is told, with the boot id before."""
    return f"{place.folder}/reboot"


def _noted(place: Place, answers: Answers) -> tuple[str, str]:
    """The operation that has told it to restart last, and the boot id before."""
    token, _, former = (answers[ContentOf(_begun(place))] or b"").decode().partition(" ")
    return token, former


def _boot_id(answers: Answers) -> str:
    said = answers[_BOOT]
    if said.returncode or not said.text():
        raise HostError(
            "failed", "A machine does not say since when it runs", detail="It has no boot id, so nothing tells a restart."
        )
    return said.text()


def _waits(progress: str) -> Pending:
    return Pending("reboot", AGAIN_S, progress)
