"""Addresses, comparison, ids, errors: the vocabulary of every layer."""

from __future__ import annotations

import pickle

import pytest

from purvey._base.address import full, is_name, join, require_name, split
from purvey._base.clock import timestamp, ulid
from purvey._base.compare import FieldChange, differences
from purvey._base.derive import derive
from purvey._base.value import (
    Late,
    Link,
    Masked,
    Secret,
    SecretRef,
    Unknown,
    canonical,
    dig,
    digest,
    resolve,
    reveal,
    thaw,
    walk,
)
from purvey.errors import InternalError, Problems, ScriptError
from tests.support.clock import VirtualClock


def test_addresses_join_and_split() -> None:
    """The parts go in and come out, with and without a scope."""
    for scope, kind, name in [("", "a.B", "n"), ("eu", "a.B", "n"), ("eu/web", "a.B", "n.1-x_2")]:
        address = join(scope, kind, name)
        assert split(address) == (scope, kind, name)
    assert full("shop/prod", "eu/a.B::n") == "shop/prod::eu/a.B::n"


@pytest.mark.parametrize("name", ["a", "A.b-c_9", "x" * 200])
def test_good_names(name: str) -> None:
    """Letters, digits, dots, dashes and underscores, up to 200."""
    assert is_name(name)
    assert require_name(name, "It") == name


@pytest.mark.parametrize("name", ["", "a b", "a/b", "é", "x" * 201, "a\n", None, 7, "{{x}}", ":"])
def test_bad_names(name: object) -> None:
    """Anything else is refused with what it names."""
    assert not is_name(name)
    with pytest.raises(ScriptError) as caught:
        require_name(name, "The name of it", "shop.py:3")
    assert (caught.value.code, caught.value.source) == ("script.bad_name", "shop.py:3")
    assert "The name of it" in caught.value.detail


def test_ids_sort_by_time() -> None:
    """26 characters of Crockford's alphabet, later ones after earlier ones."""
    clock = VirtualClock()
    made = []
    for _ in range(50):
        made.append(ulid(clock))
        clock.seconds += 0.002
    assert made == sorted(set(made))
    assert {len(item) for item in made} == {26}
    assert set("".join(made)) <= set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")


def test_timestamps() -> None:
    """RFC 3339 in UTC with milliseconds."""
    assert timestamp(1_767_323_045.678) == "2026-01-02T03:04:05.678Z"


def test_subkeys_are_independent() -> None:
    """The same key and purpose give the same subkey; anything else another."""
    key = bytes(range(32))
    assert derive(key, "a") == derive(key, "a")
    assert len({derive(key, "a"), derive(key, "b"), derive(key[::-1], "a"), key}) == 4


@pytest.mark.parametrize(
    ("before", "after", "paths"),
    [
        (1, 1, []),
        (1, 2, ["x"]),
        ({"a": 1}, {"a": 2}, ["x.a"]),
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}, ["x.a.b[1]"]),
        ([1], [1, 2], ["x"]),
        ({"a": 1}, {}, ["x.a"]),
        ({}, {"a": None}, ["x.a"]),
        (None, {"a": 1}, ["x"]),
    ],
)
def test_differences_name_the_innermost_place(before: object, after: object, paths: list[str]) -> None:
    """Down to the key or index, but lists of unequal length differ as a whole."""
    assert [path for path, _, _ in differences(before, after, "x")] == paths


def test_a_change_knows_its_field() -> None:
    """The input is the path up to the first dot or bracket."""
    assert [FieldChange(path, 1, 2).name for path in ("a", "a.b[1]", "a[2].b")] == ["a", "a", "a"]


def test_masked_values_are_equal_by_digest() -> None:
    """However the value is got back."""
    assert Masked("d", SecretRef("env:A")) == Masked("d", None, "sealed")
    assert len({Masked("d", None, "x"), Masked("d")}) == 1
    assert Masked("d") != Masked("e")
    assert Masked("d") != "d"


def test_a_secret_never_leaves_memory() -> None:
    """It cannot be pickled, encoded or digested."""
    secret = Secret("hunter2")
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    for form in (canonical, digest):
        with pytest.raises(InternalError) as caught:
            form({"a": [secret]})
        assert "hunter2" not in str(caught.value)


def test_a_late_is_as_secret_as_its_arguments() -> None:
    """Unknown beats secret beats plain; the origin holds outputs as they were, so that it stays true when they change."""
    late = Late("concat", ("a", Link("n", "x"), SecretRef("env:P")))
    origin = Late("concat", ("a", "x", SecretRef("env:P")))
    secret = Secret("hunter2", SecretRef("env:P"))

    opened = resolve(late, lambda _: "x", lambda _: secret)
    assert isinstance(opened, Secret)
    assert (opened.reveal(), opened.origin) == ("axhunter2", origin)
    assert isinstance(resolve(late, lambda _: Unknown("n.x"), lambda _: secret), Unknown)
    masked = resolve(late, lambda _: "x", lambda _: Masked("d", SecretRef("env:P")))
    assert (type(masked), masked.origin) == (Masked, origin)
    assert resolve(late, lambda _: "x", lambda _: Masked("d", None, "sealed")).origin is None
    assert resolve(Late("concat", ("a", 1, None)), None, None) == "a1None"  # type: ignore[arg-type]


def test_masked_values_are_resolved_again_from_their_source() -> None:
    """A recorded secret with an origin is read anew; a sealed one goes to the look-up, which has the key or keeps it."""
    found = resolve(Masked("d", SecretRef("env:P")), lambda _: "x", Secret)
    assert found.reveal() == SecretRef("env:P")
    sealed = Masked("d", None, "sealed")
    assert resolve(sealed, lambda _: "x", lambda item: item) is sealed


def test_digging() -> None:
    """Into dictionaries and lists; an unknown covers what is inside, and so does a secret."""
    assert dig({"a": [1, {"b": 2}]}, ("a", 1, "b")) == 2
    assert dig(Unknown("n.x"), ("a", 0)) == Unknown("n.x")
    inner = dig(Masked("d"), ("a",))
    assert isinstance(inner, Masked)
    assert inner != Masked("d")


def test_walking_enters_lates_and_not_secrets() -> None:
    """In the order of the value."""
    first, second = Link("a", "x"), Link("b", "y")
    assert walk({"k": [first, Late("json", ([second],))], "s": Secret([first])}) == [first, second]


def test_revealing_opens_everything() -> None:
    """For a provider about to act."""
    assert reveal({"a": [Secret("x"), 1]}) == {"a": ["x", 1]}


def test_unknown_tags_are_refused() -> None:
    """Bytes of a later version are not guessed at."""
    with pytest.raises(InternalError):
        thaw({"$": "$later"})


def test_errors_say_where_what_why_and_what_next() -> None:
    """In that order; several problems are separated by a blank line."""
    error = ScriptError("script.x", "It is wrong", detail="Because.", hint="Do this.", address="a.B::n", source="shop.py:3")
    assert str(error) == "shop.py:3 a.B::n: It is wrong\nBecause.\nDo this."
    assert str(Problems([error, error])) == f"{error}\n\n{error}"
    assert error.exit_code == 3
