"""What a script may say about machines and their users, and how it is refused where it makes no sense."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from purvey._base.value import resolve
from purvey._hosts.change import Run
from purvey._hosts.command import Completed, failed
from purvey._hosts.fact import Answers
from purvey._plan.decision import cause_of
from purvey._script.recorder import Recorder, recording
from purvey._script.resource import Resource
from purvey._script.words import secret
from purvey.errors import ProviderError, ScriptError
from purvey.providers import Recorded
from purvey.providers.host import HostProvider, Place
from purvey.resources import files, host, services, users
from purvey.resources.host._fstab import Entry, entry_of
from purvey.resources.host._schedule import problem_of
from purvey.resources.users._crypt import hashed, is_of
from purvey.testing import view
from tests.unit.resources.life import kind_of, only, recorder

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOcu76/SDZ4aEqlVf+5kzuE9U+buJg529CPsyQekTF79 ana@laptop"


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Recorder]:
    """A script that is running in `tmp_path`."""
    with recording(recorder(tmp_path)) as running:
        yield running


REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "an init script in another folder": (lambda: services.Sysv("s", script="../passwd"), "/etc/init.d"),
    "no runlevel": (lambda: services.OpenRC("s", script="a", runlevels=[]), "enabled=False"),
    "a runlevel as text": (lambda: services.OpenRC("s", script="a", runlevels="default"), 'runlevels=["default"]'),
    "a runlevel of what is disabled": (
        lambda: services.Sysv("s", script="a", runlevels=["2"], enabled=False),
        "one of the two",
    ),
    "a runlevel for an end": (lambda: services.Sysv("s", script="a", runlevels=["6"]), "2, 3, 4, 5, S"),
    "a user that begins with a hyphen": (lambda: users.User("u", name="-rf"), "Begin with a letter"),
    "a user with a colon": (lambda: users.User("u", name="a:b"), "Begin with a letter"),
    "a comment with a colon": (lambda: users.User("u", comment="a:b"), "No colon"),
    "a day that is none": (lambda: users.User("u", expires="2031-02-30"), "2030-12-31"),
    "a day in words": (lambda: users.User("u", expires="tomorrow"), "2030-12-31"),
    "two passwords": (lambda: users.User("u", password=secret("env:A"), password_hash=secret("env:B")), "one of them"),
    "a password in the script": (lambda: users.User("u", password="hunter2"), "secret"),  # type: ignore[arg-type]
    "a group with a blank": (lambda: users.Group("g", name="a b"), "Begin with a letter"),
    "a key that is none": (lambda: users.AuthorizedKeys("k", user="u", keys=["hello"]), ".pub"),
    "a private key": (lambda: users.AuthorizedKeys("k", user="u", keys=["-----BEGIN OPENSSH PRIVATE KEY-----"]), "public one"),
    "a key of another type": (lambda: users.AuthorizedKeys("k", user="u", keys=[KEY.replace("ed25519", "rsa", 1)]), ".pub"),
    "a key twice": (lambda: users.AuthorizedKeys("k", user="u", keys=[KEY, f"restrict {KEY}"]), "once"),
    "two keys in one": (lambda: users.AuthorizedKeys("k", user="u", keys=[f"{KEY}\n{KEY}"]), "whole line"),
    "sudoers with a point": (lambda: users.Sudoers("s", name="a.conf", content="x"), "passes over"),
    "sudoers of a backup": (lambda: users.Sudoers("s", name="a~", content="x"), "passes over"),
    "sudoers in another folder": (lambda: users.Sudoers("s", name="../sudoers", content="x"), "passes over"),
    "an unsafe file": (lambda: users.Sudoers("s", content="x", safe=False), "Leave it out"),
    "a command without a guard": (lambda: host.Command("c", command=["true"]), "exactly one"),
    "a command with two guards": (lambda: host.Command("c", command=["true"], creates="/a", always=True), "exactly one"),
    "a command as text": (lambda: host.Command("c", command="rm -rf /", creates="/a"), 'command=["rm", "-rf", "/"]'),
    "a command for a shell": (lambda: host.Command("c", command="a | b", creates="/a"), 'command=["sh", "-c", "a | b"]'),
    "a command in a folder": (lambda: host.Command("c", command="cd /srv", creates="/a"), '"sh", "-c", "cd /srv"'),
    "a command with a variable": (lambda: host.Command("c", command="A=b c", creates="/a"), '"sh", "-c", "A=b c"'),
    "commands in lines": (lambda: host.Command("c", command="a\nb", creates="/a"), '"sh", "-c"'),
    "a command with half a quote": (lambda: host.Command("c", command="a 'b", creates="/a"), '"sh", "-c"'),
    "no command": (lambda: host.Command("c", command=[], creates="/a"), "a list"),
    "an empty undo": (lambda: host.Command("c", command=["true"], creates="/a", undo=[]), "Leave it out"),
    "a bad umask": (lambda: host.Command("c", command=["true"], creates="/a", umask="9"), "octal"),
    "a script without text": (lambda: host.Script("s", creates="/a"), "exactly one"),
    "a script with two texts": (lambda: host.Script("s", content="a", source="b", creates="/a"), "exactly one"),
    "a script that is not there": (lambda: host.Script("s", source="none.sh", creates="/a"), "script's folder"),
    "a setting of one word": (lambda: host.Sysctl("s", key="ip_forward", value="1"), "sysctl(8)"),
    "a setting without a value": (lambda: host.Sysctl("s", key="net.ipv4.ip_forward", value=" "), "one line"),
    "a setting that leads out": (lambda: host.Sysctl("s", key="net/../../etc/passwd", value="1"), "sysctl(8)"),
    "a name with a blank": (lambda: host.Hostname("h", hostname="web 1"), "hyphens"),
    "a name that is too long": (lambda: host.Hostname("h", hostname="a." * 40 + "a"), "at most 64"),
    "a zone that leads out": (lambda: host.Timezone("t", zone="../../etc/shadow"), "tz database"),
    "a job with a point": (lambda: host.Cron("c", name="a.b", schedule="@daily", command="true"), "passes over"),
    "a job of two lines": (lambda: host.Cron("c", schedule="@daily", command="a\nb"), "one line"),
    "a job never": (lambda: host.Cron("c", schedule="0 0 31 2 *", command="true"), "Five fields"),
    "a job with a carriage return": (lambda: host.Cron("c", schedule="@daily", command="a\rb"), "one line"),
    "a bad variable": (lambda: host.Cron("c", schedule="@daily", command="true", env={"A B": "c"}), "Letters"),
    "an option with a comma": (lambda: host.Mount("m", path="/a", source="b", type="c", options=["ro,noexec"]), "by itself"),
    "a source of two lines": (lambda: host.Mount("m", path="/a", source="b\nc", type="d"), "in a line"),
    "a group with another behind it": (lambda: users.User("u", groups=["a,b"]), "Begin with a letter"),
    "no option": (lambda: host.Mount("m", path="/a", source="b", type="c", options=[]), "Leave it out"),
    "neither now nor then": (
        lambda: host.Mount("m", path="/a", source="b", type="c", mounted=False, persistent=False),
        "Remove the node",
    ),
    "swap of no size": (lambda: host.Swap("s", path="/swap", size_mib=0), "at least 1"),
    "rules with a table": (lambda: host.Firewall("f", rules="table inet x { }"), "between the braces"),
    "no rules": (lambda: host.Firewall("f", rules="  \n"), "between the braces"),
    "a table with a hyphen": (lambda: host.Firewall("f", name="a-b", rules="chain a { }"), "letters, digits"),
    "no version": (lambda: host.Git("g", repository="r", path="/a"), "exactly one"),
    "two versions": (lambda: host.Git("g", repository="r", path="/a", branch="b", tag="t"), "exactly one"),
    "half a commit": (lambda: host.Git("g", repository="r", path="/a", commit="abc123"), "40 digits"),
    "a branch with a hyphen": (lambda: host.Git("g", repository="r", path="/a", branch="--upload-pack=x"), "as git does"),
    "a password in an address": (lambda: host.Git("g", repository="https://a:b@x/y", path="/a", branch="b"), "password="),
    "a timer of two kinds": (lambda: host.timer("t", command=["/bin/true"], calendar="daily", every="1h"), "one of them"),
    "a timer without a time": (lambda: host.timer("t", command=["/bin/true"]), "one of them"),
    "a timer that goes on in the next line": (
        lambda: host.timer("t", command=["/a"], calendar="daily", cwd="/a\\"),
        "one line",
    ),
    "a timer with a carriage return": (lambda: host.timer("t", command=["/a"], calendar="daily", user="a\rb"), "one line"),
    "a timer without a path": (lambda: host.timer("t", command=["true"], calendar="daily"), "the path of a program"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_makes_no_sense_is_refused(script: Recorder, name: str) -> None:
    """A mistake is refused while the script declares, with words that say what to write instead."""
    declare, hint = REFUSED[name]
    with pytest.raises(ScriptError) as caught:
        declare()
    assert hint in caught.value.detail + caught.value.hint


@pytest.mark.parametrize("other", ["net/ipv4/conf/br.lan.x", "net.ipv4.conf.br/lan/x"])
def test_two_settings_never_share_a_file(script: Recorder, other: str) -> None:
    """A name with a hyphen and one with a point are two settings in two files; one setting in two spellings is one claim."""
    one, two, spelt = (
        view(host.Sysctl, key=key, value="1", persistent=True)
        for key in ("net.ipv4.conf.br-lan.x", other, "net/ipv4/conf/br-lan/x")
    )
    provider = kind_of(one).provider
    assert isinstance(provider, HostProvider)

    assert (
        len({fact for fact in (*provider.facts(Place(), one), *provider.facts(Place(), two)) if "sysctl.d/" in str(fact)}) == 2
    )
    assert provider.claims(one) != provider.claims(two)
    assert provider.claims(one) == provider.claims(spelt)
    assert provider.facts(Place(), one) == provider.facts(Place(), spelt)


def test_what_is_known_only_later_is_looked_at_then(script: Recorder) -> None:
    """A reference passes while the script declares; what it comes out as is refused before anything is asked or done."""
    folder = files.Directory("d", path="/srv")
    users.User("u", name=f"{folder.path}-x", group=folder.mode)
    assert "files.Directory::d" in only(script, "users.User").needs
    for subject in (
        view(users.User, name="-rf", home=None),
        view(users.Group, name="a:b"),
        view(users.AuthorizedKeys, user="a b", keys=[]),
        view(users.Sudoers, name="a.b", content=""),
        view(host.Sysctl, key="../x.y", value="1"),
        view(host.Cron, name="a/b", schedule="@daily", command="x"),
        view(host.Timezone, zone="../x"),
        view(host.Firewall, name="a b", family="inet", rules=""),
    ):
        provider = kind_of(subject).provider
        assert isinstance(provider, HostProvider)
        with pytest.raises(ProviderError):
            provider.facts(Place(), subject)


def test_a_key_is_a_line_without_its_end(script: Recorder) -> None:
    """As it is read from the file that ends in .pub, and as it is found on the machine."""
    users.AuthorizedKeys("k", user="u", keys=[f"{KEY}\n"])

    assert only(script, "users.AuthorizedKeys").inputs["keys"] == [KEY]


def test_defaults_are_recorded(script: Recorder) -> None:
    """A system user has no home unless the script says so, and any other one has."""
    host.Swap("s", path="//swap/../swapfile", size_mib=1)
    assert only(script, "host.Swap").inputs["path"] == "/swapfile"
    users.User("daemon", system=True)
    assert only(script, "users.User").inputs["create_home"] is False
    assert script.nodes["users.User::daemon"].inputs["name"] == "daemon"
    users.User("ana")
    assert script.nodes["users.User::ana"].inputs["create_home"] is True


@pytest.mark.parametrize(
    "schedule",
    [
        "* * * * *",
        "*/5 0-6,22 1 jan-mar,12 mon-fri",
        "0 0 29 2 *",
        "0 0 31 1,2 *",
        "59 23 31 12 7",
        "@reboot",
        "1-10/3 * * * SUN",
    ],
)
def test_schedules_of_cron(schedule: str) -> None:
    """What cron takes is taken."""
    assert problem_of(schedule) == ""


@pytest.mark.parametrize(
    "schedule",
    ["", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "5-1 * * * *",
     "*/0 * * * *", "5/2 * * * *", "a * * * *", "* * * foo *", "1,,2 * * * *", "-1 * * * *", "@never", "0 0 31 4,6 *",
     "0 0 30 2 *"],
)  # fmt: skip
def test_schedules_that_cron_refuses(schedule: str) -> None:
    """What cron would refuse, or would never run, is told."""
    assert problem_of(schedule)


def test_a_timer_is_two_units(script: Recorder) -> None:
    """One says what is run, with each word as the script has written it, and the other one when."""
    words = ["/bin/echo", "a b", 'with "quotes"', "100%", "$HOME", "back\\slash", ""]
    host.timer("job", command=words, calendar="Mon *-*-* 04:00")
    service = str(script.nodes["services.Systemd::job.service"].inputs["content"])
    assert r'ExecStart="/bin/echo" "a b" "with \"quotes\"" "100%%" "$$HOME" "back\\slash" ""' in service
    assert "services.Systemd::job.service" in script.nodes["services.Systemd::job.timer"].needs


def test_what_comes_late_is_a_word_of_a_timer_too(script: Recorder) -> None:
    """An output is no more than its place in a unit: a word means itself, and a setting stays on its line."""
    late = files.Directory("d", path="/srv").path
    host.timer(
        "job", command=["/bin/echo", f"a {late}"], calendar="daily", user=late, cwd=f"/srv/{late}", env={"A": late}, spread=late
    )

    told = {
        name: resolve(script.nodes[f"services.Systemd::job.{name}"].inputs["content"], lambda _: 'x"\n%$\\', lambda _: "")
        for name in ("service", "timer")
    }

    assert told["service"].splitlines() == [
        "[Service]", "Type=oneshot", r'ExecStart="/bin/echo" "a x\"\n%%$$\\"', 'User=x" %$\\', 'WorkingDirectory=/srv/x" %%$\\',
        r'Environment="A=x\"\n%%$\\"',
    ]  # fmt: skip
    assert 'RandomizedDelaySec=x" %$\\' in told["timer"].splitlines()


@pytest.mark.parametrize(
    ("salt", "password"), [("saltstring", "Hello world!"), ("saltsaltsaltsalt", "p"), ("a.b/c", "é€ " * 40), ("x", "a" * 64)]
)
def test_a_hash_is_that_of_other_programs(salt: str, password: str) -> None:
    """Another program makes the same hashes, and none of them is that of another password."""
    argv = ["openssl", "passwd", "-6", "-salt", salt, "-stdin"]
    told = subprocess.run(argv, input=password.encode(), capture_output=True, check=True, timeout=30).stdout.decode().strip()
    assert told.startswith(f"$6${salt}$")
    assert is_of(password, told)
    assert not is_of(f"{password}x", told)
    assert is_of(password, hashed(password, bytes(range(32))))


def test_a_hash_of_another_method_is_nobody_s() -> None:
    """What cannot be told is not taken for the right one."""
    assert not any(is_of("x", known) for known in ("", "!", "$y$j9T$a$b", "$6$rounds=9999$a$b", "$1$a$b", "$6$a"))


def test_no_text_of_a_kind_tells_a_secret(script: Recorder) -> None:
    """A secret input is a reference to where it stands, and never its text."""
    inputs: dict[str, Any] = {}
    users.User("ana", password=secret("env:ANA"))
    inputs = dict(only(script, "users.User").inputs)
    assert "env" in repr(inputs["password"])


def test_what_is_always_done_again_is_nobody_s_drift(script: Recorder) -> None:
    """A command that the script wants each time differs by the script's word; drift is what somebody did to the world."""
    want = view(host.Command, command=["true"], always=True)
    kind = kind_of(want)
    diff = kind.provider.diff(kind, {"always": True}, Recorded({"always": True}, {}), {"always": False})
    assert [(item.name, item.because) for item in diff.changes] == [("always", "always")]
    host.Command("c", command=["true"], always=True)
    node = only(script, "host.Command")
    assert cause_of(node, diff.changes, "update") == f"declared at {node.source}"


