"""Reads of confirmations."""

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
    eligible_people,
    may_approve_ids,
    may_decide,
    may_stop,
    person_of,
)
from agentops.confirmations.queries.inbox import inbox, waiting_count
from agentops.confirmations.queries.raises import raised
from agentops.confirmations.queries.rules import forget_rules, rule, rules, rules_for

__all__ = [
    "approvers_still_eligible",
    "as_asked",
    "asked",
    "detail",
    "eligible_people",
    "forget_rules",
    "held",
    "inbox",
    "may_approve_ids",
    "may_decide",
    "may_stop",
    "path_of",
    "pending_like",
    "person_of",
    "raised",
    "redeemed",
    "rule",
    "rules",
    "rules_for",
    "state_at",
    "superseding",
    "tenants_with_due",
    "view_of",
    "waited",
    "waiting_count",
]
