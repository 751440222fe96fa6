"""Whether others can change a folder, or the way to it, is told in three ways on a machine; all say what the rule says."""

from __future__ import annotations

import os
import shlex
import stat
import subprocess
from itertools import product
from pathlib import Path

from purvey._hosts import session
from tests.support.shells import NOBODY, local_shell

PARTS = Path(session.__file__).parent
MODES = (
    0o755, 0o700, 0o711, 0o2755, 0o4755, 0o020, 0o060, 0o120, 0o160, 0o220, 0o260, 0o320, 0o360, 0o702, 0o703, 0o706, 0o707,
    0o712, 0o713, 0o716, 0o717, 0o2777, 0o4777, 0o6777, 0o1377, 0o1777, 0o3377, 0o3777, 0o5377, 0o5777, 0o7377, 0o7777, 0o1755,
)  # fmt: skip
"""Each digit, octal and hexadecimal, in which a bit for writing or the sticky one is set, and some without."""

LOOKED_AT = 'sure=$nl; ! safe {at} || echo "safe "{at}'
LOOKED_AT_ALONE = "sure=$nl; ! safe {at} || echo safe"
SEEN = 'sure=$nl; ahead={count}; stats {way}; case $sure in *"$nl"{at}"$nl"*) echo "safe "{at} ;; esac'
ASKED = 'case $(printf "safe\\n%s\\n\\n" {at} | perl -e "$clerk") in done) echo "safe "{at} ;; esac'


def is_safe(folder: Path) -> bool:
    """All on the way belong to root or us; where others may write, they can neither replace what is ours nor make anything.

    A link of root or ours is as good as the way that it leads.
    """
    for at in (*reversed(folder.parents), folder):
        if at.is_symlink() and at.lstat().st_uid in (0, os.geteuid()):
            return is_safe(at.parent / at.readlink() / folder.relative_to(at))
        status = at.lstat()
        shared = status.st_mode & 0o022 and not (status.st_mode & stat.S_ISVTX and at != folder)
        if status.st_uid not in (0, os.geteuid()) or shared:
            return False
    return True


def told(shell_name: str, folders: list[Path], how: str) -> list[str]:
    """Which folders a shell says are safe."""
    parts = "\n".join((PARTS / f"{part}.sh").read_text() for part in ("asking", "ways", "clerk"))
    ways = {folder: [*reversed(folder.parents), folder] for folder in folders}
    lines = [
        how.format(at=shlex.quote(str(folder)), count=len(way), way=" ".join(map(str, way))) for folder, way in ways.items()
    ]
    argv = [*local_shell(shell_name).shell.split(), "-c", "\n".join([parts, "N=abc", "hello", *lines])]
    said = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.splitlines()
    return [line.removeprefix("safe").lstrip() for line in said if line.startswith("safe")]


def test_all_say_what_the_rule_says(shell_name: str, tmp_path: Path) -> None:
    """For folders of each mode, alone and in one another, of others and of ours, and behind a link."""
    owners = (os.geteuid(), NOBODY) if not os.geteuid() else (os.geteuid(),)
    folders = [tmp_path, tmp_path / "link", tmp_path / "link/in"]
    for mode, owner in product(MODES, owners):
        folder = tmp_path / f"{mode:o}-{owner}"
        (folder / "in").mkdir(parents=True)
        folders += [folder, *([folder / "in"] if mode & stat.S_IXUSR else [])]
        os.chown(folder, owner, -1)
        folder.chmod(mode)
    (tmp_path / "link").symlink_to(f"755-{os.geteuid()}")
    expected = [str(folder) for folder in folders if is_safe(folder)]

    assert expected[:3] == list(map(str, folders[:3]))
    assert told(shell_name, folders, LOOKED_AT) == expected
    for how in (SEEN, ASKED):  # They follow no links: who asks them asks the first one for those.
        assert told(shell_name, folders, how) == [expected[0], *expected[3:]]


def test_a_link_of_ours_is_as_good_as_its_way(shell_name: str, tmp_path: Path) -> None:
    """Through others and relative ones; not where something is open to all behind it, or where links do not end."""
    (tmp_path / "data/sound/in").mkdir(parents=True)
    (tmp_path / "data/open/in").mkdir(parents=True)
    (tmp_path / "data/open").chmod(0o777)
    aims = {
        "home": "data", "whole": f"{tmp_path}/data//sound", "around": "./data/../home/sound", "root": "/",
        "line\nend": "data/sound", "to\nit": "data/a\nb", "out": "home/open", "wheel": "wheel", "gone": "nothing",
    }  # fmt: skip
    for name, aim in aims.items():
        (tmp_path / name).symlink_to(aim)
    (tmp_path / "data/a\nb").mkdir()
    sound = ["home", "home/sound/in", "whole/in", "around/in", "root", "line\nend/in", "to\nit"]
    doubtful = ["out", "out/in", "home/open", "wheel", "gone", "gone/in"]

    found = {name for name in (*sound, *doubtful) if told(shell_name, [tmp_path / name], LOOKED_AT_ALONE)}

    assert found == set(sound)


def test_what_a_link_leads_to_says_nothing_of_other_folders(shell_name: str, tmp_path: Path) -> None:
    """Its owner chooses that, with line ends in it, and could have it look like what is said of a folder."""
    open_to_all, link = tmp_path / "open", tmp_path / "link"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    link.symlink_to(f"X:{link}\n41ed:0:0:0:root:root:{open_to_all}\n41ed:0:0:0:root:root:{open_to_all}/in")
    way = [*reversed(tmp_path.parents), tmp_path, link, open_to_all]
    how = SEEN.replace("{count}", str(len(way))).replace("{way}", " ".join(map(str, way)))

    assert told(shell_name, [tmp_path, open_to_all], how) == [str(tmp_path)]
