"""The program: a list of commands, each imported when it is used, and one place where every failure gets its exit code.

Invariant: what this module imports is loaded before any command does anything, so it is little: click and the error tree.
"""

from __future__ import annotations

import fcntl
import gc
import os
import stat
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, Final, NoReturn

import click

from purvey._base.version import VERSION
from purvey.cli.command import write_examples
from purvey.errors import PurveyError

GARBAGE_MIN: Final = 200_000
"""New objects after which those are sought that only know each other. Most of what a command makes stays to its end: to look at
50,000 at a time takes 25 ms of a run on fifty machines, and Python's own 700 a tenth of it."""

_STDERR: Final = 2

EXIT_INTERNAL: Final = 1
EXIT_USAGE: Final = 3

COMMANDS: Final[Mapping[str, Mapping[str, str]]] = {
    "Plan and apply": {
        "plan": "Show what would change, why, and how it would be undone.",
        "rehearse": "Let an apply fail after each operation in turn, in memory, and see whether its undo restores everything.",
        "apply": "Plan, ask, apply, check; undo if it fails.",
        "resume": "Go on with a run that was killed, interrupted, parked or kept.",
        "undo": "Take back what a run did.",
        "drift": "Show what was changed outside purvey; changes nothing.",
        "destroy": "Remove everything that a stack has.",
    },
    "Look": {
        "runs": "List the newest runs.",
        "show": "Tell what a run did, and why it ended as it did.",
        "outputs": "Print a stack's outputs.",
        "graph": "Draw what a script declares, and what depends on what.",
        "state": "Read and edit what is remembered.",
        "store": "Verify, repair, copy and move the store, and change its key.",
        "tag-out": "Keep every run off an object until it is released.",
    },
    "Begin": {
        "new": "Write a starter project.",
        "kinds": "Show what a script can declare, with all inputs and outputs.",
        "completion": "Print the completion script of a shell.",
        "version": "Print the version of purvey and of its formats.",
    },
}
"""Every command with its summary, by section; kept here so that the list costs no import."""

SUMMARIES: Final[Mapping[str, str]] = {name: text for section in COMMANDS.values() for name, text in section.items()}


EXAMPLES: Final = (
    ("purvey new shop", "a starter project in the folder shop"),
    ("purvey plan shop/shop.py -e prod", "what would change"),
    ("purvey apply shop/shop.py -e prod", "plan, ask, apply, check"),
    ("purvey apply --help", "all options of a command"),
)


class Program(click.Group):
    """The group of all commands; see the module's docstring."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command, in the order of the help."""
        return list(SUMMARIES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None if there is no such."""
        if cmd_name not in SUMMARIES:
            return None
        command: click.Command = import_module(f"purvey.cli.{cmd_name.replace('-', '_')}").command
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is meant; one that does not exist is answered with the closest that does."""
        name = args[0]
        if name not in SUMMARIES and not name.startswith("-") and not ctx.resilient_parsing:
            from difflib import get_close_matches  # noqa: PLC0415 - only who mistypes a command needs it.

            close = get_close_matches(name, SUMMARIES, n=1)
            meant = f" Did you mean `purvey {close[0]}`?" if close else ""
            raise click.UsageError(f"There is no command {name!r}.{meant}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands by section, without importing any."""
        for section, commands in COMMANDS.items():
            with formatter.section(section):
                formatter.write_dl(list(commands.items()))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples."""
        write_examples(formatter, EXAMPLES)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: FBT001, FBT002 - click's own signature.
        **extra: Any,
    ) -> Any:
        """Run the program and leave with its exit code; without `standalone_mode` return the code or raise, as click does."""
        words = list(sys.argv[1:] if args is None else args)

        def work() -> Any:
            return super(Program, self).main(words, prog_name, complete_var, standalone_mode=False, **extra)

        if not standalone_mode:
            return work()
        gc.set_threshold(GARBAGE_MIN)
        return _leave(exit_code(work, words))


def exit_code(work: Callable[[], Any], words: Sequence[str]) -> int:
    """Do the work, tell what goes wrong, and return the exit code.

    Args:
        work: Returns an exit code, or None for 0.
        words: The command line, to know how a failure is to be told.
    """
    try:
        code = work()
        sys.stdout.flush()
        return int(code or 0)
    except click.ClickException as error:
        return _usage(error, words)
    except (KeyboardInterrupt, click.Abort):
        return int(_failure().tell_interrupted(words))
    except BrokenPipeError:  # Whoever read the output has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_INTERNAL
    except PurveyError as error:
        return int(_failure().tell(error, words))
    except Exception as error:  # noqa: BLE001 - the last line of defence: nobody shall see a traceback.
        return int(_failure().tell_bug(error, words))


def _usage(error: click.ClickException, words: Sequence[str]) -> int:
    if "--json" in words:
        return int(_failure().tell_usage(error, words))
    error.show()
    return EXIT_USAGE


def _failure() -> Any:
    return import_module("purvey.cli.failure")


def _leave(code: int) -> NoReturn:
    if not _is_writing():
        gc.freeze()  # All memory goes with the process: to look through it for garbage takes 0.1 s of a run on fifty machines.
    sys.exit(code)


def _is_writing() -> bool:
    """Whether a file or pipe is open for writing: what a script left in its buffer goes out when it is taken for garbage."""
    try:
        numbers = [int(entry.name) for entry in os.scandir("/dev/fd")]
    except OSError:  # Nobody can tell.
        return True
    return any(_is_written(number) for number in numbers if number > _STDERR)


def _is_written(number: int) -> bool:
    try:
        mode = os.fstat(number).st_mode
        return (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)) and fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY
    except OSError:  # It was that by which the others were found.
        return False


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, "--version", prog_name="purvey", message="%(prog)s %(version)s")
@click.option("-C", "folder", type=click.Path(exists=True, file_okay=False), help="Work as if started in this folder.")
def main(folder: str | None) -> None:
    """Run provisioning scripts written in Python: plan them, apply them, check what they made, and undo them."""
    if folder is not None:
        os.chdir(folder)
