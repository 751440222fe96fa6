"""Each change that users notice is told in a fragment of its own."""

from __future__ import annotations

import re

from tests.tidy import house

FRAGMENT = re.compile(r"changes/[a-z0-9]+(-[a-z0-9]+)*\.(added|changed|fixed|removed)\.md")

PARAGRAPH = re.compile(r"[\w`](?:.|\n(?!\n))*\.\n")

FRAGMENTS = [name for name in house.files() if name.startswith("changes/") and name != "changes/README.md"]


def test_fragments_are_explained() -> None:
    """The folder says how a fragment is written."""
    assert "changes/README.md" in house.files()


def test_a_fragment_says_what_kind_of_change_it_tells() -> None:
    """A fragment is called `changes/<slug>.<added|changed|fixed|removed>.md`."""
    wrong = [name for name in FRAGMENTS if not FRAGMENT.fullmatch(name)]

    assert not wrong, f"call them changes/<slug>.<added|changed|fixed|removed>.md, in lower case: {', '.join(wrong)}"


def test_a_fragment_is_a_short_text_for_users() -> None:
    """A fragment is one paragraph of sentences without a heading, which the release notes give."""
    wrong = [name for name in FRAGMENTS if not PARAGRAPH.fullmatch(house.text(name))]

    assert not wrong, f"write one paragraph that begins with a word and ends with a full stop: {', '.join(wrong)}"
