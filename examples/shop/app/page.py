"""The shop's page: what customers see, and the settings that say how it looks.

The markup and its style are in page.html and product.html; whatever is filled in is escaped here, in one place.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template

from store import Product

PAGE_SIZE_MAX = 100
QUANTITY_MAX = 99
STOCK_LOW = 5
SYMBOLS = {"EUR": "€", "GBP": "£", "USD": "$"}


@dataclass(frozen=True, slots=True)
class Settings:
    """How this shop differs from others; `page_size` is 1 to 100 products, `database_host` is only shown."""

    name: str
    greeting: str
    currency: str
    page_size: int
    database_host: str

    @classmethod
    def load(cls, path: Path) -> Settings:
        """The settings in a TOML file; OSError, TypeError or ValueError if it does not hold just these."""
        settings = cls(**tomllib.loads(path.read_text("utf-8")))
        if not 1 <= settings.page_size <= PAGE_SIZE_MAX:
            raise ValueError(f"page_size is {settings.page_size}, and must be from 1 to {PAGE_SIZE_MAX}")
        return settings


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence for the customer, and whether it tells of something that was ``done`` or ``refused``."""

    outcome: str = ""
    text: str = ""


class Page:
    """The page of one worker."""

    def __init__(self, settings: Settings, worker: str) -> None:
        self._settings = settings
        self._worker = worker
        self._page = Template(Path(__file__).with_name("page.html").read_text("utf-8"))
        self._product = Template(Path(__file__).with_name("product.html").read_text("utf-8"))

    def render(self, products: Sequence[Product], notice: Notice, *, wanted: Mapping[str, str], number: int, more: bool) -> str:
        """The HTML of one page.

        Args:
            products: What is on it.
            notice: What happened to an order just now.
            wanted: What the customer typed as quantities, by slug.
            number: The page's own, 1 or more.
            more: Whether a page follows.
        """
        links = [(number - 1, "Previous")] * (number > 1) + [(number + 1, "Next")] * more
        return self._page.substitute(
            name=escape(self._settings.name),
            greeting=escape(self._settings.greeting),
            outcome=escape(notice.outcome),
            notice=escape(notice.text),
            products="".join(self._card(product, wanted.get(product.slug, "0")) for product in products),
            pages="".join(f'<a href="/?page={target}">{text}</a>' for target, text in links),
            worker=escape(self._worker),
            database_host=escape(self._settings.database_host),
        )

    def _card(self, product: Product, wanted: str) -> str:
        return self._product.substitute(
            slug=escape(product.slug),
            name=escape(product.name),
            blurb=escape(product.blurb),
            price=escape(price(product.price_cents, self._settings.currency)),
            off=f"{product.off_percent} % off" if product.off_percent else "",
            stock=f"{product.stock} left" if product.stock else "Sold out",
            level="low" if product.stock <= STOCK_LOW else "",
            wanted=escape(wanted),
            most=min(product.stock, QUANTITY_MAX),
            state="" if product.stock else "disabled",
        )


def price(cents: int, currency: str) -> str:
    """An amount as people write it; `currency` is its three letters."""
    return f"{SYMBOLS.get(currency, currency + ' ')}{cents / 100:,.2f}"
