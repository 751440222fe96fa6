"""What the shop answers, over a store in memory that keeps the real one's promises."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import psycopg
import pytest
from page import Settings
from routes import Reply, Request, Shop
from store import SCHEMA_REVISION, Order, OutOfStockError, Product, Store, UnknownProductError

SETTINGS = Settings(name="Salt & Rope", greeting="Welcome", currency="EUR", page_size=2, database_host="db.example")
BASKETS = [
    b"",
    b"[]",
    b"[" * 60_000,
    b'{"product": "tin-mug"}',
    b'{"product": "tin-mug", "quantity": "1"}',
    b'{"product": "tin-mug", "quantity": true}',
    b'{"product": "tin-mug", "quantity": 0}',
    b'{"product": "tin-mug", "quantity": 1.5}',
    b'{"product": "tin-mug", "quantity": 100}',
    b'{"product": "\\u0000", "quantity": 1}',
    b'{"product": 7, "quantity": 1}',
    b'{"product": "no-such-thing", "quantity": 1}',
]


class MemoryStore(Store):
    """Products and orders in memory; `failure` is what the database would say."""

    def __init__(self) -> None:
        self.found: str | None = f"{SCHEMA_REVISION}_last"
        self.failure = ""
        self.stock = {"hemp-rope": 5, "sea-salt": 0, "tin-mug": 9}
        self.placed: list[Order] = []

    def _work(self) -> None:
        if self.failure:
            raise psycopg.OperationalError(self.failure)

    def revision(self) -> str | None:
        """The revision that the test chose."""
        self._work()
        return self.found

    def products(self, *, offset: int, limit: int) -> list[Product]:
        """Products that cost ten a piece."""
        self._work()
        listed = [Product(slug, slug.title(), "<b>Good</b>", 1000, 20, stock) for slug, stock in self.stock.items()]
        return listed[offset : offset + limit]

    def orders(self) -> list[Order]:
        """Newest first."""
        return self.placed[::-1]

    def place(self, basket: Mapping[str, int]) -> list[Order]:
        """All or nothing."""
        self._work()
        for slug, quantity in basket.items():
            if slug not in self.stock:
                raise UnknownProductError(slug)
            if self.stock[slug] < quantity:
                raise OutOfStockError(slug)
        placed: list[Order] = []
        for slug, quantity in basket.items():
            self.stock[slug] -= quantity
            now = datetime(2026, 1, 1, tzinfo=UTC)
            placed.append(Order(len(self.placed) + len(placed) + 1, slug, quantity, quantity * 1000, now))
        self.placed += placed
        return placed


@pytest.fixture
def store() -> MemoryStore:
    """A store with three products, one of them sold out."""
    return MemoryStore()


@pytest.fixture
def shop(store: MemoryStore) -> Shop:
    """A shop over that store."""
    return Shop(SETTINGS, store, "worker-1")


def read(reply: Reply) -> Any:
    """The JSON of a reply."""
    assert reply.content_type == "application/json"
    return json.loads(reply.body)


def test_a_worker_with_its_schema_is_healthy(shop: Shop) -> None:
    """200, with the revision found and the worker's name."""
    reply = shop.answer(Request("GET", "/healthz"))

    assert reply.status == HTTPStatus.OK
    assert read(reply) == {"healthy": True, "reason": None, "revision": f"{SCHEMA_REVISION}_last", "worker": "worker-1"}


def test_a_later_schema_is_healthy(shop: Shop, store: MemoryStore) -> None:
    """Old workers serve on while a migration is followed by new ones."""
    store.found = "9999_later"

    assert shop.answer(Request("GET", "/healthz")).status == HTTPStatus.OK


@pytest.mark.parametrize("found", [None, "0001_products"])
def test_an_older_schema_is_named_as_the_reason(shop: Shop, store: MemoryStore, found: str | None) -> None:
    """503, and the revision that is there beside the one that is needed."""
    store.found = found
    reply = shop.answer(Request("GET", "/healthz"))

    assert reply.status == HTTPStatus.SERVICE_UNAVAILABLE
    assert read(reply)["reason"] == f"the schema is at revision {found}, and this worker needs {SCHEMA_REVISION}"


def test_health_tells_what_the_database_said(shop: Shop, store: MemoryStore) -> None:
    """503, with the first line of the database's own message."""
    store.failure = "connection refused\nIs the server running?"
    reply = shop.answer(Request("GET", "/healthz"))

    assert reply.status == HTTPStatus.SERVICE_UNAVAILABLE
    assert read(reply)["reason"] == "connection refused"


@pytest.mark.parametrize("path", ["/", "/api/products"])
def test_customers_are_not_told_what_the_database_said(shop: Shop, store: MemoryStore, path: str) -> None:
    """503 without the cause, which goes to the log."""
    store.failure = "permission denied for table products"
    reply = shop.answer(Request("GET", path))

    assert reply.status == HTTPStatus.SERVICE_UNAVAILABLE
    assert store.failure not in reply.body
    assert reply.cause == store.failure


