"""What ingest and reading refuse."""

from __future__ import annotations

from agentops.common.errors import Unavailable


class Busy(Unavailable):
    """The same new runs are being stored by others again and again."""
