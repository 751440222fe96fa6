"""What a new machine is told before anybody can log in: a document that cloud-init reads, in the form and size a cloud takes.

    vm = cloud.Server("web", user_data=host.user_data(packages=["nginx"], run=["systemctl enable nginx"], cloud="aws"))

The document can be read by everything on the machine that may ask the cloud for it, and by whoever may look at the machine in
the cloud, for as long as the machine lives. So no secret is put into it; secrets come later, over SSH.

It is the same text for the same arguments, and plain where it fits, so that a plan shows what changes in it. Where it is too
large it is compressed inside a multi-part document, which is still text and goes wherever text goes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from purvey._base.value import Link, Masked, SecretRef, resolve, walk
from purvey._script.recorder import current
from purvey._script.reference import freeze
from purvey._script.words import to_gzip, to_yaml
from purvey.errors import ScriptError
from purvey.providers import registry
from purvey.resources._inputs import beside, refused
from purvey.resources.host._clear import in_document, in_part

FOLDER: Final = "/var/lib/cloud/purvey"
"""Where the agent and the scripts are; /run cannot hold them, for it may be mounted noexec."""

BYTES_MAX: Final[Mapping[str, int]] = {
    "aws": 16_384,
    "azure": 65_535,
    "digitalocean": 65_536,
    "gcp": 262_144,
    "hetzner": 32_768,
    "openstack": 49_149,
}
"""The most bytes of user data that a cloud takes, before it is encoded for the way.

- aws: 16 KB "in raw form, before it is base64-encoded";
  https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-add-user-data.html
- azure: customData, "the maximum length of the binary array is 65535 bytes";
  https://learn.microsoft.com/en-us/javascript/api/@azure/arm-compute/osprofileprovisioningdata
- digitalocean: plain text of at most 64 KiB; https://docs.digitalocean.com/reference/api/reference/droplets/
- gcp: a metadata value of at most 262144 bytes; https://cloud.google.com/compute/docs/reference/rest/v1/Metadata
- hetzner: "limited to 32KiB"; https://docs.hetzner.cloud/reference/cloud#servers-create-a-server
- openstack: "must be base64 encoded and is restricted to 65535 bytes", which is 49149 before;
  https://docs.openstack.org/nova/stein/user/user-data.html
"""

_UNKNOWN: Final = "x" * 64
"""What stands for an output that is not known yet where a document is measured: an id or an address is shorter."""

_SHORT_LIVED: Final = "host.JoinToken"

_LATER: Final = (
    "Bring it over SSH once the machine is there:\n\n"
    '    files.File("key", on=web, path="/etc/shop/key", content=secret("file:…"), opts=Options(after=[ready]))\n\n'
    "A machine that must join others by itself takes a host.JoinToken, which lives for minutes."
)

_PACKED: Final = """\
Content-Type: multipart/mixed; boundary="==purvey=="
MIME-Version: 1.0

--==purvey==
Content-Type: application/gzip
Content-Transfer-Encoding: base64

