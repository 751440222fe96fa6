"""What the shop answers, request by request: the page, the JSON interface, and its health.

Nothing here knows of sockets. What a client sends is checked before the store sees it, and every failure that is not a
fault of this code becomes a reply: 400 for what makes no sense, 409 for what is not in stock, 503 for a database that
does not do its part.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from http import HTTPStatus
from types import MappingProxyType
from urllib.parse import parse_qsl

import psycopg
from page import QUANTITY_MAX, Notice, Page, Settings
from store import SCHEMA_REVISION, OutOfStockError, Product, Store, UnknownProductError


class BadRequestError(Exception):
    """A request that makes no sense; the message says why."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asks for."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a client gets."""

    status: HTTPStatus
    body: str
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    cause: str = ""
    """What the log tells beside, and the client is not told."""


def _json(status: HTTPStatus, value: object) -> Reply:
    return Reply(status, json.dumps(value, default=datetime.isoformat) + "\n")


def refusal(status: HTTPStatus, why: str) -> Reply:
    """A reply that says in a sentence why there is no other."""
    return _json(status, {"error": why})


class Shop:
    """The shop as one worker runs it: a request in, a reply out."""

    def __init__(self, settings: Settings, store: Store, worker: str) -> None:
        self._settings = settings
        self._store = store
        self._worker = worker
        self._page = Page(settings, worker)
        self._routes = {
            "/": {"GET": self._show, "POST": self._check_out},
            "/healthz": {"GET": self._health},
            "/api/products": {"GET": self._products},
            "/api/orders": {"GET": self._orders, "POST": self._order},
        }

    def answer(self, request: Request) -> Reply:
        """The reply to a request, whatever it is."""
        methods = self._routes.get(request.path, {})
        if not methods:
            return refusal(HTTPStatus.NOT_FOUND, f"There is nothing at {request.path}.")
        if request.method not in methods:
            reply = refusal(HTTPStatus.METHOD_NOT_ALLOWED, f"{request.path} takes {' and '.join(methods)} only.")
            return replace(reply, headers={"Allow": ", ".join(methods)})
        try:
            return methods[request.method](request)
        except (BadRequestError, OutOfStockError, UnknownProductError) as error:
            return refusal(_status(error), str(error))
        except psycopg.Error as error:
            reply = refusal(HTTPStatus.SERVICE_UNAVAILABLE, "The shop cannot use its database just now.")
            return replace(reply, cause=_first_line(error))

    def _health(self, request: Request) -> Reply:
        revision, reason = None, None
        try:
            revision = self._store.revision()
        except psycopg.Error as error:
            reason = _first_line(error)
        else:
            if revision is None or revision < SCHEMA_REVISION:
                reason = f"the schema is at revision {revision}, and this worker needs {SCHEMA_REVISION}"
        status = HTTPStatus.SERVICE_UNAVAILABLE if reason else HTTPStatus.OK
        return _json(status, {"healthy": not reason, "reason": reason, "revision": revision, "worker": self._worker})

    def _products(self, request: Request) -> Reply:
        number = _page_number(request)
        products, more = self._shelf(number)
        shown = [asdict(product) for product in products]
        currency = self._settings.currency
        return _json(HTTPStatus.OK, {"page": number, "more": more, "currency": currency, "products": shown})

    def _orders(self, request: Request) -> Reply:
        return _json(HTTPStatus.OK, {"orders": [asdict(order) for order in self._store.orders()]})

    def _order(self, request: Request) -> Reply:
        [order] = self._store.place(_single_order(request.body))
        return _json(HTTPStatus.CREATED, asdict(order))

    def _show(self, request: Request) -> Reply:
        count = _whole(request.query.get("ordered", ""))
        notice = Notice("done", f"Thank you! Articles ordered: {count}.") if count else Notice()
        return self._render(HTTPStatus.OK, request, notice)

    def _check_out(self, request: Request) -> Reply:
        wanted = dict(parse_qsl(request.body.decode("ascii", "replace")))
        try:
            orders = self._store.place(_cart(wanted))
        except (BadRequestError, OutOfStockError, UnknownProductError) as error:
            return self._render(_status(error), request, Notice("refused", str(error)), wanted=wanted)
        count = sum(order.quantity for order in orders)
        # The customer is sent to a page of its own, so that loading it again does not order again.
        return Reply(HTTPStatus.SEE_OTHER, "", headers={"Location": f"/?ordered={count}"})

    def _render(
        self, status: HTTPStatus, request: Request, notice: Notice, *, wanted: Mapping[str, str] = MappingProxyType({})
    ) -> Reply:
        number = _page_number(request)
        products, more = self._shelf(number)
        html = self._page.render(products, notice, wanted=wanted, number=number, more=more)
        return Reply(status, html, "text/html; charset=utf-8")

    def _shelf(self, number: int) -> tuple[list[Product], bool]:
        size = self._settings.page_size
        found = self._store.products(offset=(number - 1) * size, limit=size + 1)
        return found[:size], len(found) > size


def _status(error: BadRequestError | OutOfStockError | UnknownProductError) -> HTTPStatus:
    return HTTPStatus.CONFLICT if isinstance(error, OutOfStockError) else HTTPStatus.BAD_REQUEST


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__


def _whole(text: str) -> int:
    """The whole number that `text` writes in at most six digits, else 0."""
    return int(text) if re.fullmatch(r"[0-9]{1,6}", text) else 0


def _page_number(request: Request) -> int:
    text = request.query.get("page", "1")
    if number := _whole(text):
        return number
    raise BadRequestError(f"A page is a number from 1 up, not {text!r}.")


def _line(product: object, quantity: object) -> tuple[str, int]:
    if not isinstance(product, str) or not re.fullmatch(r"[a-z0-9-]{1,64}", product):
        raise BadRequestError(f"There is no product {product!r}.")
    # To Python, True is the number 1.
    if not isinstance(quantity, int) or isinstance(quantity, bool) or not 1 <= quantity <= QUANTITY_MAX:
        raise BadRequestError(f"A quantity is a whole number from 1 to {QUANTITY_MAX}, not {quantity!r}.")
    return product, quantity


def _single_order(body: bytes) -> dict[str, int]:
    try:
        order = json.loads(body)
        product, quantity = order["product"], order["quantity"]
    except (KeyError, RecursionError, TypeError, ValueError):
        raise BadRequestError('An order is JSON like {"product": "tin-mug", "quantity": 1}.') from None
    return dict([_line(product, quantity)])


def _cart(wanted: Mapping[str, str]) -> dict[str, int]:
    lines = [_line(product, _whole(text) or text) for product, text in wanted.items() if text != "0"]
    if not lines:
        raise BadRequestError("The cart is empty; choose a quantity first.")
    return dict(lines)
