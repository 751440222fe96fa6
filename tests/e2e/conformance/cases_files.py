"""Cases for the kinds of files."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from purvey.resources import files
from purvey.testing.conformance import NAME, Case, Situation, Wish

if TYPE_CHECKING:
    from purvey import Options, Resource

TEMPLATE = "greeting = {{ greeting }}\npassword = {{ password }}\n"


@contextmanager
def unreachable(folder: Path) -> Iterator[None]:
    """For a while, whatever is in `folder` can be neither seen nor called absent: its name leads in a circle, for root too."""
    aside = folder.with_name(f"{folder.name}-aside")
    folder.rename(aside)
    folder.symlink_to(folder.name)
    try:
        yield
    finally:
        folder.unlink()
        aside.rename(folder)


class Place(Situation):
    """Two places in a folder of the case's own: the one that counts, and the one that an object is moved to."""

    @property
    def room(self) -> Path:
        """The folder in which both are; `unreachable` hides it."""
        folder = self.folder / "room"
        if not folder.is_symlink():
            folder.mkdir(exist_ok=True)
        return folder

    def path(self, wish: Wish = "first") -> Path:
        """Where the object of a wish is."""
        return self.room / ("moved" if wish == "replaced" else "here")

    def there(self) -> Path | None:
        """The one place where something is; never both."""
        found = [path for path in (self.path(), self.path("replaced")) if path.exists() or path.is_symlink()]
        assert len(found) <= 1, found
        return found[0] if found else None

    def exists(self) -> bool:
        """See `Case.exists`."""
        return self.there() is not None

    def lose(self) -> None:
        """See `Case.lose`."""
        path = self.path()
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """See `Case.hidden`."""
        with unreachable(self.room):
            yield


class DirectoryCase(Place, Case):
    """`files.Directory`: its mode changes in place, its path does not."""

    kind = files.Directory
    inapplicable: ClassVar[Mapping[str, str]] = {
        "failure": "what can be wrong with a directory is found by preflight, before anything is made",
        "failed update": "as for its creation",
    }

    def declare(self, wish: Wish, opts: Options) -> Resource:
        """See `Case.declare`."""
        return files.Directory(NAME, path=str(self.path(wish)), mode=self.expected(wish)["mode"], opts=opts)

    def expected(self, wish: Wish) -> Mapping[str, Any]:
        """See `Case.expected`."""
        return {"at": self.path(wish).name, "mode": "0750" if wish == "changed" else "0700"}

    def look(self) -> Mapping[str, Any] | None:
        """See `Case.look`."""
        path = self.there()
        return {"at": path.name, "mode": f"{path.stat().st_mode & 0o7777:04o}"} if path is not None else None

    def identity(self) -> Any:
        """See `Case.identity`."""
        path = self.there()
        return (self.look(), path.stat().st_ino) if path is not None else None

    def drift(self) -> str:
        """See `Case.drift`."""
        self.path().chmod(0o711)
        return "mode"

    def found(self) -> None:
        """See `Case.found`."""
        self.path().mkdir(mode=0o711)


class FileCase(Place, Case):
    """`files.File` with plain content; a validating program that says no makes it fail."""

    kind = files.File
    inapplicable: ClassVar[Mapping[str, str]] = {"secrets": "the content is plain here; `TemplateCase` has a secret"}

    def declare(self, wish: Wish, opts: Options) -> Resource:
        """See `Case.declare`."""
        validate = ["grep", "--quiet", "no such text", "{path}"] if wish == "failing" else None
        text = {"changed": "good evening\n", "failing": "good night\n"}.get(wish, "hello\n")
        return files.File(NAME, path=str(self.path(wish)), content=text, mode="0640", validate=validate, opts=opts)

    def expected(self, wish: Wish) -> Mapping[str, Any]:
        """See `Case.expected`."""
        return {"at": self.path(wish).name, "mode": "0640", "text": "good evening\n" if wish == "changed" else "hello\n"}

    def look(self) -> Mapping[str, Any] | None:
        """See `Case.look`; files that are half written, beside it, would count."""
        path = self.there()
        assert path is None or [path] == list(path.parent.iterdir())
        if path is None:
            return None
        return {"at": path.name, "mode": f"{path.stat().st_mode & 0o7777:04o}", "text": path.read_text()}

    def identity(self) -> Any:
        """See `Case.identity`."""
        path = self.there()
        return (self.look(), path.stat().st_ino, path.stat().st_mtime_ns) if path is not None else None

    def drift(self) -> str | tuple[str, ...]:
        """See `Case.drift`: the digest tells it, and the content shows it."""
        self.path().write_text("somebody was here\n")
        return "digest", "content"

    def found(self) -> None:
        """See `Case.found`."""
        self.path().write_text("somebody else's\n")
        self.path().chmod(0o640)


class TemplateCase(FileCase):
    """`files.File` from a template that is filled with a secret."""

    inapplicable: ClassVar[Mapping[str, str]] = {}

    def declare(self, wish: Wish, opts: Options) -> Resource:
        """See `Case.declare`."""
        template = self.folder / "greeting.j2"
        template.write_text(TEMPLATE)
        greeting = {"changed": "good evening", "failing": "good night"}.get(wish, "hello")
        variables = {"greeting": greeting, "password": self.secret("password")}
        validate = ["cat", "{path}", "/no/such/file"] if wish == "failing" else None
        return files.File(
            NAME,
            path=str(self.path(wish)),
            template=str(template),
            variables=variables,
            mode="0640",
            validate=validate,
            opts=opts,
        )

    def expected(self, wish: Wish) -> Mapping[str, Any]:
        """See `Case.expected`."""
        greeting = "good evening" if wish == "changed" else "hello"
        text = f"greeting = {greeting}\npassword = {self.plaintext('password')}\n"
        return {"at": self.path(wish).name, "mode": "0640", "text": text}

    def may_hold(self) -> Sequence[Path]:
        """See `Situation.may_hold`: the file is for it, and the copy for an undo is the same file's."""
        own = [path for path in self.objects.rglob("*.before") if path.stat().st_mode & 0o777 == 0o600]
        return [self.path(), self.path("replaced"), *own]

    def drift(self) -> str:
        """See `Case.drift`: what holds a secret is not shown."""
        super().drift()
        return "digest"


class LinkCase(Place, Case):
    """`files.Link`: its target changes in place."""

    kind = files.Link
    inapplicable: ClassVar[Mapping[str, str]] = {
        "failure": "what can be wrong with a link is found by preflight, before anything is made",
        "failed update": "as for its creation",
    }

    def declare(self, wish: Wish, opts: Options) -> Resource:
        """See `Case.declare`."""
        return files.Link(NAME, path=str(self.path(wish)), target=self.expected(wish)["target"], opts=opts)

    def expected(self, wish: Wish) -> Mapping[str, Any]:
        """See `Case.expected`."""
        return {"at": self.path(wish).name, "target": "releases/2" if wish == "changed" else "releases/1"}

    def look(self) -> Mapping[str, Any] | None:
        """See `Case.look`."""
        path = self.there()
        return {"at": path.name, "target": str(path.readlink())} if path is not None else None

    def drift(self) -> str:
        """See `Case.drift`."""
        self.path().unlink()
        self.path().symlink_to("elsewhere")
        return "target"

    def found(self) -> None:
        """See `Case.found`."""
        self.path().symlink_to("somebody/elses")
