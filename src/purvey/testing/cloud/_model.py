"""The cloud without its network: a request goes in, what becomes of it comes out. Pure but for the clock that it is given.

Invariants:

- An effect and its line in the ledger happen together, whatever is answered afterwards.
- What a fault keeps from happening leaves no trace but the count of requests.
- Chance is drawn from the seed and a counter that is part of the state, so a state that is restored goes on alike.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import msgspec

from purvey.testing.cloud._oracle import violations
from purvey.testing.cloud._state import (
    BEFORE,
    BY_CHANCE,
    HIDDEN_S_MAX,
    RULES,
    TAG_ADDRESS,
    TAG_NAME,
    Effect,
    Fault,
    Habit,
    Manner,
    Rule,
    State,
    Thing,
)
from purvey.testing.cloud._wire import Answer, Reaction, RefusedError, Request

if TYPE_CHECKING:
    from purvey._base.clock import Clock

RETRY_AFTER_S: Final = 0.1
"""What a throttled caller is asked to wait unless the fault says otherwise, in seconds."""


class Model:
    """A cloud.

    Args:
        clock: Time.
        seed: Of all chance.
    """

    def __init__(self, clock: Clock, seed: int) -> None:
        self._clock = clock
        self._seed = seed
        self.state = State()
        self._orders: dict[str, Callable[..., Any]] = {
            "fault": self._add_fault, "habit": self._set_habit, "manner": self._set_manner, "advance": self._advance,
            "freeze": self._freeze, "thaw": self._thaw, "expire": self._expire, "load": self._load,
            "dump": lambda: msgspec.to_builtins(self.state),
            "ledger": lambda: msgspec.to_builtins(self.state.ledger), "objects": self._all,
            "violations": lambda recorded: violations(self.state, frozenset(recorded)), "change": self._change_behind,
            "remove": self._remove, "reset": self._reset,
            "requests": lambda: self.state.requests, "clear": self._calm,
        }  # fmt: skip

    def now(self) -> float:
        """Seconds since the epoch, on the cloud's own clock."""
        if self.state.frozen_at is not None:
            return self.state.frozen_at
        return self._clock.now() + self.state.ahead_s

    def order(self, name: str, arguments: dict[str, Any]) -> Any:
        """Do what the test, not the API, asks for.

        Raises:
            KeyError: if there is no such order.
        """
        self._sweep()
        return self._orders[name](**arguments)

    def credential(self) -> Answer:
        """A new credential."""
        token = f"credential-{self._drawn_text()}"
        self.state.credentials[token] = self.now() + self.state.manner.credential_s
        return Answer(200, {"token": token, "expires_in": self.state.manner.credential_s, "account": self.state.manner.account})

    def serve(self, request: Request) -> Reaction:
        """What becomes of a request to the API, with its effect."""
        self.state.requests += 1
        fault = self._fault_for(request)
        if fault is not None and fault.action in BEFORE:
            return self._faulty(fault, None, request)
        try:
            answer = self._perform(request)
        except RefusedError as refused:
            answer = refused.answer
        return self._faulty(fault, answer, request)

    # Faults.

    def _fault_for(self, request: Request) -> Fault | None:
        names = self._names(request)
        for fault in self.state.faults:
            if fault.matches(request.verb, request.kind, names):
                fault.nth -= 1
                if fault.nth < 1:
                    fault.times -= 1
                    return fault
        if self.state.manner.fault_rate and self._chance() < self.state.manner.fault_rate:
            return Fault(verb="*", kind="*", action=BY_CHANCE[int(self._chance() * len(BY_CHANCE))])
        return None

    def _names(self, request: Request) -> tuple[str, ...]:
        thing = self.state.objects.get(request.id)
        address = request.headers.get("purvey-address", "")
        named = thing.name if thing else str(request.body.get("name", "")) or request.query.get("name", "")
        return (named, request.id, address, address.rpartition("::")[2])

    def _faulty(self, fault: Fault | None, answer: Answer | None, request: Request) -> Reaction:
        """What is seen of an answer when the fault is applied to it."""
        if fault is None:
            return Reaction(answer=answer)
        match fault.action:
            case "throttle":
                wait = fault.seconds or RETRY_AFTER_S
                return Reaction(answer=Answer(429, {"error": "slow_down", "message": "Too many requests"}, wait))
            case "unavailable" | "unavailable_after":
                return Reaction(answer=Answer(503, {"error": "unavailable", "message": "Try again later"}))
            case "refuse":
                return Reaction(answer=Answer(400, {"error": "invalid", "message": "The request is refused"}))
            case "expire":
                self.state.credentials.pop(_bearer(request), None)
                return Reaction(answer=Answer(401, {"error": "expired", "message": "The credential has expired"}))
            case "slow":
                return Reaction(answer=answer, wait_s=fault.seconds)
            case "cut" | "cut_after":
                return Reaction(answer=None, wait_s=fault.seconds)
            case "kill" | "kill_after":
                return Reaction(answer=None, kills=True)

    # The API.

    def _perform(self, request: Request) -> Answer:
        self._sweep()
        self._admit(request)
        rule = RULES.get(request.kind)
        if rule is None:
            raise RefusedError(404, "not_found", f"There is no kind {request.kind}")
        match request.verb:
            case "create":
                return self._create(request, rule)
            case "list":
                return self._list(request)
            case "read":
                thing = self.state.gone.get(request.id) or self._thing(request)
                shown = thing.shown(self.now())
                thing.looks_left = max(0, thing.looks_left - 1)
                return Answer(200, shown)
            case "update":
                return self._update(request, rule)
            case _:
                return self._delete(request)

    def _admit(self, request: Request) -> None:
        if self.state.credentials.get(_bearer(request), 0.0) <= self.now():
            raise RefusedError(401, "expired", "The credential has expired")
        if request.headers.get("cloud-schema", "1") != str(self.state.manner.schema):
            raise RefusedError(426, "schema_changed", f"This cloud speaks schema {self.state.manner.schema} now")

    def _thing(self, request: Request) -> Thing:
        """What is read, or what is to be changed, which needs not be seen yet."""
        thing = self.state.objects.get(request.id)
        there = thing is not None and thing.kind == request.kind
        if there and thing is not None and (request.verb != "read" or self.now() >= thing.visible_at):
            return thing
        if not there and request.verb != "read":
            self.state.missed.append(self._effect(request.verb, request.kind, request.id, request=request))
        raise RefusedError(404, "not_found", f"There is no {request.kind} {request.id}")

    def _sweep(self) -> None:
        """What was being deleted, and is by now, goes; a read still tells that it was there."""
        for thing in [thing for thing in self.state.objects.values() if thing.deleting and not thing.under_way(self.now())]:
            self.state.gone[thing.id] = self.state.objects.pop(thing.id)

    def _list(self, request: Request) -> Answer:
        found = []
        for thing in self.state.objects.values():
            known = {"name": thing.name, "parent": thing.parent, **thing.tags}
            wanted = all(known.get(key) == text for key, text in request.query.items())
            if thing.kind == request.kind and wanted and self.now() >= thing.listed_at and not thing.deleting:
                found.append(thing.shown(self.now()))
        return Answer(200, {"items": found})

    def _create(self, request: Request, rule: Rule) -> Answer:
        body = json.dumps(request.body, sort_keys=True)
        key = "" if rule.anonymous else request.headers.get("idempotency-key", "")
        known = next((thing for thing in self.state.objects.values() if key and thing.token == key), None)
        if known is not None:
            if (known.kind, known.body) != (request.kind, body):
                raise RefusedError(422, "token_reused", "The token was used with another body")
            return self._made(known)
        name, parent = str(request.body.get("name", "")) * (not rule.anonymous), str(request.body.get("parent", ""))
        fields = dict(request.body.get("fields", {}))
        self._check(rule, fields)
        self._check_place(request.kind, rule, name, parent)
        self.state.serial += 1
        habit, now = self.state.habits.get(request.kind, Habit()), self.now()
        thing = Thing(
            id=f"{request.kind}-{self.state.serial:06d}", kind=request.kind, name=name, parent=parent, fields=fields,
            tags={} if rule.anonymous else dict(request.body.get("tags", {})), token=key, body=body,
            looks_left=habit.creating_looks, ready_at=now + habit.creating_s,
            visible_at=now + max(habit.hidden_s, habit.unread_s), listed_at=now + max(habit.hidden_s, habit.unlisted_s),
            secret=f"secret-{self._drawn_text()}" if rule.makes_secret else "",
        )  # fmt: skip
        if request.kind == "server":
            thing.fields["address"] = f"10.0.{self.state.serial // 256 % 256}.{self.state.serial % 256}"
        self.state.objects[thing.id] = thing
        self._note("create", thing, request)
        return self._made(thing)

    def _made(self, thing: Thing) -> Answer:
        return Answer(201, thing.shown(self.now()) | ({"secret": thing.secret} if thing.secret else {}))

    def _check_place(self, kind: str, rule: Rule, name: str, parent: str) -> None:
        objects = self.state.objects
        if rule.parent and (parent not in objects or objects[parent].kind != rule.parent or objects[parent].deleting):
            raise RefusedError(404, "no_parent", f"There is no {rule.parent} {parent!r}")
        same = [thing for thing in objects.values() if thing.kind == kind]
        if rule.unique and any((thing.name, thing.parent) == (name, parent) for thing in same):
            raise RefusedError(409, "already_exists", f"There is a {kind} called {name} already")
        quota = self.state.habits.get(kind, Habit()).quota
        if quota and len(same) >= quota:
            raise RefusedError(403, "quota_exceeded", f"At most {quota} of the kind {kind}")

    def _check(self, rule: Rule, fields: dict[str, Any]) -> None:
        for name, (least, most) in rule.ranges.items():
            if name in fields and not least <= fields[name] <= most:
                raise RefusedError(400, "invalid", f"{name} is {fields[name]}, and must be {least} to {most}")

    def _update(self, request: Request, rule: Rule) -> Answer:
        thing = self._thing(request)
        if thing.deleting:
            raise RefusedError(409, "in_use", f"{thing.id} is being deleted")
        fields = dict(request.body.get("fields", {}))
        fixed = [name for name in rule.fixed if name in fields and fields[name] != thing.fields.get(name)]
        if fixed:
            raise RefusedError(400, "invalid", f"{fixed[0]} cannot be changed")
        self._check(rule, fields)
        if any(thing.fields.get(name) != value for name, value in fields.items()):
            thing.fields |= fields
            self._note("update", thing, request)
        return Answer(200, thing.shown(self.now()))

    def _delete(self, request: Request) -> Answer:
        """Remove it, or begin to; to ask again while it is being deleted changes nothing."""
        thing, habit = self._thing(request), self.state.habits.get(request.kind, Habit())
        if not thing.deleting:
            self._require_empty(thing.id)
            self._note("delete", thing, request)
            if not (habit.deleting_looks or habit.deleting_s):
                del self.state.objects[thing.id]
                return Answer(200, {})
            thing.deleting, thing.looks_left, thing.ready_at = True, habit.deleting_looks, self.now() + habit.deleting_s
        return Answer(202, thing.shown(self.now()))

    def _remove(self, object_id: str) -> None:
        self._require_empty(object_id)
        self._note("delete", self.state.objects.pop(object_id))

    def _require_empty(self, object_id: str) -> None:
        children = [thing.id for thing in self.state.objects.values() if thing.parent == object_id]
        if children:
            raise RefusedError(409, "in_use", f"{object_id} still has {', '.join(children)} in it")

    def _note(self, verb: str, thing: Thing, request: Request | None = None) -> None:
        address, tag = thing.tags.get(TAG_ADDRESS, ""), thing.tags.get(TAG_NAME, "")
        effect = self._effect(verb, thing.kind, thing.id, name=thing.name, tag=tag, address=address, request=request)
        self.state.ledger.append(effect)

    def _effect(
        self, verb: str, kind: str, object_id: str, *, name: str = "", tag: str = "", address: str = "",
        request: Request | None,
    ) -> Effect:  # fmt: skip
        headers = request.headers if request is not None else {}
        return Effect(
            verb=verb, kind=kind, id=object_id, name=name, tag=tag, token=headers.get("purvey-token", ""),
            run=headers.get("purvey-run", ""), address=headers.get("purvey-address", address), at=self.now(),
        )  # fmt: skip

    # What tests ask for.

    def _all(self) -> list[dict[str, Any]]:
        return [thing.shown(self.now()) for thing in self.state.objects.values()]

    def _add_fault(self, **fields: Any) -> None:
        self.state.faults.append(msgspec.convert(fields, Fault))

    def _calm(self) -> None:
        self.state.faults.clear()

    def _set_habit(self, kind: str, **fields: Any) -> None:
        habit = msgspec.convert(fields, Habit)
        if max(habit.hidden_s, habit.unread_s, habit.unlisted_s) > HIDDEN_S_MAX:
            raise ValueError(f"This cloud shows everything within {HIDDEN_S_MAX:g} s.")
        if (habit.deleting_looks or habit.deleting_s) and not RULES[kind].background:
            raise ValueError(f"A {kind} is deleted at once.")
        self.state.habits[kind] = habit

    def _set_manner(self, **fields: Any) -> None:
        self.state.manner = msgspec.convert({**msgspec.to_builtins(self.state.manner), **fields}, Manner)

    def _advance(self, seconds: float) -> None:
        self.state.ahead_s += seconds
        if self.state.frozen_at is not None:
            self.state.frozen_at += seconds

    def _freeze(self) -> None:
        self.state.frozen_at = self.now()

    def _thaw(self) -> None:
        if self.state.frozen_at is not None:
            self.state.ahead_s, self.state.frozen_at = self.state.frozen_at - self._clock.now(), None

    def _expire(self) -> None:
        self.state.credentials.clear()

    def _reset(self) -> None:
        self._load(msgspec.to_builtins(State()))

    def _load(self, state: dict[str, Any]) -> None:
        self.state = msgspec.convert(state, State)

    def _change_behind(self, object_id: str, fields: dict[str, Any]) -> None:
        thing = self.state.objects[object_id]
        thing.fields |= fields
        self._note("update", thing)

    # Chance.

    def _chance(self) -> float:
        return int(self._drawn_text(), 16) / 16**16

    def _drawn_text(self) -> str:
        self.state.drawn += 1
        return hashlib.sha256(f"{self._seed}:{self.state.drawn}".encode()).hexdigest()[:16]


def _bearer(request: Request) -> str:
    return request.headers.get("authorization", "").removeprefix("Bearer ")
