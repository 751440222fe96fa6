"""The value space: what is written is what is read, and resolving never invents, loses or reveals anything."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from purvey._base.compare import differences
from purvey._base.value import (
    Late,
    Link,
    Masked,
    NodeLink,
    Secret,
    SecretRef,
    Unknown,
    canonical,
    digest,
    is_known,
    resolve,
    reveal,
    thaw,
    walk,
)

TEXT = st.text(max_size=8)
KEYS = TEXT.filter(lambda key: key != "$")
SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXT
LINKS = st.builds(Link, TEXT, TEXT, st.lists(TEXT | st.integers(0, 9), max_size=2).map(tuple))
LEAVES = SCALARS | LINKS | st.builds(NodeLink, TEXT) | st.builds(SecretRef, TEXT)
PLAIN = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)
FROZEN = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(KEYS, inner, max_size=3)
        | st.builds(Late, st.just("concat"), st.lists(inner, max_size=3).map(tuple))
        | st.builds(Late, st.just("json"), st.tuples(inner))
    ),
    max_leaves=10,
)
RECORDED = st.recursive(
    SCALARS | st.builds(Masked, TEXT, LINKS | st.none(), TEXT) | st.builds(Unknown, TEXT) | st.builds(NodeLink, TEXT),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@given(FROZEN | RECORDED)
def test_what_is_written_is_what_is_read(value: object) -> None:
    """`thaw` is the inverse of `canonical`, and the bytes do not depend on the order of keys."""
    back = thaw(msgspec.json.decode(canonical(value)))
    assert canonical(back) == canonical(value)
    assert sorted(type(item).__name__ for item in walk(back)) == sorted(type(item).__name__ for item in walk(value))


@given(st.dictionaries(KEYS, PLAIN, max_size=5))
def test_digests_do_not_depend_on_order(value: dict[str, object]) -> None:
    """Equal values, equal digests."""
    assert digest(dict(reversed(value.items()))) == digest(value)


@given(PLAIN)
def test_plain_data_resolves_to_itself(value: object) -> None:
    """Nothing is asked and nothing changes."""
    assert resolve(value, _never, _never) == value


def _never(item: object) -> object:
    raise AssertionError(item)


def _masked(item: SecretRef | Masked) -> Masked:
    assert isinstance(item, SecretRef)  # No value of `FROZEN` is masked already.
    return Masked(digest(item.source), item)


@given(FROZEN)
def test_unknown_covers_everything_it_touches(value: object) -> None:
    """With nothing known, every reference is unknown, and a Late with one is unknown as a whole."""
    found = resolve(value, lambda link: Unknown(str(link)), _masked)
    assert is_known(found) == (not any(isinstance(item, Link) for item in walk(value)))
    assert not any(isinstance(item, Link | SecretRef) for item in walk(found) if not isinstance(item, Masked))


@given(FROZEN, st.dictionaries(TEXT, TEXT, max_size=3))
def test_planning_and_applying_agree(value: object, texts: dict[str, str]) -> None:
    """Two resolutions with one knowledge are equal; masked where the other is secret, and revealed it is plain data."""

    def link(item: Link) -> str:
        return texts.get(item.address, "else")

    def text(item: SecretRef | Masked) -> str:
        assert isinstance(item, SecretRef)  # No value of `FROZEN` is masked already.
        return f"secret of {item.source}"

    def opened_secret(item: SecretRef | Masked) -> Secret:
        return Secret(text(item), item)

    def masked_secret(item: SecretRef | Masked) -> Masked:
        return Masked(digest(text(item)), item)

    opened = resolve(value, link, opened_secret)
    again = resolve(value, link, opened_secret)
    masked = resolve(value, link, masked_secret)
    assert reveal(opened) == reveal(again)
    assert "secret of" not in repr(opened)
    assert _secrets(opened) == sum(isinstance(item, Masked) for item in walk(masked))
    assert "secret of" not in canonical(masked).decode()


def _secrets(value: object) -> int:
    if isinstance(value, Secret):
        return 1
    if isinstance(value, dict):
        return sum(map(_secrets, value.values()))
    return sum(map(_secrets, value)) if isinstance(value, list) else 0


@given(PLAIN, PLAIN)
def test_differences_are_where_values_differ(before: object, after: object) -> None:
    """None exactly for equal values."""
    found = differences(before, after, "x")
    assert (found == []) == (before == after)
