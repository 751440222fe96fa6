"""Kinds for the cloud, one for each way in which an interrupted creation is found again, and how they are provided.

All ids are the server's. A network is recognised by its name; a server, a record and a key by the operation's token; a volume
by a tag that it is given when it is made; and a ticket by nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from purvey._base.value import Secret, Value
from purvey._script.fields import Input, Output
from purvey._script.resource import Resource
from purvey.errors import ProviderError
from purvey.providers import Absent, Call, Done, Observed, Outcome, Pending, Present, Provider, RecoversBy, Unreadable
from purvey.testing.cloud._client import account, ask, endpoint
from purvey.testing.cloud._state import HIDDEN_S_MAX, TAG_ADDRESS, TAG_MARK, TAG_NAME, TAG_RUN

_NO_ANSWER: Final = frozenset({"unavailable", "timeout", "throttled", "denied", "expired_credential", "schema_changed"})
"""Codes after which it is not known whether the object is there."""

_GOING: Final = frozenset({"deleting", "deleted"})


class CloudProvider(Provider[Any]):
    """What all kinds of the cloud share.

    Attributes:
        path: The kind in the API.
        fields: Inputs that are fields in the API.
        parent: The input that holds the id of what it lives in; empty for none.
        made: Outputs that the API shows, by their field in it.
    """

    path: ClassVar[str]
    fields: ClassVar[tuple[str, ...]]
    parent: ClassVar[str] = ""
    made: ClassVar[tuple[str, ...]] = ()
    lands_within_s = 2.0
    seen_within_s = HIDDEN_S_MAX

    async def identity(self, call: Call, want: Any) -> Mapping[str, str]:
        """The cloud's account."""
        return {"account": await account()}

    async def read(self, call: Call, have: Any) -> Observed:
        """The object with the recorded id."""
        try:
            item = await ask(call, "GET", f"{self.path}/{call.id}")
            return Absent() if item["status"] in _GOING else self._present(item)
        except ProviderError as error:
            if error.code == "not_found":
                return Absent()
            raise  # The engine asks again; what is not answered then is unreadable.

    async def find(self, call: Call, want: Any) -> Observed:
        """What carries this object's own tag; else what has the name that the script gives."""
        try:
            found = await self._tagged(call)
            if found is None and (name := self._name(want)):
                items = await self._list(call, {"name": name, **self._place(want)})
                found = items[0] if items else None
        except ProviderError as error:
            return _unreadable(error)
        return self._present(found) if found is not None else Absent()

    async def create(self, call: Call, want: Any) -> Outcome:
        """Make it, tagged; what the same operation has made already is what it makes."""
        body = {
            "name": self._name(want) or call.name, "fields": self._fields(want), "parent": self._place(want).get("parent", ""),
            "tags": {TAG_RUN: call.run, TAG_MARK: call.mark, TAG_NAME: call.name, TAG_ADDRESS: call.address},
        }  # fmt: skip
        answer = await self._make(call, body)
        await call.identified(answer["id"])
        return self._outcome(answer)

    async def _make(self, call: Call, body: dict[str, Any]) -> dict[str, Any]:
        return await ask(call, "POST", self.path, body=body, token=self.recovers_by == "token")

    async def update(self, call: Call, have: Any, want: Any) -> Outcome:
        """Send every field; the API changes those that differ."""
        return self._outcome(await ask(call, "PATCH", f"{self.path}/{call.id}", body={"fields": self._fields(want)}))

    async def delete(self, call: Call, have: Any) -> Outcome | None:
        """Remove it, or begin to; gone already is success."""
        own = call.id or (await self._tagged(call) or {"id": ""})["id"]
        try:
            answer = await ask(call, "DELETE", f"{self.path}/{own}") if own else {}
        except ProviderError as error:
            if error.code != "not_found":
                raise
            return None
        return Pending(own, answer["again_s"], "deleting") if answer.get("status") == "deleting" else None

    def _name(self, want: Any) -> str:
        """The name that the script gives; empty if it gives none."""
        return want.title or ""

    def _fields(self, want: Any) -> dict[str, Any]:
        return {name: getattr(want, name) for name in self.fields}

    def _place(self, want: Any) -> dict[str, str]:
        return {"parent": getattr(want, self.parent)} if self.parent else {}

    async def _list(self, call: Call, query: dict[str, str]) -> list[dict[str, Any]]:
        answer = await ask(call, "GET", self.path, query=query)
        return list(answer["items"])

    async def _tagged(self, call: Call) -> dict[str, Any] | None:
        """The object that was made under this physical name."""
        items = await self._list(call, {TAG_NAME: call.name})
        return items[0] if items else None

    def _outputs(self, item: dict[str, Any]) -> dict[str, Value]:
        outputs: dict[str, Value] = {name: item["fields"].get(name) for name in self.made}
        return {"id": item["id"], **outputs}

    def _present(self, item: dict[str, Any]) -> Present:
        place = {self.parent: item["parent"]} if self.parent else {}
        fields = {name: item["fields"].get(name) for name in self.fields}
        return Present(item["id"], {**fields, **place, **self._outputs(item)}, owner=item["tags"].get(TAG_MARK, ""))

    def _outcome(self, item: dict[str, Any]) -> Outcome:
        return Done(item["id"], self._outputs(item))


