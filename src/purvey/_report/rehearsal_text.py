"""What a rehearsal found, as people read it: each thing that an undo would not restore, why, and what to write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from purvey._rehearse.finding import Finding, Rehearsal, What
from purvey._report.style import Page, Span, bold, dim, good

_SIGNS: Final[Mapping[What, Span]] = {
    "apply": Span("  ! fails  ", "bad"),
    "lost": Span("  - lost   ", "bad"),
    "left": Span("  + left   ", "change"),
    "changed": Span("  ~ changed", "change"),
    "order": Span("  ? order  ", "change"),
    "claim": Span("  ? claim  ", "change"),
    "record": Span("  ~ record ", "change"),
}


def rehearsal_page(rehearsal: Rehearsal) -> Page:
    """The operations that were let fail, the findings, what was left out, and the sum."""
    page = Page()
    page.add(bold(f"{rehearsal.stack}: rehearsal"))
    page.blank()
    for finding in rehearsal.findings:
        _finding(page, finding, len(rehearsal.operations))
    for limit in rehearsal.limits:
        page.add("  ", dim("not rehearsed: "), " ".join(limit.split()))
    page.blank()
    total = rehearsal_sum(rehearsal)
    page.add(good(total) if rehearsal.restores else bold(total))
    return page


def rehearsal_sum(rehearsal: Rehearsal) -> str:
    """The last line: how many operations, and how many of them an undo takes back whole."""
    count = len(rehearsal.operations)
    if not count and rehearsal.restores:
        return "Rehearsal: nothing to do, so nothing to undo."
    if not count:
        return "Rehearsal: the run fails before it has done anything, so there was nothing to undo."
    plural = "" if count == 1 else "s"
    if rehearsal.restores:
        return f"Rehearsal: {count} operation{plural} failed in turn; every undo restores everything."
    whole = sum(item.restored for item in rehearsal.operations)
    found = len(rehearsal.findings)
    return (
        f"Rehearsal: {count} operation{plural} failed in turn; {whole} undo{'' if whole == 1 else 's'} "
        f"restore{'s' if whole == 1 else ''} everything. {found} finding{'' if found == 1 else 's'}."
    )


def _finding(page: Page, finding: Finding, total: int) -> None:
    where = f"  declared at {finding.source}" if finding.source else ""
    page.add(_SIGNS[finding.what], "  ", bold(finding.address or "(the whole run)"), dim(where))
    page.block(finding.why, "      ")
    page.block(finding.fix, "      ", "good")
    if finding.after:
        often = f" (and {len(finding.after) - 1} more of {total})" if len(finding.after) > 1 else ""
        page.add("      ", dim(f"seen when the run fails after: {finding.after[0]}{often}"))
    page.blank()
