"""A rehearsal of the example shop, before it is open and while it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.shop import Shop

pytestmark = pytest.mark.xdist_group("shop")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A shop of its own, taken down afterwards."""
    made = Shop(tmp_path)
    yield made
    made.remove()


def rehearsal(shop: Shop, *arguments: str, expect: int = 0) -> dict[str, object]:
    """The document of a rehearsal."""
    found: dict[str, object] = shop.document("rehearse", str(shop.script), *arguments, expect=expect)
    return found


def test_the_shop_can_be_taken_back(shop: Shop) -> None:
    """Opening the shop has no finding and makes nothing; nor has a change of it while it is open, which goes on answering."""
    port = ("-e", "dev", "--port", str(shop.port))
    first = rehearsal(shop, *port)

    assert first["restores"] is True
    assert first["findings"] == []
    assert shop.leftovers() == []

    shop.apply()
    before = shop.processes()
    changed = rehearsal(shop, *port, "--workers", "3", "--greeting", "Hello", "--sale", "10")

    assert changed["restores"] is True
    assert {"step.put_on_sale::sale", "process.Service::web-2"} <= {item["address"] for item in changed["operations"]}  # type: ignore[attr-defined]
    assert shop.processes() == before
    assert "Hello" not in shop.get()


def test_a_protected_database_is_said_to_stay(shop: Shop) -> None:
    """In production the database is protected by the very run that makes it, and the rehearsal says that it would stay."""
    found = rehearsal(shop, "-e", "prod", "--port", str(shop.port), expect=16)

    told = {item["address"]: item for item in found["findings"]}  # type: ignore[attr-defined]
    assert "protected in one run" in told["postgres.Server::db"]["why"]
    assert told["postgres.Server::db"]["source"].startswith("shop.py:")
