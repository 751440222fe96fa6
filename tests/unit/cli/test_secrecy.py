"""No secret goes anywhere: random scripts that pass secrets about in every way, and an oracle that looks everywhere.

The oracle knows each plaintext and the forms in which programs write one. It looks into every file below the project's
folder and the user's data, into the store's database and its log, and at all that any command prints or is started with.
"""

from __future__ import annotations

import base64
import json
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from tests.support.kinds import ThingProvider
from tests.support.world import VARIABLE
from tests.unit.cli.conftest import Purvey

PRELUDE = """\
import base64
from pathlib import Path
from typing import Any
from urllib.parse import quote

from purvey import Input, Options, Output, Resource, Secret, reveal, secret, stack, step, to_base64, to_json, value
from purvey.errors import ProviderError
from purvey.providers import Absent, Done, Pending, Present, Provider
from tests.support.kinds import Safe, Thing, ThingProvider

MADE = Path({made!r})


class VaultProvider(ThingProvider):
    def fields(self, want):
        return {{"size": want.size}}

    def outputs(self, key):
        made = MADE.read_text()
        return {{**super().outputs(key), "made": made, "creds": {{"user": "ada", "password": made}}}}


class Vault(Resource, kind="test.Strongroom", provider=VaultProvider):
    size: int = Input(default=1)
    key: str = Output(stable=True)
    made: str = Output(secret=True, stable=True)
    creds: dict[str, str] = Output(secret=True, stable=True)
    revision: int = Output()
    label: str = Output()


class TalkerProvider(ThingProvider):
    def fields(self, want):
        return {{"size": want.size}}

    def words(self, want):
        text = str(reveal(want.text))
        encoded = base64.b64encode(text.encode()).decode()
        return [text, encoded, quote(text, safe=""), repr(text), f"https://u:{{text}}@h/"][want.size % 5]

    async def create(self, call, want):
        if want.how == "fail":
            raise ProviderError("invalid", "It said no", detail="cannot log in with " + self.words(want))
        if want.how == "raise":
            raise RuntimeError("cannot log in with " + self.words(want))
        call.progress("logging in with " + self.words(want))
        return await super().create(call, want)

    async def read(self, call, have):
        if have.how == "dark":
            raise ProviderError("unavailable", "no", detail="cannot reach " + self.words(have))
        return await super().read(call, have)

    async def update(self, call, have, want):
        if want.how == "stuck":
            raise ProviderError("conflict", "It said no", detail="was " + self.words(have) + " and is " + self.words(want))
        return await super().update(call, have, want)


class Talker(Resource, kind="test.Gossip", provider=TalkerProvider):
    size: int = Input(default=1)
    how: str = Input(default="")
    text: str | Secret = Input(default="", secret=True)
    key: str = Output(stable=True)
    revision: int = Output()
    label: str = Output()


@step
def dsn(pw: Secret) -> str:
    return "dsn://u:" + pw.reveal()


@step
def bare(n: int) -> Any:
    return {{"token": Secret(MADE.read_text()), "n": n}}


@step
def broken(pw: Secret) -> None:
    raise RuntimeError("no log-in with " + pw.reveal())


@dsn.undo
def _undo(result, /, pw):
    if "{undo}":
        raise RuntimeError("cannot take back " + str(reveal(result)))


@stack
def main(size: int = 1, fail: bool = False):
"""

USES = (
    'Safe("{name}", text={secret}, size=size)',
    'Safe("{name}", text=f"u:{{{secret}}}@h", size=size)',
    'Safe("{name}", text=to_json({{"a": [{secret}]}}), size=size)',
    'Safe("{name}", text=to_base64(f"x{{{secret}}}"), size=size)',
    'Safe("{name}", text=f"{{Vault(\'{name}-v\', size=size).made}}+{{{secret}}}")',
    'v = Vault("{name}", size=size)\n    Safe("{name}-r", text=value(v.made))',
    'v = Vault("{name}", size=size)\n    Safe("{name}-s", text=f"x{{value(v.creds)[\'password\']}}")',
    'Safe("{name}", text=Vault("{name}-v").creds["password"], size=size)',
    'Safe("{name}", text=dsn("{name}", pw={secret}).result)',
    'Safe("{name}", text=f"{{bare(\'{name}\', n=size).result}}")',
    'Talker("{name}", text={secret}, size={number} + size, how=size == 1 and "" or "{how}")',
    'Talker("{name}", text=f"{{{secret}}}", size={number} + size, how=size == 1 and "" or "{how}")',
)
"""Ways to pass a secret about; each is a line of the stack's function."""

