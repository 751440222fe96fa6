"""Cases of kinds that live on machines, as data: a wish, what a machine answers, and what follows from it.

A case is a file ``tests/cases/KIND/NAME.json``. People write what is wished and in which state a machine is:

    promise   one sentence
    kind      ``files.Line``
    given     lines of sh that bring a machine into the state
    beside    files beside the script, by name; ``run.sh!`` may be executed, and ``current->`` is a link; bytes that are no
              text are ``{"base64": …}``
    have      null, the inputs and outputs as they are recorded, or "found": what is there is adopted
    want      the inputs as a script passes them; null removes
    no_undo   why taking back does not bring the former state back, or a failure or removal leaves something; empty where
              nothing is left, which is then proved
    no_host   why it is not replayed on a machine; empty where it is
    busybox   whether a machine with nothing but busybox does the same
    packages  what the machine has on top of others
    lab       whether it needs a machine with a network, mounts and a name of its own: a host of a lab, reached by SSH
    vm        whether it needs a machine with a kernel and a systemd of its own: a virtual one, in ``make test-vm``

and ``PURVEY_GOLDEN=write`` fills in, from a real machine, what is then read line by line: the `facts` with their answers, what
is `seen`, the `changes`, the `outputs` with what `ended` says for those that are known only then, what is seen `after`, and
the `error` where there is one. ``{here}`` is the script's folder, ``{server}`` a server of HTTP that serves what is beside it;
so long texts of shell have names, too. Of the server's paths, ``/secret/`` wants ``Authorization: Bearer s3cret & "q"``,
``/open/`` wants none, ``/moved/`` leads to the same below ``/``, ``/away/`` to ``/open/`` on what counts as another host, and
``/down/`` fails.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import msgspec

from purvey._base.value import Masked, Secret, digest
from purvey._hosts.fact import Answers, Fact
from purvey._hosts.step import Ended
from purvey._script.recorder import Ignorant, Recorder, recording
from purvey._script.resource import Resource
from purvey.errors import PurveyError
from purvey.providers import Absent, Kind, Observed, Present, Recorded, Unreadable, registry
from purvey.providers.host import HostProvider, Place, Work
from purvey.resources.files import _merge, _tree, download
from purvey.resources.images import _scripts
from purvey.resources.services import _script, openrc, sysv
from tests.support.case_words import decoded_answer, decoded_fact, plain, spelt, unpacked

FOLDER: Final = Path(__file__).resolve().parents[1] / "cases"
NAMES: Final = sorted(str(path.relative_to(FOLDER).with_suffix("")) for path in FOLDER.rglob("*.json"))
"""Every case, as ``KIND/NAME``."""

NO_SERVER: Final = "http://server.test"
SCRIPTS: Final = (
    ("{merge.sh}", _merge.script()), ("{fetch.sh}", download.script()), ("{look}", _tree.LOOK), ("{await}", _script.AWAIT),
    ("{sysv status}", sysv.STATUS), ("{sysv links}", sysv.LINKS), ("{openrc status}", openrc.STATUS),
    ("{openrc levels}", openrc.LEVELS), ("{openrc reload}", openrc.RELOAD), ("{image.sh}", _scripts.image()),
    ("{tree.sh}", _scripts.tree()),
)  # fmt: skip
"""Texts that stand in many cases, and say nothing there."""

TOKEN: Final = "01CASE"
UNDO_TOKEN: Final = "01UNDO"
_ENTROPY: Final = b"\x01" * 32


class Case(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """See the module."""

    promise: str
    kind: str
    given: list[str] = []
    beside: dict[str, str | dict[str, str]] = {}
    have: dict[str, Any] | str | None = None
    want: dict[str, Any] | None = None
    no_undo: str = ""
    no_host: str = ""
    busybox: bool = False
    packages: list[str] = []
    lab: bool = False
    vm: bool = False
    facts: list[Any] = []
    seen: Any = None
    changes: list[Any] | None = None
    outputs: dict[str, Any] = {}
    ended: dict[str, Any] = {}
    after: Any = None
    error: dict[str, str] | None = None


class Setting(msgspec.Struct, frozen=True):
    """What the words ``{here}`` and ``{server}`` of a case mean now."""

    here: str
    server: str = NO_SERVER

    def filled(self, value: Any) -> Any:
        """`value` with the words replaced."""
        return _replaced(value, (*SCRIPTS, ("{here}", self.here), ("{server}", self.server)))

    def spelt(self, value: Any) -> Any:
        """`value` with the words in it again."""
        pairs = ((text, name) for name, text in SCRIPTS)
        return _replaced(value, (*pairs, (self.here, "{here}"), (self.server, "{server}")))


def _replaced(value: Any, pairs: Sequence[tuple[str, str]]) -> Any:
    if isinstance(value, dict):
        return {name: _replaced(item, pairs) for name, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item, pairs) for item in value]
    if isinstance(value, str):
        for old, new in pairs:
            value = value.replace(old, new)
    return value


def load(name: str) -> Case:
    """The case ``KIND/NAME``."""
    return msgspec.json.decode((FOLDER / f"{name}.json").read_bytes(), type=Case)


def write(name: str, told: Mapping[str, Any]) -> None:
    """Put what a machine told into the case's file, beside what people wrote."""
    path = FOLDER / f"{name}.json"
    known = json.loads(path.read_text(encoding="utf-8"))
    own = {key: known[key] for key in Case.__struct_fields__ if key in known and key not in TOLD}
    path.write_text(spelt({**own, **{key: value for key, value in told.items() if value or key in ("seen", "changes")}}))