def test_products_come_in_pages(shop: Shop) -> None:
    """Each page has the size of the settings, and says whether another follows."""
    first = read(shop.answer(Request("GET", "/api/products")))
    second = read(shop.answer(Request("GET", "/api/products", {"page": "2"})))

    assert [product["slug"] for product in first["products"] + second["products"]] == ["hemp-rope", "sea-salt", "tin-mug"]
    assert (first["more"], second["more"]) == (True, False)


@pytest.mark.parametrize("page", ["0", "-1", "x", "", "9" * 5000])
def test_a_page_that_is_no_number_is_refused(shop: Shop, page: str) -> None:
    """400, whatever stands in the address."""
    assert shop.answer(Request("GET", "/api/products", {"page": page})).status == HTTPStatus.BAD_REQUEST


def test_an_order_takes_stock_and_is_listed(shop: Shop, store: MemoryStore) -> None:
    """201 with the order; the stock is less, and the order is on the list."""
    reply = shop.answer(Request("POST", "/api/orders", body=b'{"product": "tin-mug", "quantity": 2}'))

    assert reply.status == HTTPStatus.CREATED
    assert store.stock["tin-mug"] == 7
    assert read(shop.answer(Request("GET", "/api/orders")))["orders"] == [read(reply)]
    assert read(reply)["placed_at"] == "2026-01-01T00:00:00+00:00"


@pytest.mark.parametrize("body", BASKETS)
def test_an_order_that_makes_no_sense_is_refused(shop: Shop, store: MemoryStore, body: bytes) -> None:
    """400 with a sentence, and nothing is ordered."""
    reply = shop.answer(Request("POST", "/api/orders", body=body))

    assert reply.status == HTTPStatus.BAD_REQUEST
    assert read(reply)["error"]
    assert not store.placed


def test_what_is_sold_out_cannot_be_ordered(shop: Shop) -> None:
    """409."""
    reply = shop.answer(Request("POST", "/api/orders", body=b'{"product": "sea-salt", "quantity": 1}'))

    assert reply.status == HTTPStatus.CONFLICT


def test_a_cart_is_ordered_once(shop: Shop, store: MemoryStore) -> None:
    """Checking out leads to another page, so that loading it again does not order again; zeros are left out."""
    reply = shop.answer(Request("POST", "/", body=b"tin-mug=2&hemp-rope=1&sea-salt=0"))

    assert (reply.status, reply.headers["Location"]) == (HTTPStatus.SEE_OTHER, "/?ordered=3")
    assert store.stock == {"hemp-rope": 4, "sea-salt": 0, "tin-mug": 7}
    assert "Articles ordered: 3" in shop.answer(Request("GET", "/", {"ordered": "3"})).body


@pytest.mark.parametrize(
    ("cart", "status"),
    [
        (b"tin-mug=0", HTTPStatus.BAD_REQUEST),
        (b"tin-mug=%3Cscript%3E", HTTPStatus.BAD_REQUEST),
        (b"hemp-rope=1&sea-salt=1", HTTPStatus.CONFLICT),
        (b"\xff\xfe=1", HTTPStatus.BAD_REQUEST),
    ],
)
def test_a_refused_cart_comes_back_as_a_page(shop: Shop, store: MemoryStore, cart: bytes, status: HTTPStatus) -> None:
    """The reason stands on the page, nothing was ordered, and what was typed is markup for nobody."""
    reply = shop.answer(Request("POST", "/", body=cart))

    assert (reply.status, reply.content_type) == (status, "text/html; charset=utf-8")
    assert 'class="notice refused"' in reply.body
    assert "<script>" not in reply.body
    assert not store.placed


def test_a_refused_cart_keeps_its_quantities(shop: Shop) -> None:
    """Nobody has to type a cart twice."""
    body = shop.answer(Request("POST", "/", body=b"hemp-rope=4&sea-salt=1")).body

    assert 'name="hemp-rope" min="0" max="5" value="4"' in body


def test_the_page_shows_what_is_sold_and_escapes_it(shop: Shop) -> None:
    """Names, prices, stock, the worker and the database host are there; text from the database is text."""
    body = shop.answer(Request("GET", "/")).body

    for shown in (
        "Salt &amp; Rope",
        "Hemp-Rope",
        "€10.00",
        "20 % off",
        "5 left",
        "Sold out",
        "worker-1",
        "db.example",
        "/?page=2",
    ):
        assert shown in body
    assert "<b>" not in body


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", HTTPStatus.NOT_FOUND),
        ("POST", "/healthz", HTTPStatus.METHOD_NOT_ALLOWED),
    ],
)
def test_what_is_not_there_is_said(shop: Shop, method: str, path: str, status: HTTPStatus) -> None:
    """404 for an unknown path, 405 for a method that a path does not take."""
    assert shop.answer(Request(method, path)).status == status
