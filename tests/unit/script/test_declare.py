"""Declaring: what a script says becomes nodes and edges, and what it says wrong is refused with its line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pytest

from purvey._base.value import NodeLink, Secret, SecretRef
from purvey._script.resource import _spell
from purvey.errors import ScriptError
from tests.support.scripts import Scripts


def test_edges_come_from_values_nodes_and_after(scripts: Scripts) -> None:
    """From references anywhere in inputs and options, from nodes given as inputs, from `after`, and from nothing else."""
    graph = scripts.main("""
        a, b, c, d, e = (Thing(name) for name in "abcde")
        Thing("x", text=f"{a.label}", data={"deep": [{"er": b.key}]}, opts=Options(after=[c], replace_when=d.revision))
        s = Shelf("s")
        Book("y", shelf=s)
    """)
    needs = graph.nodes["test.Thing::x"].needs
    assert set(needs) == {f"test.Thing::{name}" for name in "abcd"}
    assert (graph.nodes["test.Book::y"].needs, graph.nodes["test.Book::y"].container) == (("test.Shelf::s",), "test.Shelf::s")
    assert graph.nodes["test.Book::y"].inputs["shelf"] == NodeLink("test.Shelf::s")


def test_every_node_keeps_its_line(scripts: Scripts) -> None:
    """File and line of the declaration, also from a function of the user's own."""
    graph = scripts.load("""
    def make(name):
        return Thing(name)  # here

    @stack
    def main():
        make("a")
    """)
    assert graph.nodes["test.Thing::a"].source == f"shop.py:{scripts.line('# here')}"


def test_equal_wishes_have_equal_digests(scripts: Scripts) -> None:
    """The digest is the same for the same wish, and another for every part of it that matters to the object."""
    variants = [
        'Thing("a", size=1)', 'Thing("a", size=2)', 'Thing("a", opts=Options(replace_when=1))',
        'Thing("a", opts=Options(tags={"a": "b"}))', 'Thing("a", text="x")', 'Thing("a", data={"a": 1})',
    ]  # fmt: skip
    digests = [scripts.main(text).nodes["test.Thing::a"].digest for text in variants]
    assert len(set(digests)) == len(variants)
    same = scripts.main('Thing("a", data={"b": 1, "a": 2}, size=1)').nodes["test.Thing::a"].digest
    assert scripts.main('\n\nThing("a", size=1, data={"a": 2, "b": 1})').nodes["test.Thing::a"].digest == same


def test_duplicate_addresses_name_both_lines(scripts: Scripts) -> None:
    """Names are keys."""
    error = scripts.refused('Thing("a")  # first\nThing("a")  # second')
    assert (error.code, error.address) == ("script.duplicate_address", "test.Thing::a")
    assert f"shop.py:{scripts.line('# first')}" in error.detail
    assert error.source == f"shop.py:{scripts.line('# second')}"


def test_scopes_keep_names_apart(scripts: Scripts) -> None:
    """`with scope(...)` and components prefix addresses, also nested."""
    graph = scripts.load("""
    @component
    def part(name):
        Thing("a")

    @stack
    def main():
        Thing("a")
        with scope("eu"):
            Thing("a")
            part("web")
        part("web")
    """)
    assert list(graph.nodes) == ["test.Thing::a", "eu/test.Thing::a", "eu/web/test.Thing::a", "web/test.Thing::a"]


@pytest.mark.parametrize("name", ["", "a b", "a/b", "a::b", "ü", "x" * 201, "a\n"])
def test_bad_names_are_refused(scripts: Scripts, name: str) -> None:
    """Names become parts of addresses, paths and tags."""
    for body in (f"Thing({name!r})", f"with scope({name!r}):\n    Thing('a')"):
        error = scripts.refused(body)
        assert error.code == "script.bad_name"
        assert error.source.startswith("shop.py:")


def test_a_cycle_names_each_line(scripts: Scripts) -> None:
    """Nodes that wait for each other could never start."""
    error = scripts.refused("""
        a = Thing("a", opts=Options(after=["test.Thing::c"]))  # one
        b = Thing("b", text=a.label)  # two
        Thing("c", text=b.label)  # three
    """)
    assert error.code == "script.cycle"
    for mark in ("# one", "# two", "# three"):
        assert f"shop.py:{scripts.line(mark)}" in error.detail