TOLD: Final = ("facts", "seen", "changes", "outputs", "ended", "after", "error")
"""The fields that a machine fills in."""


class Trial:
    """One case, brought to life: the provider's pure methods, called as the engine calls them.

    Args:
        case: The case.
        setting: What its words mean.
    """

    def __init__(self, case: Case, setting: Setting) -> None:
        self.case = case
        self.setting = setting
        self.kind: Kind = registry.get(case.kind)
        provider = self.kind.provider
        assert isinstance(provider, HostProvider)
        self.provider: HostProvider[Any] = provider
        self.place = Place(
            address=f"lab/test::{case.kind}::x", folder="@purvey/objects/x", token=TOKEN, name="lab-test-x", entropy=_ENTROPY
        )
        for name, text in case.beside.items():
            _put(Path(setting.here, name), text)

    @cached_property
    def want(self) -> Any:
        """What is wished; None for nothing."""
        return self._declared(self.case.want) if self.case.want is not None else None

    @property
    def subject(self) -> Any:
        """What the operation's questions are about."""
        return self.want if self.want is not None else self._view(self.case.have)

    def facts(self) -> tuple[Fact, ...]:
        """What is asked first."""
        asked = list(self.provider.facts(self.place, self.subject))
        if isinstance(self.case.have, dict):  # The engine has looked at what is recorded before it changes it.
            asked += self.provider.facts(self.place, self._view(self.case.have))
        return tuple(dict.fromkeys(asked))

    def seen(self, answers: Answers) -> Observed:
        """What is there of it."""
        if isinstance(self.case.have, dict):
            return self.provider.seen(self.place, self._view(self.case.have), answers)
        return self.provider.found(self.place, self.want, answers)

    def have(self, answers: Answers) -> Any:
        """What is recorded before; None for nothing."""
        if self.case.have is None:
            return None
        if isinstance(self.case.have, dict):
            return self._view(self.case.have)
        found = self.provider.found(self.place, self.want, answers)
        assert isinstance(found, Present), f"there is nothing to adopt: {found}"
        return self.want.with_values(**found.values)

    def before(self, answers: Answers) -> Any:
        """What an undo gives back: the record, with what was really there."""
        have = self.have(answers)
        if have is None:
            return None
        seen = self.provider.seen(self.place, have, answers)
        values = seen.values if isinstance(seen, Present) else {}
        return have.with_values(**{name: value for name, value in values.items() if name in self.kind.inputs})

    def work(self, answers: Answers) -> Work:
        """What is done, from what was asked."""
        have = self.have(answers)
        if self.want is None:
            return self.provider.remove(self.place, have, answers)
        if have is None:
            return self.provider.make(self.place, self.want, answers)
        return self.provider.change(self.place, have, self.want, answers)

    def outputs(self, work: Work, ended: Ended) -> dict[str, Any]:
        """The outputs when it is done."""
        return {**(work.outputs or {}), **self.provider.learnt(self.subject, work, ended)}

    def undoing(self) -> Place:
        """The place of the operation that takes this one back."""
        return msgspec.structs.replace(self.place, token=UNDO_TOKEN, undoes=TOKEN)

    def differences(self, record: Any, seen: Present) -> list[str]:
        """The fields in which what is there is not what is recorded, as a plan compares them."""
        values = masked(dict(record._values))
        inputs = {name: value for name, value in values.items() if name in self.kind.inputs}
        outputs = {name: value for name, value in values.items() if name in self.kind.outputs}
        found = self.provider.diff(self.kind, inputs, Recorded(inputs, outputs), masked(seen.values))
        return [change.path for change in found.changes]

    def told_answers(self) -> Answers:
        """The answers that the case tells."""
        return Answers(self._decoded(self.case.facts))

    def told_end(self) -> Ended:
        """How the case tells that the work ended."""
        told = self.setting.filled(self.case.ended)
        answers = Answers(self._decoded(told.get("answers", [])))
        return Ended(told.get("out", "").encode(), b"", answers, told.get("code", 0))

    def _decoded(self, pairs: Sequence[Any]) -> dict[Fact, Any]:
        facts = [(decoded_fact(fact), answer) for fact, answer in self.setting.filled(pairs)]
        return {fact: decoded_answer(fact, answer) for fact, answer in facts}

    def _view(self, recorded: Any) -> Any:
        return self.kind.bind(self.place.address, opened(self.setting.filled(recorded)))

    def _declared(self, inputs: Any) -> Any:
        declaration = self.kind.bind("", {}).__class__
        assert issubclass(declaration, Resource)
        with recording(Recorder(Ignorant(), Path(self.setting.here), "nonce0nonce0")):
            prepared = declaration.prepare(opened(self.setting.filled(inputs)), Path(self.setting.here))
        assert set(prepared) <= self.kind.inputs, set(prepared) - self.kind.inputs
        return self.kind.bind(self.place.address, prepared)


