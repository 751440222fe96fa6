"""A check that a program says yes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from purvey._base.value import Secret, reveal
from purvey._script.fields import Input, Output
from purvey._script.resource import Resource
from purvey.errors import HostError
from purvey.providers import Call
from purvey.resources._plaintext import holds_secret
from purvey.resources._probe import Failed, Passed, ProbeProvider, impossible, last_words

if TYPE_CHECKING:
    from purvey._hosts.command import Command, Completed


class CheckProvider(ProbeProvider["Check"]):
    """Runs the command once an attempt."""

    on_hosts = True

    def target(self, want: Check) -> str:
        """See `ProbeProvider.target`."""
        return want.command[0] if want.command else ""

    async def attempt(self, call: Call, want: Check) -> Passed | Failed:
        """See `ProbeProvider.attempt`."""
        from purvey._hosts.command import TIMED_OUT  # noqa: PLC0415 - declaring a check must not load it.

        if not want.command:
            raise impossible("The command is empty.", "Give the program and its arguments as a list.")
        command = _command(want)
        begun = call.clock.monotonic()
        try:
            completed = await call.host.run(command)
        except HostError as error:
            if error.code in ("not_found", "denied", "invalid"):
                raise impossible(f"{error.summary}. {error.detail}".strip(), error.hint) from None
            raise
        said = _last_words(command, completed)
        if completed.returncode == TIMED_OUT:
            return Failed(f"did not end within {want.timeout_s:g} s: {said}")
        if completed.returncode != want.expect_exit:
            return Failed(f"ended with code {completed.returncode} instead of {want.expect_exit}: {said}")
        if want.contains is not None and want.contains not in completed.text():
            return Failed(f"ended with code {completed.returncode} without {want.contains!r} in its output: {said}")
        return Passed({"exit": completed.returncode, "seconds": round(call.clock.monotonic() - begun, 6)})


class Check(Resource, kind="command.Check", provider=CheckProvider, check=True):
    """A program, run on the machine without a shell, ends as it should.

    Gates the run: it passes with the first attempt that ends with `expect_exit` and prints what is asked for; it fails when
    there was none within `within_s`, and shows the last words of the program.
    """

    command: Sequence[str] = Input(doc="The program and its arguments; never a secret, for every user can read them.")
    env: Mapping[str, str | Secret] = Input(default={}, secret=True, doc="Variables for it; their values may hold secrets.")
    expect_exit: int = Input(default=0, doc="The code with which it must end.")
    contains: str | None = Input(default=None, doc="Text that its standard output must contain.")
    title: str | None = Input(default=None, doc="What passing means to people, such as `the queue is empty`.")
    within_s: float = Input(default=30.0, doc="Seconds after which it has failed.")
    every_s: float = Input(default=0.5, doc="Seconds between two attempts.")
    timeout_s: float = Input(default=5.0, doc="Seconds that one attempt may take; it is ended then.")

    exit: int = Output(doc="The code with which it ended.")
    seconds: float = Output(doc="How long it took.")


def _last_words(command: Command, completed: Completed) -> str:
    """The ends of both outputs on one line, as what a program complains of may not be why it said no."""
    from purvey._hosts.command import outputs  # noqa: PLC0415 - declaring a check must not load it.

    told = [f"{name} {last_words(text)}".lstrip() for name, text in outputs(command, completed)]
    return "; ".join(told) or "it said nothing"


def _command(want: Check) -> Command:
    """The command, with what is secret in its environment where no message repeats it."""
    from purvey._hosts.command import Command  # noqa: PLC0415 - declaring a check must not load it.

    secret = {name: str(reveal(value)) for name, value in want.env.items() if holds_secret(value)}
    plain = {name: str(value) for name, value in want.env.items() if name not in secret}
    return Command(tuple(want.command), env=plain, secret_env=secret, timeout_s=want.timeout_s)
