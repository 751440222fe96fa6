"""Cases for the kinds of the test cloud, looked at through its own list of objects."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from purvey.testing import cloud
from purvey.testing.conformance import NAME, Case, Wish

if TYPE_CHECKING:
    from purvey import Options, Resource

ALWAYS = 1_000_000


def the_cloud() -> cloud.Cloud:
    """The cloud that the test has started, reached from this process."""
    found = cloud.Cloud()
    found.url = os.environ["PURVEY_CLOUD_URL"]
    return found


class CloudCase(Case):
    """What all kinds of the cloud have in common: one field changes in place, one does not, one value is refused."""

    api: ClassVar[str]
    field: ClassVar[str]
    values: ClassVar[Mapping[str, int]]
    fixed: ClassVar[str]
    fixes: ClassVar[tuple[str, str]]

    def wishes(self, wish: Wish) -> dict[str, Any]:
        """The inputs that a wish decides."""
        changing = self.values.get(wish, self.values["first"])
        return {self.field: changing, self.fixed: self.fixes[wish == "replaced"]}

    def declare(self, wish: Wish, opts: Options) -> Resource:
        """See `Case.declare`."""
        return self.kind(NAME, title="subject", opts=opts, **self.place(), **self.wishes(wish))

    def place(self) -> dict[str, Any]:
        """The input for what it is in, declared here too, because it goes with it."""
        return {}

    def all(self) -> list[dict[str, Any]]:
        """Every object of the kind, what it needs to be told apart included."""
        return [item for item in the_cloud().objects() if item["kind"] == self.api]

    def the_one(self) -> dict[str, Any]:
        """The only object."""
        (item,) = self.all()
        return item

    def expected(self, wish: Wish) -> Any:
        """See `Case.expected`."""
        return [self.wishes(wish)]

    def look(self) -> Any:
        """See `Case.look`: of every object, what the wish decides."""
        return [self.told(item) for item in self.all()] or None

    def told(self, item: dict[str, Any]) -> dict[str, Any]:
        """What the wish decides of an object."""
        return {self.field: item["fields"][self.field], self.fixed: item["fields"][self.fixed]}

    def identity(self) -> Any:
        """See `Case.identity`: the id, too."""
        return [(item["id"], self.told(item)) for item in self.all()]

    def lose(self) -> None:
        """See `Case.lose`."""
        the_cloud().remove(self.the_one()["id"])

    def drift(self) -> str:
        """See `Case.drift`."""
        the_cloud().change(self.the_one()["id"], **{self.field: self.values["changed"] + 1})
        return self.field

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """See `Case.hidden`: whoever reads or lists is told to come back later."""
        for verb in ("read", "list"):
            the_cloud().fault(verb, self.api, action="unavailable", times=ALWAYS)
        try:
            yield
        finally:
            the_cloud().calm()

    def found(self) -> None:
        """See `Case.found`."""
        fields = {self.field: self.values["changed"] + 1, self.fixed: self.fixes[0]}
        the_cloud().make(self.api, "subject", self.parent_id(), **fields)

    def parent_id(self) -> str:
        """The id of what it is in."""
        return ""


class Inside(CloudCase):
    """What is in a network."""

    network: cloud.Network

    def around(self) -> Mapping[str, Any]:
        """See `Situation.around`."""
        self.network = cloud.Network("around")
        return {"network": self.network.id}

    def place(self) -> dict[str, Any]:
        """See `CloudCase.place`."""
        return {"network": self.network.id}

    def parent_id(self) -> str:
        """See `CloudCase.parent_id`."""
        return str(self.known["network"])


class NetworkCase(CloudCase):
    """`cloud.Network`, recognised by its name."""

    kind = cloud.Network
    api = "network"
    field = "mtu"
    values: ClassVar[Mapping[str, int]] = {"first": 1500, "changed": 9000, "failing": 90000}
    fixed = "cidr"
    fixes = ("10.0.0.0/16", "10.1.0.0/16")

    def all(self) -> list[dict[str, Any]]:
        """See `CloudCase.all`: without the network of the other cases."""
        return [item for item in super().all() if item["name"] == "subject"]


class CloudServerCase(Inside):
    """`cloud.Server`, recognised by a token, and made in the background."""

    kind = cloud.Server
    api = "server"
    field = "cpus"
    values: ClassVar[Mapping[str, int]] = {"first": 1, "changed": 2, "failing": 65}
    fixed = "image"
    fixes = ("debian-12", "debian-13")


class VolumeCase(CloudCase):
    """`cloud.Volume`, recognised by a tag."""

    kind = cloud.Volume
    api = "volume"
    field = "size_gb"
    values: ClassVar[Mapping[str, int]] = {"first": 10, "changed": 20, "failing": 100_000}
    fixed = "zone"
    fixes = ("a", "b")


class RecordCase(Inside):
    """`cloud.Record`, recognised by a token, with a name that only one has."""

    kind = cloud.Record
    api = "record"
    field = "ttl_s"
    values: ClassVar[Mapping[str, int]] = {"first": 300, "changed": 60, "failing": 0}
    fixed = "name"
    fixes = ("subject", "moved")

    def declare(self, wish: Wish, opts: Options) -> Resource:
        """See `Case.declare`."""
        return cloud.Record(NAME, value="10.0.0.1", opts=opts, **self.place(), **self.wishes(wish))

    def told(self, item: dict[str, Any]) -> dict[str, Any]:
        """See `CloudCase.told`."""
        return {"ttl_s": item["fields"]["ttl_s"], "name": item["name"]}

    def found(self) -> None:
        """See `Case.found`."""
        the_cloud().make("record", "subject", self.parent_id(), ttl_s=61, value="10.0.0.9")


class KeyCase(CloudCase):
    """`cloud.Key`, whose secret is told once."""

    kind = cloud.Key
    api = "key"
    field = "days"
    values: ClassVar[Mapping[str, int]] = {"first": 90, "changed": 30, "failing": 0}
    fixed = "algorithm"
    fixes = ("hmac-sha256", "hmac-sha512")
    inapplicable: ClassVar[Mapping[str, str]] = {
        "adopt": "a key whose secret nobody told us is of no use, so none is looked for",
        "secrets": "it takes no secret; that the one it makes is sealed, `test_cloud.py` proves",
    }
