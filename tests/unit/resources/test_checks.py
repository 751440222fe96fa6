"""Checks against real servers and programs on this machine: they pass, they wait, and they tell what they saw."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from purvey._base.value import Secret
from purvey._script.recorder import recording
from purvey.errors import ProviderError, ScriptError
from purvey.providers import Done, Pending
from purvey.resources import command, http, tcp, tls
from purvey.testing import PlainCall, view
from tests.unit.resources.life import everything_below, made, provider, recorder

if TYPE_CHECKING:
    from purvey._script.resource import Resource
    from purvey.providers import Outcome


@pytest.fixture
def call(tmp_path: Path) -> PlainCall:
    """A call for a check, which has nothing of its own."""
    return PlainCall(tmp_path / "state")


async def once(call: PlainCall, want: Resource) -> Outcome:
    """One attempt."""
    outcome: Outcome = await provider(want).create(call, want)
    return outcome


async def evidence(call: PlainCall, want: Resource) -> str:
    """What a failed attempt tells."""
    outcome = await once(call, want)
    assert isinstance(outcome, Pending), outcome
    assert outcome.again_s == 0.5
    return outcome.progress


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def answering(answer: bytes, *, context: ssl.SSLContext | None = None) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server that gives every caller one answer: its port, and what it was asked."""
    asked: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Listen to one caller, and answer."""
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1], asked


def answer(status: str, body: bytes) -> bytes:
    """A whole HTTP answer."""
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


async def test_a_url_that_answers_passes(call: PlainCall) -> None:
    """An answer with the status, the text and the data that are asked for passes, and the request says which run it is from."""
    async with answering(answer("200 OK", b'{"ok": true, "items": [{"id": 1, "name": "x"}]}')) as (port, asked):
        url = f"http://127.0.0.1:{port}/healthz?a=b"
        done = await once(call, view(http.Check, url=url, contains='"ok"', json={"ok": True, "items": [{"id": 1}]}))

    assert isinstance(done, Done)
    assert done.outputs["status"] == 200
    assert 0 < done.outputs["seconds"] < 5
    assert asked[0].startswith(b"GET /healthz?a=b ")
    assert f"run/{call.run}".encode() in asked[0]
    assert call.identified_ids == []


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"expect": 204}, "answered 200 instead of 204; it said: {"),
        ({"contains": "bye"}, "answered 200 without 'bye' in its body; it said: {"),
        ({"json": {"missing": 1}}, "the body has no 'missing'"),
        ({"json": {"n": 2}}, "the body['n'] is 1 instead of 2"),
        ({"json": {"n": True}}, "the body['n'] is 1 instead of True"),
        ({"json": {"l": [1]}}, "the body['l'] is [1, 2] instead of [1]"),
        ({"json": {"l": [1, 3]}}, "the body['l'][1] is 2 instead of 3"),
    ],
)
async def test_another_answer_is_evidence(call: PlainCall, wish: dict[str, Any], words: str) -> None:
    """A wrong status, text or datum is told, together with the beginning of the body."""
    async with answering(answer("200 OK", b'{"n": 1,\n "l": [1, 2]}')) as (port, _):
        told = await evidence(call, view(http.Check, url=f"http://127.0.0.1:{port}/", **wish))

    assert words in told
    assert told.endswith('it said: {"n": 1, "l": [1, 2]}')


async def test_a_long_answer_is_cut(call: PlainCall) -> None:
    """Of a long body the first 300 characters are told; one without end is not read to its end."""
    async with answering(answer("500 Oops", b"x" * 5_000_000)) as (port, _):
        told = await evidence(call, view(http.Check, url=f"http://127.0.0.1:{port}/"))

    assert told == f"answered 500 instead of 200; it said: {'x' * 300}…"


async def test_what_is_not_json_and_what_is_empty_is_told(call: PlainCall) -> None:
    """A body that is not JSON is named as that, and an empty one too."""
    async with answering(answer("200 OK", b"<html>")) as (port, _):
        assert "not JSON; it said: <html>" in await evidence(
            call, view(http.Check, url=f"http://127.0.0.1:{port}/", json={"a": 1})
        )
    async with answering(answer("503 Busy", b"")) as (port, _):
        assert (
            await evidence(call, view(http.Check, url=f"http://127.0.0.1:{port}/"))
            == "answered 503 instead of 200; its body is empty"
        )


async def test_a_secret_header_is_sent_and_never_told(call: PlainCall) -> None:
    """A secret reaches the server, and is hidden where an answer or an error repeats it, also over the cut."""
    token = "tok-" + "7" * 40
    echo = answer("403 No", b"y" * 280 + f"bad token {token}\n".encode())
    async with answering(echo) as (port, asked):
        told = await evidence(call, view(http.Check, url=f"http://127.0.0.1:{port}/", headers={"X-Token": Secret(token)}))
    assert token.encode() in asked[0]
    assert "tok-" not in told

    broken = view(http.Check, url=f"http://127.0.0.1:{port}/", headers={"X-Token": Secret(f"{token}\n")})
    assert "777" not in await evidence(call, broken)


@pytest.mark.parametrize("url", ["ftp://x/", "http://", "http://h:99999/", "nonsense", "http://[::1"])
async def test_a_url_that_can_never_answer_fails_at_once(call: PlainCall, url: str) -> None:
    """What is no URL is not waited for."""
    with pytest.raises(ProviderError) as refused:
        await once(call, view(http.Check, url=url))

    assert refused.value.code == "check_failed"


async def test_why_a_connection_failed_is_told_in_plain_words(call: PlainCall) -> None:
    """Nobody there, no such name, a silent server and a cut connection each have their own words."""
    port = free_port()
    assert (
        await evidence(call, view(http.Check, url=f"http://127.0.0.1:{port}/"))
        == f"nothing listens on 127.0.0.1:{port} (connection refused)"
    )
    assert "cannot be resolved" in await evidence(call, view(http.Check, url="http://no-such-name.invalid/"))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        told = await evidence(call, view(http.Check, url=f"http://127.0.0.1:{port}/", timeout_s=0.2))
        assert told == f"127.0.0.1:{port} did not answer within 0.2 s"
    async with answering(b"") as (port, _):
        assert "without" in await evidence(call, view(http.Check, url=f"http://127.0.0.1:{port}/"))


@pytest.mark.parametrize("algorithm", ["ecdsa-p256", "rsa-3072", "ed25519"])
async def test_a_handshake_with_our_own_authority(call: PlainCall, tmp_path: Path, algorithm: str) -> None:
    """A server with a generated key and certificate is accepted with the authority's file, and refused without it."""
    ca_key = await made(call, view(tls.PrivateKey, path=str(tmp_path / "ca.key"), mode="0600", algorithm=algorithm))
    authority = view(tls.CertificateAuthority, path=str(tmp_path / "ca.pem"), key=ca_key, common_name="test")
    ca = await made(call, authority)
    key = await made(call, view(tls.PrivateKey, path=str(tmp_path / "web.key"), mode="0600", algorithm=algorithm))
    wish = view(tls.Certificate, path=str(tmp_path / "web.pem"), ca=ca, key=key, names=["127.0.0.1"])
    certificate = await made(call, wish)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.path, key.path)

    async with answering(answer("200 OK", b"ok"), context=context) as (port, _):
        trusted = view(http.Check, url=f"https://127.0.0.1:{port}/", ca_file=ca.path)
        assert isinstance(await once(call, trusted), Done)
        told = await evidence(call, view(http.Check, url=f"https://127.0.0.1:{port}/"))
        assert f"the certificate of 127.0.0.1:{port} is not accepted: " in told
        other_name = view(http.Check, url=f"https://localhost:{port}/", ca_file=ca.path)
        assert "is not accepted: " in await evidence(call, other_name)


