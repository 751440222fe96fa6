"""A lab of real hosts on this machine: each with OpenSSH, an address, a file system and processes of its own. Needs root.

    from purvey.testing.hosts import Lab

    with Lab(hosts=3) as lab:
        web, *others = lab.hosts
        print(lab.run(lab.ssh(web, "uname -n")).stdout)
        web.link_down()

A host is a small Debian without Python: a network namespace on the lab's own switch, and mount, process, host name and IPC
namespaces over a copy-on-write view of a tree that is made once on each machine. It boots (`Host.restart`, and ``reboot``
in it), loses its power (`Host.kill`), its cable (`Host.link_down`), packets and bandwidth.

The switch is in a namespace, too, so nothing of the machine's own network is touched, and labs do not see each other. What
shall reach the hosts runs in that namespace: programs by `Lab.run` and `Lab.popen`, this very thread by `Lab.inside`.

``python -m purvey.testing.hosts 3`` makes a lab to try something by hand. The machine needs mmdebstrap, iproute2 and, for
`Lab.repository`, gpg.
"""

from __future__ import annotations

from purvey.testing.hosts._host import Host
from purvey.testing.hosts._lab import Endpoint, Lab
from purvey.testing.hosts._repository import Package, Repository

__all__ = ["Endpoint", "Host", "Lab", "Package", "Repository"]
