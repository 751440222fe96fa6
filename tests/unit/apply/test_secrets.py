"""Secrets that change, go away, or come out where nobody declared them: never in clear, and never mistaken."""

from __future__ import annotations

import pytest

from purvey._apply.redacting import cleaned
from purvey._base.value import Secret
from purvey._secrets.redaction import Redactor
from purvey._state.record import Closed, Left, Opened
from purvey.errors import ScriptError
from purvey.providers import Done
from tests.support.project import Project, actions

KINDS = """
from purvey import Input, Output, Resource, reveal
from purvey.errors import ProviderError
from purvey.providers import Done, Pending, Provider
from tests.support.kinds import TaggedProvider, ThingProvider

class VaultProvider(TaggedProvider):
    def outputs(self, key):
        return {**super().outputs(key), "made": "hunt" + "er2", "creds": {"password": "dict-" + "plaintext"}}

class Vault(Resource, kind="test.Vault", provider=VaultProvider):
    size: int = Input(default=1)
    key: str = Output(stable=True)
    made: str = Output(secret=True, stable=True)
    creds: dict[str, str] = Output(secret=True, stable=True)
    revision: int = Output()
    label: str = Output()

class TalkerProvider(ThingProvider):
    def fields(self, want):
        return {"size": want.size}
    async def create(self, call, want):
        done = await super().create(call, want)
        return Pending(done.id, 400.0, "no log-in with " + reveal(want.text)) if want.size == 7 else done
    async def ready(self, call, want):
        return Pending(call.id, 400.0, "no log-in with " + reveal(want.text))
    async def read(self, call, have):
        raise ProviderError("unavailable", "no", detail="cannot reach u:" + reveal(have.text))

class Talker(Resource, kind="test.Talker", provider=TalkerProvider):
    size: int = Input(default=1)
    text: str | Secret = Input(default="", secret=True)
    key: str = Output(stable=True)
    revision: int = Output()
    label: str = Output()
"""


def stored(project: Project) -> bytes:
    """Everything in the store."""
    return b"".join(path.read_bytes() for path in (project.folder / ".purvey").rglob("*") if path.is_file())


def texts(project: Project) -> list[str]:
    """The texts of what is in the world."""
    return [entry["text"] for entry in project.world.objects.values() if "text" in entry]


