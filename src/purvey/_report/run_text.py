"""A run as people read it: how it ended, what it did and took back, why, and what to do next."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from purvey._base.clock import timestamp
from purvey._base.value import Value
from purvey._report.style import Page, Span, Style, bad, bold, dim
from purvey._report.values import shown
from purvey._report.words import counted, duration, gist, happened
from purvey._state.history import ChangeHistory, RunHistory
from purvey._state.record import Left

_ENDINGS: Final[Mapping[str, tuple[str, Style]]] = {
    "succeeded": ("Succeeded", "good"),
    "undone": ("Undone: the run failed, and what it had changed was taken back", "change"),
    "kept": ("Kept: the run failed, and was left as it is", "bad"),
    "parked": ("Parked: something is still pending; nothing is lost", "change"),
    "interrupted": ("Interrupted: nothing new was started, and nothing is lost", "change"),
    "superseded": ("Superseded: a later run took over what this one left", "dim"),
    "refused": ("Refused: it did not begin, and nothing was touched", "dim"),
    "partial": ("Partial: the run failed, and not all of it could be taken back", "bad"),
    "": ("Open: still running, or its process ended without a word", "change"),
}
"""How each result is told."""

_REMOVALS: Final = frozenset({"removal", "delete"})
"""What is left of these was to go, and is not taken back."""

ASKED: Final = "undone by request"
"""The cause of a run that somebody took back."""

OTHERS_MAX: Final = 8
"""Failures beside a run's cause that its end tells; a network that is down fails a hundred machines alike."""

_WIDTH_MAX: Final = 48
_DOUBTS_MAX: Final = 3
"""How many operations in doubt the advice is about; the others come to light when these are settled."""


def ended_page(run: RunHistory, outputs: Mapping[str, Value], *, program: str = "purvey") -> Page:
    """The end of a run: result, sum, outputs or cause, and the next command.

    Args:
        run: The run.
        outputs: The stack's outputs, secrets masked.
        program: How purvey is called for the run's project from where the user is.
    """
    page = Page()
    _ending(page, run)
    page.add(dim(f"  run {run.id}"))
    if outputs:
        page.blank()
        outputs_lines(page, outputs, f"{program} outputs {run.id} --json")
    _cause(page, run)
    _others(page, run)
    _left(page, run)
    _next(page, run, program, seen=False)
    return page


def show_page(run: RunHistory) -> Page:
    """The whole story of a run."""
    page = Page()
    page.add(bold(f"Run {run.id}: {run.verb} {run.stack}/{run.env}"))
    page.add(f"  started {_moment(run.started)}{_who(run)}")
    if run.ended is not None:
        page.add(f"  ended   {_moment(run.ended)}, after {duration(run.ended - run.started)}{_stages(run)}")
    page.blank()
    _ending(page, run)
    forward = [change for change in run.changes if change.action != "undo"]
    _table(page, "What happened", forward)
    _table(page, "What was undone", [change for change in run.changes if change.action == "undo"])
    _cause(page, run)
    _left(page, run)
    _next(page, run, "purvey", seen=True)
    return page


def runs_page(runs: Sequence[RunHistory]) -> Page:
    """Runs as a table, in the order given."""
    page = Page()
    if not runs:
        page.add("No run yet. The first one begins with")
        page.blank()
        page.add("    purvey apply SCRIPT")
        return page
    rows = [_row(run) for run in runs]
    titles = ("RUN", "STACK", "VERB", "RESULT", "STARTED", "TOOK", "BY")
    widths = [max(len(row[column]) for row in [titles, *rows]) for column in range(len(titles))]
    page.add(dim("  ".join(map(str.ljust, titles, widths))))
    for run, row in zip(runs, rows, strict=True):
        cells = list(map(str.ljust, row, widths))
        page.add("  ".join(cells[:3]), "  ", Span(cells[3], _ENDINGS[run.result][1]), "  ", "  ".join(cells[4:]))
    return page


def outputs_lines(page: Page, outputs: Mapping[str, Value], whole: str) -> None:
    """Add outputs, one on a line, secrets masked; where one is cut, also the command that shows them whole."""
    page.add(bold("Outputs"))
    width = max(map(len, outputs))
    for name, value in outputs.items():
        page.add(f"  {name.ljust(width)} = ", value if isinstance(value, str) else shown(value))
    if any(not isinstance(value, str) and shown(value).endswith(" …") for value in outputs.values()):
        page.add(dim(f"  … whole with: {whole}"))


def sum_of(changes: Sequence[ChangeHistory]) -> str:
    """How much of what happened: ``5 created, 1 updated, 3 checks passed``."""
    return counted(Counter(happened(change) for change in _became(changes) if change.result != "unchanged"))


