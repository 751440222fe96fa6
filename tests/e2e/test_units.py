"""Units that kinds write are taken by systemd's own programs."""

from __future__ import annotations

import subprocess
from pathlib import Path

from purvey._script.recorder import recording
from purvey.resources import host
from tests.unit.resources.life import recorder


def test_a_timer_is_taken_by_systemd(tmp_path: Path) -> None:
    """Its checker has nothing to say of the two units, whatever stands in the command and its variables."""
    words = ["/bin/echo", "a b", 'with "quotes"', "100%", "$HOME", "back\\slash", ""]
    with recording(recorder(tmp_path)) as script:
        host.timer("job", command=words, calendar="Mon *-*-* 04:00", cwd="/srv", env={"A": "50% of $B"}, spread="10min")
    for unit in ("job.service", "job.timer"):
        (tmp_path / unit).write_text(str(script.nodes[f"services.Systemd::{unit}"].inputs["content"]), encoding="utf-8")

    told = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / "job.timer")], capture_output=True, text=True, check=False,
        timeout=30,
    )  # fmt: skip

    assert (told.returncode, told.stderr) == (0, "")
