"""Agreement given beforehand: made by the person whose it is, used by the guard within its limits, ended by anybody's no."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import connection, models

from agentops.catalog import queries as catalog
from agentops.catalog.types import ToolPolicy
from agentops.common import scope
from agentops.common.errors import Conflict, Forbidden, InputProblem, InvalidInput, NotFound
from agentops.confirmations.errors import NotStandable
from agentops.confirmations.models import StandingApproval
from agentops.confirmations.policies import standing as policy
from agentops.confirmations.policies.standing import Constraint, Kind
from agentops.confirmations.queries.rules import rules_for
from agentops.confirmations.queries.standing import constraints_of, standable_tool
from agentops.confirmations.types import Action, Person, Tier
from audit import services as audit
from audit.types import Actor, Outcome, Target
from tenants import access
from tenants import queries as tenants
from tenants.roles import Permission

LIFE_MOST = timedelta(days=30)
USES_MOST = 1_000
OPEN_MOST = 50  # of one person
_TAKE = """
UPDATE confirmations_standingapproval SET uses = uses + 1, sum_used = sum_used + %(amount)s
WHERE tenant_id = %(tenant)s AND id = %(id)s AND acting_user = %(acting_user)s AND agent = %(agent)s AND tool = %(tool)s
    AND tool_version_id = %(tool_version)s AND tier >= %(tier)s AND ended_at IS NULL
    AND expires_at > greatest(clock_timestamp(), %(at)s) AND uses < uses_most
    AND (sum_most IS NULL OR sum_used + %(amount)s <= sum_most)
"""


def make(
    *,
    tenant: uuid.UUID,
    owner: Person,
    acting_user: str,
    agent: str,
    tool: str,
    constraints: Sequence[Constraint],
    uses_most: int,
    sum_most: Decimal | None,
    expires_at: datetime,
    by: Actor,
    at: datetime,
) -> StandingApproval:
    """Let an agent call the tool, as it is defined now, in the owner's own name, without asking.

    Nobody makes one for somebody else, admins neither. The caller has just proved who they are.
    Raises Forbidden, AgentUnknown, ToolUnknown, NotStandable, Conflict and InvalidInput.
    """
    scope.require_tenant(tenant)
    user_id = _own(tenant, owner, acting_user, by)
    found = standable_tool(tenant=tenant, agent=agent, tool=tool)
    if found.because:
        raise NotStandable(found.because)
    _check(found.tool, constraints, uses_most, sum_most, expires_at - at)
    if _open(tenant).filter(user_id=user_id, expires_at__gt=at).count() >= OPEN_MOST:
        raise Conflict(f"You have {OPEN_MOST} standing approvals in force. End one that you do not need.")
    made = StandingApproval.objects.create(
        tenant_id=tenant,
        user_id=user_id,
        acting_user=acting_user,
        agent=agent,
        tool=tool,
        tool_version_id=found.tool.tool_version_id,
        tier=found.tier,
        constraints=[each.as_json() for each in constraints],
        uses_most=uses_most,
        sum_most=sum_most,
        made_at=at,
        expires_at=expires_at,
    )
    audit.record(
        tenant=tenant,
        action="standing_approval.made",
        actor=by,
        target=_target(made.id),
        outcome=Outcome.SUCCESS,
        data={
            "agent": agent,
            "tool": tool,
            "constraints": made.constraints,
            "uses": uses_most,
            "sum": None if sum_most is None else f"{sum_most:f}",
            "until": expires_at.isoformat(),
        },
        at=at,
        on_behalf_of=acting_user,
    )
    return made


def end(
    *,
    tenant: uuid.UUID,
    standing: uuid.UUID,
    by: Actor,
    at: datetime,
    of_user: int | None = None,
    reason: str = "",
) -> None:
    """Revoke one, at once; with `of_user`, only if it is theirs. What has ended already stays as it is. Raises NotFound."""
    scope.require_tenant(tenant)
    found = StandingApproval.objects.filter(tenant_id=tenant, id=standing)
    if of_user is not None:
        found = found.filter(user_id=of_user)
    row = found.first()
    if row is None:
        raise NotFound("There is no such standing approval.")
    _end([row], by, reason.strip() or "revoked", at)


def void_after_refusal(*, tenant: uuid.UUID, user_id: int, agent: str, tool: str, at: datetime) -> int:
    """Their owner has just refused a call of this agent and tool: they agree to no further ones unseen; answers how many."""
    scope.require_tenant(tenant)
    rows = list(_open(tenant).filter(user_id=user_id, agent=agent, tool=tool))
    user = access.members_by_id(tenant, [user_id]).get(user_id)
    by = Actor(type="user", id=f"user:{user_id}", label=user.email if user else f"user:{user_id}")
    return _end(rows, by, "its owner refused a call of it", at)


def answer_for(*, tenant: uuid.UUID, action: Action, tier: int, at: datetime) -> uuid.UUID | None:
    """The standing approval that covers this call, with one use and the amount taken; None: ask people.

    For calls whose tier nothing has raised. Of N callers at once, as many are answered as there are uses and sum: taking is
    one conditional UPDATE. Give the use back by rolling back.
    """
    scope.require_tenant(tenant)
    if tier >= Tier.TWO_PEOPLE:
        return None
    candidates = _open(tenant).filter(
        acting_user=action.acting_user, agent=action.agent, tool=action.tool, tool_version_id=action.tool_version_id
    )
    rows = list(candidates.filter(expires_at__gt=at, tier__gte=tier).order_by("expires_at", "id"))
    if not rows or not _may_stand(tenant, action, tier):
        return None
    owner = tenants.account_of(tenant, action.acting_user)
    if owner not in tenants.members_able_to(tenant, Permission.CONFIRM):
        return None
    amount = policy.amount_in(action.arguments, action.facts.amount)
    if action.facts.amount and amount is None:
        return None
    for row in rows:
        said = constraints_of(row.constraints)
        is_covered = row.user_id == owner and policy.covers(said, action.arguments, cosmetic=action.facts.cosmetic)
        if is_covered and _take(tenant, row.id, action, tier, amount or Decimal(0), at):
            return row.id
    return None


def _take(tenant: uuid.UUID, standing: uuid.UUID, action: Action, tier: int, amount: Decimal, at: datetime) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            _TAKE,
            {
                "tenant": tenant,
                "id": standing,
                "acting_user": action.acting_user,
                "agent": action.agent,
                "tool": action.tool,
                "tool_version": action.tool_version_id,
                "tier": tier,
                "amount": amount,
                "at": at,
            },
        )
        return bool(cursor.rowcount)


def _may_stand(tenant: uuid.UUID, action: Action, tier: int) -> bool:
    """Asked at each use: an organisation that allows it no more means the ones that were made before, too."""
    if tier < Tier.FULL_DISCLOSURE:
        return True
    rules = rules_for(tenant=tenant, agent=action.agent, policy_version=action.policy_version)
    return rules.may_stand_at_tier_3(action.tool)


def _own(tenant: uuid.UUID, owner: Person, acting_user: str, by: Actor) -> int:
    """The owner's account, where it is they who ask, and in their own name."""
    user_id = owner.user_id
    is_theirs = user_id is not None and by.type == "user" and by.user_id == user_id
    if not is_theirs or user_id is None or "\0" in acting_user or tenants.account_of(tenant, acting_user) != user_id:
        raise Forbidden("People agree beforehand in their own name only: agents do not know you as this user.")
    return user_id