async def test_a_missing_authority_file_is_told(call: PlainCall, tmp_path: Path) -> None:
    """A file for the authority that is not there, or holds no certificate, is named."""
    want = view(http.Check, url="https://127.0.0.1:1/", ca_file=str(tmp_path / "ca.pem"))
    assert str(tmp_path / "ca.pem") in await evidence(call, want)
    (tmp_path / "ca.pem").write_text("nothing")

    assert "holds no certificate" in await evidence(call, want)


async def test_a_port_passes_as_soon_as_it_is_open(call: PlainCall) -> None:
    """A closed port is waited for with the reason, and an open one passes."""
    port = free_port()
    want = view(tcp.Check, host="127.0.0.1", port=port)
    assert await evidence(call, want) == f"nothing listens on 127.0.0.1:{port} (connection refused)"

    with socket.create_server(("127.0.0.1", port)):
        done = await provider(want).ready(call, want)

    assert isinstance(done, Done)
    assert "cannot be resolved" in await evidence(call, view(tcp.Check, host="no-such-name.invalid", port=1))


async def test_a_port_that_is_none_fails_at_once(call: PlainCall, tmp_path: Path) -> None:
    """A port out of range is refused while the script runs, and by the check where it was not known before."""
    with recording(recorder(tmp_path)), pytest.raises(ScriptError, match="out of range"):
        tcp.Check("a", host="h", port=70_000)
    with pytest.raises(ProviderError) as refused:
        await once(call, view(tcp.Check, host="h", port=70_000))

    assert refused.value.code == "check_failed"


