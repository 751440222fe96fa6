"""The document inside a plan file: version 1 as it was first written is read by every later version."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from purvey._base.compare import FieldChange
from purvey._base.value import Late, Link, Masked, NodeLink, SecretRef, Unknown
from purvey._graph import Later, Node, NodeOptions, Pause
from purvey._plan.plan import Change, Operation, Plan
from purvey._plan.plan_file import SavedPlan, from_bytes, to_bytes
from purvey.errors import ScriptError

GOLDEN = Path(__file__).with_name("plan-1.json")

NODE = Node(
    "eu/files.File::motd",
    "files.File",
    {
        "path": "/etc/motd",
        "content": Late("concat", ("made by ", Link("process.Service::web", "address"))),
        "variables": {"password": SecretRef("env:PASSWORD"), "on": NodeLink("postgres.Server::db")},
    },
    ("process.Service::web", "postgres.Server::db"),
    NodeOptions(protect=True, after=("step.migrate::schema",)),
    "shop.py:12",
    "0123456789abcdef0123456789abcdef",
)

SAVED = SavedPlan(
    plan=Plan(
        stack="shop/prod",
        changes=(
            Change(
                address=NODE.address,
                kind=NODE.kind,
                action="update",
                fields=(
                    FieldChange("content", "old", Unknown("process.Service::web.address"), "upstream"),
                    FieldChange("variables.password", Masked("00ff"), Masked("ff00"), "script"),
                ),
                cause="changed at shop.py:12",
                undo="put the former values back",
                source="shop.py:12",
                generation=2,
            ),
        ),
        operations=(
            Operation(
                id=f"update {NODE.address} #2",
                verb="update",
                address=NODE.address,
                generation=2,
                planned=("content", "variables"),
            ),
        ),
        nodes={NODE.address: NODE},
        unchanged=3,
        skipped=("files.File::other",),
        pauses=(Pause("shop.py:31", Link("step.survey::regions", "result", (0,))),),
        later=Later(40, ("files.File",)),
        outputs={"url": "https://127.0.0.1/"},
        warnings=("read me",),
    ),
    made=1_800_000_000.0,
    estate="abcdefgh",
    script="/srv/shop.py",
    function="shop",
    archive="fedcba9876543210fedcba9876543210",
    parameters={"workers": {"value": "3", "origin": "--workers"}},
    lookups={"image": "debian-12"},
    selection=((), ("files.*",)),
)


def test_the_document_of_version_1_is_written_and_read_as_ever() -> None:
    """What is written is the golden document, byte for byte, and it is read back to the same plan."""
    written = to_bytes(SAVED)
    if os.environ.get("PURVEY_GOLDEN") == "write":
        GOLDEN.write_bytes(written + b"\n")

    assert written + b"\n" == GOLDEN.read_bytes()
    assert from_bytes(GOLDEN.read_bytes()) == SAVED


@pytest.mark.parametrize("document", [b"", b"[]", b"{}", b'{"format": 1}', b"\x00\xff", b'{"format": 2}'])
def test_what_is_not_such_a_document_is_refused(document: bytes) -> None:
    """Anything else, and a later format, is one clear error."""
    with pytest.raises(ScriptError) as refused:
        from_bytes(document)

    assert refused.value.code == "script.plan_file"
