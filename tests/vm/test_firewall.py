"""Rules in the packet filter of a kernel of its own: those that let purvey in stay, others take themselves back."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.vm import Vm
    from tests.support.vm_project import VmProject

BODY = """
    rule = "tcp dport 22 accept;" if ssh else ""
    rules = f"chain input {{ type filter hook input priority filter; policy drop; iif lo accept; {rule} }}"
    fire = host.Firewall("web", on=web, rules=rules, confirm_s=confirm_s)
    files.File("after", on=web, path="/srv/after", content=fire.digest)
"""


def test_rules_that_shut_purvey_out_take_themselves_back(vm: Vm, project: VmProject) -> None:
    """Rules with a way in are confirmed over a new connection; without one the former rules come back, and so does purvey."""
    patience = float(vm.patience)
    project.declare(BODY, f"ssh: bool = True, confirm_s: float = {60 * patience}")
    project.run("apply", "--yes")
    former = vm.told("nft", "list", "table", "inet", "web")
    assert "tcp dport 22 accept" in former
    assert "nothing had to change" in project.run("apply", "--yes")

    ended = project.attempt("apply", "--yes", "--ssh", "false", "--confirm-s", f"{5 * patience}")

    said = ended.stdout + ended.stderr
    assert ended.returncode != 0
    assert "rules" in said, said
    assert vm.until(lambda: vm.told("nft", "list", "table", "inet", "web") == former)
    assert "tcp dport 22" in vm.told("cat", "/etc/nftables.d/purvey-inet-web.nft")
    assert "nothing had to change" in project.run("apply", "--yes")
    project.run("destroy", "--yes")
    assert vm.told("nft", "list", "tables") == ""
