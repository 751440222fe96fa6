"""What an output comes out as is held to what a script may write in its place: no value is more than its place in a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from purvey._hosts.command import Completed
from purvey._hosts.fact import Answer, Answers, Ask, ContentOf, Fact
from purvey.errors import ProviderError
from purvey.providers.host import HostProvider, Place
from purvey.resources import files, host, packages, services, users
from purvey.testing import view
from tests.unit.resources.life import kind_of

if TYPE_CHECKING:
    from purvey._script.resource import Resource

PLACE = Place(address="test::x", folder="@purvey/objects/x", token="01T", name="x", entropy=b"\x01" * 32, run="01R")
KEY = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n"

GOOD: dict[type[Resource], dict[str, Any]] = {
    host.Cron: {"name": "job", "schedule": "@daily", "user": "shop", "command": "true", "env": {"A": "b"}, "safe": True},
    host.Sysctl: {"key": "net.ipv4.ip_forward", "value": "1", "persistent": True},
    host.Mount: {
        "path": "/srv/data", "source": "/dev/sdb", "type": "ext4", "options": ["ro"], "check_order": 0, "mounted": True,
        "persistent": True,
    },
    host.Firewall: {"name": "web", "family": "inet", "rules": "chain a { }", "confirm_s": 60.0},
    packages.AptRepository: {
        "name": "vendor", "uris": ["http://a"], "suites": ["s"], "components": ["main"], "types": ["deb"], "architectures": [],
        "signed_by": KEY, "trusted": False, "lock_timeout_s": 1,
    },
    packages.AptPin: {"name": "pin", "packages": ["nginx"], "pin": "version 1.*", "priority": 990},
    packages.DnfRepository: {"name": "vendor", "uris": ["http://a"], "signed_by": KEY, "trusted": False},
    host.Swap: {"path": "/swap", "size_mib": 1, "used": True, "persistent": True},
    host.Git: {
        "path": "/srv/site", "repository": "https://b/c", "branch": "main", "tag": None, "commit": None, "user": None,
        "username": "git", "password": None, "submodules": False,
    },
    packages.Venv: {"path": "/opt/venv", "python": "python3"},
    packages.Apt: {
        "names": {"demo": "1.0"}, "latest": False, "hold": False, "recommends": None, "replaces": False, "purge": False,
        "lists_max_age_s": 60, "lock_timeout_s": 1,
    },
    users.User: {
        "name": "ana", "uid": None, "group": "staff", "groups": ["ops"], "append": False, "home": "/srv/ana",
        "create_home": True, "shell": "/bin/sh", "comment": "Ana",
        "system": False, "locked": None, "expires": "never", "password": None,
        "password_hash": None, "remove_home": False,
    },
    services.Sysv: {
        "script": "shop", "content": "#!/bin/sh\n", "enabled": True, "runlevels": None, "running": True, "process": None,
        "restart_on": [], "reload_on": [],
    },
}  # fmt: skip

PUBLIC = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOcu76/SDZ4aEqlVf+5kzuE9U+buJg529CPsyQekTF79"
OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICFhYn6zrcrq9N7rRZkoVKumdMYNHuTKGb6zJL316+o8"
LINE = "x\n* * * * * root evil"
BAD: dict[str, tuple[type[Resource], dict[str, Any]]] = {
    "a second line of a job in its command": (host.Cron, {"command": LINE}),
    "a second line of a job in its user": (host.Cron, {"user": LINE}),
    "a second line of a job in its schedule": (host.Cron, {"schedule": "@daily\n"}),
    "a schedule that is none": (host.Cron, {"schedule": "0 0 31 2 *"}),
    "a second line of a job in a variable": (host.Cron, {"env": {"A": LINE}}),
    "a command that is empty": (host.Cron, {"command": " "}),
    "a second setting in a value": (host.Sysctl, {"value": "1\nkernel.core_pattern = |/tmp/x"}),
    "a value that the kernel would tell otherwise": (host.Sysctl, {"value": "4  4"}),
    "a second option in an option": (host.Mount, {"options": ["ro,suid"]}),
    "a second line of fstab in a source": (host.Mount, {"source": "a\nb"}),
    "a type that is empty": (host.Mount, {"type": ""}),
    "a family that leads out": (host.Firewall, {"family": "../../x"}),
    "rules that begin with a command": (host.Firewall, {"rules": "\n flush ruleset"}),
    "rules that are empty": (host.Firewall, {"rules": " \n"}),
    "a repository that switches signatures off": (packages.AptRepository, {"uris": ["http://x\nTrusted: yes"]}),
    "two components in one": (packages.AptRepository, {"components": ["main contrib"]}),
    "a repository that leads out": (packages.AptRepository, {"name": "../../cron.d/x"}),
    "a word in the place of a choice": (packages.AptRepository, {"trusted": "no"}),
    "a word in the place of a choice of dnf": (packages.DnfRepository, {"trusted": "no"}),
    "a key that is none": (packages.AptRepository, {"signed_by": "key"}),
    "a second pin in a pin": (packages.AptPin, {"pin": "version 1\n\nPackage: *\nPin: version 2"}),
    "a second pin in a package": (packages.AptPin, {"packages": ["a\nPin: x"]}),
    "a priority that is no number": (packages.AptPin, {"priority": "1\nPackage: *"}),
    "a pin that leads out": (packages.AptPin, {"name": "../x"}),
    "a repository of dnf that switches signatures off": (packages.DnfRepository, {"uris": ["http://x\ngpgcheck=0"]}),
    "a repository of dnf that leads out": (packages.DnfRepository, {"name": "../x"}),
    "a version with a word behind it": (packages.Apt, {"names": {"demo": "1.0 --force"}}),
    "a version that removes the package": (packages.Apt, {"names": {"demo": "1.0-"}}),
    "a group with others behind it": (users.User, {"groups": ["ops,sudo"]}),
    "a primary group that is an option": (users.User, {"group": "-o"}),
    "a comment with a field behind it": (users.User, {"comment": "a:b"}),
    "a shell with a line behind it": (users.User, {"shell": "/bin/sh\nx"}),
    "a home that is relative": (users.User, {"home": "srv/ana"}),
    "a repository that is an option": (host.Git, {"repository": "--upload-pack=x"}),
    "a repository with a password": (host.Git, {"repository": "https://a:hunter2@b/c"}),
    "a repository of two lines": (host.Git, {"repository": "https://b/c\nx"}),
    "a branch that is an option": (host.Git, {"branch": "--orphan"}),
    "a path that is relative": (host.Mount, {"path": "srv/data"}),
    "a path in another form": (host.Mount, {"path": "/srv/data/"}),
    "a path with two slashes": (packages.Venv, {"path": "//srv/data"}),
    "a path that leads back": (host.Swap, {"path": "/srv/../swap"}),
    "a day that is none": (users.User, {"expires": "tomorrow"}),
    "a script that leads out": (services.Sysv, {"script": "../cron.d/x"}),
}


CLAIMED: dict[str, list[tuple[type[Resource], dict[str, Any]]]] = {
    "the name of a machine": [(host.Hostname, {"hostname": "a"}), (files.File, {"path": "/etc/hostname"})],
    "the zone": [(host.Timezone, {"zone": "UTC"}), (files.Link, {"path": "/etc/localtime"})],
    "the zone's name": [(host.Timezone, {"zone": "UTC"}), (files.File, {"path": "/etc/timezone"})],
    "a setting": [
        (host.Sysctl, {"key": "vm.swappiness"}), (files.File, {"path": "/etc/sysctl.d/99-zz-purvey-vm+swappiness.conf"}),
    ],
    "rules": [
        (host.Firewall, {"name": "web", "family": "inet"}), (files.File, {"path": "/etc/nftables.d/purvey-inet-web.nft"}),
    ],
    "a unit": [
        (services.Systemd, {"unit": "shop.service", "content": "[Service]\n", "drop_ins": {}}),
        (files.File, {"path": "/etc/systemd/system/shop.service"}),
    ],
    "a job": [(host.Cron, {"name": "a"}), (files.File, {"path": "/etc/cron.d/a"})],
    "a key": [
        (users.AuthorizedKeys, {"user": "ana", "keys": [f"{PUBLIC} laptop"], "exclusive": False}),
        (users.AuthorizedKeys, {"user": "ana", "keys": [f"restrict {PUBLIC}"], "exclusive": False}),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", CLAIMED)
def test_what_is_one_place_is_claimed_as_one(name: str) -> None:
    """Two nodes that would write one file, or take one line from each other, want one thing."""
    one, two = ({*kind_of(kind).provider.claims(view(kind, **inputs))} for kind, inputs in CLAIMED[name])
    assert one & two


def test_a_unit_does_not_lead_out_of_its_folder() -> None:
    """A name that comes late is asked about only if it is one."""
    provider = kind_of(services.Systemd).provider
    assert isinstance(provider, HostProvider)
    with pytest.raises(ProviderError, match=r"cron\.d/x"):
        provider.facts(PLACE, view(services.Systemd, unit="../../cron.d/x", content="[Service]\n", drop_ins={}))


def test_two_keys_of_one_user_are_two_things() -> None:
    """Several nodes may let a user in, each by keys of its own; another user may have the same key."""
    claims = kind_of(users.AuthorizedKeys).provider.claims
    one, two, three = (
        {*claims(view(users.AuthorizedKeys, user=user, keys=[key], exclusive=False))}
        for user, key in (("ana", PUBLIC), ("ana", OTHER), ("bob", PUBLIC))
    )
    assert not one & two
    assert not one & three


def _nothing(fact: Fact) -> Answer:
    """What a machine answers that has nothing yet."""
    if isinstance(fact, Ask):
        return Completed(0, b"", b"")
    return b"0\n" if isinstance(fact, ContentOf) and fact.path.startswith("/proc/") else None


def _made(kind: type[Resource], **other: Any) -> tuple[object, ...]:
    """What is done to make one on a machine that has nothing."""
    subject = view(kind, **{**GOOD[kind], **other})
    provider = kind_of(subject).provider
    assert isinstance(provider, HostProvider)
    answers = Answers({fact: _nothing(fact) for fact in provider.facts(PLACE, subject)})
    return provider.make(PLACE, subject, answers).changes


@pytest.mark.parametrize("kind", GOOD, ids=lambda kind: str(kind.__name__))
def test_what_may_be_is_done(kind: type[Resource]) -> None:
    """The same values that a script may write are taken when they come late."""
    assert _made(kind)


@pytest.mark.parametrize("name", BAD)
def test_what_may_not_be_is_refused_before_anything_is_done(name: str) -> None:
    """A value that would be more than its place ends in an error that shows it, and in no change."""
    kind, other = BAD[name]
    with pytest.raises(ProviderError) as caught:
        _made(kind, **other)
    assert caught.value.code == "invalid"
    assert "came out as" in caught.value.detail
    assert "hunter2" not in caught.value.detail
