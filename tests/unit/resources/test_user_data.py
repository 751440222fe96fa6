"""User data: the document, the limits of the clouds, what is refused, and values that are not known yet."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from purvey import Output, Resource, step
from purvey._base.value import Late, Link, Secret, resolve
from purvey._script.recorder import Recorder, recording
from purvey._script.reference import freeze
from purvey._script.words import secret, to_base64, to_json
from purvey.errors import ScriptError
from purvey.providers import Provider
from purvey.resources import files, host
from purvey.resources.host._user_data import BYTES_MAX
from tests.unit.resources.life import recorder


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Recorder]:
    """A script that is running in `tmp_path`."""
    with recording(recorder(tmp_path)) as running:
        yield running


def known(text: str, value: str) -> str:
    """The text when every output is known."""
    found = resolve(freeze(text, "", "text"), lambda _: value, lambda _: Secret(value))
    return str(found.reveal() if isinstance(found, Secret) else found)


def config(text: str) -> dict[str, Any]:
    """The cloud-config of a document without characters that JSON spells in another way."""
    head, _, rest = text.partition("\n")
    assert head == "#cloud-config"
    found: dict[str, Any] = json.loads(rest)
    return found


def unpacked(text: str) -> str:
    """What a compressed document holds."""
    (packed,) = re.findall(r"base64\n\n(.*)\n--", text)
    return gzip.decompress(base64.b64decode(packed)).decode()


class LeakProvider(Provider["Leak"]):
    """Provides nothing."""

    reads = False


class Leak(Resource, kind="userdata.Leak", provider=LeakProvider):
    """A kind with a secret output."""

    key: str = Output(secret=True, doc="A secret.")


@step
def network(name: str) -> str:
    """Anything with an output."""
    return name


def test_a_document_is_a_cloud_config(script: Recorder) -> None:
    """What has a name of its own and all else stand in one document, the machine's own commands after the steps."""
    text = host.user_data(packages=["nginx"], run=["a", ["b", "c d"]], config={"timezone": "UTC", "runcmd": ["last"]})

    document = config(text)
    assert set(document) == {"packages", "timezone", "runcmd", "write_files"}
    assert [entry[2:] if isinstance(entry, list) else entry for entry in document["runcmd"]] == [
        ["1/2", "sh", "-ec", "a"], ["2/2", "b", "c d"], "last"
    ]  # fmt: skip
    assert document["write_files"][-1]["path"] == document["runcmd"][0][1]


def test_without_steps_there_is_no_agent(script: Recorder) -> None:
    """A document says nothing that was not asked for."""
    assert config(host.user_data(packages=["nginx"])) == {"packages": ["nginx"]}


def test_the_same_arguments_make_the_same_text(script: Recorder) -> None:
    """No time, no chance: nothing in it changes a machine that stays as it is."""
    assert host.user_data(run=["x"], cloud="aws") == host.user_data(run=["x"], cloud="aws")


def test_scripts_come_along(script: Recorder, tmp_path: Path) -> None:
    """A program beside the script is written whole, and run after the commands."""
    (tmp_path / "set up.sh").write_text("#!/bin/sh -e\ntrue\n", encoding="utf-8")

    document = config(host.user_data(run=["x"], scripts=["set up.sh"]))

    written = document["write_files"][-1]
    assert written["content"] == "#!/bin/sh -e\ntrue\n"
    assert document["runcmd"][-1][2:] == ["2/2", written["path"]]
    assert " " not in written["path"]


def test_further_documents_make_an_archive(script: Recorder, tmp_path: Path) -> None:
    """What cloud-init knows beside cloud-config comes along as it is, as text or from a file, ours first."""
    (tmp_path / "more.yaml").write_text("#cloud-config\nlocale: C\n", encoding="utf-8")

    text = host.user_data(packages=["nginx"], parts=["#cloud-boothook\ntrue", Path("more.yaml")])

    head, _, rest = text.partition("\n")
    contents = [part["content"] for part in json.loads(rest)]
    assert head == "#cloud-config-archive"
    assert config(contents[0]) == {"packages": ["nginx"]}
    assert contents[1:] == ["#cloud-boothook\ntrue", "#cloud-config\nlocale: C\n"]


def test_outputs_are_put_in_when_they_are_known(script: Recorder) -> None:
    """A value with quotes, lines and characters beyond ASCII arrives as it is, wherever it stands."""
    net = network("net", name="x")

    text = host.user_data(run=[f"ping {net.result}", ["ping", net.result]], write_files=[{"path": "/a", "content": net.result}])

    assert isinstance(freeze(text, "", "text"), Late)
    document = config(known(text, "a \"b\"\n'c' $d"))
    assert document["runcmd"][0][5] == "ping a \"b\"\n'c' $d"
    assert document["runcmd"][1][4] == document["write_files"][0]["content"] == "a \"b\"\n'c' $d"


def test_a_document_is_ascii(script: Recorder) -> None:
    """Characters that YAML or a way to the machine may not take are spelt as YAML spells them."""
    text = host.user_data(write_files=[{"path": "/a", "content": "ü 😀 \x7f \u2028"}])

    assert text.isascii()
    assert r"\U000000fc \U0001f600 \U0000007f \U00002028" in text


