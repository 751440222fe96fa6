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

VERBS: Final = ("create", "read", "list", "update", "delete")
"""What a request asks for."""

BEFORE: Final = frozenset({"throttle", "unavailable", "cut", "refuse", "expire", "kill"})
"""Actions that keep the request from having its effect."""

BY_CHANCE: Final[tuple[Action, ...]] = ("throttle", "unavailable", "unavailable_after", "cut", "cut_after")
"""What the random fault rate draws from."""

TAG_RUN: Final = "purvey:run"
TAG_MARK: Final = "purvey:mark"
TAG_NAME: Final = "purvey:name"
TAG_ADDRESS: Final = "purvey:address"
"""Tags that purvey's kinds give: the run, whose it is (`Call.mark`), the object's physical name and the node's address."""


AGAIN_S: Final = 0.05
AGAIN_S_MAX: Final = 10.0
"""When to look again at what is under way, in seconds: a cloud in memory is quick, but may be told not to be."""

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
        anonymous: Whether it takes neither a name nor tags nor a token, so that two requests make two objects, all alike.
        background: Whether its objects may be deleted in the background; then a read tells when it is done.
    """

    ranges: dict[str, tuple[int, int]]
    unique: bool = False
    parent: str = ""
    fixed: tuple[str, ...] = ()
    makes_secret: bool = False
    anonymous: bool = False
    background: bool = False


RULES: Final[dict[str, Rule]] = {
    "network": Rule({"mtu": (576, 9216)}, unique=True, fixed=("cidr",), background=True),
    "server": Rule({"cpus": (1, 64)}, parent="network", fixed=("image",), background=True),
    "volume": Rule({"size_gb": (1, 16384)}, fixed=("zone",)),
    "record": Rule({"ttl_s": (1, 86400)}, unique=True, parent="network"),
    "key": Rule({"days": (1, 3650)}, fixed=("algorithm",), makes_secret=True),
    "ticket": Rule({"urgency": (1, 5)}, anonymous=True),
}
"""The kinds of the API."""


class Thing(msgspec.Struct, kw_only=True):
    """An object: what it is, when it is to be seen (`visible_at` by its id, `listed_at` in lists), and when it is ready.

    `looks_left` and `ready_at` are about what is under way: its creation, or its deletion if it is `deleting`.
    """

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
    listed_at: float = 0.0
    deleting: bool = False

    def under_way(self, now: float) -> bool:
        """Whether its creation, or its deletion, is not complete."""
        return bool(self.looks_left) or now < self.ready_at

    def shown(self, now: float) -> dict[str, Any]:
        """The object as the API shows it; its secret is not shown."""
        under_way, complete = ("deleting", "deleted") if self.deleting else ("creating", "ready")
        status = under_way if self.under_way(now) else complete
        return {
            "id": self.id, "kind": self.kind, "name": self.name, "parent": self.parent, "status": status,
            "again_s": min(max(self.ready_at - now, AGAIN_S), AGAIN_S_MAX), "fields": self.fields, "tags": self.tags,
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
    """How objects of a kind come and go; see `Cloud.behave`."""

    creating_looks: int = 0
    creating_s: float = 0.0
    deleting_looks: int = 0
    deleting_s: float = 0.0
    hidden_s: float = 0.0
    unread_s: float = 0.0
    unlisted_s: float = 0.0
    quota: int = 0


class Manner(msgspec.Struct, kw_only=True):
    """How the whole cloud is: whose it is, how long a credential lasts, which schema it speaks, how often it goes wrong."""

    account: str = "test"
    credential_s: float = 3600.0
    schema: int = 1
    fault_rate: float = 0.0


class State(msgspec.Struct, kw_only=True):
    """All that the cloud knows.

    `objects` are the living, and `gone` those that were deleted in the background; `missed` are changes that were asked of what
    is not there. `ahead_s` is how far its clock was moved, and `frozen_at` where it stands.
    """

    objects: dict[str, Thing] = msgspec.field(default_factory=dict)
    gone: dict[str, Thing] = msgspec.field(default_factory=dict)
    missed: list[Effect] = msgspec.field(default_factory=list)
    ledger: list[Effect] = msgspec.field(default_factory=list)
    faults: list[Fault] = msgspec.field(default_factory=list)
    habits: dict[str, Habit] = msgspec.field(default_factory=lambda: {"server": Habit(creating_looks=2)})
    manner: Manner = msgspec.field(default_factory=Manner)
    credentials: dict[str, float] = msgspec.field(default_factory=dict)
    serial: int = 0
    drawn: int = 0
    requests: int = 0
    ahead_s: float = 0.0
    frozen_at: float | None = None
