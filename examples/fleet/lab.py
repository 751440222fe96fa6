#!/usr/bin/env python3
"""Ten machines on this one for the example beside it, and a shell, or any other command, among them. Needs root.

    sudo examples/fleet/lab.py
    sudo examples/fleet/lab.py purvey apply fleet.py --yes

The machines, and purvey's record of them, are kept in memory and are gone when the shell, or the command, has ended.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
VENV = HERE.parents[1] / ".venv" / "bin"
if VENV.exists() and Path(sys.executable).parent != VENV:  # It is to find purvey, whoever's Python it was started with.
    os.execv(VENV / "python", [str(VENV / "python"), *sys.argv])

from purvey.testing.hosts import Lab, Package  # noqa: E402 - only that Python finds it.

PAGE = "<h1>The shop, version {version}</h1>\n"
WELCOME = """\
{hosts} machines: web-1 at {first} to web-{hosts} at {last}.

  purvey apply fleet.py                   set them up
  purvey apply fleet.py                   again: nothing has to change
  purvey apply fleet.py --version 1.1     upgrade them, three at a time
  purvey apply fleet.py --version 2.0     a bad version: what was upgraded is taken back
  {ssh}
                                          change something by hand, then `purvey drift fleet.py`

`exit` ends the machines.
"""


def furnish(lab: Lab, folder: Path) -> dict[str, str]:
    """Give the machines a repository with nginx and the shop, and `folder` what the script has to know of them.

    Returns:
        Environment variables, with which purvey keeps its record in the lab.
    """
    repository = lab.repository()
    for version, page in (("1.0", "index.html"), ("1.1", "index.html"), ("2.0", "index.htm")):  # Nobody asks for that one.
        repository.publish(Package(name="shop", version=version, files={f"/srv/shop/{page}": PAGE.format(version=version)}))
    told = {"url": repository.url, "key": repository.key}
    (lab.folder / "repository.json").write_text(json.dumps(told), encoding="utf-8")
    link = folder / ".lab"
    link.unlink(missing_ok=True)
    link.symlink_to(lab.folder)
    return {"PURVEY_STORE": str(lab.folder / "store"), "XDG_DATA_HOME": str(lab.folder / "share")}


def main() -> int:
    """Start the machines, run what was asked for among them, and end them."""
    parser = argparse.ArgumentParser(description="Ten machines for fleet.py, and a shell or a command among them.")
    parser.add_argument("--hosts", type=int, default=10, help="how many machines, 1 to 200")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="what to run; a shell, if nothing is given")
    options = parser.parse_args()
    link = HERE / ".lab"
    if link.exists():
        parser.error(f"The machines of another lab are in use: {link.resolve()}. End that one first.")
    try:
        wanted = Lab(options.hosts, offers=["nginx"])
    except ValueError as error:
        parser.error(str(error))
    sys.stderr.write("Making the machines; the first time on a computer that takes some minutes.\n")
    try:
        with wanted as lab:
            environment = os.environ | furnish(lab, HERE) | {"PATH": f"{VENV}:{os.environ.get('PATH', '')}"}
            if not options.command:
                ssh = " ".join(lab.ssh(lab.hosts[0]))
                first, last = lab.hosts[0].address, lab.hosts[-1].address
                sys.stderr.write(WELCOME.format(hosts=options.hosts, first=first, last=last, ssh=ssh))
            command = options.command or [os.environ.get("SHELL", "/bin/sh")]
            with lab.inside():
                return subprocess.run(command, cwd=HERE, env=environment, check=False).returncode
    except (PermissionError, RuntimeError) as error:
        parser.error(str(error))
    finally:
        link.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
