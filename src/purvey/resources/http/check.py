"""A check that a URL answers as it should.

A check sees what is there and not what something on the way makes of it: redirects are not followed (`expect=301` can be
asked for), and proxies of the environment are not used.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from purvey._base.value import Secret, reveal
from purvey._script.fields import Input, Output
from purvey._script.resource import Resource
from purvey.errors import ProviderError
from purvey.providers import Call
from purvey.resources._inputs import absolute
from purvey.resources._plaintext import hidden, plaintexts
from purvey.resources._probe import Failed, Passed, ProbeProvider, excerpt, impossible
from purvey.resources._reach import plain_words

if TYPE_CHECKING:
    import ssl

    import httpx

BODY_BYTES_MAX: Final = 1_048_576
"""How much of an answer is read: a health page is far smaller, and a check must not load a download into memory."""


class CheckProvider(ProbeProvider["Check"]):
    """Sends one request and compares the answer."""

    def target(self, want: Check) -> str:
        """See `ProbeProvider.target`."""
        return want.url

    async def attempt(self, call: Call, want: Check) -> Passed | Failed:
        """See `ProbeProvider.attempt`."""
        import asyncio  # noqa: PLC0415 - declaring a check must not load it.

        import httpx  # noqa: PLC0415 - as above.

        secrets = plaintexts(want.headers)
        place = _place(want.url)
        begun = call.clock.monotonic()
        try:
            context = await _context(call, want.ca_file)
            async with asyncio.timeout(want.timeout_s):
                response, body = await _ask(call, want, context)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            return Failed(hidden(plain_words(error, place, want.timeout_s), secrets))
        except ProviderError as error:
            if error.code == "check_failed":
                raise
            return Failed(hidden(f"{error.summary}: {error.detail}", secrets))
        problem = _mismatch(want, response.status_code, body)
        if problem:
            shown = excerpt(hidden(body.decode("utf-8", "replace"), secrets))
            return Failed(f"{hidden(problem, secrets)}; it said: {shown}" if shown else f"{problem}; its body is empty")
        return Passed({"status": response.status_code, "seconds": round(call.clock.monotonic() - begun, 6)})


class Check(Resource, kind="http.Check", provider=CheckProvider, check=True):
    """A URL answers as it should.

    Gates the run: it passes with the first answer that has the status `expect`, and contains and matches what is asked for; it
    fails when there was none within `within_s`, and shows the last answer.
    """

    url: str = Input(doc="What is asked; `http` or `https`.")
    expect: int = Input(default=200, doc="The status that the answer must have.")
    method: str = Input(default="GET", doc="The method.")
    headers: Mapping[str, str | Secret] = Input(default={}, secret=True, doc="Headers to send; their values may hold secrets.")
    contains: str | None = Input(default=None, doc="Text that the body must contain.")
    json: Any = Input(
        default=None,
        doc="Data that the body, read as JSON, must contain: objects may have more keys, lists must have the same length.",
    )
    ca_file: str | None = Input(default=None, doc="The authority to verify the server by (PEM); else the system's.")
    title: str | None = Input(default=None, doc="What passing means to people, such as `the shop answers`.")
    within_s: float = Input(default=30.0, doc="Seconds after which it has failed.")
    every_s: float = Input(default=0.5, doc="Seconds between two attempts.")
    timeout_s: float = Input(default=5.0, doc="Seconds that one attempt may take.")

    status: int = Output(doc="The status of the answer.")
    seconds: float = Output(doc="How long the answer took.")

    @classmethod
    def prepare(cls, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:
        """See `Resource.prepare`."""
        if inputs.get("ca_file") is None:
            return inputs
        return {**inputs, "ca_file": absolute(inputs["ca_file"], folder)}


def _place(url: str) -> str:
    """Host and port of a URL, for messages.

    Raises:
        ProviderError: ``check_failed`` if it is none, so that no attempt can pass.
    """
    from urllib.parse import urlsplit  # noqa: PLC0415 - declaring a check must not load it.

    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
        host = parts.hostname
    except (ValueError, KeyError):
        host, port = None, 0
    if not host:
        raise impossible(f"{url!r} is not a URL with http or https, a host, and a port from 1 to 65535.", "Mend `url`.")
    return f"{host}:{port}"


async def _context(call: Call, ca_file: str | None) -> ssl.SSLContext:
    import ssl  # noqa: PLC0415 - declaring a check must not load it.

    if ca_file is None:
        return ssl.create_default_context()
    pem = await call.host.read(ca_file)
    try:
        return ssl.create_default_context(cadata=pem.decode("ascii", "replace"))
    except ssl.SSLError:
        raise ProviderError("invalid", "The authority's file holds no certificate", detail=ca_file) from None


async def _ask(call: Call, want: Check, context: ssl.SSLContext) -> tuple[httpx.Response, bytes]:
    """The answer, and the beginning of its body."""
    import httpx  # noqa: PLC0415 - declaring a check must not load it.

    agent = f"purvey/{import_module('purvey').__version__} run/{call.run}"
    given = {name: str(value).encode() for name, value in reveal(dict(want.headers)).items()}  # httpx itself knows ASCII only.
    headers = {"User-Agent": agent.encode(), **given}
    body = bytearray()
    async with (
        httpx.AsyncClient(verify=context, trust_env=False, timeout=want.timeout_s) as client,
        client.stream(want.method, want.url, headers=headers) as response,
    ):
        async for part in response.aiter_bytes():
            body += part
            if len(body) > BODY_BYTES_MAX:
                break
    return response, bytes(body[:BODY_BYTES_MAX])


def _mismatch(want: Check, status: int, body: bytes) -> str:
    """How an answer differs from what is expected; empty when it does not."""
    if status != want.expect:
        return f"answered {status} instead of {want.expect}"
    if want.contains is not None and want.contains not in body.decode("utf-8", "replace"):
        return f"answered {status} without {want.contains!r} in its body"
    if want.json is None:
        return ""
    import json  # noqa: PLC0415 - only for this kind of check.

    try:
        answered = json.loads(body)
    except ValueError:
        return f"answered {status} with a body that is not JSON"
    where = _missing(want.json, answered, "the body")
    return f"answered {status}, but {where}" if where else ""


def _missing(wanted: Any, answered: Any, where: str) -> str:
    """The first place in which `answered` does not contain `wanted`; empty if there is none."""
    if isinstance(wanted, Mapping) and isinstance(answered, dict):
        absent = next((key for key in wanted if key not in answered), None)
        if absent is not None:
            return f"{where} has no {absent!r}"
        pairs = [(item, answered[key], f"{where}[{key!r}]") for key, item in wanted.items()]
    elif isinstance(wanted, list | tuple) and isinstance(answered, list) and len(wanted) == len(answered):
        pairs = [(item, other, f"{where}[{n}]") for n, (item, other) in enumerate(zip(wanted, answered, strict=True))]
    else:
        same = wanted == answered and isinstance(wanted, bool) is isinstance(answered, bool)
        return "" if same else f"{where} is {answered!r} instead of {wanted!r}"
    return next(filter(None, (_missing(*pair) for pair in pairs)), "")
