"""A fleet: ten web servers that are set up alike, and new versions of a shop that reach a few of them at a time.

    sudo examples/fleet/lab.py        ten machines on this one, and a shell among them
    purvey apply fleet.py
    purvey apply fleet.py --version 1.1

Version 2.0 is broken on purpose: its check fails in the first batch, and what was upgraded is taken back.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from purvey import Host, Options, Param, rolling, scope, secret, stack
from purvey.resources import files, host, http, packages, services, users

TEAM = {
    "ana": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJCHjGEFfbqmBmkvUB4ZhoPZDjtbqjGuZEoMkhDlkZlM ana@example.com",
    "ben": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE0yhF5Ck8ct0pMHqCkdhBOMULrYRzNWhaPtAwRGqPjM ben@example.com",
}
PORT = 8080
OUT_OF_SERVICE = "/run/shop.drained"

FIREWALL = f"""
chain input {{
    type filter hook input priority filter; policy drop;
    ct state established,related accept
    iif lo accept
    icmp type echo-request accept
    tcp dport {{ 22, {PORT} }} accept
}}
"""


@stack
def fleet(
    env: str,
    version: Annotated[str, Param(help="of the shop: 1.0, 1.1, or 2.0, which is broken")] = "1.0",
    greeting: Annotated[str, Param(help="shown on the first page")] = "Good things, fairly made",
    hosts: Annotated[int, Param(ge=1, le=200, help="machines")] = 10,
    batch: Annotated[str, Param(help="how many are upgraded at a time")] = "30%",
) -> dict[str, list[str]]:
    """Web servers that serve a shop."""
    key = secret("file:.lab/key")
    webs = [
        Host(f"192.0.2.{11 + n}", name=f"web-{n + 1}", user="root", key=key, known_hosts=".lab/known_hosts", config="")
        for n in range(hosts)
    ]
    for web in webs:
        with scope(web.name):
            people(web)
            server(web, env, greeting)

    for web in rolling(webs, batch=batch, drain=take_out, check=answers(version), restore=put_back):
        packages.Apt("shop", on=web, names=[f"shop={version}"], opts=Options(after=[f"{web.name}/services.Sysv::nginx"]))
    return {"urls": [f"http://{web.address}:{PORT}/" for web in webs]}


def people(web: Host) -> None:
    """Who may log in, and what they may do there."""
    group = users.Group("web", on=web)
    for name, key in TEAM.items():
        person = users.User(name, on=web, groups=[group.name], shell="/bin/bash", create_home=True)
        users.AuthorizedKeys(name, on=web, user=person.name, keys=[key])
    users.Sudoers("web", on=web, content=f"%{group.name} ALL=(root) NOPASSWD: /usr/sbin/service nginx reload\n")


def server(web: Host, env: str, greeting: str) -> None:
    """What every web server has, whichever version of the shop it serves."""
    repository = json.loads(Path(__file__).with_name(".lab").joinpath("repository.json").read_text(encoding="utf-8"))
    source = packages.AptRepository("shop", on=web, uris=[repository["url"]], suites=["./"], signed_by=repository["key"])
    nginx = packages.Apt("nginx", on=web, names=["nginx"], recommends=False, opts=Options(after=[source]))
    site = files.File("site", on=web, path="/etc/nginx/conf.d/shop.conf", template="templates/shop.conf.j2",
                      variables={"name": web.name, "env": env, "port": PORT, "out_of_service": OUT_OF_SERVICE,
                                 "greeting": greeting}, opts=Options(after=[nginx]))  # fmt: skip
    services.Sysv("nginx", on=web, script="nginx", restart_on=[nginx], reload_on=[site])
    host.Sysctl("backlog", on=web, key="net.core.somaxconn", value="8192")
    host.Firewall("shop", on=web, family="inet", rules=FIREWALL)


def take_out(web: Host) -> None:
    """Let a load balancer send nobody there any more."""
    host.Command("out", on=web, command=["touch", OUT_OF_SERVICE], undo=["rm", "-f", OUT_OF_SERVICE], always=True)


def put_back(web: Host) -> None:
    """Let it send people there again."""
    host.Command("back", on=web, command=["rm", "-f", OUT_OF_SERVICE], undo=["touch", OUT_OF_SERVICE], always=True)


def answers(version: str) -> Callable[[Host], None]:
    """The shop answers with its version, as people will see it."""

    def declare(web: Host) -> None:
        http.Check("shop", url=f"http://{web.address}:{PORT}/", contains=f"The shop, version {version}", within_s=5,
                   title=f"{web.name} serves version {version}")  # fmt: skip

    return declare