def _became(changes: Sequence[ChangeHistory]) -> Iterator[ChangeHistory]:
    """The changes without those that a later one of the same node made good.

    What failed and was tried again by a resume, or was settled, counts as what it became; and an object that was made because
    the one before was gone is not told as forgotten too.
    """
    done = {(change.address, change.action): place for place, change in enumerate(changes) if change.result == "done"}
    forward = {address: place for (address, action), place in done.items() if action not in ("undo", "forgotten")}
    for place, change in enumerate(changes):
        if change.action == "forgotten":
            good = (change.address, "create") in done
        elif change.action == "settle":
            good = forward.get(change.address, place) > place
        else:
            good = change.result != "done" and done.get((change.address, change.action), place) > place
        if not good:
            yield change


def _ending(page: Page, run: RunHistory) -> None:
    text, style = _ENDINGS[run.result]
    if run.result == "undone" and was_asked_to_undo(run):
        text = "Undone: what the run had changed was taken back, as you asked"
    elif run.result == "partial" and was_asked_to_undo(run):
        text = "Partial: you asked to take the run back, and not all of it could be"
    elif run.result == "partial" and not any(change.action == "undo" for change in run.changes):
        text = _partial(run)
    elif run.result in ("succeeded", "kept") and was_asked_to_undo(run):
        text, style = "Undone in part, as you asked", "good"
    elif run.result == "kept" and any(change.action == "undo" for change in run.changes):
        text, style = "Undone in part: the run failed, and only what failed together was taken back; the rest stays", "bad"
    timed = run.ended is not None and run.result == "succeeded" and not was_asked_to_undo(run)
    took = f" in {_worked(run, run.ended)}" if run.ended is not None and timed else ""
    what = sum_of(_settled(run)) or "nothing had to change"
    page.add(Span(f"{text}{took}", style), f": {what}." if run.result == "succeeded" else ".")
    if run.result == "succeeded" and not run.cause:
        page.block(run.cause_detail, "  ")
    if run.result != "succeeded" and run.changes:
        page.add(f"  {what}")


def _partial(run: RunHistory) -> str:
    """How a run is told that could not remove all, or of which something fails since it has; nothing of it was taken back."""
    if not run.left:
        return "Partial: what is declared fails its check since what is old was removed"
    if any(item.verb not in _REMOVALS for item in run.left):
        return _ENDINGS["partial"][0]
    if run.verb == "destroy":
        return "Partial: not all could be removed"
    return "Partial: what is declared is there, and not all that is old could be removed"


def _worked(run: RunHistory, ended: float) -> str:
    """How long a run took; where it stopped in between, since people went on with it, for it may have lain there for days."""
    return duration(ended - run.started) if run.resumed is None else f"{duration(ended - run.resumed)} since it was resumed"


def _settled(run: RunHistory) -> list[ChangeHistory]:
    """The run's changes; in a run that succeeded nothing is in doubt any more, whoever settled it."""
    ended = [
        msgspec.structs.replace(change, result="done") if change.result == "in doubt" else change for change in run.changes
    ]
    return ended if run.result == "succeeded" else list(run.changes)


def _table(page: Page, title: str, changes: Sequence[ChangeHistory]) -> None:
    if not changes:
        return
    page.blank()
    page.add(bold(title))
    words = [happened(change) for change in changes]
    widest = max(map(len, words))
    width = min(max(len(change.address) for change in changes), _WIDTH_MAX)
    for change, word in zip(changes, words, strict=True):
        attempts = f"  {change.attempts} attempts" if change.attempts > 1 else ""
        style: Style = "bad" if change.result in ("failed", "in doubt") else ""
        took = duration(change.seconds).rjust(7)
        page.add("  ", Span(word.ljust(widest), style), f"  {change.address.ljust(width)}  ", dim(f"{took}{attempts}"))
        if change.result == "failed" and change.detail:
            page.block(change.detail, "      ", "dim")


def _cause(page: Page, run: RunHistory) -> None:
    asked = was_asked_to_undo(run)
    if not run.cause or run.result == "interrupted" or (run.result == "undone" if asked else run.result == "succeeded"):
        return
    page.blank()
    page.add(bold("Cause  "), bad(run.cause), f"  {run.cause_address}" if run.cause_address else "")
    page.block(run.cause_detail, "    ")


def _others(page: Page, run: RunHistory) -> None:
    """What else failed: who mends only the cause would meet it in the next run."""
    told = {run.cause_address, *(item.address for item in run.left)}
    failed = {
        change.address: change for change in _became(run.changes)
        if change.result == "failed" and change.action != "undo" and change.address not in told
    }  # fmt: skip
    if not failed or was_asked_to_undo(run):
        return
    page.blank()
    page.add(bold("Also failed"))
    some = list(failed.values())[:OTHERS_MAX]
    width = min(max(len(change.address) for change in some), _WIDTH_MAX)
    for change in some:
        page.add(f"  {change.address.ljust(width)}  ", dim(gist(change.detail)))
    if len(failed) > len(some):
        page.add(dim(f"  … and {len(failed) - len(some)} more; purvey show {run.id} lists them all"))


