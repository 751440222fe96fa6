"""What a plan says of operations on a machine before anything is performed, and what the run then does; on this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from purvey._plan.plan import Plan
from tests.support.project import Project

PRELUDE = """\
from pathlib import Path

from purvey import Options, stack
from purvey.resources import files, host

HERE = Path(__file__).parent


def after(*nodes):
    return Options(after=list(nodes))


@stack
def main(text: str = "one", seconds: float = 300.0) -> None:
    def command(name, does, **more):
        return host.Command(name, command=["sh", "-c", f"cd {HERE} && echo {name} >>ledger; {does}"], timeout_s=seconds, **more)

"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project whose script is declared by its lines."""
    return Project(tmp_path, monkeypatch)


def declare(project: Project, *lines: str) -> None:
    """Write a script."""
    project.write("", prelude=PRELUDE + "".join(f"    {line}\n" for line in lines))


def verdicts(plan: Plan) -> dict[str, str]:
    """What is said of each node, by its name."""
    return {change.address.rpartition("::")[2]: change.verdict for change in plan.changes}


def why(plan: Plan, name: str) -> str:
    """On what it hangs."""
    return next(change.why for change in plan.changes if change.address.endswith(f"::{name}"))


def ledger(project: Project) -> list[str]:
    """The commands that ran."""
    path = project.folder / "ledger"
    return path.read_text().splitlines() if path.exists() else []


def test_what_follows_from_files_is_certain(project: Project) -> None:
    """A file in a folder that is made first, and a line in a file that is made first, will be there: nothing else can come."""
    declare(
        project,
        'folder = files.Directory("folder", path=str(HERE / "folder"))',
        'files.File("file", path=f"{folder.path}/file", content=text)',
        'own = files.Line("own", path=str(HERE / "own"), line="a", create_mode="0644")',
        'files.Line("other", path=str(HERE / "own"), line="b", opts=after(own))',
    )

    assert verdicts(project.plan()) == dict.fromkeys(("folder", "file", "own", "other"), "will")


def test_what_comes_after_a_command_cannot_be_known(project: Project) -> None:
    """A command may do anything, so what needs it, directly or not, and looks at the machine is open; all else is certain."""
    declare(
        project,
        'first = command("first", "echo theirs >brought", creates=str(HERE / "brought"))',
        'file = files.File("file", path=str(HERE / "brought"), content="ours", opts=after(first))',
        'files.Link("link", path=str(HERE / "link"), target="file", opts=after(file))',
        'command("always", "true", always=True, opts=after(first))',
        'files.File("apart", path=str(HERE / "apart"), content=text)',
    )

    plan = project.plan()

    assert verdicts(plan) == {
        "first": "will", "file": "cannot know", "link": "cannot know", "always": "will", "apart": "will",
    }  # fmt: skip
    assert why(plan, "link") == "depends on host.Command::first, which is not there yet"
    assert project.apply().result == "succeeded"
    assert (project.folder / "brought").read_text() == "ours"
    assert project.plan().counts() == {"update": 1}  # What is run by every apply.


def test_a_guard_that_reads_what_is_made_first_cannot_be_known(project: Project) -> None:
    """Nobody can tell what `unless` looks at; where it then finds the work done, nothing is run or undone."""
    declare(
        project,
        'mark = files.File("mark", path=str(HERE / "mark"), content="x")',
        'command("done", "true", unless=["test", "-e", str(HERE / "mark")], opts=after(mark))',
        'command("open", "touch made", unless=["test", "-e", str(HERE / "made")], opts=after(mark))',
        'command("seen", "true", creates=str(HERE / "mark"), opts=after(mark))',
    )

    assert verdicts(project.plan()) == {"mark": "will", "done": "cannot know", "open": "cannot know", "seen": "will not"}
    assert project.apply().result == "succeeded"
    assert ledger(project) == ["open"]
    assert project.plan().is_empty


