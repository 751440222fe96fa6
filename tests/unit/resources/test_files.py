"""Files on a real disk: each is what the script says, changes in one step, and comes back as it was."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, NoReturn

import pytest

from purvey._base.value import Secret, Unknown, canonical
from purvey.errors import HostError, ProviderError
from purvey.providers import Absent, Done, Present
from purvey.resources import files
from purvey.testing import PlainCall, view
from tests.unit.resources.life import changed, differences, everything_below, kind_of, made, provider, values

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def call(tmp_path: Path) -> PlainCall:
    """A call whose own folder does not exist yet, like the ones above it."""
    return PlainCall(tmp_path / "state" / "files.File" / "x")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where the tests put their files."""
    folder = tmp_path / "srv"
    folder.mkdir()
    return folder


def again(call: PlainCall, *, undoes: str = "") -> PlainCall:
    """A further operation on the same object."""
    return PlainCall(call.folder, clock=call.clock, id=call.id, undoes=undoes)


def mode_of(path: Path) -> str:
    """The permission bits of a path in octal."""
    return f"{path.stat().st_mode & 0o7777:04o}"


async def test_a_file_is_made_and_then_stays(call: PlainCall, place: Path) -> None:
    """A file gets its content and mode, and the next look finds nothing to do."""
    have = await made(call, view(files.File, path=str(place / "motd"), content="hello\n", mode="0640"))

    assert (place / "motd").read_text() == "hello\n"
    assert mode_of(place / "motd") == "0640"
    assert await differences(call, have) == []
    assert everything_below(place) == ["motd"]


async def test_what_was_predicted_is_what_comes(call: PlainCall, place: Path) -> None:
    """Digest and size in the plan are those of the file, and unknown content predicts nothing."""
    want = view(files.File, path=str(place / "motd"), content="héllo")
    predicted = provider(want).predict(want)

    done = await provider(want).create(call, want)
    assert isinstance(done, Done)
    assert {**predicted, "revision": call.token} == done.outputs
    later = view(files.File, path="/x", template_text="{{ a }}", variables={"a": Unknown("x")})
    assert provider(later).predict(later) == {}


async def test_an_interrupted_create_can_be_repeated(call: PlainCall, place: Path) -> None:
    """Creating what is there already ends in the same state, without leftovers."""
    want = view(files.File, path=str(place / "motd"), content="hello")
    first = await made(call, want)

    assert values(await made(call, want)) == values(first)
    assert everything_below(place) == ["motd"]


@pytest.mark.parametrize(
    ("edit", "field"),
    [
        (lambda path: path.write_text("mine"), "digest"),
        (lambda path: path.chmod(0o666), "mode"),
        (lambda path: (path.unlink(), path.symlink_to("/etc/passwd")), "digest"),
        (lambda path: (path.unlink(), path.mkdir()), "digest"),
    ],
    ids=["content", "mode", "a link", "a directory"],
)
async def test_an_edit_is_drift(call: PlainCall, place: Path, edit: object, field: str) -> None:
    """What somebody did to a file is seen, and named."""
    have = await made(call, view(files.File, path=str(place / "motd"), content="hello", mode="0644"))
    assert callable(edit)
    edit(place / "motd")

    assert field in await differences(call, have)


async def test_a_lost_file_is_absent(call: PlainCall, place: Path) -> None:
    """A file that is gone is certainly absent, not an error."""
    have = await made(call, view(files.File, path=str(place / "motd"), content="hello"))
    (place / "motd").unlink()

    assert isinstance(await provider(have).read(call, have), Absent)


async def test_drift_is_repaired(call: PlainCall, place: Path) -> None:
    """An update puts content and mode back, also where somebody put a link in the file's place."""
    have = await made(call, view(files.File, path=str(place / "motd"), content="hello", mode="0644"))
    (place / "motd").unlink()
    (place / "motd").symlink_to(place / "other")

    after = await changed(again(call), have, have)

    assert not (place / "motd").is_symlink()
    assert (place / "motd").read_text() == "hello"
    assert await differences(call, after) == []


async def test_an_undo_gives_back_what_was_there(call: PlainCall, place: Path) -> None:
    """The undo of an update restores the file as found, somebody's edit and mode included; that of a create removes it."""
    have = await made(call, view(files.File, path=str(place / "motd"), content="one", mode="0644"))
    (place / "motd").write_bytes(b"edited \xff")
    (place / "motd").chmod(0o604)
    update = again(call)
    after = await changed(update, have, view(files.File, path=have.path, content="two", mode="0600"))

    await provider(have).undo(again(call, undoes=update.token), after, have)

    assert (place / "motd").read_bytes() == b"edited \xff"
    assert mode_of(place / "motd") == "0604"
    await provider(have).undo(again(call, undoes=call.token), have, None)
    assert everything_below(place) == []


