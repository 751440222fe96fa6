"""What every test gets: seeds that can be repeated, one event loop library, and no way to be skipped.

A run of the suite has one seed, which the header prints. Long suites are sampled with a fixed seed, so that a failure
is the change's and not the day's; ``PURVEY_TEST_FULL=1`` runs them at full count with a fresh seed, and
``PURVEY_TEST_SEED=n`` repeats any run.
"""

from __future__ import annotations

import os
import random
import re
import secrets
import zlib
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Generator

FULL = bool(os.environ.get("PURVEY_TEST_FULL"))
SAMPLE_SEED = "20260101"

settings.register_profile("sample", max_examples=100, derandomize=True, deadline=None, database=None)
settings.register_profile("full", max_examples=2_000, deadline=None, print_blob=True)
settings.load_profile("full" if FULL else "sample")


def pytest_configure(config: pytest.Config) -> None:
    """Choose the seed once, in the environment, so that the workers of a parallel run share it."""
    del config
    os.environ.setdefault("PURVEY_TEST_SEED", str(secrets.randbelow(2**32)) if FULL else SAMPLE_SEED)


def pytest_report_header() -> str:
    """Say how to repeat this run."""
    return f"{'full' if FULL else 'sample'} run, repeated with PURVEY_TEST_SEED={os.environ['PURVEY_TEST_SEED']}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many faults were injected by which tests, what harm they did, and the seed; all harm is a failure above, too."""
    faults: Counter[str] = Counter()
    harm: Counter[str] = Counter()
    for report in (report for reports in terminalreporter.stats.values() for report in reports):
        noted: Counter[str] = Counter()
        for name, value in getattr(report, "user_properties", ()):
            noted[name] += value if name in ("faults", "duplicates", "orphans") else 0
        if getattr(report, "when", "") == "call" and noted["faults"]:
            faults[re.sub(r"strand-\d+-|\d+-seed-\d+-?|-\d+-seed-\d+", "", report.nodeid.rpartition("/")[2])] += noted["faults"]
            harm.update(noted, failures=report.failed)
    for mode, count in sorted(faults.items()):
        terminalreporter.write_line(f"{count:6} faults  {mode}")
    if faults:
        terminalreporter.write_line(
            f"{faults.total()} fault points in {len(faults)} modes, each followed by a resume alone: {harm['duplicates']} "
            f"duplicates, {harm['orphans']} orphans, {harm['failures']} tests failed; "
            f"PURVEY_TEST_SEED={os.environ['PURVEY_TEST_SEED']}"
        )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test that takes `seed` one seed for each of its trials; the seed is in the test's name."""
    if "seed" not in metafunc.fixturenames:
        return
    trials = metafunc.definition.get_closest_marker("trials")
    count = trials.kwargs["full" if FULL else "sample"] if trials else 1
    base = f"{os.environ['PURVEY_TEST_SEED']}:{metafunc.definition.nodeid}"
    seeds = [zlib.crc32(f"{base}:{trial}".encode()) for trial in range(count)]
    metafunc.parametrize("seed", seeds, ids=[f"{trial}-seed-{seed}" for trial, seed in enumerate(seeds)])


@pytest.fixture
def rng(seed: int) -> random.Random:
    """Chance for one trial; the same numbers whenever the trial is repeated."""
    return random.Random(seed)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The event loop library that the engine runs on."""
    return "asyncio"


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if report.skipped:
        told = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"A test that does not run proves nothing, so a skip is a failure here.\n{told}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skipped or expectedly failing test into a failure: what the machine lacks, the build installs."""
    del item, call
    report = yield
    _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Turn a module that skips itself into a failure."""
    del collector
    report = yield
    _refuse_skip(report)
    return report
