from __future__ import annotations
import os, time, json
from typing import Any
import pytest
from datetime import timedelta
from playwright.sync_api import Page
from agentops.catalog import queries as catalog
from agentops.common import clock
from agentops.common.scope import tenant_scope
from agentops.confirmations import services, queries
from tenants import machines
from tests.confirmations.deciding import *
from tests.confirmations import deciding
from tests.journeys.test_runs import sign_in
from tests.runtime.guarded import shift
from tests.world import World
pytestmark = pytest.mark.journey
OUT = "/tmp/shots-pages"; os.makedirs(OUT, exist_ok=True)
ONLY = os.environ.get("SHOTS", "")

def shots(page, name, url=None, full=True, variants=("light-desk","dark-desk","light-phone","dark-phone")):
    if ONLY and ONLY not in name: return
    for v in variants:
        scheme, size = v.split("-")
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": 1440, "height": 900} if size == "desk" else {"width": 390, "height": 844})
        if url: page.goto(url)
        page.wait_for_timeout(150)
        page.screenshot(path=f"{OUT}/{name}-{v}.png", full_page=full)

def person(world, p):
    with tenant_scope(world.acme.id):
        return queries.person_of(tenant=world.acme.id, user=p.user)

def decide(world, asked, p, what="approve", **kw):
    from agentops.confirmations.types import Proofs
    who = person(world, p); now = clock.now()
    with tenant_scope(world.acme.id):
        d = queries.detail(tenant=world.acme.id, confirmation=asked.id)
        v = queries.view_of(d)
        if what == "approve":
            code = ""
            if d.tier == 4:
                services.send_code(tenant=world.acme.id, confirmation=asked.id, to=who, at=now)
                from agentops.outbox.models import Message
                code = Message.objects.filter(destination=p.email, context__has_key="code").order_by("-created_at")[0].context["code"]
            services.approve(tenant=world.acme.id, confirmation=asked.id, by=who, proofs=Proofs(reauthenticated_at=now, used_mfa_at=now, session="x"), action_digest=d.action_digest, view_digest=v.digest, phrase=v.phrase, code=code, at=now)
        elif what == "refuse":
            services.refuse(tenant=world.acme.id, confirmation=asked.id, by=who, action_digest=d.action_digest, view_digest=v.digest, reason=kw.get("reason",""), at=now)
        else:
            services.cancel(tenant=world.acme.id, confirmation=asked.id, by=who, reason=kw.get("reason",""), at=now)

def test_shots(world: World, live_portal: Any, page: Page) -> None:
    machines.forget_cached_keys(); catalog.forget()
    bank = Bank(world)
    runs = [bank.run(agent="bank-desk", user=MIA) for _ in range(4)]
    one = bank.asked; count = iter(range(1000))
    def asked(tool, **kw):
        if "run" not in kw: kw["run"] = runs[next(count) % 4]
        return one(tool, **kw)
    bank.asked = asked
    has_authenticator(world.pete, world.ada)
    errors=[]
    page.on("console", lambda m: errors.append(m.text) if m.type in ("error","warning") else None)
    says = "The customer asked me to pay the bakery's invoice 88 of 1,250.00 EUR today. The IBAN is the one they used last month."
    t2 = bank.asked("send_letter", says="She asked where her card is.")
    t3 = bank.asked("transfer", says=says)
    odd = bank.asked("transfer", iban="DE89 3704\u200b 0044 0532", name="P\u0430ypal Europe\u202e moc.live", note="Invoice 88" + " "*50 + "and 5 more")
    t4 = bank.asked("raise_limit")
    long = bank.asked("transfer", note="Line of a long note.\n" * 30, **{f"line_{i:03}": f"A-{i:05}" for i in range(300)})
    diff = bank.asked("raise_limit", account="acc_9")
    from django.db import connections
    with connections["owner"].cursor() as cursor:
        cursor.execute("UPDATE confirmations_confirmation SET current = %s WHERE id = %s", [json.dumps({"account": "acc_9", "daily_minor": 500000, "currency": "EUR", "holder": {"name": "Mia Stern", "since": "2019-04-01"}}), diff.id])
    half = bank.asked("raise_limit", account="acc_1"); decide(world, half, world.pete)
    cool = bank.asked("raise_limit", account="acc_2"); decide(world, cool, world.pete); decide(world, cool, world.ada)
    refused = bank.asked("transfer", note="r1"); decide(world, refused, world.uma, "refuse", reason="I never asked for this. The bakery is paid already.")
    cancelled = bank.asked("send_letter", text="c"); decide(world, cancelled, world.uma, "cancel")
    approved = bank.asked("transfer", note="a1"); decide(world, approved, world.uma)
    done = bank.asked("transfer", note="d1"); decide(world, done, world.uma); done.run_it()
    failed = bank.asked("transfer", note="f1"); decide(world, failed, world.uma); failed.run_it("error")
    unknown = bank.asked("transfer", note="u1"); decide(world, unknown, world.uma); unknown.run_it("unknown")
    expired = bank.asked("send_letter", text="e")
    shift(world.acme, "confirmations_confirmation", "expires_at", timedelta(hours=-2), f"id = '{expired.id}'")
    lapsed = one("send_letter", text="l"); lapsed.run.finish("ok")
    sign_in(page, world.uma)
    shots(page, "inbox", "/t/acme/inbox/")
    shots(page, "t2", t2.url()); shots(page, "t3", t3.url()); shots(page, "odd", odd.url()); shots(page, "long", long.url(), variants=("light-desk","light-phone"))
    for n, a in dict(refused=refused, cancelled=cancelled, approved=approved, done=done, failed=failed, unknown=unknown, expired=expired, lapsed=lapsed).items():
        shots(page, f"end-{n}", a.url())
    shots(page, "refuse", t3.url("refusal/")); shots(page, "edit", t3.url("edit/"))
    for extra in os.environ.get("EXTRA", "").split():
        shots(page, "x-" + extra.strip("/").replace("/", "-"), "/t/acme/" + extra)
    page.context.clear_cookies(); sign_in(page, world.pete)
    shots(page, "pete-inbox", "/t/acme/inbox/")
    shots(page, "t4", t4.url()); shots(page, "t4diff", diff.url()); shots(page, "t4half-mine", half.url()); shots(page, "t4cool", cool.url())
    page.context.clear_cookies(); sign_in(page, world.audrey)
    shots(page, "audrey-t3", t3.url()); 
    shots(page, "history", "/t/acme/approvals/")
    shots(page, "receipt", done.url("receipt/"))
    print(errors)
