"""How a unit of systemd is taken back: which files come back, and what makes it read them."""

from __future__ import annotations

from pathlib import Path

from purvey._hosts.change import Change, Restore, Run, Write
from purvey._hosts.fact import Answers, ContentOf
from tests.support.cases import Setting, Trial, load


def taken_back(name: str, folder: Path) -> tuple[Change, ...]:
    """What an undo of a case does, on a machine that is as the case has left it."""
    trial = Trial(load(f"services.Systemd/{name}"), Setting(str(folder)))
    first, end = trial.told_answers(), trial.told_end()
    work = trial.work(first)
    (note,) = (change for change in work.changes if isinstance(change, Write) and change.path.endswith("/before"))
    answers = Answers({**first.known, **end.answers.known, ContentOf(note.path): note.data})
    record = trial.want.with_values(**trial.outputs(work, end))
    return trial.provider.take_back(trial.undoing(), record, trial.before(first), answers).changes


def commands(changes: tuple[Change, ...]) -> list[str]:
    """What systemctl is told."""
    return [change.command.argv[1] for change in changes if isinstance(change, Run)]


def test_only_files_that_were_changed_come_back(tmp_path: Path) -> None:
    """A unit whose drop-in alone was changed is not touched by the undo, which would have no copy of it to give back."""
    changes = taken_back("own-drop-in-changed", tmp_path)

    restored = [change.path for change in changes if isinstance(change, Restore)]
    assert restored == ["/etc/systemd/system/demo.service.d/limits.conf"]
    assert commands(changes) == ["daemon-reload", "restart"]


def test_what_was_reloaded_reads_the_former_files_again(tmp_path: Path) -> None:
    """Files that come back are read as the new ones were: by a reload, or a restart."""
    assert commands(taken_back("reload", tmp_path)) == ["reload-or-restart"]
    assert commands(taken_back("restart", tmp_path)) == ["restart"]
    assert commands(taken_back("restart-and-reload", tmp_path)) == ["restart"]