def test_an_undo_never_takes_the_new_secret_for_the_former_one(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the former secret is gone from its source, the undo says so and the run ends partial."""
    monkeypatch.setenv("PW", "aaaaaaaa")
    project.declare('s = Safe("s", text=secret("env:PW"))\nif fail: Probe("p", of=s.key)', signature="fail: bool = False")
    project.apply()
    monkeypatch.setenv("PW", "bbbbbbbbbbbbbbbb")
    project.world.fail("check", "p")

    ended = project.apply(parameters={"fail": True})

    assert ended.result == "partial"
    assert "has another value or none" in ended.cause_detail
    assert texts(project) == ["opened 16"]


def test_an_undo_puts_back_the_text_that_was_composed_then(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Text made from a secret and an output is put back with the output's former value."""
    monkeypatch.setenv("PW", "abcdefgh")
    project.declare(
        'a = Thing("a", text=text)\ns = Safe("s", text=f"{secret(\'env:PW\')}{a.text}")\nif fail: Probe("p", of=s.key)',
        signature='text: str = "x", fail: bool = False',
    )
    project.apply()
    project.world.fail("check", "p")

    ended = project.apply(parameters={"text": "yyyyy", "fail": True})

    assert ended.result == "undone"
    assert texts(project) == ["x", "opened 9"]


def test_text_composed_from_a_sealed_secret_can_be_opened_again(project: Project) -> None:
    """A secret that the world made, inside longer text, is read back from the record."""
    project.declare('a = Safe("a")\nb = Safe("b", text=f"u:{a.made}@h", size=size)', signature="size: int = 1")
    project.apply()

    assert project.apply(parameters={"size": 2}).result == "succeeded"
    assert actions(project.plan(size=2)) == {}


def test_a_secret_that_is_gone_stops_only_who_needs_it(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old source may vanish once the script names a new one; a removal does not need it either."""
    monkeypatch.setenv("OLD", "aaaaaaaa")
    monkeypatch.setenv("NEW", "bbbbbbbbb")
    project.declare('Safe("s", text=secret(source))', signature='source: str = "env:OLD"')
    project.apply()
    monkeypatch.delenv("OLD")

    assert project.apply(parameters={"source": "env:NEW"}).result == "succeeded"
    assert texts(project) == ["opened 9"]
    monkeypatch.delenv("NEW")
    assert project.destroy().result == "succeeded"


@pytest.mark.parametrize("use", ["value(v.made)", 'value(f"u:{v.made}@h")', 'value(v.creds)["password"]', "value(v.creds)"])
def test_a_revealed_secret_is_refused_where_it_would_be_in_clear(project: Project, use: str) -> None:
    """Short, composed and nested secrets that `value` gave to the script are still secrets."""
    field = "data" if use == "value(v.creds)" else "text"
    project.write(f'{KINDS}\n@stack\ndef main():\n    v = Vault("v")\n    Thing("t", {field}={use})\n')

    with pytest.raises(ScriptError, match="cannot keep it"):
        project.apply()

    assert not any(secret in stored(project) for secret in (b"hunter2", b"dict-plaintext"))


def test_a_part_of_a_secret_can_be_passed_on(project: Project) -> None:
    """One item of a secret dictionary is a secret, and reaches an input that accepts it."""
    project.write(KINDS + '\n@stack\ndef main():\n    v = Vault("v")\n    Safe("t", text=v.creds["password"])\n')

    assert project.apply().result == "succeeded"
    assert texts(project) == [f"opened {len('dict-plaintext')}"]
    assert actions(project.plan()) == {}


def test_what_is_adopted_is_recorded_without_its_secrets(project: Project) -> None:
    """Secret outputs of what was found are sealed."""
    project.write(KINDS + '\n@stack\ndef main():\n    Vault("v", opts=Options(adopt=True))\n')
    project.world.set("ext", name="v", kind="test.Vault", size=1, revision=1)

    assert project.apply().result == "succeeded"
    assert b"hunter2" not in stored(project)


def test_what_is_imported_is_recorded_without_its_secrets(project: Project) -> None:
    """Secret outputs of what was found are sealed."""
    project.write(KINDS + '\n@stack\ndef main():\n    Vault("v")\n')
    project.world.set("ext", name="v", kind="test.Vault", size=1, revision=1)

    project.session().state_import(project.script_path, "test.Vault::v")

    assert b"hunter2" not in stored(project)


def test_what_recovery_finds_is_recorded_without_its_secrets(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Secret outputs of what an interrupted create had made are sealed."""
    project.write(KINDS + '\n@stack\ndef main():\n    Vault("v")\n')

    class Killed(BaseException):
        """The process ends."""

    def die(*_: object) -> Done:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr("tests.support.kinds.ThingProvider.outcome", die)
        with pytest.raises(Killed):
            project.apply()

    assert project.resume().result == "succeeded"
    assert b"hunter2" not in stored(project)


def test_words_of_the_world_are_cleaned_wherever_they_go(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret in what a provider says is masked in warnings, in how a run ends, and in the store."""
    monkeypatch.setenv("PW", "supersecretpassword")
    project.write(
        KINDS + '\n@stack\ndef main(size: int = 1):\n    Talker("r", text=secret("env:PW"))\n'
        '    if size == 7: Talker("s", size=7, text=secret("env:PW"))\n'
    )
    project.apply()

    assert "cannot reach u:(secret)" in str(project.plan().warnings)
    ended = project.apply(parameters={"size": 7})
    assert (ended.result, ended.cause_detail) == ("parked", "no log-in with (secret)")
    assert b"supersecretpassword" not in stored(project)


def test_the_ledger_of_a_partial_run_is_cleaned() -> None:
    """What the world said of an object that it does not let go is masked there, too."""
    redactor = Redactor()
    redactor.add(Secret("supersecretpassword"))
    line = Left(address="a", generation=1, verb="create", why="failed", detail="no log-in with supersecretpassword")

    clean = cleaned(Closed(at=0.0, result="partial", left=(line, line)), redactor)

    assert [item.detail for item in clean.left] == ["no log-in with (secret)"] * 2


def test_a_step_that_returns_its_secret_returns_a_secret(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Text that a step made from a secret argument is sealed; so is a secret of its own."""
    monkeypatch.setenv("PW", "step-plaintext-secret")
    project.write(
        "@step\ndef own(n: int) -> Any:\n    return Secret('own-' + 'plaintext')\n"
        "@step\ndef dsn(pw: Secret) -> str:\n    return 'dsn://' + pw.reveal()\n"
        "@stack\ndef main():\n    Safe('a', text=dsn('d', pw=secret('env:PW')).result)\n"
        "    Safe('b', text=own('o', n=1).result)\n"
    )

    assert project.apply().result == "succeeded"
    assert sorted(texts(project)) == ["opened 13", "opened 27"]
    assert not any(secret in stored(project) for secret in (b"step-plaintext-secret", b"own-plaintext"))


def test_a_secret_output_of_another_stack_can_be_used(project: Project) -> None:
    """It reaches an input that accepts secrets, also inside text, and an unchanged stack does not write it again."""
    other = project.declare('s = Safe("s")\nreturn {"pw": s.made}', name="other")
    for _ in range(2):
        project.session().apply(other, approve=lambda _: "test")
    last = project.session().runs(stack="other")[0]
    project.declare('pw = stack_output("other", "dev")["pw"]\nSafe("t", text=pw)\nSafe("u", text=f"u:{pw}@h")')

    assert "OutputsSet" not in {type(record).__name__ for record in project.records(last.id)}
    assert project.apply().result == "succeeded"
    length = len("made-for-s")
    assert sorted(texts(project)) == ["", f"opened {length}", f"opened {length + 4}"]
    assert actions(project.plan()) == {}
    project.declare('Thing("t", text=stack_output("other", "dev")["pw"])')
    with pytest.raises(ScriptError, match="cannot keep it"):
        project.plan()


def test_parameters_of_other_stacks_are_not_recorded(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the environment's parameters, a run keeps those that its script asks for."""
    monkeypatch.setenv("PURVEY_PARAM_OTHER_TOKEN", "token-of-another-stack")
    monkeypatch.setenv("PURVEY_PARAM_SIZE", "3")
    monkeypatch.setenv("PURVEY_PARAM_HUE", "green")
    project.declare('Thing("a", size=size, text=param("hue"))', signature="size: int")

    run = project.apply()

    opened = next(record for record in project.records(run.id) if isinstance(record, Opened))
    assert {name: item["value"] for name, item in opened.parameters.items()} == {"size": "3", "hue": "green"}
    assert b"token-of-another-stack" not in stored(project)