def _check(
    tool: ToolPolicy, constraints: Sequence[Constraint], uses_most: int, sum_most: Decimal | None, life: timedelta
) -> None:
    """Raises InvalidInput with everything that is wrong."""
    found = policy.problems(constraints) or [
        wrong for each in constraints if (wrong := _problem_with(tool, each)) is not None
    ]
    if not 1 <= uses_most <= USES_MOST:
        found.append(InputProblem("/uses_most", "range", f"1 to {USES_MOST} calls can be agreed to."))
    if not timedelta(0) < life <= LIFE_MOST:
        found.append(InputProblem("/expires_at", "range", f"It ends after now, and within {LIFE_MOST.days} days."))
    if tool.amount and sum_most is None:
        found.append(
            InputProblem("/sum_most", "required", "The calls move money: say how much all of them together may.")
        )
    if not tool.amount and sum_most is not None:
        found.append(InputProblem("/sum_most", "invalid", "This tool names no amount, so there is nothing to add up."))
    if sum_most is not None and not (
        sum_most.is_finite() and 0 < sum_most <= policy.AMOUNT_MOST and sum_most == round(sum_most, 6)
    ):
        found.append(InputProblem("/sum_most", "range", "The sum is more than 0, with at most six decimal places."))
    if found:
        raise InvalidInput(" ".join(dict.fromkeys(each.detail for each in found)), problems=tuple(found))


def _problem_with(tool: ToolPolicy, each: Constraint) -> InputProblem | None:
    """What is wrong with a constraint for this tool."""
    if not catalog.is_place(tool.arguments_schema, each.pointer):
        return InputProblem(each.pointer, "unknown", f"{tool.name} has no such argument.")
    if each.kind is Kind.ANY and each.pointer in (tool.payee, tool.amount):
        what = "who is paid" if each.pointer == tool.payee else "how much"
        return InputProblem(each.pointer, "invalid", f"This says {what}: name the values; any value cannot stand.")
    if each.kind is Kind.AT_MOST and each.pointer != tool.amount:
        kind = next((p.kind for p in catalog.places(tool.arguments_schema) if p.pointer == each.pointer), "any")
        if kind not in ("integer", "number"):
            return InputProblem(each.pointer, "invalid", "Only a number can be held by the most it may be.")
    return None


def _open(tenant: uuid.UUID) -> models.QuerySet[StandingApproval]:
    return StandingApproval.objects.filter(tenant_id=tenant, ended_at__isnull=True)


def _end(rows: Sequence[StandingApproval], by: Actor, reason: str, at: datetime) -> int:
    ended = 0
    for row in rows:
        is_ours = _open(row.tenant_id).filter(id=row.id).update(ended_at=at, ended_by=by.id, end_reason=reason[:500])
        if is_ours:
            ended += 1
            audit.record(
                tenant=row.tenant_id,
                action="standing_approval.ended",
                actor=by,
                target=_target(row.id),
                outcome=Outcome.SUCCESS,
                data={"agent": row.agent, "tool": row.tool},
                at=at,
                on_behalf_of=row.acting_user,
                reason=reason[:500],
            )
    return ended


def _target(standing: uuid.UUID) -> Target:
    return Target(type="standing_approval", id=str(standing))
