"""Tokens by which machines join others: alive while they are used, and gone afterwards however the run ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from purvey.testing.hosts import Lab

if TYPE_CHECKING:
    from purvey.testing.hosts import Host
    from purvey.testing.pytest_plugin import Project

TOKENS = """\
#!/bin/sh -e
# A control plane with kubeadm's manners: create, list, delete; and join, which wants a live token on its input.
cd /srv/tokens
case $1 in
create)
  id=$(head -c 3 /dev/urandom | od -An -tx1 | tr -d ' ')
  secret=$(head -c 8 /dev/urandom | od -An -tx1 | tr -d ' ')
  echo "$secret" >"$id"
  echo "create $2 $3" >>../tokens.log
  echo "join 192.0.2.11:6443 --token $id.$secret"
  [ ! -e /srv/broken ] || { echo 'no quorum' >&2; exit 3; }
  ;;
list) for id in *; do [ ! -e "$id" ] || echo "$id.$(cat "$id")   14m   authentication,signing"; done ;;
delete) rm "$2" ;;
join)
  IFS=. read -r id secret || [ -n "$secret" ]
  [ "$(cat "$id")" = "$secret" ] || exit 1
  [ ! -e /srv/full ] || { echo 'the cluster is full' >&2; exit 2; }
  touch /srv/joined
  ;;
esac
"""

SCRIPT = """
from purvey import Host, Options, secret, stack
from purvey.resources import files, host


@stack
def cluster(vm: str = "i-1") -> dict[str, str]:
    control = Host("192.0.2.11", user="root", key=secret("file:key"), known_hosts="known_hosts", config="")
    token = host.JoinToken(
        "web", on=control, holder=vm, create=["/srv/bin/tokens", "create", "--ttl", "{ttl_s}s"],
        listed=["/srv/bin/tokens", "list"], revoke=["/srv/bin/tokens", "delete", "{id}"],
    )
    joined = host.Command("join", on=control, command=["/srv/bin/tokens", "join"], stdin=token.token, creates="/srv/joined")
    host.Revocation("web", on=control, token=token, opts=Options(after=[joined]))
    data = host.user_data(run=[["join", token.token]], cloud="aws")
    files.File("seed", on=control, path="/srv/seed", content=data, mode="0600")
    return {"text": token.text}
"""


OWN = """
from typing import Any

from purvey import Host, Output, Resource, secret, stack
from purvey._hosts.change import Run
from purvey._hosts.command import Command
from purvey.providers import Absent
from purvey.providers.host import HostProvider, Work


class TokenProvider(HostProvider[Any]):
    def facts(self, place, subject):
        return []

    def seen(self, place, have, answers):
        return Absent()

    def make(self, place, want, answers):
        return Work("token", (Run(Command(("/srv/bin/tokens", "create", "--ttl", "60s")), repeats=False),))


class Token(Resource, kind="own.Token", provider=TokenProvider):
    token: str = Output(secret=True)


@stack
def cluster():
    Token("web", on=Host("192.0.2.11", user="root", key=secret("file:key"), known_hosts="known_hosts", config=""))
"""


@pytest.fixture
def control(purvey_project: Project) -> Iterator[Host]:
    """A machine with a control plane."""
    with Lab(1) as lab:
        host = lab.hosts[0]
        for place in (host.root / "srv/tokens", host.root / "srv/bin"):
            place.mkdir()
        program = host.root / "srv/bin/tokens"
        program.write_text(TOKENS, encoding="utf-8")
        program.chmod(0o755)
        lab.introduce(purvey_project.folder)
        purvey_project.write(SCRIPT)
        with lab.inside():
            yield host


def alive(control: Host) -> list[str]:
    """The ids of the tokens that live."""
    return sorted(path.name for path in (control.root / "srv/tokens").iterdir())


def made(control: Host) -> list[str]:
    """How each token was made."""
    return (control.root / "srv/tokens.log").read_text(encoding="utf-8").splitlines()


def test_a_token_is_used_once_and_gone(control: Host, purvey_project: Project) -> None:
    """It lives for the join alone, is not made again by a run that changes nothing, and is in clear in user data alone."""
    purvey_project.run("apply", "--yes")

    assert (control.root / "srv/joined").exists()
    assert alive(control) == []
    assert "nothing had to change" in purvey_project.run("apply", "--yes")
    assert made(control) == ["create --ttl 900s"]
    text = purvey_project.run("outputs", "--reveal")
    secret = text.split("--token ")[1].split()[0].strip('"').encode()
    stored = [path.read_bytes() for path in purvey_project.folder.rglob("*") if path.is_file()]
    assert not any(secret in data for data in stored)
    assert b'"join",\n   "' + secret + b'"' in (control.root / "srv/seed").read_bytes()
    purvey_project.run("destroy", "--yes")
    assert alive(control) == []


def test_a_token_that_was_not_used_is_gone_as_well(control: Host, purvey_project: Project) -> None:
    """A join that fails takes the token back in the run's undo, and the next run makes another one."""
    (control.root / "srv/full").touch()

    ended = purvey_project.attempt("apply", "--yes")

    assert "the cluster is full" in ended.stdout + ended.stderr
    assert alive(control) == []
    (control.root / "srv/full").unlink()
    purvey_project.run("apply", "--yes")
    assert len(made(control)) == 2
    assert alive(control) == []


@pytest.mark.parametrize("declared", ["", OWN])
def test_what_a_failed_command_printed_is_nowhere_where_it_may_be_a_token(
    control: Host, purvey_project: Project, declared: str
) -> None:
    """Its complaint is told; a kind of one's own that has a secret output is as safe, without saying so."""
    (control.root / "srv/broken").touch()
    if declared:
        purvey_project.write(declared)

    ended = purvey_project.attempt("apply", "--yes")

    said = ended.stdout + ended.stderr
    (token,) = [f"{path.name}.{path.read_text().strip()}" for path in (control.root / "srv/tokens").iterdir()]
    assert ended.returncode != 0
    assert "standard error:\n    no quorum" in said
    assert "(not shown, for it may be secret)" in said
    stored = [path.read_bytes() for path in purvey_project.folder.rglob("*") if path.is_file()]
    assert not [data for data in (said.encode(), *stored) if token.encode() in data or token.partition(".")[2].encode() in data]


def test_another_machine_gets_another_token(control: Host, purvey_project: Project) -> None:
    """Where the machine that it is for is another one, a new token is made, and that is revoked, too."""
    purvey_project.run("apply", "--yes")

    purvey_project.run("apply", "--yes", "--vm", "i-2")

    assert len(made(control)) == 2
    assert alive(control) == []
