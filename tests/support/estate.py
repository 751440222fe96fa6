"""A random set of declarations over the JSON world that can be edited."""

from __future__ import annotations

import random

KINDS = ("Thing", "Server", "Tagged", "Port", "Shelf", "Book", "Lock", "Probe")


class Estate:
    """A random set of declarations that can be edited.

    Args:
        rng: Chance.
    """

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.serial = 0
        self.nodes: dict[str, dict[str, object]] = {}
        for _ in range(rng.randrange(1, 9)):
            self.add()

    def add(self) -> None:
        """Declare another node, which may use those before it."""
        self.serial += 1
        name = f"n{self.serial}"
        shelves = [other for other, node in self.nodes.items() if node["kind"] == "Shelf"]
        kind = self.rng.choice([kind for kind in KINDS if shelves or kind != "Book"])
        node: dict[str, object] = {
            "kind": kind,
            "size": 1,
            "color": "red",
            "uses": [],
            "shelf": "",
            "number": self.serial,
            "opts": {},
        }
        if kind == "Book" or (kind == "Lock" and shelves and self.rng.random() < 0.5):
            node["shelf"] = self.rng.choice(shelves)
        others = [other for other, found in self.nodes.items() if found["kind"] != "Probe"]
        node["uses"] = self.rng.sample(others, min(len(others), self.rng.randrange(3)))
        self.nodes[name] = node

    def edit(self) -> None:
        """One to three changes: another size, another immutable colour, a node less, a node more."""
        for _ in range(self.rng.randrange(1, 4)):
            what = self.rng.choice(("size", "color", "remove", "add"))
            if what == "add" or not self.nodes:
                self.add()
            elif what == "remove":
                self.remove(self.rng.choice(list(self.nodes)))
            else:
                node = self.nodes[self.rng.choice(list(self.nodes))]
                node[what] = self.rng.choice(("red", "blue", "green")) if what == "color" else self.rng.randrange(1, 5)

    def remove(self, name: str) -> None:
        """Take a node away with all mentions of it, and what lives in it."""
        del self.nodes[name]
        for other in [other for other, node in self.nodes.items() if node["shelf"] == name]:
            self.remove(other)
        for node in self.nodes.values():
            node["uses"] = [use for use in node["uses"] if use != name]  # type: ignore[attr-defined]

    def script(self) -> str:
        """The declarations as a stack's body."""
        return "\n".join(self._line(name, node) for name, node in self.nodes.items())

    def _line(self, name: str, node: dict[str, object]) -> str:
        kind, uses = node["kind"], node["uses"]
        text = "f'" + " ".join(f"{{{use}.{self._output(use)}}}" for use in uses) + "'"  # type: ignore[attr-defined]
        inputs = {
            "Thing": f"size={node['size']}, color={node['color']!r}, text={text}",
            "Server": f"size={node['size']}, color={node['color']!r}, text={text}",
            "Tagged": f"size={node['size']}, color={node['color']!r}",
            "Port": f"number={node['number']}, color={node['color']!r}, text={text}",
            "Shelf": f"size={node['size']}, color={node['color']!r}",
            "Book": f"shelf={node['shelf']}, text={text}",
            "Lock": f"color={node['color']!r}" + (f", shelf={node['shelf']}" if node["shelf"] else ""),
            "Probe": f"opts=Options(after=[{', '.join(uses)}])",  # type: ignore[arg-type]
        }[str(kind)]
        options = ", ".join(f"{key}={said}" for key, said in node["opts"].items())  # type: ignore[attr-defined]
        return f"{name} = {kind}({name!r}, {inputs}{f', opts=Options({options})' if options else ''})"

    def _output(self, name: str) -> str:
        return ("key", "label", "revision")[self.nodes[name]["number"] % 3]  # type: ignore[operator]
