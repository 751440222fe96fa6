"""Scripts for rehearsals: some with one undo bug each, of a kind that people really write, and some with none."""

from __future__ import annotations

from typing import NamedTuple


class Case(NamedTuple):
    """A stack that was applied, and what its script says now.

    Attributes:
        name: What it is about.
        now: The body of the stack as it is to be rehearsed.
        before: The body that was applied before; nothing was, if it is empty.
        what: How the finding is called; empty for none.
        at: The name of the node that it is about.
        why: A part of its reason.
        above: Code above the stack, such as steps and kinds.
        secret: The value of ``env:SECRET`` at the rehearsal; it was ``old`` before.
    """

    name: str
    now: str
    before: str = ""
    what: str = ""
    at: str = ""
    why: str = ""
    above: str = ""
    secret: str = "old"


STEPS = '''
@step
def tell(who: str) -> str:
    """Tell somebody, with no way back."""
    here().note("told")
    return who

@step
def book(who: str) -> str:
    """Book a place."""
    here().note("booked")
    return who

@book.undo
def _(result: str, /, who: str) -> None:
    here().note("cancelled")

@step
def rent(who: str, days: int) -> str:
    """Rent a place."""
    here().note("rented")
    return who

@rent.undo
def _(result: str, /, who: str) -> None:
    here().note("given back")

@step(reads_only=True)
def look(who: str) -> list[str]:
    """Look."""
    here().note("looked")
    return ["a"]
'''

KINDS = '''
from purvey import Input, Output, Resource
from purvey.providers import Diff
from tests.support.kinds import PortProvider, TaggedProvider, ThingProvider

class RowProvider(ThingProvider):
    def undoable(self, verb, have, want):
        return verb == "create"

class Row(Resource, kind="test.Row", provider=RowProvider):
    """Its former content is not kept."""
    text: str = Input(default="")
    key: str = Output(stable=True)

class NoteProvider(ThingProvider):
    forgets = True

class Note(Resource, kind="test.Note", provider=NoteProvider):
    """Removing it only forgets it."""
    text: str = Input(default="")
    key: str = Output(stable=True)

class LaxProvider(ThingProvider):
    def diff(self, kind, desired, recorded, observed):
        found = super().diff(kind, desired, recorded, observed)
        return Diff(tuple(msgspec.structs.replace(item, replaces=False) for item in found.changes))

class Lax(Resource, kind="test.Lax", provider=LaxProvider):
    """Its `diff` forgets that its colour cannot change."""
    color: str = Input(default="red", immutable=True)
    key: str = Output(stable=True)

class Volume(Resource, kind="test.Volume", provider=ThingProvider, holds_data=True, delete_first=True):
    """Holds data, and only one can be there at a time."""
    color: str = Input(default="red", immutable=True)
    key: str = Output(stable=True)

class Bay(Resource, kind="test.Bay", provider=ThingProvider, delete_first=True):
    """A container of which only one can be there at a time."""
    color: str = Input(default="red", immutable=True)
    key: str = Output(stable=True)

class DiskProvider(ThingProvider):
    def fields(self, want):
        return {**super().fields(want), "shelf": want.rack.key}

class Disk(Resource, kind="test.Disk", provider=DiskProvider, holds_data=True):
    """Lives in a rack, and holds data."""
    rack: Bay = Input(container=True)
    text: str = Input(default="")
    key: str = Output(stable=True)

class Drawer(Resource, kind="test.Drawer", provider=DiskProvider):
    """Lives in a rack."""
    rack: Bay = Input(container=True)
    key: str = Output(stable=True)

class Slot(Resource, kind="test.Slot", provider=TaggedProvider, delete_first=True):
    """The world chooses its id, and only one can be there at a time."""
    color: str = Input(default="red", immutable=True)
    key: str = Output(stable=True)

class Address(Resource, kind="test.Address", provider=PortProvider):
    """A number that is nobody else's."""
    number: int = Input()
    color: str = Input(default="red", immutable=True)
    key: str = Output(stable=True)
    address: str = Output()

class PathProvider(ThingProvider):
    def claims(self, want):
        return (f"path:{want.path}",)

class Folder(Resource, kind="test.Folder", provider=PathProvider):
    """A folder, removed only when it is empty."""
    path: str = Input(immutable=True)
    key: str = Output(stable=True)

class Label(Resource, kind="test.Label", provider=ThingProvider):
    """A label on the object that it names."""
    of: str = Input(immutable=True)
    key: str = Output(stable=True)
'''

