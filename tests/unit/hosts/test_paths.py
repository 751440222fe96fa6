"""Paths on a machine, taken apart as the standard library does it."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purvey._hosts.paths import OWN_FOLDER, beside, parent
from purvey.errors import HostError

PARTS = st.sampled_from(["/", "//", ".", "..", "a", ".a", "b c", "ü'"])
PATHS = st.tuples(st.sampled_from(["/", f"{OWN_FOLDER}/"]), st.lists(PARTS)).map(lambda found: found[0] + "/".join(found[1]))


@given(PATHS.filter(lambda path: not path.startswith("//")))
def test_a_folder_and_a_successor_are_where_the_standard_library_has_them(path: str) -> None:
    """However many slashes and dots there are."""
    whole = PurePosixPath(path)

    assert parent(path) == str(whole.parent)
    if whole.name:
        assert beside(path) == str(whole.with_name(f".{whole.name}.purvey"))
    else:
        with pytest.raises(HostError, match="root of everything"):
            beside(path)
