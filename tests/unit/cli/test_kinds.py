"""What a script can declare, as the command line tells it."""

from __future__ import annotations

from typing import Any

import click
import pytest

from purvey._session.kinds import kinds
from purvey.cli import complete
from tests.unit.cli.conftest import Purvey

KINDS = kinds()


def test_all_are_listed_a_line_each(purvey: Purvey) -> None:
    """With a sentence that says what each is."""
    told = purvey("kinds")

    lines = dict(line.split(maxsplit=1) for line in told.out.splitlines() if "." in line.partition(" ")[0])
    assert (told.code, set(lines)) == (0, {kind.name for kind in KINDS})
    assert {"files.File", "host.Command", "postgres.Database", "users.User"} <= set(lines)
    assert all(text.endswith(".") for text in lines.values())


def test_those_of_a_family_are_listed(purvey: Purvey) -> None:
    """And no others."""
    named = [line.split()[0] for line in purvey("kinds", "users").out.splitlines() if line.startswith("users.")]

    assert named == ["users.AuthorizedKeys", "users.Group", "users.Sudoers", "users.User"]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.name))
def test_one_is_told_whole(kind: Any, purvey: Purvey) -> None:
    """Each input and output with its type and what it means, and how a script gets at it."""
    told = purvey("kinds", kind.name)

    assert told.code == 0
    for field in (*kind.inputs, *kind.outputs):
        assert f"  {field.name}: {field.type}" in told.out
        assert field.doc
    assert f"from purvey.resources import {kind.name.partition('.')[0]}" in told.out


def test_one_is_told_as_people_need_it(purvey: Purvey) -> None:
    """What must be given, what is the default, and what a change would replace."""
    lines = purvey("kinds", "files.File").out.splitlines()

    assert "  path: str  required  its change replaces the object" in lines
    assert "  mode: str  default '0644'" in lines
    assert lines.index("Inputs") < lines.index("  path: str  required  its change replaces the object") < lines.index("Outputs")


def test_what_is_for_no_machine_says_so(purvey: Purvey) -> None:
    """And what is made where nothing is given has no default to show."""
    told = {name: purvey("kinds", name).out for name in ("postgres.Server", "users.User", "http.Check")}

    assert {name: "on= for a machine" in text for name, text in told.items()} == {
        "postgres.Server": False, "users.User": True, "http.Check": False,
    }  # fmt: skip
    assert "  name: str  its change replaces the object" in told["users.User"].splitlines()
    assert "  json: Any  default None" in told["http.Check"].splitlines()
    shown = [field for kind in KINDS for field in kind.inputs if field.default == "None"]
    assert all("None" in field.type or field.type == "Any" for field in shown)


def test_programs_get_all_of_it(purvey: Purvey) -> None:
    """In one document."""
    document = purvey("kinds", "--json").json()

    assert [item["name"] for item in document["kinds"]] == [kind.name for kind in KINDS]
    assert {item["on_hosts"] for item in document["kinds"] if item["name"].startswith("postgres.")} == {False}
    (file,) = purvey("kinds", "files.File", "--json").json()["kinds"]
    assert file["on_hosts"]
    assert {"name": "mode", "type": "str", "required": False, "default": "'0644'", "replaces": False}.items() <= next(
        item for item in file["inputs"] if item["name"] == "mode"
    ).items()


def test_a_mistyped_one_is_told(purvey: Purvey) -> None:
    """With the one that was meant."""
    told = purvey("kinds", "files.Lime")

    assert told.code != 0
    assert "Did you mean files.Line?" in told.err


def test_a_shell_offers_families_and_then_their_kinds() -> None:
    """Not all at once."""
    context, parameter = click.Context(click.Command("kinds")), click.Argument(["name"])

    assert [item.value for item in complete.kinds(context, parameter, "us")] == ["users"]
    assert [item.value for item in complete.kinds(context, parameter, "users.G")] == ["users.Group"]
    assert complete.kinds(context, parameter, "nothing.") == []
