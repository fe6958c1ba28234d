"""What a day and a week ask people to look at, over all organisations. In the staff scope."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import datetime

from agentops.budgets import queries as budgets
from agentops.common.clock import now
from evals.queries import everywhere, patterns
from evals.queries import queue as reviews
from evals.types import QueueReason
from incidents.cadence_item import ItemKind, NewItem
from incidents.links import link
from incidents.models import ActionItem, Handover
from incidents.queries.rotas import rotas
from incidents.types import ActionState
from tenants import queries as tenants
from tenants.house import HOUSE_ID
from tenants.types import Tenant

MOST = 25  # of a kind; what is beyond stands in one further item
FALL = 0.02  # of a judge's score, from which on an agent is worth a look

Gather = Callable[[datetime, datetime], Iterator[NewItem]]


def daily(since: datetime, until: datetime) -> Iterator[NewItem]:
    yield from aborted(since, until)
    yield from sampled(since, until)
    yield from cost_spikes(since, until)


def weekly(since: datetime, until: datetime) -> Iterator[NewItem]:
    yield from regressions(since, until)
    yield from judge_trend(since, until)
    yield from handed_over(since, until)
    yield from overdue_actions()


def aborted(since: datetime, until: datetime) -> Iterator[NewItem]:
    """One item for each pattern: a flow that hits its cap a hundred times is one thing to look at."""
    found = [
        one
        for one in patterns.patterns(since=since, at=until, reasons=[QueueReason.ABORTED])
        if one.first_at < until and one.examples
    ]
    slugs = _tenants(one.examples[0].tenant_id for one in found)
    for one in found[:MOST]:
        example = one.examples[0]
        tenant = slugs.get(example.tenant_id)
        flow = f" with {', '.join(one.tools[:4])}" if one.tools else ""
        yield NewItem(
            kind=ItemKind.ABORTED,
            subject=f"{one.agent}|{one.what}|{','.join(one.tools)}",
            label=f"{one.agent or 'An agent without a name'}{flow}: {one.what}, {one.count} run{'s' if one.count != 1 else ''}",
            url=link("staff-tenant-review-item", slug=tenant.slug, item=example.item_id)
            if tenant
            else link("staff-review"),
            about_tenant=example.tenant_id if one.tenants == 1 else None,
        )
    yield from more(ItemKind.ABORTED, len(found) - MOST, "further patterns", link("staff-review-patterns"))


def sampled(since: datetime, until: datetime) -> Iterator[NewItem]:
    found, count = reviews.found_between(since=since, until=until, reason=QueueReason.RANDOM, most=MOST)
    slugs = _tenants(one.tenant_id for one in found)
    for one in found:
        tenant = slugs.get(one.tenant_id)
        yield NewItem(
            kind=ItemKind.SAMPLED,
            subject=one.id.hex,
            label=f"{tenant.name if tenant else 'An organisation'}: a run of {one.agent or 'an agent'}",
            url=link("staff-tenant-review-item", slug=tenant.slug, item=one.id) if tenant else link("staff-review"),
            about_tenant=one.tenant_id,
        )
    yield from more(ItemKind.SAMPLED, count - MOST, "further runs", f"{link('staff-review')}?reason=random")


def cost_spikes(since: datetime, until: datetime) -> Iterator[NewItem]:
    found = budgets.spikes_between(since=since, until=until, most=MOST)
    slugs = _tenants(one.tenant_id for one in found if hasattr(one, "tenant_id"))
    for one in found:
        tenant = slugs.get(getattr(one, "tenant_id", uuid.UUID(int=0)))
        yield NewItem(
            kind=ItemKind.COST_SPIKE,
            subject=one.id.hex,
            label=f"{tenant.name if tenant else 'All organisations'}: {one.detail}",
            url=link("staff-tenant-spend", slug=tenant.slug) if tenant else link("staff-spend-findings"),
            about_tenant=tenant.id if tenant else None,
        )


def regressions(since: datetime, until: datetime) -> Iterator[NewItem]:
    found = everywhere.failed_gates(since=since, until=until, most=MOST)
    slugs = _tenants(one.tenant_id for one in found)
    for one in found:
        tenant = slugs.get(one.tenant_id)
        if tenant is not None:
            yield NewItem(
                kind=ItemKind.REGRESSION,
                subject=one.id.hex,
                label=f"{tenant.name}: {one.agent} {one.agent_version}: {one.sentence}",
                url=link("staff-tenant-gate", slug=tenant.slug, agent=one.agent, version=one.agent_version),
                about_tenant=tenant.id,
            )


def judge_trend(since: datetime, until: datetime) -> Iterator[NewItem]:
    """Agents whose score fell against the same time before; one item that says so where none did."""
    length = until - since
    lines = everywhere.lines(since=since.date(), until=until.date())
    before = {
        (one.tenant_id, one.agent): one.sums.score
        for one in everywhere.lines(since=(since - length).date(), until=since.date())
    }
    fell = []
    for line in lines:
        score, old = line.sums.score, before.get((line.tenant_id, line.agent))
        if score.weight > 0 and old is not None and old.weight > 0 and score.mean < old.mean - FALL:
            fell.append((old.mean - score.mean, line, old.mean))
    fell.sort(key=lambda one: -one[0])
    slugs = _tenants(line.tenant_id for _, line, _ in fell)
    for _, line, mean in fell[:MOST]:
        tenant = slugs.get(line.tenant_id)
        if tenant is not None:
            yield NewItem(
                kind=ItemKind.JUDGE_TREND,
                subject=f"{tenant.slug}|{line.agent}",
                label=f"{tenant.name}: {line.agent} fell from {mean:.2f} to {line.sums.score.mean:.2f}",
                url=link("staff-tenant-quality", slug=tenant.slug),
                about_tenant=tenant.id,
            )
    if not fell:
        yield NewItem(
            kind=ItemKind.JUDGE_TREND,
            subject="none",
            label=f"No agent of {len(lines)} fell by more than {FALL:.2f}",
            url=link("staff-quality"),
        )
    yield from more(ItemKind.JUDGE_TREND, len(fell) - MOST, "further agents fell", link("staff-quality"))


def handed_over(since: datetime, until: datetime) -> Iterator[NewItem]:
    rows = Handover.objects.filter(tenant_id=HOUSE_ID, at__gte=since, at__lt=until).order_by("at")
    signed = {one.rotation_id: one for one in rows}
    for rota in rotas(at=now(), only_on=True):
        one = signed.get(rota.rotation.id)
        state = "no hand-over was written" if one is None else "signed by both" if one.signed_in_at else "signed by one"
        yield NewItem(
            kind=ItemKind.HANDOVER,
            subject=rota.rotation.id.hex,
            label=f"{rota.rotation.name}: {state}",
            url=link("staff-handover-kept", handover=one.id)
            if one
            else link("staff-handover", rotation=rota.rotation.id),
        )


def overdue_actions() -> Iterator[NewItem]:
    rows = ActionItem.objects.filter(tenant_id=HOUSE_ID, state=ActionState.OPEN, due_on__lt=now().date())
    found = list(rows.select_related("incident", "owner").order_by("due_on", "id")[: MOST + 1])
    for one in found[:MOST]:
        yield NewItem(
            kind=ItemKind.ACTION,
            subject=one.id.hex,
            label=f"{one.title}: due {one.due_on}, {one.owner or 'nobody'} ({one.incident.ref})",
            url=link("incident-postmortem", ref=one.incident.ref),
        )
    yield from more(ItemKind.ACTION, rows.count() - MOST, "further items", link("staff-actions"))


def more(kind: ItemKind, count: int, what: str, url: str) -> Iterator[NewItem]:
    if count > 0:
        yield NewItem(kind=kind, subject="more", label=f"{count} {what}", url=url)


def _tenants(ids: Iterator[uuid.UUID]) -> dict[uuid.UUID, Tenant]:
    return tenants.tenants_by_id(ids)