def test_waiting_for_what_is_not_declared(scripts: Scripts) -> None:
    """A misspelt address in `after` is refused; one declared further down is fine."""
    error = scripts.refused('Thing("a", opts=Options(after=["test.Thing::zzz"]))')
    assert (error.code, error.address) == ("script.unknown_address", "test.Thing::a")
    graph = scripts.main('Thing("a", opts=Options(after=["test.Thing::b"]))\nThing("b")')
    assert list(graph.nodes) == ["test.Thing::b", "test.Thing::a"]


@pytest.mark.parametrize(
    ("call", "code", "said"),
    [
        ('Thing("a", sise=1)', "script.unknown_input", "Did you mean `size`?"),
        ('Thing("a", key="x")', "script.unknown_input", "It is an output"),
        ('Port("a")', "script.missing_input", "`number`"),
        ('Thing("a", size="big")', "script.bad_input", "must be int"),
        ('Thing("a", size=True)', "script.bad_input", "must be int"),
        ('Thing("a", text=7)', "script.bad_input", "must be str"),
        ('Thing("a", labels=[1])', "script.bad_input", "list[str]"),
        ('Book("a", shelf=Thing("b"))', "script.bad_input", "a test.Thing was given"),
        ('Book("a", shelf="text")', "script.bad_input", "Shelf"),
        ('Thing("a", data={1: 2})', "script.token_as_key", "`data`"),
        ('Thing("a", data=object())', "script.bad_value", "object"),
    ],
)
def test_wrong_inputs_are_refused(scripts: Scripts, call: str, code: str, said: str) -> None:
    """The error names the input, the node, the line, and what it must be."""
    error = scripts.refused(call)
    assert error.code == code
    assert said in f"{error.detail} {error.hint}"
    assert error.source.startswith("shop.py:")


@pytest.mark.parametrize(
    ("call", "problem", "advice"),
    [
        ('Thing("a", size="3")', "must be int: text was given.", "without quotes:\n\n    size=3"),
        ('Thing("a", size="big")', "must be int: text was given.", ""),
        ('Thing("a", text=7)', "must be str: a whole number was given.", 'as text:\n\n    text="7"'),
        ('Thing("a", labels=[1])', "a whole number was given in it, at `[0]`.", ""),
        ('users.User("a", groups="ops")', "text was given.", 'a list:\n\n    groups=["ops"]'),
        ('files.File("a", path="/a", content="", mode=644)', "a whole number was given.", 'in octal:\n\n    mode="0644"'),
        ('files.File("a", path="/a", content="", mode=0o755)', "a whole number was given.", 'in octal:\n\n    mode="0755"'),
        ('files.File("a", path="/a", content="", mode=493493)', "a whole number was given.", 'in octal:\n\n    mode="0644"'),
    ],
)
def test_a_value_of_another_type_is_told_with_how_to_write_it(scripts: Scripts, call: str, problem: str, advice: str) -> None:
    """In words, with a line to copy where what was meant can be guessed."""
    error = scripts.refused(f"from purvey.resources import files, users\n{call}")

    assert error.detail.endswith(problem)
    assert error.hint.endswith(advice)
    assert bool(error.hint) == bool(advice)


def test_fields_of_a_declared_node_cannot_be_assigned(scripts: Scripts) -> None:
    """An assignment would be invisible to the plan."""
    error = scripts.refused('a = Thing("a")\na.size = 3')
    assert (error.code, "`size`" in error.detail) == ("script.read_only", True)


