"""The stories: each a few runs of one project. One that ends with a refusal lets it out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from tests.support.points import dying
from tests.support.project import Project

Story: TypeAlias = Callable[[Project], None]

STEPS = """
@step
def migrate(to: int) -> int:
    here().note(f"migrate {to}")
    if here().fault("step", "migrate") is not None:
        raise ValueError("bad luck")
    return to + 1

@migrate.undo
def _(result: int, /, to: int) -> None:
    here().note(f"back from {result}")
"""

LOST = "after the create in the world"


def _apply(project: Project, **more: Any) -> None:
    project.apply(parallel=1, **more)


def _undo(project: Project, *only: str) -> None:
    project.session().undo(project.target(), approve=project.approve, parallel=1, only=only, final="allow")


def _resume(project: Project) -> None:
    project.session().resume(project.target(), approve=project.approve, parallel=1)


# What is made, changed and removed.


def objects_are_made(project: Project) -> None:
    """Ids that the world chooses, one that takes its time, what is in a container, a check, a step and an output."""
    project.write(f"""{STEPS}
@stack
def main():
    shelf = Shelf("shelf", size=2)
    book = Book("book", shelf=shelf, text="once", opts=Options(protect=True, timeout_s=77.0))
    server = Server("server", text=book.label, opts=Options(ignore=("text",), retain=True))
    slow = Slow("slow", size=2, opts=Options(after=(server,)))
    schema = migrate("schema", to=4)
    Thing("thing", data={{"schema": schema.result}}, opts=Options(replace_when=slow.revision))
    Probe("ok", of=server)
    return {{"key": server.key}}
""")
    project.world.fail("check", "ok", "timeout", times=2)
    _apply(project)


def objects_are_changed(project: Project) -> None:
    """An update, a replacement with what follows it, a step that runs again, and what a script no longer declares."""
    project.write(f"""{STEPS}
@stack
def main(size: int = 1, color: str = "red"):
    one = Thing("one", size=size)
    other = Server("other", color=color, text=one.label, opts=Options(timeout_s=50.0))
    migrate.options(after=(other,))("schema", to=size)
    if size == 1:
        shelf = Shelf("shelf")
        Book("book", shelf=shelf)
        Tagged("kept", opts=Options(retain=True))
""")
    _apply(project)
    _apply(project, parameters={"size": 2, "color": "blue"})


def an_object_is_made_in_the_place_of_another(project: Project) -> None:
    """The old one goes first where both cannot be there, and what is in a container goes with it and comes again."""
    project.declare(
        'r = Rack("rack", number=80, color=color)\nb = Book("book", shelf=r)\nLock("lock", shelf=r)\nThing("t", text=b.label)',
        signature='color: str = "red"',
    )
    _apply(project)
    _apply(project, parameters={"color": "blue"})


def everything_is_removed(project: Project) -> None:
    """A destroy."""
    project.declare('s = Shelf("s")\nBook("b", shelf=s)\nLock("l", shelf=s)\nServer("v", text=s.label)')
    _apply(project)
    project.session().destroy(project.target(), approve=project.approve, parallel=1)


def what_is_there_is_adopted(project: Project) -> None:
    """With and without a change, and the undo of it."""
    for name, size in (("one", 4), ("other", 5)):
        project.world.set(f"tag-{size}", name=name, kind="test.Tagged", size=size, color="red", revision=1, token="x")
    project.declare('Tagged("one", size=4, opts=Options(adopt=True))\nTagged("other", size=9, opts=Options(adopt=True))')
    _apply(project)
    _undo(project)


def an_object_is_moved(project: Project) -> None:
    """A record goes to another address, with and without a change, and back again."""
    project.declare('a = Thing("a", opts=Options(protect=True))\nThing("b", text=a.label)')
    _apply(project)
    moved = 'Options(moved_from="test.Thing::a", protect=True)'
    project.declare(f'a = Thing("new", opts={moved})\nThing("b", size=2, text=a.label)')
    _apply(project)
    _undo(project)


def an_object_is_handed_over(project: Project) -> None:
    """To another stack; the run that did it is not undone by itself."""
    project.declare('Thing("a")\nThing("b")')
    _apply(project)
    project.declare('Thing("z")', name="other")
    project.session().apply(project.folder / "other.py", approve=project.approve, parallel=1)
    project.session().state_hand_over(project.target(), "test.Thing::a", "other", to="test.Thing::c")
    _undo(project)


def only_the_declaration_differs(project: Project) -> None:
    """A protection and an ignored input are recorded without a call."""
    project.declare('Thing("a")')
    _apply(project)
    project.declare('Thing("a", opts=Options(protect=True, ignore=("size",)))\nThing("b")')
    _apply(project)


# What fails.


def a_run_fails_and_takes_itself_back(project: Project) -> None:
    """An update, a creation, a step and a replacement, after a failure with a hint of its own and one that was repeated."""
    project.write(f"""{STEPS}
