"""The cloud for tests keeps its rules, faults happen exactly when they were ordered, and its oracle sees what went wrong."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from purvey.errors import ProviderError
from purvey.testing import PlainCall, cloud, view
from purvey.testing.cloud import _client
from purvey.testing.cloud._model import Model
from purvey.testing.cloud._oracle import violations
from purvey.testing.cloud._state import Effect, State, Thing
from purvey.testing.cloud._wire import Request
from purvey.testing.pytest_plugin import Project
from tests.support.clock import VirtualClock


@pytest.fixture
def model() -> Model:
    """A cloud without a network."""
    return Model(VirtualClock(), seed=1)


def send(model: Model, method: str, kind: str, object_id: str = "", **more: Any) -> tuple[int, dict[str, Any]]:
    """Send a request with a good credential."""
    token = model.credential().body["token"]
    headers = {"authorization": f"Bearer {token}", **more.pop("headers", {})}
    answer = model.serve(Request(method=method, kind=kind, id=object_id, headers=headers, **more)).answer
    assert answer is not None
    return answer.status, answer.body


def test_names_tokens_parents_and_quotas_are_enforced(model: Model) -> None:
    """A second name conflicts, a token gives the same object or refuses, parents must exist and stay, quotas hold."""
    status, net = send(model, "POST", "network", body={"name": "a"})
    assert status == 201
    assert send(model, "POST", "network", body={"name": "a"})[1]["error"] == "already_exists"
    assert send(model, "POST", "server", body={"name": "s", "parent": "none"})[1]["error"] == "no_parent"
    body = {"name": "s", "parent": net["id"]}
    first = send(model, "POST", "server", body=body, headers={"idempotency-key": "t"})[1]
    again = send(model, "POST", "server", body=body, headers={"idempotency-key": "t"})[1]
    assert first["id"] == again["id"]
    assert send(model, "POST", "server", body={**body, "name": "x"}, headers={"idempotency-key": "t"})[0] == 422
    assert send(model, "DELETE", "network", net["id"])[1]["error"] == "in_use"
    model.order("habit", {"kind": "server", "quota": 1})
    assert send(model, "POST", "server", body=body)[1]["error"] == "quota_exceeded"


def test_things_take_their_time(model: Model) -> None:
    """What is hidden is seen when its time has come, and what is being made is ready after so many looks."""
    model.order("habit", {"kind": "volume", "hidden_s": 3.0, "creating_looks": 1})
    made = send(model, "POST", "volume", body={"name": "v"})[1]
    assert send(model, "GET", "volume", made["id"])[0] == 404
    assert send(model, "GET", "volume")[1] == {"items": []}
    model.order("advance", {"seconds": 3.0})
    looks = [send(model, "GET", "volume", made["id"])[1]["status"] for _ in range(2)]
    assert looks == ["creating", "ready"]


def test_credentials_and_schemas_end(model: Model) -> None:
    """An expired credential is refused until another is fetched, and another schema is refused."""
    old = {"authorization": f"Bearer {model.credential().body['token']}"}
    model.order("expire", {})
    answer = model.serve(Request(method="GET", kind="key", headers=old)).answer
    assert answer is not None
    assert answer.status == 401
    model.order("manner", {"schema": 2})
    assert send(model, "GET", "key")[1]["error"] == "schema_changed"


@pytest.mark.parametrize(("action", "effects"), [("cut", 0), ("cut_after", 1), ("unavailable", 0), ("unavailable_after", 1)])
def test_faults_happen_before_or_after_the_effect(model: Model, action: str, effects: int) -> None:
    """The second create is hit, no other, and the ledger tells whether it happened."""
    model.order("fault", {"verb": "create", "kind": "key", "action": action, "nth": 2})
    reactions = [
        model.serve(Request(method="POST", kind="key", body={"name": f"k{n}"}, headers={"authorization": f"Bearer {token}"}))
        for n in range(3)
        if (token := model.credential().body["token"])
    ]
    told = [reaction.answer.status if reaction.answer else "cut" for reaction in reactions]
    assert told == [201, "cut" if action.startswith("cut") else 503, 201]
    assert len(model.state.ledger) == 2 + effects


def test_chance_repeats_from_its_seed() -> None:
    """Two clouds with one seed fail alike; a restored one goes on as it would have."""

    def told(model: Model, count: int) -> list[Any]:
        return [model.serve(Request(method="GET", kind="key")).answer for _ in range(count)]

    one, other = Model(VirtualClock(), seed=3), Model(VirtualClock(), seed=3)
    for model in (one, other):
        model.order("manner", {"fault_rate": 0.5})
    assert told(one, 20) == told(other, 20)
    saved = one.order("dump", {})
    ahead = told(one, 20)
    one.order("load", {"state": saved})
    assert told(one, 20) == ahead


def test_the_oracle_sees_each_violation() -> None:
    """Doubles, repeated effects, orphans, lost objects and orphaned children are named; a clean state has none."""
    tags = {"purvey:run": "r", "purvey:name": "n"}
    thing = Thing(id="a", kind="server", name="n", parent="gone", fields={}, tags=tags)
    made = Effect(verb="create", kind="server", id="a", name="n", tag="n", token="t")
    again = Effect(verb="create", kind="server", id="b", name="n", tag="n", token="t")
    state = State(objects={"a": thing}, ledger=[made, again])

    words = [text.partition(":")[0] for text in violations(state, frozenset({"z"}))]

    assert words == ["created twice", "done twice", "orphan", "outlives its parent", "lost"]
    assert violations(State(ledger=[made]), frozenset()) == []


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Iterator[cloud.Cloud]:
    """A cloud in a process of its own."""
    with cloud.Cloud() as started:
        monkeypatch.setenv("PURVEY_CLOUD_URL", started.url)
        yield started


@pytest.mark.parametrize(
    ("words", "known"),
    [
        (("create", "sever", "cut"), "server"),
        (("creat", "server", "cut"), "create"),
        (("create", "server", "cutt"), "cut_after"),
    ],
)
def test_trouble_that_would_never_come_is_refused(words: tuple[str, str, Any], known: str, running: cloud.Cloud) -> None:
    """A misspelt verb, kind, action or manner would let a test pass that proves nothing."""
    with pytest.raises(ValueError, match=known):
        running.fault(*words[:2], action=words[2])
    with pytest.raises(ValueError, match="server"):
        running.behave("sever")
    with pytest.raises(ValueError, match="fault_rate"):
        running.manner(fault_rat=0.5)


@pytest.mark.parametrize(
    ("action", "code", "may_exist"),
    [
        ("throttle", "throttled", False),
        ("unavailable", "unavailable", True),
        ("cut_after", "timeout", True),
        ("refuse", "invalid", False),
    ],
)
async def test_errors_get_stable_codes(running: cloud.Cloud, tmp_path: Any, action: Any, code: str, may_exist: bool) -> None:
    """Each refusal of the server has its code, and says whether something may have been made."""
    running.fault("create", "key", action=action, seconds=0.5 if action == "throttle" else 0.0)
    with pytest.raises(ProviderError) as caught:
        await cloud.Key._kind.provider.create(PlainCall(tmp_path), view(cloud.Key))
    assert (caught.value.code, caught.value.may_exist) == (code, may_exist)
    assert caught.value.retry_after_s == (0.5 if action == "throttle" else None)


async def test_an_expired_credential_is_renewed_once(running: cloud.Cloud, tmp_path: Any) -> None:
    """The provider gets another credential and goes on; where that expires at once too, the code says so."""
    provider, want = cloud.Key._kind.provider, view(cloud.Key)
    await provider.create(PlainCall(tmp_path), want)
    running.expire()
    await provider.create(PlainCall(tmp_path), want)
    running.manner(credential_s=0.0)
    running.expire()
    with pytest.raises(ProviderError) as caught:
        await provider.create(PlainCall(tmp_path), want)
    assert caught.value.code == "expired_credential"


def test_half_a_request_has_no_effect(running: cloud.Cloud) -> None:
    """What a process had sent when it was killed is no request until its last byte is there."""
    host, _, port = running.url.removeprefix("http://").partition(":")
    credential = running.credential()
    head = f"POST /v1/key HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {credential}\r\nContent-Length: 100\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(head.encode())
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(100) == b""

    assert running.ledger() == []


def test_the_oracle_sees_changes_beside_the_mark(running: cloud.Cloud, tmp_path: Any) -> None:
    """An update and a delete of what has never been, and of what was deleted before by another operation, are violations."""
    provider = cloud.Volume._kind.provider
    volume = running.make("volume", "v")
    theirs = running.make("volume", "theirs")
    want = view(cloud.Volume)

    async def ask() -> None:
        """Delete with one token twice, then with another, and then update; what somebody else removed is no violation."""
        mine = PlainCall(tmp_path, id=volume)
        for call in (mine, mine, PlainCall(tmp_path, id=volume), PlainCall(tmp_path, id="volume-999999")):
            await provider.delete(call, want)
        for call in (PlainCall(tmp_path, id=volume), PlainCall(tmp_path, id=theirs)):
            with pytest.raises(Exception, match="does not have it"):
                await provider.update(call, want, want)

    running.remove(theirs)
    asyncio.run(ask())

    assert [text.split(" volume")[0] for text in running.violations([])] == [
        "too late: delete of", "beside: delete of", "too late: update of",
    ]  # fmt: skip


def test_the_connections_of_a_loop_are_shared_and_closed_with_it(running: cloud.Cloud, tmp_path: Any) -> None:
    """All calls of one event loop go through one client, another loop has its own, and none outlives its loop."""
    provider, want = cloud.Volume._kind.provider, view(cloud.Volume)

    async def clients() -> list[Any]:
        """The loop's client after each of a few calls, some at once."""
        seen: list[Any] = []
        for _ in range(3):
            await asyncio.gather(*(provider.read(PlainCall(tmp_path, id="volume-1"), want) for _ in range(4)))
            seen += _client._OPEN.values()
        return seen

    one, other = asyncio.run(clients()), asyncio.run(clients())

    assert len(set(map(id, one))) == len(set(map(id, other))) == 1
    assert one[0] is not other[0]
    assert one[0].is_closed
    assert other[0].is_closed
    assert not _client._OPEN


SCRIPT = """
from purvey import stack
from purvey.testing import cloud

@stack
def main():
    key = cloud.Key("key")
    cloud.Server("web", network=cloud.Network("net").id)
    return {"secret": key.secret}
"""


def test_a_secret_that_the_cloud_made_is_sealed(purvey_cloud: cloud.Cloud, purvey_project: Project) -> None:
    """A key's secret is shown by no command and stands in clear in no file."""
    purvey_project.write(SCRIPT)
    told = purvey_project.run("apply", "--yes") + str(purvey_project.state())
    (secret,) = [thing["secret"] for thing in purvey_cloud.save()["objects"].values() if thing["kind"] == "key"]

    assert secret.startswith("secret-")
    assert secret not in told
    assert not [path for path in purvey_project.folder.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]
