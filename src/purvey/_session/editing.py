"""The verbs that change the record, or write a plan, and leave the world as it is."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from purvey._graph import ALL, Selection
from purvey._plan.plan import Plan
from purvey._script.load import load_script
from purvey._session import by_id, edit, importing, recorded, saved
from purvey._session.by_id import ById, Imported
from purvey._session.project import Project
from purvey._session.settings import given_values
from purvey._session.target import Target
from purvey._session.workshop import stack_key, user_name
from purvey._state.resource import ResourceState
from purvey._state.tag_out import TagOut
from purvey.errors import ScriptError, StateError


class Editing(Project):
    """Edits of the record, and plans saved to files."""

    def state_move(self, target: Target, address: str, to: str) -> ResourceState:
        """Give an object another address, so that renaming its node is no replacement."""
        with self._resolve(target) as (store, stack, root):
            return edit.move(self._drive(self.settings(target.script), stack, root), store, address, to)

    def state_hand_over(self, target: Target, address: str, to_stack: str, *, to: str = "") -> ResourceState:
        """Give an object, and what lives in it, to another stack of this store; the world is not touched.

        Args:
            target: The stack that has it.
            address: The object.
            to_stack: The name of the stack that gets it, or ``name/environment`` where that is not this one's.
            to: Its address there; by default the same.

        Raises:
            StateError: ``state.torn_apart``, ``state.address_taken``, ``state.busy`` for either stack.
        """
        with self._resolve(target) as (store, stack, root):
            name, _, env = to_stack.partition("/")
            there = stack_key(name, env or stack.rpartition("/")[2])
            if there == stack:
                detail = f"{address} is in {stack}."
                raise ScriptError("script.same_stack", "The object is in that stack already", detail=detail)
            drive = self._drive(self.settings(target.script), stack, root)
            return edit.hand_over(drive, store, address, there, to or address)

    def state_remove(self, target: Target, address: str) -> ResourceState:
        """Forget an object and leave it in the world."""
        with self._resolve(target) as (store, stack, root):
            return edit.forget(self._drive(self.settings(target.script), stack, root), store, address)

    def state_settle(self, target: Target, address: str, *, happened: bool, object_id: str = "") -> None:
        """Say how an interrupted operation ended that purvey cannot find out by itself.

        Raises:
            StateError: ``state.nothing_in_doubt``; ``state.id_unknown`` if it made an object whose id only the world knows.
        """
        with self._resolve(target) as (store, stack, root):
            drive = self._drive(self.settings(target.script), stack, root)
            edit.settle(drive, store, address, happened=happened, object_id=object_id)

    def state_import(
        self, script: Path, address: str, *, env: str = "dev", function: str = "", parameters: Mapping[str, Any] | None = None
    ) -> ResourceState:
        """Record an object that exists already under a node that the script declares.

        Raises:
            ScriptError: ``script.unknown_address`` if the script does not declare it.
            ProviderError: ``not_found`` if nothing is there under its identity.
        """
        settings = self.settings(script)
        loaded = load_script(script, function)
        request = self._request(settings, env, loaded, given_values(script, env, parameters or {}))
        return importing.record(self._drive(settings, stack_key(loaded.stack.name, env), loaded.root), request, address)

    def state_import_ids(
        self, kind: str, *, ids: Sequence[str] = (), everything: bool = False, name: str = "", inside: str = "",
        script: Path | None = None, stack: str = "", env: str = "dev", function: str = "", whole: bool = False,
    ) -> Imported:  # fmt: skip
        """Record objects by their ids under addresses that nothing declares yet, and say how a script declares them.

        Args:
            kind: The kind's name.
            ids: What the world knows the objects by.
            everything: Instead of ids: all that there are and that no stack has.
            name: The new node's name, for one id; by default made from the id.
            inside: The address of the recorded object that they live in.
            script: The script whose stack gets them.
            stack: Instead of the script: the stack's name.
            env: The environment.
            function: The stack function, where the script has several.
            whole: Whether the text declares everything that the stack has.

        Raises:
            ScriptError: ``script.not_importable`` if the kind cannot be imported so.
            ProviderError: ``not_found``.
            RefusedError: ``refused.owned``.
        """
        settings = self.settings(script)
        loaded = load_script(script, function) if script is not None else None
        key = stack_key(loaded.stack.name if loaded is not None else stack, env)
        drive = self._drive(settings, key, loaded.root if loaded is not None else settings.root)
        wanted = ById(kind=kind, ids=tuple(ids), everything=everything, name=name, inside=inside)
        return by_id.record(drive, wanted, whole=whole)

    def tag_out(self, target: Target, address: str, reason: str) -> TagOut:
        """Hang up a tag on an object: no run touches it until the tag is taken off; one that is under way included.

        Raises:
            StateError: ``state.no_such_object``.
        """
        with self._resolve(target) as (store, stack, _):
            tag = TagOut(address=address, reason=reason, user=user_name(), host=platform.node(), at=self._clock.now())
            while not store.tag_out(stack, tag):
                recorded.find(store.load(stack), address)  # Says what is wrong with the address.
            return tag

    def release_tags(self, target: Target, address: str) -> list[TagOut]:
        """Take every tag off an object.

        Raises:
            StateError: ``state.not_tagged_out`` if none hangs there.
        """
        with self._resolve(target) as (store, stack, _):
            found = store.release_tags(stack, address, user_name(), self._clock.now())
            if not found:
                raise StateError(
                    "state.not_tagged_out",
                    "The object is not tagged out",
                    detail=f"No tag hangs on {address}.",
                    hint="`purvey tag-out --list` shows every tag.",
                )
            return found

    def save_plan(
        self, path: Path, script: Path, *, env: str = "dev", function: str = "", parameters: Mapping[str, Any] | None = None,
        selection: Selection = ALL, refresh: bool = True, check_all: bool = False, max_deletes: int | None = None,
    ) -> Plan:  # fmt: skip
        """Plan, and write the plan to a file, sealed and signed with the store's key; `apply_plan` performs exactly it."""
        settings = self.settings(script)
        loaded = load_script(script, function)
        request = self._request(
            settings, env, loaded, given_values(script, env, parameters or {}), selection=selection, refresh=refresh,
            check_all=check_all, max_deletes=max_deletes,
        )  # fmt: skip
        return saved.save(self._drive(settings, stack_key(loaded.stack.name, env), loaded.root), request, path)
