"""A cloud for tests: a server in a process of its own, kinds that provision it, and a ledger of all that really happened.

    from purvey.testing import cloud

    @stack
    def shop():
        net = cloud.Network("net")
        web = cloud.Server("web", network=net.id)
        cloud.Record("www", network=net.id, name="www", value=web.address)

It keeps everything in memory, but it is no pretence: requests go over HTTP, ids are given by the server, names are unique,
tokens are honoured, parents cannot go before their children, and things take their time. And it fails on order: answers are
lost before or after their effect, the process that asked is killed at exactly the n-th request. Afterwards
`Cloud.violations` compares the ledger with what purvey recorded.

In pytest, the fixture `purvey_cloud` is a running cloud, and `purvey_project` a folder with a script in which `purvey` runs:
see `purvey.testing.pytest_plugin`. A script finds the cloud in the environment variable ``PURVEY_CLOUD_URL``.
"""

from __future__ import annotations

from purvey.testing.cloud._cloud import Cloud
from purvey.testing.cloud._kinds import Key, Network, Record, Server, Ticket, Volume
from purvey.testing.cloud._state import Action, Effect

__all__ = ["Action", "Cloud", "Effect", "Key", "Network", "Record", "Server", "Ticket", "Volume"]
