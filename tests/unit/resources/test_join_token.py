"""What a command prints for a token, as far as no machine is needed to tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from purvey._hosts.local import LocalConnector
from purvey.errors import HostError
from purvey.resources import host
from purvey.testing import PlainCall, view
from tests.unit.resources.life import made


def token(printed: str) -> host.JoinToken:
    """A token that is made by printing this."""
    return view(
        host.JoinToken, create=["echo", printed], listed=["true"], revoke=["false", "{id}"], pattern=r"token (\S*)", ttl_s=60.0,
        holder="",
    )  # fmt: skip


@pytest.mark.parametrize("printed", ["nothing", "token ", "token --all"], ids=["none", "empty", "option"])
async def test_what_is_no_id_is_refused(tmp_path: Path, printed: str) -> None:
    """An id goes among the arguments of what revokes the token, so it is one and no option; what was printed is not shown."""
    with pytest.raises(HostError, match="printed no token") as caught:
        await made(PlainCall(str(tmp_path), host=LocalConnector()), token(printed))
    assert "--all" not in caught.value.detail


async def test_an_id_is_taken_from_the_token(tmp_path: Path) -> None:
    """By the first group of the pattern."""
    have = await made(PlainCall(str(tmp_path), host=LocalConnector()), token("token ab-12"))
    assert have.id == "ab-12"
