"""Stories of what is taken back, and is not. One that ends with a refusal lets it out."""

from __future__ import annotations

from tests.golden.stories.acts import STEPS, apply, undo
from tests.support.project import Project


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
    apply(project)
    apply(project, parameters={"size": 2})
    undo(project)


def one_object_of_a_run_is_undone(project: Project) -> None:
    """With what was built on it."""
    project.declare('a = Thing("a")\nb = Thing("b", text=a.label)\nThing("c", text=b.label)\nThing("d")')
    apply(project)
    undo(project, "test.Thing::b")
    undo(project, "test.Thing::b")


def what_is_protected_stays_in_an_undo(project: Project) -> None:
    """With what it stands on."""
    project.declare('a = Thing("a")\nThing("b", text=a.label, opts=Options(protect=True))\nThing("c")')
    apply(project)
    undo(project)


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
    apply(project)
    apply(project, parameters={"color": "blue"})
    undo(project)


def a_deletion_is_not_undone(project: Project) -> None:
    """An undo ends where deletions began."""
    project.declare('a = Thing("a", color=color)\nThing("b", text=a.label)', signature='color: str = "red"')
    apply(project)
    apply(project, parameters={"color": "blue"})
    undo(project)


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
    apply(project)
    project.undo(first.id)


def a_move_that_others_build_on_is_not_undone(project: Project) -> None:
    """Its new address is referred to, and its old one is taken."""
    project.declare('Thing("a")')
    apply(project)
    project.declare('Thing("new", opts=Options(moved_from="test.Thing::a"))')
    move = project.apply(parallel=1)
    project.declare('n = Thing("new")\nThing("a")\nThing("b", text=n.label)')
    apply(project)
    project.undo(move.id)


def what_a_later_run_built_on_is_not_undone(project: Project) -> None:
    """Directly, and through what it did not touch."""
    project.declare('Thing("a")\nThing("b", text=Thing("m").label)')
    first = project.apply(parallel=1)
    project.declare('m = Thing("m")\nThing("n", text=Thing("a").label)\nThing("o", text=Thing("b", text=m.label).label)')
    apply(project)
    project.undo(first.id)


def what_a_later_run_declared_anew_is_not_undone(project: Project) -> None:
    """An update whose object is protected since."""
    project.declare('Thing("a", size=size)', signature="size: int = 1")
    apply(project)
    update = project.apply(parameters={"size": 2}, parallel=1)
    project.declare('Thing("a", size=2, opts=Options(protect=True))')
    apply(project)
    project.undo(update.id)
