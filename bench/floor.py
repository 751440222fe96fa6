"""The least that configuring machines over SSH can cost: plain asyncssh, a connection to each, and one program on each.

    python floor.py JOB

JOB is a JSON file: where the machines are, the key, and for each its program, which is given to `sh` on standard input.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import asyncssh

AT_ONCE = 32
"""Logins at once; more of them on one machine's own servers only wait for each other."""


async def main(job: dict[str, Any]) -> None:
    """Do the job.

    Raises:
        asyncssh.Error: if a machine is not reached, or its program fails.
    """
    turns = asyncio.Semaphore(AT_ONCE)
    options = asyncssh.SSHClientConnectionOptions(
        username="root", client_keys=[job["key"]], known_hosts=None, agent_path=None, config=None, gss_auth=False
    )

    async def configure(address: str, program: str) -> None:
        """One machine."""
        async with turns:
            connection = await asyncssh.connect(address, job["port"], options=options)
        async with connection:
            await connection.run("sh", input=program, check=True)

    await asyncio.gather(*(configure(address, program) for address, program in job["programs"].items()))


if __name__ == "__main__":
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text())))