async def test_a_program_that_says_yes_passes(call: PlainCall) -> None:
    """The code and the output of a program are compared; another code can be asked for."""
    want = view(command.Check, command=["/bin/sh", "-c", "echo ready; exit 3"], expect_exit=3, contains="ready")
    done = await once(call, want)

    assert isinstance(done, Done)
    assert done.outputs["exit"] == 3


async def test_a_program_that_says_no_is_quoted(call: PlainCall) -> None:
    """Its code and last words are told; a missing text and a program that does not end too."""
    no = view(command.Check, command=["/bin/sh", "-c", "echo long ago; echo 'queue holds 4' >&2; exit 1"])
    said = "standard output: long ago; standard error: queue holds 4"
    assert await evidence(call, no) == f"ended with code 1 instead of 0: {said}"
    lacking = view(command.Check, command=["/bin/echo", "busy"], contains="idle")
    assert await evidence(call, lacking) == "ended with code 0 without 'idle' in its output: busy"
    endless = view(command.Check, command=["/bin/sleep", "60"], timeout_s=0.2)
    assert await evidence(call, endless) == "did not end within 0.2 s: it said nothing"


async def test_a_program_gets_its_secrets_and_cannot_betray_them(call: PlainCall) -> None:
    """Secret variables reach the program, and are hidden in what it says."""
    want = view(
        command.Check,
        command=["/bin/sh", "-c", 'echo "wrong password $PW for $USER_NAME" >&2; exit 1'],
        env={"PW": Secret("hunter2-hunter2"), "USER_NAME": "app"},
    )

    assert await evidence(call, want) == "ended with code 1 instead of 0: wrong password (secret) for app"


@pytest.mark.parametrize("argv", [[], ["no-such-program-here"], ["/nowhere/program"]])
async def test_a_program_that_is_not_there_fails_at_once(call: PlainCall, argv: list[str]) -> None:
    """What cannot be run is not waited for."""
    with pytest.raises(ProviderError) as refused:
        await once(call, view(command.Check, command=argv))

    assert refused.value.code == "check_failed"


async def test_a_check_leaves_nothing_and_undoes_nothing(call: PlainCall, tmp_path: Path) -> None:
    """A check is repeated by an update, and deleting or undoing it does nothing."""
    want = view(command.Check, command=["/bin/true"])
    assert isinstance(await provider(want).update(call, want, want), Done)
    await provider(want).delete(call, want)
    await provider(want).undo(call, want, None)

    assert not provider(want).reads
    assert everything_below(tmp_path) == []
