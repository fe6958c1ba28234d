"""What the audit log refuses. These are bugs of the caller, so they are no answers to people."""

from __future__ import annotations


class AuditRefused(RuntimeError):
    """The entry cannot be recorded; nothing it belongs to may be committed either."""
