"""The organisation's rules: the guard's way (kept per process, no statement where they are known), and the pages'."""

from __future__ import annotations

import uuid

from agentops.catalog import queries as catalog
from agentops.catalog.cache import Bounded
from agentops.common import scope
from agentops.common.errors import NotFound
from agentops.common.scope import ScopeError
from agentops.confirmations.models import Rule
from agentops.confirmations.policies.rules import Rules, RuleTerms

_AGENTS_MOST = 2_000
_kept: Bounded[tuple[uuid.UUID, str, int], Rules] = Bounded(_AGENTS_MOST)


def rules_for(*, tenant: uuid.UUID, agent: str, policy_version: int) -> Rules:
    """What the rules say of one agent's calls, at least as new as its `policy_version`, which the caller has just read.

    Every change of a rule raises the policy version of the agents it is about, in the same transaction. The answer is
    shared between threads: never change it. Raises ScopeError outside the tenant's scope.
    """
    here = scope.current()
    if here is None or not (here.tenant_id == tenant or here.is_staff_read):
        raise ScopeError(f"rules of tenant {tenant} are read in its scope")
    known = _kept.get((tenant, agent, policy_version))
    if known is not None:
        return known
    found = Rules(tuple(terms(rule) for rule in Rule.objects.filter(tenant_id=tenant, agent__in=["", agent])))
    if not catalog.is_writing():
        _kept.put((tenant, agent, policy_version), found)
    return found


def forget_rules() -> None:
    """Empty this process's cache: for tests and benchmarks."""
    _kept.clear()


def rules(*, tenant: uuid.UUID) -> list[Rule]:
    """Every rule, the widest first."""
    return list(Rule.objects.filter(tenant_id=tenant).order_by("agent", "tool"))


def rule(*, tenant: uuid.UUID, rule_id: uuid.UUID) -> Rule:
    """Raises NotFound."""
    found = Rule.objects.filter(tenant_id=tenant, id=rule_id).first()
    if found is None:
        raise NotFound("There is no such rule.")
    return found


def terms(rule: Rule) -> RuleTerms:
    return RuleTerms(
        agent=rule.agent,
        tool=rule.tool,
        tier_floor=rule.tier_floor,
        amount_threshold=rule.amount_threshold,
        delay_seconds=rule.delay_seconds,
        may_stand_at_tier_3=rule.may_stand_at_tier_3,
    )
