"""Machines that cannot be reached, found before the first write: what is to be done there is certain to fail.

It is not certain where the run itself may bring the machine up: it makes or changes what the way there is an output of, or
what is to be done there comes after something that waits for the machine. Nor is it a reason to refuse where the script says
that others go on when so many machines fail. Then it is noted, and the run finds out.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from purvey._apply.policy import Policies
from purvey._base.limits import CALL_DEADLINE_S, HOSTS_AT_ONCE
from purvey._base.value import Link, NodeLink, Value, canonical, walk
from purvey._hosts.fact import Answers
from purvey.errors import HostError, PurveyError
from purvey.providers import Finding, NotKnownError, Observed, Unreadable

if TYPE_CHECKING:
    from purvey._apply.parts import Parts
    from purvey._gate.machines import Told
    from purvey._graph import Graph, Node, OnFailure
    from purvey._hosts.connector import Connector
    from purvey._plan.plan import Plan

    Machines = dict[Connector, list[Node]]
    """The nodes of which something is to be changed or looked at on each machine, in the order of the plan."""

_WITHOUT: Final = "leave it out, by taking it out of the script or with --exclude"
_AMONG_OTHERS: Final = "; or let it fail while others go on, with rolling(..., max_failures=1)"
_DOWN: Final = frozenset({"unavailable", "timeout"})
"""The codes of what may be because the machine is down; one that answers and refuses us need not be brought up."""

_FIX_OF_REMOVAL: Final = (
    "The run will end as partial. Bring it up first, or leave these out with --exclude; `purvey state rm` forgets what is gone."
)


class Lost(NamedTuple):
    """A machine that does not answer: why, and what is to be done there."""

    error: PurveyError
    nodes: list[Node]

    @property
    def is_certain(self) -> bool:
        """Whether it is known that it lets nobody in; a link that broke, or a machine that is slow, may be better by then."""
        return _is_behind_ssh(self.nodes[0]) and isinstance(self.error, HostError) and not self.error.may_exist


async def out_of_reach(
    parts: Parts, plan: Plan, graph: Graph, told: Told, usual: OnFailure, *, without: Collection[str], has_begun: bool,
) -> list[Finding]:  # fmt: skip
    """A finding for each machine that cannot be reached and on which something is to be changed or looked at.

    Args:
        parts: The run's tools.
        plan: The plan.
        graph: What is wanted.
        told: What machines have answered so far.
        usual: What the run does with a failure that its node says nothing about.
        without: Nodes whose machine cannot be asked, because a secret that they need cannot be read.
        has_begun: Whether the run has written before: then it may be its own doing that the machine is not there.
    """
    machines = _machines(parts, plan, graph, without)
    errors = await _errors(machines, told, asks=parts.asks_machines)
    lost = [Lost(errors[host], nodes) for host, nodes in machines.items() if host in errors]
    failing = set() if has_begun else _failing(parts, plan, graph, lost, usual)
    places = {node.where for node in graph.nodes.values() if node.how is not None}
    without_it = f"{_WITHOUT}{_AMONG_OTHERS if len(places) > 1 else ''}."
    return [_finding(item, without_it if any(node.address in failing for node in item.nodes) else "") for item in lost]


def removals_out_of_reach(plan: Plan, seen: Mapping[tuple[str, int], Observed]) -> list[Finding]:
    """A finding for each machine that did not answer and has something that is to be deleted; no reason to refuse.

    Deletions come last, and one that fails takes nothing back; a machine that is gone for good could not be left otherwise.
    """
    counts: dict[tuple[str, str], int] = {}
    for change in plan.changes:
        observed = seen.get((change.address, change.generation))
        if change.action == "delete" and change.where and isinstance(observed, Unreadable):
            key = change.where, observed.reason
            counts[key] = counts.get(key, 0) + 1
    return [
        Finding(where, f"{reason}\n{_objects(count)} to be deleted, and will be left", _FIX_OF_REMOVAL, certain=False)
        for (where, reason), count in counts.items()
    ]


def _machines(parts: Parts, plan: Plan, graph: Graph, without: Collection[str]) -> Machines:
    found: Machines = {}
    for change in plan.changes:
        node = graph.nodes.get(change.address)
        if node is None or node.address in without or change.action in ("delete", "forget", "none"):
            continue
        try:
            found.setdefault(parts.host(node.where, node.how), []).append(node)
        except (NotKnownError, PurveyError):  # Its address is not known yet, or a secret of the way cannot be read.
            continue
    return found


async def _errors(machines: Machines, told: Told, *, asks: bool) -> dict[Connector, PurveyError]:
    """Why machines cannot be asked; those that were not asked anything yet are asked who they are, where that is wanted."""
    turns = asyncio.Semaphore(HOSTS_AT_ONCE)

    async def error_of(host: Connector, nodes: list[Node]) -> PurveyError | None:
        """Why one does not answer; None if it does, or nobody knows."""
        answers = told.get(host)
        if isinstance(answers, PurveyError):
            return answers
        is_known = isinstance(answers, Answers) and answers.known
        if is_known or not asks or not _is_behind_ssh(nodes[0]):
            return None
        try:
            async with turns, asyncio.timeout(CALL_DEADLINE_S):
                await host.machine()
        except TimeoutError:
            return None
        except PurveyError as error:
            return error
        return None

    found = await asyncio.gather(*(error_of(host, nodes) for host, nodes in machines.items()))
    return {host: error for host, error in zip(machines, found, strict=True) if error is not None}


def _failing(parts: Parts, plan: Plan, graph: Graph, lost: Iterable[Lost], usual: OnFailure) -> set[str]:
    """The nodes on lost machines that will fail, and whose failure the script does not tolerate."""
    nodes = [node for item in lost if item.is_certain for node in item.nodes]
    if not nodes:
        return set()
    hopes = _Hopes(parts, plan, graph, nodes)
    failing = [node.address for node in nodes if not hopes.has(node)]
    policies = Policies(msgspec.structs.replace(plan, nodes=graph.nodes), usual, ())
    return {address for address in failing if policies.of(address, failing) != "continue"}


def _is_behind_ssh(node: Node) -> bool:
    return isinstance(node.how, dict) and node.how.get("by") == "ssh"


class _Hopes:
    """Which of the nodes on lost machines may find theirs there when it is their turn."""

    def __init__(self, parts: Parts, plan: Plan, graph: Graph, nodes: Iterable[Node]) -> None:
        actions = {change.address: change for change in plan.changes}
        addresses = {node.where: node.how.get("address") for node in nodes if isinstance(node.how, dict)}
        self._changing: set[str] = set()
        self._awaited: dict[str, set[str]] = {}
        for node in graph.nodes.values():
            change = actions.get(node.address)
            if (change is not None and change.touches) or not self._changing.isdisjoint(node.needs):
                self._changing.add(node.address)
            awaited = {where for need in node.needs for where in self._awaited.get(need, ())}
            if change is not None and change.action not in ("none", "unreadable"):
                kind = parts.kinds.get(node.kind)
                awaited |= {node.where} if kind.provider.awaits_machine else set()
                awaited |= {where for where, address in addresses.items() if kind.check and _mentions(node, address)}
            if awaited:
                self._awaited[node.address] = awaited

    def has(self, node: Node) -> bool:
        """Whether this run may bring up the node's machine, or waits for it, before the node has its turn."""
        if node.where in self._awaited.get(node.address, ()):
            return True
        ways = (item.address for item in walk(node.how) if isinstance(item, Link | NodeLink))
        return any(address in self._changing for address in ways)


def _mentions(check: Node, address: Value) -> bool:
    """Whether a check looks at an address."""
    if not isinstance(address, str):
        return any(item in walk([*check.inputs.values()]) for item in walk(address))
    word = rf"(?<![\w.-]){re.escape(address)}(?![\w-]|\.\w)"
    return any(re.search(word, canonical(value).decode()) for value in check.inputs.values())


def _finding(lost: Lost, without_it: str) -> Finding:
    """What is told of a machine; `without_it` says how to do without it where the run must fail with it, else it is empty."""
    error = lost.error
    told = f"{error.summary}; {_objects(len(lost.nodes))} not looked at"
    problem = "\n".join(part for part in (told, error.detail) if part)
    fix = [error.hint] if error.hint else []
    if without_it and error.code in _DOWN:
        fix.append(f"Bring it up; or {without_it}")
    elif without_it:
        fix.append(f"Or {without_it}" if fix else without_it.capitalize())
    return Finding(lost.nodes[0].where or "this machine", problem, "\n".join(fix), certain=bool(without_it))


def _objects(count: int) -> str:
    return "1 object on it is" if count == 1 else f"{count} objects on it are"