BUGS = (
    Case("a step without an undo", 'tell("t", who="me")', what="left", at="t", why="has no undo", above=STEPS),
    Case("a step without an undo that runs again", 'tell("t", who="you")', 'tell("t", who="me")', "changed", "t",
         "has no undo", above=STEPS),
    Case("an undo that does not take the step's arguments", 'rent("r", who="me", days=3)', what="left", at="r",
         why="cannot be called", above=STEPS),
    Case("a path written out instead of an edge", """
        Folder("f", path="/srv/shop")
        Folder("g", path="/srv/shop/pages")
        """, what="order", at="f", why="no edge says so", above=KINDS),
    Case("a step that works in a folder it does not name", """
        Folder("f", path="/srv/shop")
        book("b", who="/srv/shop/guests")
        """, what="order", at="f", why="works in it", above=STEPS + KINDS),
    Case("a value taken from an object, and no edge to it", """
        s = Server("s")
        book("b", who=value(s.key))
        """, what="order", at="s", why="value(...)", above=STEPS),
    Case("a later stage that lives in an object by its name only", """
        s = Server("s")
        Label("l", of=f"label-on-{value(s.key)}")
        """, what="order", at="s", why="value(...)", above=KINDS),
    Case("data that is deleted first", 'Volume("v", color="blue")', 'Volume("v")', "lost", "v", "holds data", above=KINDS),
    Case("data in a container that is deleted first", """
        r = Bay("r", color="blue")
        Disk("d", rack=r)
        """, """
        r = Bay("r")
        Disk("d", rack=r)
        """, "lost", "d", "holds data", above=KINDS),
    Case("an update that the kind cannot undo", 'Row("r", text="new")', 'Row("r", text="old")', "changed", "r",
         "cannot be undone", above=KINDS),
    Case("a kind that only forgets", 'Note("n")', what="left", at="n", why="forgets = True", above=KINDS),
    Case("a diff that lets an immutable field change", 'Lax("l", color="blue")', 'Lax("l")', "apply", "l",
         "cannot be changed in place", above=KINDS),
    Case("an adopted object that is deleted first", 'Slot("s", color="blue")', 'Slot("s", opts=Options(adopt=True))',
         "changed", "s", "existed before purvey adopted it", above=KINDS),
    Case("a new identity that another object does not hear of", """
        s = Slot("s", color="blue")
        Thing("t", text=s.key)
        """, """
        s = Slot("s")
        Thing("t", text=s.key)
        """, "changed", "t", "new identity", above=KINDS),
    Case("a secret whose former value is gone", 'Safe("s", text=secret("env:SECRET"))', 'Safe("s", text=secret("env:SECRET"))',
         "changed", "s", "former secret", secret="new"),
    Case("on_failure=keep", """
        a = Thing("a")
        Thing("b", text=a.key, opts=Options(on_failure="keep"))
        """, what="left", at="b", why='on_failure="keep"'),
    Case("on_failure=continue", """
        a = Thing("a")
        Probe("p", of=a, opts=Options(on_failure="continue"))
        """, what="left", at="p", why='on_failure="continue"'),
    Case("a claim that passes on without an edge", """
        Address("a", number=2)
        Address("b", number=1)
        """, """
        Address("a", number=1)
        Address("b", number=3)
        """, "claim", "a", "may still hold", above=KINDS),
    Case("an object that is protected by the run that makes it", 'Thing("t", opts=Options(protect=True))', what="left", at="t",
         why="protected"),
)  # fmt: skip

