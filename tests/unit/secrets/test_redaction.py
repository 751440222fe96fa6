"""No secret goes out in any of the forms in which programs write one."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purvey._base.value import Secret
from purvey._secrets import redaction
from purvey._secrets.redaction import LENGTH_MIN, Redactor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PASSWORD = 'pä"s/s wörd+\\42'

WRITERS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "python": repr,
    "json": json.dumps,
    "json-readable": lambda text: json.dumps(text, ensure_ascii=False),
    "json-slashes": lambda text: json.dumps(text).replace("/", "\\/"),
    "url-path": quote,
    "url-part": lambda text: quote(text, safe=""),
    "url-lower": lambda text: re.sub("%..", lambda hit: hit[0].lower(), quote(text, safe="")),
    "form": quote_plus,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64-urlsafe": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "basic-auth": lambda text: base64.b64encode(f"ada:{text}".encode()).decode(),
    "inside-1": lambda text: base64.b64encode(f"x{text}yz".encode()).decode(),
    "inside-2": lambda text: base64.b64encode(f"xy{text}z".encode()).decode(),
}  # fmt: skip


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_every_usual_form_is_masked(write: Callable[[str], str]) -> None:
    """However a program writes the secret into its message, it does not come through."""
    redactor = Redactor()
    redactor.add(Secret(PASSWORD))

    cleaned = redactor.clean(f"login failed: [{write(PASSWORD)}] at db-1")

    assert write(PASSWORD) not in cleaned
    assert "(secret)" in cleaned
    assert cleaned.startswith("login failed: [")
    assert cleaned.endswith("] at db-1")


@given(secret=st.text(min_size=LENGTH_MIN, max_size=30), before=st.binary(max_size=5), after=st.binary(max_size=5))
def test_no_encoding_lets_a_secret_through(secret: str, before: bytes, after: bytes) -> None:
    """For any text, the plain form and its base64 at any offset are masked."""
    redactor = Redactor()
    redactor.add(secret)

    assert secret not in redactor.clean(f"a {secret} b") or secret in "a (secret) b"
    encoded = base64.b64encode(before + secret.encode() + after).decode()
    assert redactor.clean(encoded) != encoded


def test_text_without_secrets_is_not_touched() -> None:
    """A redactor that knows nothing, or finds nothing, gives the very same text."""
    redactor = Redactor()
    text = "nothing to see"
    assert redactor.clean(text) is text

    redactor.add("hunter22")
    assert redactor.clean(text) is text


def test_a_short_secret_is_not_looked_for() -> None:
    """A secret of three letters stands in any text, so masking it would say more than it hides."""
    redactor = Redactor()
    redactor.add("abc")

    assert redactor.clean("abcdef abc") == "abcdef abc"


def test_the_longer_secret_goes_first() -> None:
    """Where one secret is a part of another, nothing of the longer one is left."""
    redactor = Redactor()
    redactor.add("hunter")
    redactor.add("hunter22")

    assert redactor.clean("hunter22 and hunter") == "(secret) and (secret)"


def test_the_lines_of_a_key_are_masked_alone() -> None:
    """A key of several lines is masked also where only one of its lines is shown; its frame is not a secret."""
    key = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEG\nCCqGSM49AwEHBG0wawIBAQQg\n-----END PRIVATE KEY-----\n"
    redactor = Redactor()
    redactor.add(Secret({"pem": [key]}))

    assert redactor.clean(key) == "(secret)"
    assert redactor.clean("bad line MIGHAgEAMBMGByqGSM49AgEG") == "bad line (secret)"
    assert redactor.clean("-----BEGIN PRIVATE KEY-----") == "-----BEGIN PRIVATE KEY-----"


def test_each_secret_is_worked_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that opens many secrets does not go through all of them again for each, and masks every one."""
    worked_out: list[str] = []
    forms = redaction._forms

    def counted(text: str) -> Iterator[str]:
        worked_out.append(text)
        return forms(text)

    monkeypatch.setattr(redaction, "_forms", counted)
    redactor = Redactor()
    secrets = [f"password-{number}" for number in range(400)]

    for secret in secrets:
        redactor.add(Secret(secret))

    assert worked_out == secrets
    assert redactor.clean(" ".join(secrets)) == " ".join([redaction.MASK] * 400)
