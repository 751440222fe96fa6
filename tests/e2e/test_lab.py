"""A lab's hosts are what they are said to be: machines of their own, which boot, fail and are reached as real ones."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from purvey.testing.hosts import Endpoint, Host, Lab, Package, Repository

SOON_S = 0.5
"""How long we wait for what must not come."""

IN_TIME_S = 60.0
KEYRING = "/etc/apt/keyrings/lab.asc"


@pytest.fixture(scope="module")
def shared() -> Iterator[Lab]:
    """A lab of three hosts for tests that do no harm, or mend it by a restart."""
    with Lab(3) as lab:
        yield lab


def banner(lab: Lab, host: Host | Endpoint, within_s: float = IN_TIME_S) -> bytes:
    """What the server says first, asked from the lab's network."""
    with lab.inside(), socket.create_connection((host.address, host.port), within_s) as connection:
        return connection.recv(8)


def reached(lab: Lab, host: Host) -> bool:
    """Whether somebody answers soon."""
    try:
        return banner(lab, host, SOON_S) == b"SSH-2.0-"
    except OSError:
        return False


def told(host: Host, *argv: str) -> str:
    """What a program on the host says, which must succeed."""
    ended = host.exec(argv)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def left(name: str) -> list[str]:
    """What there is of a lab on this machine: namespaces, mounts, folders, processes."""
    places = [str(path) for root in ("/run/netns", "/run/purvey-labs") for path in Path(root).glob(f"{name}*")]
    return places + processes(name)


def processes(name: str) -> list[str]:
    """The processes that see the lab's folder, as its hosts do, or were started for it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            about = (process / "environ").read_bytes() + (process / "mountinfo").read_bytes()
            found += [process.name] if name.encode() in about else []
    return found


def test_hosts_are_machines_of_their_own(shared: Lab) -> None:
    """Names, boot ids, machine ids, host keys, processes and files differ; they know each other; there is no Python."""
    facts = ["uname -n", "cat /proc/sys/kernel/random/boot_id", "cat /etc/machine-id", "cat /etc/ssh/ssh_host_ed25519_key.pub"]
    for fact in facts:
        assert len({told(host, "sh", "-c", fact) for host in shared.hosts}) == 3, fact
    first, second, _ = shared.hosts
    (first.root / "srv" / "here").write_text("first")
    assert told(first, "cat", "/srv/here") == "first"
    assert not (second.root / "srv" / "here").exists()
    assert told(first, "cat", "/proc/1/comm") == "busybox"
    assert told(first, "getent", "hosts", second.name).split()[0] == second.address
    assert told(second, "sh", "-c", "command -v python3 || echo none") == "none"


def test_a_program_in_a_host_has_its_time(shared: Lab) -> None:
    """What takes too long there is ended there, too."""
    host = shared.hosts[1]

    with pytest.raises(subprocess.TimeoutExpired):
        host.exec(["sleep", "3456"], timeout=SOON_S)

    assert host.exec(["pgrep", "-f", "sleep 3456"]).stdout == ""


def test_a_host_cannot_harm_this_machine(shared: Lab) -> None:
    """Settings of this machine's kernel, its clock and its devices are out of reach, those of the host's network are not."""
    host = shared.hosts[0]
    over_ssh = shared.run(
        shared.ssh(host, "date -s 2001-01-01; mknod /disk b 8 0; echo 1 >/proc/sys/vm/drop_caches; ls /dev/sda")
    )
    assert over_ssh.returncode != 0
    assert over_ssh.stderr.count("\n") == 4, over_ssh.stderr
    assert told(host, "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward; cat /proc/sys/net/ipv4/ip_forward") == "1"


@pytest.mark.parametrize(
    ("user", "command", "said"),
    [
        ("root", "id -un", "root"),
        ("deploy", "sudo -n id -un", "root"),
        ("admin", "sudo -n id -un || echo admin-password | sudo -S -p '' id -un", "root"),
    ],
)
def test_users_log_in_with_the_key(shared: Lab, user: str, command: str, said: str) -> None:
    """OpenSSH knows the hosts, lets three users in, and gives two of them root's rights as promised."""
    ended = shared.run(shared.ssh(shared.hosts[1], command, user=user))

    assert ended.stdout.strip() == said, ended.stderr


