"""What the audit log refuses. Most are bugs of the caller or faults of the installation, so they are no answers to people."""

from __future__ import annotations

from agentops.common.errors import Conflict, DomainError, InvalidInput, NotFound


class AuditRefused(RuntimeError):
    """The entry cannot be recorded; nothing it belongs to may be committed either."""


class KeyMissing(RuntimeError):
    """A key that should sign is not where keys are kept."""


class NotANote(ValueError):
    """A text is no signed checkpoint."""


class TreeDiffers(RuntimeError):
    """A tenant's stored tree is not the one that was last signed: to go on would sign somebody's forgery."""


class NotSealedYet(Conflict):
    """There is no proof yet of what was asked for. Not a fault: it takes some seconds."""

    code, title = "not_sealed", "Not sealed yet"


class TreeIncomplete(DomainError):
    """Rows of a tenant's tree are gone, so that no proof can be made. Somebody took them away."""

    code, status, title = "tree_incomplete", 500, "The stored tree is not whole"


class TooManyExports(Conflict):
    code, title = "too_many_exports", "Other exports are still being written"


class NotThere(NotFound):
    """An export, a stream or a delivery that is not this organisation's, or was removed."""


class StreamRefused(InvalidInput):
    code, title = "destination_refused", "Nothing can be sent there"