async def test_an_update_that_is_repeated_keeps_the_former_content(call: PlainCall, place: Path) -> None:
    """An update that was interrupted and called again still undoes to what was there before its first attempt."""
    have = await made(call, view(files.File, path=str(place / "motd"), content="one"))
    want = view(files.File, path=have.path, content="two")
    update = again(call)
    await changed(update, have, want)
    after = await changed(update, have, want)

    await provider(have).undo(again(call, undoes=update.token), after, have)

    assert (place / "motd").read_text() == "one"


async def test_an_undo_without_a_copy_uses_the_record(call: PlainCall, place: Path) -> None:
    """Where the copy is lost, the former inputs are written again."""
    have = await made(call, view(files.File, path=str(place / "motd"), content="one"))
    after = await changed(again(call), have, view(files.File, path=have.path, content="two"))

    await provider(have).undo(again(call, undoes="unknown"), after, have)

    assert (place / "motd").read_text() == "one"


async def test_one_copy_is_kept_and_nobody_can_read_it(call: PlainCall, place: Path) -> None:
    """Of many updates only the last former content stays, closed to others; deleting the file removes that too."""
    have = await made(call, view(files.File, path=str(place / "motd"), content="0"))
    for number in range(1, 4):
        have = await changed(again(call), have, view(files.File, path=have.path, content=str(number)))
    own = place.parent / "state" / "files.File" / "x"

    assert len(list(own.iterdir())) == 1
    assert mode_of(own) == "0700"
    assert mode_of(next(own.iterdir())) == "0600"
    await provider(have).delete(again(call), have)
    assert not own.exists()
    assert everything_below(place) == []


async def test_a_delete_can_be_repeated_and_spares_others(call: PlainCall, place: Path) -> None:
    """Deleting removes an edited file too, is no error when it is gone, and leaves a directory that took its place."""
    have = await made(call, view(files.File, path=str(place / "motd"), content="hello"))
    (place / "motd").write_text("edited")
    await provider(have).delete(call, have)
    await provider(have).delete(call, have)
    assert everything_below(place) == []
    (place / "motd").mkdir()

    await provider(have).delete(call, have)

    assert everything_below(place) == ["motd"]


async def test_a_refused_file_never_replaces_the_old(call: PlainCall, place: Path) -> None:
    """When the validating program does not accept a file, the old one stays, nothing is left over, and its words are shown."""
    path = place / "app.conf"
    check = ["/bin/sh", "-c", 'grep -q good "$1" || { echo "line 1: not good" >&2; exit 3; }', "sh", "{path}"]
    have = await made(call, view(files.File, path=str(path), content="good", validate=check))

    with pytest.raises(HostError, match="not accepted") as refused:
        await changed(again(call), have, view(files.File, path=str(path), content="bad", validate=check))

    assert refused.value.code == "invalid"
    assert "line 1: not good" in refused.value.detail
    assert path.read_text() == "good"
    assert everything_below(place) == ["app.conf"]