def _left(page: Page, run: RunHistory) -> None:
    """The ledger of a partial run: what is left, and why."""
    if not run.left:
        return
    page.blank()
    page.add(bold("What is left"))
    width = max(len(item.address) for item in run.left)
    for item in run.left:
        told = (_LEFT_OLD if item.verb == "removal" else _LEFT)[item.why].format(verb=item.verb)
        page.add(f"  {item.address.ljust(width)}  ", dim(f"{told}{_known_as(item)}"))
        page.block(item.detail, "      ", "dim")


_LEFT: Final[Mapping[str, str]] = {
    "failed": "its {verb} could not be taken back",
    "final": "its {verb} cannot be undone",
    "in doubt": "its {verb} was begun, and its end is not known",
    "pending": "its {verb} is still being taken back",
    "waiting": "its {verb} was not taken back, because something that needs it is left",
}
_LEFT_OLD: Final[Mapping[str, str]] = {
    "failed": "it could not be removed",
    "pending": "it is still being removed",
    "waiting": "it was not removed, because something that needs it is left",
}


def _known_as(item: Left) -> str:
    return f"; its id is {item.id}" if item.id else ""


def _next(page: Page, run: RunHistory, program: str, *, seen: bool) -> None:
    commands = [(f"{program} {verb} {run.id}", why) for verb, why in _next_verbs(run)]
    if run.result == "partial" and run.verb == "destroy":
        commands.insert(0, (f"{program} {_destroy_again(run)}", "try the rest again"))
    elif run.result == "partial" and not commands and (again := _apply_again(run)):
        commands.append((f"{program} {again}", "make the world what the script says"))
    doubts = [change for change in _became(run.changes) if change.result == "in doubt"] if run.result == "kept" else []
    for change in doubts[:_DOUBTS_MAX]:
        settle = shlex.join(["state", "settle", change.address, "--stack", run.stack, "-e", run.env, "--done"])
        commands.append((f"{program} {settle}", f"if you have seen that its {change.action} happened; else --not-done"))
    if run.result in ("undone", "kept", "parked", "interrupted", "partial") and not seen:
        commands.append((f"{program} show {run.id}", "the whole story"))
    if not commands:
        return
    page.blank()
    page.add(bold("Next"))
    width = max(len(command) for command, _ in commands)
    for command, why in commands:
        page.add(f"    {command.ljust(width)}   ", dim(why))


def _apply_again(run: RunHistory) -> str:
    """The apply that was told the same; empty where no command line could say it."""
    given: list[str] = []
    for name, item in run.parameters.items():
        value, origin = (item.get("value"), item.get("origin")) if isinstance(item, Mapping) else (None, "")
        option = f"--{name.replace('_', '-')}"
        if not isinstance(origin, str) or not origin.startswith(("-", "parameters")):
            continue  # A file's and the environment's are there by themselves.
        if isinstance(value, bool):
            given.append(option if value else option.replace("--", "--no-", 1))
        elif isinstance(value, str | int | float) and origin.startswith("--"):
            given.append(f"{option}={value}")  # In one word, for it may begin with a dash.
        elif isinstance(value, str | int | float | list | dict):
            given += "-p", f"{name}={value if isinstance(value, str) else msgspec.json.encode(value).decode()}"
        else:
            return ""
    return shlex.join(["apply", run.script, "-e", run.env, *given, *_limits(run)]) if run.script else ""


def _destroy_again(run: RunHistory) -> str:
    """The destroy that was limited to the same."""
    return shlex.join(["destroy", "--stack", run.stack, "-e", run.env, *_limits(run)])


def _limits(run: RunHistory) -> list[str]:
    limits = [*(("--target", item) for item in run.targets), *(("--exclude", item) for item in run.excludes)]
    return [part for limit in limits for part in limit]


def _next_verbs(run: RunHistory) -> list[tuple[str, str]]:
    if run.result in ("kept", "interrupted", ""):
        return [("resume", "go on"), ("undo", "take back what it did")]
    if run.result == "parked":
        return [("resume", "look again and go on"), ("undo", "take back what it did")]
    undoing = any(item.verb not in _REMOVALS and item.why != "final" for item in run.left)
    return [("undo", "try again to take it back")] if run.result == "partial" and undoing else []


def _row(run: RunHistory) -> tuple[str, ...]:
    took = duration(run.ended - run.started) if run.ended is not None else ""
    place = f"{run.stack}/{run.env}"
    return (run.id, place, run.verb, run.result or "open", _moment(run.started), took, run.user)


def _moment(seconds: float) -> str:
    return timestamp(seconds)[:19].replace("T", " ") + "Z"


def _who(run: RunHistory) -> str:
    by = f" by {run.user}" if run.user else ""
    return f"{by} on {run.machine}" if run.machine else by


def _stages(run: RunHistory) -> str:
    return f", in {run.stages} stages" if run.stages > 1 else ""


def was_asked_to_undo(run: RunHistory) -> bool:
    """Whether the run was taken back because somebody asked for that, and not because it failed."""
    return run.cause == ASKED
