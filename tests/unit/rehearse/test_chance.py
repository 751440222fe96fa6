"""Random right scripts: a rehearsal blames none of them, and the real engine agrees."""

from __future__ import annotations

import random

import pytest

from tests.support.project import Project

PLACES = 7
ABOVE = '''
@step
def book(who: str) -> str:
    """Book a place."""
    return who

@book.undo
def _(result: str, /, who: str) -> None:
    """Cancel it."""

'''


class Author:
    """Writes scripts that can be undone: each node is used by reference, and no place passes from one node to another.

    Args:
        rng: Chance.
    """

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.kinds = [rng.choice(("thing", "thing", "shelf", "port", "step", "server")) for _ in range(PLACES)]
        self.uses = [sorted(rng.sample(range(place), rng.randint(0, min(2, place)))) for place in range(PLACES)]

    def script(self) -> str:
        """A new version: some nodes left out, sizes and colours as they fall."""
        kept = {place for place in range(PLACES) if self._rng.random() < 0.8}
        lines = [self._line(place, kept) for place in sorted(kept)]
        return "\n".join(lines) or "pass"

    def _line(self, place: int, kept: set[int]) -> str:
        uses = [use for use in self.uses[place] if use in kept]
        after = f"opts=Options(after=[{', '.join(f'n{use}' for use in uses)}])"
        color, size = self._rng.choice(("red", "blue")), self._rng.randint(1, 2)
        kind = self.kinds[place]
        if kind == "step":
            own = after.removeprefix("opts=Options(").removesuffix(")")
            return f'n{place} = book.options({own})("n{place}", who="{size}")'
        if kind == "port":
            return f'n{place} = Port("n{place}", number={place + 1}, color="{color}", text="{size}", {after})'
        if kind == "shelf":
            return f'n{place} = Shelf("n{place}", color="{color}", size={size}, {after})'
        shelves = [use for use in uses if self.kinds[use] == "shelf"]
        if kind == "thing" and shelves:
            return f'n{place} = Book("n{place}", shelf=n{shelves[0]}, text="{size}", {after})'
        texts = [use for use in uses if self.kinds[use] in ("thing", "server", "port")]
        text = f', text=f"of {{n{texts[0]}.key}}"' if texts else ""
        return f'n{place} = {kind.capitalize()}("n{place}", color="{color}", size={size}{text}, {after})'


@pytest.mark.trials(sample=25, full=500)
def test_a_random_right_script_is_not_blamed_and_can_be_undone(project: Project, rng: random.Random) -> None:
    """After a random version was applied, the rehearsal of another has no finding, and a real failure at its end is undone."""
    author = Author(rng)
    declare(project, author.script())
    assert project.apply().result == "succeeded"
    body = author.script()
    declare(project, body)

    found = project.session().rehearse(project.script_path)

    assert [(item.what, item.address, item.why) for item in found.findings] == []

    before, objects = set(project.state().resources), project.world.visible()
    nodes = [line.partition(" ")[0] for line in body.splitlines() if line != "pass"]
    declare(project, f'{body}\nProbe("last", opts=Options(after=[{", ".join(nodes)}]))')
    project.world.fail("check", "last")
    failed = project.apply()

    assert failed.result == "undone"
    assert project.world.visible() == objects
    assert set(project.state().resources) == before
    project.require_sound()


def declare(project: Project, body: str) -> None:
    """Write the script."""
    lines = body.replace("\n", "\n    ")
    project.write(f"{ABOVE}\n@stack\ndef main():\n    {lines}\n")
