"""`expect` in purvey.toml at the command line: the wrong machine, and the wrong account of a real cloud."""

from __future__ import annotations

import re
from pathlib import Path

from purvey.testing.cloud import Cloud
from purvey.testing.pytest_plugin import Project
from tests.unit.cli.conftest import Purvey

CLOUD = """
from purvey import stack
from purvey.testing import cloud


@stack
def main(days: int = 30):
    cloud.Key("key", days=days)
"""


def test_the_wrong_machine_is_refused(purvey: Purvey, project: Path) -> None:
    """A script for one machine is not applied on another; what this one is called stands in the error."""
    settings = project / "purvey.toml"
    settings.write_text('[env.dev.expect]\nmachine = "another"\n', encoding="utf-8")

    told = purvey("apply", "site/site.py", "--yes")

    assert (told.code, "refused.unexpected_world" in told.err) == (4, True)
    assert not (project / "public-dev").exists()
    own = re.search(r"its\s+machine\s+is\s+'([^']+)'", told.err)
    assert own is not None
    settings.write_text(f'[env.dev.expect]\nmachine = "{own[1]}"\n', encoding="utf-8")
    assert purvey("apply", "site/site.py", "--yes").code == 0


def test_the_wrong_account_is_refused(purvey_cloud: Cloud, purvey_project: Project) -> None:
    """Credentials of another account change nothing in it; those of the expected one do."""
    (purvey_project.folder / "purvey.toml").write_text('[env.dev.expect]\naccount = "shop"\n', encoding="utf-8")
    purvey_project.write(CLOUD)
    purvey_cloud.manner(account="somebody")

    told = purvey_project.attempt("apply", "--yes")

    assert (told.returncode, "is 'somebody'" in " ".join(told.stderr.split())) == (4, True)
    assert purvey_cloud.ledger() == []
    purvey_cloud.manner(account="shop")
    purvey_project.run("apply", "--yes")
    assert [effect.verb for effect in purvey_cloud.ledger()] == ["create"]


def test_a_misspelt_expectation_is_refused(purvey: Purvey, project: Path) -> None:
    """It would protect nothing; one about something else than what is here is left alone."""
    settings = project / "purvey.toml"
    settings.write_text('[env.dev.expect]\nmachin = "this"\naccount = "shop"\n', encoding="utf-8")

    told = purvey("apply", "site/site.py", "--yes")

    assert (told.code, "did you mean 'machine'?" in " ".join(told.err.split())) == (4, True)
    assert "account" not in told.err
    settings.write_text('[env.dev.expect]\naccount = "shop"\n', encoding="utf-8")
    assert purvey("apply", "site/site.py", "--yes").code == 0


def test_an_expectation_about_something_else_is_no_slip(purvey: Purvey, project: Path) -> None:
    """Words that look alike only a little may well be two things."""
    settings = project / "purvey.toml"
    settings.write_text('[env.dev.expect]\naching = "1"\nchina = "2"\n', encoding="utf-8")

    assert purvey("apply", "site/site.py", "--yes").code == 0
