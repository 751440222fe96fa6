"""Recovery: what an earlier process left half-way, or left open, and how an undo deals with it."""

from __future__ import annotations

from typing import Any

import pytest

from purvey._state.record import Begun
from tests.support.project import Project
from tests.unit.apply.test_undo import KINDS


def dies(act: Any) -> None:
    """Perform `act` in a process that ends on the way."""
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - the class is the script's own.
        act()
    assert type(caught.value).__name__ == "Dies"


FIELDS = """
    key: str = Output(stable=True)
    revision: int = Output()
    label: str = Output()
"""


def test_an_object_being_made_again_is_recovered_by_making_it(project: Project) -> None:
    """A process that dies between the effect and the id leaves nothing behind."""
    project.write(f"""{KINDS}
class OneProvider(TokenProvider):
    async def create(self, call, want):
        key = self.key(call, want)
        with here().edited() as content:
            if key not in content["objects"]:
                content["objects"][key] = {{"name": "k", "token": call.token, "revision": 1, "color": want.color}}
        die("k")
        await call.identified(key)
        return Done(key, self.outputs(key))

class One(Resource, kind="own.One", provider=OneProvider, delete_first=True):
    color: str = Input(default="red", immutable=True)
{FIELDS}
@stack
def main(color: str = "red"):
    one = One("k", color=color)
    Probe("bad", of=one.key)
""")
    project.apply()
    project.world.fail("check", "bad")
    project.apply(parameters={"color": "blue"}, on_failure="keep")
    project.world.fail("die", "k", times=1)
    dies(project.undo)
    project.world.mend()

    assert project.resume().result == "undone"
    ((key, entry),) = project.world.objects.items()
    assert entry["color"] == "red"
    assert [record.id for record in project.state().resources.values() if record.kind == "own.One"] == [key]
    project.require_sound()


def test_a_killed_undo_knows_what_it_undoes_in_a_later_run(project: Project) -> None:
    """The token of the undone operation is on disk, so another run can finish the undo."""
    project.write(f"""{KINDS}
class UndoneProvider(ThingProvider):
    async def undo(self, call, have, before):
        here().note(f"undo of {{call.undoes}}")
        die("u")
        return await super().undo(call, have, before)

class Undone(Resource, kind="own.Undone", provider=UndoneProvider):
    size: int = Input(default=1)
{FIELDS}
@stack
def main(size: int = 1, fail: bool = False):
    one = Undone("u", size=size)
    if fail:
        Thing("bad", text=one.label)
""")
    project.apply()
    project.world.fail("create", "bad")
    project.world.fail("die", "u", times=1)
    dies(lambda: project.apply(parameters={"size": 2, "fail": True}))
    project.world.mend()

    assert project.apply(parameters={"size": 2}).result == "succeeded"
    first, second = [line for line in project.world.log if line.startswith("undo of")]
    assert (first, len(first) > len("undo of ")) == (second, True)
    project.require_sound()


def test_what_is_found_half_made_is_waited_for(project: Project) -> None:
    """A parked create is not complete because it can be found."""
    project.write(f"""{KINDS}
class BootsProvider(TaggedProvider):
    async def create(self, call, want):
        done = await super().create(call, want)
        return Pending(done.id, 100.0, "booting")

    async def ready(self, call, want):
        if here().fault("boot", "a") is not None:
            return Pending(call.id, 100.0, "booting")
        return Done(call.id, self.outputs(call.id))

class Boots(Resource, kind="own.Boots", provider=BootsProvider):
    color: str = Input(default="red", immutable=True)
{FIELDS}
@stack
def main():
    Boots("a")
""")
    project.world.fail("boot", "a")
    assert project.apply().result == "parked"

    assert project.resume().result == "parked"
    assert project.state().resources == {}
    project.world.mend()
    assert project.resume().result == "succeeded"
    assert len(project.world.objects) == 1
    project.require_sound()


def test_a_step_in_doubt_is_finished_and_then_taken_back(project: Project) -> None:
    """A step that may have run is run to its end, so that its undo has something to work with."""
    project.write(f"""{KINDS}
@step(repeatable=True)
def migrate(to: int) -> int:
    here().note(f"migrate {{to}}")
    if here().fault("step", "m") is not None:
        raise ProviderError("invalid", "cut off", may_exist=True)
    return to

@migrate.undo
def _(result: int, /, to: int) -> None:
    here().note(f"back {{to}}")

@stack
def main():
    migrate("m", to=1)
""")
    project.world.fail("step", "m", times=1)

    assert project.apply().result == "undone"
    assert project.world.log == ["migrate 1", "migrate 1", "back 1"]
    project.require_sound()


