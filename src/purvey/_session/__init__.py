"""The composition root: builds the parts, and offers the verbs to the front doors and to Python programs.

The front doors know this package and the errors only, so the values that the verbs take and give are named here too.
"""

from __future__ import annotations

from purvey._apply.request import Approve, AwaitsApproval
from purvey._graph import Graph, Selection
from purvey._plan.guard import OnFinal
from purvey._plan.plan import Plan
from purvey._rehearse.finding import Rehearsal
from purvey._script.parameters import Given
from purvey._session.keeping import Repair
from purvey._session.session import Session
from purvey._session.settings import Settings
from purvey._session.signature import StackSignature
from purvey._session.target import Target
from purvey._state.history import RunHistory
from purvey._state.resource import ResourceState
from purvey._state.store import StoreFacts
from purvey._state.tag_out import TagOut

__all__ = [
    "Approve",
    "AwaitsApproval",
    "Given",
    "Graph",
    "OnFinal",
    "Plan",
    "Rehearsal",
    "Repair",
    "ResourceState",
    "RunHistory",
    "Selection",
    "Session",
    "Settings",
    "StackSignature",
    "StoreFacts",
    "TagOut",
    "Target",
]
