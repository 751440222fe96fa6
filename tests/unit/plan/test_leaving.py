"""What a destroy removes is told machine by machine, what was made last first; and what stays is told in one line."""

from __future__ import annotations

from purvey._plan.leaving import natural, stays_behind
from purvey._plan.plan import Change


def gone(where: str, *leaves: str) -> Change:
    """A user that goes from a machine."""
    return Change(address=f"{where}/users.User::ana", kind="users.User", action="delete", where=where, leaves=leaves)


def test_numbers_in_names_count() -> None:
    """A tenth machine comes after the second one; names without numbers are sorted as text."""
    names = ["web-10", "db", "web-2", "", "web-2b"]

    assert sorted(names, key=natural) == ["", "db", "web-2", "web-2b", "web-10"]


def test_what_stays_is_one_line() -> None:
    """The same on many machines is told once, with the first of them and how many more there are."""
    changes = [gone(f"web-{n}", "the home /srv/ana") for n in range(1, 11)]

    assert stays_behind(changes) == "Stays behind: the home /srv/ana on web-1, web-2, web-3 and 7 more"
    assert stays_behind([gone("", "the home /srv/ana", "its mail")]) == "Stays behind: the home /srv/ana; its mail"
    assert stays_behind([gone("", "a"), gone("web", "a")]) == "Stays behind: a on this machine, web"
    assert stays_behind([gone("web")]) == ""
