"""Opaque cursors for keyset paging: the sort key of the last row, so that a page costs the same wherever it is."""

from __future__ import annotations

import base64
import binascii
import uuid
from dataclasses import dataclass
from datetime import datetime

from agentops.common import clock
from agentops.common.errors import InputProblem, InvalidInput


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a list ordered by a time and an id."""

    at: datetime
    id: uuid.UUID

    def encode(self) -> str:
        raw = (clock.to_ns(self.at) // 1000).to_bytes(8, "big", signed=True) + self.id.bytes
        return base64.urlsafe_b64encode(raw).decode()

    @classmethod
    def decode(cls, text: str, *, pointer: str = "/cursor") -> Cursor:
        """Raises InvalidInput for what is no cursor of ours."""
        try:
            raw = base64.b64decode(text, altchars=b"-_", validate=True)
            if len(raw) != 24:
                raise ValueError
            at = clock.from_ns(int.from_bytes(raw[:8], "big", signed=True) * 1000)
            return cls(at=at, id=uuid.UUID(bytes=raw[8:]))
        except (ValueError, binascii.Error, OverflowError) as error:
            raise InvalidInput(
                "the cursor is not one that this list gave out",
                problems=(InputProblem(pointer, "cursor_invalid", "use the 'next' address as it was given"),),
            ) from error
