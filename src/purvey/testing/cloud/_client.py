"""How the kinds speak to the cloud: one request at a time, each error under its stable code, the credential renewed once.

Whether an error leaves open if something was made follows from what is known: an answer of the 4xx says that nothing was, an
answer of the 5xx or a connection that broke after the request was sent says nothing, and one that never came about says no.

The connections belong to the event loop on which they were made: they are shared by all calls on it, and closed with it.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Mapping
from typing import TYPE_CHECKING, Any, Final

from purvey.errors import Code, ProviderError
from purvey.testing.cloud._cloud import VARIABLE

if TYPE_CHECKING:
    import asyncio

    import httpx

    from purvey.providers import Call

_CODES: Final[Mapping[str, Code]] = {
    "slow_down": "throttled",
    "expired": "expired_credential",
    "not_found": "not_found",
    "no_parent": "not_found",
    "already_exists": "already_exists",
    "in_use": "in_use",
    "quota_exceeded": "quota_exceeded",
    "schema_changed": "schema_changed",
    "token_reused": "invalid",
    "invalid": "invalid",
}
"""The cloud's own codes, and ours."""

_SUMMARIES: Final[Mapping[str, str]] = {
    "throttled": "The cloud asks to wait",
    "expired_credential": "The cloud does not accept the credential any more",
    "not_found": "The cloud does not have it",
    "already_exists": "The cloud has one of that name already",
    "in_use": "Something in the cloud still uses it",
    "quota_exceeded": "The cloud allows no more of them",
    "schema_changed": "The cloud speaks another version of its API",
    "invalid": "The cloud refuses the request",
    "unavailable": "The cloud does not work at the moment",
}

_TIMEOUT_S: Final = 30.0
"""How long one request may take: a quarter of a call's deadline, so that a call with several ends in time."""

_SERVER_ERROR: Final = 500
_ERROR: Final = 400
_CREDENTIALS: dict[str, str] = {}
"""The credential in use, by the cloud's URL."""

_OPEN: dict[asyncio.AbstractEventLoop, httpx.AsyncClient] = {}
_KEPT: dict[asyncio.AbstractEventLoop, AsyncGenerator[None]] = {}
"""The client of each running loop, and what closes it."""


def endpoint() -> str:
    """The cloud's URL.

    Raises:
        ProviderError: ``invalid`` if the environment does not name one.
    """
    url = os.environ.get(VARIABLE, "")
    if not url:
        raise ProviderError(
            "invalid", "No cloud is named", detail=f"The environment variable {VARIABLE} is not set.",
            hint="Start one, and export the URL that it prints:\n\n    python -m purvey.testing.cloud",
        )  # fmt: skip
    return url


async def ask(
    call: Call, method: str, path: str, *, body: Any = None, query: Mapping[str, str] | None = None, token: bool = False
) -> dict[str, Any]:
    """Send one request; a credential that has expired is renewed, and then it is sent once more.

    Args:
        call: The operation; for a request that changes something, its lease is checked just before.
        method: ``GET`` changes nothing, the others do.
        path: Below ``/v1``.
        body: Data to send as JSON.
        query: What to ask for.
        token: Whether the token goes along as the key that makes a repetition harmless.

    Raises:
        ProviderError: with the stable code of what went wrong.
        StateError: ``state.lease_lost``.
    """
    import httpx  # noqa: PLC0415 - declaring a kind must not load it.

    url = endpoint()
    headers = {
        "Cloud-Schema": "1", "Purvey-Run": call.run, "Purvey-Token": call.token, "Purvey-Address": call.address,
        "Purvey-Pid": str(os.getpid()), **({"Idempotency-Key": call.token} if token else {}),
    }  # fmt: skip
    try:
        client = await _client()
        request = client.build_request(method, f"{url}/v1/{path}", json=body, params=query, headers=headers)
        response = await _send(call, client, request, url, fresh=False)
        if response.status_code == httpx.codes.UNAUTHORIZED:
            response = await _send(call, client, request, url, fresh=True)
    except httpx.HTTPError as error:
        raise _broken(error, changing=method != "GET") from error
    return _read(response, changing=method != "GET")


async def account() -> str:
    """The account that the cloud's credentials are of.

    Raises:
        ProviderError: ``unavailable`` if the cloud does not answer.
    """
    import httpx  # noqa: PLC0415 - as above.

    try:
        response = await (await _client()).post(f"{endpoint()}/token")
    except httpx.HTTPError as error:
        raise _broken(error, changing=False) from error
    return str(response.json()["account"])


async def _send(call: Call, client: httpx.AsyncClient, request: httpx.Request, url: str, *, fresh: bool) -> httpx.Response:
    """Send it with the credential, a new one if `fresh`; the lease is checked last of all."""
    request.headers["Authorization"] = f"Bearer {await _credential(client, url, fresh=fresh)}"
    if request.method != "GET":
        call.check_lease()
    return await client.send(request)


async def _client() -> httpx.AsyncClient:
    """The running loop's client."""
    import asyncio  # noqa: PLC0415 - as in `ask`.

    loop = asyncio.get_running_loop()
    if loop not in _OPEN:
        opened = _opened(loop)
        await anext(opened)  # It puts itself into the table.
        _KEPT[loop] = opened
    return _OPEN[loop]


async def _opened(loop: asyncio.AbstractEventLoop) -> AsyncGenerator[None]:
    """Holds a client open until the loop shuts its asynchronous generators down, as `asyncio.run` does at its end."""
    import ssl  # noqa: PLC0415 - as in `ask`.

    import httpx  # noqa: PLC0415 - as in `ask`.

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # Never used: the cloud is on this machine; reading authorities is slow.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    client = _OPEN[loop] = httpx.AsyncClient(verify=context, trust_env=False, timeout=_TIMEOUT_S, limits=limits)
    try:
        yield
    finally:
        del _OPEN[loop], _KEPT[loop]
        await client.aclose()


async def _credential(client: httpx.AsyncClient, url: str, *, fresh: bool) -> str:
    if fresh or url not in _CREDENTIALS:
        response = await client.post(f"{url}/token")
        _CREDENTIALS[url] = str(response.json()["token"])
    return _CREDENTIALS[url]


def _broken(error: httpx.HTTPError, *, changing: bool) -> ProviderError:
    """The error for a request that got no answer."""
    import httpx  # noqa: PLC0415 - as above.

    never_sent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
    detail = f"{type(error).__name__}: {error}"
    if changing and not never_sent:
        return ProviderError("timeout", "The cloud's answer was lost", detail=detail, may_exist=True)
    return ProviderError("unavailable", "The cloud does not answer", detail=detail)


def _read(response: httpx.Response, *, changing: bool) -> dict[str, Any]:
    status = response.status_code
    if status < _ERROR:
        answer: dict[str, Any] = response.json()
        return answer
    told = response.json()
    code: Code = _CODES.get(told["error"], "unavailable" if status >= _SERVER_ERROR else "failed")
    after = response.headers.get("Retry-After")
    raise ProviderError(
        code, _SUMMARIES.get(code, "The cloud refuses the request"), detail=str(told["message"]),
        may_exist=changing and status >= _SERVER_ERROR, retry_after_s=float(after) if after else None,
    )  # fmt: skip
