"""What a run is asked to do, and how it ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from purvey._apply.doubts import Entangled
from purvey._apply.places import Misplaced
from purvey._base.limits import PARALLEL_DEFAULT
from purvey._graph import ALL, Graph, OnFailure, Selection
from purvey._plan.guard import OnFinal
from purvey._plan.plan import Plan
from purvey._script.load import Script
from purvey._script.parameters import Given
from purvey._state.resource import ResourceState

Approve = Callable[[Plan], str | None]
"""Shows a plan to whoever decides; returns who said yes, or None."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What a run is asked to do.

    Attributes:
        verb: ``apply`` or ``destroy``.
        script: The script; None for a destroy.
        given: Values for its parameters.
        env: The environment.
        nonce: See `purvey._script.recorder.Recorder`.
        selection: Which nodes it is about.
        on_failure: What happens when an operation fails.
        parallel: How many operations run at once.
        refresh: Whether the world is read first; otherwise the record is believed.
        check_all: Whether checks run whose surroundings did not change; those only report.
        deletes_max: How many deletions a plan may have; None for no limit.
        final: Whether data may be lost that nothing restores; ``ask``: where who approves says so in so many words.
        standing: Who approved every stage beforehand (``--yes``); a resume of the run needs no other approval.
        expect: What the world must be, by what it is called: see `purvey.providers.Provider.identity`.
        lookups: What look-ups found when a saved plan was made, to be replayed.
    """

    verb: str = "apply"
    script: Script | None = None
    given: Mapping[str, Given] = {}
    env: str = "dev"
    nonce: str = ""
    selection: Selection = ALL
    on_failure: OnFailure = "undo"
    parallel: int = PARALLEL_DEFAULT
    refresh: bool = True
    check_all: bool = False
    deletes_max: int | None = None
    final: OnFinal = "refuse"
    standing: str = ""
    expect: Mapping[str, str] = {}
    lookups: Mapping[str, Any] = {}


class StagePlan(msgspec.Struct, frozen=True, kw_only=True):
    """One stage before it is applied: the graph, the plan, what must be written down of what the script was told, findings.

    `strangers` are findings about another world than the environment expects, `entangled` what rests on operations in doubt
    that the run passes over, and `misplaced` what would be removed from a machine of another name. `rerouted` is what is
    removed from a machine to which another way leads now: each record as it was, and as it is then.
    """

    graph: Graph
    plan: Plan
    records: tuple[Any, ...] = ()
    reads: tuple[str, ...] = ()
    findings: tuple[Any, ...] = ()
    strangers: tuple[Any, ...] = ()
    entangled: Entangled = ()
    misplaced: Misplaced = ()
    rerouted: tuple[tuple[ResourceState, ResourceState], ...] = ()


class AwaitsApproval(Exception):  # noqa: N818 - not an error: somebody must be asked.
    """Nobody said yes to a plan; the run is resumable."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan.stack)
        self.plan = plan
