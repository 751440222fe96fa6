"""Importing by id: the Python that is written plans to no change, for every kind of file there is."""

from __future__ import annotations

import ast
import textwrap
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Purvey

SECRET = "only-for-the-owner"


def world(folder: Path) -> dict[str, str]:
    """Things that somebody has made, by kind."""
    (folder / "srv").mkdir(mode=0o750)
    text = folder / "srv" / "motd"
    text.write_text('Welcome to "purvey",\n\tit\'s {here} — füré\\n.\n', encoding="utf-8")
    text.chmod(0o640)
    (folder / "srv" / "plain").write_text("", encoding="utf-8")
    secret = folder / "srv" / "app.key"
    secret.write_text(SECRET, encoding="utf-8")
    secret.chmod(0o600)
    (folder / "current").symlink_to(folder / "srv")
    return {"directory": str(folder / "srv"), "text": str(text), "secret": str(secret), "link": str(folder / "current")}


def same(text: str, expected: str) -> bool:
    """Whether two programs are the same, but for how they are laid out."""
    return ast.dump(ast.parse(text)) == ast.dump(ast.parse(textwrap.dedent(expected)))


def test_a_script_written_by_an_import_plans_to_no_change(purvey: Purvey, tmp_path: Path) -> None:
    """Directories, texts and links, several at once: the script has what differs from the defaults, and references."""
    made = world(tmp_path)
    plain = f"{made['directory']}/plain"
    assert purvey("state", "import", "--stack", "my-site", "--kind", "files.Directory", "--id", made["directory"]).code == 0
    texts = ("--id", made["text"], "--id", plain)
    assert purvey("state", "import", "--stack", "my-site", "--kind", "files.File", *texts).code == 0

    told = purvey("state", "import", "--stack", "my-site", "--kind", "files.Link", "--id", made["link"], "-o", "all.py")

    assert (told.code, told.out) == (0, f"files.Link::current is now recorded: {made['link']}.\n")
    text = (tmp_path / "all.py").read_text(encoding="utf-8")
    assert same(
        text,
        f'''\
        """What my-site has, as it was imported."""

        from purvey import stack
        from purvey.resources import files


        @stack
        def my_site():
            srv = files.Directory("srv", path="{made["directory"]}", mode="0750")
            files.File(
                "motd",
                path="{made["text"]}",
                content="Welcome to \\"purvey\\",\\n\\tit's {{here}} — füré\\\\n.\\n",
                mode="0640",
            )
            files.File("plain", path="{plain}", content="")
            files.Link("current", path="{made["link"]}", target=srv.path)
        ''',
    )
    before = [path.lstat() for path in sorted(tmp_path.glob("srv/*"))]
    assert purvey("plan", "all.py", "--exit-code").code == 0
    assert purvey("apply", "all.py", "--yes").code == 0
    assert [path.lstat() for path in sorted(tmp_path.glob("srv/*"))] == before
    assert purvey("plan", "all.py", "--exit-code").code == 0


def test_a_declaration_is_printed_for_a_script(purvey: Purvey, tmp_path: Path) -> None:
    """Without a file to write the declaration is printed: put into the script, it plans to no change."""
    made = world(tmp_path)
    script = tmp_path / "site.py"
    head = "from purvey import stack\nfrom purvey.resources import files\n\n\n@stack\ndef site():\n"
    script.write_text(f"{head}    home = files.Directory('home', path={made['directory']!r}, mode='0750')\n", encoding="utf-8")
    assert purvey("state", "import", "site.py", "files.Directory::home").code == 0

    told = purvey("state", "import", "site.py", "--kind", "files.Link", "--id", made["link"], "live")

    assert told.err == f"files.Link::live is now recorded: {made['link']}.\n"
    assert told.out.startswith("# from purvey.resources import files\n# `home` is files.Directory::home.\n")
    expected = "live = files.Link('live', path={!r}, target=home.path)"
    assert same(told.out, expected.format(made["link"]))
    script.write_text(script.read_text(encoding="utf-8") + textwrap.indent(told.out, "    "), encoding="utf-8")
    assert purvey("plan", "site.py", "--exit-code").code == 0
    assert purvey("apply", "site.py", "--yes").code == 0


