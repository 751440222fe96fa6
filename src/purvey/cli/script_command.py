"""A command that takes a script: the options of purvey and, below them in the help, the parameters of the script's stack."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click

from purvey._session import Session
from purvey.cli.command import Command
from purvey.cli.words import is_script
from purvey.errors import PurveyError


class ScriptCommand(Command):
    """A command whose unknown options are the parameters of a script."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        settings = {"ignore_unknown_options": True, **kwargs.pop("context_settings", {})}
        super().__init__(*args, context_settings=settings, **kwargs)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep the words for the help, and catch a misspelt option of purvey before it is taken for a parameter."""
        ctx.meta[__name__] = _script_of(args)
        self._refuse_misspelt(ctx, args)
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, and the parameters of the script if one is named."""
        super().format_options(ctx, formatter)
        script = ctx.meta.get(__name__)
        if script is None:
            with formatter.section("Parameters of the script"):
                formatter.write_text(f"{ctx.command_path} SCRIPT --help lists them.")
            return
        try:
            signature = Session(script).signature(script)
        except PurveyError as error:
            with formatter.section(f"Parameters of {script.name}"):
                formatter.write_text(f"They cannot be listed: {error.summary} ({error.source or error.detail}).")
            return
        rows = [_row(parameter) for parameter in signature.parameters if parameter.name != "env"]
        with formatter.section(f"Parameters of {script.name}"):
            if rows:
                formatter.write_dl(rows)
            else:
                formatter.write_text("It has none.")

    def _refuse_misspelt(self, ctx: click.Context, args: list[str]) -> None:
        own = [name for item in self.get_params(ctx) for name in (*item.opts, *item.secondary_opts)]
        for word in (word.partition("=")[0] for word in args if word.startswith("--")):
            close = get_close_matches(word, own, n=1, cutoff=0.85) if word not in own else []
            if close and not self._is_parameter(ctx, word):
                raise click.UsageError(f"There is no option {word!r}. Did you mean {close[0]!r}?", ctx)

    def _is_parameter(self, ctx: click.Context, word: str) -> bool:
        script = ctx.meta.get(__name__)
        if script is None or not script.is_file():
            return False
        name = word.removeprefix("--").replace("-", "_")
        found = {parameter.name for parameter in Session(script).signature(script).parameters}
        return name in found or name.removeprefix("no_") in found


def _script_of(args: list[str]) -> Path | None:
    return next((Path(word) for word in args if word.endswith(".py") and is_script(word)), None)


def _row(parameter: Any) -> tuple[str, str]:
    """A parameter as click shows its own options."""
    name = f"--{parameter.name.replace('_', '-')}"
    option = f"{name} / --no-{name[2:]}" if parameter.type is bool else f"{name} {_type_name(parameter)}"
    default = "[required]" if parameter.required else f"[default: {parameter.default}]"
    return option, "  ".join(part for part in (parameter.help, _range(parameter.limits), default) if part)


def _type_name(parameter: Any) -> str:
    if parameter.choices:
        return f"[{'|'.join(map(str, parameter.choices))}]"
    name = parameter.type.__name__ if isinstance(parameter.type, type) else str(parameter.type)
    return {"str": "TEXT", "int": "INTEGER", "float": "NUMBER"}.get(name, name.replace("typing.", ""))


def _range(limits: Any) -> str:
    words = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    bounds = [f"{word} {getattr(limits, name):g}" for name, word in words.items() if getattr(limits, name) is not None]
    return f"[{', '.join(bounds)}]" if bounds else ""