def _unreadable(error: ProviderError) -> Unreadable:
    """What is read when the cloud does not tell.

    Raises:
        ProviderError: `error` itself, where it is not about whether the object is there.
    """
    if error.code not in _NO_ANSWER:
        raise error
    return Unreadable(f"{error.summary}: {error.detail}")


class BackgroundProvider(CloudProvider):
    """What is made and deleted in the background."""

    async def ready(self, call: Call, want: Any) -> Outcome:
        """Whether it is made, or gone, by now."""
        return self._outcome(await ask(call, "GET", f"{self.path}/{call.id}"))

    def _outcome(self, item: dict[str, Any]) -> Outcome:
        if item["status"] in ("creating", "deleting"):
            return Pending(item["id"], item["again_s"], str(item["status"]))
        return super()._outcome(item)


class NetworkProvider(BackgroundProvider):
    """Networks, whose names are unique."""

    recovers_by: RecoversBy = "name"
    path = "network"
    fields = ("cidr", "mtu")

    async def _make(self, call: Call, body: dict[str, Any]) -> dict[str, Any]:
        """Make it; one of that name with our own tag is what an earlier attempt made."""
        try:
            return await super()._make(call, body)
        except ProviderError as refused:
            if refused.code != "already_exists":
                raise
            try:
                own = await self._tagged(call)
            except ProviderError as error:
                error.may_exist = True  # It is there, and only its tag could tell whose it is.
                raise
            if own is None:
                raise
            return own

    def claims(self, want: Any) -> Sequence[str]:
        """The name, where the script gives one."""
        return (f"network@{endpoint()}/{want.title}",) if want.title else ()


class Network(Resource, kind="cloud.Network", provider=NetworkProvider):
    """A network, in which servers and records are."""

    title: str = Input(
        default=None, immutable=True, doc="Its name in the cloud, which only one network has; by default one is made up."
    )
    cidr: str = Input(default="10.0.0.0/16", immutable=True, doc="The addresses in it.")
    mtu: int = Input(default=1500, doc="Bytes in the largest packet, 576 to 9216.")
    id: str = Output(stable=True, doc="The id that the cloud gave it.")


class ServerProvider(BackgroundProvider):
    """Servers, which take a while to be made."""

    recovers_by: RecoversBy = "token"
    path = "server"
    fields = ("image", "cpus")
    parent = "network"
    made = ("address",)


class Server(Resource, kind="cloud.Server", provider=ServerProvider):
    """A server in a network; it is created in the background."""

    title: str = Input(default=None, immutable=True, doc="Its name in the cloud; by default one is made up.")
    network: str = Input(immutable=True, doc="The id of its network.")
    image: str = Input(default="debian-12", immutable=True, doc="What it is made from.")
    cpus: int = Input(default=1, doc="Processors, 1 to 64.")
    id: str = Output(stable=True, doc="The id that the cloud gave it.")
    address: str = Output(stable=True, doc="Its address in the network.")


