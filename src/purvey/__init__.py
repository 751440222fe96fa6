"""purvey: provisioning scripts in Python, planned, applied, checked and undone.

The names below are what a script needs; each is imported when it is first used, so that loading a script stays cheap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from purvey._base.on_demand import on_demand
from purvey._base.version import VERSION

if TYPE_CHECKING:
    from purvey._base.value import Secret, reveal
    from purvey._script.fields import Input, Output
    from purvey._script.host import Chroot, Host, Namespace
    from purvey._script.parameters import Param
    from purvey._script.resource import Options, Resource
    from purvey._script.rolling import rolling
    from purvey._script.step import step
    from purvey._script.words import (
        component,
        later,
        lookup,
        param,
        scope,
        secret,
        sha256,
        stack,
        stack_output,
        to_base64,
        to_gzip,
        to_json,
        to_yaml,
        value,
    )
    from purvey._session import Session

__version__ = VERSION

__all__ = [
    "Chroot",
    "Host",
    "Input",
    "Namespace",
    "Options",
    "Output",
    "Param",
    "Resource",
    "Secret",
    "Session",
    "component",
    "later",
    "lookup",
    "param",
    "reveal",
    "rolling",
    "scope",
    "secret",
    "sha256",
    "stack",
    "stack_output",
    "step",
    "to_base64",
    "to_gzip",
    "to_json",
    "to_yaml",
    "value",
]

__getattr__, _names = on_demand(__name__, {
    **dict.fromkeys(__all__, "_script.words"),
    "Chroot": "_script.host", "Host": "_script.host", "Input": "_script.fields", "Namespace": "_script.host",
    "Options": "_script.resource", "Output": "_script.fields", "Param": "_script.parameters", "Resource": "_script.resource",
    "Secret": "_base.value", "Session": "_session", "reveal": "_base.value", "rolling": "_script.rolling",
    "step": "_script.step",
})  # fmt: skip


def __dir__() -> list[str]:
    return [*_names(), "__version__"]
