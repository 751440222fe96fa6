"""Saved plans: written sealed and signed, read back, and performed exactly, or less."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from purvey._apply.request import Approve, Request
from purvey._apply.stage import observed, prepare, refusals
from purvey._base.limits import PLAN_EXPIRY_S
from purvey._base.value import digest
from purvey._base.writing import require_place, writing
from purvey._graph import OnFailure, Selection
from purvey._plan.approval import approval, beyond
from purvey._plan.guard import OnFinal
from purvey._plan.plan import Plan
from purvey._plan.plan_file import MAGIC, SavedPlan, from_bytes, not_a_plan, to_bytes
from purvey._script.load import Script, load_script
from purvey._script.parameters import Given
from purvey._session import recorded
from purvey._session.drive import Drive
from purvey._session.loop import run_with
from purvey._session.settings import least
from purvey._state.record import LookedUp
from purvey.errors import RefusedError, StateError

if TYPE_CHECKING:
    from purvey._secrets.sealing import Sealer
    from purvey._state.history import RunHistory


def save(drive: Drive, request: Request, path: Path) -> Plan:
    """Plan, and write the plan with all that must still hold to `path` (mode 0600)."""
    require_place(path)
    with closing(drive.store()) as store:
        state = store.load(drive.stack)
        parts = drive.parts(store, "", state)

        async def work() -> SavedPlan:
            """Observe and plan, and gather what must still hold."""
            ready = await prepare(parts, request, await observed(parts, request), recorded.outputs_of(store))
            script = request.script
            assert script is not None  # Only scripts are planned to a file.
            return SavedPlan(
                plan=msgspec.structs.replace(ready.plan, refusals=refusals(ready, request.deletes_max)),
                made=drive.clock.now(), estate=store.estate, script=str(script.path), function=script.stack.name,
                archive=_archive_digest(script), selection=(request.selection.targets, request.selection.excludes),
                check_all=request.check_all,
                parameters={name: {"value": item.value, "origin": item.origin} for name, item in request.given.items()},
                lookups={record.name: record.value for record in ready.records if isinstance(record, LookedUp)},
            )  # fmt: skip

        saved = run_with(parts, work())
    sealed = parts.sealer.seal_bytes(to_bytes(saved), b"plan")
    with writing(path), os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(MAGIC + sealed)
    return saved.plan


class Whole(NamedTuple):
    """A plan file that may be performed, and the script that it was made from."""

    saved: SavedPlan
    script: Script


def read(drive: Drive, path: Path) -> Whole:
    """The plan in a file with its script, if it is whole, ours and fresh, and the script is the one that was planned.

    Raises:
        ScriptError: ``script.plan_file``.
    """
    with closing(drive.store()) as store:
        saved = from_bytes(_opened(drive.parts(store, "", store.load("")).sealer, path))
        if saved.estate != store.estate:
            raise not_a_plan(f"{path.name} was made for another estate.")
    age = drive.clock.now() - saved.made
    if age > PLAN_EXPIRY_S:
        raise not_a_plan(f"{path.name} is {age / 3600:.0f} hours old; reviews expire after {PLAN_EXPIRY_S / 3600:.0f}.")
    script = load_script(Path(saved.script), saved.function)
    if _archive_digest(script) != saved.archive:
        raise not_a_plan(f"{script.path.name} was edited after the plan was made.")
    return Whole(saved, script)


def _opened(sealer: Sealer, path: Path) -> bytes:
    """What is sealed in a plan file."""
    content = path.read_bytes()
    if not content.startswith(MAGIC):
        raise not_a_plan(f"{path.name} does not begin with {MAGIC.decode().strip()!r}.")
    try:
        return sealer.open_bytes(content[len(MAGIC) :], b"plan")
    except StateError as error:
        if error.code != "state.tampered":
            raise
        raise not_a_plan(f"{path.name} is damaged or cut short, or was made with another store's key.") from None


def perform(
    drive: Drive, path: Path, approve: Approve, nonce: str, parallel: int | None, *, wait: bool,
    on_failure: OnFailure | None = None, check_all: bool = False, max_deletes: int | None = None,
    final: OnFinal = "refuse",
) -> RunHistory:  # fmt: skip
    """Perform a saved plan: plan again, and refuse if that would do more than was reviewed.

    Raises:
        RefusedError: ``refused.plan_outdated``.
        ScriptError: as `read`.
    """
    saved, script = read(drive, path)
    drive.stack = saved.plan.stack
    drive.root = script.root
    env = saved.plan.stack.rpartition("/")[2]
    own = drive.settings.environment(env)
    request = Request(
        script=script, given={name: Given(item["value"], item["origin"]) for name, item in saved.parameters.items()}, env=env,
        nonce=nonce, selection=Selection(*saved.selection), on_failure=on_failure or own.on_failure,
        parallel=parallel or drive.settings.parallel_in(env), deletes_max=least(own.max_deletes, max_deletes),
        lookups=saved.lookups, check_all=check_all or saved.check_all, final="allow" if own.allow_final else final,
        expect=own.expect,
    )  # fmt: skip

    def within(plan: Plan) -> str | None:
        if plan.stage > 1:
            return approve(plan)
        more = beyond(plan, [approval(saved.plan, saved.made, "")])
        if more:
            raise RefusedError(
                "refused.plan_outdated",
                "The world would need more than the plan says",
                reasons=more,
                hint="Make and review a new plan.",
            )
        is_asked = bool(plan.losses) and request.final == "ask"  # The review alone is no word about what is lost.
        return approve(plan) if is_asked else f"plan file {path.name}"

    return drive.apply(request, within, wait=wait)


def _archive_digest(script: Script) -> str:
    return digest({name: content.hex() for name, content in script.files().items()})
