"""The shop's migrations and templates fit its programs."""

from __future__ import annotations

import json
from pathlib import Path

import jinja2
import pytest
from front import Config
from page import Settings, price
from store import SCHEMA_REVISION

TEXTS = ["plain", 'quoted "so"', r"back\slash", "two\nlines", "a\ttab", "🧭 Çay €", "{{ name }}", "</script>", ""]


def render(folder: Path, template: str, **values: object) -> str:
    """A template of the shop, filled in strictly."""
    loader = jinja2.FileSystemLoader(folder / "templates")
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, loader=loader, autoescape=False)
    return environment.get_template(template).render(**values)


def test_each_migration_can_be_undone(shop_folder: Path) -> None:
    """Every migration has a down file beside it, and every down file a migration."""
    names = {path.name.removesuffix(".sql") for path in (shop_folder / "migrations").glob("*.sql")}
    downs = {name.removesuffix(".down") for name in names if name.endswith(".down")}

    assert downs == {name for name in names if not name.endswith(".down")}


def test_the_service_needs_the_last_migration(shop_folder: Path) -> None:
    """The revision that a worker asks for on /healthz is the last that the folder brings."""
    last = max(path.name for path in (shop_folder / "migrations").glob("*.sql") if ".down." not in path.name)

    assert last.startswith(f"{SCHEMA_REVISION}_")


@pytest.mark.parametrize("text", TEXTS)
def test_settings_survive_their_template(shop_folder: Path, tmp_path: Path, text: str) -> None:
    """Whatever a parameter holds, the service reads just that."""
    path = tmp_path / "shop.toml"
    values = {"name": text, "greeting": text, "currency": "EUR", "page_size": 12, "database_host": text}
    path.write_text(render(shop_folder, "shop.toml.j2", **values), encoding="utf-8")

    assert Settings.load(path) == Settings(text, text, "EUR", 12, text)


@pytest.mark.parametrize("page_size", [0, 101])
def test_a_page_size_out_of_range_is_refused(shop_folder: Path, tmp_path: Path, page_size: int) -> None:
    """The message names the setting, its value and its range."""
    path = tmp_path / "shop.toml"
    values = {"name": "n", "greeting": "g", "currency": "EUR", "page_size": page_size, "database_host": "h"}
    path.write_text(render(shop_folder, "shop.toml.j2", **values), encoding="utf-8")

    with pytest.raises(ValueError, match=f"page_size is {page_size}, and must be from 1 to 100"):
        Settings.load(path)


def test_the_front_reads_its_template(shop_folder: Path, tmp_path: Path) -> None:
    """Backends arrive in order, and a path that is not absolute starts beside the configuration."""
    path = tmp_path / "front.json"
    backends = ["127.0.0.1:8001", "127.0.0.1:8002"]
    values = {"host": "127.0.0.1", "port": 8443, "certificate": "web.pem", "key": Path("/keys/web.key")}
    path.write_text(render(shop_folder, "front.json.j2", **values, backends=backends), encoding="utf-8")

    assert Config.load(path) == Config("127.0.0.1", 8443, tmp_path / "web.pem", Path("/keys/web.key"), tuple(backends))


@pytest.mark.parametrize("backends", [[], ["127.0.0.1"], ["127.0.0.1:http"]])
def test_a_front_without_usable_backends_is_refused(tmp_path: Path, backends: list[str]) -> None:
    """The message shows what was given and what is wanted."""
    path = tmp_path / "front.json"
    path.write_text(json.dumps({"host": "h", "port": 1, "certificate": "c", "key": "k", "backends": backends}))

    with pytest.raises(ValueError, match="must be one host:port or more"):
        Config.load(path)


@pytest.mark.parametrize(
    ("cents", "currency", "shown"),
    [(5, "EUR", "€0.05"), (123456, "GBP", "£1,234.56"), (1990, "CHF", "CHF 19.90")],
)
def test_prices_are_written_as_people_do(cents: int, currency: str, shown: str) -> None:
    """Two decimals, thousands apart, the sign of the currency or its letters in front."""
    assert price(cents, currency) == shown
