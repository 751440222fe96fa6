"""What asyncssh is loaded without."""

from __future__ import annotations

from tests.tidy import house

WATCH = "import sys; sys.addaudithook(lambda event, _: event == 'subprocess.Popen' and print(event))"


def test_no_program_is_started_to_look_for_libraries() -> None:
    """It would be a compiler and a linker, in each run that goes to a machine."""
    assert house.run_python("-c", f"{WATCH}; import purvey._hosts.ssh_library").stdout == ""


def test_keys_are_agreed_on_as_no_quantum_computer_tells() -> None:
    """Nothing that is left out is what that needs."""
    tell = "from purvey._hosts.ssh_library import asyncssh; from asyncssh.kex import get_kex_algs; print(get_kex_algs())"

    assert "mlkem768x25519" in house.run_python("-c", tell).stdout
