"""How plans, values and runs are put into words."""

from __future__ import annotations

import msgspec
import pytest

from purvey._base.compare import FieldChange
from purvey._base.value import Late, Link, Masked, NodeLink, Secret, SecretRef, Unknown
from purvey._graph import Later
from purvey._plan.plan import Change, Plan
from purvey._report.drift_text import drift_page
from purvey._report.errors_text import PROBLEMS_MAX, error_page, excerpt_from
from purvey._report.fields import DIFF_LINES_MAX, field_lines, inline
from purvey._report.run_text import OTHERS_MAX, ended_page, show_page, sum_of
from purvey._report.style import Page, bad, coloured, plain
from purvey._report.text import SHOWN_MAX, plan_page, plan_sum
from purvey._report.values import LENGTH_MAX, shown
from purvey._report.words import GIST_CHARACTERS_MAX, clock_face, counted, duration, gist, on_machine
from purvey._state.history import ChangeHistory
from purvey._state.record import Left
from purvey.errors import Problems, ScriptError
from tests.unit.report import samples


def text_of(plan: Plan) -> str:
    """The plan as plain text."""
    return plain(plan_page(plan))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "null"),
        (True, "true"),
        ("a\nb", '"a\\nb"'),
        ([1, "two"], '[1, "two"]'),
        ({"port": 80}, '{"port": 80}'),
        (Unknown("x"), "known after apply"),
        (Masked("1" * 32), "(secret)"),
        (Secret("plain"), "(secret)"),
        (SecretRef("env:PASSWORD"), "(secret)"),
        ({"password": Masked("1" * 32)}, '{"password": (secret)}'),
        (NodeLink("files.File::motd"), "files.File::motd"),
        (Link("web", "ports", (0,)), "web.ports[0]"),
        (Late("concat", ("http://", Link("web", "address"))), "http://{web.address}"),
    ],
)
def test_values_are_shown_short_and_never_secret(value: object, expected: str) -> None:
    """Each value has one short text; a secret has none of its own."""
    assert shown(value) == expected


def test_a_long_value_is_cut() -> None:
    """No value makes a line unreadable."""
    assert len(shown("x" * 1_000)) == LENGTH_MAX


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0.04, "0.0 s"), (59.94, "59.9 s"), (125, "2 min 05 s"), (7_440, "2 h 04 min")]
)
def test_durations_read_as_people_say_them(seconds: float, expected: str) -> None:
    """A duration has the unit that fits it."""
    assert duration(seconds) == expected


def test_a_machine_is_named_where_the_address_does_not() -> None:
    """A scope that has the machine's name says it already, and of this machine nothing is said."""
    assert on_machine("web-1", "files.File::motd") == "on web-1  "
    assert on_machine("web-1", "eu/web-1/files.File::motd") == ""
    assert on_machine("web-1", "web-10/files.File::motd") == "on web-1  "
    assert on_machine("", "files.File::motd") == ""


def test_what_runs_in_every_apply_is_told_so() -> None:
    """No field of it changes, alone or beside others that do."""
    always, user = FieldChange("always", False, True, "always"), FieldChange("user", "ana", "ben")
    alone = Change(
        address="host.Command::sync", kind="host.Command", action="update", source="shop.py:9", cause="declared at shop.py:9",
        fields=(always,),
    )  # fmt: skip

    assert "host.Command::sync  runs in every apply  (shop.py:9)\n" in text_of(Plan(stack="shop/dev", changes=(alone,)))
    both = text_of(Plan(stack="shop/dev", changes=(msgspec.structs.replace(alone, fields=(always, user)),)))
    assert "runs in every apply\n" in both
    assert "-> true" not in both


def test_a_clock_shows_hours_only_when_there_are_some() -> None:
    """A running time is minutes and seconds, with hours when it takes them."""
    assert [clock_face(7.9), clock_face(3_723)] == ["0:07", "1:02:03"]


def test_a_cut_output_says_where_it_is_whole() -> None:
    """A long list is cut in the end of a run; the command that prints it stands below, and only then."""
    few, many = ({"urls": [f"http://192.0.2.{n}:8080/" for n in range(count)]} for count in (2, 20))

    assert f"  … whole with: purvey outputs {samples.RUN} --json" in plain(ended_page(samples.SUCCEEDED, many))
    assert "whole with" not in plain(ended_page(samples.SUCCEEDED, few))


