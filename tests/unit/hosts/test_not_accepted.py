"""A new file that its validating command did not accept, as people read it."""

from __future__ import annotations

import pytest

from purvey._hosts.change import Write
from purvey._hosts.command import Command, Completed
from purvey._hosts.failures import NOT_ACCEPTED, failure


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/etc/nft.conf", "/etc/nft.conf"),
        ("@purvey/x1/web/table", "table"),
    ],
)
def test_the_file_has_a_name_that_people_know(path: str, told: str) -> None:
    """Neither what stands for the file in the command is shown, nor where purvey keeps its own."""
    change = Write(path, b"x", 0o600, validate=Command(("nft", "-c", "-f", "{path}")))

    assert failure(change, Completed(NOT_ACCEPTED + 3, stderr=b"line 1 is wrong"), "web").detail == (
        f"{told} on web was checked by a command that ended with code 3:\n  nft -c -f {told}\nline 1 is wrong"
    )