@stack
def main(size: int = 1, color: str = "red"):
    one = Thing("one", size=size)
    schema = migrate.options(after=(one,))("schema", to=size)
    other = Server("other", color=color, text=one.label, opts=Options(after=(schema,)))
    if size > 1:
        new = Tagged("new", size=size, opts=Options(after=(other,)))
        Thing("bad", text=new.label)
""")
    _apply(project)
    project.world.fail("update", "one", "throttled", times=2, detail="slow down")
    project.world.fail("create", "bad")
    _apply(project, parameters={"size": 2, "color": "blue"})


def a_check_fails(project: Project) -> None:
    """For good, and for longer than it may."""
    project.declare('Thing("a")\nProbe("never", absent="a")\nProbe("late", within_s=5)')
    project.world.fail("check", "late", "timeout")
    _apply(project)


def a_step_fails(project: Project) -> None:
    """With the script's own exception."""
    project.write(f'{STEPS}\n@stack\ndef main():\n    migrate("m", to=Thing("a").revision)\n')
    project.world.fail("step", "migrate")
    _apply(project)


def what_was_made_is_kept(project: Project) -> None:
    """A failed creation that may have had its effect, what does not need it, and another run that settles it."""
    project.declare('a = Server("a")\nThing("b", text=a.label)\nThing("c")')
    project.world.fail("create", "a", "invalid", times=1, may_exist=True)
    _apply(project, on_failure="continue")
    _apply(project)


def an_object_outlasts_its_time(project: Project) -> None:
    """A run that waits too long parks, and is resumed."""
    project.declare('s = Slow("slow", size=12, opts=Options(timeout_s=60.0))\nThing("t", text=s.label)')
    _apply(project)
    _resume(project)


def a_parked_run_is_taken_back(project: Project) -> None:
    """Not before what is pending has ended."""
    project.declare('Thing("t")\nSlow("slow", size=14, opts=Options(timeout_s=60.0))')
    _apply(project)
    _undo(project)


# What is killed.


def _killed(project: Project, kind: str) -> None:
    """A creation, an update and a deletion of which nobody knows the end; each is settled by the next command."""
    project.declare(f'{kind}("a")')
    with dying(LOST):
        _apply(project)
    _resume(project)
    project.declare(f'{kind}("a", size=2)')
    with dying("after the update in the world"):
        _apply(project)
    _apply(project)
    with dying("after the delete in the world"):
        project.destroy()
    project.destroy()


def one_found_by_name_is_killed(project: Project) -> None:
    """The name says which it is."""
    _killed(project, "Thing")


def one_found_by_token_is_killed(project: Project) -> None:
    """The token does."""
    _killed(project, "Server")


def one_found_by_tag_is_killed(project: Project) -> None:
    """The tag does."""
    _killed(project, "Tagged")


def one_that_nothing_was_made_of_is_killed(project: Project) -> None:
    """Killed before its effect, it did not happen."""
    project.declare('Tagged("a")\nServer("b")')
    with dying("before the create in the world"):
        _apply(project)
    _resume(project)


def one_that_cannot_be_found_is_killed(project: Project) -> None:
    """Only a person knows, who is told what to say; and says it."""
    project.declare('Lost("a")')
    with dying(LOST):
        _apply(project)
    (made,) = project.world.objects
    try:
        _resume(project)
    finally:
        project.session().state_settle(project.target(), "test.Lost::a", happened=True, object_id=made)


def an_undo_is_killed(project: Project) -> None:
    """Of an update and of a creation; it is resumed, and the record is the earlier run's again."""
    project.declare('a = Thing("a", size=size)\nif size > 1: Tagged("b", opts=Options(after=(a,)))', signature="size: int = 1")
    _apply(project)
    _apply(project, parameters={"size": 2})
    with dying("after the delete in the world"):
        _undo(project)
    with dying("after the update in the world"):
        _resume(project)
    _resume(project)