def test_this_thread_can_be_inside(shared: Lab) -> None:
    """Sockets that an event loop makes inside are the lab's, and afterwards the thread is where it was."""
    host, namespace = shared.hosts[2], Path("/proc/thread-self/ns/net")

    async def first_line() -> bytes:
        """What the server says to an event loop."""
        reader, writer = await asyncio.open_connection(host.address, host.port)
        line = await reader.readline()
        writer.close()
        return line

    before = namespace.readlink()
    with shared.inside():
        assert asyncio.run(first_line()).startswith(b"SSH-2.0-OpenSSH")
        assert namespace.readlink() != before
    assert namespace.readlink() == before


def test_a_link_that_is_down_is_a_partition(shared: Lab) -> None:
    """Nobody reaches the host and it goes on; when the link is up again, it is the same boot that answers."""
    host, other, _ = shared.hosts
    boot = host.boot_id

    host.link_down()

    assert not reached(shared, host)
    assert reached(shared, other)
    assert told(host, "uname", "-n") == host.name
    host.link_up()
    assert banner(shared, host) == b"SSH-2.0-"
    assert host.boot_id == boot


def test_packets_are_lost_and_slowed_as_ordered(shared: Lab) -> None:
    """With all packets lost nobody reaches the host, with none everybody does; a megabyte takes a second at eight megabits."""
    host, other, _ = shared.hosts
    host.loss(100)
    assert not reached(shared, host)
    assert other.exec(["timeout", str(SOON_S), "bash", "-c", f"</dev/tcp/{host.address}/22"]).returncode == 124
    host.loss(0)
    assert banner(shared, host) == b"SSH-2.0-"

    host.bandwidth("8mbit")
    began = time.monotonic()
    ended = shared.run(shared.ssh(host, "head -c 1000000 /dev/zero"), text=False)
    assert len(ended.stdout) == 1_000_000
    assert time.monotonic() - began > 0.9
    host.restart()


def test_a_restarted_host_is_another_boot_with_its_files(shared: Lab) -> None:
    """Files, machine id and host key stay; the boot id is new, and what ran before does not."""
    host = shared.hosts[0]
    boot, machine = host.boot_id, told(host, "cat", "/etc/machine-id")
    host.exec(["sh", "-c", "echo kept >/srv/kept; echo gone >/run/gone; sleep 1000 </dev/null >/dev/null 2>&1 &"])

    host.restart()

    assert told(host, "cat", "/proc/sys/kernel/random/boot_id") == host.boot_id != boot
    assert told(host, "cat", "/etc/machine-id", "/srv/kept").split() == [machine, "kept"]
    assert host.exec(["sh", "-c", "cat /run/gone || pgrep sleep"]).stdout == ""
    assert shared.run(shared.ssh(host, "true")).returncode == 0


def test_a_host_reboots_when_it_is_told_to(shared: Lab) -> None:
    """`reboot` in a host boots it, and nothing else."""
    host, other, _ = shared.hosts
    boots = host.boot_id, other.boot_id

    shared.run(shared.ssh(host, "reboot -f"))

    host.await_boot(other_than=boots[0])
    assert host.boot_id != boots[0]
    assert other.boot_id == boots[1]
    assert shared.run(shared.ssh(host, "uname -n")).stdout.strip() == host.name


def test_a_killed_host_is_silent_and_a_stopped_one_refuses(shared: Lab) -> None:
    """Without power nobody says that a connection ended; a stopped host says so. Both start again with their files."""
    host = shared.hosts[2]
    host.exec(["sh", "-c", "echo kept >/srv/kept"])
    with shared.inside(), socket.create_connection((host.address, host.port), SOON_S) as connection:
        connection.settimeout(SOON_S)
        assert connection.recv(64).startswith(b"SSH-2.0-")
        host.kill()
        with pytest.raises(TimeoutError):
            connection.recv(64)
    host.start()
    assert banner(shared, host) == b"SSH-2.0-"

    host.stop()

    with shared.inside(), pytest.raises(ConnectionRefusedError):
        socket.create_connection((host.address, host.port), IN_TIME_S)
    host.start()
    assert told(host, "cat", "/srv/kept") == "kept"


