"""Looks at days, weeks, months and quarters: frozen, opened one by one, and only then signed."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client

from agentops.budgets.models import ProductFinding
from agentops.catalog import queries as catalog
from agentops.catalog import services as catalogued
from agentops.catalog.models import ToolVersion
from agentops.catalog.types import Review
from agentops.common import clock
from agentops.common.errors import InvalidInput
from agentops.common.ids import new_id
from agentops.common.scope import tenant_scope
from audit.models import Entry
from evals.models import DriftFinding, ReviewItem
from incidents import queries, services
from incidents.cadence_item import ItemKind
from incidents.models import ActionItem, Alert, CadenceItem, CadenceReview, Incident
from incidents.policies import cadences as policy
from incidents.types import Cadence
from tenants import services as tenants
from tenants.house import HOUSE_ID, house_scope
from tenants.roles import StaffRole
from tests.evals.telling import fact
from tests.runtime.guarded import MANIFEST, Caller, apply
from tests.world import OPERATOR, PASSWORD, Person, World

Clients = Callable[..., Client]
DAY = timedelta(days=1)


def test_what_is_due_is_the_last_period_that_is_over() -> None:
    due = {cadence: policy.period_due(cadence, date(2026, 11, 26)) for cadence in Cadence}
    assert due == {
        Cadence.DAILY: (date(2026, 11, 25), date(2026, 11, 25)),
        Cadence.WEEKLY: (date(2026, 11, 16), date(2026, 11, 22)),
        Cadence.MONTHLY: (date(2026, 10, 1), date(2026, 10, 31)),
        Cadence.QUARTERLY: (date(2026, 7, 1), date(2026, 9, 30)),
    }
    assert policy.period_due(Cadence.QUARTERLY, date(2026, 1, 1)) == (date(2025, 10, 1), date(2025, 12, 31))
    assert policy.period_due(Cadence.MONTHLY, date(2024, 3, 31)) == (date(2024, 2, 1), date(2024, 2, 29))
    assert policy.period_due(Cadence.WEEKLY, date(2026, 1, 4)) == (date(2025, 12, 22), date(2025, 12, 28))
    for cadence in Cadence:  # every day is in one period, and periods touch
        day = date(2023, 12, 1)
        for _ in range(500):
            first, last = policy.period_containing(cadence, day)
            assert first <= day <= last
            assert policy.period_containing(cadence, last + DAY)[0] == last + DAY
            day += DAY
    assert policy.words(Cadence.QUARTERLY, date(2026, 10, 1)) == "Q4 2026"


def review_item(organisation: Any, at: Any, *, reason: str = "aborted", pattern: str = "desk: aborted step_limit", tools: tuple[str, ...] = ()) -> uuid.UUID:  # fmt: skip
    run = new_id()
    if tools:
        fact(organisation, run, agent="desk", tools=list(tools))
    with tenant_scope(organisation.id):
        made = ReviewItem.objects.create(
            tenant_id=organisation.id,
            run_id=run,
            agent="desk",
            reasons=[reason],
            detail="x",
            pattern=pattern,
            found_at=at,
        )
    return made.id


def test_a_day_is_frozen_opened_and_signed(world: World, client_for: Clients) -> None:
    client, yesterday = client_for(world.sam), clock.now() - DAY
    for tools in (("search", "refund"), ("refund", "search"), ("mail",)):
        review_item(world.acme, yesterday, tools=tools)
    review_item(world.globex, yesterday, tools=("search", "refund"))
    drawn = review_item(world.globex, yesterday, reason="random", pattern="desk: random")
    review_item(world.acme, yesterday - 2 * DAY)  # of another day
    ProductFinding.objects.create(
        kind="minute_spike", detail="41 times the hour before", found_at=yesterday, last_seen_at=yesterday
    )
    assert client.post("/staff/cadences/yearly/reviews/").status_code == 404
    opened = client.post("/staff/cadences/daily/reviews/")
    assert opened.status_code == 302
    url = opened["Location"]
    review_item(world.acme, yesterday, pattern="desk: aborted cycle")  # too late: the list is frozen
    assert client.post("/staff/cadences/daily/reviews/")["Location"] == url
    with house_scope():
        items = list(CadenceItem.objects.order_by("position"))
        assert CadenceReview.objects.get().opened_by == world.sam.email
    assert [item.kind for item in items] == ["aborted", "aborted", "sampled", "cost_spike"]
    assert items[0].label == "desk with refund, search: aborted step_limit, 3 runs" and items[0].about_tenant is None
    assert items[2].url == f"/staff/t/globex/quality/queue/{drawn}/"
    assert "41 times the hour before" in client.get(url).content.decode()
    # Not before each was followed; what a browser loads ahead does not count.
    ahead = client.get(f"/staff/cadences/items/{items[0].id}/", headers={"sec-purpose": "prefetch"})
    assert ahead.status_code == 503
    for item in items[:3]:
        followed = client.get(f"/staff/cadences/items/{item.id}/")
        assert (followed.status_code, followed["Location"]) == (302, item.url)
    refused = client.post(f"{url}signature/", {"notes": "all <b>quiet</b>"})
    assert refused.status_code == 409 and "1 item was not opened yet" in refused.content.decode()
    assert "all &lt;b&gt;quiet" in refused.content.decode()
    client.get(f"/staff/cadences/items/{items[3].id}/")
    with house_scope():
        first = CadenceItem.objects.get(id=items[0].id).opened_at
    client.get(f"/staff/cadences/items/{items[0].id}/")  # who was first stays
    assert client.post(f"{url}signature/", {"notes": "x" * 10_001}).status_code == 409
    for _ in range(2):
        assert client.post(f"{url}signature/", {"notes": "all <b>quiet</b>"}).status_code == 302
    with house_scope():
        signed = CadenceReview.objects.get()
        assert (signed.signed_by, signed.notes) == (world.sam.email, "all <b>quiet</b>")
        assert CadenceItem.objects.get(id=items[0].id).opened_at == first
        found = Entry.objects.filter(tenant_id=HOUSE_ID, action__startswith="cadence.").order_by("id")
        assert list(found.values_list("action", flat=True)) == ["cadence.opened", "cadence.signed"]
        assert Cadence.DAILY not in {period.cadence for period in queries.cadences.overdue(at=clock.now())}
    assert "missed" not in client.get("/staff/cadences/").content.decode()
    with house_scope() as tenant:
        services.open_review(
            tenant=tenant,
            cadence=Cadence.DAILY,
            first=yesterday.date() - 2 * DAY,
            items=[],
            by=OPERATOR,
            at=clock.now(),
        )
        with pytest.raises(InvalidInput):  # what is not over yet
            services.open_review(
                tenant=tenant, cadence=Cadence.WEEKLY, first=policy.period_containing(Cadence.WEEKLY, clock.now().date())[0],
                items=[], by=OPERATOR, at=clock.now(),
            )  # fmt: skip
    assert client.get("/staff/cadences/").content.decode().count("missed") == 1

    # The same items by what they have in common, whenever somebody asks.
    shown = client.get("/staff/review/patterns/?days=7").content.decode()
    assert "aborted step_limit" in shown and "refund, search" in shown and "2 organisations" in shown
    assert "random" not in client.get("/staff/review/patterns/", headers={"hx-request": "true"}).content.decode()
    assert "No pattern" in client.get("/staff/review/patterns/?reason=check&days=x").content.decode()


def test_a_quarter_decides_about_every_tool_where_it_belongs(world: World, client_for: Clients) -> None:
    apply(world.acme, MANIFEST)
    Caller(world.acme).run().look_up()
    reviewer = Person(
        tenants.create_staff(
            email="rita@agentops.example",
            roles=[StaffRole.TOOL_REVIEWER],
            password=PASSWORD,
            by=OPERATOR,
            at=clock.now(),
        )
    )
    sam, rita = client_for(world.sam), client_for(reviewer)
    assert rita.post("/staff/cadences/quarterly/reviews/").status_code == 403
    url = sam.post("/staff/cadences/quarterly/reviews/")["Location"]
    with house_scope():
        items = list(CadenceItem.objects.order_by("position"))
    kinds = {item.kind for item in items}
    assert {ItemKind.OPERATIONS, ItemKind.CAPACITY, ItemKind.TOOL, ItemKind.RESTORE} <= kinds
    tools = [item for item in items if item.kind == ItemKind.TOOL]
    assert len(tools) == len(MANIFEST["tools"]) and tools[-1].label.endswith("look_up_order 1, tier 1, in use")
    assert all("not used since it was defined on" in item.label for item in tools[:-1])
    for item in items:
        assert sam.get(f"/staff/cadences/items/{item.id}/").status_code == 302
        assert sam.get(item.url).status_code == 200, item.url
    refused = sam.post(f"{url}signature/").content.decode()
    assert "not decided" in refused
    first, place = tools[0], f"/staff/cadences/items/{tools[0].id}/decision/"
    assert sam.post(place, {"decision": "revoke", "note": "unused"}).status_code == 403
    assert rita.post(place, {"decision": "perhaps", "note": "unused"}).status_code == 400
    assert rita.post(place, {"decision": "revoke", "note": " "}).status_code == 400
    assert (
        rita.post(f"/staff/cadences/items/{items[0].id}/decision/", {"decision": "keep", "note": "x"}).status_code
        == 404
    )
    # Broken off between the organisation and the house: the same again completes it.
    with tenant_scope(world.acme.id):
        catalogued.review_tool_version(
            tenant=world.acme.id, tool_version=uuid.UUID(first.subject), verdict=Review.REJECTED, reason="unused",
            by=OPERATOR, at=clock.now(),
        )  # fmt: skip
    assert rita.post(place, {"decision": "revoke", "note": "unused"}).status_code == 302
    for item in tools[1:]:
        answer = rita.post(f"/staff/cadences/items/{item.id}/decision/", {"decision": "keep", "note": "needed"})
        assert answer.status_code == 302
    with tenant_scope(world.acme.id):
        left = catalog.tool_versions(tenant=world.acme.id, review=Review.APPROVED)
    assert len(left) == len(tools) - 1 and {one.review_reason for one in _rows(world)} == {"unused", "needed"}
    by_staff = [one.action for one in world.acme.entries() if one.actor_type == "staff"]
    assert by_staff.count("tool_version.reviewed") == len(tools) - 1
    assert sam.post(f"{url}signature/").status_code == 302
    assert rita.post(place, {"decision": "keep", "note": "after all"}).status_code == 409


def _rows(world: World) -> list[Any]:
    with tenant_scope(world.acme.id):
        return list(ToolVersion.objects.filter(tenant_id=world.acme.id))


def test_a_week_and_a_month_list_what_they_promise(world: World, client_for: Clients) -> None:
    at, client = clock.now(), client_for(world.sam)
    first, _ = policy.moments(*policy.period_due(Cadence.MONTHLY, at.date()))
    with house_scope() as tenant:
        for number, verdict in enumerate(("actionable", "noise", "")):
            Alert.objects.create(
                tenant_id=tenant, fingerprint=str(number), alert_class="drift", scope_type="product", severity=3, summary="x",
                first_seen_at=first, opened_at=first, last_seen_at=first, verdict=verdict,
                verdict_at=first if verdict else None, verdict_by="x" if verdict else "",
            )  # fmt: skip
        incident = Incident.objects.create(
            tenant_id=tenant,
            year=2026,
            number=3,
            title="Drill",
            severity=1,
            declared_at=first,
            declared_by="x",
            is_drill=True,
        )
        ActionItem.objects.create(
            tenant_id=tenant, incident=incident, title="Cap the steps", kind="prevent", owner=world.sam.user,
            due_on=at.date() - DAY, made_at=first, made_by="x",
        )  # fmt: skip
    with tenant_scope(world.acme.id):
        DriftFinding.objects.create(
            tenant_id=world.acme.id, kind="shift", fingerprint="x", agent="desk", dimension="all", metric="score",
            sentence="It fell.", before={}, after={}, effect=-0.5, found_at=first, last_seen_at=first,
        )  # fmt: skip
    for cadence, wanted in (
        ("weekly", {"judge_trend": "No agent", "action": f"Cap the steps: due {at.date() - DAY}, Sam Ito (INC-2026-0003)"}),
        ("monthly", {"drift": "Acme: desk: It fell.", "precision": "Drift: 50% actionable, of 3 alerts 1 without a verdict", "drill": "Drilled with INC-2026-0003", "test_page": "No test page"}),
    ):  # fmt: skip
        shown = client.get(client.post(f"/staff/cadences/{cadence}/reviews/")["Location"])
        with house_scope():
            labels = dict(CadenceItem.objects.filter(review__cadence=cadence).values_list("kind", "label"))
            urls = list(CadenceItem.objects.filter(review__cadence=cadence).values_list("url", flat=True))
        assert shown.status_code == 200 and all(urls)
        assert {kind: labels[kind].startswith(text) for kind, text in wanted.items()} == dict.fromkeys(wanted, True), (
            labels
        )
