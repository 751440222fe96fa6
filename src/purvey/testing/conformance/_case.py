"""Cases: what the kit must be told about a kind, written by the kind's author.

A case is made anew in each process and in each pass of the script, so it keeps nothing in itself: what it knows is in its
folder, and in `known`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, TypeAlias

from purvey._base.clock import SystemClock
from purvey._script.words import secret

if TYPE_CHECKING:
    from purvey._base.value import Secret
    from purvey._script.resource import Options, Resource

NAME: Final = "subject"
"""The name of the node under test; `declare` must use it."""

Wish: TypeAlias = Literal["first", "changed", "replaced", "failing"]
"""What shall be: the first wish; one that is reached in place; one that only another object fulfils; one that cannot be met."""

CheckWish: TypeAlias = Literal["passing", "failing", "impossible"]
"""What a check shall look at: what is so; what is not so (yet); what can never be so, found at the first attempt."""


class Situation:
    """What all cases have.

    Args:
        folder: The case's own folder, which exists and which everybody may enter; nobody else writes there.

    Attributes:
        kind: The kind under test.
        inapplicable: Behaviours that do not apply to the kind, each with the reason, for people.
        known: What `around` returned, resolved; filled in by the kit after each apply.
        objects: Where the engine keeps the objects' own files; filled in by the kit.
    """

    kind: ClassVar[type[Resource]]
    inapplicable: ClassVar[Mapping[str, str]] = {}

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.known: dict[str, Any] = {}
        self.objects = folder

    def around(self) -> Mapping[str, Any]:
        """Declare what must be there first; called in the stack's body.

        Returns:
            Outputs that the case's other methods need to find the object; they arrive in `known`.
        """
        return {}

    def secret(self, name: str) -> Secret:
        """A secret to declare with, a different one for each name, full of characters that want to be escaped."""
        path = self.folder / ".secrets" / name
        if not path.exists():
            path.parent.mkdir(mode=0o700, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(f'{SystemClock().entropy(12).hex()}%"&<é>/{name}')
        return secret(f"file:{path}")

    def plaintext(self, name: str) -> str:
        """What `secret` of that name holds, for the oracle."""
        return (self.folder / ".secrets" / name).read_text()

    def may_hold(self) -> Sequence[Path]:
        """Files that hold a secret because that is what they are for."""
        return ()


class Case(Situation):
    """How objects of a kind are declared, seen and disturbed; see the module `purvey.testing.conformance` for an example.

    `declare`, `expected` and `look` are always needed; of the others those whose behaviours apply.
    """

    def declare(self, wish: Wish, opts: Options) -> Resource:
        """Declare the object; called in the stack's body, after `around`. MUST pass `NAME` and `opts`."""
        raise NotImplementedError

    def expected(self, wish: Wish) -> Any:
        """What `look` returns once the wish is fulfilled."""
        raise NotImplementedError

    def look(self) -> Any:
        """What is there now, seen without the kind and without the record; None if nothing is.

        Returns:
            All that the wish decides, and how many objects there are where there could be several.
        """
        raise NotImplementedError

    def exists(self) -> bool:
        """Whether anything is there, complete or not; asked after an interruption. By default whether `look` sees it."""
        return self.look() is not None

    def identity(self) -> Any:
        """What must stay as it is when nothing changes, chance included: a process id, random content. By default `look`."""
        return self.look()

    def content(self) -> Any:
        """What an undo must bring back, chance included; may wait until it is complete. By default `look`."""
        return self.look()

    def lose(self) -> None:
        """Remove the object behind the engine's back."""
        raise NotImplementedError

    def drift(self) -> str | tuple[str, ...]:
        """Change the object behind the engine's back; returns the field that now differs, or all that tell it."""
        raise NotImplementedError

    def hidden(self) -> AbstractContextManager[None]:
        """Make it impossible for a while to tell whether the object exists."""
        raise NotImplementedError

    def found(self) -> None:
        """Make an object, other than the first wish asks for, under its identity, as somebody else would have."""
        raise NotImplementedError


class CheckCase(Situation):
    """How a kind that is a check is declared, and what it looks at.

    Attributes:
        evidence: What the report of a check that failed must contain.
    """

    evidence: ClassVar[str]

    def declare(self, wish: CheckWish, opts: Options) -> Resource:
        """Declare the check, `within_s` at most 2 for a failing one and 20 for others. MUST pass `NAME` and `opts`."""
        raise NotImplementedError

    def prepare(self, wish: CheckWish) -> None:
        """Bring what is looked at into the state that the wish names; afterwards the other state is gone."""

    def look(self) -> Any:
        """Everything in reach of the check that it could change."""
        raise NotImplementedError
