"""When the text of an edited file is asked for and shown: only where it differs, and never what is or may be secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from purvey._base.value import Secret
from purvey._gate.machines import Inquiry, inquire
from purvey._hosts.command import Completed
from purvey._hosts.fact import Answers, Ask
from purvey.providers import Present
from purvey.providers.host import HostProvider, Place
from purvey.resources import files
from purvey.testing import view
from tests.unit.resources.life import provider

if TYPE_CHECKING:
    from purvey.testing.pytest_plugin import Project

PLACE = Place(address="s/e::files.File::x", folder="/own", name="x")
TEXT = Ask(("head", "-c", "65537", "/srv/a"))
PLAIN: dict[str, Any] = {"content": "one\n"}
FILLED: dict[str, Any] = {"template": "a.j2", "template_text": "{{ port }}", "variables": {"port": 80}}


def asked(digest: str, mode: str, **inputs: Any) -> bool:
    """Whether the text of a file is asked for that has this digest and mode, and was recorded with another one."""
    have = view(files.File, path="/srv/a", digest="recorded", **inputs)
    pure = provider(have)
    assert isinstance(pure, HostProvider)
    facts = pure.unclear(PLACE, have, Present("/srv/a", {"digest": digest, "mode": mode}))
    assert facts in ([], [TEXT])
    return facts == [TEXT]


@pytest.mark.parametrize(
    ("digest", "mode", "inputs", "expected"),
    [
        ("recorded", "0666", PLAIN, False),
        ("other", "0644", PLAIN, True),
        ("other", "0600", PLAIN, True),
        ("other", "0644", FILLED, True),
        ("other", "0640", FILLED, False),
        ("other", "0644", {**FILLED, "variables": {"port": Secret("80")}}, False),
        ("other", "0644", {"content": Secret("one\n")}, False),
        ("other", "0640", {"source": "/a.bin", "source_digest": "recorded"}, False),
        ("(a directory)", "0755", PLAIN, False),
    ],
)
def test_the_text_is_asked_only_where_it_may_be_shown(digest: str, mode: str, inputs: dict[str, Any], expected: bool) -> None:
    """Nothing more is asked of a file that is as recorded, of one with secrets, and of a closed one whose wish is not shown."""
    assert asked(digest, mode, **inputs) is expected


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (Completed(0, "a\tb\r\nü\n".encode()), "a\tb\r\nü\n"),
        (Completed(0, b""), ""),
        (Completed(0, b"\xff\n"), None),
        (Completed(0, b"\x1b[2J\n"), None),
        (Completed(0, b"x" * 65_537), None),
        (Completed(1, b"one\n"), None),
    ],
)
def test_what_is_no_text_is_not_shown(said: Completed, shown: str | None) -> None:
    """What is too long, no UTF-8, or would do something to a terminal is told by its digest alone."""
    have = view(files.File, path="/srv/a", digest="recorded", **PLAIN)
    pure = provider(have)
    assert isinstance(pure, HostProvider)
    seen = Present("/srv/a", {"digest": "other", "mode": "0644"})

    clearer = pure.clearer(PLACE, have, seen, Answers({TEXT: said}))

    assert clearer.values.get("content") == shown


SCRIPT = """
from purvey import stack
from purvey.resources import files


@stack
def pages() -> None:
    for name in ("a", "b"):
        files.File(name, path=name, content="one\\n")
"""


def test_nothing_more_is_asked_in_the_usual_run(purvey_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that are as recorded cost no second look, and one that is not costs one for itself."""
    looks: list[int] = []

    async def counted(inquiries: list[Inquiry]) -> dict[Any, Any]:
        """Ask, and count."""
        looks.append(len(inquiries))
        return await inquire(inquiries)

    purvey_project.write(SCRIPT)
    purvey_project.apply()
    monkeypatch.setattr("purvey._apply.closer.inquire", counted)
    assert purvey_project.plan().changes == ()
    assert set(looks) == {0}

    looks.clear()
    (purvey_project.folder / "a").write_text("one\ntwo\n")
    (change,) = purvey_project.plan().changes
    assert set(looks) == {1}
    assert ("content", "one\ntwo\n", "one\n") in [(field.path, field.before, field.after) for field in change.fields]