class VolumeProvider(CloudProvider):
    """Volumes, which are made anew by each request, and found by their tag."""

    recovers_by: RecoversBy = "tag_at_create"
    path = "volume"
    fields = ("zone", "size_gb")

    async def _make(self, call: Call, body: dict[str, Any]) -> dict[str, Any]:
        """Make it, unless an earlier attempt has."""
        return await self._tagged(call) or await super()._make(call, body)


class Volume(Resource, kind="cloud.Volume", provider=VolumeProvider, holds_data=True):
    """A volume: what was written to it goes with it."""

    title: str = Input(default=None, immutable=True, doc="Its name in the cloud; by default one is made up.")
    zone: str = Input(default="a", immutable=True, doc="Where it is.")
    size_gb: int = Input(default=10, doc="Gigabytes, 1 to 16384.")
    id: str = Output(stable=True, doc="The id that the cloud gave it.")


class RecordProvider(CloudProvider):
    """Records of a network's name service."""

    recovers_by: RecoversBy = "token"
    path = "record"
    fields = ("value", "ttl_s")
    parent = "network"

    def _name(self, want: Any) -> str:
        return str(want.name)

    def claims(self, want: Any) -> Sequence[str]:
        """The name in its network."""
        return (f"record@{endpoint()}/{want.network}/{want.name}",)


class Record(Resource, kind="cloud.Record", provider=RecordProvider):
    """A name in a network's name service."""

    network: str = Input(immutable=True, doc="The id of the network.")
    name: str = Input(
        default=None, immutable=True, doc="The name, by default the node's, which only one record of the network has."
    )
    value: str = Input(doc="What it stands for.")
    ttl_s: int = Input(default=300, doc="Seconds for which it may be remembered, 1 to 86400.")
    id: str = Output(stable=True, doc="The id that the cloud gave it.")


class KeyProvider(CloudProvider):
    """Keys, whose secret is told once: to the operation that makes them."""

    recovers_by: RecoversBy = "token"
    path = "key"
    fields = ("algorithm", "days")

    async def update(self, call: Call, have: Any, want: Any) -> Outcome:
        """Change it; its secret stays, and is known from the record only."""
        await super().update(call, have, want)
        return Done(call.id, {"id": call.id, "secret": Secret(have.secret) if isinstance(have.secret, str) else have.secret})

    async def find(self, call: Call, want: Any) -> Observed:
        """Nothing that is of use: a key is not, whose secret nobody told us."""
        try:
            own = await self._tagged(call)
        except ProviderError as error:
            return _unreadable(error)
        return Unreadable(f"{own['id']} is there, and its secret is not told again") if own is not None else Absent()

    def _outcome(self, item: dict[str, Any]) -> Outcome:
        return Done(item["id"], {"id": item["id"], **({"secret": Secret(item["secret"])} if "secret" in item else {})})


class Key(Resource, kind="cloud.Key", provider=KeyProvider):
    """A key; the cloud makes its secret, and tells it once."""

    title: str = Input(default=None, immutable=True, doc="Its name in the cloud; by default one is made up.")
    algorithm: str = Input(default="hmac-sha256", immutable=True, doc="What it is for.")
    days: int = Input(default=90, doc="Days after which it should be replaced, 1 to 3650.")
    id: str = Output(stable=True, doc="The id that the cloud gave it.")
    secret: str = Output(secret=True, stable=True, doc="The secret half.")


class TicketProvider(CloudProvider):
    """Tickets: the API takes neither token nor name nor tag, so one that was perhaps made cannot be told from another."""

    recovers_by: RecoversBy = "nothing"
    path = "ticket"
    fields = ("subject", "urgency")

    async def find(self, call: Call, want: Any) -> Observed:
        """Nothing: any of them might be somebody else's."""
        return Absent()

    async def delete(self, call: Call, have: Any) -> Outcome | None:
        """Remove it by its id, the only thing by which it is known."""
        return await super().delete(call, have) if call.id else None

    def _name(self, want: Any) -> str:
        return ""


class Ticket(Resource, kind="cloud.Ticket", provider=TicketProvider):
    """A ticket at the cloud's support; where its creation was interrupted, only a person can tell whether it was made."""

    subject: str = Input(doc="What it is about.")
    urgency: int = Input(default=3, doc="From 1, which cannot wait, to 5.")
    id: str = Output(stable=True, doc="The id that the cloud gave it.")
