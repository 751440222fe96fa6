"""The shop's database: products, orders, and the one transaction that turns the first into the second.

An order takes the stock of everything in it or of nothing, and stock never goes below zero, whatever races: the update
itself asks whether enough is there, under the row's lock, and a constraint of the schema has the last word.
"""

from __future__ import annotations

import queue
import select
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg.rows import class_row

SCHEMA_REVISION = "0005"
"""The migration that this code needs. Migrations only add, so a later one serves as well."""

CONNECT_S = 3
WAIT_S = 3
STATEMENT_MS = 5_000

_TAKE = """
WITH taken AS (
    UPDATE products SET stock = stock - %(quantity)s WHERE slug = %(slug)s AND stock >= %(quantity)s
    RETURNING slug
)
INSERT INTO orders (product, quantity, total_cents)
SELECT slug, %(quantity)s, price_cents * %(quantity)s FROM taken JOIN offers USING (slug)
RETURNING id, product, quantity, total_cents, placed_at
"""


class UnknownProductError(Exception):
    """There is no such product."""


class OutOfStockError(Exception):
    """Less is left of a product than was ordered."""


@dataclass(frozen=True, slots=True)
class Product:
    """Something to buy: what it costs today, how much of the price is off already, and how many are left."""

    slug: str
    name: str
    blurb: str
    price_cents: int
    off_percent: int
    stock: int


@dataclass(frozen=True, slots=True)
class Order:
    """Something bought."""

    id: int
    product: str
    quantity: int
    total_cents: int
    placed_at: datetime


class Store:
    """The database at `url` through at most `size` connections; one that was lost is replaced when it is next needed.

    Every method raises psycopg.Error when the database cannot do its part.
    """

    def __init__(self, url: str, *, size: int = 8) -> None:
        self._url = url
        self._slots: queue.LifoQueue[psycopg.Connection | None] = queue.LifoQueue()
        for _ in range(size):
            self._slots.put(None)

    def revision(self) -> str | None:
        """The last migration that was applied, if any was."""
        with self._connection() as connection:
            row = connection.execute("SELECT max(revision) FROM purvey_migrations").fetchone()
        return row[0] if row else None

    def products(self, *, offset: int, limit: int) -> list[Product]:
        """Up to `limit` products by name, the first `offset` left out."""
        query = "SELECT slug, name, blurb, price_cents, off_percent, stock FROM offers ORDER BY name LIMIT %s OFFSET %s"
        with self._connection() as connection, connection.cursor(row_factory=class_row(Product)) as cursor:
            return cursor.execute(query, (limit, offset)).fetchall()

    def orders(self) -> list[Order]:
        """The last 50 orders, newest first."""
        query = "SELECT id, product, quantity, total_cents, placed_at FROM orders ORDER BY id DESC LIMIT 50"
        with self._connection() as connection, connection.cursor(row_factory=class_row(Order)) as cursor:
            return cursor.execute(query).fetchall()

    def place(self, basket: Mapping[str, int]) -> list[Order]:
        """Take all of `basket` from stock, or nothing.

        Args:
            basket: Quantities, 1 or more, by the slug of the product.

        Returns:
            One order for each product.

        Raises:
            UnknownProductError: A slug is nobody's.
            OutOfStockError: Less is left than was ordered.
        """
        with self._connection() as connection, connection.transaction():
            # Everybody takes in the same order, so that two baskets never wait for each other.
            return [_take(connection, slug, quantity) for slug, quantity in sorted(basket.items())]

    def close(self) -> None:
        """End the connections that are not in use."""
        while not self._slots.empty():
            if connection := self._slots.get():
                connection.close()

    @contextmanager
    def _connection(self) -> Iterator[psycopg.Connection]:
        try:
            connection = self._slots.get(timeout=WAIT_S)
        except queue.Empty:
            raise psycopg.OperationalError("all connections to the database are in use") from None
        try:
            if connection is None or _is_lost(connection):
                connection = None  # If connecting fails, the slot goes back empty.
                connection = psycopg.connect(
                    self._url,
                    autocommit=True,
                    connect_timeout=CONNECT_S,
                    options=f"-c statement_timeout={STATEMENT_MS}",
                )
            yield connection
        finally:
            self._slots.put(None if connection is None or connection.closed else connection)


def _is_lost(connection: psycopg.Connection) -> bool:
    """Whether the server hung up; it speaks to an idle connection only to say so."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    if not poll.poll(0):
        return False
    connection.close()
    return True


def _take(connection: psycopg.Connection, slug: str, quantity: int) -> Order:
    with connection.cursor(row_factory=class_row(Order)) as cursor:
        order = cursor.execute(_TAKE, {"slug": slug, "quantity": quantity}).fetchone()
    if order:
        return order
    left = connection.execute("SELECT name, stock FROM products WHERE slug = %s", (slug,)).fetchone()
    if not left:
        raise UnknownProductError(f"There is no product {slug!r}.")
    raise OutOfStockError(f"{left[0]}: {quantity} ordered, {left[1]} left.")
