"""Templates: text with holes, filled by Jinja in a sandbox.

A template is part of the plan, so it is parsed when it is declared, and a mistake is reported with its own file and line. An
undefined variable is always an error: a configuration with a silent gap is worse than none. Nothing is escaped
automatically, because these are configuration files and not web pages: ``&`` in a password must stay ``&``. Messages never
carry the text of a secret variable.
"""

from __future__ import annotations

import hashlib
import marshal
import traceback
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from purvey._base.value import Value, reveal
from purvey.errors import ProviderError, ScriptError
from purvey.resources._plaintext import hidden, plaintexts

if TYPE_CHECKING:
    from jinja2 import Template

TEMPLATES_MAX: Final = 256
"""Compiled templates that are kept: one is filled for many hosts, and compiling it costs fifty times as much as filling it."""

FILLED_MAX: Final = 4096
"""Short texts without secrets that are kept: a run needs each about seven times, from the comparison to the record."""

SHORT: Final = 4096
"""Characters up to which a text is short; all that are kept take 16 MiB at most."""

_WITHOUT_IDENTITY: Final = 2
"""The version of `marshal`'s format in which equal data has equal bytes."""

_filled: Final[dict[bytes, str]] = {}


def parse(text: str, name: str) -> None:
    """Refuse a template that cannot be parsed.

    Args:
        text: The template.
        name: Its file, for messages.

    Raises:
        ScriptError: ``script.bad_template`` naming file and line.
    """
    from jinja2 import TemplateSyntaxError  # noqa: PLC0415 - only scripts with templates pay for Jinja.

    try:
        _compile(text, name)
    except TemplateSyntaxError as error:
        raise ScriptError(
            "script.bad_template",
            "A template cannot be parsed",
            detail=f"{error.message}.",
            hint="Mend the line; the syntax is that of Jinja 3.",
            source=f"{name}:{error.lineno}",
        ) from None


def render(text: str, name: str, variables: Mapping[str, Value]) -> str:
    """The filled template.

    Args:
        text: The template.
        name: Its file, for messages.
        variables: Its variables; secrets inside are opened here.

    Raises:
        ProviderError: ``invalid`` naming file and line, if a variable is undefined or an expression fails.
    """
    key = _key(text, name, variables)
    if key is not None and key in _filled:
        return _filled[key]
    try:
        filled = _compile(text, name).render(reveal(dict(variables)))
    except Exception as error:  # noqa: BLE001 - an expression of the template can raise anything.
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == name]
        line = lines[-1] if lines else 1
        problem = hidden(str(error) or type(error).__name__, plaintexts(variables))
        raise ProviderError(
            "invalid",
            "A template could not be filled",
            detail=f"{name}:{line}: {problem}",
            hint=f"It was given: {', '.join(sorted(variables)) or 'no variables'}. Pass what is missing in `variables=`.",
        ) from None
    if key is not None and len(filled) <= SHORT:
        if len(_filled) >= FILLED_MAX:
            _filled.clear()
        _filled[key] = filled
    return filled


def _key(text: str, name: str, variables: Mapping[str, Value]) -> bytes | None:
    """What the filled template is kept under; None where it may hold a secret."""
    try:
        return hashlib.sha256(marshal.dumps((text, name, dict(variables)), _WITHOUT_IDENTITY)).digest()
    except ValueError:  # Something among them is no plain data.
        return None


@lru_cache(TEMPLATES_MAX)
def _compile(text: str, name: str) -> Template:
    import jinja2.sandbox  # noqa: PLC0415 - as above.

    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # Configuration is not HTML; see the module's docstring.
    )
    code: Any = environment.compile(text, name, name)
    return jinja2.Template.from_code(environment, code, environment.make_globals(None))
