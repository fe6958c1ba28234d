"""What a month and a quarter ask people to look at, over all organisations. In the staff scope."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

from agentops.budgets import queries as budgets
from agentops.catalog import queries as catalog
from agentops.catalog.types import Review
from agentops.common import clock
from agentops.common.money import NANO
from agentops.runtime import queries as runtime
from audit import queries as audit
from evals.queries import everywhere
from incidents.cadence_item import ItemKind, NewItem
from incidents.links import link
from incidents.models import Alert, Incident, Page, Postmortem
from incidents.queries.cadence_items import MOST, more
from incidents.types import AlertClass, AlertVerdict, PostmortemState
from tenants import queries as tenants
from tenants.house import HOUSE_ID

TOOLS_MOST = 500
UNUSED, OLD_KEY = timedelta(days=90), timedelta(days=365)
_LOOKED_BACK = timedelta(days=400)  # for a tool's last use


def monthly(since: datetime, until: datetime) -> Iterator[NewItem]:
    yield from drift(since, until)
    yield from spend(since, until)
    yield from precision(since, until)
    yield from drill(since, until)
    yield from test_page(since, until)


def quarterly(since: datetime, until: datetime) -> Iterator[NewItem]:
    yield from operations(since, until)
    yield from tools()
    yield from keys()
    yield NewItem(
        kind=ItemKind.RESTORE,
        subject="restore",
        label="Restore the newest backup into an empty server, run manage.py audit check --all there, note size and time",
        url=link("staff-runbook", alert_class=AlertClass.INTEGRITY),
    )


def drift(since: datetime, until: datetime) -> Iterator[NewItem]:
    found = everywhere.drift_found(since=since, until=until, most=MOST + 1)
    named = tenants.tenants_by_id(one.tenant_id for one in found)
    for one in found[:MOST]:
        if one.tenant_id in named:
            tenant = named[one.tenant_id]
            yield NewItem(
                kind=ItemKind.DRIFT,
                subject=one.id.hex,
                label=f"{tenant.name}: {one.agent}: {one.sentence}",
                url=link("staff-tenant-drift-finding", slug=tenant.slug, finding=one.id),
                about_tenant=tenant.id,
            )
    yield from more(ItemKind.DRIFT, len(found) - MOST, "or more further findings", link("staff-quality"))


def spend(since: datetime, until: datetime) -> Iterator[NewItem]:
    every = {one.id: one for one in tenants.active_tenants()}
    sums = budgets.product_sums(tenants=list(every), since=since.date(), until=until.date(), by=("tenant_id",))
    found = [(every[one.tenant_id], one.amount_nano_usd) for one in sums if one.tenant_id and one.tenant_id in every]
    found.sort(key=lambda one: -one[1])
    for tenant, amount in found[:MOST]:
        yield NewItem(
            kind=ItemKind.SPEND,
            subject=tenant.id.hex,
            label=f"{tenant.name}: ${amount / NANO:,.2f}",
            url=link("staff-tenant-spend", slug=tenant.slug),
            about_tenant=tenant.id,
        )
    yield from more(ItemKind.SPEND, len(found) - MOST, "further organisations", link("staff-spend"))


def precision(since: datetime, until: datetime) -> Iterator[NewItem]:
    """For each class that alerted: how many of the alerts that people answered asked for something to be done."""
    rows = Alert.objects.filter(tenant_id=HOUSE_ID, opened_at__gte=since, opened_at__lt=until)
    said = Counter(rows.values_list("alert_class", "verdict"))
    for alert_class in AlertClass:
        by_verdict = {verdict: count for (one, verdict), count in said.items() if one == alert_class}
        total, silent = sum(by_verdict.values()), by_verdict.get("", 0)
        if not total:
            continue
        right, answered = by_verdict.get(AlertVerdict.ACTIONABLE, 0), total - silent
        share = f"{right / answered:.0%} actionable" if answered else "nobody gave a verdict"
        yield NewItem(
            kind=ItemKind.PRECISION,
            subject=alert_class,
            label=f"{alert_class.label}: {share}, of {total} alert{'s' if total != 1 else ''} {silent} without a verdict",
            url=link("staff-alert-precision"),
        )


def drill(since: datetime, until: datetime) -> Iterator[NewItem]:
    rows = Incident.objects.filter(tenant_id=HOUSE_ID, is_drill=True, declared_at__gte=since, declared_at__lt=until)
    last = rows.order_by("-declared_at").first()
    yield NewItem(
        kind=ItemKind.DRILL,
        subject="drill",
        label=f"Drilled with {last.ref}: {last.title}"
        if last
        else "Not drilled in this month: manage.py drill runaway",
        url=(link("incident", ref=last.ref) if last else "") or link("staff-kill-switches"),
    )


def test_page(since: datetime, until: datetime) -> Iterator[NewItem]:
    rows = Page.objects.filter(tenant_id=HOUSE_ID, subject_kind="test", created_at__gte=since, created_at__lt=until)
    sent, arrived = rows.count(), rows.exclude(delivered_at=None).count()
    yield NewItem(
        kind=ItemKind.TEST_PAGE,
        subject="test_page",
        label=f"{arrived} of {sent} test pages were delivered"
        if sent
        else "No test page was sent in this month: send one",
        url=link("staff-targets"),
    )


def operations(since: datetime, until: datetime) -> Iterator[NewItem]:
    incidents = Incident.objects.filter(tenant_id=HOUSE_ID, declared_at__gte=since, declared_at__lt=until)
    by_severity = Counter(incidents.filter(is_drill=False).values_list("severity", flat=True))
    told = ", ".join(f"{by_severity.get(severity, 0)} SEV-{severity}" for severity in (1, 2, 3))
    waiting = Postmortem.objects.filter(tenant_id=HOUSE_ID).exclude(state=PostmortemState.PUBLISHED).count()
    yield NewItem(
        kind=ItemKind.OPERATIONS,
        subject="operations",
        label=f"Incidents of the quarter: {told}; {waiting} postmortem{'s' if waiting != 1 else ''} not published",
        url=link("staff-incidents"),
    )
    yield NewItem(
        kind=ItemKind.CAPACITY,
        subject="capacity",
        label="Growth of traces, the oldest waiting work, disk: is there room for twice the traffic?",
        url=link("staff-ingest"),
    )


def tools() -> Iterator[NewItem]:
    """Every approved definition that an agent may call, those that were not used for 90 days first."""
    at, named = clock.now(), {one.id: one for one in tenants.active_tenants()}
    found = [
        one
        for one in catalog.tool_versions(tenant=None, review=Review.APPROVED)
        if one.agents and one.tenant_id in named
    ]
    used: dict[tuple[object, str], datetime] = {}
    for tenant in {one.tenant_id for one in found}:
        names = sorted({one.tool for one in found if one.tenant_id == tenant})
        last = runtime.last_use(tenant=tenant, tools=names, since=at - _LOOKED_BACK)
        used |= {(tenant, tool): moment for tool, moment in last.items()}
    never = datetime.min.replace(tzinfo=at.tzinfo)
    found.sort(key=lambda one: (used.get((one.tenant_id, one.tool), never), one.tool, one.version))
    for one in found[:TOOLS_MOST]:
        moment = used.get((one.tenant_id, one.tool))
        state = _use(moment, one.created_at, at)
        tenant_row = named[one.tenant_id]
        yield NewItem(
            kind=ItemKind.TOOL,
            subject=one.id.hex,
            label=f"{tenant_row.name}: {one.tool} {one.version}, tier {one.tier}, {state}",
            url=link("staff-tenant-tool", slug=tenant_row.slug, tool_version=one.id),
            about_tenant=one.tenant_id,
            data={"tool": one.tool, "version": one.version, "last_used_at": moment.isoformat() if moment else ""},
        )
    yield from more(ItemKind.TOOL, len(found) - TOOLS_MOST, "further tools", link("staff-tools-audit"))


def _use(used_at: datetime | None, made_at: datetime, at: datetime) -> str:
    """A definition that is newer than 90 days cannot be unused for 90 days."""
    if used_at and at - used_at <= UNUSED:
        return "in use"
    return f"not used since it was defined on {made_at:%-d %b %Y}" if at - made_at <= UNUSED else "not used for 90 days"


def keys() -> Iterator[NewItem]:
    """The key that signs checkpoints, and API keys that are older than a year."""
    at = clock.now()
    for key in audit.public_keys():
        if key.retired_at is None:
            yield NewItem(
                kind=ItemKind.KEY,
                subject=f"audit|{key.id}",
                label=f"Key of the audit log {key.name}: {(at - key.created_at).days} days old; manage.py audit new-key",
                url=link("audit-keys"),
            )
    named = {one.id: one for one in tenants.active_tenants()}
    old = [one for one in tenants.keys_made_before(at - OLD_KEY) if one.tenant_id in named]
    for one in old[:MOST]:
        tenant = named[one.tenant_id]
        yield NewItem(
            kind=ItemKind.KEY,
            subject=one.id.hex,
            label=f"{tenant.name}: API key {one.name} (…{one.prefix}), made {one.created_at:%-d %b %Y}",
            url=link("staff-tenant", slug=tenant.slug),
            about_tenant=tenant.id,
        )
    yield from more(ItemKind.KEY, len(old) - MOST, "further keys", link("staff-tenants"))
