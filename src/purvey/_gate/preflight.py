"""Preflight: what would make the plan fail, found before the first write, all of it at once.

Each provider looks at what it would make (is the port free, the command there, the folder writable); the engine looks at what
is there already under a name that is about to be taken, and whether every secret can be read.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Any

from purvey._base.limits import DISK_FREE_BYTES_MIN, PARALLEL_DEFAULT
from purvey._base.value import SecretRef, walk
from purvey._gate.machines import Inquiry, Reply, inquire, to_change
from purvey._gate.notes import as_errors
from purvey._gate.question import UnansweredError, bounded
from purvey._graph import Node
from purvey._plan.plan import Plan
from purvey.errors import PurveyError, RefusedError
from purvey.providers import Call, Finding, NotKnownError, Observed, Present, Provider, Registry
from purvey.providers.host import HostProvider, Place, is_asked_together

if TYPE_CHECKING:
    from purvey._gate.machines import Told
    from purvey._hosts.fact import Fact

ViewOf = Callable[[Node], Any]
"""Makes a node an instance of its declaration, with the values that are known; raises NotKnownError where it cannot."""


async def look_around(
    plan: Plan, kinds: Registry, view: ViewOf, call: Callable[[Node], Call], told: Told | None = None,
    without: Collection[str] = (),
) -> list[Finding]:  # fmt: skip
    """Ask the provider of every node that will be made or changed.

    Args:
        plan: The plan.
        kinds: The kinds.
        view: See `ViewOf`.
        call: Makes the gate for a node.
        told: What machines have told `look_up`.
        without: Nodes that cannot be looked at, because a secret that they need cannot be read.

    Returns:
        The findings, in the order of the plan; none about what is on a machine that does not answer.
    """
    changes = [change for change in plan.changes if change.address not in without]
    wanted = [plan.nodes[change.address] for change in changes if change.action in ("create", "update", "replace")]
    adopted = [plan.nodes[change.address] for change in changes if change.action == "adopt"]
    turns = asyncio.Semaphore(PARALLEL_DEFAULT)  # The time of a question begins when it is asked.
    together, alone = _sorted(wanted, kinds)
    taken_over, _ = _sorted(adopted, kinds)
    asked = [node for node in alone if type(kinds.get(node.kind).provider).preflight is not Provider.preflight]
    told = {} if told is None else told
    replies = await inquire(
        [
            Inquiry(node.address, call(node), provider, partial(to_change, provider), partial(view, node))
            for node, provider in (*together, *taken_over)
        ],
        told,
    )
    silent = _silent(replies, told)

    async def ask(node: Node) -> Sequence[Finding]:
        """Ask about one node; what it cannot tell yet, or in time, is no finding."""
        provider = kinds.get(node.kind).provider
        try:
            async with turns:
                found: Sequence[Finding] = await bounded(provider.preflight(call(node), view(node)), provider)
        except NotKnownError:
            return ()
        except PurveyError as error:
            return (Finding(node.address, str(error), certain=False),)
        return found

    found = dict(zip([node.address for node in asked], await asyncio.gather(*map(ask, asked)), strict=True))
    found |= {address: _findings(address, reply) for address, reply in replies.items() if address not in silent}
    return [finding for node in wanted for finding in found.get(node.address, ())]


def _silent(replies: Mapping[str, Reply], told: Told) -> set[str]:
    """The nodes on machines that have not answered: there is one finding for each of these, not one for each node."""
    errors = {id(answer) for answer in told.values() if isinstance(answer, PurveyError)}
    return {address for address, reply in replies.items() if id(reply.answers) in errors}


def _findings(address: str, reply: Reply) -> Sequence[Finding]:
    try:
        found: Sequence[Finding] = reply.read(reply.provider.findings)
    except NotKnownError:
        return ()
    except PurveyError as error:
        return (Finding(address, str(error), certain=False),)
    return found


def _sorted(nodes: Iterable[Node], kinds: Registry) -> tuple[list[tuple[Node, HostProvider[Any]]], list[Node]]:
    """Those of which a machine is asked together, and those whose providers ask by themselves."""
    together: list[tuple[Node, HostProvider[Any]]] = []
    alone: list[Node] = []
    for node in nodes:
        provider = kinds.get(node.kind).provider
        if is_asked_together(provider):
            together.append((node, provider))
        else:
            alone.append(node)
    return together, alone


async def look_up(
    nodes: Iterable[Node], kinds: Registry, view: ViewOf, call: Callable[[Node], Call], told: Told | None = None
) -> dict[str, Observed]:
    """What is there already under the identity of nodes that are not recorded.

    Args:
        nodes: The nodes that would be made.
        kinds: The kinds.
        view: See `ViewOf`.
        call: Makes the gate for a node.
        told: Gets what machines tell, with what `look_around` will want to know: they are asked once for both.

    Raises:
        ProviderError: ``timeout`` where it cannot be told whether there is something to adopt.
    """
    found: dict[str, Observed] = {}
    turns = asyncio.Semaphore(PARALLEL_DEFAULT)
    together, alone = _sorted(nodes, kinds)
    asked = [node for node in alone if type(kinds.get(node.kind).provider).find is not Provider.find]

    async def ask(node: Node) -> None:
        """Ask about one node; what it cannot tell yet, or in time, is no finding."""
        provider = kinds.get(node.kind).provider
        try:
            async with turns:
                found[node.address] = await bounded(provider.find(call(node), view(node)), provider)
        except UnansweredError as error:
            if node.options.adopt or provider.adopts:  # Taken for absent, it would be made a second time.
                error.address, error.source = node.address, node.source
                raise
        except (NotKnownError, PurveyError):  # It depends on what is not there yet, or cannot be reached yet.
            return

    await asyncio.gather(*map(ask, asked))
    replies = await inquire(
        [
            Inquiry(node.address, call(node), provider, partial(_facts_and_hazards, provider), partial(view, node))
            for node, provider in together
        ],
        told,
    )
    for node, provider in together:
        if node.address in replies:
            _find(node, replies[node.address], provider, found)
    return found


def _facts_and_hazards(provider: HostProvider[Any], place: Place, want: Any) -> Sequence[Fact]:
    facts = provider.facts(place, want)
    try:
        return [*facts, *provider.hazards(place, want)]
    except (NotKnownError, PurveyError):  # `look_around` tells.
        return facts


def _find(node: Node, reply: Reply, provider: HostProvider[Any], found: dict[str, Observed]) -> None:
    """Note what a machine's answers say of a node."""
    try:
        found[node.address] = reply.read(provider.found)
    except UnansweredError as error:
        if node.options.adopt or provider.adopts:
            error.address, error.source = node.address, node.source
            raise
    except (NotKnownError, PurveyError):
        return


