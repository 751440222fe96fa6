"""The shop: a database, its schema, web processes behind one TLS address, and proof that it answers.

    purvey apply examples/shop/shop.py --env dev

Everything runs on this machine. The password of the database role is read from `.secrets/app-password` beside this file
(`make demo` makes one); it never reaches purvey's record, plan or log.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import psycopg

from purvey import Options, Param, secret, stack, step
from purvey.resources import files, http, postgres, process, tcp, tls

APP = Path(__file__).parent / "app"


@step
def put_on_sale(dsn: str, percent: int) -> int:
    """Lower all prices by so many percent; return the percentage that was in force before."""
    with psycopg.connect(dsn) as connection:
        before = connection.execute("SELECT percent FROM sale").fetchone()
        connection.execute("UPDATE sale SET percent = %s", (percent,))
    return before[0] if before else 0


@put_on_sale.undo
def _(before: int, /, dsn: str, percent: int) -> None:  # noqa: ARG001 - an undo gets all that the step got.
    """Put the former percentage back in force."""
    with psycopg.connect(dsn) as connection:
        connection.execute("UPDATE sale SET percent = %s", (before,))


@stack
def shop(
    env: str,
    workers: Annotated[int, Param(ge=1, le=16, help="web processes")] = 2,
    port: Annotated[int, Param(ge=1, le=65000, help="where the shop answers over TLS")] = 18443,
    greeting: Annotated[str, Param(help="shown on the first page")] = "Good things, fairly made",
    sale: Annotated[int, Param(ge=0, le=90, help="percent off")] = 0,
) -> dict[str, str]:
    """One small web shop."""
    password = secret("file:.secrets/app-password")
    folder = files.Directory("shop", path=f".shop-{env}", mode="0755")

    server = postgres.Server("db", version=18, opts=Options(protect=env == "prod"))
    role = postgres.Role("app", server=server, password=password)
    data = postgres.Database("shop", server=server, owner="postgres")
    schema = postgres.Migrations("schema", database=data, folder="migrations")
    reads = postgres.Grant("app-reads", database=data, role=role.name, privileges=["SELECT"],
                           objects="ALL TABLES IN SCHEMA public", opts=Options(after=[schema]))  # fmt: skip
    orders = postgres.Grant("app-orders", database=data, role=role.name, privileges=["INSERT"],
                            objects="TABLE orders", opts=Options(after=[schema]))  # fmt: skip
    stock = postgres.Grant("app-stock", database=data, role=role.name, privileges=["UPDATE"],
                           objects="TABLE products", opts=Options(after=[schema]))  # fmt: skip
    on_sale = put_on_sale.options(after=[schema])("sale", dsn=data.admin_dsn, percent=sale)

    ca_key = tls.PrivateKey("ca", path=f"{folder.path}/ca.key")
    ca = tls.CertificateAuthority("ca", key=ca_key, path=f"{folder.path}/ca.crt", common_name=f"The shop ({env})")
    key = tls.PrivateKey("front", path=f"{folder.path}/front.key")
    certificate = tls.Certificate("front", ca=ca, key=key, path=f"{folder.path}/front.crt", names=["localhost", "127.0.0.1"])

    settings = files.File("settings", path=f"{folder.path}/shop.toml", template="templates/shop.toml.j2",
                          variables={"name": "Hearth & Hand", "greeting": greeting, "currency": "EUR", "page_size": 12,
                                     "database_host": server.host})  # fmt: skip
    login = f"postgresql://{role.name}@{server.host}:{server.port}/{data.name}"
    backends: list[str] = []
    for n in range(workers):
        web = process.Service(
            f"web-{n}",
            command=["python", str(APP / "web.py"), "--host", "127.0.0.1", "--port", str(port + 1 + n)],
            env={"DATABASE_URL": login, "PGPASSWORD": password, "SHOP_CONFIG": settings.path},
            port=port + 1 + n,
            restart_when=[settings.digest],
            opts=Options(after=[schema, reads, orders, stock, on_sale]),
        )
        http.Check(f"web-{n}", title="the worker answers", url=f"http://{web.address}/healthz", within_s=30)
        backends.append(web.address)

    balanced = files.File("front", path=f"{folder.path}/front.json", template="templates/front.json.j2",
                          variables={"host": "127.0.0.1", "port": port, "certificate": certificate.path, "key": key.path,
                                     "backends": backends})  # fmt: skip
    front = process.Service("front", command=["python", str(APP / "front.py"), "--config", balanced.path], port=port,
                            restart_when=[balanced.digest, certificate.fingerprint])  # fmt: skip

    tcp.Check("front", title="the front listens", host="127.0.0.1", port=port, opts=Options(after=[front]))
    http.Check("front", title="the shop answers over TLS", url=f"https://{front.address}/", contains="Hearth",
               ca_file=ca.path)  # fmt: skip
    postgres.Check("no-debt", title="no product is sold below zero", database=data, opts=Options(after=[schema]),
                   sql="SELECT count(*) FROM products WHERE stock < 0", expect=0)  # fmt: skip
    return {"url": f"https://{front.address}/", "ca": ca.path, "database": data.dsn}
