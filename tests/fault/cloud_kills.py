"""Real `purvey` processes against a real cloud process, killed by SIGKILL; the cloud's ledger says whether that did harm.

A *plot* is one verb on one script, with what was applied before. It is played once undisturbed; each trial then begins at the
same moment of the same project and the same cloud, is killed, and goes on with `purvey resume`, as a person would.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

from purvey._base.clock import SystemClock
from purvey.testing.cloud import Cloud
from purvey.testing.pytest_plugin import Project

SCRIPT = """
from purvey import Options, stack
from purvey.testing import cloud


@stack
def main(cpus: int = 1, cidr: str = "10.0.0.0/16", bad: int = 0):
    net = cloud.Network("net", cidr=cidr)
    key = cloud.Key("key", days=30 * cpus)
    data = cloud.Volume("data", size_gb=10 * cpus)
    for name in ("web", "app"):
        server = cloud.Server(name, network=net.id, cpus=cpus)
        cloud.Record(name, network=net.id, value=server.address, ttl_s=60 * cpus)
    if bad:
        cloud.Key("bad", days=0, opts=Options(after=[server, key, data]))
"""

KINDS = ("network", "server", "volume", "record", "key")

KILLED = -9

NOTHING_BEGAN = ("state.nothing_to_resume", "state.no_such_stack", "state.no_store")
"""What `purvey resume` says where the run was killed before its first record: there is nothing to go on with."""


class Plot(NamedTuple):
    """One verb, killed: what it is given, what was applied before, and the code that an undisturbed run ends with.

    `hidden_s` is how many seconds the cloud does not show what was made.
    """

    verb: str
    arguments: tuple[str, ...] = ()
    before: bool = True
    code: int = 0
    hidden_s: float = 0.0


PLOTS = {
    "create": Plot("apply", before=False),
    "update": Plot("apply", ("--cpus", "2")),
    "replace": Plot("apply", ("--cidr", "10.9.0.0/16")),
    "undo-of-creates": Plot("apply", ("--bad", "1"), before=False, code=10),
    "undo-of-replacements": Plot("apply", ("--cpus", "2", "--cidr", "10.9.0.0/16", "--bad", "1"), code=10),
    "destroy": Plot("destroy"),
    "create-in-a-lagging-world": Plot("apply", before=False, hidden_s=0.5),
    "undo-in-a-lagging-world": Plot("apply", ("--bad", "1"), before=False, code=10, hidden_s=0.5),
}


class Undisturbed(NamedTuple):
    """How a plot begins, and how it ends when nobody is killed."""

    folder: Path
    cloud: Any
    world: list[Any]
    requests: int
    seconds: float


class Theatre:
    """A cloud and a folder in which plots are played.

    Args:
        folder: An empty folder.
        cloud: The cloud, running.
    """

    def __init__(self, folder: Path, cloud: Cloud) -> None:
        self.folder = folder
        self.cloud = cloud
        self._known: dict[str, Undisturbed] = {}
        self._trials = 0

    def undisturbed(self, name: str) -> Undisturbed:
        """The plot without a kill; played once."""
        if name not in self._known:
            plot = PLOTS[name]
            project = self._empty(self.folder / name)
            self.cloud.reset()
            for kind in KINDS:
                self.cloud.behave(kind, hidden_s=plot.hidden_s, creating_looks=2 if kind == "server" else 0)
            if plot.before:
                project.run("apply", "--yes")
            begin = shutil.copytree(project.folder, self.folder / f"{name}-begin")
            saved, first, started = self.cloud.save(), self.cloud.requests(), SystemClock().monotonic()
            ended = project.attempt(plot.verb, *plot.arguments, "--yes")
            seconds = SystemClock().monotonic() - started
            assert ended.returncode == plot.code, ended.stdout + ended.stderr
            assert harm(self.cloud, project) == []
            self._known[name] = Undisturbed(begin, saved, world(self.cloud), self.cloud.requests() - first, seconds)
        return self._known[name]

    def begin(self, name: str) -> Project:
        """The project as the plot begins, and the cloud too."""
        known = self.undisturbed(name)
        self._trials += 1
        folder = self.folder / f"trial-{self._trials}"
        shutil.copytree(known.folder, folder)
        self.cloud.restore(known.cloud)
        return Project(folder)

    def _empty(self, folder: Path) -> Project:
        folder.mkdir()
        project = Project(folder)
        project.write(SCRIPT)
        return project


def kill_once(theatre: Theatre, name: str, project: Project, chance: random.Random) -> tuple[str, bool]:
    """Play the plot and kill it once, at a request or at a time; how, and whether it was still there to be killed."""
    plot, known = PLOTS[name], theatre.undisturbed(name)
    arguments = (*plot.arguments, "--yes")
    if chance.random() < 0.25:
        after = chance.uniform(0.2, known.seconds)
        process = project.begin(plot.verb, *arguments)
        try:
            process.communicate(timeout=after)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        return f"after {after:.3f} s", process.returncode == KILLED
    number, mode = order_kill(theatre, name, chance)
    ended = project.attempt(plot.verb, *arguments)
    return f"{mode} at request {number}", ended.returncode == KILLED


def order_kill(theatre: Theatre, name: str, chance: random.Random) -> tuple[int, Any]:
    """Order that whoever sends some request of the plot is killed, before or after its effect."""
    number = chance.randint(1, theatre.undisturbed(name).requests)
    mode: Any = chance.choice(("kill", "kill_after"))
    theatre.cloud.fault("*", "*", action=mode, nth=number)
    return number, mode


def go_on(name: str, project: Project) -> None:
    """Resume; where there is nothing to resume, the same verb anew."""
    plot = PLOTS[name]
    ended = project.attempt("resume", "--yes", "--json")
    if any(code in ended.stdout + ended.stderr for code in NOTHING_BEGAN):
        ended = project.attempt(plot.verb, *plot.arguments, "--yes")
    assert ended.returncode in {plot.code, 0}, f"it went on to {ended.returncode}: {ended.stdout}{ended.stderr}"


def fight(theatre: Theatre, name: str, project: Project, chance: random.Random) -> tuple[str, bool]:
    """Two workers for one lease; the one that sends some request is killed, and the other follows. How, and whether one was."""
    plot = PLOTS[name]
    number, mode = order_kill(theatre, name, chance)
    workers = [project.begin(plot.verb, *plot.arguments, "--yes", "--wait") for _ in range(2)]
    told = ["".join(worker.communicate(timeout=240)) for worker in workers]
    codes = [worker.returncode for worker in workers]
    assert codes.count(KILLED) <= 1, codes
    rest = [(code, text) for code, text in zip(codes, told, strict=True) if code != KILLED]
    assert all(code == plot.code for code, _ in rest), f"{mode} at request {number}: {rest}"
    return f"{mode} at request {number}", KILLED in codes


def harm(cloud: Cloud, project: Project) -> list[str]:
    """What was lost, leaked or doubled, by the ledger and by `purvey state list`."""
    ids = project.ids()
    live = sorted(item["id"] for item in cloud.objects())
    return [*cloud.violations(ids), *([f"recorded {sorted(ids)}, live {live}"] if sorted(ids) != live else [])]


def world(cloud: Cloud) -> list[Any]:
    """The cloud's objects without what chance and counting decide: ids, addresses and made-up names are the nodes'."""
    objects = cloud.objects()
    nodes = {item["id"]: item["tags"]["purvey:address"] for item in objects}
    nodes |= {item["fields"]["address"]: nodes[item["id"]] for item in objects if "address" in item["fields"]}
    return sorted(
        json.dumps([nodes[item["id"]], nodes.get(item["parent"]), {k: nodes.get(v, v) for k, v in item["fields"].items()}])
        for item in objects
    )