def test_a_run_that_took_a_batch_back_says_so() -> None:
    """It was not left as it is: only what failed together was taken back."""
    run = samples.run("kept", samples.CREATED, samples.FAILED, samples.REMOVED, **samples.CAUSE)

    told = plain(ended_page(run, {}))

    assert told.startswith("Undone in part: the run failed, and only what failed together was taken back; the rest stays.")
    assert "left as it is" not in told


def test_each_failure_is_told_with_its_reason() -> None:
    """Who mends only the cause would meet the next one in the next run; of very many, some are named."""
    other = ChangeHistory(
        address="web-1/host.Command::site", action="create", result="failed", code="failed",
        detail="The command ended with code 4:\n  shop init\nno such shop",
    )  # fmt: skip
    many = [msgspec.structs.replace(other, address=f"web-{n}/host.Command::site") for n in range(OTHERS_MAX + 3)]

    told = plain(ended_page(samples.run("undone", samples.FAILED, other, **samples.CAUSE), {}))

    assert "Also failed\n  web-1/host.Command::site  The command ended with code 4: no such shop\n" in told
    told = plain(ended_page(samples.run("undone", samples.FAILED, *many, **samples.CAUSE), {}))
    assert told.count("no such shop") == OTHERS_MAX
    assert f"… and 3 more; purvey show {samples.RUN} lists them all" in told
    assert "Also failed" not in plain(ended_page(samples.UNDONE, {}))


def test_the_time_in_which_a_run_lay_idle_is_not_its_own() -> None:
    """A run that was resumed the next day has not taken a day."""
    run = samples.run("succeeded", samples.CREATED, resumed=1_764_000_120.0)

    assert plain(ended_page(run, {})).startswith("Succeeded in 5.2 s since it was resumed: 1 created.")


def test_several_failures_are_counted_as_people_say_them() -> None:
    """Three checks failed, not three check failed."""
    assert counted({"check failed": 3, "update failed": 1}) == "3 checks failed, 1 update failed"
    assert counted({"create in doubt": 2}) == "2 creates in doubt"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("It did not stop within 10 s.", "It did not stop within 10 s."),
        ("The command ended with code 1:\n  apt-get update\nE: no network", "The command ended with code 1: E: no network"),
        ("Something is said first.\nAnd more of it.", "Something is said first."),
        ("It ends here:", "It ends here:"),
        ("", ""),
    ],
)
def test_a_message_in_one_line_says_what_its_last_one_says(message: str, expected: str) -> None:
    """A first line that only announces the others would tell nothing."""
    assert gist(message) == expected
    assert len(gist(f"It said: {'x' * 1000}")) == GIST_CHARACTERS_MAX


def test_machines_are_listed_as_people_count() -> None:
    """The tenth machine does not come before the second."""
    changes = [
        Change(address=f"web-{n}/test.Thing::a", kind="test.Thing", action="create", cause="it is gone") for n in (1, 10, 2)
    ]
    lines = plain(drift_page(Plan(stack="shop/dev", verb="drift", changes=tuple(changes)), "purvey apply")).splitlines()

    assert [line.split()[2].partition("/")[0] for line in lines if "gone  " in line] == ["web-1", "web-2", "web-10"]


def test_counts_name_checks() -> None:
    """A number of passed checks is not mistaken for a number of objects."""
    assert counted({"created": 2, "passed": 1}) == "2 created, 1 check passed"


def test_control_characters_of_the_world_never_reach_a_terminal() -> None:
    """A server's message cannot move the cursor or change colours."""
    page = Page()
    page.add(bad("\x1b[2J\x07gone\ttab\x9b"))

    assert plain(page) == "?[2J?gone    tab?\n"
    assert coloured(page) == "\x1b[1;31m?[2J?gone    tab?\x1b[0m\n"


def test_risks_come_first_whatever_their_order() -> None:
    """What loses data or cannot be taken back stands above everything else."""
    lines = text_of(samples.PLAN).splitlines()
    place = {change.address: next(i for i, line in enumerate(lines) if change.address in line) for change in samples.CHANGES}

    risky = {"postgres.Server::db", "step.notify::customers"}
    assert max(place[address] for address in risky) < min(place[address] for address in place if address not in risky)


def test_an_update_of_one_short_field_is_one_line() -> None:
    """The common change is seen at a glance."""
    assert inline(FieldChange("port", 80, 8080)) == "`port` 80 -> 8080"
    assert inline(FieldChange("content", "a\n", "b\n")) == ""


