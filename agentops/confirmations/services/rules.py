"""What an organisation wants beyond what its tools say: tier floors, thresholds, delays, what may stand."""

from __future__ import annotations

import uuid
from datetime import datetime
from decimal import Decimal
from typing import Any

from agentops.catalog import queries as catalogued
from agentops.catalog import services as catalog
from agentops.catalog.errors import ApproversMissing
from agentops.common import scope
from agentops.common.errors import InputProblem, InvalidInput, NotFound
from agentops.confirmations.models import Rule
from agentops.confirmations.policies.rules import RuleTerms
from agentops.confirmations.queries.rules import terms as terms_of
from agentops.confirmations.types import Tier
from audit import services as audit
from audit.types import Actor, Outcome, Target

THRESHOLD_MOST = Decimal(10) ** 18
DELAY_LEAST, DELAY_MOST = 60, 43_200
PEOPLE_FOR_HIGHEST_TIER = 2
_SAID = ("tier_floor", "amount_threshold", "delay_seconds", "may_stand_at_tier_3")


def set_rule(*, tenant: uuid.UUID, terms: RuleTerms, by: Actor, at: datetime) -> Rule:
    """Say what calls of an agent, of a tool, of both or (with both names empty) of everything ask for; replaces what
    was said of exactly these before. The same again changes nothing.

    Raises InvalidInput, AgentUnknown, ToolUnknown, and ApproversMissing for a floor of 4 where there are not two people.
    """
    scope.require_tenant(tenant)
    _check(tenant, terms)
    found = _stored(tenant, terms)
    if found is not None and terms_of(found) == terms:
        return found
    catalog.renew_policies(tenant=tenant, agent=terms.agent)
    found = _stored(tenant, terms) or Rule(tenant_id=tenant, agent=terms.agent, tool=terms.tool)  # we had to wait
    before = terms_of(found)
    changes = {name: _change(getattr(before, name), getattr(terms, name)) for name in _SAID}
    changes = {name: change for name, change in changes.items() if change}
    for name in _SAID:
        setattr(found, name, getattr(terms, name))
    found.changed_at, found.changed_by = at, by.label[:200]
    found.save()
    _record(found, "confirmation_rule.set", {"changes": changes}, by, at)
    return found


def remove_rule(*, tenant: uuid.UUID, rule: uuid.UUID, by: Actor, at: datetime) -> None:
    """Take a rule back. Raises NotFound."""
    scope.require_tenant(tenant)
    found = Rule.objects.filter(tenant_id=tenant, id=rule).first()
    if found is None:
        raise NotFound("There is no such rule; perhaps somebody removed it a moment ago.")
    catalog.renew_policies(tenant=tenant, agent=found.agent)
    if Rule.objects.filter(tenant_id=tenant, id=rule).delete()[0]:
        _record(found, "confirmation_rule.removed", {}, by, at)


def _stored(tenant: uuid.UUID, terms: RuleTerms) -> Rule | None:
    return Rule.objects.filter(tenant_id=tenant, agent=terms.agent, tool=terms.tool).first()


def _check(tenant: uuid.UUID, terms: RuleTerms) -> None:
    catalogued.require_known(tenant=tenant, agent=terms.agent, tool=terms.tool)
    if all(getattr(terms, name) is None for name in _SAID):
        raise _invalid("", "A rule says at least one thing: a floor, a threshold, a delay, or what may stand.")
    if terms.tier_floor is not None and terms.tier_floor not in Tier.values:
        raise _invalid("/tier_floor", "A floor is tier 2, 3 or 4.")
    if terms.delay_seconds is not None and not DELAY_LEAST <= terms.delay_seconds <= DELAY_MOST:
        raise _invalid("/delay_seconds", "A delay is between one minute and twelve hours.")
    threshold = terms.amount_threshold
    if threshold is not None and not (
        threshold.is_finite() and 0 <= threshold <= THRESHOLD_MOST and threshold == round(threshold, 6)
    ):
        raise _invalid("/amount_threshold", "A threshold is an amount of 0 or more, with at most six decimal places.")
    if terms.tier_floor == Tier.TWO_PEOPLE:
        _require_two(tenant, terms)


def _require_two(tenant: uuid.UUID, terms: RuleTerms) -> None:
    count = len(catalogued.approvers(tenant=tenant, agent=terms.agent, tool=terms.tool).user_ids)
    if count < PEOPLE_FOR_HIGHEST_TIER:
        raise ApproversMissing(
            f"Tier 4 takes two different people, and {count or 'nobody'} could approve this here. "
            "Name more approvers, or choose tier 3."
        )


def _change(before: Any, after: Any) -> dict[str, Any] | None:
    return None if before == after else {"from": _told(before), "to": _told(after)}


def _told(value: Any) -> Any:
    return f"{value.normalize():f}" if isinstance(value, Decimal) else value


def _record(found: Rule, action: str, data: dict[str, Any], by: Actor, at: datetime) -> None:
    agent, tool = found.agent or "every agent", found.tool or "every tool"
    audit.record(
        tenant=found.tenant_id,
        action=action,
        actor=by,
        target=Target(type="confirmation_rule", id=str(found.id)),
        outcome=Outcome.SUCCESS,
        data={"agent": agent[:200], "tool": tool[:200], **data},
        at=at,
    )


def _invalid(pointer: str, detail: str) -> InvalidInput:
    return InvalidInput(detail, problems=(InputProblem(pointer, "invalid", detail),))