def an_undo_of_a_step_is_killed(project: Project) -> None:
    """It is looked whether it had its effect, where the step can say so."""
    project.write(
        """
@step
def migrate(to: int) -> int:
    here().note(f"migrate {to}")
    return to + 1

@migrate.undo
def _(result: int, /, to: int) -> None:
    here().note(f"back from {result}")
    points.called("in the undo")

@stack
def main():
    migrate("m", to=3)
""".replace("@step\n", "from tests.support import points\n\n@step(repeatable=True)\n", 1)
    )
    _apply(project)
    with dying("in the undo"):
        _undo(project)
    _resume(project)


# What an undo does, and does not.


def a_run_of_many_kinds_is_undone(project: Project) -> None:
    """Newest first: made, changed, adopted, run; what is in a container goes with it, and claims pass on."""
    project.world.set("tag-4", name="old", kind="test.Tagged", size=4, color="red", revision=1, token="x")
    project.write(f"""{STEPS}
@stack
def main(size: int = 0):
    if size == 0:
        return
    Tagged("old", size=size, opts=Options(adopt=True))
    shelf = Shelf("shelf", size=size)
    book = Book("book", shelf=shelf)
    Lock("lock", shelf=shelf)
    tag = Tag("tag", shelf=shelf)
    port = Port("port", number=80)
    migrate.options(after=(port, tag))("schema", to=size)
    Probe("ok", of=book)
""")
    _apply(project)
    _apply(project, parameters={"size": 2})
    _undo(project)


def one_object_of_a_run_is_undone(project: Project) -> None:
    """With what was built on it."""
    project.declare('a = Thing("a")\nb = Thing("b", text=a.label)\nThing("c", text=b.label)\nThing("d")')
    _apply(project)
    _undo(project, "test.Thing::b")
    _undo(project, "test.Thing::b")


def what_is_protected_stays_in_an_undo(project: Project) -> None:
    """With what it stands on."""
    project.declare('a = Thing("a")\nThing("b", text=a.label, opts=Options(protect=True))\nThing("c")')
    _apply(project)
    _undo(project)


def what_is_final_stays_in_an_undo(project: Project) -> None:
    """A step without an undo, and data that was deleted."""
    project.write("""
@step
def once(to: int) -> int:
    return to

@stack
def main(color: str = "red"):
    shelf = Rack("shelf", number=80, color=color)
    Book("book", shelf=shelf)
    once("o", to=len(color))
    Thing("t", text=color)
""")
    _apply(project)
    _apply(project, parameters={"color": "blue"})
    _undo(project)


def a_deletion_is_not_undone(project: Project) -> None:
    """An undo ends where deletions began."""
    project.declare('a = Thing("a", color=color)\nThing("b", text=a.label)', signature='color: str = "red"')
    _apply(project)
    _apply(project, parameters={"color": "blue"})
    _undo(project)


def what_a_later_run_changed_is_not_undone(project: Project) -> None:
    """Changed, declared anew, built on, moved and forgotten since."""
    project.declare('Thing("a")\nThing("b")\nThing("c")\nThing("d")\nThing("e")\nThing("f")')
    first = project.apply(parallel=1)
    project.declare("""
        Thing("a", size=2)
        b = Thing("b")
        Thing("c", opts=Options(protect=True))
        Thing("new", opts=Options(moved_from="test.Thing::d"))
        Thing("f")
        Thing("g", text=b.label)
    """)
    _apply(project)
    project.undo(first.id)


def a_move_that_others_build_on_is_not_undone(project: Project) -> None:
    """Its new address is referred to, and its old one is taken."""
    project.declare('Thing("a")')
    _apply(project)
    project.declare('Thing("new", opts=Options(moved_from="test.Thing::a"))')
    move = project.apply(parallel=1)
    project.declare('n = Thing("new")\nThing("a")\nThing("b", text=n.label)')
    _apply(project)
    project.undo(move.id)


def what_a_later_run_built_on_is_not_undone(project: Project) -> None:
    """Directly, and through what it did not touch."""
    project.declare('Thing("a")\nThing("b", text=Thing("m").label)')
    first = project.apply(parallel=1)
    project.declare('m = Thing("m")\nThing("n", text=Thing("a").label)\nThing("o", text=Thing("b", text=m.label).label)')
    _apply(project)
    project.undo(first.id)


def what_a_later_run_declared_anew_is_not_undone(project: Project) -> None:
    """An update whose object is protected since."""
    project.declare('Thing("a", size=size)', signature="size: int = 1")
    _apply(project)
    update = project.apply(parameters={"size": 2}, parallel=1)
    project.declare('Thing("a", size=2, opts=Options(protect=True))')
    _apply(project)
    project.undo(update.id)
