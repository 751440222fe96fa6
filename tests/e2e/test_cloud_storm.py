"""A cloud that answers nobody for a while, between a death and the run that goes on."""

from __future__ import annotations

from purvey.testing import cloud
from purvey.testing.pytest_plugin import Project

SCRIPT = """
from purvey import stack
from purvey.testing import cloud

@stack
def main():
    cloud.Server("web", network=cloud.Network("net").id)
"""


def test_doubt_outlasts_a_storm(purvey_cloud: cloud.Cloud, purvey_project: Project) -> None:
    """A death after the effect, then only throttling: the creation stays in doubt, and the next resume finds what was made."""
    purvey_project.write(SCRIPT)
    purvey_cloud.fault("create", "server", action="kill_after")
    assert purvey_project.attempt("apply", "--yes").returncode == -9
    purvey_cloud.fault("*", "server", action="throttle", times=6, seconds=0.01)

    stormy = purvey_project.attempt("resume", "--yes")
    assert stormy.returncode != 0
    purvey_cloud.calm()
    purvey_project.run("resume", "--yes")

    assert purvey_cloud.violations(purvey_project.ids()) == []
    assert [effect.verb for effect in purvey_cloud.ledger() if effect.kind == "server"] == ["create"]
