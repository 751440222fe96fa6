"""A command is data that can be shown anywhere, because its secrets have no text form."""

from __future__ import annotations

import subprocess
import sys

import pytest

from purvey._hosts.command import TIMED_OUT, Command, Completed, check, evidence
from purvey.errors import HostError

SECRET = "correct-horse"
COMMAND = Command(
    ("psql", "-c", "select 1"), env={"PGHOST": "db 1"}, secret_env={"PGPASSWORD": SECRET}, stdin=f"{SECRET}!\n".encode()
)


def test_no_text_form_of_a_command_holds_a_secret() -> None:
    """`str`, `repr`, format and rich's form show names of secret variables and never a value."""
    shown = [str(COMMAND), repr(COMMAND), f"{COMMAND}", f"{COMMAND!r:>200}", str(COMMAND.__rich_repr__()), str([COMMAND])]

    assert not [text for text in shown if SECRET in text]
    assert str(COMMAND) == "PGHOST='db 1' PGPASSWORD=(secret) psql -c 'select 1'"


def test_a_success_passes_through() -> None:
    """`check` gives back what the command left when it succeeded."""
    completed = Completed(0, b"one\ntwo\n")

    assert check(COMMAND, completed) is completed
    assert completed.text() == "one\ntwo"


def test_a_failure_tells_command_code_and_last_words_without_secrets() -> None:
    """The error shows the masked command, its exit code, and the end of what it said, with secrets replaced."""
    said = "\n".join([*(f"line {n}" for n in range(100)), f"password {SECRET} refused", f"near {SECRET}!"])

    with pytest.raises(HostError) as caught:
        check(COMMAND, Completed(3, b"", said.encode()))

    text = str(caught.value)
    assert caught.value.code == "failed"
    assert "ended with code 3" in text
    assert f"\n  {COMMAND}\n" in text
    assert text.endswith("password (secret) refused\nnear (secret)")
    assert SECRET not in text
    assert "line 10\n" not in text


@pytest.mark.parametrize(
    ("returncode", "code", "words"),
    [(-9, "failed", "ended by signal 9"), (TIMED_OUT, "timeout", "ended after 120 s")],
)
def test_other_endings_have_their_own_words(returncode: int, code: str, words: str) -> None:
    """A signal and a timeout are told apart from an exit code."""
    with pytest.raises(HostError) as caught:
        check(COMMAND, Completed(returncode))

    assert (caught.value.code, words in str(caught.value), "It said nothing." in str(caught.value)) == (code, True, True)


def test_standard_output_is_the_evidence_when_there_is_no_other() -> None:
    """A program that complains on standard output is heard as well."""
    assert evidence(COMMAND, Completed(1, b"bad input\n")) == "bad input"


def test_both_outputs_are_the_evidence_each_by_its_end() -> None:
    """What a test tool prints and what its wrapper complains of: both, named, no more of each than a screen takes, masked."""
    printed = "".join(f"test {n} of {SECRET}\n" for n in range(1, 101))

    told = evidence(COMMAND, Completed(1, printed.encode(), b"make: *** [test] Error 1\n")).splitlines()

    assert told[0] == "standard output:"
    assert told[1:-2] == [f"test {n} of (secret)" for n in range(81, 101)]
    assert told[-2:] == ["standard error:", "make: *** [test] Error 1"]


def test_what_a_filter_repeats_of_its_input_is_no_evidence() -> None:
    """Only its complaint is shown, for the rest would be nothing but a mask."""
    command = Command(("tee", "/proc/sys/kernel/x"), stdin=b"12345")

    assert evidence(command, Completed(1, b"12345", b"tee: Invalid argument\n")) == "tee: Invalid argument"


@pytest.mark.parametrize("complaint", ["", "no quorum"])
def test_standard_output_that_may_be_secret_is_in_no_error(complaint: str) -> None:
    """It is said that there was some, so that nobody takes the command for silent; its complaints are shown."""
    command = Command(("tokens", "create"), hides_stdout=True)

    told = evidence(command, Completed(1, b"abcdef.0123456789\n", complaint.encode()))

    assert "abcdef" not in told
    assert "(not shown, for it may be secret)" in told
    assert told.endswith(complaint or "secret)")


def test_the_path_to_validate_takes_the_place_of_its_mark() -> None:
    """`about` replaces `{path}` in every argument, and nothing else."""
    template = Command(("nginx", "-t", "-c", "{path}", "--x={path}", "{other}"))

    assert template.about("/a b").argv == ("nginx", "-t", "-c", "/a b", "--x=/a b", "{other}")


def test_commands_as_data_cost_no_event_loop() -> None:
    """Importing the module, as every script does through its kinds, does not load asyncio."""
    program = "import sys, purvey._hosts.command, purvey._hosts.connector; sys.exit('asyncio' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_short_lines_that_were_read_spoil_no_message() -> None:
    """Lines of a letter or two are in every word, so only longer ones are masked, as is what was read as a whole."""
    command = Command(("tar",), stdin=b"e\no\n1\n\n  hunter2  \nab\n", secret_env={"A": "", "B": "x"})
    said = Completed(1, stderr=b"tar: could not extract box 1: hunter2")

    assert evidence(command, said) == "tar: could not extract box 1: (secret)"
