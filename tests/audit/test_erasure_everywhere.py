"""A person is erased from all of the product: what they were called and what they said is looked for in every column."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections
from django.test import Client

from agentops.budgets import services as budgets
from agentops.budgets.types import Action, BudgetTerms, Period, Scope
from agentops.catalog import services as catalog
from agentops.common import clock
from agentops.common.ids import new_id
from agentops.common.scope import tenant_scope
from agentops.outbox import services as outbox
from audit import queries, services
from audit.services import erasing, forgetting
from audit.types import Actor, ErasureState
from incidents.models import Incident, LegalHold, Postmortem, TimelineEntry, Why
from incidents.services import timeline
from incidents.types import TimelineKind
from tenants.house import house_scope
from tests.audit.logs import Log
from tests.confirmations.deciding import LETTER
from tests.evals import rowsof
from tests.evals.telling import Machine
from tests.incidents.cases import incident
from tests.ingest.wire import Sender, new_trace, span, traces
from tests.runtime.guarded import Caller, Run, apply, manifest
from tests.world import OPERATOR, Organisation, World

Clients = Callable[..., Client]
MARA, WORD = "Mara@customer.example", "quokkasecret"
ADA = Actor(type="user", id="user:901", label="ada@acme.example")
BEN = Actor(type="user", id="user:902", label="ben@acme.example")


def found(organisation: Organisation, *words: str) -> set[str]:
    """Table.column wherever one of the words stands: every column that can hold a text, of every table with a tenant."""
    hits = set()
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "SELECT c.table_name, c.column_name, c.data_type FROM information_schema.columns c JOIN pg_class p "
            "ON p.relname = c.table_name AND p.relkind IN ('r', 'p') AND NOT p.relispartition "
            "WHERE c.table_schema = 'public' AND EXISTS (SELECT 1 FROM information_schema.columns o "
            "WHERE o.table_schema = 'public' AND o.table_name = c.table_name AND o.column_name = 'tenant_id') "
            "AND c.data_type IN ('text', 'character varying', 'json', 'jsonb', 'bytea', 'ARRAY')"
        )
        for table, column, kind in cursor.fetchall():
            value = f"encode({column}, 'escape')" if kind == "bytea" else f'"{column}"::text'
            value = value.replace(f"encode({column}", f'encode("{column}"')
            for word in words:
                cursor.execute(
                    f"SELECT 1 FROM {table} WHERE tenant_id = %s AND strpos(lower({value}), %s) > 0 LIMIT 1",
                    [organisation.id, word.lower()],
                )
                if cursor.fetchone():
                    hits.add(f"{table}.{column}")
    return hits


def ledger_is_equal() -> bool:
    out = io.StringIO()
    try:
        call_command("ledger", "check", "--json", stdout=out)
    except SystemExit:
        return False
    return bool(json.loads(out.getvalue().splitlines()[-1])["equal"])


def spend(organisation: Organisation) -> dict[str, Any]:
    """What each user spent, as the ledger and the hours say; that counters agree says `ledger check`."""
    with connections["owner"].cursor() as cursor:
        told = {}
        for table, user, amount in (
            ("budgets_ledgerentry", "user_id", "amount_nano_usd"),
            ("budgets_usagehour", "user_id", "amount_nano_usd"),
        ):
            cursor.execute(
                f"SELECT {user}, sum({amount}) FROM {table} WHERE tenant_id = %s GROUP BY 1 ORDER BY 2, 1",
                [organisation.id],
            )
            told[table] = dict(cursor.fetchall())
    return told


def lived(organisation: Organisation) -> tuple[Run, uuid.UUID, uuid.UUID]:
    """A person in every public way: a guarded run that waits for people, a traced run, and one that is to be held."""
    tenant, machine, caller = organisation.id, Machine(organisation), Caller(organisation)
    made = manifest(name="bank-desk")
    made["tools"] = [LETTER]
    apply(organisation, made)
    with tenant_scope(tenant):
        for scope_id in (MARA, ""):
            terms = BudgetTerms(
                scope=Scope.USER, scope_id=scope_id, period=Period.DAY, limit_nano_usd=10**12, ceiling_nano_usd=10**12,
                thresholds=(80,), action=Action.THROTTLE,
            )  # fmt: skip
            budgets.set_budget(tenant=tenant, terms=terms, by=OPERATOR, at=clock.now())
        catalog.set_contacts(
            tenant=tenant, name="known", user=MARA, contacts=[f"{WORD}@x.example"], by=OPERATOR, at=clock.now()
        )
        catalog.set_contacts(tenant=tenant, name="all", contacts=[MARA, "b@x.example"], by=OPERATOR, at=clock.now())
        for to, about in (
            (MARA, f"{MARA} said {WORD}"),
            ("desk@x.example", f"{MARA} asks"),
            ("shop@x.example", f"x{MARA}s"),
        ):
            outbox.send(
                tenant=tenant, channel="mail", destination=to, template="confirmations/mail/asked.txt",
                context={"about": about}, dedup_key=f"note:{to}",
            )  # fmt: skip
    # A model's call that the guard admits, and a letter that waits for people.
    run = caller.run(agent="bank-desk", user=MARA, session=f"chat-{WORD}")
    call = run.model_call()
    run.settle(call["call_id"], input_tokens=1_000, output_tokens=100)
    asked = run.tool_call("send_letter", {"to": MARA, "text": WORD}, reason=f"{MARA} wants {WORD}")
    assert asked["decision"] == "confirm", asked
    traced, held = new_id(), new_id()
    for each in (traced, held):
        machine.spans(
            each, {"tool": "mail", "arguments": {"to": MARA, "text": WORD}, "result": {WORD: [WORD]}, "status": "ok"},
            user_id=MARA, session_id=f"s-{WORD}", input=f"I am {MARA}: {WORD}", output=WORD,
        )  # fmt: skip
    machine.spans(new_id(), user_id="u-2", input=f"write to {MARA}", output="sent, said u-2")
    machine.feedback(traced, "down", comment=WORD, user=MARA)
    machine.outcome(traced, "order.returned", value=WORD, idempotency_key=f"o-{MARA}", success=False)
    otlp = Sender(organisation.keys["ingest"])
    otlp.otlp(
        traces(span("chat", trace_id=new_trace(), attributes={"user.id": MARA, "gen_ai.prompt": WORD, "note": WORD}))
    )
    rowsof.facts(organisation)
    return run, traced, held


def handles(world: World, organisation: Organisation, is_held: bool) -> uuid.UUID:
    """An incident of ours about an organisation, in which people wrote of the person."""
    at = clock.now()
    made = incident(world, tenants=[organisation.id], title=f"{MARA} asked for {WORD}")
    with house_scope() as house:
        timeline.note(
            tenant=house, incident_id=made.id, kind=TimelineKind.NOTE, text=f"called {MARA}", by=OPERATOR, at=at
        )
        written = Postmortem.objects.create(tenant_id=house, incident=made, summary=f"{MARA} was hit", begun_at=at)
        Why.objects.create(tenant_id=house, postmortem=written, number=1, question=f"Why was {MARA} hit?")
        if is_held:
            LegalHold.objects.create(tenant_id=house, incident=made, held_at=at, held_by="sam", reason="evidence")
    return made.id


def ours(incident_id: uuid.UUID) -> set[str]:
    """Where the person stands in what was written in an incident."""
    with house_scope():
        texts = {
            "incident": list(Incident.objects.filter(id=incident_id).values_list("title", flat=True)),
            "timelineentry": list(TimelineEntry.objects.filter(incident_id=incident_id).values_list("text", flat=True)),
            "postmortem": list(Postmortem.objects.filter(incident_id=incident_id).values_list("summary", flat=True)),
            "why": list(Why.objects.filter(postmortem__incident_id=incident_id).values_list("question", flat=True)),
        }
    return {name for name, found in texts.items() if MARA.lower() in "".join(found).lower()}


def ask(organisation: Organisation) -> uuid.UUID:
    with tenant_scope(organisation.id):
        made = services.ask_erasure(
            tenant=organisation.id, person=MARA.lower(), legal_basis="GDPR art. 17", by=ADA, at=clock.now()
        )
        services.approve_erasure(tenant=organisation.id, erasure=made.id, by=BEN, at=clock.now())
    return uuid.UUID(str(made.id))


def test_nothing_of_a_person_is_left_but_what_is_held_and_another_organisation_keeps_all(
    world: World, client_for: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme, globex = world.acme, world.globex
    run, traced, held = lived(acme)
    theirs, _, _ = lived(globex)
    with tenant_scope(acme.id):
        services.set_hold(tenant=acme.id, run=held, reason="case 7", by=ADA, at=clock.now())
    theirs.finish("ok")
    assert ledger_is_equal()
    before, others = spend(acme), found(globex, MARA, WORD)
    assert len(others) > 25, others
    with connections["owner"].cursor() as cursor:
        cursor.execute("UPDATE outbox_message SET state = 'sent', sent_at = now() WHERE destination = 'shop@x.example'")
    erasure, log = ask(acme), Log(acme)
    handled, under_hold, elsewhere = (
        handles(world, *about) for about in ((acme, False), (acme, True), (globex, False))
    )

    # It waits for what the person has going on, and says so.
    assert not services.erase(tenant=acme.id, erasure=erasure, at=clock.now())
    with tenant_scope(acme.id):
        assert "still" in queries.erasure(tenant=acme.id, erasure=erasure).why_not
    run.finish("ok")

    # A slice at a time; what comes in meanwhile; one that breaks half way; who goes on begins where the last commit was.
    client = client_for(world.ben, fresh=True)
    for _ in range(10):
        assert not services.erase(tenant=acme.id, erasure=erasure, at=clock.now(), until=0)
    assert "10 of " in page(client, acme, erasure)
    late = new_id()
    Machine(acme).spans(late, user_id=MARA, input=f"late {WORD}", output=WORD)
    with monkeypatch.context() as patch:
        patch.setattr(forgetting, "_NOTE", "SELECT 1/0, %s, %s, %s, %s")
        with pytest.raises(Exception, match="division"):
            services.erase(tenant=acme.id, erasure=erasure, at=clock.now())
    with tenant_scope(acme.id):
        assert queries.erasure(tenant=acme.id, erasure=erasure).progress["step"] == 10
    finish = erasing._finish
    came = new_id()

    def comes_before_the_end(*args: Any) -> bool:
        Machine(acme).spans(came, user_id=MARA, input=WORD, output=WORD)
        return finish(*args)

    with monkeypatch.context() as patch:
        patch.setattr(erasing, "_finish", comes_before_the_end)
        assert services.erase(tenant=acme.id, erasure=erasure, at=clock.now())

    # What is left is what is held, and nothing of the other organisation went.
    left = {(table, value) for table in HELD for value in rows_of(acme, table, MARA, WORD)}
    assert left and all(held.hex in value.replace("-", "") for _, value in left), left
    there = found(acme, MARA, WORD)
    assert {each.partition(".")[0] for each in there} <= {*HELD, "outbox_message"}, there
    (of_another,) = rows_of(acme, "outbox_message", MARA, WORD)
    assert f"x{MARA}s" in of_another, "as a part of another word it is nobody's name"
    assert found(globex, MARA, WORD) == others
    # Our own organisation's rows about this one: struck, but where an incident's hold keeps them.
    assert ours(handled) == set()
    assert ours(under_hold) == ours(elsewhere) == {"incident", "timelineentry", "postmortem", "why"}
    after = spend(acme)
    for table, sums in before.items():
        pseudonym = next(name for name in after[table] if name.startswith("erased-"))
        assert after[table].get(MARA, 0) == 0 and after[table][pseudonym] >= sums[MARA] > 0
        assert after[table].keys() - {pseudonym} == sums.keys() - {MARA}
    assert ledger_is_equal()
    assert "It is done" in page(client, acme, erasure)

    log.seal()
    with tenant_scope(acme.id):
        told = queries.certificate(tenant=acme.id, erasure=erasure)
        assert told.erasure.state == ErasureState.DONE and told.erasure.person == ""
    said = told.as_json()
    assert said["rows"] > 20 and any(str(held) in each for each in said["kept"]) and said["proof"], said
    assert MARA.lower() not in json.dumps(said).lower() and WORD not in json.dumps(said)
    assert str(held) in client.get(acme.url(f"audit/erasures/{erasure}/certificate/")).content.decode()
    call_command("audit", "check", acme.slug)

    # What was sent before and is sent again finds its place taken, and brings nothing back.
    Machine(acme).spans(traced, user_id="u-9", input="other", output="other")
    assert WORD not in "".join(rows_of(acme, "traces_run", traced.hex))


HELD = (
    "audit_entry",
    "traces_run",
    "traces_span",
    "traces_runfacet",
    "evals_runfact",
    "evals_signal",
    "evals_feedback",
    "evals_outcome",
    "evals_reviewitem",
)


def rows_of(organisation: Organisation, table: str, *words: str) -> list[str]:
    """Rows of a table in which one of the words stands, as text."""
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            f"SELECT t::text FROM {table} t WHERE tenant_id = %s AND lower(t::text) ~ %s",
            [organisation.id, "|".join(words).lower()],
        )
        return [row for (row,) in cursor.fetchall()]


def page(client: Client, organisation: Organisation, erasure: uuid.UUID) -> str:
    return str(client.get(organisation.url(f"audit/erasures/{erasure}/")).content.decode())
