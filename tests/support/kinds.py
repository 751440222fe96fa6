"""Kinds over the JSON world, one for each way in which a kind can differ from the simplest one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from purvey import Input, Output, Resource, Secret, reveal
from purvey.errors import ProviderError
from purvey.providers import Absent, Call, Done, Observed, Outcome, Pending, Present, Provider, RecoversBy, Unreadable
from tests.support import points
from tests.support.world import World, here

FIELDS = ("size", "color", "text", "part", "data", "labels")


def _raise(world: World, verb: str, name: str, *, after: bool) -> None:
    fault = world.fault(verb, name)
    if fault is None:
        return
    if fault["after"] and not after:  # It was used up for the look before the effect; it bites after it.
        with world.edited() as content:
            content["faults"].append({**fault, "times": 1})
        return
    raise ProviderError(fault["code"], "The world refused", detail=fault["detail"], may_exist=fault["may_exist"])


class _Effect:
    """Brackets one effect with its points and its faults."""

    def __init__(self, verb: str, call: Call) -> None:
        self.world = here()
        self.verb = verb
        self.name = _name(call)
        self.call = call

    def __enter__(self) -> World:
        points.called(f"before the {self.verb} in the world")
        self.call.check_lease()
        _raise(self.world, self.verb, self.name, after=False)
        return self.world

    def __exit__(self, *failed: object) -> None:
        if failed[0] is None:
            points.called(f"after the {self.verb} in the world")
            _raise(self.world, self.verb, self.name, after=True)


class ThingProvider(Provider[Any]):
    """Keeps things in the world under the physical name that the engine chose."""

    def key(self, call: Call, want: Any) -> str:
        """The id under which a thing is made."""
        return call.name

    async def identity(self, call: Call, want: Any) -> Mapping[str, str]:
        """The world's owner."""
        world = here()
        if world.fault("identity", "*") is not None:
            raise ProviderError("unavailable", "The world does not answer")
        return {"owner": world.owner}

    def fields(self, want: Any) -> dict[str, Any]:
        """What is kept of a thing."""
        return {name: _shown(getattr(want, name)) for name in FIELDS if name in want._kind.inputs}

    async def create(self, call: Call, want: Any) -> Outcome:
        """Make it; under the same name again changes nothing."""
        key = self.key(call, want)
        name = _name(call)
        with _Effect("create", call) as world, world.edited() as content:
            if key not in content["objects"]:
                content["objects"][key] = {"name": name, "kind": want._kind.name, "token": call.token, **self.fields(want)}
                content["objects"][key] |= {"revision": 1, "tag": call.name, "mark": call.mark}
                content["log"].append(f"create {name}")
        await call.identified(key)
        return self.outcome(key)

    def outcome(self, key: str) -> Outcome:
        """What a create answers."""
        return Done(key, self.outputs(key))

    def outputs(self, key: str) -> dict[str, Any]:
        """The outputs of what is there."""
        entry = here().objects[key]
        return {"key": key, "revision": entry["revision"], "label": f"{entry['name']}:{entry.get('size')}"}

    async def read(self, call: Call, have: Any) -> Observed:
        """What is there under the id."""
        world = here()
        if world.fault("read", _name(call)) is not None:
            return Unreadable("the world is dark")
        entry = world.objects.get(call.id)
        if entry is None:
            return Absent()
        values = {name: entry[name] for name in FIELDS if name in entry and name != "part"}
        return Present(call.id, {**values, "revision": entry["revision"]})

    async def find(self, call: Call, want: Any) -> Observed:
        """What was made under its name, or by the same operation."""
        made = (key for key, entry in here().objects.items() if key == call.name or entry.get("token") == call.token)
        return next((self.found(key) for key in made), Absent())

    def found(self, key: str) -> Present:
        """What is there, and whose it is."""
        entry = here().objects[key]
        values = {**self.outputs(key), **{name: entry[name] for name in FIELDS if name in entry}}
        return Present(key, values, owner=entry.get("mark", ""))

    async def update(self, call: Call, have: Any, want: Any) -> Outcome:
        """Change it; a change that is there already changes nothing."""
        with _Effect("update", call) as world, world.edited() as content:
            entry = content["objects"].get(call.id)
            if entry is None:
                raise ProviderError("not_found", "The thing is gone")
            wanted = self.fields(want)
            if any(entry.get(name) != value for name, value in wanted.items()):
                entry.update(wanted)
                entry["revision"] += 1
                content["log"].append(f"update {entry['name']}")
        return Done(call.id, self.outputs(call.id))

    async def delete(self, call: Call, have: Any) -> None:
        """Remove it; gone already is success."""
        with _Effect("delete", call) as world, world.edited() as content:
            objects = content["objects"]
            if objects.pop(call.id or call.name, None) is not None:
                content["log"].append(f"delete {_name(call)}")
            gone = [call.id]
            while gone:  # What is in it goes with it, and what is in that.
                outer = gone.pop()
                inside = [key for key, entry in objects.items() if entry.get("shelf") == outer]
                gone += inside
                for key in inside:
                    del objects[key]


