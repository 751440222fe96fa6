"""The database family for somebody who is not root: the same life, with a server of one's own."""

from __future__ import annotations

import os
import shutil

from tests.e2e import ordinary_user
from tests.e2e.objects import open_folder, processes_in

LIFE = """
import asyncio, os, sys
from purvey._base.value import Secret
from purvey.providers import Pending
from purvey.resources import postgres
from purvey.testing import PlainCall, view

async def made(want, **more):
    call = PlainCall(f"{sys.argv[1]}/{want._kind.name}", name="test", **more)
    outcome = await want._kind.provider.create(call, want)
    while isinstance(outcome, Pending):
        await asyncio.sleep(outcome.again_s)
        outcome = await want._kind.provider.ready(call, want)
    return call, want._kind.bind(want._address, {**want._values, **outcome.outputs})

async def main():
    wrong = view(postgres.Server, "db", user="root")
    (finding,) = await wrong._kind.provider.preflight(PlainCall(sys.argv[1]), wrong)
    assert "only root" in finding.problem, finding
    want = view(postgres.Server, "db", settings={"fsync": "off"})
    assert await want._kind.provider.preflight(PlainCall(sys.argv[1]), want) == []
    call, server = await made(want)
    try:
        _, role = await made(view(postgres.Role, "app", name="app", server=server, password=Secret("word")))
        _, data = await made(view(postgres.Database, "shop", name="shop", server=server, owner="app"))
        files = {"0001_a": {"checksum": "x", "up": "CREATE TABLE a (n int)", "down": None}}
        _, schema = await made(view(postgres.Migrations, "schema", database=data, folder="m", files=files))
        _, check = await made(view(postgres.Check, "check", database=data, sql="SELECT count(*) FROM a", expect=0))
        assert os.stat(server.data).st_uid == os.getuid() != 0
    finally:
        await server._kind.provider.delete(call, server)
    print("lived as", os.getuid())

asyncio.run(main())
"""


async def test_an_ordinary_user_has_a_server_of_its_own() -> None:
    """Server, role, database, migrations and check are made by a user without any right, and nothing of them is left."""
    tools, folder = open_folder(), open_folder()
    if os.geteuid() == 0:
        os.chown(folder, ordinary_user.UID, ordinary_user.UID)
    try:
        code, said = await ordinary_user.run(tools, LIFE, str(folder))

        uid = ordinary_user.UID if os.geteuid() == 0 else os.getuid()
        assert (code, said.strip()) == (0, f"lived as {uid}"), said
        assert processes_in(folder) == []
        assert not (folder / "postgres.Server").exists()
    finally:
        shutil.rmtree(tools)
        shutil.rmtree(folder)