@pytest.mark.parametrize("cloud", sorted(BYTES_MAX))
def test_what_is_too_large_is_compressed(script: Recorder, cloud: str) -> None:
    """It is plain up to the last byte of the limit, then compressed to the same document, and still text that keeps it."""
    limit = BYTES_MAX[cloud]
    empty = len(host.user_data(write_files=[{"path": "/a", "content": ""}]))

    fits = host.user_data(write_files=[{"path": "/a", "content": "x" * (limit - empty)}], cloud=cloud)
    packed = host.user_data(write_files=[{"path": "/a", "content": "x" * (limit - empty + 1)}], cloud=cloud)

    assert len(fits) == limit
    assert packed.isascii()
    assert len(packed) < limit
    assert config(unpacked(packed))["write_files"][0]["content"] == "x" * (limit - empty + 1)


def test_outputs_are_compressed_when_they_are_known(script: Recorder) -> None:
    """A large document with an output in it is compressed, too, and the value is inside."""
    net = network("net", name="x")

    text = host.user_data(write_files=[{"path": "/a", "content": f"{net.result}{'x' * 20_000}"}], cloud="aws")

    assert config(unpacked(known(text, "vpc-1")))["write_files"][0]["content"].startswith("vpc-1x")


def test_what_does_not_fit_compressed_is_refused(script: Recorder) -> None:
    """The error names both sizes and the limit, at the line of the script."""
    noise = base64.b85encode(bytes((n * n * 7919 + n // 3) % 256 for n in range(40_000))).decode()
    noise = "".join(f"{n * 2_654_435_761 % 2**32:x}" for n in range(5_000)) + noise

    with pytest.raises(ScriptError) as caught:
        host.user_data(write_files=[{"path": "/a", "content": noise}], cloud="aws")

    assert caught.value.code == "script.user_data_too_large"
    assert re.search(r"It has \d+ bytes, and compressed \d+; aws takes 16384\.", caught.value.detail)
    assert "test_user_data.py:" in caught.value.source
    assert len(host.user_data(write_files=[{"path": "/a", "content": noise}])) > 40_000


def step_result() -> str:
    """What is not known yet, and no secret."""
    return network("n", name="x").result


PEM = "-----BEGIN OPENSSH PRIVATE KEY-----\nx\n-----END OPENSSH PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (lambda: {"write_files": [{"path": "/a", "content": secret("file:.secrets/key")}]}, "file:.secrets/key"),
        (lambda: {"run": [f"login {secret('env:TOKEN')}"]}, "env:TOKEN"),
        (lambda: {"run": [["login", secret("env:TOKEN")]]}, "env:TOKEN"),
        (lambda: {"parts": [f"#!/bin/sh\nlogin {secret('env:TOKEN')}"]}, "env:TOKEN"),
        (lambda: {"config": {"a": to_base64(to_json({"t": secret("env:TOKEN")}))}}, "env:TOKEN"),
        (lambda: {"users": [{"name": "a", "plain_text_passwd": "x"}]}, "plain_text_passwd"),
        (lambda: {"config": {"password": "x"}}, "password"),
        (lambda: {"config": {"chpasswd": {"users": [{"name": "a", "password": "x"}]}}}, "password"),
        (lambda: {"config": {"ssh_keys": {"ed25519_private": PEM}}}, "a private key"),
        (lambda: {"parts": [PEM]}, "a private key"),
        (lambda: {"config": {"chpasswd": {"list": "ana:RANDOM\nroot:hunter2"}}}, "chpasswd"),
        (lambda: {"config": {"chpasswd": {"list": ["root:hunter2"]}}}, "chpasswd"),
        (lambda: {"users": [{"name": "a", "passwd": "hunter2"}]}, "passwd"),
        (lambda: {"config": {"password": step_result()}}, "password"),
        (lambda: {"config": {"chpasswd": {"list": f"root:{step_result()}"}}}, "chpasswd"),
        (lambda: {"write_files": [{"path": "/a", "content": f"{step_result()}\n{PEM}"}]}, "a private key"),
        (lambda: {"config": {"apt": {"sources": {"a": {"source": "deb https://a:hunter2@b/ x y"}}}}}, "an address"),
        (lambda: {"parts": ["#cloud-config\npassword: hunter2\n"]}, "password"),
        (lambda: {"parts": ["#cloud-config\nusers:\n  - {name: a, plain_text_passwd: 'hunter2'}\n"]}, "plain_text_passwd"),
        (lambda: {"parts": ['#cloud-config\n{"users": [{"passwd": "hunter2"}]}']}, "passwd"),
        (lambda: {"parts": ["#cloud-config\nchpasswd:\n  expire: false\n  list: |\n    root:hunter2\na: []\n"]}, "chpasswd"),
        (lambda: {"parts": ["#cloud-config\nchpasswd: {list: ['root:hunter2']}\n"]}, "chpasswd"),
    ],
    ids=[
        "file", "shell", "argument", "part", "encoded", "user", "password", "chpasswd", "host-key", "part-key", "list-text",
        "list", "hash", "output", "list-output", "key-in-text", "address", "part-password", "part-flow", "part-json",
        "part-list", "part-list-flow",
    ],
)  # fmt: skip
def test_secrets_are_refused(script: Recorder, given: Any, says: str) -> None:
    """Whatever is secret is refused, wherever it stands, with what to do instead; its text is not repeated."""
    with pytest.raises(ScriptError) as caught:
        host.user_data(**given())

    assert caught.value.code == "script.secret_in_user_data"
    assert says in caught.value.detail
    assert "hunter2" not in caught.value.detail
    assert "over SSH" in caught.value.hint


OPEN = """#cloud-config
# password: set later
users: [{name: a, passwd: "$6$x$y", lock_passwd: false}, {name: b, hashed_passwd: '!'}]
chpasswd:
  expire: false
  list:
    - a:RANDOM
    - b:$6$x$y
runcmd: [[echo, "list:x"]]
"""


@pytest.mark.parametrize(
    "given",
    [
        {"users": [{"name": "a", "passwd": "$6$x$y", "lock_passwd": False}]},
        {"config": {"chpasswd": {"expire": False, "list": "a:R\nb:$6$x$y"}}},
        {
            "config": {
                "chpasswd": {"users": [{"name": "a", "type": "RANDOM"}, {"name": "b", "password": "$6$x$y", "type": "hash"}]}
            }
        },
        {"parts": [OPEN]},
        {"parts": ["#!/bin/sh\necho 'password: none'\n"]},
        {"config": {"apt": {"sources": {"a": {"source": "deb https://b:8080/@c x y"}}}}},
    ],
    ids=["hash", "list", "chosen", "part", "program", "port"],
)
def test_what_is_no_secret_is_taken(script: Recorder, given: Any) -> None:
    """A hash, a password that the machine chooses, a comment and a port are no passwords."""
    assert host.user_data(**given).startswith("#cloud-config")


def test_a_hash_may_be_an_output(script: Recorder) -> None:
    """Whether an output is a hash is not known; where a hash belongs, it is taken for one."""
    assert host.user_data(users=[{"name": "a", "passwd": step_result()}]).startswith("#cloud-config")


def test_an_output_that_is_secret_is_refused_and_a_join_token_is_not(script: Recorder) -> None:
    """A token that lives for minutes is the one secret that user data may hold; what follows is secret as a whole."""
    token = host.JoinToken("web", create=["t", "{ttl_s}"], listed=["l"], revoke=["r", "{id}"])
    hook = files.File("hook", path="/hook", content=token.text)
    assert script.nodes[hook._address].inputs["content"] == Link(token._address, "text")

    text = host.user_data(run=[["join", token.token]], cloud="aws")

    assert '"abc.def"' in known(text, "abc.def")
    with pytest.raises(ScriptError, match="would hold a secret"):
        host.user_data(run=[["join", Leak("x").key]])


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"cloud": "aww"}, "`cloud` is 'aww'"),
        ({"packages": ["a"], "config": {"packages": ["b"]}}, "`packages` stands in `config` as well"),
        ({"run": [[]]}, "empty"),
        ({"scripts": ["plain.txt"]}, "does not begin with `#!`"),
    ],
)
def test_what_makes_no_sense_is_refused(script: Recorder, tmp_path: Path, given: Any, says: str) -> None:
    """A slip is an error of the script."""
    (tmp_path / "plain.txt").write_text("echo\n", encoding="utf-8")

    with pytest.raises(ScriptError) as caught:
        host.user_data(**given)

    assert caught.value.code == "script.bad_user_data"
    assert says in caught.value.detail