def _name(call: Call) -> str:
    return call.address.rpartition("::")[2]


def _shown(value: Any) -> Any:
    if isinstance(value, Secret):
        return f"opened {len(reveal(value))}"
    return value if not isinstance(value, Resource) else value.key  # type: ignore[attr-defined]


class Thing(Resource, kind="test.Thing", provider=ThingProvider):
    """The simplest kind: recovered by name, changed in place but for its colour."""

    size: int = Input(default=1)
    color: str = Input(default="red", immutable=True)
    text: str = Input(default="")
    data: dict[str, Any] = Input(default=None)
    labels: list[str] = Input(default=None)
    key: str = Output(stable=True)
    revision: int = Output()
    label: str = Output()


class TokenProvider(ThingProvider):
    """Recovers by token: a create with the same token finds the first one's thing, whose id the world chose."""

    recovers_by: RecoversBy = "token"

    def key(self, call: Call, want: Any) -> str:
        """An id of the world's own, the same for the same token."""
        for key, entry in here().objects.items():
            if entry.get("token") == call.token:
                return key
        with here().edited() as content:
            content["serial"] += 1
            return f"srv-{content['serial']}"


class Server(Resource, kind="test.Server", provider=TokenProvider):
    """The world chooses its id."""

    size: int = Input(default=1)
    color: str = Input(default="red", immutable=True)
    text: str = Input(default="")
    key: str = Output(stable=True)
    revision: int = Output()
    label: str = Output()


class TaggedProvider(TokenProvider):
    """Recovers by a tag: a create makes another thing each time, but what was made can be found by its name."""

    recovers_by: RecoversBy = "tag_at_create"

    def key(self, call: Call, want: Any) -> str:
        """Always a new id."""
        with here().edited() as content:
            content["serial"] += 1
            return f"tag-{content['serial']}"

    def named(self, object_id: str) -> dict[str, Any]:
        """Nothing: it is called as its node is."""
        return {}

    async def find(self, call: Call, want: Any) -> Observed:
        """What carries this object's own tag; else, for adoption, what is called so."""
        objects = here().objects
        called = (_name(call), want._kind.name)
        named = [key for key, entry in objects.items() if (entry.get("name"), entry.get("kind")) == called]
        tagged = [key for key in named if objects[key].get("tag") == call.name]
        return self.found((*tagged, *named)[0]) if named else Absent()


class Tagged(Resource, kind="test.Tagged", provider=TaggedProvider):
    """Found by what it is called; so also what `adopt` and `import` find."""

    size: int = Input(default=1)
    color: str = Input(default="red", immutable=True)
    key: str = Output(stable=True)
    revision: int = Output()
    label: str = Output()


class LostProvider(TaggedProvider):
    """Cannot be found again."""

    recovers_by: RecoversBy = "nothing"

    async def find(self, call: Call, want: Any) -> Observed:
        """Nothing, ever."""
        return Absent()


class Lost(Resource, kind="test.Lost", provider=LostProvider):
    """A kind whose interrupted create only a person can settle."""

    size: int = Input(default=1)
    key: str = Output(stable=True)
    revision: int = Output()
    label: str = Output()


class Shelf(Resource, kind="test.Shelf", provider=ThingProvider):
    """A container: what is in it goes with it."""

    color: str = Input(default="red", immutable=True)
    size: int = Input(default=1)
    key: str = Output(stable=True)
    revision: int = Output()
    label: str = Output()


class BookProvider(ThingProvider):
    """Lives in a shelf."""

    def fields(self, want: Any) -> dict[str, Any]:
        """With the shelf that it is in."""
        return {**super().fields(want), "shelf": want.shelf.key}


class Book(Resource, kind="test.Book", provider=BookProvider, holds_data=True):
    """Lives in a shelf, and its loss is a loss of data."""

    shelf: Shelf = Input(container=True)
    text: str = Input(default="")
    key: str = Output(stable=True)
    revision: int = Output()
    label: str = Output()


