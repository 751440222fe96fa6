"""Downloads: files that the machine itself fetches by HTTP, known by their digest."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from purvey._base.value import Secret, Value, reveal
from purvey._hosts.change import Change, Run
from purvey._hosts.command import Command
from purvey._hosts.fact import Answers, Ask, ContentOf, DigestOf, Fact, StatOf
from purvey._script.fields import Input, Output
from purvey._script.recorder import current
from purvey._script.resource import Resource
from purvey.errors import ProviderError
from purvey.providers import Absent, Finding, Observed, Present
from purvey.providers.host import HostProvider, Place, Work
from purvey.resources._inputs import placed, refused, require_absolute
from purvey.resources._paths import above, attributes, bits, blocked, given_back, kept, sort, stem, with_attributes
from purvey.resources._plaintext import hidden, plaintexts
from purvey.resources.files._merge import shell
from purvey.resources.files.file import remove_file

if TYPE_CHECKING:
    from purvey.errors import Code, ScriptError

FETCH_S: Final = 1800.0
"""Seconds that a download may take."""

LOGS_IN: Final = frozenset({"authorization", "cookie"})
"""Headers that curl does not send to another host than the first, since 7.58."""

_TOOLS: Final = Ask(("sh", "-c", "command -v curl || command -v wget"))
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_ENDED: Final = re.compile(r"ended with code (\d+)")
_BROKEN: Final = re.compile(r"\berror:? 5\d\d\b|\bHTTP/\S+ 5\d\d\b", re.IGNORECASE)
"""What they say where a server has failed."""

_AWAY: Final = frozenset({"4", "5", "6", "7", "18", "28", "35", "52", "55", "56"})
"""What curl and wget end with where the network or the server failed, so that another attempt may do better."""

_WRONG: Final[Mapping[str, tuple[Code, str, str]]] = {
    "65": (
        "invalid",
        "What was downloaded is not what was expected",
        "Compare the address and `sha256` with what its maker says.",
    ),
    "67": ("failed", "An address leads to another place", "Give that one; secret headers are not sent on to others."),
    "69": ("not_found", "A machine has nothing to download with", "Let this come after curl:\n\n    packages.Apt(…)"),
}


class DownloadProvider(HostProvider["Download"]):
    """Fetches files where they are to be, unless they are there."""

    long_calls = True
    lands_within_s = FETCH_S

    def facts(self, place: Place, subject: Download) -> Sequence[Fact]:
        """See `HostProvider.facts`."""
        path = require_absolute(subject.path)
        return [StatOf(path), DigestOf(path)]

    def seen(self, place: Place, have: Download, answers: Answers) -> Observed:
        """See `HostProvider.seen`; what stands there and is no file shows in place of the digest."""
        status = answers[StatOf(have.path)]
        if status is None:
            return Absent()
        digest = answers[DigestOf(have.path)] if status.kind == "file" else f"(a {status.kind})"
        return Present(have.path, {"sha256": digest or "", **attributes(status, have)}, sort=sort(status, "file"))

    def found(self, place: Place, want: Download, answers: Answers) -> Observed:
        """See `HostProvider.found`: whatever is at that path."""
        seen = self.seen(place, want, answers)
        return msgspec.structs.replace(seen, values={**seen.values, "revision": ""}) if isinstance(seen, Present) else seen

    def make(self, place: Place, want: Download, answers: Answers) -> Work:
        """See `HostProvider.make`."""
        return Work(want.path, (_getting(want, answers),), {"revision": place.token})

    def change(self, place: Place, have: Download, want: Download, answers: Answers) -> Work:
        """See `HostProvider.change`: nothing is fetched where the digest is right."""
        return Work(want.path, (kept(place, want.path), _getting(want, answers)), {"revision": place.token})

    def remove(self, place: Place, have: Download, answers: Answers) -> Work:
        """See `HostProvider.remove`: also a file that somebody has changed."""
        return Work(have.path, remove_file(place, have.path, answers))

    def take_back(self, place: Place, have: Download, before: Download | None, answers: Answers) -> Work:
        """See `HostProvider.take_back`: what the file held, to the byte; nothing is fetched for it."""
        if before is None:
            return self.remove(place, have, answers)
        return Work(before.path, (given_back(place, before.path, [with_attributes(before)]),), outputs=None)

    def explained(self, subject: Download, error: ProviderError) -> ProviderError:
        """See `HostProvider.explained`: what the program said, without the headers."""
        error.detail = hidden(error.detail.replace(shlex.quote(script()), "(fetch.sh)"), plaintexts(dict(subject.headers)))
        ended = _ENDED.search(error.detail)
        if ended is None:
            return error
        said = error.detail.rpartition("\n")[2]
        code, summary, hint = _WRONG.get(ended[1], ("failed", "A file could not be downloaded", ""))
        if ended[1] in _AWAY or _BROKEN.search(said):
            code = "unavailable"
        return ProviderError(code, summary, detail=f"{subject.path} is to come from {subject.url}. {said}", hint=hint)

    def hazards(self, place: Place, want: Download) -> Sequence[Fact]:
        """See `HostProvider.hazards`: the folders above, and a program that can fetch."""
        return [*above(want.path), _TOOLS]

    def findings(self, place: Place, want: Download, answers: Answers) -> Sequence[Finding]:
        """See `HostProvider.findings`; another node may install what is missing."""
        found = blocked(place.address, want.path, answers)
        if answers[_TOOLS].returncode != 0:
            problem = "the machine has neither curl nor wget"
            found.append(Finding(place.address, problem, "Let this come after a node that installs one.", certain=False))
        return found

    def claims(self, want: Download) -> Sequence[str]:
        """See `Provider.claims`."""
        return (f"path:{want.path}",)


class Download(Resource, kind="files.Download", provider=DownloadProvider):
    """A file that the machine fetches by HTTP, with curl or wget; the digest says whether it is the right one.

        tool = files.Download("tool", path="/usr/local/bin/tool", mode="0755",
                              url="https://example.org/tool-1.2", sha256="9f86d081884c7d65…")

    It is fetched only where the file is missing or another one, and takes its place when the digest is right. Headers may hold
    secrets: no argument, no file and no other host gets them.
    """

    path: str = Input(immutable=True, doc="Where it is.")
    url: str = Input(doc="Its address, by http or https.")
    sha256: str = Input(doc="The SHA-256 that it must have, in hex.")
    headers: Mapping[str, str | Secret] = Input(default={}, secret=True, doc="Headers to send; their values may be secret.")
    mode: str = Input(default="0644", doc="Its mode in octal.")
    owner: str | None = Input(default=None, doc="The user who owns it; by default the one who runs purvey.")
    group: str | None = Input(default=None, doc="The group that owns it.")

    revision: str = Output(doc="Another one after each change of the file; what was adopted unchanged has none.")

    @classmethod
    def prepare(cls, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:
        """See `Resource.prepare`.

        Raises:
            ScriptError: ``script.bad_path``, ``script.bad_mode``, ``script.bad_download``.
        """
        known = placed(inputs, folder, "0644")
        if _is_now(known.get("url")) and not re.match(r"https?://[^\s]+$", known["url"]):
            raise _bad(f"`url` is {known['url']!r}.", "Write an address that begins with https:// or http://.")
        if _is_now(known.get("sha256")):
            known["sha256"] = known["sha256"].lower()
            if not _SHA256.fullmatch(known["sha256"]):
                raise _bad(
                    f"`sha256` is {known['sha256']!r}, which is not 64 hexadecimal digits.", "Its maker tells it, or sha256sum."
                )
        headers = known.get("headers")
        for name, value in headers.items() if isinstance(headers, Mapping) else ():
            if not _HEADER.fullmatch(str(name)):
                raise _bad(f"A header is called {name!r}.", "A name has letters, digits and dashes.")
            if _is_now(value) and re.search(r"[\r\n\0]", value):
                raise _bad(f"The header {name} is more than one line.", "Give each header a name of its own.")
        return known


@cache
def script() -> str:
    """What the machine's shell gets."""
    return shell("stage.sh", "fetch.sh")


