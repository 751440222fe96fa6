"""Values to report on: a plan with everything that a plan can show, and runs that ended in each way."""

from __future__ import annotations

from purvey._base.compare import FieldChange
from purvey._base.value import Link, Masked, NodeLink, Unknown
from purvey._graph import DEFAULT_OPTIONS, Graph, Later, Node, Pause
from purvey._plan.plan import UNSURE, Change, Operation, Plan
from purvey._state.history import ChangeHistory, RunHistory
from purvey._state.record import Left
from purvey._state.resource import ResourceState

RUN = "01JD8ZK3M0000000000000000A"
OLD, NEW = Masked("1" * 32), Masked("2" * 32)
BEFORE = "".join(f"line {number}\n" for number in range(30))
AFTER = BEFORE.replace("line 3\n", "line three\n").replace("line 20\n", "").replace("line 25\n", "line 25\nline 25½\n")

CHANGES = (
    Change(
        address="files.File::motd", kind="files.File", action="create", cause="declared at shop.py:12", undo="delete it",
        source="shop.py:12", where="web-1",
    ),
    Change(
        address="process.Service::web-0", kind="process.Service", action="update", source="shop.py:40",
        cause="changed at shop.py:40", undo="put the former values back", where="web-0",
        fields=(FieldChange("env.GREETING", "hi", "hello"),),
    ),
    Change(
        address="files.File::shop.toml", kind="files.File", action="update", source="shop.py:33",
        cause="something it uses changes",
        fields=(
            FieldChange("content", BEFORE, AFTER),
            FieldChange("url", "http://a", Unknown("process.Service::web-0.address"), "upstream"),
            FieldChange("password", OLD, NEW),
            FieldChange("mode", None, "0600"),
            FieldChange("owner", "app", None),
        ),
    ),
    Change(
        address="tls.PrivateKey::front", kind="tls.PrivateKey", action="replace", source="shop.py:20",
        cause="changed at shop.py:20", undo="keep the old one, delete the new one",
        fields=(FieldChange("algorithm", "rsa", "ed25519", replaces=True),),
        reasons=("`algorithm` cannot be changed in place", "it lives in files.Directory::tls, which is replaced"),
    ),
    Change(
        address="postgres.Server::db", kind="postgres.Server", action="replace", source="shop.py:9", gap=True,
        holds_data=True, protected="shop.py:9", final=True, cause="changed at shop.py:9", undo="cannot be undone",
        fields=(FieldChange("version", 17, 18, replaces=True),), reasons=("`version` cannot be changed in place",),
    ),
    Change(
        address="step.notify::customers", kind="step.notify", action="create", source="shop.py:60", final=True,
        cause="declared at shop.py:60", undo="cannot be undone",
    ),
    Change(
        address="files.Link::current", kind="files.Link", action="adopt", source="shop.py:14", cause="it exists already",
        undo="forget it", moved_from="files.Link::now",
    ),
    Change(
        address="files.File::old", kind="files.File", action="delete", source="shop.py:70", final=True,
        cause="it is no longer declared", undo="cannot be undone",
    ),
    Change(
        address="process.Service::far", kind="process.Service", action="unreadable", source="shop.py:71",
        cause="the machine does not answer",
    ),
    Change(
        address="http.Check::web-0", kind="http.Check", action="check", source="shop.py:44", cause="it has not passed yet",
    ),
)  # fmt: skip

PLAN = Plan(
    stack="shop/dev",
    changes=CHANGES,
    operations=(
        Operation(id="create files.File::motd #1", verb="create", address="files.File::motd", generation=1),
        Operation(
            id="update process.Service::web-0 #1", verb="update", address="process.Service::web-0", generation=1,
            needs=("create files.File::motd #1",), planned=("env.GREETING",),
        ),
    ),
    deletions=(Operation(id="delete files.File::old #1", verb="delete", address="files.File::old", generation=1),),
    unchanged=14,
    skipped=("files.File::a", "files.File::b"),
    pauses=(Pause("shop.py:31", Link("process.Service::web-0", "address"), "eu"),),
    later=Later(40, ("files.File",)),
    outputs={"url": Unknown("process.Service::web-0.address"), "password": NEW, "workers": 2},
    warnings=("process.Service::far cannot be read now; it is left as it is.",),
)  # fmt: skip

ON_A_MACHINE = Plan(
    stack="shop/dev",
    changes=(
        Change(
            address="packages.Apt::nginx", kind="packages.Apt", action="create", source="shop.py:9",
            cause="declared at shop.py:9", undo="delete it", verdict="will",
        ),
        Change(
            address="files.Line::port", kind="files.Line", action="create", source="shop.py:10", cause="declared at shop.py:10",
            undo="delete it", verdict="cannot know", why="depends on packages.Apt::nginx, which is not there yet",
        ),
        Change(
            address="files.File::site", kind="files.File", action="update", source="shop.py:11",
            cause="it may not stay as it is",
            fields=(FieldChange(UNSURE, None, None, "upstream"),), undo="put the former values back",
            verdict="cannot know", why="depends on packages.Apt::nginx, which is not there yet",
        ),
        Change(
            address="host.Command::init", kind="host.Command", action="update", source="shop.py:12",
            cause="changed at shop.py:12", undo="run its undo", verdict="will not",
            fields=(FieldChange("timeout_s", 300.0, 60.0),),
        ),
        Change(
            address="services.Systemd::cron", kind="services.Systemd", action="adopt", source="shop.py:13",
            cause="it exists already", undo="forget it", verdict="will not",
        ),
    ),
    unchanged=3,
)  # fmt: skip