FAILURES = (
    'Talker("failing", text={secret}, how="fail", size={number})',
    'Talker("failing", text=Vault("failing-v").made, how="raise", size={number})',
    'broken("failing", pw={secret})',
    'raise ValueError("the script itself " + value(Vault("failing").made))',
    'Thing("failing", text=value(Vault("failing-v").made))',
    'Thing("failing", data={{"x": [f"u:{{value(Vault(\'failing-v\').made)}}"]}})',
)
"""Ways to fail with a secret in hand."""

ALPHABETS = ("abcdefghijklmnop0123456789", "aZ9\"'\\/+=&%# {}", "füß€日本-_.~", "ab\n\tcd")


def forms(secret: str) -> set[bytes]:
    """How programs write a secret."""
    texts = {
        secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1],
        json.dumps(secret).replace("/", "\\/")[1:-1],
        quote(secret), quote(secret, safe=""), quote_plus(secret), repr(secret)[1:-1], secret.encode().hex(),
        base64.b64encode(secret.encode()).decode().rstrip("="), base64.urlsafe_b64encode(secret.encode()).decode().rstrip("="),
        *(base64.b64encode(b"x" * shift + secret.encode()).decode()[4 * (shift > 0) : -4] for shift in range(3)),
    }  # fmt: skip
    return {text.encode() for text in texts}


class Oracle:
    """Knows the secrets of a test, and looks for them.

    Args:
        folders: Where no file may hold one.
    """

    def __init__(self, *folders: Path) -> None:
        self._folders = folders
        self._forms: dict[bytes, str] = {}
        self.looked_at: list[str] = []

    def add(self, name: str, secret: str) -> str:
        """Look for `secret` from now on."""
        self._forms.update(dict.fromkeys(forms(secret), name))
        return secret

    def require_silent(self, where: str, said: bytes) -> None:
        """No secret is in what was said."""
        self.looked_at.append(where)
        for form, name in self._forms.items():
            place = said.find(form)
            assert place < 0, f"{where}: {name} as {form!r} in {said[max(place - 300, 0) : place + len(form) + 100]!r}"

    def require_clean(self, when: str) -> None:
        """No secret is in any file."""
        for folder in self._folders:
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    self.require_silent(f"{when}: {path.name}", path.read_bytes())


