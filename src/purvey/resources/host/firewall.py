"""Rules of the kernel's packet filter, in a table of their own, which take themselves back where they shut purvey out.

Rules are put in force by a first step, which starts a timer on the machine; a second one, which comes over a new connection,
confirms them. Where it does not arrive in time, the machine puts back the rules that it had. The two decide by one link, which
only one of them can make; and only confirmed rules are written where the machine's start reads them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from purvey._base.value import Value
from purvey._hosts.change import Change, MakeDirectory, MakeOwnFolder, Remove, Run, Write
from purvey._hosts.command import Command
from purvey._hosts.fact import Answers, Ask, ContentOf, Fact, StatOf
from purvey._hosts.step import Ended, Step
from purvey._script.fields import Input, Output
from purvey._script.resource import Resource
from purvey.errors import HostError, ProviderError
from purvey.providers import Absent, Call, Done, Finding, Observed, Present
from purvey.providers.host import HostProvider, Place, Work, place_of, went_through
from purvey.resources._given import bad, matching, recorded, require, text
from purvey.resources._programs import missing, not_installed, program

if TYPE_CHECKING:
    from collections.abc import Callable

Family = Literal["inet", "ip", "ip6", "arp", "bridge", "netdev"]

_FOLDER: Final = "/etc/nftables.d"
_FAMILY: Final = re.compile("|".join(get_args(Family)))
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RULES: Final = re.compile(r"(?s)\s*(?!table |flush |add )\S.*")
_RULES_SAYS: Final = "Write what stands between the braces of a table."
_NAME_SAYS: Final = "Begin with a letter or `_`, then letters, digits and `_`."
_PROGRAMS: Final = (("nft", "nftables"),)

_LOOK: Final = r"""
if ! command -v nft >/dev/null; then exit 0; fi
nft list tables >/dev/null || exit 9
nft -s list table "$1" "$2" || exit 0
"""

_TRY: Final = r"""
set -eu
folder=$PWD/$1 family=$2 name=$3 seconds=$4
if [ ! -e "$folder/back" ]; then
  former=$(nft -s list table "$family" "$name" 2>/dev/null || true)
  printf 'table %s %s\ndelete table %s %s\n%s\n' "$family" "$name" "$family" "$name" "$former" >"$folder/back.new"
  mv -f -- "$folder/back.new" "$folder/back"
fi
rm -f -- "$folder/decided"
setsid sh -c 'sleep "$2"; ln -s reverted "$1/decided" && nft -f "$1/back"' sh "$folder" "$seconds" </dev/null >/dev/null 2>&1 &
nft -f "$folder/table"
"""
"""Former rules are kept by the first attempt only; the timer runs before the new ones are in force."""

_CONFIRM: Final = r"""
ln -s confirmed "$1/decided" 2>/dev/null
[ "$(readlink "$1/decided")" = confirmed ] || exit 1
for it in *; do
  if [ "$it" != "$1" ] && [ -L "$it/decided" ]; then rm -rf -- "$it"; fi
