"""The cloud's model under random requests: whatever is asked in whatever order, its rules hold."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from purvey.testing.cloud._model import Model
from purvey.testing.cloud._state import RULES
from purvey.testing.cloud._wire import Request
from tests.support.clock import VirtualClock

KINDS = st.sampled_from(sorted(RULES))
NAMES = st.sampled_from(["a", "b", "c"])
TOKENS = st.sampled_from(["", "t1", "t2", "t3"])


class CloudModel(RuleBasedStateMachine):
    """Creates, reads, lists and deletes, while time stands still but for `wait`."""

    made: Bundle[str] = Bundle("made")

    def __init__(self) -> None:
        super().__init__()
        self.model = Model(VirtualClock(), seed=1)
        self.model.order("freeze", {})
        self.ids: list[str] = []
        self.bodies: dict[str, tuple[str, str, Any]] = {}
        self.read: set[str] = set()
        self.listed: set[str] = set()
        self.deleted: set[str] = set()

    def send(self, method: str, kind: str, object_id: str = "", **more: Any) -> tuple[int, dict[str, Any]]:
        """A request with a good credential."""
        credential = self.model.credential().body["token"]
        headers = {"authorization": f"Bearer {credential}", **more.pop("headers", {})}
        answer = self.model.serve(Request(method=method, kind=kind, id=object_id, headers=headers, **more)).answer
        assert answer is not None
        return answer.status, answer.body

    @rule(kind=KINDS, unread=st.floats(0, 3), unlisted=st.floats(0, 3), looks=st.integers(0, 2))
    def behave(self, kind: str, unread: float, unlisted: float, looks: int) -> None:
        """Another habit for what is made or deleted from now on."""
        deleting = {"deleting_looks": looks} if RULES[kind].background else {}
        self.model.order("habit", {"kind": kind, "unread_s": unread, "unlisted_s": unlisted, **deleting})

    @rule(target=made, kind=KINDS, name=NAMES, token=TOKENS, data=st.data())
    def create(self, kind: str, name: str, token: str, data: st.DataObject) -> Any:
        """A new id, or the one that the token has made already, or a refusal that says why."""
        parents = [key for key in self.ids if key.startswith(f"{RULES[kind].parent}-") and key not in self.deleted]
        parent = data.draw(st.sampled_from(parents)) if RULES[kind].parent and parents else ""
        body = {"name": name, "parent": parent, "fields": {}, "tags": {}}
        before = list(self.model.state.objects.values())
        status, answer = self.send("POST", kind, body=body, headers={"idempotency-key": token})
        known = next((thing for thing in before if token and thing.token == token), None)
        taken = [item.id for item in before if (item.kind, item.name, item.parent) == (kind, name, parent)]
        if RULES[kind].anonymous:
            assert status == 201
        elif known is not None:
            same = self.bodies[known.id] == (kind, parent, body)
            assert (status, answer.get("id")) == ((201, known.id) if same else (422, None))
            return multiple()
        elif RULES[kind].parent and not parent:
            assert answer["error"] == "no_parent"
        elif RULES[kind].unique and taken:
            assert answer["error"] == "already_exists"
        if status != 201:
            return multiple()
        assert answer["id"] not in self.ids
        self.ids.append(answer["id"])
        self.bodies[answer["id"]] = (kind, parent, body)
        return answer["id"]

    @rule(key=made)
    def look(self, key: str) -> None:
        """What was seen once by a read is seen by each later one, until it is deleted; the same for lists."""
        kind = key.partition("-")[0]
        status, answer = self.send("GET", kind, key)
        is_there = status == 200 and answer["status"] in ("creating", "ready")
        is_listed = key in [item["id"] for item in self.send("GET", kind)[1]["items"]]
        for seen, known in ((is_there, self.read), (is_listed, self.listed)):
            if key in self.deleted:
                assert not seen
            elif key in known:
                assert seen
            elif seen:
                known.add(key)

    @rule(seconds=st.floats(0, 4))
    def wait(self, seconds: float) -> None:
        """Time goes on; three seconds after its creation everything is seen."""
        self.model.order("advance", {"seconds": seconds})
        if seconds > 3:
            self.read |= set(self.ids)
            self.listed |= set(self.ids)

    @rule(key=consumes(made), again=st.booleans())
    def delete(self, key: str, again: bool) -> None:
        """It goes with one effect, however often it is asked for; what still has something in it stays."""
        kind = key.partition("-")[0]
        effects = len(self.model.state.ledger)
        if self.send("DELETE", kind, key)[0] == 409:
            assert any(thing.parent == key for thing in self.model.state.objects.values())
            return
        self.deleted.add(key)
        if again:
            self.send("DELETE", kind, key)
        assert len(self.model.state.ledger) == effects + 1

    @invariant()
    def names_and_parents_hold(self) -> None:
        """Unique names are, nothing outlives its parent, and the ledger tells exactly what lives."""
        objects = self.model.state.objects
        unique = [(item.kind, item.name, item.parent) for item in objects.values() if RULES[item.kind].unique]
        assert len(unique) == len(set(unique))
        assert all(thing.parent in objects for thing in objects.values() if thing.parent)
        told = {effect.id for effect in self.model.state.ledger if effect.verb == "create"}
        assert told - {effect.id for effect in self.model.state.ledger if effect.verb == "delete"} == {
            key for key, thing in objects.items() if not thing.deleting
        }


TestCloudModel = CloudModel.TestCase
