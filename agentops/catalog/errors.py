"""What the catalog refuses."""

from __future__ import annotations

from agentops.common.errors import Conflict, InputProblem, InvalidInput, NotFound


class AgentUnknown(NotFound):
    code, title = "agent_unknown", "No such agent"


class ToolUnknown(NotFound):
    code, title = "tool_unknown", "No such tool"


class ContactsUnknown(NotFound):
    code, title = "contacts_unknown", "No such set of contacts"


class ApproversMissing(Conflict):
    code, title = "approvers_missing", "Nobody could approve it"


class ReviewMissing(Conflict):
    code, title = "review_missing", "It is not approved"


class GateNotPassed(Conflict):
    code, title = "gate_not_passed", "A gate stands before it"


class ContentChanged(Conflict):
    code, title = "content_changed", "It is not what you looked at any more"


def invalid(pointer: str, detail: str, code: str = "invalid") -> InvalidInput:
    """A refusal of one member of the input."""
    return InvalidInput(detail, problems=(InputProblem(pointer, code, detail),))
