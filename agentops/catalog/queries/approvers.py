"""Who may approve calls of a tool by an agent."""

from __future__ import annotations

import uuid

from django.db import models

from agentops.catalog.errors import AgentUnknown, ToolUnknown
from agentops.catalog.models import Agent, Tool
from agentops.catalog.types import ApprovedKind, ApproverBook, Approvers, Named
from tenants import access
from tenants import queries as tenants
from tenants.types import ApproverGroup, User

APPROVE = "catalog.approve"


def approvers(*, tenant: uuid.UUID, agent: str = "", tool: str = "") -> Approvers:
    """Those named on the tool; where nobody is, those named on the agent; where nobody is, all approvers. In the scope.

    An agent or a tool that is not there has nobody named.
    """
    for kind, name in ((ApprovedKind.TOOL, tool), (ApprovedKind.AGENT, agent)):
        target = _rows(kind).filter(tenant_id=tenant, name=name).first() if name else None
        if target is not None and access.is_granted(permission=APPROVE, target=target):
            return Approvers(user_ids=frozenset(access.holders(permission=APPROVE, target=target)), named_on=kind)
    return Approvers(user_ids=frozenset(access.approvers(tenant)), named_on=None)


def approver_book(*, tenant: uuid.UUID) -> ApproverBook:
    """All of it at once, for pages."""
    everybody = frozenset(access.approvers(tenant))
    groups = {each.group.id: frozenset(m.user_id for m in each.approvers) for each in tenants.approver_groups(tenant)}
    members = {each.user_id for each in tenants.members(tenant)}

    def named(who: User | ApproverGroup) -> Named:
        if isinstance(who, ApproverGroup):
            return Named(user=None, group=who.id, label=who.name, people=groups.get(who.id, frozenset()))
        return Named(
            user=who.pk,
            group=None,
            label=str(who),
            people=everybody & {who.pk},
            is_member=who.pk in members,
        )

    def of(kind: ApprovedKind) -> dict[str, list[Named]]:
        rows: list[Agent | Tool] = list(_rows(kind).filter(tenant_id=tenant))
        found = access.named_among(permission=APPROVE, targets=rows)
        return {row.name: [named(who) for who in found[str(row.pk)]] for row in rows if str(row.pk) in found}

    return ApproverBook(everybody=everybody, on_tools=of(ApprovedKind.TOOL), on_agents=of(ApprovedKind.AGENT))


def require_known(*, tenant: uuid.UUID, agent: str = "", tool: str = "") -> None:
    """That an agent and a tool, where they are named, are there. Raises AgentUnknown, ToolUnknown."""
    for kind, name in ((ApprovedKind.AGENT, agent), (ApprovedKind.TOOL, tool)):
        if name:
            target_of(tenant, kind, name)


def target_of(tenant: uuid.UUID, kind: ApprovedKind, name: str) -> Agent | Tool:
    """Raises AgentUnknown, ToolUnknown."""
    found = None if "\0" in name else _rows(kind).filter(tenant_id=tenant, name=name).first()
    if found is None:
        unknown = AgentUnknown if kind is ApprovedKind.AGENT else ToolUnknown
        raise unknown(f"There is no {kind.value} {name[:100]!r}.")
    return found


def _rows(kind: ApprovedKind) -> models.QuerySet[Agent] | models.QuerySet[Tool]:
    return Agent.objects.all() if kind is ApprovedKind.AGENT else Tool.objects.all()
