"""The conformance kit: what every kind must do, proved on the real engine, a real store and the real world.

The author of a kind writes a *case*: how an object is declared, how it looks from outside, how it is disturbed. The kit applies
it, changes it, loses it, kills the engine in the middle, takes it back, and looks after each step at the world itself, through
the case's own eyes and never through the kind's.

    class MotdCase(Case):
        kind = files.File

        def declare(self, wish, opts):
            return files.File(NAME, path=str(self.path), content=self.expected(wish), opts=opts)

        def expected(self, wish):
            return {"first": "hello", "changed": "good evening"}[wish]

        def look(self):
            return self.path.read_text() if self.path.exists() else None

    with Bench(folder) as bench:
        for behaviour in behaviours(MotdCase):
            bench.check(MotdCase, behaviour)

`BEHAVIOURS` says what is proved; what does not apply to a kind is named in its case, with the reason. A kind that is a check
(``check=True``) has a `CheckCase` and the behaviours of `CHECK_BEHAVIOURS`. Beside these, every single apply of the kit must do
what its plan said, and leave a record that contradicts neither itself nor its journal.

Invariants:

- The engine is not replaced anywhere. Where a behaviour needs an accident (an answer that is lost, a death between an effect
  and its record), the kind's own method runs to its end first, and then the accident happens.
- The case's module can be imported by name, because the dying engine is another process.

Not part of it: what only a server can be made to do, a storm of throttled answers and reads that lag behind writes.
"""

from __future__ import annotations

from purvey.testing.conformance._case import NAME, Case, CheckCase, CheckWish, Situation, Wish
from purvey.testing.conformance._kit import BEHAVIOURS, CHECK_BEHAVIOURS, Bench, behaviours
from purvey.testing.conformance._project import NotConformingError

__all__ = [
    "BEHAVIOURS",
    "CHECK_BEHAVIOURS",
    "NAME",
    "Bench",
    "Case",
    "CheckCase",
    "CheckWish",
    "NotConformingError",
    "Situation",
    "Wish",
    "behaviours",
]