def test_what_a_change_may_disturb_is_looked_at_again(project: Project) -> None:
    """What is as declared is put back in the same run when a command that it needs overwrites it, and left alone when not."""
    declare(
        project,
        'guard = {"unless": ["grep", "-q", text, "brought"], "cwd": str(HERE)}',
        'again = command("again", f"echo {text} >brought", undo=["true"], **guard)',
        'files.Line("line", path=str(HERE / "brought"), line="ours", opts=after(again))',
        'files.File("stays", path=str(HERE / "stays"), content="x", opts=after(again))',
    )
    assert project.apply().result == "succeeded"
    assert project.plan().is_empty

    plan = project.plan(text="two")
    assert verdicts(plan) == {"again": "will", "line": "cannot know", "stays": "cannot know"}
    assert why(plan, "stays") == "depends on host.Command::again, which changes first"
    run = project.apply(parameters={"text": "two"})

    assert (project.folder / "brought").read_text() == "two\nours\n"
    assert {change.address.rpartition("::")[2] for change in run.changes if change.result == "done"} == {"again", "line"}
    assert project.plan(text="two").is_empty
    assert project.undo().result == "undone"


def test_what_changes_the_record_alone_says_so(project: Project) -> None:
    """A command that is done, and declared with other words, is not run again."""
    declare(project, 'command("once", "touch made", creates=str(HERE / "made"))')
    project.apply()

    assert verdicts(project.plan(seconds=60.0)) == {"once": "will not"}
    assert project.apply(parameters={"seconds": 60.0}).result == "succeeded"
    assert ledger(project) == ["once"]
    assert project.plan(seconds=60.0).is_empty


def test_what_a_command_takes_away_is_made_again(project: Project) -> None:
    """Where a change that was approved removes what another node has made, that is made again within the same approval."""
    declare(
        project,
        'again = command("again", f"rm -f stays; touch {text}", creates=str(HERE / text))',
        'files.File("stays", path=str(HERE / "stays"), content="x", opts=after(again))',
    )
    project.apply()

    assert project.apply(parameters={"text": "two"}).result == "succeeded"

    assert (project.folder / "stays").read_text() == "x"
    assert project.plan(text="two").is_empty


def test_what_a_run_has_brought_is_in_nobodys_way_when_it_goes_on(project: Project) -> None:
    """A run that stopped after a command brought a file goes on without another word, and the file becomes what is declared."""
    declare(
        project,
        'first = command("first", "echo theirs >brought", creates=str(HERE / "brought"))',
        'key = command("key", "test -e key", creates=str(HERE / "key"), opts=after(first))',
        'files.File("file", path=str(HERE / "brought"), content="ours", opts=after(key))',
    )
    assert project.apply(on_failure="keep").result == "kept"
    (project.folder / "key").touch()
    project.approved = []

    assert project.resume().result == "succeeded"

    assert project.approved == []
    assert (project.folder / "brought").read_text() == "ours"
    assert ledger(project) == ["first", "key"]
    assert project.plan().is_empty


def test_what_is_lost_and_comes_back_by_another_is_taken_over(project: Project) -> None:
    """A command whose work is gone, and is done by one before it, is not run again, and is recorded once."""
    declare(
        project,
        'first = command("first", f"touch mark {text}", creates=str(HERE / text))',
        'command("second", "touch mark", creates=str(HERE / "mark"), opts=after(first))',
    )
    project.apply()
    (project.folder / "mark").unlink()

    assert verdicts(project.plan(text="two")) == {"first": "will", "second": "cannot know"}
    assert project.apply(parameters={"text": "two"}).result == "succeeded"

    assert ledger(project) == ["first", "first"]
    assert project.plan(text="two").is_empty
    assert [key[0] for key in project.state().resources] == ["host.Command::first", "host.Command::second"]
    project.require_sound()


def test_what_was_to_be_taken_over_and_goes_first_is_made(project: Project) -> None:
    """A command that is done already, and is undone by one before it, is run."""
    declare(
        project,
        'first = command("first", "rm mark; touch made", creates=str(HERE / "made"))',
        'command("second", "touch mark", creates=str(HERE / "mark"), opts=after(first))',
    )
    (project.folder / "mark").touch()

    plan = project.plan()
    assert plan.counts() == {"create": 1, "adopt": 1}
    assert verdicts(plan) == {"first": "will", "second": "cannot know"}
    assert project.apply().result == "succeeded"

    assert ledger(project) == ["first", "second"]
    assert project.plan().is_empty
    project.require_sound()
