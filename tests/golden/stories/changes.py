"""Stories of what is made, changed, removed, and fails. One that ends with a refusal lets it out."""

from __future__ import annotations

from tests.golden.stories.acts import STEPS, apply, resume, undo
from tests.support.project import Project


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
    apply(project)


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
    apply(project)
    apply(project, parameters={"size": 2, "color": "blue"})


def an_object_is_made_in_the_place_of_another(project: Project) -> None:
    """The old one goes first where both cannot be there, and what is in a container goes with it and comes again."""
    project.declare(
        'r = Rack("rack", number=80, color=color)\nb = Book("book", shelf=r)\nLock("lock", shelf=r)\nThing("t", text=b.label)',
        signature='color: str = "red"',
    )
    apply(project)
    apply(project, parameters={"color": "blue"})


def everything_is_removed(project: Project) -> None:
    """A destroy."""
    project.declare('s = Shelf("s")\nBook("b", shelf=s)\nLock("l", shelf=s)\nServer("v", text=s.label)')
    apply(project)
    project.session().destroy(project.target(), approve=project.approve, parallel=1)


def what_is_there_is_adopted(project: Project) -> None:
    """With and without a change, and the undo of it."""
    for name, size in (("one", 4), ("other", 5)):
        project.world.set(f"tag-{size}", name=name, kind="test.Tagged", size=size, color="red", revision=1, token="x")
    project.declare('Tagged("one", size=4, opts=Options(adopt=True))\nTagged("other", size=9, opts=Options(adopt=True))')
    apply(project)
    undo(project)


def an_object_is_moved(project: Project) -> None:
    """A record goes to another address, with and without a change, and back again."""
    project.declare('a = Thing("a", opts=Options(protect=True))\nThing("b", text=a.label)')
    apply(project)
    moved = 'Options(moved_from="test.Thing::a", protect=True)'
    project.declare(f'a = Thing("new", opts={moved})\nThing("b", size=2, text=a.label)')
    apply(project)
    undo(project)


def an_object_is_handed_over(project: Project) -> None:
    """To another stack; the run that did it is not undone by itself."""
    project.declare('Thing("a")\nThing("b")')
    apply(project)
    project.declare('Thing("z")', name="other")
    project.session().apply(project.folder / "other.py", approve=project.approve, parallel=1)
    project.session().state_hand_over(project.target(), "test.Thing::a", "other", to="test.Thing::c")
    undo(project)


def only_the_declaration_differs(project: Project) -> None:
    """A protection and an ignored input are recorded without a call."""
    project.declare('Thing("a")')
    apply(project)
    project.declare('Thing("a", opts=Options(protect=True, ignore=("size",)))\nThing("b")')
    apply(project)


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
    apply(project)
    project.world.fail("update", "one", "throttled", times=2, detail="slow down")
    project.world.fail("create", "bad")
    apply(project, parameters={"size": 2, "color": "blue"})


def a_check_fails(project: Project) -> None:
    """For good, and for longer than it may."""
    project.declare('Thing("a")\nProbe("never", absent="a")\nProbe("late", within_s=5)')
    project.world.fail("check", "late", "timeout")
    apply(project)


def a_step_fails(project: Project) -> None:
    """With the script's own exception."""
    project.write(f'{STEPS}\n@stack\ndef main():\n    migrate("m", to=Thing("a").revision)\n')
    project.world.fail("step", "migrate")
    apply(project)


def what_was_made_is_kept(project: Project) -> None:
    """A failed creation that may have had its effect, what does not need it, and another run that settles it."""
    project.declare('a = Server("a")\nThing("b", text=a.label)\nThing("c")')
    project.world.fail("create", "a", "invalid", times=1, may_exist=True)
    apply(project, on_failure="continue")
    apply(project)


def an_object_outlasts_its_time(project: Project) -> None:
    """A run that waits too long parks, and is resumed."""
    project.declare('s = Slow("slow", size=12, opts=Options(timeout_s=60.0))\nThing("t", text=s.label)')
    apply(project)
    resume(project)


def a_parked_run_is_taken_back(project: Project) -> None:
    """Not before what is pending has ended."""
    project.declare('Thing("t")\nSlow("slow", size=14, opts=Options(timeout_s=60.0))')
    apply(project)
    undo(project)
