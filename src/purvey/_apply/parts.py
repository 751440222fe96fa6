"""What every part of a run works with, put together once by the session."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from purvey._apply.call import EngineCall
from purvey._apply.hosts import ROUTE_SECRETS, machine_of
from purvey._apply.redacting import Redacting
from purvey._base.address import full, parted, split
from purvey._base.value import (
    PLAIN,
    Link,
    Masked,
    NodeLink,
    Secret,
    SecretRef,
    Unknown,
    Value,
    canonical,
    dig,
    digest,
    resolve,
    thaw,
    walk,
)
from purvey._hosts.paths import OWN_FOLDER
from purvey._plan.decide import Decider, Observations
from purvey._plan.decision import moves
from purvey._secrets.redaction import Redactor
from purvey._state.lease import Former
from purvey._state.record import thawed
from purvey._state.resource import ResourceState
from purvey.errors import InternalError, ProviderError, ScriptError
from purvey.providers import NotKnownError

if TYPE_CHECKING:
    from purvey._apply.hosts import Hosts
    from purvey._base.clock import Clock
    from purvey._base.event import Event, Observer
    from purvey._graph import Node
    from purvey._hosts.connector import Connector
    from purvey._secrets.backends import Reader
    from purvey._secrets.sealing import Sealer
    from purvey._state.state import State
    from purvey.providers import Kind, Observed, Registry

_OF_A_WRITTEN_WAY = PLAIN | {SecretRef, Masked}
"""What a way to a machine consists of that is the same in the whole run; an output of another node may get another value."""


class Parts:
    """The tools of one run, and the state it works on.

    Args:
        stack: ``name/environment``.
        run: The run's id.
        state: What is recorded; kept up to date by whoever writes records.
        kinds: The kinds.
        hosts: The machines.
        reader: Reads secrets from their backends.
        sealer: Masks and seals.
        clock: Time and chance.
        observer: Sees every event.
        folder: Where this stack's objects keep their own files.
        estate: The store's id.
        other_stacks: Reads what is recorded of the estate's other stacks.

    Attributes:
        guard: Called before each call of a provider; raises when the lease is lost.
        former: The holder of the lease before this run, whose calls may still land.
        asks_machines: Whether machines may be asked more than kinds ask; not in a rehearsal, whose kinds ask none.
        unanswered: When the last call of an operation was cut off that this run has not had an answer to, by operation.
    """

    def __init__(
        self, *, stack: str, run: str, state: State, kinds: Registry, hosts: Hosts, reader: Reader, sealer: Sealer,
        clock: Clock, observer: Observer, folder: Path, estate: str,
        other_stacks: Callable[[], Mapping[str, State]] = dict,
    ) -> None:  # fmt: skip
        self.stack = stack
        self.run = run
        self.state = state
        self.kinds = kinds
        self.hosts = hosts
        self._at_rest: dict[str, Value] = {}
        self.reader = reader
        self.sealer = sealer
        self.clock = clock
        self.guard: Callable[[], None] = lambda: None
        self.former = Former()
        self.asks_machines = True
        self.unanswered: dict[str, float] = {}
        self.redactor = Redactor()
        self.observer = Redacting(observer, self.redactor)
        self.folder = folder
        self.estate = estate
        self.other_stacks = other_stacks

    def tell(self, event: Event) -> None:
        """Show `event` to the observer."""
        self.observer.on(event)

    def mask(self, reference: SecretRef | Masked) -> Masked:
        """A secret in a backend, or one that is sealed, as a plan may hold it."""
        if isinstance(reference, Masked):
            return reference
        try:
            return self.sealer.mask(self.reader.read(reference.source))
        except (ScriptError, ProviderError):  # Preflight tells; a plan can be made all the same.
            return Masked(f"(unreadable) {reference.source}", reference)

    def open(self, reference: SecretRef | Masked) -> Secret:
        """A secret in a backend, or one that is sealed, as a provider gets it."""
        secret = self.sealer.unseal(reference) if isinstance(reference, Masked) else self.reader.read(reference.source)
        self.redactor.add(secret)
        return secret

    def masked_link(self, link: Link) -> Value:
        """What an output is by the record, secrets masked; `Unknown` while its node is not recorded."""
        return dig(self._recorded(link), link.path)

    def _recorded(self, link: Link) -> Value:
        """The whole output that `link` points into."""
        record = self.state.latest(link.address)
        if record is None:
            return Unknown(str(link))
        values = record.outputs if link.output in record.outputs else record.inputs
        if link.output not in values:
            return self.kinds.get(record.kind).default(link.output)
        return thaw(values[link.output])

    def open_link(self, link: Link) -> Value:
        """What an output is by the record, secrets opened."""
        return dig(self.opened(self._recorded(link)), link.path)

    def opened(self, value: Value) -> Value:
        """`value` with everything masked in it opened: read again from its source, or unsealed."""
        return _with_masked(value, self._open_masked)

    def _open_masked(self, masked: Masked) -> Value:
        if masked.origin is not None:
            return resolve(masked.origin, self.open_link, self.open)
        return self.open(masked)

    def _open_if_there(self, masked: Masked) -> Value:
        """A secret opened; itself where its source does not yield it any more, so that only who needs it fails."""
        try:
            return self._open_masked(masked)
        except (ScriptError, ProviderError):
            return masked

    def at_rest(self, kind: Kind, values: Mapping[str, Value]) -> dict[str, Value]:
        """What a provider gave or found, as it may be recorded: what its kind calls secret sealed."""
        secrets = {name: Secret(value) for name, value in values.items() if name in kind.secrets and _is_plain_secret(value)}
        sealed: dict[str, Value] = self.sealer.protect({**values, **secrets})
        return sealed

    def found_inputs(self, kind: Kind, found: Mapping[str, Value], known: Mapping[str, Value]) -> dict[str, Value]:
        """Those of the inputs in `known` that were found to be others, as they may be recorded."""
        return self.at_rest(
            kind, {name: found[name] for name, value in known.items() if name in found and found[name] != value}
        )

    def masked_inputs(self, node: Node) -> dict[str, Value]:
        """A node's inputs by the record as it is now, secrets masked."""
        return {name: resolve(value, self.masked_link, self.mask) for name, value in node.inputs.items()}

    def opened_inputs(self, node: Node) -> dict[str, Value]:
        """A node's inputs by the record as it is now, secrets opened; only inputs that accept secrets can hold any."""
        secrets = self.kinds.get(node.kind).secrets
        return {
            name: resolve(value, self.open_link, self.open) if name in secrets else resolve(value, self.masked_link, self.mask)
            for name, value in node.inputs.items()
        }

    def view(self, kind: Kind, address: str, values: Mapping[str, Value]) -> Any:
        """`values` as an instance of the declaration, with the nodes in it as instances of theirs."""
        return kind.bind(address, {name: self._with_nodes(value) for name, value in values.items()})

    def _with_nodes(self, value: Value) -> Value:
        if type(value) is NodeLink:
            record = self.state.latest(value.address)
            if record is None:
                raise InternalError(f"{value.address} is used before it is recorded.")
            return self.record_view(record)
        if type(value) is dict:
            return {key: self._with_nodes(item) for key, item in value.items()}
        if type(value) is list:
            return [self._with_nodes(item) for item in value]
        return value

    def record_view(self, record: ResourceState) -> Any:
        """A recorded object as an instance of its declaration, secrets opened as far as they can be."""
        kind = self.kinds.get(record.kind)
        values = {**thawed(record.inputs), **thawed(record.outputs)}
        return self.view(kind, record.address, _with_masked(values, self._open_if_there))

    def former_view(self, record: ResourceState) -> Any:
        """A recorded object that is to be put back, as `record_view`.

        Raises:
            ProviderError: ``not_found`` if a secret of it has another value by now, or none: what was cannot come back.
        """
        for name, value in thawed(record.inputs).items():
            if any(type(item) is Masked and self._has_passed(item) for item in walk(value)):
                raise ProviderError(
                    "not_found",
                    "The former secret is not there any more",
                    detail=f"`{name}` of {record.address} is read from its source again, which now has another value or none.",
                    hint="Put the former secret back into its source and undo again, or apply the script with the new one.",
                )
        return self.record_view(record)

    def _has_passed(self, masked: Masked) -> bool:
        """Whether a recorded secret's source yields another one now."""
        return masked.origin is not None and bool(resolve(masked.origin, self.masked_link, self.mask) != masked)

    def call(self, address: str, name: str, at: Node | ResourceState | None = None, **more: Any) -> EngineCall:
        """The gate for one operation on the node at `address`, which is where `at` says."""
        where, how = (at.where, at.how) if at is not None else ("", None)
        return EngineCall(
            address=full(self.stack, address), clock=self.clock, folder=partial(self.object_folder, address, where),
            host=partial(self.host, where, how), name=name, estate=self.estate, guard=self.guard, **{"run": self.run, **more},
        )  # fmt: skip

    def host(self, where: str, how: Value) -> Connector:
        """The machine of a name.

        Raises:
            NotKnownError: while its address is not known yet.
        """
        if how is None:
            return self.hosts.local
        written = where, canonical(how)
        if (known := self.hosts.by_way.get(written)) is not None:
            return known
        way = thaw(how)
        resolved = resolve(way, self._known_link, lambda part: part)
        host = self.hosts.at(where, {name: self._opened_part(name, part) for name, part in resolved.items()})
        if all(type(part) in _OF_A_WRITTEN_WAY for part in way.values()):
            self.hosts.by_way[written] = host
        return host

    def _opened_part(self, name: str, part: Value) -> Value:
        """A part of the way to a machine; what is sealed only because it is nobody's business is no secret."""
        if isinstance(part, list):
            return [{inner: self._opened_part(inner, item) for inner, item in jump.items()} for jump in part]
        if isinstance(part, SecretRef | Masked):
            if name in ROUTE_SECRETS:
                return self._open_masked(part) if isinstance(part, Masked) else self.open(part)
            assert isinstance(part, Masked)  # The script may give a secret for these only.
            return self.sealer.unseal(part).reveal()
        return part

    def _known_link(self, link: Link) -> Value:
        found = self.open_link(link)
        if isinstance(found, Unknown):
            raise NotKnownError(str(link))
        return found

    def how_at_rest(self, how: Value) -> Value:
        """How to get to a machine, as it may be recorded: each part sealed, secrets with a source by that."""
        if how is None:
            return None
        resolved = resolve(how, self.masked_link, self.mask)
        key = digest(resolved)
        if key not in self._at_rest:
            self._at_rest[key] = _with_plain(resolved, lambda value: self.sealer.mask(Secret(value)))
        return self._at_rest[key]

    def machine(self, how: Value) -> str:
        """Identifies the machine of a node, by the record as it is now; see `machine_of`."""
        return machine_of(resolve(how, self.masked_link, self.mask))

    def elsewhere(self, node: Node, record: ResourceState, link: Callable[[Link], Value] | None = None) -> str:
        """Why a node's object has to be made anew on another machine; empty if it is where the node is.

        Its name says where a machine is, however one gets there; under another name it is the same where the way leads to the
        same address.

        Args:
            node: What is declared.
            record: What there is.
            link: Resolves references; by default to what is recorded.
        """
        if node.where != record.where and node.how is not None and record.how is not None:
            way = resolve(node.how, link or self.masked_link, lambda secret: secret)
            if not any(type(item) is Unknown for item in walk(way)) and machine_of(way) == record.machine:
                return ""
        return moves(node, record)

    def decider(self, observed: Observations, found: Mapping[str, Observed] = {}, **more: Any) -> Decider:
        """Decides with what is known now; the arguments are those of `Decider`."""
        return Decider(self.state, observed, self.kinds, self.mask, found, elsewhere=self.elsewhere, **more)

    def next_generation(self, address: str) -> int:
        """The number of the next object at an address; never reused."""
        return self.state.generations.get(address, 0) + 1

    def object_folder(self, address: str, where: str = "") -> str:
        """Where the object at `address` keeps its own files: one that was moved where it did before."""
        record = self.state.latest(address)
        stack, home = parted(record.home if record is not None and record.home else address)
        scope, kind, name = split(home)
        below = f"{scope}/{kind}/{name}" if scope else f"{kind}/{name}"
        if where:
            return f"{OWN_FOLDER}/{self.estate}/{stack or self.stack}/{below}"
        return str((self.folder.parent.parent / stack if stack else self.folder) / below)


def _with_masked(value: Value, function: Callable[[Masked], Value]) -> Value:
    """`value` with `function` applied to every masked secret in it."""
    kind = type(value)
    if kind is Masked:
        return function(value)
    if kind is dict:
        return {key: _with_masked(item, function) for key, item in value.items()}
    if kind is list:
        return [_with_masked(item, function) for item in value]
    return value


def _with_plain(value: Value, function: Callable[[Any], Value]) -> Value:
    """`value` with `function` applied to every plain scalar in it."""
    if isinstance(value, dict):
        return {name: _with_plain(item, function) for name, item in value.items()}
    if isinstance(value, list):
        return [_with_plain(item, function) for item in value]
    return function(value) if isinstance(value, str | int) else value


def _is_plain_secret(value: Value) -> bool:
    """Whether a secret field holds what must not be recorded as it is; None and empty text tell nothing."""
    return type(value) not in (Secret, Masked) and value not in (None, "")