def test_a_longer_way_takes_longer(shared: Lab) -> None:
    """Each host has a second address, which OpenSSH knows, and from which each answer takes the ordered time longer."""
    with shared.latency(80) as far:
        began = time.monotonic()
        assert [banner(shared, one) for one in far] == [b"SSH-2.0-"] * 3
        assert time.monotonic() - began > 3 * 0.16
        assert shared.run(shared.ssh(far[1], "uname -n")).stdout.strip() == shared.hosts[1].name


@pytest.fixture
def repository(shared: Lab) -> Repository:
    """A repository that the first host believes by its key."""
    repository = shared.repository()
    host = shared.hosts[0]
    (host.root / KEYRING.lstrip("/")).write_text(repository.key)
    (host.root / "etc" / "apt" / "sources.list.d" / "lab.list").write_text(repository.source(f"signed-by={KEYRING}"))
    return repository


def test_packages_are_published_installed_and_upgraded(shared: Lab, repository: Repository) -> None:
    """A package comes with what it needs and its scripts, and apt finds the next version as soon as it is published."""
    host = shared.hosts[0]
    program = {"/usr/bin/demo": "#!/bin/sh\ncat /usr/share/demo\n"}
    repository.publish(Package(name="demo-data", files={"/usr/share/demo": "one"}))
    repository.publish(
        Package(name="demo", files=program, depends=("demo-data",), scripts={"postinst": "#!/bin/sh\necho set up >/srv/demo\n"})
    )
    told(host, "apt-get", "update")
    told(host, "apt-get", "install", "-qq", "demo")
    assert told(host, "demo") == "one"
    assert told(host, "cat", "/srv/demo") == "set up"

    repository.publish(Package(name="demo-data", version="2", files={"/usr/share/demo": "two"}))
    told(host, "apt-get", "update")
    told(host, "apt-get", "upgrade", "-qq")

    assert told(host, "demo") == "two"


def test_a_repository_with_another_key_is_refused(shared: Lab, repository: Repository) -> None:
    """What another repository publishes is not believed with this one's key; apt checks who signed."""
    other = shared.repository()
    host = shared.hosts[0]
    (host.root / "etc" / "apt" / "sources.list.d" / "lab.list").write_text(other.source(f"signed-by={KEYRING}"))

    ended = host.exec(["apt-get", "update"])

    assert ended.returncode != 0
    assert "NO_PUBKEY" in ended.stderr


def test_two_labs_do_not_see_each_other(shared: Lab) -> None:
    """The same addresses are other hosts in each, and the end of one leaves the other alone and nothing of itself."""
    with Lab(1) as other:
        name = other.namespace
        assert other.hosts[0].address == shared.hosts[0].address
        assert banner(other, other.hosts[0]) == b"SSH-2.0-"
        assert told(other.hosts[0], "cat", "/etc/machine-id") != told(shared.hosts[0], "cat", "/etc/machine-id")
        refused = other.run([*shared.ssh(shared.hosts[0], "true")])
        assert "REMOTE HOST IDENTIFICATION HAS CHANGED" in refused.stderr
        assert left(name)

    assert left(name) == []
    assert banner(shared, shared.hosts[0]) == b"SSH-2.0-"


def test_what_a_killed_lab_left_is_removed_by_the_next(shared: Lab, purvey_lab: Callable[[int], Lab]) -> None:
    """A lab whose process was killed is gone when another has started; one whose process lives stays."""
    program = [sys.executable, "-m", "purvey.testing.hosts", "2"]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        name = next(line for line in process.stdout if line.startswith("key")).split("/")[3]
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert len(processes(name)) >= 2

    purvey_lab(1)

    assert left(name) == []
    assert banner(shared, shared.hosts[0]) == b"SSH-2.0-"