async def test_a_full_disk_says_so(call: PlainCall, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without room the old file stays whole, and the error says what to do."""
    have = await made(call, view(files.File, path=str(place / "motd"), content="one"))
    update = again(call)

    def full(*_: object) -> NoReturn:
        """What the system does when there is no room."""
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("purvey._hosts.local_stage.os.write", full)
    with pytest.raises(HostError) as refused:
        await changed(update, have, view(files.File, path=have.path, content="two"))
    monkeypatch.undo()

    assert refused.value.code == "quota_exceeded"
    assert "No space left" in refused.value.detail
    assert "df -h" in refused.value.hint
    assert (place / "motd").read_text() == "one"
    assert everything_below(place) == ["motd"]


async def test_a_secret_stays_in_the_file(call: PlainCall, place: Path) -> None:
    """Neither a plaintext nor a digest that could be guessed reaches the record; drift is seen all the same."""
    want = view(files.File, path=str(place / "pw"), content=Secret("hunter2-hunter2"), mode="0600")
    assert provider(want).predict(want) == {}
    have = await made(call, want)
    seen = await provider(have).read(call, have)

    assert (place / "pw").read_text() == "hunter2-hunter2"
    assert isinstance(seen, Present)
    assert b"hunter2" not in canonical(seen.values)
    assert have.digest.startswith("keyed:")
    assert have.size == 0
    other = PlainCall(place.parent / "elsewhere")
    assert (await made(other, want)).digest != have.digest
    assert await differences(call, have) == []
    (place / "pw").write_text("edited")
    assert await differences(call, have) == ["digest"]


async def test_a_lost_digest_key_is_drift(call: PlainCall, place: Path) -> None:
    """Without its key a secret file cannot be compared, so it is written again rather than believed."""
    have = await made(call, view(files.File, path=str(place / "pw"), content=Secret("hunter2-hunter2")))
    next((place.parent / "state" / "files.File" / "x").glob("*.key")).unlink()

    assert await differences(call, have) == ["digest"]
    assert await differences(call, await changed(again(call), have, have)) == []


async def test_a_validating_program_cannot_betray_a_secret(call: PlainCall, place: Path) -> None:
    """What a validating program quotes from the file is hidden in the error, for templates and for texts with secrets."""
    check = ["/bin/sh", "-c", 'cat "$1" >&2; exit 1', "sh", "{path}"]
    text = view(files.File, path=str(place / "a"), content=Secret("password = hunter2-hunter2\n"), validate=check)
    filled = view(
        files.File,
        path=str(place / "b"),
        template_text="password = {{ p }}\n",
        variables={"p": Secret("hunter2-hunter2")},
        validate=check,
    )

    for want in (text, filled):
        with pytest.raises(HostError) as refused:
            await provider(want).create(call, want)
        assert "hunter2" not in str(refused.value)


async def test_a_template_is_filled_and_names_what_is_missing(call: PlainCall, place: Path) -> None:
    """A template is filled with plain and secret variables; an undefined one is an error at its line, without any secret."""
    text = "# {{ n }}\nkey={{ p }} & co\n{{ q }}\n"
    whole = view(
        files.File,
        path=str(place / "a"),
        template="a.j2",
        template_text=text,
        variables={"n": 1, "p": Secret("s3cr&t"), "q": ""},
    )
    await made(call, whole)
    assert (place / "a").read_text() == "# 1\nkey=s3cr&t & co\n\n"

    broken = view(
        files.File, path=str(place / "b"), template="a.j2", template_text=text, variables={"n": 1, "p": Secret("s3cr&t")}
    )
    with pytest.raises(ProviderError) as refused:
        await provider(broken).create(call, broken)

    assert "a.j2:3: 'q' is undefined" in refused.value.detail
    assert "s3cr&t" not in str(refused.value)
    assert everything_below(place) == ["a"]


async def test_an_expression_that_fails_does_not_quote_a_secret(call: PlainCall, place: Path) -> None:
    """An error inside a template may repeat a value; a secret one is hidden."""
    want = view(
        files.File, path=str(place / "a"), template="a.j2", template_text="{{ '%d' % p }}", variables={"p": Secret("hunter2")}
    )
    number = view(
        files.File,
        path=str(place / "a"),
        template="a.j2",
        template_text="{{ m[p] }}",
        variables={"m": {}, "p": Secret("hunter2")},
    )

    for each in (want, number):
        with pytest.raises(ProviderError) as refused:
            await provider(each).create(call, each)
        assert "hunter2" not in str(refused.value)


async def test_a_template_cannot_reach_out(call: PlainCall, place: Path) -> None:
    """The sandbox keeps a template from the interpreter's own parts."""
    text = "{{ ''.__class__.__mro__[1].__subclasses__() }}"
    want = view(files.File, path=str(place / "a"), template="a.j2", template_text=text)

    with pytest.raises(ProviderError, match="could not be filled"):
        await provider(want).create(call, want)


async def test_preflight_names_what_is_certain_to_fail(call: PlainCall, place: Path) -> None:
    """Before the first write: a file where a folder must be, a validating program that is not there, a template with a gap."""
    (place / "file").write_text("")
    want = view(
        files.File,
        path=str(place / "file" / "deep" / "a"),
        template="a.j2",
        template_text="{{ q }}",
        validate=["/nowhere/check", "{path}"],
    )

    problems = [finding.problem for finding in await provider(want).preflight(call, want)]

    assert len(problems) == 3
    assert f"{place / 'file'} is a file and no folder" in problems[0]
    assert "/nowhere/check does not exist" in problems[1]
    assert "a.j2:1" in problems[2]
    assert everything_below(place) == ["file"]


async def test_preflight_passes_over_what_is_not_known(call: PlainCall, place: Path) -> None:
    """A program or variable that only the apply knows is no finding; a path that came out relative is one."""
    want = view(
        files.File,
        path=str(place / "a"),
        template_text="{{ q }}",
        variables={"q": Unknown("x")},
        validate=[Unknown("y"), "{path}"],
    )
    assert await provider(want).preflight(call, want) == []

    relative = view(files.File, path="a/b", content="")
    assert "not absolute" in (await provider(relative).preflight(call, relative))[0].problem


async def test_what_exists_is_found(call: PlainCall, place: Path) -> None:
    """A file that purvey did not make is reported with its digest, so that the engine can refuse or adopt it."""
    want = view(files.File, path=str(place / "motd"), content="mine")
    assert isinstance(await provider(want).find(call, want), Absent)
    (place / "motd").write_text("mine")

    found = await provider(want).find(call, want)

    assert isinstance(found, Present)
    assert found.values["digest"] == provider(want).predict(want)["digest"]
    assert set(found.values) >= kind_of(files.File).outputs


async def test_an_owner_is_compared_only_where_it_is_given(call: PlainCall, place: Path) -> None:
    """The owner of a file is read for a script that gives one, and left alone otherwise."""
    have = await made(call, view(files.File, path=str(place / "a"), content=""))
    seen = await provider(have).read(call, have)
    assert isinstance(seen, Present)
    assert "owner" not in seen.values

    status = await call.host.stat(str(place / "a"))
    assert status is not None
    mine = await made(call, view(files.File, path=str(place / "a"), content="", owner=status.owner, group=status.group))
    assert await differences(call, mine) == []
