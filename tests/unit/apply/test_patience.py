"""How long recovery waits: for what may still appear, and for a former holder who may only be asleep."""

from __future__ import annotations

import msgspec
import pytest

from purvey._base.event import Event, Message
from purvey._base.limits import CALL_DEADLINE_S, CLOCK_SKEW_S, LEASE_S
from purvey._state import lease as leases
from purvey._state.sql import lease as table
from purvey._state.sql.store import SqlStore
from purvey.errors import StateError
from tests.support.project import Project
from tests.unit.apply.test_recovery import FIELDS, dies
from tests.unit.apply.test_undo import KINDS

UNSEEN = f"""{KINDS}
from purvey.providers import Absent

class UnseenProvider(TaggedProvider):
    lands_within_s = 90.0

    async def create(self, call, want):
        if here().fault("unsent", "a") is not None:
            raise Dies
        with here().edited() as content:
            content["objects"]["tag-1"] = {{
                "name": "a", "kind": "own.Unseen", "tag": call.name, "mark": call.mark, "revision": 1, "color": "red",
            }}
            content["seen_at"] = call.clock.now() + 60
            content["log"].append("create a")
        die("a")
        await call.identified("tag-1")
        if here().fault("cut", "a") is not None:
            raise ProviderError("unavailable", "cut off", may_exist=True)
        return Done("tag-1", self.outputs("tag-1"))

    async def find(self, call, want):
        return Absent() if call.clock.now() < here()._read().get("seen_at", 0.0) else await super().find(call, want)

class Unseen(Resource, kind="own.Unseen", provider=UnseenProvider):
    color: str = Input(default="red", immutable=True)
{FIELDS}
@stack
def main():
    Unseen("a")
"""


def told(project: Project) -> str:
    """What the run said, line by line."""
    return "\n".join(event.text for event in project.watcher.events if isinstance(event, Message))


def test_what_cannot_be_seen_yet_is_waited_for(project: Project) -> None:
    """An object that shows a minute after its creation is found, not made again; who watches is told why it takes."""
    project.write(UNSEEN)
    project.world.fail("die", "a", times=1)
    dies(project.apply)

    assert project.resume().result == "succeeded"
    assert project.world.log == ["create a"]
    assert "not to be seen; looking for" in told(project)
    project.require_sound()


def test_an_absence_is_believed_when_its_time_has_come(project: Project) -> None:
    """What was never sent does not appear; then, and not before, it is made."""
    project.write(UNSEEN)
    project.world.fail("unsent", "a", times=1)
    dies(project.apply)
    died_at = project.clock.seconds

    assert project.resume().result == "succeeded"
    assert project.clock.seconds >= died_at + 90
    assert project.world.log == ["create a"]
    project.require_sound()


def test_an_old_absence_is_believed_at_once(project: Project) -> None:
    """Whoever resumes a day later does not wait for what was cut off a day before."""
    project.write(UNSEEN)
    project.world.fail("unsent", "a", times=1)
    dies(project.apply)
    project.clock.seconds += 86_400
    slept = len(project.clock.slept)

    assert project.resume().result == "succeeded"
    assert project.clock.slept[slept:] == []


def test_ctrl_c_ends_the_waiting(project: Project) -> None:
    """The run is interrupted, and the operation stays in doubt for the next one."""
    project.write(UNSEEN)
    project.world.fail("die", "a", times=1)
    dies(project.apply)
    session = project.session()

    def react(event: Event) -> None:
        if isinstance(event, Message):
            session.interrupt()

    project.watcher.react = react
    run = session.resume(project.target(), approve=project.approve)

    assert run.result == "interrupted"
    assert len(project.state().in_doubt) == 1


def test_a_lost_answer_is_looked_for_in_the_same_run(project: Project) -> None:
    """What may have been made without an answer is found when it is to be seen, and the run goes on."""
    project.write(UNSEEN.replace('await call.identified("tag-1")', "pass"))
    project.world.fail("cut", "a", times=1)

    assert project.apply().result == "succeeded"
    assert project.world.log == ["create a"]
    project.require_sound()


def test_a_request_that_was_lost_is_made_again(project: Project) -> None:
    """What certainly was not made, because its time to appear has passed, is made by the same run."""
    project.write(UNSEEN.replace("raise Dies", 'raise ProviderError("unavailable", "cut off", may_exist=True)'))
    project.world.fail("unsent", "a", times=1)

    assert project.apply().result == "succeeded"
    assert project.world.log == ["create a"]
    project.require_sound()


def test_an_undo_finds_what_it_cannot_see_yet(project: Project) -> None:
    """What a failed create may have made is looked for as long, and taken away."""
    lost = UNSEEN.replace('await call.identified("tag-1")', "pass").replace('("unavailable", "cut off"', '("failed", "no idea"')
    project.write(lost)
    project.world.fail("cut", "a", times=1)

    assert project.apply().result == "undone"
    assert project.world.objects == {}
    project.require_sound()


def test_the_calls_of_a_sleeper_are_waited_out(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A holder elsewhere may be in the middle of a call: nothing is settled before that call's deadline has passed."""
    project.write(f"""{KINDS}
class OneProvider(ThingProvider):
    async def create(self, call, want):
        die("k")
        return await super().create(call, want)

class One(Resource, kind="own.One", provider=OneProvider):
    size: int = Input(default=1)
{FIELDS}
@stack
def main():
    One("k")
""")
    project.world.fail("die", "k", times=1)
    elsewhere = msgspec.structs.replace(leases.this_process(), machine="another")
    with monkeypatch.context() as other:
        other.setattr(table, "this_process", lambda: elsewhere)
        other.setattr(SqlStore, "release", lambda _store, _lease: None)
        dies(project.apply)
    ended_at = project.clock.seconds + LEASE_S + CLOCK_SKEW_S
    with pytest.raises(StateError, match="Another run"):
        project.resume()
    project.clock.seconds = ended_at + 1

    assert project.resume().result == "succeeded"
    assert project.clock.seconds >= ended_at - 1 + CALL_DEADLINE_S
    assert "the run before may still be calling" in told(project)
    project.require_sound()