@pytest.mark.parametrize(
    "use",
    [
        'Thing(f"{a.label}")', 'scope(f"{a.label}").__enter__()', 'secret(f"env:{a.label}")', 'lookup("x", str, a.label)',
        'lookup("x", str, f"{a.label}!")', 'lookup("x", str, [a.label])', 'lookup(f"{a.label}", str)',
        'Thing("b", opts=Options(after=[f"{a.label}"]))', 'Thing("b", opts=Options(moved_from=f"{a.label}"))',
        'Thing("b", opts=Options(ignore=[f"{a.label}"]))', 'Thing("b", opts=Options(tags={"x": f"{a.label}"}))',
        'stack_output(f"{a.label}", "dev")', 'stack_output("x", f"{a.label}")',
    ],
)  # fmt: skip
def test_references_are_refused_where_a_fixed_value_must_stand(scripts: Scripts, use: str) -> None:
    """In names, scopes, options, sources of secrets, look-ups and stack names."""
    error = scripts.refused(f'a = Thing("a")\n{use}')
    assert error.code in ("script.token_refused", "script.bad_name")
    assert error.source.startswith("shop.py:")


def test_a_declaration_outside_a_stack(scripts: Scripts) -> None:
    """At import time no run exists."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - its code is looked at.
        scripts.load('Thing("a")\n\n@stack\ndef main():\n    pass\n')
    assert getattr(caught.value, "code", "") == "script.outside"


def test_a_secret_at_the_top_of_a_script(scripts: Scripts) -> None:
    """A secret is declared there as inside the stack, and lets a machine be described there as well."""
    top = 'from purvey import Host\npassword = secret("env:PASSWORD")\nweb = Host("192.0.2.1", key=password)\n'
    graph = scripts.load(f'{top}\n@stack\ndef main():\n    Safe("a", text=password)\n')

    assert graph.nodes["test.Safe::a"].inputs["text"] == SecretRef("env:PASSWORD")


def test_a_secret_at_the_top_needs_a_backend_too(scripts: Scripts) -> None:
    """The mistake is at its line."""
    with pytest.raises(ScriptError, match="no backend") as caught:
        scripts.load('secret("hunter2")\n\n@stack\ndef main():\n    pass\n')

    assert caught.value.source == f"shop.py:{scripts.line('hunter2')}"


def test_a_swallowed_pause_is_an_error(scripts: Scripts) -> None:
    """A bare `except` that goes on after a pause would build on nothing; `except Exception` lets it through."""
    pausing = 'a = Thing("a")\ntry:\n    value(a.label)\nexcept {0}:\n    pass\nThing("b")'
    error = scripts.refused(pausing.format("BaseException"))
    assert (error.code, "value(a" in error.detail or "test.Thing::a.label" in error.detail) == ("script.pause_swallowed", True)
    assert list(scripts.main(pausing.format("Exception")).nodes) == ["test.Thing::a"]


def test_components_pause_alone(scripts: Scripts) -> None:
    """A pause ends the innermost component; using what a paused one returned pauses the caller."""
    body = """
    @component
    def part(name):
        a = Thing("a")
        return value(a.label)

    @stack
    def main():
        first = part("one")
        part("two")
        Thing("after")
        {use}
        Thing("never")
    """
    graph = scripts.load(body.format(use="print(first)"))
    assert list(graph.nodes) == ["one/test.Thing::a", "two/test.Thing::a", "test.Thing::after"]
    assert len(graph.pauses) >= 2
    for use in (
        "first.x",
        "first[0]",
        "len(first)",
        "bool(first)",
        "first == 1",
        "f'{first}'",
        "[*first]",
        "first + 1",
        "1 + first",
    ):
        assert "test.Thing::never" not in scripts.load(body.format(use=use)).nodes, use
    assert "test.Thing::never" in scripts.load(body.format(use="pass")).nodes


def test_a_paused_result_is_refused_as_an_input(scripts: Scripts) -> None:
    """Passing on what a paused component returned pauses the caller, too."""
    graph = scripts.load("""
    @component
    def part(name):
        return value(Thing("a").label)

    @stack
    def main():
        Thing("b", text=part("one"))
        Thing("never")
    """)
    assert list(graph.nodes) == ["one/test.Thing::a"]


@pytest.mark.parametrize(
    ("hint", "words"),
    [
        (int, "int"),
        (Secret | None, "Secret | None"),
        (Sequence[str | Secret], "Sequence[str | Secret]"),
        (Literal["a.b", "c"], "Literal['a.b', 'c']"),
    ],
)
def test_a_type_is_told_as_scripts_write_it(hint: object, words: str) -> None:
    """Where a class is defined says nothing to whoever gave a wrong value."""
    assert _spell(hint) == words
