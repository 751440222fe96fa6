"""A new machine is ready: it lets us in, and cloud-init has done what the user data says."""

from __future__ import annotations

import asyncio
from typing import Final

from purvey._script.fields import Input, Output
from purvey._script.resource import Resource
from purvey.errors import HostError, ProviderError
from purvey.providers import Call
from purvey.resources._probe import Failed, Passed, ProbeProvider
from purvey.resources.host._boot import FACTS, Broken, Working, boot_of

ANSWER_S: Final = 90.0
"""Seconds in which a machine that is busy with its start has to answer, before it is asked again; less than a call may take."""

_NOT_YET: Final = frozenset({"unavailable", "denied", "timeout"})
"""Codes of a machine that is still coming up: nobody listens yet, or the user and the key are not there yet."""


class CloudInitProvider(ProbeProvider["CloudInit"]):
    """Looks at what cloud-init and the agent leave on the machine."""

    on_hosts = True
    awaits_machine = True

    def target(self, want: CloudInit) -> str:
        """See `ProbeProvider.target`."""
        return "cloud-init"

    async def attempt(self, call: Call, want: CloudInit) -> Passed | Failed:
        """See `ProbeProvider.attempt`.

        Raises:
            ProviderError: ``check_failed`` as soon as a command has failed, with that command and its output.
        """
        try:
            async with asyncio.timeout(ANSWER_S):
                boot = boot_of(await call.host.ask(FACTS))
                if isinstance(boot, Broken):  # Once more, for it may have failed between two of the questions.
                    boot = boot_of(await call.host.ask(FACTS))
        except TimeoutError:
            return Failed(f"it did not answer within {ANSWER_S:g} s")
        except HostError as error:
            if error.code not in _NOT_YET:
                raise
            return Failed(f"it cannot be reached yet: {error.detail or error.summary}")
        if isinstance(boot, Broken):
            raise ProviderError("check_failed", "A new machine did not get ready", detail=boot.problem, hint=boot.hint)
        if isinstance(boot, Working):
            return Failed(boot.progress)
        return Passed({"datasource": boot.datasource, "seconds": boot.seconds, "warnings": list(boot.warnings)})


class CloudInit(Resource, kind="host.CloudInit", provider=CloudInitProvider, check=True):
    """A machine has come up: it lets us in, and cloud-init has done all that its user data says.

        vm = cloud.Server("web", user_data=host.user_data(packages=["nginx"], run=["nginx -t"]))
        web = Host(vm.address, name="web", user="root", host_key="first_use")
        ready = host.CloudInit("ready", on=web)
        files.File("motd", on=web, path="/etc/motd", content="hello", opts=Options(after=[ready]))

    Gates the run. It waits while nobody listens on the machine and while cloud-init works, and says at what. It fails as soon
    as a step or a module of cloud-init has failed, and shows the command and what it said. Log in as root, or as somebody who
    becomes root (`become=`): others may not read what a failed command said.
    """

    within_s: float = Input(default=600.0, doc="Seconds after which it has failed.")
    every_s: float = Input(default=2.0, doc="Seconds between two looks.")

    datasource: str = Output(doc="Where cloud-init had the user data from, as it calls it: `nocloud`, `ec2`.")
    seconds: float = Output(doc="How long cloud-init took.")
    warnings: list[str] = Output(doc="What cloud-init could not do and could do without, in its own words.")
