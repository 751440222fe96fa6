"""``purvey completion``: what makes a shell complete commands, options, environments, runs and addresses."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from purvey.cli.command import Command
from purvey.cli.main import main


@click.command(
    cls=Command,
    examples=(
        ('eval "$(purvey completion bash)"', "in ~/.bashrc"),
        ('eval "$(purvey completion zsh)"', "in ~/.zshrc"),
        ("purvey completion fish | source", "in ~/.config/fish/config.fish"),
    ),
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(*, shell: str) -> int:
    """Print the completion script of a shell.

    Commands and options are completed, and so are environments, the ids of runs, and recorded addresses.
    """
    completion = get_completion_class(shell)
    assert completion is not None  # click knows all three.
    click.echo(completion(main, {}, "purvey", "_PURVEY_COMPLETE").source())
    return 0
