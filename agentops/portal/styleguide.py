"""The page that shows every component in every state: for staff, while developing. It reads no data of anyone."""

from __future__ import annotations

import uuid
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.safestring import mark_safe

from agentops.common import clock
from agentops.common.errors import NotFound
from agentops.common.money import NANO
from agentops.portal import marks
from agentops.portal.templatetags.words import ago, duration, money, percent_of
from tenants.access import staff_access
from tenants.roles import ROLE_SENTENCES, Role
from tenants.types import User

LONG = "refund-desk-for-the-very-long-named-subsidiary-in-the-north-of-the-country-and-all-its-branches"

AMOUNTS = [0, 1, 340, 34_000, 1_230_000, 48_270_000, 480_000_000, 12_345_678_900, 9_876_543_210_000_000, -1_500_000_000, None]  # fmt: skip
DURATIONS = [0, 640, 12_300, 4_200_000, 340_000_000, 1_234_000_000, 59_990_000_000, 184 * clock.NANOS, 7_500 * clock.NANOS, 300_000 * clock.NANOS, None]  # fmt: skip


class SampleForm(forms.Form):
    """One field of every kind."""

    name = forms.CharField(max_length=60, help_text="Shown in the list and in the audit log.")
    note = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 3}))
    expires = forms.ChoiceField(choices=[("30", "In 30 days"), ("90", "In 90 days"), ("", "Never")], required=False)
    scopes = forms.MultipleChoiceField(
        choices=[("ingest", "Ingest: send traces, logs and outcomes"), ("read", "Read: runs, usage and the audit log")],
        widget=forms.CheckboxSelectMultiple,
        help_text="Give only what the program needs.",
    )
    role = forms.ChoiceField(
        choices=[(role.value, f"{role.label}: {ROLE_SENTENCES[role]}") for role in Role][:3], widget=forms.RadioSelect
    )
    accept = forms.BooleanField(
        label="Pseudonymise users", help_text="Ids of end users are replaced by a keyed hash.", required=False
    )


def styleguide(request: HttpRequest) -> HttpResponse:
    """All components, with ordinary, empty, long and failing content."""
    if not settings.DEBUG:
        raise NotFound("There is no such page.")
    request.staff = staff_access(cast(User, request.user))  # type: ignore[attr-defined]
    if "messages" in request.GET:
        messages.success(request, "The key was revoked.")
        messages.info(request, "Export runs; you may leave this page.")
        messages.warning(request, "Two of three mails went out.")
        messages.error(request, "Nothing was saved: the name is taken.")
    good = SampleForm(initial={"name": "billing worker", "scopes": ["ingest"], "role": "admin", "expires": "90"})
    bad = SampleForm({"name": "", "note": "x" * 20}, auto_id="bad_%s")
    bad.is_valid()
    bad.add_error(None, "The name and the scopes together are taken.")
    context = {
        "statuses": [*marks.STATUS, "brand_new_state"],
        "severities": list(marks.SEVERITY),
        "incident_states": list(marks.INCIDENT),
        "tiers": list(marks.TIER),
        "kinds": list(marks.KIND),
        "answers": list(marks.ANSWER),
        "reviews": list(marks.REVIEW),
        "grades": list(marks.ENFORCEMENT),
        "switch_states": list(marks.SWITCH),
        "budget_states": list(marks.BUDGET),
        "drift_states": list(marks.DRIFT),
        "spend_states": list(marks.SPEND),
        "erasure_states": list(marks.ERASURE),
        "confirmation_states": list(marks.CONFIRMATION),
        "matches": [True, False, None],
        "delivery_states": list(marks.DELIVERY),
        "entry_outcomes": list(marks.ENTRY),
        "seal_states": list(marks.SEAL),
        "export_states": list(marks.EXPORT),
        "stream_states": list(marks.STREAM),
        "effects": list(marks.EFFECT),
        "good": good,
        "bad": bad,
        "long": LONG,
        "amounts": AMOUNTS,
        "durations": DURATIONS,
        "moments": [clock.now() - timedelta(seconds=s) for s in (3, 42, 130, 5000, 90_000, 9_000_000, -320)],
        "numbers": [0, 980, 12_345, 4_560_000, 7_800_000_000, None],
        "difference": [
            SimpleNamespace(kind="same", text='  "effect": "charge",'),
            SimpleNamespace(kind="removed", text='  "tier": 3,'),
            SimpleNamespace(kind="added", text='  "tier": 2,'),
            SimpleNamespace(kind="gap", text="…"),
            SimpleNamespace(kind="added", text='  "phrase": "refund {amount_minor}"'),
        ],
        "content": {
            "customer": "[masked:email]",
            "order": "ord_8812",
            "amount": {"value": "48.10", "currency": "EUR"},
            "reason": "Arrived broken; phone [masked:phone]",
            "script": "<script>alert(1)</script>",
        },
        **_lists(),
    }
    return render(request, "styleguide/page.html", context)


