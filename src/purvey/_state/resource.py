"""What is remembered of one object: the unit of the state, and what the records of its operations hold."""

from __future__ import annotations

from typing import Any

import msgspec


class ResourceState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything that is remembered of one object.

    Attributes:
        address: Its node's address inside the stack.
        kind: Its kind's name.
        generation: Counts the objects that this address has had; never reused.
        id: The id that the world gave it.
        name: The physical name chosen for it.
        inputs: The resolved inputs, secrets masked.
        outputs: The outputs, secrets masked and sealed.
        digest: The node digest of the wish that it fulfils.
        needs: Addresses it depended on.
        behind: Those of `needs` that it only came after, on the machines before its own in a rolling change.
        container: The node it lives in.
        where: The name of the machine it is on; empty for the one that purvey runs on.
        how: How to get there, each part sealed; None for the machine that purvey runs on.
        way: Identifies how its last declaration said one gets there.
        machine: Identifies the machine for every stack, whatever each of them calls it; empty for the one that purvey runs on.
        protect: Whether it may not be deleted or replaced.
        retain: Whether a delete leaves it in the world.
        adopted: Whether it existed before purvey knew it; an undo never deletes it.
        source: ``file:line`` of its last declaration.
        version: The kind's schema version.
        run: The run that last changed it.
        replace_when: The value whose change replaces it.
        ignore: Inputs whose drift is somebody else's business.
        skipped: Whether a later run was told to pass over it, so that the record may be behind the script.
        home: The address whose folder holds the object's own files, where that is not its own: a moved object's first one;
            with its stack, where that was another.
        follows: The generation of the container it lives in; for a kind that runs again when what it needs is replaced, of each
            of those.
        made_at: When it was made, in seconds since the epoch; 0 for an object that purvey did not make.
    """

    address: str
    kind: str
    generation: int
    id: str
    name: str = ""
    inputs: dict[str, Any] = {}
    outputs: dict[str, Any] = {}
    digest: str = ""
    needs: tuple[str, ...] = ()
    behind: tuple[str, ...] = ()
    container: str = ""
    where: str = ""
    how: Any = None
    way: str = ""
    machine: str = ""
    protect: bool = False
    retain: bool = False
    adopted: bool = False
    source: str = ""
    version: int = 1
    run: str = ""
    replace_when: Any = None
    ignore: tuple[str, ...] = ()
    skipped: bool = False
    follows: dict[str, int] = {}
    home: str = ""
    made_at: float = 0.0
