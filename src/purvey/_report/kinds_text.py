"""Kinds as pages: a list of them, or all of one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from purvey._report.style import Page, bold, change, dim
from purvey.providers._about import FieldAbout, KindAbout


def kinds_page(kinds: Sequence[KindAbout]) -> Page:
    """A line for each kind, by family."""
    page, width = Page(), max(len(kind.name) for kind in kinds)
    for _, family in groupby(kinds, key=lambda kind: kind.name.partition(".")[0]):
        page.blank()
        for kind in family:
            page.add(bold(kind.name.ljust(width)), f"  {kind.summary}")
    page.blank()
    page.add("All of one, with its inputs and outputs:  purvey kinds ", kinds[-1].name)
    return page


def kind_page(kind: KindAbout) -> Page:
    """Everything about one kind."""
    page = Page()
    page.add(bold(kind.name))
    page.blank()
    page.block(kind.text, "  ")
    for title, fields in (("Inputs", kind.inputs), ("Outputs", kind.outputs)):
        if fields:
            page.blank()
            page.add(bold(title))
            for field in fields:
                _add(page, field)
    family, _, name = kind.name.partition(".")
    page.blank()
    page.add("In a script:  ", bold(f"from purvey.resources import {family}"), f"  and then  {family}.{name}(NAME, ...)")
    machine = "on= for a machine, and " if kind.on_hosts else ""
    page.add(dim(f"It also takes {machine}opts=Options(...) for what belongs to the engine."))
    return page


def _add(page: Page, field: FieldAbout) -> None:
    needed = [change("  required")] if field.required else [dim(f"  default {field.default}")] if field.default else []
    page.add(
        f"  {field.name}", dim(f": {field.type}"), *needed, dim("  its change replaces the object" if field.replaces else "")
    )
    page.block(field.doc, "      ")