def _put(path: Path, told: str | dict[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.name.endswith("->"):
        path.with_name(path.name.removesuffix("->")).symlink_to(str(told))
        return
    file = path.with_name(path.name.removesuffix("!"))
    file.write_bytes(unpacked(told))
    file.chmod(0o755 if path.name.endswith("!") else 0o644)


def opened(value: Any) -> Any:
    """What a case tells of values, with its secrets made."""
    if isinstance(value, dict):
        return Secret(value["$secret"]) if "$secret" in value else {name: opened(item) for name, item in value.items()}
    return [opened(item) for item in value] if isinstance(value, list) else value


def masked(value: Any) -> Any:
    """A value as a plan sees it."""
    if isinstance(value, Secret):
        return Masked(digest(value.reveal()))
    if isinstance(value, dict):
        return {name: masked(item) for name, item in value.items()}
    return [masked(item) for item in value] if isinstance(value, list) else value


def told_seen(seen: Observed) -> Any:
    """How a case tells what is there."""
    if isinstance(seen, Present):
        return {"id": seen.id, "values": plain(seen.values)}
    assert isinstance(seen, Absent | Unreadable)
    return "absent" if isinstance(seen, Absent) else f"unreadable: {seen.reason}"


def told_error(error: PurveyError) -> dict[str, str]:
    """How a case tells an error."""
    detail = re.sub(r"sh: \d+: ", "sh: ", error.detail)  # Which line of the runner it was may change with each edit of that.
    detail = re.sub(r"by process \d+", "by process N", detail)
    return {"code": error.code, "summary": error.summary, "detail": detail, "hint": error.hint}