RIGHT = (
    Case("a thing and its user", 'a = Thing("a")\nThing("b", text=f"x{a.key}")'),
    Case("a step with an undo", 'book("b", who="me")', above=STEPS),
    Case("a step with an undo that runs again", 'book("b", who="you")', 'book("b", who="me")', above=STEPS),
    Case("a step that only reads", 'look("l", who="me")', above=STEPS),
    Case("an edge through an output", """
        f = Folder("f", path="/srv/shop")
        Folder("g", path=f"{f.path}/pages")
        """, above=KINDS),
    Case("an edge through after", """
        f = Folder("f", path="/srv/shop")
        book.options(after=[f])("b", who="/srv/shop/guests")
        """, above=STEPS + KINDS),
    Case("a value and an edge", """
        s = Server("s")
        book.options(after=[s])("b", who=value(s.key))
        """, above=STEPS),
    Case("a value from a step that only reads", """
        found = look("l", who="me")
        for name in value(found.result):
            Thing(name, text=name)
        """, above=STEPS),
    Case("data beside its replacement", """
        s = Shelf("s", color="blue")
        Book("b", shelf=s)
        """, """
        s = Shelf("s")
        Book("b", shelf=s)
        """),
    Case("no data, deleted first", 'Lock("l", color="blue")', 'Lock("l")'),
    Case("a container deleted first, its data made with it", 'r = Bay("r")\nDisk("d", rack=r)', above=KINDS),
    Case("a container deleted first, without data in it", """
        r = Bay("r", color="blue")
        Drawer("d", rack=r)
        """, """
        r = Bay("r")
        Drawer("d", rack=r)
        """, above=KINDS),
    Case("an update", 'Thing("t", size=2)', 'Thing("t", size=1)'),
    Case("a row that is made", 'Row("r", text="new")', above=KINDS),
    Case("an adopted object that changes in place", 'Tagged("s", size=2)', 'Tagged("s", size=1, opts=Options(adopt=True))'),
    Case("an object that is adopted now, and changed", 'Tagged("s", size=2, opts=Options(adopt=True))\nThing("t")'),
    Case("a new identity that nobody knows", 'Slot("s", color="blue")', 'Slot("s")', above=KINDS),
    Case("a secret that stays", 'Safe("s", text=secret("env:SECRET"), size=2)', 'Safe("s", text=secret("env:SECRET"))'),
    Case("a claim that passes on in order", """
        a = Address("a", number=2)
        Address("b", number=1, opts=Options(after=[a]))
        """, """
        a = Address("a", number=1)
        Address("b", number=3, opts=Options(after=[a]))
        """, above=KINDS),
    Case("a claim that a removed node frees", 'Port("b", number=1)', 'Port("a", number=1)'),
    Case("protected once it is there", 'Thing("t", size=2, opts=Options(protect=True))', 'Thing("t")'),
    Case("retained in the end", 'Thing("t", color="blue", opts=Options(retain=True))', 'Thing("t", opts=Options(retain=True))'),
    Case("checks at every step", 'a = Thing("a")\np = Probe("p", of=a)\nThing("b", opts=Options(after=[p]))'),
    Case("a node with a new name", 'Thing("b", size=2, opts=Options(moved_from="test.Thing::a"))', 'Thing("a")'),
    Case("a container with a new name", """
        s = Shelf("t", opts=Options(moved_from="test.Shelf::s"))
        Book("b", shelf=s, text="new")
        """, """
        s = Shelf("s")
        Book("b", shelf=s, text="old")
        """),
    Case("an option that an earlier stage changed", """
        Thing("a")
        s = Server("s")
        Thing("t", text=value(s.key))
        """, 'Thing("a", opts=Options(protect=True))'),
    Case("removed nodes", "pass", 's = Shelf("s")\nBook("b", shelf=s)\nThing("t")'),
    Case("nothing to do", 'Thing("t")', 'Thing("t")'),
)  # fmt: skip
