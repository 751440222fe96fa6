"""The cloud as a process of its own: prints its URL, and serves until it is told to end or nobody holds its standard input.

python -m purvey.testing.cloud --port 0 --seed 1
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from types import FrameType

from purvey.testing.cloud._server import CloudServer


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser(prog="python -m purvey.testing.cloud", description="A cloud in memory, for tests.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--seed", type=int, default=1, help="of everything that happens by chance")
    parser.add_argument("--leashed", action="store_true", help="end when standard input does")
    options = parser.parse_args()
    server = CloudServer(options.port, options.seed)
    signal.signal(signal.SIGTERM, _end)
    if options.leashed:
        threading.Thread(target=_wait_for_the_end, daemon=True).start()
    sys.stdout.write(f"{server.url}\n")
    sys.stdout.flush()
    try:
        server.serve_forever(poll_interval=0.05)
    except KeyboardInterrupt:
        return


def _wait_for_the_end() -> None:
    """End when the process that started this one has ended, however it ended."""
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _end(number: int, frame: FrameType | None) -> None:
    """End without ceremony: everything is in memory."""
    del number, frame
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