EMPTY = Plan(stack="shop/dev", unchanged=20)

DRIFT = Plan(
    stack="shop/dev",
    verb="drift",
    changes=(
        Change(
            address="files.File::motd", kind="files.File", action="update", source="shop.py:12",
            cause="it was changed outside purvey", fields=(FieldChange("mode", "0777", "0644", "drift"),), where="web-1",
        ),
        Change(
            address="process.Service::web-1", kind="process.Service", action="create", source="shop.py:40",
            cause="it is gone",
        ),
    ),
    unchanged=18,
)  # fmt: skip


def run(result: str, *changes: ChangeHistory, **fields: object) -> RunHistory:
    """A run of two minutes that ended with `result`, or is open where that is empty."""
    told: dict[str, object] = {
        "id": RUN, "stack": "shop", "env": "dev", "verb": "apply", "result": result, "started": 1_764_000_000.0,
        "ended": 1_764_000_125.25 if result else None, "changes": changes, "user": "ada", "machine": "desk",
    }  # fmt: skip
    return RunHistory(**(told | fields))  # type: ignore[arg-type]


CREATED = ChangeHistory(address="files.File::motd", action="create", result="done", seconds=0.1)
UPDATED = ChangeHistory(address="process.Service::web-0", action="update", result="done", seconds=3.25, attempts=2)
PASSED = ChangeHistory(address="http.Check::web-0", action="check", result="done", seconds=1.0)
FAILED = ChangeHistory(
    address="postgres.Migrations::schema", action="create", result="failed", seconds=0.4, code="invalid",
    detail='ERROR:  column "prize" does not exist\nLINE 1: SELECT prize',
)  # fmt: skip
REMOVED = ChangeHistory(address="files.File::motd", action="undo", result="done", seconds=0.1, undoes="create")
STUCK = ChangeHistory(
    address="process.Service::web-0", action="undo", result="failed", seconds=9.0, undoes="update", code="timeout",
    detail="It did not stop within 10 s.",
)  # fmt: skip

CAUSE = {
    "cause": "A migration failed",
    "cause_address": "postgres.Migrations::schema",
    "cause_detail": FAILED.detail,
}

SUCCEEDED = run("succeeded", CREATED, UPDATED, PASSED, parameters={"workers": {"value": "2", "origin": "--workers"}})
UNDONE = run("undone", CREATED, FAILED, REMOVED, **CAUSE)
LEFT = (
    Left(
        address="process.Service::web-0", generation=1, id="4711", verb="update", why="failed",
        detail="It did not stop within 10 s.",
    ),
    Left(address="postgres.Database::shop", generation=1, id="shop", verb="create", why="waiting"),
    Left(address="step.mail::news", generation=1, verb="create", why="final"),
)  # fmt: skip
PARTIAL = run("partial", CREATED, UPDATED, FAILED, STUCK, REMOVED, left=LEFT, **CAUSE)
OPEN = run("", CREATED)

OUTPUTS = {"url": "https://127.0.0.1:8443/", "password": NEW, "ports": [8080, 8081]}

OBJECTS = [
    ResourceState(
        address="files.File::motd", kind="files.File", generation=1, id="/etc/motd", needs=("files.Directory::etc",),
        inputs={"path": "/etc/motd", "secret": {"$": "$masked", "digest": "3" * 32, "sealed": "c2VhbGVk"}},
        outputs={"size": 25}, source="shop.py:12", run=RUN, protect=True, where="web-1",
    ),
    ResourceState(address="process.Service::web", kind="process.Service", generation=1, id="4711@99", adopted=True),
    ResourceState(address="process.Service::web", kind="process.Service", generation=2, id="4712@100"),
]  # fmt: skip


def node(address: str, *needs: str) -> Node:
    """A declared node."""
    kind = address.rpartition("::")[0]
    return Node(address, kind, {"on": NodeLink(needs[0])} if needs else {}, needs, DEFAULT_OPTIONS, "shop.py:1", "d")


GRAPH = Graph(
    {
        item.address: item
        for item in (
            node("postgres.Server::db"),
            node("postgres.Role::app", "postgres.Server::db"),
            node("files.File::motd"),
            node("process.Service::web-0", "postgres.Role::app", "files.File::motd", "postgres.Server::db"),
            node("http.Check::web-0", "process.Service::web-0"),
        )
    }
)