def test_a_script_that_cannot_be_read_is_named(script: Recorder) -> None:
    """The path stands in the error."""
    with pytest.raises(ScriptError) as caught:
        host.user_data(scripts=["no.sh"])

    assert caught.value.code == "script.source_unreadable"
    assert "no.sh" in caught.value.detail


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"create": ["kubeadm", "token", "create"]}, "`create` does not say where `{ttl_s}` stands"),
        ({"revoke": ["kubeadm", "token", "delete"]}, "`revoke` does not say where `{id}` stands"),
        ({"ttl_s": 86_400}, "`ttl_s` is 86400"),
        ({"ttl_s": 5.0}, "`ttl_s` is 5"),
        ({"pattern": "[a-z]+"}, "`pattern` is '[a-z]+'"),
        ({"pattern": "("}, "`pattern` is '('"),
    ],
)
def test_a_token_that_is_not_short_lived_is_refused(script: Recorder, given: Any, says: str) -> None:
    """A token needs a time, a way to take it back and an id by which that is done."""
    whole = {"create": ["t", "--ttl={ttl_s}s"], "listed": ["l"], "revoke": ["r", "{id}"]}

    with pytest.raises(ScriptError) as caught:
        host.JoinToken("web", **{**whole, **given})

    assert caught.value.code == "script.bad_join_token"
    assert says in caught.value.detail
