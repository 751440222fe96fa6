"""References: free to pass on, refused wherever they would be needed now, and never lost in text."""

from __future__ import annotations

import base64
import gzip
import hashlib
import math
import operator
import os
from collections.abc import Callable
from typing import Any

import pytest

from purvey import Chroot, Host, Namespace, Secret, secret, sha256, to_base64, to_gzip, to_json, to_yaml, value
from purvey._base.value import Late, Link, SecretRef, resolve, walk
from purvey._script.host import frozen_place
from purvey._script.recorder import Recorder
from purvey._script.reference import freeze
from purvey.errors import ScriptError
from tests.support.kinds import Safe, Thing

MISUSES = [
    "bool(ref)",
    "len(ref)",
    "iter(ref)",
    "list(ref)",
    "set(ref)",
    "hash(ref)",
    "int(ref)",
    "float(ref)",
    "bytes(ref)",
    "os.fspath(ref)",
    "abs(ref)",
    "round(ref)",
    "math.sqrt(ref)",
    "operator.index(ref)",
    "-ref",
    "+ref",
    "~ref",
    "ref == 'x'",
    "ref != 'x'",
    "ref < 1",
    "ref <= 1",
    "ref > 1",
    "ref >= 1",
    "'x' in ref",
    "{ref}",
    "{ref: 1}",
    "ref()",
    "ref * 2",
    "2 * ref",
    "ref - 1",
    "1 - ref",
    "ref / 2",
    "2 / ref",
    "ref // 2",
    "2 // ref",
    "ref % 2",
    "2 % ref",
    "ref ** 2",
    "2 ** ref",
    "ref & 1",
    "1 & ref",
    "ref | 1",
    "1 | ref",
    "ref ^ 1",
    "ref @ ref",
    "ref << 1",
    "1 << ref",
    "ref >> 1",
    "divmod(ref, 2)",
    "ref + 1",
    "1 + ref",
    "[1, 2][ref]",
    "ref[1:2]",
    "ref.upper()",
    "f'{ref:>10}'",
    "'{:d}'.format(ref)",
    "1 if ref else 2",
    "not ref",
    "ref and 1",
    "max(ref, 1)",
    "range(ref)",
    "math.floor(ref)",
    "math.trunc(ref)",
    "sorted([ref, ref])",
    "complex(ref)",
    "open(ref)",
    "reversed(ref)",
    "'x' * ref",
]


@pytest.mark.parametrize("misuse", MISUSES)
def test_whatever_needs_the_value_now_is_refused(recorder: Recorder, misuse: str) -> None:
    """Every use of a bare reference names the node and the line, and says to write value(...)."""
    reference = Thing("a").label

    with pytest.raises(ScriptError) as caught:
        eval(compile(misuse, "shop.py", "eval"), {"ref": reference, "math": math, "operator": operator, "os": os})

    assert caught.value.code == "script.bare_reference"
    assert caught.value.address == "test.Thing::a"
    assert caught.value.source == "shop.py:1"
    assert "value(...)" in caught.value.hint


@pytest.mark.parametrize(
    "expression",
    [
        "f'http://{ref}/healthz'",
        "'http://' + ref + '/healthz'",
        "'http://%s/healthz' % ref",
        "'http://{}/healthz'.format(ref)",
        "''.join(['http://', str(ref), '/healthz'])",
    ],
)
def test_a_reference_goes_into_text(recorder: Recorder, expression: str) -> None:
    """Every way of formatting carries the reference to where it is known."""
    frozen = freeze(eval(expression, {"ref": Thing("a").label}), "x.py:1", "text")

    assert resolve(frozen, lambda link: "a:1", lambda item: "?") == "http://a:1/healthz"
    assert walk(frozen) == [Link("test.Thing::a", "label")]


def test_a_whole_token_keeps_the_type(recorder: Recorder) -> None:
    """Text that is nothing but a reference is the reference; two of them are text."""
    thing = Thing("a")
    assert freeze(f"{thing.size}", "x.py:1", "n") == Link("test.Thing::a", "size")
    assert isinstance(freeze(f"{thing.size}{thing.size}", "x.py:1", "n"), Late)