def test_a_text_s_difference_is_bounded() -> None:
    """A rewritten file does not fill the screen: so many lines, and the number of the others."""
    change = FieldChange("content", "a\n" * 50, "b\n" * 50)
    lines = ["".join(part if isinstance(part, str) else part.text for part in line) for line in field_lines(change)]

    assert len(lines) == DIFF_LINES_MAX + 2
    assert lines[-1].endswith("88 more lines")


def test_a_changed_secret_says_only_that() -> None:
    """Of a secret that changes the plan shows that it does."""
    assert inline(FieldChange("password", samples.OLD, samples.NEW)) == "`password` (secret, changed)"
    assert inline(FieldChange("password", None, samples.NEW)) == "`password` (secret)"


def test_a_plan_of_thousands_is_counted() -> None:
    """Creates without risk are listed up to a bound, and the others counted by kind."""
    changes = tuple(
        Change(address=f"files.File::f{n}", kind="files.File", action="create", cause="declared at a.py:1")
        for n in range(1_000)
    )
    text = text_of(Plan(stack="a/dev", changes=changes))

    assert text.count("+ create") == SHOWN_MAX
    assert "and 800 more to create: 800 files.File" in text
    assert text.endswith("Plan: 1000 to create; 0 unchanged.\n")


def test_the_sum_of_an_empty_plan_says_so() -> None:
    """Nothing to do is said in words, in the singular too."""
    assert plan_sum(samples.EMPTY) == "Nothing to do: 20 objects are as declared."
    assert plan_sum(Plan(stack="a/dev", unchanged=1)) == "Nothing to do: 1 object is as declared."


def test_an_undo_says_what_it_cannot_take_back() -> None:
    """What stays after an undo is shown as a risk and counted."""
    change = Change(address="step.mail::all", kind="step.mail", action="none", cause="undoes its create", final=True)
    text = text_of(Plan(stack="a/dev", verb="undo", changes=(change,)))

    assert "! keep" in text
    assert "1 cannot be taken back" in text


@pytest.mark.parametrize(
    ("result", "commands"),
    [
        ("succeeded", []),
        ("undone", ["show"]),
        ("kept", ["resume", "undo", "show"]),
        ("parked", ["resume", "undo", "show"]),
        ("interrupted", ["resume", "undo", "show"]),
        ("partial", ["show"]),
    ],
)
def test_the_end_of_a_run_names_the_next_commands(result: str, commands: list[str]) -> None:
    """Whoever reads how a run ended can copy what to do next."""
    text = plain(ended_page(samples.run(result, samples.CREATED, cause="it failed"), {}))
    found = [line.split()[1] for line in text.splitlines() if line.startswith("    purvey ")]

    assert found == commands


def test_what_was_made_good_is_counted_once() -> None:
    """A create that failed and was tried again, or was settled, counts as what it became; a lost object is not counted."""
    failed = msgspec.structs.replace(samples.CREATED, result="failed")
    settled = msgspec.structs.replace(samples.CREATED, action="settle", result="failed")
    forgotten = msgspec.structs.replace(samples.CREATED, action="forgotten")

    assert sum_of([failed, samples.UPDATED, samples.CREATED]) == "1 updated, 1 created"
    assert sum_of([settled, samples.CREATED]) == "1 created"
    assert sum_of([settled]) == "1 settled as not done"
    assert sum_of([samples.CREATED, forgotten]) == "1 created"
    assert sum_of([forgotten]) == "1 forgotten"
    assert sum_of([samples.CREATED, failed]) == "1 created, 1 create failed"
    assert sum_of([samples.CREATED, samples.REMOVED]) == "1 created, 1 removed again"


def test_a_run_that_succeeded_has_nothing_in_doubt() -> None:
    """What was in doubt and settled by a person counts as what it became once the run has succeeded."""
    doubtful = msgspec.structs.replace(samples.CREATED, result="in doubt")

    assert ": 1 created." in plain(ended_page(samples.run("succeeded", doubtful), {}))
    assert "1 create in doubt" in plain(ended_page(samples.run("interrupted", doubtful), {}))


def test_a_warning_of_several_lines_keeps_them() -> None:
    """A command inside a warning stands alone on its line."""
    text = text_of(Plan(stack="a/dev", warnings=("It is not there. Make it:\n\n    touch it",)))

    assert "Note: It is not there. Make it:\n\n          touch it\n" in text


def test_an_approval_covers_later_stages_only_where_one_is_asked() -> None:
    """A plan without anything to approve does not speak of its approval."""
    assert "this approval" not in text_of(Plan(stack="a/dev", later=Later(40)))


