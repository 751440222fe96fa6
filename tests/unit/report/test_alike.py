"""Plans of many machines: what is the same on each is told once, and whatever is not is told by itself."""

from __future__ import annotations

from purvey._base.compare import FieldChange
from purvey._plan.plan import Change, Plan
from purvey._report.style import plain
from purvey._report.text import plan_page


def change(machine: str, name: str, *, on: str | None = None, value: str = "2.0", why: str = "") -> Change:
    """An update of a package on a machine."""
    return Change(
        address=f"{machine}/packages.Apt::{name}", kind="packages.Apt", action="update", cause="changed at fleet.py:3",
        where=machine if on is None else on, fields=(FieldChange("names.shop", "1.0", value),), source="fleet.py:3",
        verdict="cannot know" if why else "will", why=why,
    )  # fmt: skip


def lines(*changes: Change) -> list[str]:
    """What the plan shows of its changes."""
    shown = plain(plan_page(Plan(stack="fleet/dev", changes=changes))).splitlines()
    return [line.rstrip() for line in shown[2:-2] if line.strip()]


def test_what_is_the_same_on_three_machines_is_told_once() -> None:
    """The machines are named above it, and reasons are told as they read there."""
    names = ("web-1", "web-2", "web-3")

    assert lines(
        *(change(name, "shop", why=f"depends on {name}/host.Command::out, which changes first") for name in names)
    ) == [
        "  on web-1, web-2, web-3  (3 alike)",
        '  ? update   packages.Apt::shop  `names.shop` "1.0" -> "2.0"  (fleet.py:3)',
        "      cannot know: depends on host.Command::out, which changes first",
    ]


def test_what_differs_is_told_by_itself() -> None:
    """Another value on one machine, and machines of which there are only two."""
    told = lines(
        *(change(f"web-{n}", "shop") for n in (1, 2, 4)), change("web-3", "shop", value="3.0"),
        change("db-1", "base"), change("db-2", "base"),
    )  # fmt: skip

    assert [line.split()[:3] for line in told[:3]] == [
        ["~", "update", "web-3/packages.Apt::shop"], ["~", "update", "db-1/packages.Apt::base"],
        ["~", "update", "db-2/packages.Apt::base"],
    ]  # fmt: skip
    assert told[3] == "  on web-1, web-2, web-4  (3 alike)"


def test_of_many_machines_the_first_and_the_last_are_named() -> None:
    """Two changes of the same two hundred machines are under one line."""
    told = lines(*(change(f"web-{n}", name) for n in range(200) for name in ("shop", "tools")))

    assert told[0] == "  on web-0, web-1, web-2, …, web-199  (200 alike)"
    assert [line.split()[2] for line in told[1:]] == ["packages.Apt::shop", "packages.Apt::tools"]


def test_scopes_that_are_no_machines_are_told_so() -> None:
    """What lives in three scopes of this machine is alike, too."""
    told = lines(*(change(name, "shop", on="") for name in ("eu", "us", "asia")))

    assert told[0] == "  in eu, us, asia  (3 alike)"