def test_a_step_that_stays_in_doubt_leaves_the_undo_partial(project: Project) -> None:
    """Nothing is called undone that was not."""
    project.write(f"""{KINDS}
@step(repeatable=True)
def migrate(to: int) -> int:
    here().note(f"migrate {{to}}")
    raise ProviderError("invalid", "cut off", may_exist=True)

@stack
def main():
    migrate("m", to=1)
""")
    assert project.apply().result == "partial"
    assert len(project.state().in_doubt) == 1


def test_a_gap_whose_deletion_is_in_doubt_is_closed_by_the_undo(project: Project) -> None:
    """The deletion is finished, and the object is made again."""
    project.declare('Lock("k", color="red")')
    project.apply()
    project.declare('Lock("k", color="blue")')
    project.world.fail("delete", "k", may_exist=True, after=True, times=1)

    assert project.apply().result == "undone"
    assert [entry["color"] for entry in project.world.objects.values()] == ["red"]
    project.require_sound()


def test_an_undo_settled_by_hand_leaves_the_former_record(project: Project) -> None:
    """What a person says is undone is gone, and the undo can go on."""
    project.write(f"""{KINDS}
class CutProvider(ThingProvider):
    recovers_by = "nothing"

    async def delete(self, call, have):
        await super().delete(call, have)
        raise ProviderError("unavailable", "cut off", may_exist=True)

class Cut(Resource, kind="own.Cut", provider=CutProvider):
    size: int = Input(default=1)
{FIELDS}
@stack
def main():
    cut = Cut("u")
    Thing("bad", text=cut.key)
""")
    project.world.fail("create", "bad")
    run = project.apply()
    assert run.result == "partial"

    project.session().state_settle(project.target(), "own.Cut::u", happened=True)

    assert project.state().resources == {}
    assert project.undo(run.id).result == "undone"
    project.require_sound()


def test_recovery_gives_a_call_the_time_that_the_first_one_had(project: Project) -> None:
    """A node's own time is on disk with the begin of its operation."""
    project.declare('Slow("a", opts=Options(timeout_s=5000))')
    run = project.apply()

    (begun,) = [record for record in project.records(run.id) if isinstance(record, Begun)]
    assert begun.timeout_s == 5000


@pytest.mark.parametrize("happened", [True, False])
def test_the_undo_of_a_step_is_not_repeated_where_it_happened(project: Project, happened: bool) -> None:
    """A process ends in the middle of it: the step's check tells whether it had its effect, and only if not, it runs again."""
    project.write(f"""{KINDS}
class Dies(BaseException):
    pass

@step
def migrate(to: int) -> int:
    here().set("schema", at=to)
    here().note(f"migrate {{to}}")
    return to

@migrate.undo
def _(result: int, /, to: int) -> None:
    dying = here().fault("step", "m") is not None
    if dying and not {happened}:
        raise Dies
    here().set("schema", at=0)
    here().note(f"back from {{result}}")
    if dying:
        raise Dies

@migrate.check
def _(to: int) -> bool:
    return here().objects.get("schema", {{}}).get("at") == to

@stack
def main():
    migrate("m", to=3)
""")
    project.apply()
    project.world.fail("step", "m", times=1)
    dies(project.undo)

    run = project.resume()

    assert run.result == "undone"
    assert project.world.log == ["migrate 3", "back from 3"]
    assert project.state().resources == {}
    project.require_sound()


def test_an_interrupted_update_is_repeated_with_what_was_there(project: Project) -> None:
    """The provider gets the object as it was before the change, whether or not that had happened."""
    project.write(f"""{KINDS}
class Dies(BaseException):
    pass

class KnowingProvider(ThingProvider):
    async def update(self, call, have, want):
        here().note(f"from {{have.size}} to {{want.size}}")
        if here().fault("die", "a") is not None:
            raise Dies
        return await super().update(call, have, want)

class Knowing(Resource, kind="own.Knowing", provider=KnowingProvider):
    size: int = Input(default=1)
{FIELDS}
@stack
def main(size: int = 1):
    Knowing("a", size=size)
""")
    project.apply()
    project.world.fail("die", "a", times=1)
    dies(lambda: project.apply(parameters={"size": 2}))

    assert project.resume().result == "succeeded"
    assert [line for line in project.world.log if line.startswith("from")] == ["from 1 to 2", "from 1 to 2"]
    project.require_sound()
