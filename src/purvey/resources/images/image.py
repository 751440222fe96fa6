"""Images: the archive of a tree, found by what is in it.

The digest is that of the archive before it is compressed, with its names in order and one time for all. So the same content
has the same digest wherever and whenever it is packed, and a plan tells whether an image is still the one of its tree by
reading the tree. An archive is packed beside its place, read back, scanned, and put there whole; until then nothing is
published.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any, Final

import msgspec

from purvey._base.value import Value
from purvey._hosts.change import Change, Remove, Run
from purvey._hosts.command import Command
from purvey._hosts.fact import Answers, Ask, Fact, StatOf
from purvey._hosts.step import Ended
from purvey._script.fields import Input, Output
from purvey._script.resource import Resource
from purvey.errors import HostError, ProviderError
from purvey.providers import Absent, Finding, NotKnownError, Observed, Present, Unreadable
from purvey.providers.host import HostProvider, Place, Work
from purvey.resources import _note
from purvey.resources._inputs import absolute, octal, refused, require_absolute
from purvey.resources._paths import above, blocked
from purvey.resources.images._scripts import WORK_S, image, words_of
from purvey.resources.images._told import Told, told_by

USUAL: Final = (
    "./dev/*", "./proc/*", "./run/*", "./sys/*", "./tmp/*", "./var/tmp/*", "./usr/sbin/policy-rc.d", "./var/cache/apt/*.bin",
    "./var/cache/apt/archives/*.deb", "./var/cache/ldconfig/*", "./var/lib/apt/lists/*_*", "./var/log/*.log",
)  # fmt: skip
"""What is no content: it is there on a running machine only, or differs each time that the same tree is made."""

_OWN: Final = "./var/lib/purvey"
_ENDINGS: Final[Mapping[str, str]] = {"zstd": ".tar.zst", "gzip": ".tar.gz", "xz": ".tar.xz", "none": ".tar"}
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,100}")
_PROGRAMS: Final = (
    'for it in sha256sum "$1"; do command -v "$it" >/dev/null || echo "$it"; done; '
    'tar --sort=name --version >/dev/null 2>&1 || echo "GNU tar"'
)
_SCANNED, _CHANGED = 65, 67


class Was(msgspec.Struct, frozen=True):
    """Which images there were before an operation."""

    images: tuple[str, ...] = ()


class ImageProvider(HostProvider["Image"]):
    """Images by tar."""

    long_calls = True
    settles = True
    """An undo packs what the tree was, if that is needed: after that is back in it."""

    lands_within_s = 2.0

    def facts(self, place: Place, subject: Image) -> Sequence[Fact]:
        """See `HostProvider.facts`: the tree and the images in one question, which reads the whole tree."""
        note = [_note.asked(place)] if place.token else []
        return [StatOf(require_absolute(subject.folder)), _looking(subject), *note]

    def seen(self, place: Place, have: Image, answers: Answers) -> Observed:
        """See `HostProvider.seen`: where the tree is gone, nothing is known but that the image is there."""
        told = told_by(answers[_looking(have)])
        if told.problem:
            return Unreadable(f"{have.tree} cannot be read: {told.problem}")
        if PurePath(have.path).name not in told.images:
            return Absent()
        values: dict[str, Value] = {"name": have.name, "folder": have.folder, "digest": told.digest or have.digest}
        if told.whole is not None and told.digest == have.digest:
            values |= {"size": told.whole.size, "sha256": told.whole.sha256}
        return Present(f"{have.folder}/{have.name}", values)

    def found(self, place: Place, want: Image, answers: Answers) -> Observed:
        """See `HostProvider.found`: an archive under its name is packed again, for nobody knows how that one was made."""
        return Absent()

    def make(self, place: Place, want: Image, answers: Answers) -> Work:
        """See `HostProvider.make`."""
        return self._packed(place, None, want, answers)

    def change(self, place: Place, have: Image, want: Image, answers: Answers) -> Work:
        """See `HostProvider.change`: an image that is the one of its tree already is only scanned by another scan."""
        return self._packed(place, have, want, answers)

    def _packed(self, place: Place, have: Image | None, want: Image, answers: Answers) -> Work:
        told = told_by(answers[_looking(want)])
        _require(want, told, answers)
        name = _file(want, told.digest)
        before = _note.was_before(place, answers, Was, token=place.token)
        noting = _note.noted(place, Was(told.images)) if before is None else ()
        others = [it for it in told.images if it != name]
        sweeping = [Remove(f"{want.folder}/{it}") for it in others[want.keep - 1 :]]
        outputs: dict[str, Value] = {"digest": told.digest, "path": f"{want.folder}/{name}"}
        whole = told.whole
        if whole is not None and _is_recorded(have, told):
            scanning = [Run(_scan(want, f"{want.folder}/{name}"))] if want.scan and have and have.scan != want.scan else []
            changes: list[Change] = [*scanning, *sweeping]
            outputs |= {"size": whole.size, "sha256": whole.sha256, "revision": _revision_of(have)}
            return Work(_id(want), (*noting, *changes) if changes else (), outputs)
        packing = Run(_packing(want, told.digest), touches=(_looking(want),))
        return Work(_id(want), (*noting, packing, *sweeping), {**outputs, "revision": place.token})

    def learnt(self, want: Image, work: Work, ended: Ended) -> Mapping[str, Value]:
        """See `HostProvider.learnt`: what was packed."""
        packed = re.search(rb"^packed (\d+) ([0-9a-f]{64})$", ended.out, re.MULTILINE)
        if packed is None:
            return {}
        return {"size": int(packed[1]), "sha256": packed[2].decode()}

    def remove(self, place: Place, have: Image, answers: Answers) -> Work:
        """See `HostProvider.remove`: with those that were kept of it."""
        told = told_by(answers[_looking(have)])
        gone = [*(Remove(f"{have.folder}/{it}") for it in told.images), Remove(_draft(have))]
        return Work(_id(have), (*gone, *_note.forgotten(place)))

    def take_back(self, place: Place, have: Image, before: Image | None, answers: Answers) -> Work:
        """See `HostProvider.take_back`: what was published goes; the former image is packed again if it was not kept.

        Raises:
            HostError: ``conflict`` if the tree is not the one that it was made of.
        """
        was = _note.was_before(place, answers, Was, token=place.undoes)
        if was is None:  # Nothing was done.
            return Work(_id(have), (), None)
        told = told_by(answers[_looking(have)])
        changes: list[Change] = [Remove(f"{have.folder}/{it}") for it in told.images if it not in was.images]
        changes.append(Remove(_draft(have)))
        if before is not None and PurePath(before.path).name not in told.images:
            if told.digest != before.digest:
                raise HostError(
                    "conflict", "A former image is gone, and cannot be made again",
                    detail=f"{before.path} was not kept, and {before.tree} is not as it was then.",
                    hint="Keep more of them: keep=3. Or take back by hand what was changed in the tree.",
                )  # fmt: skip
            changes.append(Run(_packing(before, before.digest), touches=None))
        return Work(_id(have), (*changes, *_note.forgotten(place)), None)

    def explained(self, subject: Image, error: ProviderError) -> ProviderError:
        """See `HostProvider.explained`."""
        said = words_of(error)
        packing = "(purvey)" in error.detail
        if f"ended with code {_SCANNED}" in error.detail or ("ended with code" in error.detail and not packing):
            stays = "It is not published." if packing else "It was published before this scan, and stays."
            return HostError(
                "failed", "An image did not pass its scan", detail=said,
                hint=f"{stays} Mend in the tree what was found, or the scan, then resume.",
            )  # fmt: skip
        if f"ended with code {_CHANGED}" in error.detail:
            return HostError(
                "conflict", "A tree was changed while it was packed",
                detail=f"{subject.tree} is not what it was a moment before.",
                hint="Name in `needs` every node that works in it, and let nobody else do so; then resume.",
            )  # fmt: skip
        if "No space left on device" in error.detail:
            hint = "Nothing of it is left, and the former images are as they were. Make room, then resume."
            return HostError("quota_exceeded", "There is no room for an image", detail=said, hint=hint)
        if "ended with code" not in error.detail:
            return error
        hint = "A tree of several users is packed by root." if "Permission denied" in error.detail else ""
        return HostError("failed", "An image could not be packed", detail=said, hint=hint)

    def hazards(self, place: Place, want: Image) -> Sequence[Fact]:
        """See `HostProvider.hazards`."""
        return [*above(f"{want.folder}/x"), _programs(want)]

    def findings(self, place: Place, want: Image, answers: Answers) -> Sequence[Finding]:
        """See `HostProvider.findings`: what it is packed by must be there."""
        missing = answers[_programs(want)].text().split("\n")
        found = [
            Finding(place.address, f"there is no {it}, by which an image is packed", f"Install {it}.") for it in missing if it
        ]
        return [*blocked(place.address, f"{want.folder}/x", answers), *found]

    def claims(self, want: Image) -> Sequence[str]:
        """See `Provider.claims`."""
        return (f"image:{want.folder}/{want.name}",)


class Image(Resource, kind="images.Image", provider=ImageProvider):
    """An image: the archive of a tree, named by what is in it, which appears whole and scanned or not at all.

        image = images.Image("web", tree=tree, folder="images", needs=[nginx, site], scan=["trivy", "rootfs", "{tree}"], keep=3)

    It is packed when the tree is another one than it was packed of, and the same content is the same image. Times, and what is
    no content (`exclude`), do not count. Former images stay, up to `keep`. All go with the node.
    """

    tree: Any = Input(doc="The tree: an `images.Tree`, or the path of a folder.")
    folder: str = Input(immutable=True, doc="Where images are put; it exists.")
    name: str = Input(default=None, immutable=True, doc="What they are called: NAME-DIGEST.tar.zst; by default as the node.")
    needs: Sequence[Any] = Input(default=(), doc="The nodes that work in the tree; it is packed after them.")
    exclude: Sequence[str] = Input(default=USUAL, doc="What is left away, as tar's patterns of names that begin with `./`.")
    compress: str = Input(default="zstd", doc="zstd, gzip, xz or none.")
    scan: Sequence[str] = Input(
        default=(), doc="A program that must succeed before it is published; {archive} and {tree} are paths in its arguments."
    )
    keep: int = Input(default=3, doc="How many are kept, the present one among them.")
    mode: str = Input(
        default="0600", doc="The mode of the archive, which holds the hashes of passwords where the tree has some."
    )

    digest: str = Output(compared=True, doc="SHA-256 of what is in it: of the archive before it was compressed.")
    path: str = Output(doc="The archive.")
    size: int = Output(doc="Its bytes.")
    sha256: str = Output(compared=True, doc="SHA-256 of the archive as it is.")
    revision: str = Output(doc="Another one after each time that it was packed.")

    @classmethod
    def prepare(cls, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:
        """See `Resource.prepare`.

        Raises:
            ScriptError: ``script.bad_image``, ``script.bad_path``, ``script.bad_mode``.
        """
        known = {**inputs, "mode": octal(inputs.get("mode", "0600"))}
        needs = list(known.get("needs", ()))
        if isinstance(tree := known.get("tree"), Resource):
            needs.append(tree)
            known["tree"] = tree.root  # type: ignore[attr-defined]
        known["needs"] = [_revision(item) for item in needs]
        for name in ("tree", "folder"):
            if name in known:
                known[name] = absolute(known[name], folder)
        _check(known)
        if known.get("scan"):
            first, *rest = known["scan"]
            known["scan"] = [str(folder / first) if isinstance(first, str) and first.startswith("./") else first, *rest]
        return known


def _check(known: Mapping[str, Any]) -> None:
    """Refuse what makes no sense."""
    name, keep = known.get("name"), known.get("keep", 1)
    if isinstance(name, str) and not _NAME.fullmatch(name):
        raise _bad(f"{name!r} is no name for a file.", "Use letters, digits, dashes and points.")
    if known.get("compress", "none") not in _ENDINGS:
        raise _bad(f"`compress` is {known['compress']!r}.", f"It is one of {', '.join(_ENDINGS)}.")
    if isinstance(keep, int) and keep < 1:
        raise _bad(f"`keep` is {keep}.", "The present one is always kept: keep=1.")
    for field in ("scan", "exclude"):
        if isinstance(known.get(field), str):
            raise _bad(f"`{field}` is text.", f'Give a list: {field}=["…"].')
    if any(isinstance(pattern, str) and ("\t" in pattern or "\n" in pattern) for pattern in known.get("exclude", ())):
        raise _bad("A pattern in `exclude` has a tab or a line end.", "Write ? for it.")


def _revision(item: Any) -> Any:
    """What changes with a node: its revision, or itself where it has none."""
    is_told = isinstance(item, Resource) and "revision" in item._kind.outputs  # noqa: SLF001 - a node's kind is known to kinds.
    return item.revision if is_told else item


def _require(want: Image, told: Told, answers: Answers) -> None:
    """Refuse what cannot be packed.

    Raises:
        HostError: ``not_found``, ``failed``.
    """
    folder = answers[StatOf(want.folder)]
    if folder is None or folder.kind not in ("directory", "link"):
        raise HostError(
            "not_found", "The folder for images is not there", detail=f"{want.folder} is no folder.",
            hint="Declare it, and build the path from that node: files.Directory(…).",
        )  # fmt: skip
    if told.problem:
        hint = "A tree of several users is packed by root." if "Permission denied" in told.problem else ""
        raise HostError("failed", "A tree cannot be read", detail=told.problem, hint=hint)
    if not told.digest:
        raise HostError(
            "not_found", "There is no tree", detail=f"{want.tree} is no folder.", hint="Pass a tree: tree=images.Tree(…)."
        )


def _is_recorded(have: Image | None, told: Told) -> bool:
    """Whether the archive that is there is the one that was packed."""
    if have is None or told.whole is None:
        return False
    try:
        return have.digest == told.digest and have.sha256 == told.whole.sha256
    except NotKnownError:
        return False


def _revision_of(have: Image | None) -> str:
    try:
        return (have.revision or "") if have is not None else ""
    except NotKnownError:
        return ""


def _looking(subject: Image) -> Ask:
    return Ask(("sh", "-c", image(), "image.sh", "look", *_words(subject)))


def _packing(want: Image, digest: str) -> Command:
    scan = _scan(want, _draft(want)).argv if want.scan else ()
    return Command(
        ("sh", "-c", image(), "image.sh", "pack", *_words(want), digest, want.mode, *scan), timeout_s=WORK_S
    )  # fmt: skip


def _words(subject: Image) -> tuple[str, ...]:
    excluded = "\t".join((_OWN, *subject.exclude))
    return (require_absolute(subject.tree), subject.folder, subject.name, _ENDINGS[subject.compress], excluded)


def _scan(want: Image, archive: str) -> Command:
    known = {"{archive}": archive, "{tree}": want.tree}
    argv = [re.sub("|".join(known), lambda found: known[found[0]], word) for word in want.scan]
    return Command(tuple(argv), timeout_s=WORK_S)


def _programs(want: Image) -> Ask:
    return Ask(("sh", "-c", _PROGRAMS, "sh", {"none": "tar"}.get(want.compress, want.compress)))


def _file(want: Image, digest: str) -> str:
    return f"{want.name}-{digest[:16]}{_ENDINGS[want.compress]}"


def _draft(want: Image) -> str:
    """Where it is packed."""
    return f"{want.folder}/.{want.name}.draft{_ENDINGS[want.compress]}"


def _id(subject: Image) -> str:
    return f"{subject.folder}/{subject.name}"


def _bad(problem: str, hint: str) -> Exception:
    return refused("script.bad_image", "An image is not described in a way that is understood", problem, hint)
