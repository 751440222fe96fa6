"""A lab to try something by hand: says how to reach its hosts, and keeps them until its standard input ends.

python -m purvey.testing.hosts 3
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import signal
import sys
from types import FrameType

from purvey.testing.hosts._lab import Lab


def main() -> None:
    """Keep a lab."""
    parser = argparse.ArgumentParser(
        prog="python -m purvey.testing.hosts", description="Real hosts on this machine; needs root."
    )
    parser.add_argument("hosts", type=int, nargs="?", default=1, help="how many")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _end)
    with contextlib.suppress(KeyboardInterrupt), Lab(options.hosts) as lab:
        sys.stdout.write(_told(lab))
        sys.stdout.flush()
        while os.read(sys.stdin.fileno(), 1024):
            pass


def _told(lab: Lab) -> str:
    hosts = "".join(f"{host.name}  {host.address}  {host.root}\n" for host in lab.hosts)
    enter = f"ip netns exec {lab.namespace}"
    return (
        f"{hosts}\nkey          {lab.key}\nknown hosts  {lab.known_hosts}\nusers        root, deploy, admin (admin-password)\n"
        f"\n  {enter} {shlex.join(lab.ssh(lab.hosts[0]))}\n  {enter} bash\n\nEnd of input ends it.\n"
    )


def _end(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