done
"""
"""What earlier operations tried is not needed any more, once that is decided."""


class FirewallProvider(HostProvider["Firewall"]):
    """Tables of nftables."""

    def facts(self, place: Place, subject: Firewall) -> Sequence[Fact]:
        """See `HostProvider.facts`: the rules that are in force, and those that will be after a start."""
        require(subject.name, _NAME, "The name of a table", _NAME_SAYS)
        require(subject.family, _FAMILY, "The family of a table", "Name one of nft(8).")
        return [_live(subject), ContentOf(_file(subject)), StatOf(_FOLDER)]

    def seen(self, place: Place, have: Firewall, answers: Answers) -> Observed:
        """See `HostProvider.seen`: whether rules are still those that were set is told by a digest of what the kernel lists."""
        live, content = _listed(answers, have), answers[ContentOf(_file(have))]
        if not live and content is None:
            return Absent()
        rules = have.rules if content == _text(have) else _body(have, (content or b"").decode(errors="replace"))
        outputs: dict[str, Value] = {"digest": _digest(live), "revision": recorded(have, "revision")}
        return Present(_id(have), {"name": have.name, "family": have.family, "rules": rules, **outputs})

    def make(self, place: Place, want: Firewall, answers: Answers) -> Work:
        """See `HostProvider.make`: the first step, which takes itself back."""
        return _tried(place, want)

    def change(self, place: Place, have: Firewall, want: Firewall, answers: Answers) -> Work:
        """See `HostProvider.change`."""
        same = answers[ContentOf(_file(want))] == _text(want) and _digest(_listed(answers, want)) == recorded(have, "digest")
        return Work(_id(want), outputs={"revision": place.token}, after=(_live(want),)) if same else _tried(place, want)

    def confirmation(self, place: Place, want: Firewall, answers: Answers) -> tuple[Change, ...]:
        """The second step: rules that let it through are made to last."""
        folder = [MakeDirectory(_FOLDER, 0o755)] if answers[StatOf(_FOLDER)] is None else []
        confirm = Run(_in_folder(place, _CONFIRM), touches=())
        return (confirm, *folder, Write(_file(want), _text(want), 0o600))

    def remove(self, place: Place, have: Firewall, answers: Answers) -> Work:
        """See `HostProvider.remove`: without rules nobody is shut out, so nothing has to be confirmed."""
        gone = [Run(Command(("nft", "delete", "table", have.family, have.name)), touches=(_live(have),))]
        return Work(
            _id(have), (Remove(_file(have)), *(gone if _listed(answers, have) else []), Remove(place.folder, whole=True))
        )

    def learnt(self, want: Firewall, work: Work, ended: Ended) -> Mapping[str, Value]:
        """See `HostProvider.learnt`: the digest of the rules as the kernel lists them."""
        return {"digest": _digest(_listed(ended.answers, want))} if work.after else {}

    def explained(self, subject: Firewall, error: ProviderError) -> ProviderError:
        """See `HostProvider.explained`."""
        if _CONFIRM.split("\n")[1] in error.detail:
            return _taken_back(subject)
        return not_installed(error, "nft", "nftables")

    async def create(self, call: Call, want: Firewall) -> Done:
        """See `Provider.create`."""
        return await self._settle(call, want, lambda place, answers: self.make(place, want, answers))

    async def update(self, call: Call, have: Firewall, want: Firewall) -> Done:
        """See `Provider.update`."""
        return await self._settle(call, want, lambda place, answers: self.change(place, have, want, answers))

    async def undo(self, call: Call, have: Firewall, before: Firewall | None) -> None:
        """See `Provider.undo`: former rules are tried and confirmed as new ones are."""
        if before is None:
            await self.delete(call, have)
        else:
            await self.update(call, have, before)

    async def _settle(self, call: Call, want: Firewall, decide: Callable[[Place, Answers], Work]) -> Done:
        """Try the rules, and confirm them over a new connection."""
        place = place_of(call)
        answers = await call.host.ask(self.facts(place, want))
        work = decide(place, answers)
        done = await self._perform(call, want, work)
        if not work.changes:
            return done
        await call.host.renew()
        step = Step(f"{call.token}-confirm", call.attempt, self.confirmation(place, want, answers), after=(_live(want),))
        try:
            (ending,) = await call.host.perform([step])
        except HostError as error:
            error.detail = f"{error.detail}\nIts new rules may be why; it puts back the former ones after {want.confirm_s:g} s."
            raise
        ended = went_through(self, want, ending)
        return Done(done.id, {**done.outputs, "digest": _digest(_listed(ended.answers, want))})

    def hazards(self, place: Place, want: Firewall) -> Sequence[Fact]:
        """See `HostProvider.hazards`."""
        return [program(name) for name, _ in _PROGRAMS]

    def findings(self, place: Place, want: Firewall, answers: Answers) -> Sequence[Finding]:
        """See `HostProvider.findings`."""
        return missing(place.address, _PROGRAMS, answers)

    def claims(self, want: Firewall) -> Sequence[str]:
        """See `Provider.claims`."""
        return (f"nft:{want.family} {want.name}", f"path:{_file(want)}")


class Firewall(Resource, kind="host.Firewall", provider=FirewallProvider):
    """A table of rules for the kernel's packet filter, in the words of nft(8).

        host.Firewall("web", rules=\"\"\"
            chain input {
                type filter hook input priority filter; policy drop;
                ct state established,related accept
                iif lo accept
                tcp dport { 22, 80, 443 } accept
            }
        \"\"\")

    The table is purvey's own; others are left alone. New rules have to let purvey in again, over a new connection and within
    `confirm_s`; the machine puts back the former ones otherwise. They are kept in /etc/nftables.d, and are in force after a
    start where /etc/nftables.conf has the line `include "/etc/nftables.d/*.nft"`.
    """

    name: str = Input(default=None, immutable=True, doc="The table's name; by default the node's.")
    family: Family = Input(default="inet", immutable=True, doc="The table's family, as nft(8) has it.")
    rules: str = Input(doc="What stands in the table: its chains and sets.")
    confirm_s: float = Input(default=60.0, doc="Seconds after which rules that are not confirmed are taken back.")

    digest: str = Output(compared=True, doc="Changes when anybody changes the rules in force.")
    revision: str = Output(doc="Another one after each change, for what has to notice it.")

    @classmethod
    def prepare(cls, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:  # noqa: ARG003 - as the base has it.
        """See `Resource.prepare`.

        Raises:
            ScriptError: ``script.bad_input``.
        """
        matching(inputs, "name", _NAME, _NAME_SAYS)
        rules = text(inputs.get("rules"))
        if rules is not None and not _RULES.fullmatch(rules):
            raise bad("`rules` are empty, or begin with a command.", _RULES_SAYS)
        return inputs if rules is None else {**inputs, "rules": rules.strip("\n")}


def _id(subject: Firewall) -> str:
    return f"{subject.family} {subject.name}"


def _file(subject: Firewall) -> str:
    return f"{_FOLDER}/purvey-{subject.family}-{subject.name}.nft"


def _live(subject: Firewall) -> Ask:
    return Ask(("sh", "-c", _LOOK, "sh", subject.family, subject.name))


def _listed(answers: Answers, subject: Firewall) -> str:
    """The rules in force; empty where there is no such table.

    Raises:
        HostError: if they cannot be told.
    """
    said = answers[_live(subject)]
    if said.returncode:
        raise HostError(
            "denied",
            "A machine does not tell its packet filter's rules",
            detail=f"`nft list tables` fails there: {said.text()}",
        )
    return said.text()


def _digest(listed: str) -> str:
    return hashlib.sha256(listed.encode()).hexdigest()[:32] if listed else ""


def _head(subject: Firewall) -> str:
    table = f"table {subject.family} {subject.name}"
    return f"{table}\ndelete {table}\n{table} {{\n"


def _text(subject: Firewall) -> bytes:
    """Made, so that it can be deleted, and made anew: the kernel does all of it at once, or nothing."""
    return f"{_head(subject)}{subject.rules}\n}}\n".encode()


def _body(subject: Firewall, content: str) -> str:
    """The rules in a file; the whole of it where it is not as purvey writes it."""
    head = _head(subject)
    return content.removeprefix(head).removesuffix("\n}\n") if content.startswith(head) else content


def _in_folder(place: Place, script: str, *arguments: str) -> Command:
    """A script that runs in the node's own folder, with the name of the folder there in which one operation tries its rules."""
    return Command(("sh", "-c", script, "sh", place.token, *arguments), cwd=place.folder)


def _tried(place: Place, want: Firewall) -> Work:
    require(want.rules, _RULES, "The text of rules", _RULES_SAYS)
    folder = f"{place.folder}/{place.token}"
    check = Command(("nft", "-c", "-f", "{path}"))
    attempt = _in_folder(place, _TRY, want.family, want.name, f"{want.confirm_s:g}")
    changes = (
        MakeOwnFolder(place.folder), MakeOwnFolder(folder), Write(f"{folder}/table", _text(want), 0o600, validate=check),
        Run(attempt, touches=None),
    )  # fmt: skip
    return Work(_id(want), changes, {"revision": place.token}, after=(_live(want),))


def _taken_back(subject: Firewall) -> ProviderError:
    return ProviderError(
        "failed", "New rules of a packet filter have taken themselves back",
        detail=f"They were not confirmed within {subject.confirm_s:g} s, so the machine has its former rules again.",
        hint="Let purvey's own way to the machine through, or give it more time as `confirm_s`.",
    )  # fmt: skip