{}
--==purvey==--
"""


def user_data(
    *, packages: Sequence[Any] = (), users: Sequence[Any] = (), write_files: Sequence[Mapping[str, Any]] = (),
    run: Sequence[str | Sequence[str]] = (), scripts: Sequence[str | Path] = (), config: Mapping[str, Any] | None = None,
    parts: Sequence[str | Path] = (), cloud: str | None = None,
) -> str:  # fmt: skip
    """User data for cloud-init, as text for whatever makes a machine; outputs may stand in it.

    `run` and `scripts` are the machine's steps, in this order; the first that fails ends them. How each ended is left on the
    machine, where `host.CloudInit` sees it. An API that takes base64 is given ``to_base64(host.user_data(...))``.

    Args:
        packages: As in a cloud-config.
        users: As in a cloud-config; keep ``"default"`` to have the image's own user.
        write_files: As in a cloud-config.
        run: Commands: a list is a program and its arguments, a text is run by ``sh -e``.
        scripts: Programs beside the script, which begin with ``#!``; text.
        config: Everything else that a cloud-config may hold, by its key.
        parts: Further documents of any kind that cloud-init knows: the text, or the path of a file beside the script. Where
            one of them is a cloud-config, the keys that are given here win.
        cloud: Whose limit it must keep: ``aws``, ``azure``, ``digitalocean``, ``gcp``, ``hetzner``, ``openstack``; by default
            there is none, as for a disk that is made for the machine (NoCloud).

    Raises:
        ScriptError: ``script.secret_in_user_data``, ``script.user_data_too_large``, ``script.bad_user_data``,
            ``script.source_unreadable``.
    """
    if cloud is not None and cloud not in BYTES_MAX:
        raise _bad(
            f"`cloud` is {cloud!r}.", f"The limits of these are known: {', '.join(BYTES_MAX)}. Without it there is none."
        )
    document = _once({"packages": packages, "users": users, "write_files": write_files}, config or {})
    _add_steps(document, run, [_read(script) for script in scripts])
    further = [_read(part)[1] if isinstance(part, Path) else part for part in parts]
    _require_open([document, *further])
    text = f"#cloud-config\n{to_yaml(document)}\n"
    if further:
        text = f"#cloud-config-archive\n{to_yaml([{'content': part} for part in (text, *further)])}\n"
    return _fitted(text, cloud) if cloud else text


def _once(named: Mapping[str, Sequence[Any]], config: Mapping[str, Any]) -> dict[str, Any]:
    """The document of what was given by name and of all else, nothing of it said twice."""
    document: dict[str, Any] = {name: list(items) for name, items in named.items() if items}
    for key, value in config.items():
        if key in document:
            raise _bad(f"`{key}` stands in `config` as well.", "Say it once.")
        document[key] = value
    return document


def _add_steps(document: dict[str, Any], run: Sequence[str | Sequence[str]], scripts: Sequence[tuple[str, str]]) -> None:
    """Let the agent run the steps, before whatever else the machine was to run."""
    steps = [["sh", "-ec", step] if isinstance(step, str) else list(step) for step in run]
    if not all(steps):
        raise _bad("A command in `run` is empty.", "Give the program and its arguments.")
    written = [{"path": f"{FOLDER}/agent", "permissions": "0700", "content": _agent()}]
    for number, (name, text) in enumerate(scripts, 1):
        if not text.startswith("#!"):
            raise _bad(f"{name} does not begin with `#!`.", "Say in its first line what runs it:\n\n    #!/bin/sh -e")
        path = f"{FOLDER}/{number}-{re.sub(r'[^A-Za-z0-9._-]', '-', name)}"
        written.append({"path": path, "permissions": "0700", "content": text})
        steps.append([path])
    if steps:
        agent = [["sh", f"{FOLDER}/agent", f"{number}/{len(steps)}", *step] for number, step in enumerate(steps, 1)]
        document["write_files"] = [*document.get("write_files", []), *written]
        document["runcmd"] = [*agent, *document.get("runcmd", [])]


@cache
def _agent() -> str:
    """The agent, without the comments: each byte counts."""
    lines = Path(__file__).with_name("agent.sh").read_text(encoding="utf-8").splitlines()
    return "\n".join(["#!/bin/sh", *(line for line in lines if not line.startswith("#")), ""])


def _read(path: str | Path) -> tuple[str, str]:
    """Name and text of a file beside the script.

    Raises:
        ScriptError: ``script.source_unreadable``.
    """
    place = Path(beside(str(path), current().root))
    try:
        return place.name, place.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        hint = "Relative paths begin at the script's folder."
        raise refused("script.source_unreadable", "A source file cannot be read", f"{path}: {error}", hint) from None


def _require_open(document: list[Any]) -> None:
    """Refuse what is secret.

    Raises:
        ScriptError: ``script.secret_in_user_data``.
    """
    frozen = freeze(document, current().source(), "user_data(...)")
    for reference in walk(frozen):
        if isinstance(reference, SecretRef | Masked):
            raise _secret(f"It holds {getattr(reference, 'source', '') or 'a secret'}.")
        if isinstance(reference, Link) and _is_secret(reference):
            raise _secret(f"It holds {reference}, which is secret.")
    whole, *parts = frozen if isinstance(frozen, list) else [frozen]
    for found in (in_document(whole), *map(in_part, parts)):
        if found:
            raise _secret(f"It holds {found}.")


def _is_secret(link: Link) -> bool:
    """Whether an output is secret, and stays so for longer than the machine takes to begin."""
    node = current().nodes.get(link.address)
    if node is None or node.kind == _SHORT_LIVED:
        return False
    return link.output in registry.get(node.kind).secrets


def _fitted(text: str, cloud: str) -> str:
    """The text: plain, or compressed where that is too large.

    Raises:
        ScriptError: ``script.user_data_too_large``.
    """
    if (plain_bytes := _size(text)) <= BYTES_MAX[cloud]:
        return text
    packed = _PACKED.format(to_gzip(text))
    if (packed_bytes := _size(packed)) <= BYTES_MAX[cloud]:
        return packed
    raise refused(
        "script.user_data_too_large",
        "User data is larger than the cloud takes",
        f"It has {plain_bytes} bytes, and compressed {packed_bytes}; {cloud} takes {BYTES_MAX[cloud]}.",
        "Let the machine come up with less, and do the rest over SSH once it is ready, by kinds with `on=`.",
    )


def _size(text: str) -> int:
    """Bytes; what is not known yet is taken for as long as such values are."""
    known = resolve(freeze(text, current().source(), "user_data(...)"), lambda _: _UNKNOWN, lambda _: _UNKNOWN)
    assert isinstance(known, str)  # Text stays text.
    return len(known.encode())


def _secret(what: str) -> ScriptError:
    return refused(
        "script.secret_in_user_data",
        "User data would hold a secret",
        f"{what} Whatever runs on the machine can ask the cloud for its user data, and the cloud shows it for as long as the "
        "machine lives.",
        _LATER,
    )


def _bad(problem: str, hint: str) -> ScriptError:
    return refused("script.bad_user_data", "User data makes no sense", problem, hint)
