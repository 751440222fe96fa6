"""What the cloud remembers: objects, the ledger of effects, faults to come, and how it behaves; plain data, saved whole."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any, Final, Literal, TypeAlias

import msgspec

Action: TypeAlias = Literal[
    "throttle", "unavailable", "unavailable_after", "cut", "cut_after", "slow", "refuse", "expire", "kill", "kill_after"
]
"""What goes wrong with a request: answered 429; 503 before or after the effect; the connection cut before or after it; a slow
answer; 400; its credential is not accepted any more; the process that asked is killed before or after the effect."""

BEFORE: Final = frozenset({"throttle", "unavailable", "cut", "refuse", "expire", "kill"})
"""Actions that keep the request from having its effect."""

BY_CHANCE: Final[tuple[Action, ...]] = ("throttle", "unavailable", "unavailable_after", "cut", "cut_after")
"""What the random fault rate draws from."""

TAG_RUN: Final = "purvey:run"
TAG_MARK: Final = "purvey:mark"
TAG_NAME: Final = "purvey:name"
TAG_ADDRESS: Final = "purvey:address"
"""Tags that purvey's kinds give: the run, whose it is (`Call.mark`), the object's physical name and the node's address."""


HIDDEN_S_MAX: Final = 3.0
"""The cloud's promise: after so many seconds what was made is seen by every read and every list."""


class Rule(msgspec.Struct, frozen=True):
    """What holds for a kind, as its API documents it.

    Attributes:
        unique: Whether two objects of the kind may not have one name, within one parent.
        parent: The kind that an object lives in; empty for none.
        ranges: Numbers that are checked, with the least and the greatest.
        fixed: Fields that no PATCH changes.
        makes_secret: Whether a secret is made, and told in the answer to the create only.
    """

    ranges: dict[str, tuple[int, int]]
    unique: bool = False
    parent: str = ""
    fixed: tuple[str, ...] = ()
    makes_secret: bool = False


RULES: Final[dict[str, Rule]] = {
    "network": Rule({"mtu": (576, 9216)}, unique=True, fixed=("cidr",)),
    "server": Rule({"cpus": (1, 64)}, parent="network", fixed=("image",)),
    "volume": Rule({"size_gb": (1, 16384)}, fixed=("zone",)),
    "record": Rule({"ttl_s": (1, 86400)}, unique=True, parent="network"),
    "key": Rule({"days": (1, 3650)}, fixed=("algorithm",), makes_secret=True),
}
"""The kinds of the API."""


class Thing(msgspec.Struct, kw_only=True):
    """An object: what it is, when it is to be seen (`visible_at`), and when it is ready (`looks_left`, `ready_at`)."""

    id: str
    kind: str
    name: str
    parent: str
    fields: dict[str, Any]
    tags: dict[str, str]
    token: str = ""
    body: str = ""
    secret: str = ""
    looks_left: int = 0
    ready_at: float = 0.0
    visible_at: float = 0.0

    def shown(self, now: float) -> dict[str, Any]:
        """The object as the API shows it; its secret is not shown."""
        status = "creating" if self.looks_left or now < self.ready_at else "ready"
        return {
            "id": self.id, "kind": self.kind, "name": self.name, "parent": self.parent, "status": status,
            "fields": self.fields, "tags": self.tags,
        }  # fmt: skip


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the ledger: something that really changed.

    Attributes:
        verb: ``create``, ``update`` or ``delete``.
        kind: The kind in the API, such as ``server``.
        id: The object.
        name: Its name.
        tag: Its physical name, as tagged; empty for an object of somebody else.
        token: The operation's token.
        run: The run that asked.
        address: The node that it asked for.
        at: Seconds since the epoch, on the cloud's clock.
    """

    verb: str
    kind: str
    id: str
    name: str
    tag: str = ""
    token: str = ""
    run: str = ""
    address: str = ""
    at: float = 0.0


class Fault(msgspec.Struct, kw_only=True):
    """What goes wrong with requests that match, `times` times from the `nth` on; `seconds` is the wait that the action has."""

    verb: str
    kind: str
    action: Action
    name: str = "*"
    times: int = 1
    nth: int = 1
    seconds: float = 0.0

    def matches(self, verb: str, kind: str, names: tuple[str, ...]) -> bool:
        """Whether it is about such a request; `names` are all by which the object is known."""
        named = self.name == "*" or any(fnmatchcase(name, self.name) for name in names if name)
        return self.times > 0 and fnmatchcase(verb, self.verb) and fnmatchcase(kind, self.kind) and named


class Habit(msgspec.Struct, kw_only=True):
    """How objects of a kind come to be: `creating` for so many looks and seconds, `hidden` so many seconds, at most `quota`."""

    creating_looks: int = 0
    creating_s: float = 0.0
    hidden_s: float = 0.0
    quota: int = 0


class Manner(msgspec.Struct, kw_only=True):
    """How the whole cloud is: whose it is, how long a credential lasts, which schema it speaks, how often it goes wrong."""

    account: str = "test"
    credential_s: float = 3600.0
    schema: int = 1
    fault_rate: float = 0.0


class State(msgspec.Struct, kw_only=True):
    """All that the cloud knows; `objects` are the living, `ahead_s` is how far its clock was moved."""

    objects: dict[str, Thing] = msgspec.field(default_factory=dict)
    ledger: list[Effect] = msgspec.field(default_factory=list)
    faults: list[Fault] = msgspec.field(default_factory=list)
    habits: dict[str, Habit] = msgspec.field(default_factory=lambda: {"server": Habit(creating_looks=2)})
    manner: Manner = msgspec.field(default_factory=Manner)
    credentials: dict[str, float] = msgspec.field(default_factory=dict)
    serial: int = 0
    drawn: int = 0
    requests: int = 0
    ahead_s: float = 0.0


def violations(state: State, recorded: frozenset[str]) -> list[str]:
    """What went wrong by the ledger's word, in sentences; none if nothing was lost, leaked or doubled.

    Args:
        state: The cloud.
        recorded: The ids that purvey's record has of objects in this cloud.
    """
    found = [*_doubled(state.ledger)]
    for thing in state.objects.values():
        if TAG_RUN in thing.tags and thing.id not in recorded:
            found.append(f"orphan: {thing.kind} {thing.id} ({thing.tags.get(TAG_ADDRESS)}) lives and is not recorded")
        if thing.parent and thing.parent not in state.objects:
            found.append(f"outlives its parent: {thing.kind} {thing.id} in {thing.parent}")
    found += [f"lost: {key} is recorded and does not live" for key in sorted(recorded) if key not in state.objects]
    return found


def _doubled(ledger: list[Effect]) -> list[str]:
    """Creates of what lives already, and effects that one token had twice."""
    found: list[str] = []
    living: dict[tuple[str, str], str] = {}
    seen: set[tuple[str, str, str]] = set()
    for effect in ledger:
        own = (effect.kind, effect.tag)
        if effect.verb == "create" and effect.tag:
            if own in living:
                found.append(f"created twice: {effect.kind} {effect.tag} is {living[own]} and {effect.id}")
            living[own] = effect.id
        elif effect.verb == "delete" and living.get(own) == effect.id:
            del living[own]
        once = (effect.token, effect.verb, "" if effect.verb == "create" else effect.id)
        if effect.token and once in seen:
            found.append(f"done twice: {effect.verb} of {effect.kind} {effect.id} for the token {effect.token}")
        seen.add(once)
    return found
