"""Scripts: text that an interpreter on a machine runs. It is sent with the run, and never lies there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from purvey._base.value import Secret, reveal
from purvey._hosts.command import Command
from purvey._script.fields import Input
from purvey._script.reference import refuse_tokens
from purvey.resources._given import bad
from purvey.resources._inputs import beside, refused
from purvey.resources._plaintext import holds_secret
from purvey.resources.host._guarded import FED, Guarded, GuardedProvider, checked, variables

SOURCE_BYTES_MAX: Final = 65_536
"""A script is a part of the plan, so that its change is shown."""


class ScriptProvider(GuardedProvider["Script"]):
    """Feeds scripts to their interpreters."""

    def command(self, want: Script) -> Command:
        """See `GuardedProvider.command`."""
        return Command(
            ("sh", "-c", FED, "sh", *want.interpreter, "/dev/fd/3", *want.arguments), cwd=want.cwd or "", user=want.user,
            timeout_s=want.timeout_s, stdin=str(reveal(want.content)).encode(), **variables(want),
        )  # fmt: skip

    def conceals(self, want: Script) -> bool:
        """See `GuardedProvider.conceals`: a secret inside of its text is in no message known for what it is."""
        return holds_secret(want.content)


class Script(Guarded, kind="host.Script", provider=ScriptProvider):
    """A script that is run on a machine, by an interpreter that is there.

        host.Script("schema", source="schema.sh", interpreter=["bash", "-eu"], unless=["test", "-e", "/var/lib/shop/schema"])

    It is given as `content`, or read from a `source` beside purvey's own script. It says by what it is seen to be done, as a
    host.Command does. It is never written to the machine's disk, so secrets may stand in it.
    """

    content: str | Secret | None = Input(default=None, secret=True, doc="Its text; outputs and secrets may stand in it.")
    source: str | None = Input(default=None, doc="A file with its text, beside the script that declares it; at most 64 KiB.")
    interpreter: Sequence[str] = Input(default=("sh", "-eu"), doc="What runs it, and arguments before the script's own.")
    arguments: Sequence[str] = Input(default=(), doc="Its arguments; never a secret, for every user can read them.")

    @classmethod
    def prepare(cls, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:
        """See `Resource.prepare`.

        Raises:
            ScriptError: ``script.bad_input``, ``script.source_unreadable``.
        """
        given = [name for name in ("content", "source") if inputs.get(name) is not None]
        if len(given) != 1:
            problem = f"It was given {' and '.join(f'`{name}`' for name in given) or 'no text'}."
            raise bad(problem, "Give exactly one of `content` and `source`.")
        if inputs.get("interpreter") in ([], ()):
            raise bad("`interpreter` is empty.", 'Name a program, as in ["python3"].')
        known = checked(inputs, folder)
        if given == ["source"]:
            known = {name: value for name, value in known.items() if name != "source"}
            known["content"] = _read(Path(beside(refuse_tokens(str(inputs["source"]), "`source`"), folder)))
        return known


def _read(path: Path) -> str:
    try:
        data = path.read_bytes()
        if len(data) > SOURCE_BYTES_MAX:
            raise bad(f"{path} is longer than {SOURCE_BYTES_MAX} bytes.", "Put it there as a files.File, and run that.")
        return data.decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise refused(
            "script.source_unreadable", "A file's source or template cannot be read", f"`source` is {path}: {reason}.",
            "Paths begin at the script's folder, or with a slash.",
        ) from None  # fmt: skip