@pytest.fixture
def arguments(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The words with which processes are started meanwhile."""
    # Not an audit hook: none can be taken away again, and with one each thread that starts under a tracer can fail.
    words: list[bytes] = []
    start = subprocess.Popen.__init__

    def listen(self: subprocess.Popen[Any], args: Any, *rest: Any, **options: Any) -> None:
        words.extend(str(word).encode() for word in ([args] if isinstance(args, str | bytes) else args))
        start(self, args, *rest, **options)

    monkeypatch.setattr(subprocess.Popen, "__init__", listen)
    return words


def invented(rng: random.Random) -> str:
    """A secret that nobody can mistake for anything else."""
    return "".join(rng.choices(rng.choice(ALPHABETS), k=rng.randrange(12, 40))).strip() + rng.randbytes(4).hex()


def written(rng: random.Random, made: Path, sources: list[str], *, failing: bool) -> str:
    """A random script."""

    def line(template: str, number: int) -> str:
        return template.format(
            name=f"n{number}",
            secret=f"secret('{rng.choice(sources)}')",
            number=rng.randrange(5),
            how=rng.choice(["dark", "stuck"]),
        )

    uses = [line(template, number) for number, template in enumerate(rng.choices(USES, k=rng.randrange(2, 6)))]
    failure = line(rng.choice(FAILURES), 0) if failing else "pass"
    outputs = f'return {{"pw": secret("{rng.choice(sources)}"), "made": Vault("out").made}}'
    body = "\n".join(f"    {text}" for text in (*uses, f"if fail:\n        {failure}", outputs))
    return PRELUDE.format(made=str(made), undo="x" if rng.random() < 0.3 else "") + body + "\n"


@pytest.mark.trials(sample=3, full=300)
def test_no_secret_goes_anywhere(
    purvey: Purvey, tmp_path: Path, rng: random.Random, monkeypatch: pytest.MonkeyPatch, arguments: list[bytes]
) -> None:
    """Plans, runs that succeed, fail, are undone and resumed, and every look at them afterwards tell no secret in any form."""
    monkeypatch.setattr(ThingProvider, "lands_within_s", 0.1)  # What was cut off here is never under way for two minutes.
    outside = tmp_path / "outside"
    outside.mkdir()
    project = tmp_path / "project"
    project.mkdir()
    (project / "purvey.toml").write_text("", encoding="utf-8")
    monkeypatch.chdir(project)
    monkeypatch.setenv(VARIABLE, str(outside / "world.json"))
    oracle = Oracle(project, tmp_path / "home")
    made, file = outside / "made", outside / "pw"
    made.write_text(oracle.add("made", invented(rng)), encoding="utf-8")
    file.write_text(oracle.add("file", invented(rng)), encoding="utf-8")
    file.chmod(0o600)
    monkeypatch.setenv("PW", oracle.add("env", invented(rng)))
    (project / "main.py").write_text(written(rng, made, ["env:PW", f"file:{file}"], failing=True), encoding="utf-8")

    def play(*words: str) -> None:
        """A command, and a look at everything that it said and left."""
        told = purvey(*words)
        assert told.code != 70, told.err  # Our own mistake.
        oracle.require_silent(f"{words}: said", (told.out + told.err).encode())
        oracle.require_clean(str(words))
        oracle.require_silent(f"{words}: processes", b"\n".join(arguments))

    play("plan", "main.py")
    play("apply", "main.py", "--yes", "--json")
    play("plan", "main.py", "--json", "--size", "2", "--out", "p.plan") if rng.random() < 0.5 else play("drift", "main.py")
    if rng.random() < 0.5:
        monkeypatch.setenv("PW", oracle.add("env, later", invented(rng)))
    play("apply", "main.py", "--yes", "--size", "2", "--fail", "--on-failure", rng.choice(["undo", "keep", "continue"]))
    play("resume", "main.py", "--yes")
    play("runs", "--json")
    play("show", json.loads(purvey("runs", "--json").out)[0]["id"])
    for item in json.loads(purvey("state", "list", "main.py", "--json").out):
        play("state", "show", "main.py", item["address"], *(["--json"] if rng.random() < 0.5 else []))
    play("outputs", "main.py", "--json")
    play("graph", "main.py")
    play("undo", "main.py", "--yes")
    play("destroy", "main.py", "--yes", "--json")
    shutil.rmtree(outside)
    assert len(oracle.looked_at) > 40


def test_the_oracle_sees(tmp_path: Path) -> None:
    """A secret in any form, in a file or in what was said, is found; what is none is not."""
    oracle = Oracle(tmp_path)
    secret = oracle.add("pw", 'p"ä/ss+42 word')
    for text in (secret, json.dumps({"x": secret}), quote_plus(secret), base64.b64encode(f"u:{secret}".encode()).decode()):
        (tmp_path / "log").write_text(f"before {text} after", encoding="utf-8")
        with pytest.raises(AssertionError, match="pw"):
            oracle.require_clean("then")
    (tmp_path / "log").write_text("nothing", encoding="utf-8")
    oracle.require_clean("now")
