"""Places of a script: under which name each is recorded, and what of the way to it is refused at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from purvey import Chroot, Host, Namespace, secret, to_base64
from purvey._apply.hosts import route_of
from purvey._base.value import Secret
from purvey._hosts.route import SshRoute
from purvey._script.host import frozen_place
from purvey._script.recorder import Recorder
from purvey.errors import ScriptError
from tests.support.kinds import Thing

PORTS: list[Any] = [0, 65_536, "22", True]
CREDENTIALS = ["key", "passphrase", "password", "become_password"]


def test_two_ports_of_one_address_are_two_places(recorder: Recorder) -> None:
    """Machines behind one address, told apart by the port, are no one place; the port that SSH has anyway says nothing."""
    thing = Thing("a")
    places = [
        Host("192.0.2.1", port=2201), Host("192.0.2.1", port=2202), Host("192.0.2.1", port=22), Host("192.0.2.1"),
        Host("2001:db8::1", port=2201), Host(thing.label, port=2201), Host("192.0.2.1", port=2203, name="web"),
    ]  # fmt: skip

    assert [frozen_place(place, "x.py:1")[0] for place in places] == [
        "192.0.2.1:2201", "192.0.2.1:2202", "192.0.2.1", "192.0.2.1", "[2001:db8::1]:2201", "test.Thing::a:2201", "web",
    ]  # fmt: skip


@pytest.mark.parametrize("port", PORTS)
def test_a_port_is_a_number(recorder: Recorder, port: Any) -> None:
    """What is none is refused where it is written."""
    with pytest.raises(ScriptError, match="not one"):
        Host("192.0.2.1", port=port)


ONE: list[tuple[Any, ...]] = [
    (Host, ("192.0.2.1", {"user": "root"}), ("192.0.2.1", {"user": "ana", "port": 22})),
    (Host, ("192.0.2.1", {"name": "web"}), ("192.0.2.1", {"name": "web", "jump": ["192.0.2.9"]})),
    (Host, ("192.0.2.1", {"name": "web"}), ("192.0.2.1", {"name": "web-behind", "jump": ["192.0.2.9"]})),
    (Host, ("web", {"name": "a", "config": "a.cfg"}), ("web", {"name": "b", "config": "b.cfg"})),
    (Host, ("web", {"name": "a"}), ("web", {"name": "b", "port": 22})),
    (Chroot, ("/srv/image", {"name": "image"}), ("/srv/image", {"name": "image"})),
]  # fmt: skip
TWO: list[tuple[Any, ...]] = [
    (Host, ("192.0.2.1", {"name": "web"}), ("192.0.2.2", {"name": "web"}), "two machines of one name"),
    (Host, ("192.0.2.1", {"name": "web"}), ("192.0.2.1", {"name": "shop"}), "one machine of two names"),
    (Host, ("192.0.2.1", {}), ("192.0.2.1", {"name": "shop", "user": "ana"}), "one machine of two names"),
    (Chroot, ("/srv/image", {"name": "a"}), ("/srv/image", {"name": "b"}), "one machine of two names"),
    (Namespace, ("a", {"name": "c"}), ("b", {"name": "c"}), "two machines of one name"),
]  # fmt: skip


def _placed(recorder: Recorder, kind: Any, *given: tuple[str, dict[str, Any]]) -> None:
    for line, (address, more) in enumerate(given, 1):
        jumps = {"jump": [Host(item) for item in more["jump"]]} if "jump" in more else {}
        frozen_place(kind(address, **(more | jumps)), f"x.py:{line}")


@pytest.mark.parametrize("places", ONE, ids=str)
def test_a_machine_may_be_reached_in_several_ways(recorder: Recorder, places: tuple[Any, ...]) -> None:
    """As two users, or past a bastion; one address behind two bastions may be two machines."""
    _placed(recorder, *places)


@pytest.mark.parametrize(("kind", "one", "other", "problem"), TWO, ids=str)
def test_a_machine_has_one_name_and_a_name_one_machine(
    recorder: Recorder, kind: Any, one: Any, other: Any, problem: str
) -> None:
    """Else work would be done on one as on two at once, or what is on one be taken for what is on the other."""
    with pytest.raises(ScriptError, match="not one") as caught:
        _placed(recorder, kind, one, other)

    assert problem in caught.value.detail
    assert "x.py:1" in caught.value.detail
    assert "x.py:2" in caught.value.detail


def test_an_address_that_is_not_known_yet_is_compared_with_none(recorder: Recorder) -> None:
    """Two resources of which nobody knows the addresses have names enough."""
    for name in "ab":
        frozen_place(Host(Thing(name).label, name=name), "x.py:1")
    frozen_place(Host("192.0.2.1", name="a"), "x.py:2")


@pytest.mark.parametrize("policy", ["SHA256:abc", "no", "", "MD5:00:11", f"SHA256:{'A' * 44}"])
def test_what_says_of_no_key_that_it_may_be_believed_is_refused_where_it_is_written(recorder: Recorder, policy: str) -> None:
    """Also half a fingerprint: no machine could ever have that key."""
    with pytest.raises(ScriptError, match="not one") as caught:
        Host("192.0.2.1", host_key=policy)

    assert ("43 characters" in caught.value.detail) == policy.startswith("SHA256:")


def test_a_key_may_be_pinned_by_what_a_resource_tells(recorder: Recorder) -> None:
    """A fingerprint from a cloud's console is an output, whole or after its name, and known only when the machine is made."""
    thing = Thing("a")
    for policy in (f"SHA256:{'A' * 43}", f"SHA256:{'+' * 43}=", thing.label, f"SHA256:{thing.label}"):
        assert frozen_place(Host("192.0.2.1", host_key=policy), "x.py:1").where == "192.0.2.1"


@pytest.mark.parametrize("name", CREDENTIALS)
@pytest.mark.parametrize("given", ["hunter2", Path("hunter2")], ids=["text", "path"])
def test_a_credential_in_clear_is_refused_where_it_is_written(recorder: Recorder, name: str, given: object) -> None:
    """Text and a path are no secrets: the error is at the script's line, names the argument and does not repeat it."""
    credential: dict[str, Any] = {name: given}

    with pytest.raises(ScriptError) as caught:
        Host("192.0.2.1", **credential)

    said = caught.value
    assert f"`{name}`" in said.detail
    assert "hunter2" not in said.detail + said.hint
    assert said.source


@pytest.mark.parametrize("name", CREDENTIALS)
def test_a_credential_may_be_an_output_or_hold_a_secret(recorder: Recorder, name: str) -> None:
    """Whatever is a secret, is made of one, or comes from another node passes."""
    label = Thing("a").label
    for given in (secret("env:KEY"), label, f"{secret('env:KEY')}\n", to_base64(f"{secret('env:KEY')}")):
        credential: dict[str, Any] = {name: given}
        frozen_place(Host("192.0.2.1", **credential), "x.py:1")


def test_an_output_that_is_no_secret_of_its_kind_lets_us_in() -> None:
    """A key that comes from a node's plain output is used, and held as a secret from then on."""
    route = route_of({"by": "ssh", "address": "192.0.2.1", "key": "text", "host_key": "known_hosts"})

    assert isinstance(route, SshRoute)
    assert isinstance(route.key, Secret)
    assert route.key.reveal() == "text"
