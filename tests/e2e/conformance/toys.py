"""A sound toy kind, one that is broken in each way that the conformance kit is there to find, and a case for all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from purvey import Input, Output, Resource, Secret, reveal
from purvey.errors import ProviderError
from purvey.providers import Absent, Call, Done, Observed, Outcome, Pending, Present, Provider, Unreadable
from purvey.testing.conformance import NAME, Case, CheckCase, CheckWish, Wish

if TYPE_CHECKING:
    from purvey import Options


def at(path: str) -> Path:
    """What is at a path, for a look that takes no time."""
    return Path(path)


class NoteProvider(Provider["Note"]):
    """Notes are files; the password is only weighed."""

    lands_within_s = 0.1

    async def read(self, call: Call, have: Note) -> Observed:
        """What is there."""
        try:
            return Present(have.path, {"path": have.path, "text": at(have.path).read_text()})
        except FileNotFoundError:
            return Absent()
        except OSError as error:
            return Unreadable(str(error))

    async def find(self, call: Call, want: Note) -> Observed:
        """As `read`."""
        return await self.read(call, want)

    async def create(self, call: Call, want: Note) -> Outcome:
        """Write it."""
        if want.text == "failing":
            raise ProviderError("invalid", "It cannot be written", detail="the pen is empty")
        at(want.path).write_text(want.text)
        await call.identified(want.path)
        return Done(want.path, {"strength": len(str(reveal(want.password)))})

    async def update(self, call: Call, have: Note, want: Note) -> Outcome:
        """Write it again."""
        return await self.create(call, want)

    async def delete(self, call: Call, have: Note) -> None:
        """Remove it."""
        at(have.path).unlink(missing_ok=True)


class Note(Resource, kind="toy.Note", provider=NoteProvider):
    """A sound note."""

    path: str = Input(immutable=True)
    text: str = Input()
    password: Secret = Input(secret=True)
    strength: int = Output()


class Idle(NoteProvider):
    """Says that it has changed, and has not."""

    async def update(self, call: Call, have: Note, want: Note) -> Outcome:
        """Do nothing."""
        return Done(want.path, {"strength": 0})


class Restless(NoteProvider):
    """Never reads what was written."""

    async def read(self, call: Call, have: Note) -> Observed:
        """Something else."""
        seen = await super().read(call, have)
        return Present(have.path, {"path": have.path, "text": "else"}) if isinstance(seen, Present) else seen


class Doubling(NoteProvider):
    """Makes another object each time that it is called."""

    async def create(self, call: Call, want: Note) -> Outcome:
        """One more."""
        if at(want.path).exists():
            at(f"{want.path}-again").write_text(want.text)
        return await super().create(call, want)


class Blind(NoteProvider):
    """Takes what it cannot read for absent."""

    async def read(self, call: Call, have: Note) -> Observed:
        """Absent, whatever happens."""
        seen = await super().read(call, have)
        return Absent() if isinstance(seen, Unreadable) else seen


class Careless(NoteProvider):
    """Leaves its own folder behind."""

    async def create(self, call: Call, want: Note) -> Outcome:
        """Make a folder too."""
        at(call.folder).mkdir(parents=True, exist_ok=True)
        (at(call.folder) / "notes").write_text("mine")
        return await super().create(call, want)


class Talkative(NoteProvider):
    """Keeps its password where everybody can read it."""

    async def create(self, call: Call, want: Note) -> Outcome:
        """Write the password down."""
        done = await super().create(call, want)
        (at(want.path).parent.parent / "log").write_text(f"written with {reveal(want.password)}")
        return done


class Amnesiac(NoteProvider):
    """Takes nothing back."""

    async def undo(self, call: Call, have: Note, before: Note | None) -> None:
        """Do nothing."""


class Greedy(NoteProvider):
    """Writes over what others have made."""

    async def find(self, call: Call, want: Note) -> Observed:
        """Never look."""
        return Absent()


class Brittle(NoteProvider):
    """Refuses to go on with what it has begun."""

    async def create(self, call: Call, want: Note) -> Outcome:
        """Fail where something is, be it its own."""
        if at(want.path).exists():
            raise ProviderError("already_exists", "It is there already")
        return await super().create(call, want)


class Messy(NoteProvider):
    """Leaves half of what it could not make."""

    async def create(self, call: Call, want: Note) -> Outcome:
        """Begin before it knows."""
        at(want.path).write_text("half")
        return await super().create(call, want)


class Trusting(NoteProvider):
    """Believes that everything is as it was."""

    async def read(self, call: Call, have: Note) -> Observed:
        """What should be there."""
        return Present(have.path, {})

    async def find(self, call: Call, want: Note) -> Observed:
        """What is there."""
        return await super().read(call, want)


class Impatient(NoteProvider):
    """Removes what is not complete in time, when it is asked again."""

    async def create(self, call: Call, want: Note) -> Outcome:
        """Begin from nothing each time, and take back what was there."""
        if at(want.path).exists():
            at(want.path).unlink()
            raise ProviderError("failed", "It took too long")
        return await super().create(call, want)


class NoteCase(Case):
    """A note in a folder of its own."""

    kind: ClassVar[type[Resource]] = Note
    inapplicable: ClassVar[Mapping[str, str]] = {"cheap import": "the module of these toys imports the kit itself"}

    @property
    def room(self) -> Path:
        """The folder."""
        folder = self.folder / "room"
        if not folder.is_symlink():
            folder.mkdir(exist_ok=True)
        return folder

    def path(self, wish: Wish = "first") -> Path:
        """Where the note is."""
        return self.room / ("moved" if wish == "replaced" else "note")

    def declare(self, wish: Wish, opts: Options) -> Resource:
        """See `Case.declare`."""
        return self.kind(NAME, path=str(self.path(wish)), text=wish, password=self.secret("password"), opts=opts)

    def expected(self, wish: Wish) -> Any:
        """See `Case.expected`."""
        return {self.path(wish).name: wish}

    def look(self) -> Any:
        """See `Case.look`."""
        return {path.name: path.read_text() for path in sorted(self.room.iterdir())} or None

    def lose(self) -> None:
        """See `Case.lose`."""
        for path in self.room.iterdir():
            path.unlink()

    def drift(self) -> str:
        """See `Case.drift`."""
        self.path().write_text("somebody was here")
        return "text"

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """See `Case.hidden`: a name that leads in a circle."""
        aside = self.room.rename(self.folder / "aside")
        (self.folder / "room").symlink_to("room")
        yield
        (self.folder / "room").unlink()
        aside.rename(self.folder / "room")

    def found(self) -> None:
        """See `Case.found`."""
        self.path().write_text("somebody else's")

    def may_hold(self) -> Sequence[Path]:
        """See `Situation.may_hold`."""
        return ()


def broken(provider: type[NoteProvider]) -> type[NoteCase]:
    """The case of a kind that is a note with this provider."""
    name = provider.__name__
    kind = type(name, (Note,), {}, kind=f"toy.{name}", provider=provider)
    made = type(f"{name}Case", (NoteCase,), {"kind": kind, "__module__": __name__})
    globals()[made.__name__] = made
    return made


BROKEN = {provider.__name__: broken(provider) for provider in NoteProvider.__subclasses__()}


class PeekProvider(Provider["Peek"]):
    """Passes where the file says yes."""

    reads = False

    async def create(self, call: Call, want: Peek) -> Outcome:
        """Look once."""
        if want.path == "/":
            raise ProviderError("check_failed", "It can never pass", detail="a folder says nothing")
        text = self.look(Path(want.path))
        return Done(want.path, {}) if text == "yes" else Pending(want.path, 0.05, f"it says {text}")

    async def ready(self, call: Call, want: Peek) -> Outcome:
        """Look again."""
        return await self.create(call, want)

    def look(self, path: Path) -> str:
        """What the file says."""
        return path.read_text()


class Peek(Resource, kind="toy.Peek", provider=PeekProvider, check=True):
    """A sound check."""

    path: str = Input()
    within_s: float = Input(default=30.0)


class Meddling(PeekProvider):
    """Makes true what it should prove."""

    def look(self, path: Path) -> str:
        """Write first."""
        path.write_text("yes")
        return "yes"


class Silent(PeekProvider):
    """Does not say what it saw."""

    def look(self, path: Path) -> str:
        """Yes or something."""
        return "yes" if super().look(path) == "yes" else "something"


class Stubborn(PeekProvider):
    """Never gives up."""

    async def create(self, call: Call, want: Peek) -> Outcome:
        """Wait for what can never be."""
        with suppress(ProviderError):
            return await super().create(call, want)
        return Pending(want.path, 0.05, "it will come")


class PeekCase(CheckCase):
    """A file that says yes or no."""

    kind: ClassVar[type[Resource]] = Peek
    evidence = "it says no"
    inapplicable: ClassVar[Mapping[str, str]] = NoteCase.inapplicable

    def declare(self, wish: CheckWish, opts: Options) -> Resource:
        """See `CheckCase.declare`."""
        path = "/" if wish == "impossible" else str(self.folder / "answer")
        return self.kind(NAME, path=path, within_s=5.0 if wish == "passing" else 0.3, opts=opts)

    def prepare(self, wish: CheckWish) -> None:
        """See `CheckCase.prepare`."""
        (self.folder / "answer").write_text("yes" if wish == "passing" else "no")

    def look(self) -> Any:
        """See `CheckCase.look`."""
        return (self.folder / "answer").read_text()


def broken_check(provider: type[PeekProvider]) -> type[PeekCase]:
    """The case of a check with this provider."""
    name = provider.__name__
    kind = type(name, (Peek,), {}, kind=f"toy.{name}", provider=provider, check=True)
    made = type(f"{name}Case", (PeekCase,), {"kind": kind, "__module__": __name__})
    globals()[made.__name__] = made
    return made


BROKEN_CHECKS = {provider.__name__: broken_check(provider) for provider in PeekProvider.__subclasses__()}
