"""The ledger that customers can check."""

from audit.models.entry import Entry

__all__ = ["Entry"]
