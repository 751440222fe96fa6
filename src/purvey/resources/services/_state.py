"""What there is of a service, whatever starts and stops it."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from purvey._base.value import Value


class State(msgspec.Struct, frozen=True):
    """What there is of a service.

    Args:
        there: Whether the machine knows it.
        running: Whether it runs.
        enabled: Whether it is started at boot; None where that is not to be switched.
        masked: Whether it cannot be started by anybody.
        stale: Whether its unit on disk is not the one in use.
        failed: Whether it has failed.
        runlevels: Those in which it is started at boot, where there are such.
        linked: Whether those are told of it at all; one that is disabled is, where that is not the same.
    """

    there: bool
    running: bool = False
    enabled: bool | None = None
    masked: bool = False
    stale: bool = False
    failed: bool = False
    runlevels: tuple[str, ...] | UnsetType = UNSET
    linked: bool | UnsetType = UNSET


class Was(msgspec.Struct, frozen=True):
    """What there was before an operation: the state, and the paths of the service's files that are changed by it."""

    state: State
    files: tuple[str, ...] = ()


def told_state(state: State) -> dict[str, Value]:
    """A state as an output."""
    told: dict[str, Value] = {
        "there": state.there, "running": state.running, "enabled": state.enabled, "masked": state.masked,
    }  # fmt: skip
    if state.runlevels is not UNSET:
        told["runlevels"] = list(state.runlevels)
    return told if state.linked is UNSET else {**told, "linked": state.linked}


def at_boot(state: State) -> tuple[object, ...]:
    """What there is to tell of whether it is started at boot."""
    return (state.enabled, state.runlevels, state.linked)
