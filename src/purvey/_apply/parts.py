"""What every part of a run works with, put together once by the session."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from purvey._apply.call import EngineCall
from purvey._apply.redacting import Redacting
from purvey._base.address import full, split
from purvey._base.value import Link, Masked, NodeLink, Secret, SecretRef, Unknown, Value, dig, resolve, thaw
from purvey._secrets.redaction import Redactor
from purvey._state.record import ResourceState, thawed
from purvey.errors import InternalError

if TYPE_CHECKING:
    from purvey._base.clock import Clock
    from purvey._base.event import Event, Observer
    from purvey._graph import Node
    from purvey._hosts.connector import Connector
    from purvey._secrets.backends import Reader
    from purvey._secrets.sealing import Sealer
    from purvey._state.state import State
    from purvey.providers import Kind, Registry


class Parts:
    """The tools of one run, and the state it works on.

    Args:
        stack: ``name/environment``.
        run: The run's id.
        state: What is recorded; kept up to date by whoever writes records.
        kinds: The kinds.
        host: The machine on which nodes without `on` are.
        reader: Reads secrets from their backends.
        sealer: Masks and seals.
        clock: Time and chance.
        observer: Sees every event.
        folder: Where this stack's objects keep their own files.
        estate: The store's id.
    """

    def __init__(
        self, *, stack: str, run: str, state: State, kinds: Registry, host: Connector, reader: Reader, sealer: Sealer,
        clock: Clock, observer: Observer, folder: Path, estate: str,
    ) -> None:  # fmt: skip
        self.stack = stack
        self.run = run
        self.state = state
        self.kinds = kinds
        self.host = host
        self.reader = reader
        self.sealer = sealer
        self.clock = clock
        self.redactor = Redactor()
        self.observer = Redacting(observer, self.redactor)
        self.folder = folder
        self.estate = estate

    def tell(self, event: Event) -> None:
        """Show `event` to the observer."""
        self.observer.on(event)

    def mask(self, reference: SecretRef) -> Masked:
        """A secret in a backend as a plan may hold it."""
        return self.sealer.mask(self.reader.read(reference.source))

    def open(self, reference: SecretRef) -> Secret:
        """A secret in a backend as a provider gets it."""
        secret = self.reader.read(reference.source)
        self.redactor.add(secret)
        return secret

    def masked_link(self, link: Link) -> Value:
        """What an output is by the record, secrets masked; `Unknown` while its node is not recorded."""
        record = self.state.latest(link.address)
        if record is None:
            return Unknown(str(link))
        values = record.outputs if link.output in record.outputs else record.inputs
        if link.output not in values:
            return dig(self.kinds.get(record.kind).default(link.output), link.path)
        value = thaw(values[link.output])
        return dig(value, link.path) if link.path else value

    def open_link(self, link: Link) -> Value:
        """What an output is by the record, secrets opened."""
        return self.opened(self.masked_link(link))

    def opened(self, value: Value) -> Value:
        """`value` with everything masked in it opened: read again from its source, or unsealed."""
        kind = type(value)
        if kind is Masked:
            if value.origin is not None:
                return resolve(value.origin, self.open_link, self.open)
            secret = self.sealer.unseal(value)
            self.redactor.add(secret)
            return secret
        if kind is dict:
            return {key: self.opened(item) for key, item in value.items()}
        if kind is list:
            return [self.opened(item) for item in value]
        return value

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
        """A recorded object as an instance of its declaration, secrets opened."""
        kind = self.kinds.get(record.kind)
        values = {**thawed(record.inputs), **thawed(record.outputs)}
        if kind.secrets:
            values = {name: self.opened(value) if name in kind.secrets else value for name, value in values.items()}
        return self.view(kind, record.address, values)

    def call(self, address: str, name: str, **more: Any) -> EngineCall:
        """The gate for one operation on the node at `address`."""
        return EngineCall(
            address=full(self.stack, address), clock=self.clock, folder=partial(self.object_folder, address), host=self.host,
            name=name, run=self.run, **more,
        )  # fmt: skip

    def next_generation(self, address: str) -> int:
        """The number of the next object at an address; never reused."""
        return self.state.generations.get(address, 0) + 1

    def object_folder(self, address: str) -> str:
        """Where the object at `address` keeps its own files."""
        scope, kind, name = split(address)
        return str(self.folder.joinpath(*scope.split("/"), kind, name))
