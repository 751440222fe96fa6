"""Every kind does what the engine relies on: the conformance kit, on real files, processes and servers."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from purvey.testing.cloud import Cloud
from purvey.testing.conformance import Bench, Case, CheckCase
from tests.e2e.conformance import cases_checks, cases_cloud, cases_files, cases_postgres, cases_process, cases_tls, machine

CASES: tuple[type[Case | CheckCase], ...] = (
    cases_postgres.ServerCase,
    cases_process.ServiceCase,
    cases_postgres.RoleCase,
    cases_postgres.DatabaseCase,
    cases_postgres.GrantCase,
    cases_postgres.MigrationsCase,
    cases_postgres.SqlCheckCase,
    cases_checks.HttpCheckCase,
    cases_checks.TcpCheckCase,
    cases_checks.CommandCheckCase,
    cases_files.DirectoryCase,
    cases_files.FileCase,
    cases_files.TemplateCase,
    cases_files.LinkCase,
    cases_tls.PrivateKeyCase,
    cases_tls.AuthorityCase,
    cases_tls.CertificateCase,
    cases_cloud.NetworkCase,
    cases_cloud.CloudServerCase,
    cases_cloud.VolumeCase,
    cases_cloud.RecordCase,
    cases_cloud.KeyCase,
)


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    """One bench for all cases, so that those of a server share it; in the end nothing is left of it."""
    folder = Path(tempfile.mkdtemp(prefix="purvey-kit-"))
    folder.chmod(0o755)
    try:
        with Cloud() as cloud, pytest.MonkeyPatch.context() as patch, Bench(folder) as bench:
            patch.setenv("PURVEY_CLOUD_URL", cloud.url)
            cloud.behave("server", creating_s=0.05)  # In time, not in looks: a resume after a timeout must find it ready.
            yield bench
    finally:
        for estate in [key.stem for key in (folder / "keys").rglob("*.key")]:  # Whatever failed, no server outlives the tests.
            for pid in machine.processes(f"/{estate}/"):
                machine.end(pid)
            shutil.rmtree(Path("/var/lib/purvey") / estate, ignore_errors=True)
        shutil.rmtree(folder)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_a_kind_conforms(case: type[Case | CheckCase], bench: Bench) -> None:
    """The kind behaves as the engine, and everybody who reads a plan, takes for granted."""
    bench.conform(case)
