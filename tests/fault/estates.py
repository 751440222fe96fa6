"""A random estate in a cloud, edited, provisioned and disturbed step by step, against a model that knows what should be there.

A step is plain data, so that a list of them can be written down and played again. The model is simple on purpose: which nodes
are declared, with which values. After each run that has come to its end, the cloud holds exactly that, or, where the run was
undone, what it held before; the cloud's own ledger has no violation; and every living object is recorded.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from purvey.testing.cloud import Cloud
from purvey.testing.pytest_plugin import Project
from tests.fault.cloud_kills import KILLED, KINDS, harm

FIELDS: Final = {
    "network": ("cidr", "mtu"), "server": ("image", "cpus"), "volume": ("zone", "size_gb"), "record": ("", "ttl_s"),
    "key": ("algorithm", "days"),
}  # fmt: skip
"""Of each kind: the field that only another object can have otherwise, and the one that changes in place."""

LEAST: Final = {"mtu": 1000, "cpus": 1, "size_gb": 10, "ttl_s": 60, "days": 30}
TROUBLE: Final = ("", "kill", "kill_after", "cut", "cut_after", "unavailable_after", "throttle", "expire")
UNDONE: Final = 10
GOES_ON_MAX: Final = 4

Step = Sequence[Any]


class Node(msgspec.Struct):
    """One declared node; `was` is its former name, until a run has gone through."""

    kind: str
    parent: str = ""
    fixed: int = 0
    number: int = 0
    was: str = ""

    def fields(self) -> dict[str, Any]:
        """What the cloud should say of it."""
        fixed, changing = FIELDS[self.kind]
        value = f"10.{self.fixed}.0.0/16" if fixed == "cidr" else f"{fixed}-{self.fixed}"
        return {**({fixed: value} if fixed else {}), changing: LEAST[changing] + self.number}


class Estate:
    """The estate, its model, and what plays steps on both.

    Args:
        folder: An empty folder.
        cloud: An empty cloud.
    """

    def __init__(self, folder: Path, cloud: Cloud) -> None:
        self.cloud = cloud
        self.project = Project(folder)
        self.nodes: dict[str, Node] = {}
        self._serial = 0
        self._disturbed = False
        self._last: tuple[list[Any], dict[str, str]] | None = None
        self.project.write(self.script(fails=False))
        self.project.run("apply", "--yes", "--allow-final")

    def play(self, step: Step) -> None:
        """Play one step: the name of a method below, and its arguments."""
        name, *arguments = step
        getattr(self, name)(*arguments)

    # Edits of the script.

    def add(self, kind: str, place: int) -> None:
        """Declare another node; one that lives in a network gets one."""
        networks = [name for name, node in self.nodes.items() if node.kind == "network"]
        if kind in ("server", "record") and not networks:
            kind = "network"
        self._serial += 1
        parent = networks[place % len(networks)] if kind in ("server", "record") else ""
        self.nodes[f"n{self._serial}"] = Node(kind=kind, parent=parent)

    def change(self, place: int, number: int, fixed: int) -> None:
        """Declare other values."""
        node = self._chosen(place)
        if node is not None:
            node.number, node.fixed = number, fixed

    def rename(self, place: int) -> None:
        """Give a node another name, and say what it was."""
        names = [name for name, node in self.nodes.items() if not node.was and node.kind != "record"]
        if names:
            old = names[place % len(names)]
            self._serial += 1
            new = f"n{self._serial}"
            self.nodes = {new if name == old else name: node for name, node in self.nodes.items()}
            self.nodes[new].was = old
            for node in self.nodes.values():
                node.parent = new if node.parent == old else node.parent

    def remove(self, place: int) -> None:
        """Declare a node no more, nor what lives in it."""
        names = list(self.nodes)
        if names:
            gone = names[place % len(names)]
            self.nodes = {name: node for name, node in self.nodes.items() if gone not in (name, node.parent)}

    # What others do.

    def drift(self, place: int, lose: bool) -> None:
        """Somebody changes or removes an object."""
        objects = self.cloud.objects()
        leaves = [item for item in objects if not any(other["parent"] == item["id"] for other in objects)]
        if not leaves:
            return
        item = leaves[place % len(leaves)]
        changing = FIELDS[item["kind"]][1]
        if lose:
            self.cloud.remove(item["id"])
        else:
            self.cloud.change(item["id"], **{changing: item["fields"][changing] + 1})
        self._disturbed = True

    def lag(self, hidden_s: float) -> None:
        """From now on the cloud shows what was made so much later."""
        for kind in KINDS:
            self.cloud.behave(kind, hidden_s=hidden_s, creating_looks=2 if kind == "server" else 0)

    # Runs.

    def run(self, verb: str, trouble: str, nth: int, again: int, fails: bool) -> None:
        """Apply or destroy, through trouble at a request, and once more at a request of the resume; go on to the end."""
        fails = fails and verb == "apply" and not self._disturbed
        before, effects = self.world(), len(self.cloud.ledger())
        self.project.write(self.script(fails=fails))
        code = self._insist(verb, trouble, nth, again)
        assert code == (UNDONE if fails else 0)
        assert harm(self.cloud, self.project) == []
        self._disturbed = False
        if fails:
            assert self.world() == before
            self._last = None
            return
        assert self.world() == (self.wanted() if verb == "apply" else [])
        done = self.cloud.ledger()[effects:]
        deleted = any(effect.verb == "delete" for effect in done)
        is_empty = not done and not any(node.was for node in self.nodes.values())  # Then an undo takes back the run before it.
        self._last = None if deleted or is_empty else (before, {name: node.was for name, node in self.nodes.items()})
        for node in self.nodes.values():
            node.was = ""

    def again(self) -> None:
        """Apply once more: nothing has to change."""
        if self._last is not None and not self._disturbed and self.world() == self.wanted():
            self.project.write(self.script(fails=False))
            assert "nothing had to change" in self.project.run("apply", "--yes", "--allow-final")
            self._last = None

    def undo(self, trouble: str, nth: int, again: int) -> None:
        """Take the last run back, if it has deleted nothing: the world is as before it."""
        if self._last is None or self._disturbed:
            return
        before, names = self._last
        assert self._insist("undo", trouble, nth, again) == 0
        assert harm(self.cloud, self.project) == []
        assert self.world() == before
        self._last = None
        for name, node in self.nodes.items():
            node.was = names.get(name, node.was)

    def _insist(self, verb: str, trouble: str, nth: int, again: int) -> int:
        """Run the verb, and resume, until it has come to an end."""
        yes = ("--yes",) if verb == "destroy" else ("--yes", "--allow-final")
        arguments = yes if verb == "undo" else (*yes, "--parallel", str(1 + nth % 4))
        self._order(trouble, nth)
        code = self.project.attempt(verb, *arguments).returncode
        for number in range(GOES_ON_MAX):
            self.cloud.calm()
            if code != KILLED:
                return code
            self._order(trouble, again if number == 0 else 0)
            ended = self.project.attempt("resume", "--yes", "--allow-final", "--json")
            said = ended.stdout + ended.stderr
            if any(text in said for text in ("state.nothing_to_resume", "state.no_store")):
                ended = self.project.attempt(verb, *arguments)
            code = ended.returncode
        raise AssertionError(f"{verb} was killed again and again, and ended {code}")

    def _order(self, trouble: str, nth: int) -> None:
        if trouble and nth:
            self.cloud.fault("*", "*", action=trouble, nth=nth)  # type: ignore[arg-type]

    # What is, and what should be.

    def script(self, *, fails: bool) -> str:
        """The estate as a script; one that `fails` has a node at its end that the cloud refuses."""
        lines = [self._line(name, node) for name, node in self.nodes.items()]
        if fails:
            lines.append(f'cloud.Key("bad", days=0, opts=Options(after=[{", ".join(self.nodes)}]))')
        body = "\n    ".join(lines or ["pass"])
        return f"from purvey import Options, stack\nfrom purvey.testing import cloud\n\n\n@stack\ndef main():\n    {body}\n"

    def _line(self, name: str, node: Node) -> str:
        inputs = {field: repr(value) for field, value in node.fields().items()}
        if node.parent:
            inputs["network"] = f"{node.parent}.id"
        if node.kind == "record":
            inputs["value"] = f"{node.parent}.id"
        if node.was:
            inputs["opts"] = f'Options(moved_from="{_address(node.was, node)}")'
        given = ", ".join(f"{field}={text}" for field, text in inputs.items())
        return f'{name} = cloud.{node.kind.title()}("{name}", {given})'

    def wanted(self) -> list[Any]:
        """What the cloud should hold."""
        found = []
        for name, node in self.nodes.items():
            parent = _address(node.parent, self.nodes[node.parent]) if node.parent else None
            fields = node.fields() | ({"value": parent} if node.kind == "record" else {})
            found.append(json.dumps([_address(name, node), parent, fields], sort_keys=True))
        return sorted(found)

    def world(self) -> list[Any]:
        """What the cloud holds, told by the addresses on record."""
        known = {item["id"]: item["address"] for item in self.project.state()}
        found = []
        for item in self.cloud.objects():
            fields = {key: known.get(value, value) for key, value in item["fields"].items() if key != "address"}
            found.append(json.dumps([known.get(item["id"]), known.get(item["parent"]), fields], sort_keys=True))
        return sorted(found)

    def _chosen(self, place: int) -> Node | None:
        nodes = list(self.nodes.values())
        return nodes[place % len(nodes)] if nodes else None


def _address(name: str, node: Node) -> str:
    return f"cloud.{node.kind.title()}::{name}"


def as_test(steps: Sequence[Step]) -> str:
    """A test that plays `steps` again."""
    lines = "\n".join(f"    {list(step)!r},".replace("'", '"') for step in steps)
    return f'''"""Steps that once went wrong; found by the state machine, and kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from purvey.testing.cloud import Cloud
from tests.fault.estates import Estate

STEPS: list[list[Any]] = [
{lines}
]  # fmt: skip


def test_the_steps_do_no_harm(purvey_cloud: Cloud, tmp_path: Path) -> None:
    """After each of them, the cloud holds what it should."""
    estate = Estate(tmp_path, purvey_cloud)
    for step in STEPS:
        estate.play(step)
'''