def test_the_next_commands_are_for_where_the_user_is() -> None:
    """From another folder than the project's, the advice says which project it is about."""
    text = plain(ended_page(samples.run("kept", cause="it failed"), {}, program="purvey -C site"))

    assert f"    purvey -C site resume {samples.RUN}" in text


def test_a_destroy_that_was_limited_is_repeated_with_its_limits() -> None:
    """Trying the rest of a limited destroy again never removes more than was asked for."""
    limited = samples.run("partial", verb="destroy", cause="in use", targets=("files.*",), excludes=("b",))

    assert "purvey destroy --stack shop -e dev --target 'files.*' --exclude b" in plain(ended_page(limited, {}))


def test_a_destroy_that_failed_halfway_can_be_repeated() -> None:
    """A destroy that could not remove everything names the command that tries the rest again."""
    text = plain(ended_page(samples.run("partial", verb="destroy", cause="in use"), {}))

    assert "purvey destroy --stack shop -e dev" in text


def test_an_undo_by_request_is_no_failure() -> None:
    """A run that somebody took back is not told as one that failed."""
    text = plain(show_page(samples.run("undone", samples.CREATED, samples.REMOVED, cause="undone by request")))

    assert "as you asked" in text
    assert "failed" not in text


def test_an_error_shows_the_line_of_the_script() -> None:
    """The line that is wrong is shown, and marked from its first to its last character."""
    error = ScriptError("script.x", "It is wrong", source="shop.py:3")
    text = plain(error_page(error, lambda _: "    call(1)"))

    assert "  3 |     call(1)\n" in text
    assert "    |     ^^^^^^^\n" in text


def test_lines_are_read_from_beside_the_script(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A source is found relative to the script's folder; what cannot be read is left out."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "shop.py").write_text("one\ntwo\n", encoding="utf-8")
    read = excerpt_from(folder)

    assert [read("shop.py:2"), read("shop.py:9"), read("none.py:1"), read("shop.py")] == ["two", "", "", ""]


def test_many_problems_fit_on_a_screen() -> None:
    """The first problems are told in full, the others are counted."""
    problems = Problems([ScriptError("script.x", f"Problem {number}") for number in range(PROBLEMS_MAX + 3)])

    assert "and 3 more problems" in plain(error_page(problems, lambda _: ""))


def test_the_next_command_has_the_parameters_of_the_run() -> None:
    """Those that its command line gave: without them it would declare something else. A file's are there by themselves."""
    given = {
        "n": {"value": "5", "origin": "--n"},
        "with_cache": {"value": False, "origin": "--no-with-cache"},
        "verbose": {"value": True, "origin": "--verbose"},
        "env_name": {"value": "a b", "origin": "-p"},
        "of_a_file": {"value": "x", "origin": "shop.dev.toml"},
        "zones": {"value": ["a", "b"], "origin": "parameters"},
    }

    def told(**given: object) -> str:
        run = samples.run("partial", samples.CREATED, script="shop.py", parameters=given, excludes=("web-1/*",))
        return plain(ended_page(run, {}))

    shown = "--n=5 --no-with-cache --verbose -p 'env_name=a b' -p 'zones=[\"a\",\"b\"]' --exclude 'web-1/*'   make the world"
    assert f"purvey apply shop.py -e dev {shown}" in told(**given)
    assert "--text=-x " in told(text={"value": "-x", "origin": "--text"})
    assert "purvey apply" not in told(**given, nothing={"value": None, "origin": "parameters"})


def test_a_run_that_took_nothing_back_does_not_say_that_it_could_not() -> None:
    """What could not be removed, and what fails since it was, is told as that."""
    old = Left(address="files.File::old", generation=1, verb="removal", why="failed", detail="No route to host.")
    gone = ChangeHistory(address="files.File::old", action="delete", result="failed", code="unavailable", detail="No route.")

    def told(verb: str, *left: Left) -> str:
        run = samples.run("partial", samples.CREATED, gone, verb=verb, left=left, cause="x", cause_address="files.File::new")
        return plain(ended_page(run, {}))

    assert told("destroy", old).startswith("Partial: not all could be removed.\n  1 created, 1 delete failed\n")
    assert told("apply", old).startswith("Partial: what is declared is there, and not all that is old could be removed.\n")
    assert "Also failed" not in told("apply", old)
    assert told("apply").startswith("Partial: what is declared fails its check since what is old was removed.\n")
    assert told("apply", *samples.LEFT).startswith("Partial: the run failed, and not all of it could be taken back.\n")