PEOPLE_READ: dict[str, tuple[Resource, str]] = {
    "a command": (view(host.Command, command=["make", "a b"], always=True), "make 'a b'"),
    "a command with codes": (view(host.Command, command=["make"], always=True, codes=[0, 3]), "make"),
    "a command with a variable": (view(host.Command, command=["make"], always=True, env={"A": "1"}), "A=1 make"),
    "a script": (view(host.Script, content="true", always=True, arguments=["x"]), "sh -eu /dev/fd/3 x"),
}


@pytest.mark.parametrize("name", PEOPLE_READ)
def test_people_read_the_command_that_they_wrote(name: str) -> None:
    """Neither what they watch nor an error shows what is put around a command."""
    want, words = PEOPLE_READ[name]
    provider = kind_of(want).provider
    assert isinstance(provider, HostProvider)
    (run,) = provider.make(Place(token="T"), want, Answers({})).changes
    assert isinstance(run, Run)

    assert provider.doing(want, run.command) == words
    error = provider.explained(want, failed(run.command, Completed(1)))
    assert error.detail == f"The command ended with code 1:\n  {words}\nIt said nothing."


@pytest.mark.parametrize("source", ["#disk", "a b", "tab\there", "no\u00a0break", "form\x0cfeed", "back\\slash"])
def test_an_entry_of_fstab_is_read_as_it_was_written(source: str) -> None:
    """Whatever stands in a name: a sign that begins a comment does not, and only blanks and tabs part fields."""
    entry = Entry(source, "/srv/data", "ext4")
    assert entry_of(entry.line) == entry
    assert not entry.line.startswith("#")
