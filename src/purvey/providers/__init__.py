"""The contract between the engine and a provider: what a kind declares, what a provider does, what it may answer.

A *kind* is one typed declaration (a `purvey.Resource` subclass) plus one `Provider`, side by side in one file. The engine
decides; a provider reads and acts. It gets every value as an instance of the declaration, so `want.path` has the type that
the script's author saw.

The life of one object, in the order of the calls:

1. `claims` and `predict` while planning: pure, no input or output.
2. `find` before the first write, for an object that is not recorded: may a thing of that name exist already?
3. `create`. MUST call ``await call.identified(id)`` the moment the world returns an id, before any waiting, and then returns
   `Done`, or `Pending` to be asked again through `ready`.
4. `read`, at the start of every later run. MUST NOT change anything. Absent and unreadable are values, not errors.
5. `update`, when a field that can change in place differs; `delete` at the end.

Just before each request that changes something it MUST call ``call.check_lease()`` (asking for ``call.host`` does): a process
that slept may wake up when another run has taken over.

A provider MUST be idempotent in the sense of its `recovers_by`: after a crash between the effect and its record, the engine
looks the object up and either adopts what is there or calls again with the same token and name. It MUST NOT retry,
sleep or wait by itself: it raises `ProviderError` with a stable code, or returns `Pending`, and the engine does the rest.
"""

from __future__ import annotations

from purvey._base.compare import FieldChange
from purvey.errors import ProviderError
from purvey.providers.contract import (
    Absent,
    Call,
    Diff,
    Done,
    Finding,
    NotKnownError,
    Observed,
    Outcome,
    Pending,
    Present,
    Provider,
    Recorded,
    RecoversBy,
    Unreadable,
)
from purvey.providers.kind import Field, Kind, Registry, registry

__all__ = [
    "Absent",
    "Call",
    "Diff",
    "Done",
    "Field",
    "FieldChange",
    "Finding",
    "Kind",
    "NotKnownError",
    "Observed",
    "Outcome",
    "Pending",
    "Present",
    "Provider",
    "ProviderError",
    "Recorded",
    "RecoversBy",
    "Registry",
    "Unreadable",
    "registry",
]