def test_items_of_outputs(recorder: Recorder) -> None:
    """An index or a key of an output is a reference, too."""
    thing = Thing("a")
    assert freeze(thing.data["ports"][0], "x.py:1", "n") == Link("test.Thing::a", "data", ("ports", 0))


def test_every_slice_that_is_long_enough_is_noticed(recorder: Recorder) -> None:
    """A token cut anywhere is refused as long as eight characters of one of its ends are left."""
    token = f"{Thing('a').label}"
    for start in range(len(token)):
        for end in range(start + 1, len(token) + 1):
            piece = token[start:end]
            if piece == token or not _tellable(recorder.nonce, piece):
                continue
            with pytest.raises(ScriptError) as caught:
                freeze(piece, "x.py:7", "text")
            assert (caught.value.code, caught.value.source) == ("script.token_damaged", "x.py:7")


def _tellable(nonce: str, piece: str) -> bool:
    return nonce[:8] in piece or nonce[-8:] in piece


DAMAGES: dict[str, Callable[[str], str]] = {
    "upper": str.upper,
    "title": str.title,
    "swapcase": str.swapcase,
    "other index": lambda text: text.replace(":0:", ":1:"),
    "no such index": lambda text: text.replace(":0:", ":9:"),
    "brace lost": lambda text: text.replace("{{", "{"),
    "first lost": lambda text: text[1:],
    "last lost": lambda text: text[:-1],
    "hex": lambda text: text.encode().hex(),
    "upper hex": lambda text: text.encode().hex().upper(),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 after one": lambda text: base64.b64encode(b"1" + text.encode()).decode(),
    "base64 after two": lambda text: base64.b64encode(b"12" + text.encode()).decode(),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(b"user:" + text.encode()).decode(),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_and_encoded_tokens_are_refused(recorder: Recorder, damage: str) -> None:
    """Changing the case, a digit, an end, or encoding a token as hex or base64 is an error that names the line."""
    token = f"{Thing('a').label}"

    with pytest.raises(ScriptError) as caught:
        freeze(f"text {DAMAGES[damage](token)} text", "x.py:7", "env.URL")

    assert (caught.value.code, caught.value.source) == ("script.token_damaged", "x.py:7")
    assert "`env.URL`" in caught.value.detail


def test_a_token_of_another_run_is_only_text(recorder: Recorder) -> None:
    """What looks like a token and has another nonce is the user's own text."""
    text = "{{aaaaaaaaaaaa:0:00000000:aaaaaaaaaaaa}}"
    assert freeze(text, "x.py:1", "text") == text


def test_tokens_are_refused_as_keys(recorder: Recorder) -> None:
    """Keys are compared while planning."""
    for key in (f"{Thing('a').label}", 7, "$"):
        with pytest.raises(ScriptError) as caught:
            freeze({key: 1}, "x.py:7", "data")
        assert caught.value.code == "script.token_as_key"


@pytest.mark.parametrize("odd", [object(), {1, 2}, b"bytes", 1j, lambda: 1, range(3), float])
def test_values_that_cannot_be_stored_are_refused(recorder: Recorder, odd: object) -> None:
    """The error names the input and the type, and lists what is allowed."""
    with pytest.raises(ScriptError) as caught:
        freeze({"deep": [odd]}, "x.py:7", "data")
    assert caught.value.code == "script.bad_value"
    assert "`data.deep[0]`" in caught.value.detail


def test_late_functions_wait_for_the_value(recorder: Recorder) -> None:
    """`to_json`, `to_base64`, `sha256` and the like of something with a reference are computed when it is known."""
    thing = Thing("a")

    def known(made: str) -> Any:
        return resolve(freeze(made, "x.py:1", "text"), lambda link: "a:1", lambda item: "?")

    assert known(to_json({"b": thing.label, "a": [1, None]})) == '{"a":[1,null],"b":"a:1"}'
    assert known(to_base64(f"x{thing.label}")) == base64.b64encode(b"xa:1").decode()
    assert known(to_yaml({"b": thing.label, "a": ["é"]})) == '{\n "a": [\n  "\\U000000e9"\n ],\n "b": "a:1"\n}'
    assert gzip.decompress(base64.b64decode(known(to_gzip(f"x{thing.label}")))) == b"xa:1"
    assert known(sha256(thing.label)) == hashlib.sha256(b"a:1").hexdigest()


def test_what_waits_for_nothing_is_text_at_once(recorder: Recorder) -> None:
    """Computed of known values, it can be measured, and given to an input that takes text only."""
    assert to_json({"a": [1]}) == '{"a":[1]}'
    assert to_base64("x") == "eA=="
    Thing("a", text=to_json({"a": 1}))  # It would be refused as what is no text.


def test_a_place_may_be_an_output(recorder: Recorder) -> None:
    """The address of a machine and the root of a tree are taken as they come, and what is there lives in what makes it."""
    thing = Thing("a")
    for place in (Host(thing.label), Host(f"{thing.label}"), Chroot(thing.label)):
        found = frozen_place(place, "x.py:1")
        assert (found.where, found.maker) == ("test.Thing::a", "test.Thing::a")


def test_values_without_references_are_returned_as_they_are(recorder: Recorder) -> None:
    """`value` of plain data is the data itself."""
    data = {"a": [1, "x"]}
    assert value(data) is data


def test_a_secret_has_no_text(recorder: Recorder) -> None:
    """A secret in a script shows its source, is formatted as a token, and is refused where a value is needed."""
    handle: Any = secret("env:PASSWORD")
    assert "PASSWORD" in repr(handle)
    assert freeze(f"user:{handle}", "x.py:1", "text") == Late("concat", ("user:", SecretRef("env:PASSWORD")))
    for misuse in (lambda: f"{handle:>4}", lambda: handle + 1, lambda: 1 + handle):
        with pytest.raises(ScriptError) as caught:
            misuse()
        assert caught.value.code == "script.secret_misused"


@pytest.mark.parametrize("source", ["PASSWORD", "env:", ":x", ""])
def test_a_secret_needs_a_backend(recorder: Recorder, source: str) -> None:
    """`backend:path`, or an error that shows the form."""
    with pytest.raises(ScriptError) as caught:
        secret(source)
    assert caught.value.code == "script.bad_secret"


def test_a_secret_is_refused_where_it_cannot_be_kept(recorder: Recorder) -> None:
    """In an input that is stored in clear, whole, in text or in a container; the error names those that accept one."""
    handle: Any = secret("env:PASSWORD")
    for inputs in ({"text": handle}, {"text": f"x{handle}"}, {"data": {"a": [handle]}}, {"text": to_json([handle])}):
        with pytest.raises(ScriptError) as caught:
            Thing("a", **inputs)
        assert caught.value.code == "script.secret_refused"
        assert caught.value.address == "test.Thing::a"
    Safe("fine", text=f"x{handle}")


def test_the_text_form_of_an_open_secret_says_nothing() -> None:
    """Printing, formatting and showing it in containers give `(secret)`."""
    opened = Secret("correct-horse")
    assert {str(opened), repr(opened), f"{opened}", f"{opened:>5}"} == {"(secret)"}
    assert "correct" not in str([opened])


@pytest.mark.parametrize(("made", "meant"), [(Host, "address"), (Chroot, "root"), (Namespace, "namespace")])
@pytest.mark.parametrize("written", ["{}", "{:>9}", "{!s}"])
def test_a_place_has_no_text(recorder: Recorder, made: Callable[[str], Any], meant: str, written: str) -> None:
    """A place in text is refused, however it comes there, and the field that is meant is named; debuggers see it."""
    place = made("/srv/root")
    with pytest.raises(ScriptError, match="A whole object") as caught:
        written.format(place)

    assert f"`.{meant}`" in caught.value.hint
    assert repr(place).startswith("<")


def test_what_a_provider_is_given_may_stand_in_its_messages(recorder: Recorder) -> None:
    """Bound to values, a node's text is its address: no script meant one of its fields."""
    view = Thing._kind.bind("test.Thing::a", {})

    assert f"{view}" == "<test.Thing::a>"
