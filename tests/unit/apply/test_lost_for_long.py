"""A machine that was lost in the middle of a command, and cannot be reached for longer than anybody waits for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from purvey._base.event import Message
from purvey.errors import HostError
from tests.support.project import Project
from tests.support.shells import HastyClock
from tests.support.wire import Wire, WirePipes

SCRIPT = """
from pathlib import Path

from purvey import Chroot, stack
from purvey.resources import host

HERE = Path(__file__).parent


@stack
def main() -> None:
    box = Chroot("/", name="box")
    host.Command("line", on=box, command=["sh", "-c", f"echo line >>{HERE}/ledger; touch {HERE}/done"], creates=f"{HERE}/done")
"""


class Line(Wire):
    """A way that is cut once a command is at work, and is gone until it is mended.

    Args:
        home: Where purvey keeps its own things there.
    """

    lasts = False  # So the second program comes a second time.

    def __init__(self, home: Path) -> None:
        super().__init__(home, self._seen)
        self.is_whole = True
        self._programs: list[WirePipes] = []
        self._frames = 0

    async def start(self, command: str) -> WirePipes:
        """See `Shell.start`."""
        if not self.is_whole:
            raise HostError("unavailable", "A host cannot be reached", detail="No route to it.")
        pipes = await super().start(command)
        self._programs.append(pipes)
        return pipes

    def _seen(self, pipes: WirePipes) -> None:
        """The second program is the one that works: it says hello, and then that the command has begun."""
        if self._programs[1:2] == [pipes]:
            self._frames += 1
            if self._frames == 2:
                self.is_whole, pipes.is_cut = False, True


def test_a_command_that_may_be_at_work_is_never_called_undone(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever gives up to reach the machine does not know what became of it, and says so; the resume does, and it ran once."""
    home = project.folder / "own"
    home.mkdir()
    line = Line(home)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr("purvey._hosts.pool.Pool._made", lambda *_: line)
    monkeypatch.setattr("purvey._hosts.shell_host.LINKS_MAX", 2)
    project.clock = HastyClock()  # type: ignore[assignment]
    project.write(SCRIPT, prelude="")

    run = project.apply(on_failure="keep")

    assert run.result == "kept"
    assert [doubt.begun.verb for doubt in project.state().in_doubt.values()] == ["create"]
    told = [event.text for event in project.watcher.events if isinstance(event, Message)]
    assert told.count("waiting box: the link was lost; the work goes on there, joining again") == 1
    assert not [text for text in told if "joined again" in text]
    line.is_whole = True
    assert project.resume().result == "succeeded"
    assert (project.folder / "ledger").read_text() == "line\n"
    assert project.state().in_doubt == {}