def _lists() -> dict[str, Any]:
    return {
        "stats": [
            {"label": "Runs today", "value": "1,204", "note": "up 8 % on last Tuesday", "url": "#stats"},
            {"label": "Error rate", "value": mark_safe("2.4&nbsp;%"), "note": "limit is 2 %", "tone": "bad"},
            {
                "label": "Spent today",
                "value": money(41_820_000_000),
                "note": "75 % of the day's budget",
                "tone": "warn",
            },
            {"label": "p95 duration", "value": duration(8_400_000_000)},
            {"label": "Price unknown", "value": money(None), "note": "3 models"},
        ],
        "facts": [
            ("Agent", "refund-desk"),
            ("Version", "2026-05-11.3"),
            ("Started", ago(clock.now() - timedelta(minutes=2))),
            ("Cost", money(1_230_000)),
            ("End user", None),
            ("Session", LONG),
        ],
        "tabs": [
            {"label": "Timeline", "url": "#tabs", "is_current": True},
            {"label": "Content", "url": "#tabs", "count": 12},
            {"label": "Decisions", "url": "#tabs", "count": 0},
            {"label": "Raw", "url": "#tabs"},
        ],
        "chips": [
            {"label": "status", "value": "error", "remove_url": "?"},
            {"label": "agent", "value": LONG, "remove_url": "?"},
        ],
        "status_options": [("running", "Running"), ("ok", "OK"), ("error", "Error")],
        "columns": [
            {"label": "Run", "kind": "wide"},
            {"label": "Status"},
            {"label": "Started", "sort_url": "?", "sorted": "descending"},
            {"label": "Took", "kind": "num", "sort_url": "?"},
            {"label": "Tokens", "kind": "num"},
            {"label": "Cost", "kind": "num"},
            {"label": "Id"},
        ],
        "rows": _rows(),
        "ticks": ["0 ms", "1.1 s", "2.1 s", "3.2 s", "4.3 s"],
        "spans": _spans(),
        "figure": {
            "data": [
                {
                    "type": "bar",
                    "name": name,
                    "x": [f"2026-05-{day:02d}" for day in range(1, 15)],
                    "y": [(day * 7 + shift) % 13 + 2 for day in range(14)],
                }
                for name, shift in (("refund-desk", 0), ("billing-bot", 5))
            ],
            "layout": {"barmode": "stack", "yaxis": {"tickprefix": "$"}},
        },
    }


def _rows() -> list[dict[str, Any]]:
    names = [
        "refund-desk asked to refund 48.10 EUR to ord_8812",
        "billing-bot answered “where is my invoice?”",
        LONG,
        "night-report",
        "no name",
    ]
    states = ["running", "error", "ok", "waiting", "unset"]
    return [
        {
            "name": name,
            "agent": "refund-desk" if i % 2 == 0 else "billing-bot",
            "status": states[i],
            "at": clock.now() - timedelta(minutes=2 + 37 * i * i),
            "duration_ns": None if i == 0 else 1_234_000_000 * (i * i * 9 + 1),
            "tokens": 1204 * (i**5 + 1),
            "cost": None if i == 3 else NANO // 813 * (i**4 + 1),
            "id": uuid.UUID(int=0x3F2A91C4_00000000_0000000000000000 + 977 * i + (i << 100)),
        }
        for i, name in enumerate(names)
    ]


def _spans() -> list[dict[str, Any]]:
    total = 4300
    raw = [
        ("refund-desk", "run", 0, 0, 4300, "ok", ""),
        ("plan", "reasoning", 1, 0, 310, "ok", ""),
        ("chat gpt-5-mini", "llm", 2, 12, 290, "ok", "1,204 in · 96 out"),
        ("find_order", "tool", 1, 320, 410, "ok", "ord_8812"),
        ("search policies", "retrieval", 1, 740, 180, "ok", "6 documents"),
        ("guard: tier 3", "guardrail", 1, 930, 4, "ok", "confirm"),
        ("refund_payment", "side_effect", 1, 940, 2100, "error", "card processor said 502"),
        ("POST /refunds", "other", 2, 950, 2080, "error", ""),
        (LONG, "tool", 3, 960, 2000, "ok", "with a long detail that has to be cut somewhere"),
        ("chat gpt-5-mini", "llm", 1, 3060, 1240, "running", "2,310 in"),
    ]
    depths = [depth for _, _, depth, *_ in raw] + [0]
    return [
        {
            "id": f"{i:04x}", "url": f"#span-{i:04x}", "name": name, "kind": kind, "depth": depth, "detail": detail, "status": status,
            "left": percent_of(start, total), "width": percent_of(length, total), "duration_ns": length * 1_000_000,
            "has_children": depths[i + 1] > depth, "is_current": i == 3,
        }
        for i, (name, kind, depth, start, length, status, detail) in enumerate(raw)
    ]  # fmt: skip
