"""Commands: something that is done on a machine, for which there is no kind."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from purvey._base.value import Secret, reveal
from purvey._hosts.command import Command as HostCommand
from purvey._script.fields import Input
from purvey.resources._given import bad
from purvey.resources.host._guarded import Guarded, GuardedProvider, checked, variables

_SHELL: Final = frozenset("|&;<>$`(){}*?~#\n")
_BUILT_IN: Final = frozenset({".", "cd", "eval", "exec", "exit", "export", "set", "source", "trap", "ulimit", "umask", "unset"})
"""What a line has that only a shell understands, and the words it may begin with."""


def _words(line: str | Sequence[str]) -> str:
    """How a command is given as a list: the words of a line, or the line to a shell where it needs one."""
    if not isinstance(line, str) or not line:
        return '["systemctl", "reload", "nginx"]'
    try:
        words = shlex.split(line)
    except ValueError:  # A quote that does not end.
        words = []
    if not words or not _SHELL.isdisjoint(line) or "=" in words[0] or words[0] in _BUILT_IN:
        words = ["sh", "-c", line]
    return json.dumps(words, ensure_ascii=False)


class CommandProvider(GuardedProvider["Command"]):
    """Runs programs without a shell."""

    def command(self, want: Command) -> HostCommand:
        """See `GuardedProvider.command`."""
        return HostCommand(
            tuple(want.command), cwd=want.cwd or "", user=want.user, timeout_s=want.timeout_s,
            stdin=str(reveal(want.stdin) or "").encode(), **variables(want),
        )  # fmt: skip


class Command(Guarded, kind="host.Command", provider=CommandProvider):
    """A program that is run on a machine, without a shell.

        host.Command("site", command=["/opt/shop/bin/shop", "init"], creates="/var/lib/shop/site.db", user="shop")
        host.Command("swap", command=["sysctl", "vm.swappiness=1"], always=True)

    It MUST say by what it is seen to be done: exactly one of `creates`, `unless`, and `always=True` where nothing tells. What
    is done is not done again, also where the command changes; what was done stays when the node goes. `undo` takes back a
    command that went through: what one had done before it failed, nobody knows, and it stays.
    """

    command: Sequence[str] = Input(doc="The program and its arguments; never a secret, for every user can read them.")
    stdin: str | Secret | None = Input(default=None, secret=True, doc="What it reads.")

    @classmethod
    def prepare(cls, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:
        """See `Resource.prepare`.

        Raises:
            ScriptError: ``script.bad_input``.
        """
        if isinstance(given := inputs.get("command"), str) or given in ([], ()):
            raise bad(f"`command` is {given!r}.", f"Give a list, the program first:\n\n    command={_words(given or '')}")
        return checked(inputs, folder)
