"""Reads of confirmations."""

from agentops.confirmations.queries.aftermath import asks_for_correctness, judged, my_answer, stopped
from agentops.confirmations.queries.asking import (
    as_asked,
    asked,
    held,
    path_of,
    pending_like,
    redeemed,
    state_at,
    superseding,
    tenants_with_due,
    waited,
)
from agentops.confirmations.queries.detail import detail, view_of
from agentops.confirmations.queries.eligibility import (
    approvers_still_eligible,
    eligible_after_edit,
    eligible_people,
    may_approve_ids,
    may_decide,
    may_stop,
    person_of,
)
from agentops.confirmations.queries.halves import half_agreed
from agentops.confirmations.queries.history import history
from agentops.confirmations.queries.holding import holdings
from agentops.confirmations.queries.inbox import inbox, waiting_count
from agentops.confirmations.queries.overdue import due_releases, lost_executions, tenants_with_overdue
from agentops.confirmations.queries.people import code_until
from agentops.confirmations.queries.raises import raised
from agentops.confirmations.queries.receipt import receipt
from agentops.confirmations.queries.rules import forget_rules, rule, rules, rules_for
from agentops.confirmations.queries.standing import (
    standable_tool,
    standable_tools,
    standing_approval,
    standing_approvals,
)

__all__ = [
    "approvers_still_eligible",
    "as_asked",
    "asked",
    "asks_for_correctness",
    "code_until",
    "detail",
    "due_releases",
    "eligible_after_edit",
    "eligible_people",
    "forget_rules",
    "half_agreed",
    "held",
    "history",
    "holdings",
    "inbox",
    "judged",
    "lost_executions",
    "may_approve_ids",
    "may_decide",
    "may_stop",
    "my_answer",
    "path_of",
    "pending_like",
    "person_of",
    "raised",
    "receipt",
    "redeemed",
    "rule",
    "rules",
    "rules_for",
    "standable_tool",
    "standable_tools",
    "standing_approval",
    "standing_approvals",
    "state_at",
    "stopped",
    "superseding",
    "tenants_with_due",
    "tenants_with_overdue",
    "view_of",
    "waited",
    "waiting_count",
]