def conflicts(plan: Plan, found: Mapping[str, Observed], owners: Mapping[str, tuple[str, str]]) -> list[Finding]:
    """Objects that exist already where the plan would create, and those that it would adopt and are somebody else's.

    Args:
        plan: The plan.
        found: What is there already, by address.
        owners: For what belongs to another node, stack or estate: its owner, and how to get it from there.
    """
    findings: list[Finding] = []
    for change in plan.changes:
        seen = found.get(change.address)
        if change.action not in ("create", "adopt") or not isinstance(seen, Present):
            continue
        if change.address in owners:
            owner, fix = owners[change.address]
            findings.append(Finding(change.address, f"{seen.id} exists already, and belongs to {owner}", fix))
        elif change.action == "create":
            findings.append(_in_the_way(change.address, seen))
    return findings


def _in_the_way(address: str, seen: Present) -> Finding:
    """An object that nobody wanted there; one of another sort is none to adopt, but a link may be."""
    fix = "Adopt it with Options(adopt=True), give the node another name, or remove the object."
    if seen.sort not in ("", "link"):
        fix = "Choose another place for the node, or move away what is there: it cannot be adopted."
    what = {"": "", "other": " and is of another sort"}.get(seen.sort, f" and is a {seen.sort}")
    return Finding(address, f"{seen.id} exists already{what}, and purvey did not make it", fix)


def disk(folder: Path) -> list[Finding]:
    """Whether the disk under `folder`, or under the nearest folder above it that exists, has room for a run."""
    place = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(place).free
    if free >= DISK_FREE_BYTES_MIN:
        return []
    problem = f"only {free // 1024**2} MiB are free below {place}; a run needs {DISK_FREE_BYTES_MIN // 1024**2}"
    return [Finding("(this machine)", problem, "Free some space, or keep the store on another disk (`store` in purvey.toml).")]


def secrets_of(nodes: Iterable[Node]) -> dict[str, list[str]]:
    """Every secret source that nodes refer to, with the nodes that do, in their order."""
    found: dict[str, list[str]] = {}
    for node in nodes:
        sources = (item.source for item in walk([*node.inputs.values(), node.how]) if isinstance(item, SecretRef))
        for source in dict.fromkeys(sources):
            found.setdefault(source, []).append(node.address)
    return found


def refuse(findings: Sequence[Finding]) -> None:
    """Stop if anything is certain to fail.

    Raises:
        RefusedError: ``refused.preflight``, with every certain finding.
    """
    certain = [finding for finding in findings if finding.certain]
    if certain:
        raise RefusedError(
            "refused.preflight", "The plan cannot succeed; nothing was touched",
            reasons=[(finding.address, _line(finding)) for finding in certain], single=as_errors(certain, "refused.preflight"),
        )  # fmt: skip


def _line(finding: Finding) -> str:
    where = f"{finding.source} {finding.address}".lstrip()
    return f"{where}: {finding.problem}" + (f"\n{indent(finding.fix, '    ')}" if finding.fix else "")
