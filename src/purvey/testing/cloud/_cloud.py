"""The test's hand on the cloud: starts and ends its process, orders faults, moves its clock, reads its ledger."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, Self, get_args

import msgspec

from purvey.testing.cloud._state import RULES, VERBS, Action, Effect, Manner

if TYPE_CHECKING:
    import subprocess

VARIABLE: Final = "PURVEY_CLOUD_URL"
"""The environment variable in which the kinds find the cloud."""

_END_S: Final = 10.0


class Cloud:
    """A cloud in a process of its own, for the length of a ``with`` block.

        with Cloud(seed=1) as cloud:
            os.environ["PURVEY_CLOUD_URL"] = cloud.url
            cloud.fault("create", "server", action="cut_after")

    Args:
        seed: Of everything that happens by chance.

    Attributes:
        url: Where it is; empty before it was started.
    """

    def __init__(self, seed: int = 1) -> None:
        self._seed = seed
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        """End it."""
        self.stop()

    def start(self) -> None:
        """Start the process; returns when it answers.

        Raises:
            RuntimeError: if it does not start.
        """
        import subprocess  # noqa: PLC0415 - a script that only declares kinds never starts a cloud.

        command = [sys.executable, "-m", "purvey.testing.cloud", "--seed", str(self._seed), "--leashed"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None  # It was asked for.
        self.url = self._process.stdout.readline().strip()
        if not self.url:
            raise RuntimeError("The cloud did not start; its error is on standard error.")

    def stop(self) -> None:
        """End the process; a second time does nothing."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        process.wait(_END_S)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()

    # Trouble.

    def fault(
        self, verb: str, kind: str, name: str = "*", *, action: Action, times: int = 1, nth: int = 1, seconds: float = 0.0
    ) -> None:
        """Let something go wrong.

        Args:
            verb: ``create``, ``read``, ``list``, ``update`` or ``delete``; ``*`` is any.
            kind: ``network``, ``server``, ``volume``, ``record``, ``key`` or ``ticket``; ``*`` is any.
            name: A pattern for the object's name or id, or the node's address or name.
            action: What happens; see `Action`.
            times: To how many requests.
            nth: The first of the matching requests to which it happens, from 1.
            seconds: How long a slow answer takes, or a throttled caller is asked to wait.

        Raises:
            ValueError: for a verb, a kind or an action that there is not: such a fault would never happen.
        """
        _require("verb", verb, (*VERBS, "*"))
        _require("kind", kind, (*RULES, "*"))
        _require("action", action, get_args(Action))
        self.order("fault", verb=verb, kind=kind, name=name, action=action, times=times, nth=nth, seconds=seconds)

    def calm(self) -> None:
        """Forget the faults that have not happened yet."""
        self.order("clear")

    def behave(
        self, kind: str, *, creating_looks: int = 0, creating_s: float = 0.0, deleting_looks: int = 0, deleting_s: float = 0.0,
        hidden_s: float = 0.0, unread_s: float = 0.0, unlisted_s: float = 0.0, quota: int = 0,
    ) -> None:  # fmt: skip
        """Set how objects of a kind come and go.

        Args:
            kind: As for `fault`, without ``*``.
            creating_looks: How many reads see it as ``creating``.
            creating_s: How many seconds it is ``creating``.
            deleting_looks: How many reads see it as ``deleting`` before it is gone; networks and servers only.
            deleting_s: How many seconds it is ``deleting``; networks and servers only.
            hidden_s: How many seconds no read and no list sees it, at most 3, which is what the kinds expect of this cloud.
            unread_s: The same for reads by id alone.
            unlisted_s: The same for lists alone, by which an object is found.
            quota: How many there may be; 0 is no limit.

        Raises:
            ValueError: for a kind that there is not.
        """
        _require("kind", kind, RULES)
        self.order(
            "habit", kind=kind, creating_looks=creating_looks, creating_s=creating_s, deleting_looks=deleting_looks,
            deleting_s=deleting_s, hidden_s=hidden_s, unread_s=unread_s, unlisted_s=unlisted_s, quota=quota,
        )  # fmt: skip

    def manner(self, **changes: float | str) -> None:
        """Set how the whole cloud is.

        Args:
            changes: `account` (whose it is), `credential_s` (how long a credential lasts), `schema` (1 is what the kinds
                speak) or `fault_rate` (0 to 1).

        Raises:
            ValueError: for another one.
        """
        for change in changes:
            _require("manner", change, Manner.__struct_fields__)
        self.order("manner", **changes)

    def expire(self) -> None:
        """Let every credential expire now."""
        self.order("expire")

    def advance(self, seconds: float) -> None:
        """Move the cloud's clock ahead."""
        self.order("advance", seconds=seconds)

    def freeze(self) -> None:
        """Let the cloud's clock stand still, so that only `advance` moves it."""
        self.order("freeze")

    def thaw(self) -> None:
        """Let the cloud's clock go on from where it stands."""
        self.order("thaw")

    def change(self, object_id: str, **fields: Any) -> None:
        """Change an object as somebody else would."""
        self.order("change", object_id=object_id, fields=fields)

    def remove(self, object_id: str) -> None:
        """Remove an object as somebody else would."""
        self.order("remove", object_id=object_id)

    def make(self, kind: str, name: str, parent: str = "", **fields: Any) -> str:
        """Make an object as somebody else would; returns its id."""
        body = {"name": name, "parent": parent, "fields": fields}
        return str(self._post(f"/v1/{kind}", body, {"Authorization": f"Bearer {self.credential()}"})["id"])

    def credential(self) -> str:
        """A credential for requests of one's own."""
        return str(self._post("/token", {})["token"])

    # What there is.

    def ledger(self) -> list[Effect]:
        """Every effect, oldest first."""
        return msgspec.convert(self.order("ledger"), list[Effect])

    def objects(self) -> list[dict[str, Any]]:
        """Every living object: ``id``, ``kind``, ``name``, ``parent``, ``status``, ``fields`` and ``tags``."""
        return list(self.order("objects"))

    def requests(self) -> int:
        """How many requests the API has had."""
        return int(self.order("requests"))

    def violations(self, recorded_ids: Iterable[str]) -> list[str]:
        """What the ledger says went wrong, in sentences.

        Looked for are objects created twice, effects that one token had twice, tagged objects that live and are not recorded,
        recorded ones that do not live, and objects that outlive what they are in.

        Args:
            recorded_ids: The ids that purvey's record has of objects in this cloud.
        """
        return list(self.order("violations", recorded=sorted(recorded_ids)))

    def save(self) -> Any:
        """All that the cloud knows, for `restore`."""
        return self.order("dump")

    def restore(self, state: Any) -> None:
        """Be as it was when `save` returned `state`."""
        self.order("load", state=state)

    def reset(self) -> None:
        """Forget everything."""
        self.order("reset")

    def order(self, name: str, /, **arguments: Any) -> Any:
        """Send what only a test asks for.

        Raises:
            RuntimeError: if the cloud refuses.
        """
        return self._post(f"/_order/{name}", arguments)["result"]

    def _post(self, path: str, body: Any, headers: dict[str, str] | None = None) -> Any:
        import http.client  # noqa: PLC0415 - a script that only declares kinds sends nothing.

        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=60)
        try:
            connection.request("POST", path, json.dumps(body), headers or {})
            response = connection.getresponse()
            answer = json.loads(response.read())
        finally:
            connection.close()
        if response.status >= 400:  # noqa: PLR2004 - where errors begin in HTTP.
            raise RuntimeError(f"The cloud refused {path}: {answer['message']}")
        return answer


def _require(what: str, word: str, known: Iterable[str]) -> None:
    """Refuse a word that the cloud does not know, because a test whose trouble never comes proves nothing."""
    if word not in (choices := tuple(known)):
        raise ValueError(f"There is no {what} {word!r} in this cloud; there is {', '.join(choices)}.")
