"""Who configures the machines: the peers with their own scripts, purvey with the same operations, and the floor.

A tool says which command does it (`command`), looks at what that printed (`check`), and has a `label` and a `version`.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from farm import Farm
from peer_runs import HERE, common, peer

from purvey import __version__

PEERS = HERE.parent / ".build" / "peers"
"""The environment that the peers are installed in by `make bench-hosts`."""

OPERATIONS = 18
"""For each machine: 5 directories, 8 templates, 2 lines, a command, and 2 commands that are run once."""

PROGRAM_BYTES = 10_000
"""About as long as what purvey sends for these operations."""

SCRIPT = """\
from purvey import Host, secret, stack
from purvey.resources import files, host

PEERS = ["alpha", "beta", "gamma"]


def configure(name: str, at: Host, path: str) -> None:
    folders = [files.Directory(f"{{name}}-dir{{i}}", path=f"{{path}}/dir{{i}}", mode="0755", on=at) for i in range(5)]
    for i in range(8):
        files.File(
            f"{{name}}-app{{i}}", path=f"{{folders[i % 5].path}}/app{{i}}.conf", mode="0644", on=at, template="app.conf.j2",
            variables={{"app": f"app{{i}}", "team": "bench", "listen": 8000 + i, "peers": PEERS}},
        )
    for i in (1, 2):
        files.Line(f"{{name}}-line{{i}}", path=f"{{path}}/base.conf", match=f"^option{{i}}=", line=f"option{{i}}=on", on=at)
    host.Command(f"{{name}}-user", command=["id", "root"], always=True, on=at)
    for i in range(2):
        mark = f"{{path}}/mark{{i}}"
        host.Command(f"{{name}}-mark{{i}}", command=["touch", mark], creates=mark, on=at)
    for i in range({more}):
        files.File(f"{{name}}-more{{i}}", path=f"{{path}}/more{{i}}", content=f"number {{i}}", on=at)


@stack
def fleet() -> None:
    key = secret("file:{key}")
    for address, path in {targets!r}:
        at = Host(address, port={port}, user="root", key=key, host_key="{host_key}", config="")
        configure(address, at, path)
"""

FLOOR = """\
cd {target} || exit 1
for i in 0 1 2 3 4; do [ -d dir$i ] || mkdir -m 755 dir$i || exit 1; done
put() {{ printf %s "$2" >"$1.new" && mv -f "$1.new" "$1"; }}
sha256sum --check --status <<'END' 2>/dev/null || {{
{sums}
END
{puts}
}}
grep -qx option1=on base.conf && grep -qx option2=on base.conf ||
  sed -i 's/^option\\([12]\\)=.*/option\\1=on/' base.conf || exit 1
id root || exit 1
for i in 0 1; do [ -e mark$i ] || touch mark$i || exit 1; done
"""


class Tool(Protocol):
    """Who configures the machines; the peers' own classes have the same form."""

    label: str

    @property
    def version(self) -> str:
        """What is measured."""

    def command(self, work: Path, targets: Mapping[str, Path], farm: Farm, apt: bool) -> tuple[list[str], dict[str, str]]:
        """The command and its environment; `work` is a folder for what it needs, and is the same in both runs.

        Args:
            work: See above.
            targets: For each host the folder that is configured there.
            farm: The hosts.
            apt: Whether packages are looked at, too; the peers' scripts can.
        """

    def check(self, out: str, hosts: int, first: bool) -> None:
        """Compare what it says it has done with what it had to do."""


class Purvey:
    """The command that people type, with a script in a project of its own.

    Args:
        program: The purvey to measure.
        operations: On each machine; those beyond the peers' are files.
    """

    label = "purvey"
    version = f"purvey {__version__}"

    def __init__(self, program: Path, operations: int = OPERATIONS) -> None:
        self._program = program
        self._operations = operations

    def command(self, work: Path, targets: Mapping[str, Path], farm: Farm, apt: bool) -> tuple[list[str], dict[str, str]]:
        """See `Tool`."""
        script = work / "fleet.py"
        pairs = [(host, str(folder)) for host, folder in targets.items()]
        more = self._operations - OPERATIONS
        shutil.copy(HERE / "peers" / "hosts" / "app.conf.j2", work)
        (work / "purvey.toml").touch()
        script.write_text(SCRIPT.format(targets=pairs, key=farm.key, host_key=farm.host_key, port=farm.port, more=more))
        environment = common.clean_env(XDG_DATA_HOME=str(work / "data"))
        clean = {name: value for name, value in environment.items() if not name.startswith("PURVEY_")}
        return [str(self._program), "apply", str(script), "--yes"], clean

    def check(self, out: str, hosts: int, first: bool) -> None:
        """See `Tool`: a command that is run always counts as a change, as it does for the peers."""
        [told] = re.findall(r"^Succeeded in [\d.]+ s: (.*)\.$", out, re.MULTILINE)
        counts = {word: int(count.replace(",", "")) for count, word in re.findall(r"(\d[\d,]*) (\w+)", told)}
        made = counts.get("created", 0) + counts.get("adopted", 0)
        assert made == (hosts * self._operations if first else 0), told
        assert first or counts == {"updated": hosts}, told


class Least:
    """The floor: see `floor.py`. The same is looked at and done, in as few processes as will do."""

    label = "floor"
    version = "asyncssh"

    def command(self, work: Path, targets: Mapping[str, Path], farm: Farm, apt: bool) -> tuple[list[str], dict[str, str]]:
        """See `Tool`."""
        programs = {host: self._program(folder) for host, folder in targets.items()}
        job = {"key": str(farm.key), "port": farm.port, "programs": programs}
        (work / "job.json").write_text(json.dumps(job))
        return [sys.executable, str(HERE / "floor.py"), str(work / "job.json")], common.clean_env()

    def check(self, out: str, hosts: int, first: bool) -> None:
        """See `Tool`: it says nothing."""
        assert not out, out

    @staticmethod
    def _program(folder: Path) -> str:
        texts = {f"dir{i % 5}/app{i}.conf": hosts_bench.expected(i) for i in range(8)}
        sums = "\n".join(f"{hashlib.sha256(text.encode()).hexdigest()}  {name}" for name, text in texts.items())
        puts = "\n".join(f"put {name} {shlex.quote(text)} || exit 1" for name, text in texts.items())
        program = FLOOR.format(target=shlex.quote(str(folder)), sums=sums, puts=puts)
        return program + "\n".join("#" * 79 for _ in range((PROGRAM_BYTES - len(program)) // 80))


hosts_bench = peer("hosts_bench")
"""The peers' script: what is put on a machine before, how it is looked at afterwards, and the peers themselves."""


def has_peers() -> bool:
    """Whether `make bench-hosts` has installed them; then they are ready to be measured."""
    found = sorted(PEERS.glob("lib/python*/site-packages"))
    if not found:
        return False
    if str(found[0]) not in sys.path:
        sys.path.append(str(found[0]))  # Last, so that only what we have not is found there: their versions, and a folder.
    hosts_bench.BIN = PEERS / "bin"
    return True


def tool_of(label: str, program: Path) -> Tool:
    """The tool with that label."""
    tools: dict[str, Any] = hosts_bench.TOOLS
    found: Tool = {"purvey": Purvey(program), "floor": Least(), **tools}[label]
    return found