def _getting(want: Download, answers: Answers) -> Change:
    """Fetch it, or give it its attributes where it is there."""
    if answers[DigestOf(want.path)] == want.sha256:
        return with_attributes(want)
    lines = [f"{name}: {_line(want, name, value)}\n" for name, value in want.headers.items()]
    owner = f"{want.owner or ''}{f':{want.group}' if want.group is not None else ''}"
    words = (
        want.url,
        want.path,
        f".purvey.{stem(want.path)}",
        want.sha256,
        f"{bits(want.mode):04o}",
        owner,
        _follow(want.headers),
    )
    command = Command(("sh", "-c", script(), "fetch.sh", *words), stdin="".join(lines).encode(), timeout_s=FETCH_S)
    return Run(command, foresees=((DigestOf(want.path), want.sha256),), touches=(StatOf(want.path), ContentOf(want.path)))


def _follow(headers: Mapping[str, Value]) -> str:
    """Who may follow to another place, so that no other host gets a secret."""
    secret = {name.lower() for name, value in headers.items() if plaintexts(value) or isinstance(value, Secret)}
    return "all" if not secret else "curl" if secret <= LOGS_IN else "none"


def _line(want: Download, name: str, value: Value) -> str:
    """A header's value, its secret opened.

    Raises:
        ProviderError: ``invalid`` if it came out as more than one line.
    """
    text = str(reveal(value))
    if re.search(r"[\r\n\0]", text):
        raise ProviderError(
            "invalid", "A header is more than one line", detail=f"The header {name} for {want.url} has a line end."
        )
    return text


def _is_now(value: Any) -> bool:
    """Whether it is text that is known while the script runs."""
    return isinstance(value, str) and current().nonce not in value


def _bad(problem: str, hint: str) -> ScriptError:
    return refused("script.bad_download", "A download is not given as it must be", problem, hint)
