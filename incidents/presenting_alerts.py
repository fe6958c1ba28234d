"""An alert as its page tells it: figures in words, and where to go from it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from django.urls import NoReverseMatch, reverse

from incidents.detecting.defaults import DEFAULTS
from incidents.models import Alert, AlertOccurrence
from incidents.queries.samples import Sample
from incidents.types import AlertClass, AlertStatus, ScopeType
from tenants.types import Tenant


def number(value: float) -> str:
    """A figure without more digits than it has: 31, 2.4, 0.003, 1,204."""
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:,.2f}" if abs(value) >= 1 else f"{value:.3g}"


def row(alert: Alert, names: Mapping[uuid.UUID, Tenant]) -> dict[str, Any]:
    return {
        "alert": alert,
        "url": reverse("staff-alert", kwargs={"alert": alert.id}),
        "class": AlertClass(alert.alert_class).label,
        "about": about(alert, names),
    }


def about(alert: Alert, names: Mapping[uuid.UUID, Tenant]) -> str:
    """Whom it is about: "refund-desk of Acme", "Acme", "3 organisations"."""
    tenant = names.get(alert.about_tenant) if alert.about_tenant else None
    if tenant is None:
        others = len(alert.tenants)
        return f"All organisations, {others} of them seen" if others else "All organisations"
    return f"{alert.agent} of {tenant.name}" if alert.agent else tenant.name


def figures(alert: Alert) -> list[dict[str, Any]]:
    bound = f"the bound is {number(alert.threshold)}"
    return [
        {"label": "Last", "value": number(alert.value), "note": f"{alert.unit}; {bound}" if alert.unit else bound},
        {"label": "Peak", "value": number(alert.peak), "note": alert.unit},
        {"label": "Seen", "value": f"{alert.repeats:,} ×"},
        {"label": "Organisations", "value": str(len(alert.tenants) or "–")},
    ]


def details(alert: Alert) -> list[tuple[str, str]]:
    """The figures it was found by, in the order in which the detector named them."""
    return [
        (name.replace("_usd", " (USD)").replace("_", " ").capitalize(), _told(value))
        for name, value in alert.data.items()
        if value not in (None, "", [])
    ]


def _told(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return number(float(value))
    return ", ".join(str(each) for each in value) if isinstance(value, list) else str(value)


def course(alert: Alert, occurrences: Sequence[AlertOccurrence]) -> dict[str, Any]:
    """The looks that found it over time, with the bound."""
    times = [each.at.isoformat() for each in occurrences]
    return {
        "data": [
            {"type": "scatter", "mode": "lines+markers", "name": "Seen", "x": times, "y": [each.value for each in occurrences]},
            {"type": "scatter", "mode": "lines", "name": "Bound", "x": times, "y": [each.threshold for each in occurrences], "line": {"dash": "dash", "width": 1}},
        ],
        "layout": {"yaxis": {"rangemode": "tozero", "title": {"text": alert.unit}}, "xaxis": {"type": "date"}, "showlegend": True},
    }  # fmt: skip


def sample_rows(samples: Sequence[Sample], names: Mapping[uuid.UUID, Tenant]) -> list[dict[str, Any]]:
    return [
        {"sample": each, "tenant": names[each.tenant], "url": run_url(names[each.tenant].slug, each)}
        for each in samples
        if each.tenant in names
    ]


def run_url(slug: str, sample: Sample) -> str:
    """Straight to the step, in the organisation's own run page, which notes who looked."""
    if not sample.is_kept:
        return ""
    base = reverse("staff-tenant-run", kwargs={"slug": slug, "run_id": sample.run.hex})
    return f"{base}?{urlencode({'span': sample.step})}" if sample.step else base


def kill_switch_url(alert: Alert, names: Mapping[uuid.UUID, Tenant]) -> str:
    """A page with its scope filled in, which asks before it acts."""
    tenant = names.get(alert.about_tenant) if alert.about_tenant else None
    if tenant is None:
        return reverse("staff-kill-switch-new")
    chosen = {"scope": "agent", "id": alert.agent} if alert.agent else {"scope": "tenant"}
    return f"{reverse('staff-tenant-kill-switch-new', kwargs={'slug': tenant.slug})}?{urlencode(chosen)}"


def source_url(alert: Alert, names: Mapping[uuid.UUID, Tenant]) -> tuple[str, str]:
    """The page of what it was made of, and its name; "" where there is none."""
    tenant = names.get(alert.about_tenant) if alert.about_tenant else None
    kind = alert.source.get("kind", "")
    try:
        if kind == "drift_finding" and tenant:
            place = {"slug": tenant.slug, "finding": alert.source["id"]}
            return reverse("staff-tenant-drift-finding", kwargs=place), "The finding of drift"
        if kind == "kill_switch" and tenant:
            return reverse("staff-tenant-kill-switches", kwargs={"slug": tenant.slug}), "The kill switch and its proof"
        if kind in ("finding", "product_finding"):
            return reverse("staff-spend-findings"), "Findings about spend"
        if alert.alert_class == AlertClass.INGEST_LAG:
            of_one = tenant and reverse("staff-tenant-ingest", kwargs={"slug": tenant.slug})
            return of_one or reverse("staff-ingest"), "Ingest health"
        if kind == "notice" and tenant:
            return reverse("staff-tenant-spend", kwargs={"slug": tenant.slug}), "What the organisation spends"
    except NoReverseMatch:
        pass
    return "", ""


def state_words(alert: Alert) -> str:
    return AlertStatus(alert.status).label


def scope_words(alert: Alert) -> str:
    label = ScopeType(alert.scope_type).label
    return f"{label}: {alert.scope_id}" if alert.scope_id and alert.scope_type != ScopeType.USER else label


def meaning(alert: Alert) -> str:
    default = DEFAULTS[AlertClass(alert.alert_class)]
    return f"{default.meaning} {default.severity_meaning}".strip()
