"""An agent whose one tool people decide at tier 2, and the links by which they do."""

from __future__ import annotations

import uuid
from typing import Any

from tests.runtime.guarded import Caller, Run, answered, apply, manifest
from tests.world import Organisation

USER = "u-1"
LETTER = {
    "name": "send_letter",
    "version": "1",
    "effect": "send",
    "tier": 2,
    "arguments": {
        "type": "object",
        "additionalProperties": False,
        "required": ["to", "text"],
        "properties": {"to": {"type": "string"}, "text": {"type": "string"}},
    },
}


class Letters(Caller):
    """The desk that writes letters."""

    def __init__(self, organisation: Organisation) -> None:
        super().__init__(organisation)
        made = manifest(name="letter-desk")
        made["tools"] = [LETTER]
        apply(organisation, made)

    def asked(self, *, to: str = "Ann", text: str = "Hello") -> tuple[Run, dict[str, Any]]:
        """A run whose letter waits, and what the guard said of it."""
        run = self.run(agent="letter-desk", user=USER)
        return run, run.tool_call("send_letter", {"to": to, "text": text})

    def link(self, confirmation: str | uuid.UUID, *, user: str = USER, status: int = 201) -> dict[str, Any]:
        path = f"/api/v1/confirmations/{confirmation}/presentations"
        return answered(self.call("POST", path, {"user": user}, scope="present"), status)

    def presented(self) -> str:
        """The path of a link to a letter that waits."""
        _, call = self.asked()
        url: str = self.link(call["confirmation"]["id"])["url"]
        return url.removeprefix("http://testserver")