class Tag(Book, kind="test.Tag", provider=BookProvider):
    """Lives in a shelf, and says nothing that matters."""


class Lock(Resource, kind="test.Lock", provider=ThingProvider, delete_first=True):
    """Only one at a time: the old one goes before the new one comes, and it is deleted even when its shelf is."""

    shelf: Shelf = Input(default=None, container=True)
    color: str = Input(default="red", immutable=True)
    key: str = Output(stable=True)
    revision: int = Output()
    label: str = Output()


class PortProvider(ThingProvider):
    """Occupies its number alone."""

    def claims(self, want: Any) -> Sequence[str]:
        """The port."""
        return (f"tcp://127.0.0.1:{want.number}",)

    def predict(self, want: Any) -> Mapping[str, Any]:
        """The address follows from the number."""
        return {"address": f"127.0.0.1:{want.number}"}

    def outputs(self, key: str) -> dict[str, Any]:
        """With the address."""
        return {**super().outputs(key), "address": f"127.0.0.1:{here().objects[key]['number']}"}

    def fields(self, want: Any) -> dict[str, Any]:
        """With the number."""
        return {**super().fields(want), "number": want.number}


class Port(Resource, kind="test.Port", provider=PortProvider):
    """Claims a port; its address is known before it is there."""

    number: int = Input()
    color: str = Input(default="red", immutable=True)
    text: str = Input(default="")
    key: str = Output(stable=True)
    address: str = Output()
    revision: int = Output()
    label: str = Output()


class Rack(Shelf, kind="test.Rack", provider=PortProvider):
    """A shelf at a place of its own: the old one goes before a new one can stand there."""

    number: int = Input()
    address: str = Output()


class SafeProvider(ThingProvider):
    """Keeps only the length of a secret, and gives one of its own."""

    async def read(self, call: Call, have: Any) -> Observed:
        """Everything but the text, which no world gives back."""
        seen = await super().read(call, have)
        if isinstance(seen, Present):
            seen.values.pop("text")
        return seen

    def outputs(self, key: str) -> dict[str, Any]:
        """With a secret that the world made."""
        return {**super().outputs(key), "made": Secret(f"made-for-{here().objects[key]['name']}")}


class Safe(Resource, kind="test.Safe", provider=SafeProvider):
    """Takes a secret and makes one."""

    text: str | Secret = Input(default="", secret=True)
    size: int = Input(default=1)
    key: str = Output(stable=True)
    made: str = Output(secret=True, stable=True)
    revision: int = Output()
    label: str = Output()


class SlowProvider(ThingProvider):
    """Is ready after as many looks as its size says."""

    def outcome(self, key: str) -> Outcome:
        """Pending at first."""
        return Pending(key, 10.0, "warming up")

    async def ready(self, call: Call, want: Any) -> Outcome:
        """Count the looks."""
        with here().edited() as content:
            entry = content["objects"][call.id]
            entry["polls"] = entry.get("polls", 0) + 1
            polls = entry["polls"]
        if polls < entry["size"]:
            return Pending(call.id, 10.0, f"{polls} of {entry['size']}")
        return Done(call.id, self.outputs(call.id))


class Slow(Resource, kind="test.Slow", provider=SlowProvider):
    """Takes its time."""

    size: int = Input(default=3)
    key: str = Output(stable=True)
    revision: int = Output()
    label: str = Output()


class ProbeProvider(Provider[Any]):
    """Passes while the world does not say otherwise."""

    reads = False

    async def create(self, call: Call, want: Any) -> Outcome:
        """Look; a fault of the verb ``check`` with the code ``timeout`` is "not yet"."""
        points.called("in a check")
        world = here()
        fault = world.fault("check", _name(call))
        if fault is None:
            if want.absent and any(entry.get("name") == want.absent for entry in world.objects.values()):
                raise ProviderError("check_failed", "It is there", detail=f"{want.absent} is there")
            return Done(call.address, {"seen": len(world.objects)})
        if fault["code"] == "timeout":
            return Pending(call.address, 1.0, fault["detail"])
        raise ProviderError("check_failed", "It does not answer", detail=fault["detail"])


class Probe(Resource, kind="test.Probe", provider=ProbeProvider, check=True):
    """A check; `of` is what it looks at."""

    of: Any = Input(default=None)
    absent: str = Input(default="")
    within_s: float = Input(default=30.0)
    seen: int = Output()