def test_a_secret_is_a_placeholder(purvey: Purvey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What only its owner may read is nowhere in clear; with the value in the place that is named, nothing is to do."""
    made = world(tmp_path)
    told = purvey("state", "import", "--stack", "site", "--kind", "files.File", "--id", made["secret"], "-o", "all.py")

    assert told.code == 0
    text = (tmp_path / "all.py").read_text(encoding="utf-8")
    assert "# `content` is a secret: put its value there" in text
    assert 'content=secret("env:APP_KEY_CONTENT")' in text
    everything = [path for path in tmp_path.rglob("*") if path.is_file() and str(path) != made["secret"]]
    assert everything
    assert not [path for path in everything if SECRET.encode() in path.read_bytes()]
    monkeypatch.setenv("APP_KEY_CONTENT", SECRET)
    assert purvey("plan", "all.py", "--exit-code").code == 0
    monkeypatch.setenv("APP_KEY_CONTENT", "another")
    assert purvey("plan", "all.py", "--exit-code").code == 2


def test_a_key_is_imported_and_stays_where_it_is(purvey: Purvey, tmp_path: Path) -> None:
    """A private key of another algorithm than the default is declared with it, and its text is not in the script."""
    path = tmp_path / "site.pem"
    line = f"tls.PrivateKey('k', path={str(path)!r}, algorithm='ed25519')"
    (tmp_path / "make.py").write_text(
        f"from purvey import stack\nfrom purvey.resources import tls\n\n@stack\ndef make():\n    {line}\n", encoding="utf-8"
    )
    assert purvey("apply", "make.py", "--yes").code == 0
    before = path.read_bytes()
    assert purvey("state", "rm", "make.py", "tls.PrivateKey::k").code == 0

    assert purvey("state", "import", "--stack", "s", "--kind", "tls.PrivateKey", "--id", str(path), "-o", "all.py").code == 0

    assert 'algorithm="ed25519"' in (tmp_path / "all.py").read_text(encoding="utf-8")
    assert purvey("plan", "all.py", "--exit-code").code == 0
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("kind", "id", "says"),
    [
        ("files.File", "/no/such/file", "/no/such/file does not exist"),
        ("files.File", "/etc", "/etc is a directory, and not a file"),
        ("files.File", "relative", "absolute"),
        ("files.Directory", "/etc/passwd", "/etc/passwd is a file"),
        ("files.File", "{folder}/binary", "is not text"),
        ("command.Check", "x", "cannot tell an object by its id alone"),
        ("postgres.Role", "app", "which must be recorded already"),
        ("no.Kind", "x", "no.Kind"),
    ],
)
def test_what_cannot_be_imported_is_refused(purvey: Purvey, tmp_path: Path, kind: str, id: str, says: str) -> None:
    """The refusal says why; nothing is recorded and no file is written."""
    (tmp_path / "binary").write_bytes(b"\xff\x00")

    told = purvey("state", "import", "--stack", "s", "--kind", kind, "--id", id.format(folder=tmp_path), "-o", "all.py")

    assert told.code != 0
    assert says in told.err
    assert not (tmp_path / "all.py").exists()


def test_an_object_of_another_stack_is_not_imported(purvey: Purvey, tmp_path: Path) -> None:
    """Each object has one owner in the store; and a file that exists is not overwritten."""
    made = world(tmp_path)
    assert purvey("state", "import", "--stack", "one", "--kind", "files.File", "--id", made["text"]).code == 0

    told = purvey("state", "import", "--stack", "two", "--kind", "files.File", "--id", made["text"])

    assert "belongs to one/dev::files.File::motd" in told.err
    assert purvey("state", "import", "--stack", "one", "--kind", "files.File", "--id", made["text"], "x").code != 0
    again = purvey("state", "import", "--stack", "two", "--kind", "files.File", "--id", "/etc/hosts", "-o", made["text"])
    assert (again.code, "exists already" in again.err) == (3, True)


def test_an_object_named_twice_is_recorded_once(purvey: Purvey, tmp_path: Path) -> None:
    """However its id is spelt: two addresses of one object would each be destroyed."""
    text = world(tmp_path)["text"]
    ids = ("--id", text, "--id", text, "--id", f"{tmp_path}/./srv//motd")

    told = purvey("state", "import", "--stack", "site", "--kind", "files.File", *ids)

    assert told.code == 0, told.err
    assert told.out.count("files.File(") == 1
    listed = purvey("state", "list", "--stack", "site", "--json").json()
    assert [item["address"] for item in listed] == ["files.File::motd"]
