"""Stages: a script that needs a real value to go on, and says so with `value(...)`.

    purvey apply examples/staging.py --teams 3

Which regions exist is only known once the survey has run. The script pauses there, the first stage is applied, and the script
runs again from the top, this time with the real list, so that a `for` loop declares a page for each region. A pause inside a
component ends only that component's call: the pages of all teams are one stage, not one after another.
"""

from __future__ import annotations

from pathlib import Path

from purvey import Options, component, later, stack, step, value
from purvey.resources import command, files


@step(reads_only=True)
def survey(maps: str) -> list[str]:
    """Which regions have a map. A real one would ask an API."""
    return sorted(path.stem for path in Path(maps).glob("*.map"))


@component
def site(team: str, folder: files.Directory, regions: list[str]) -> None:
    """One page for each region in which the team works."""
    home = files.Directory("home", path=f"{folder.path}/{team}")
    for region in value(regions):
        files.File(region, path=f"{home.path}/{region}.txt", content=f"{team} serves {region}\n")


@stack
def staged(env: str, teams: int = 2) -> dict[str, list[str]]:
    """Sites in regions that only the first stage tells."""
    later(at_most=20, kinds=[files.Directory, files.File])
    folder = files.Directory("sites", path=f".sites-{env}")
    maps = [files.File(name, path=f"{folder.path}/{name}.map", content=f"{name}\n") for name in ("east", "west")]
    regions = survey.options(after=maps)("regions", maps=folder.path)
    for n in range(teams):
        site(f"team-{n}", folder, regions.result)
    command.Check("mapped", command=["test", "-s", maps[0].path], opts=Options(after=[regions]))
    return {"regions": regions.result}
