"""From what an agent did outside to who was hit, what people say of it, and how it is undone."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection

from agentops.common import clock
from agentops.common.errors import Conflict, DomainError, Forbidden, InvalidInput
from agentops.common.scope import staff_scope, tenant_scope
from incidents.models import BlastItem, BlastScan, Incident, Reversal, SideEffect
from incidents.queries import touched
from incidents.queries.blast import scans_due
from incidents.services import blast, reversals, scanning, undone
from incidents.types import BlastKind, BlastState, ReversalState, Reversibility
from tenants.house import HOUSE_ID, house_scope
from tests.evals.telling import Machine
from tests.incidents.cases import AGENT, TOOL, incident, refund_run
from tests.runtime.guarded import Caller, apply, manifest
from tests.world import World

Write = Callable[..., Any]


def written(write: Write, **said: Any) -> Any:
    with house_scope() as house:
        return write(tenant=house, at=clock.now(), **said)


def scanned(about: Incident) -> None:
    assert scanning.plan_first(about.id) and not scanning.plan_first(about.id)
    with house_scope():
        due = scans_due(tenant=HOUSE_ID)
    assert all(scanning.scan(scan_id) for scan_id in due)
    assert not any(scanning.scan(scan_id) for scan_id in due), "done is done"


def items(about: Incident) -> dict[tuple[str, str], BlastItem]:
    with house_scope():
        rows = BlastItem.objects.filter(tenant_id=HOUSE_ID, incident=about)
        return {(row.kind, row.identity): row for row in rows}


def recipe(organisation: Any) -> None:
    """A manifest whose refund can be taken back within an hour, by its recipe."""
    made = manifest()
    refund = next(tool for tool in made["tools"] if tool["name"] == TOOL)
    refund["reversible"] = {"how": "POST /refunds/{ref}/cancel", "within_seconds": 3600}
    apply(organisation, made)


def test_who_and_what_was_touched_is_found_once_and_argued_by_people(world: World) -> None:
    recipe(world.acme)
    own = refund_run(world.acme, "ord_1", "ord_2", user="mallory")
    alike = refund_run(world.acme, "ord_2", "ord_3", user="ann")
    refund_run(world.acme, "ord_8", version="2")  # another version
    refund_run(world.acme, "ord_9", at=clock.now() - timedelta(hours=3))  # before it began
    refund_run(world.globex, "ord_77")  # another organisation
    nested = uuid.uuid4()  # a tool span without a receipt, and the call it made outside below it
    at = clock.now() - timedelta(minutes=5)
    Machine(world.acme).spans(
        nested,
        {"tool": TOOL, "idempotency_key": "k-9"},
        {"kind": "side_effect", "name": "POST /mail", "parent_span_id": f"{0xB0:016x}", "external_system": "mail",
         "external_id": "m-1"},
        {"tool": "look_up_order"}, {"tool": "send_letter", "external_system": "post", "external_id": "l-1"},
        at=at, agent=AGENT, agent_version="1", user_id="bob",
    )  # fmt: skip
    guarded = Caller(world.acme).run()  # told the guard only: no span came
    call = guarded.look_up()
    guarded.result(call["call_id"], external_system="stripe", external_id="rf_guard")
    about = incident(world, runs=[{"tenant": str(world.acme.id), "run": own.hex}], tool="")
    scanned(about)
    found = items(about)
    effects = {key: (row.effects, row.is_lookalike) for key, row in found.items()}
    assert effects == {
        ("tenant", world.acme.id.hex): (7, False),
        ("system", "stripe"): (5, False),
        ("system", "mail"): (1, True),
        ("record", "stripe:rf_ord_1"): (1, False),
        ("record", "stripe:rf_ord_2"): (2, False),
        ("record", "stripe:rf_ord_3"): (1, True),
        ("record", "stripe:rf_guard"): (1, True),
        ("record", "mail:m-1"): (1, True),
        ("user", "mallory"): (2, False),
        ("user", "ann"): (2, True),
        ("user", "bob"): (2, True),
        ("system", "post"): (1, True),
        ("record", "post:l-1"): (1, True),
        ("user", guarded_user(guarded)): (1, True),
    }
    assert {row.state for row in found.values()} == {"suspected"} and found["user", "ann"].run_id == alike
    with house_scope():
        scan = BlastScan.objects.get(incident=about)
        assert (scan.runs, scan.side_effects, scan.is_cut, scan.error) == (3, 7, False, "")
        mail = SideEffect.objects.get(incident=about, system="mail")
        guard = SideEffect.objects.get(incident=about, ref="rf_guard")
    assert (mail.tool, mail.idempotency_key, mail.reversibility) == (TOOL, "k-9", "reversible")
    assert mail.deadline_at == mail.occurred_at + timedelta(hours=1) and mail.recipe == "POST /refunds/{ref}/cancel"
    assert guard.span_id == -guard.step < 0 and len(guard.request_digest) == 64
    assert world.acme.actions().count("blast.scanned") == 1 and "blast.scanned" not in world.globex.actions()

    # People argue: with a reason, in bulk, and a later look leaves what they said.
    chosen = [found["user", "ann"].id, found["record", "stripe:rf_ord_3"].id]
    argue: dict[str, Any] = {"incident_id": about.id, "by": world.sam.actor}
    with pytest.raises(InvalidInput):
        written(blast.argue, items=chosen, state=BlastState.CONFIRMED, reason=" \0", **argue)
    said = {"items": chosen, "state": BlastState.CONFIRMED, "reason": "Stripe shows it"}
    assert (written(blast.argue, **said, **argue), written(blast.argue, **said, **argue)) == (2, 0)
    added: dict[str, Any] = {
        "about": world.acme.id,
        "kind": BlastKind.USER,
        "identity": "carol",
        "reason": "She called",
    }
    assert written(blast.add_item, **added, **argue).state == "suspected"
    with pytest.raises(Conflict):
        written(blast.add_item, **added, **argue)
    refund_run(world.acme, "ord_3", "ord_4", user="ann")
    criteria = blast.Criteria(
        agent=AGENT, version="", tool="", since=clock.now() - timedelta(days=2), until=clock.now() + timedelta(hours=1)
    )
    again = written(
        blast.plan_scans, criteria=criteria, about=[world.acme.id, world.globex.id], incident_id=about.id,
        by=world.sam.actor,
    )  # fmt: skip
    assert len(again) == 2 and all(scanning.scan(scan.id) for scan in again)
    wider = items(about)
    assert wider["user", "ann"].state == "confirmed" and wider["user", "ann"].effects == 4
    assert ("record", "stripe:rf_ord_8") in wider and ("record", "stripe:rf_ord_9") in wider
    with staff_scope():
        one_tool = touched.find(
            touched.Marks(
                tenant=world.acme.id, agent=AGENT, version="1", tool=TOOL, since=criteria.since, until=criteria.until, own=[]
            )
        )  # fmt: skip
    assert {item.identity for item in one_tool.items if item.kind == BlastKind.SYSTEM} == {"stripe", "mail"}
    assert wider["tenant", world.globex.id.hex].is_lookalike
    assert [entry.action for entry in world.globex.entries()].count("blast.scanned") == 1
    with house_scope() as house, pytest.raises(InvalidInput):
        blast.plan_scans(
            tenant=house, incident_id=about.id, criteria=criteria, about=[], by=world.sam.actor, at=clock.now()
        )


def guarded_user(run: Any) -> str:
    with tenant_scope(run.caller.organisation.id), connection.cursor() as cursor:
        cursor.execute("SELECT user_id FROM runtime_guardedrun WHERE run_id = %s", [run.uuid])
        return str(cursor.fetchone()[0])


def test_a_look_that_finds_too_much_keeps_the_incidents_own_and_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(touched, "MOST_ITEMS", 2)
    monkeypatch.setattr(touched, "MOST_EFFECTS", 3)
    own = refund_run(world.acme, "ord_1", user="mallory")
    for number in range(4):
        refund_run(world.acme, f"ord_{number}0", user=f"u-{number}")
    about = incident(world, runs=[{"tenant": str(world.acme.id), "run": own.hex}])
    scanned(about)
    kept = items(about)
    assert ("user", "mallory") in kept and sum(kind == "user" for kind, _ in kept) == 2
    with house_scope():
        scan = BlastScan.objects.get(incident=about)
        assert (scan.side_effects, scan.is_cut) == (5, True)
        assert SideEffect.objects.filter(incident=about, run_id=own).exists()
        assert SideEffect.objects.filter(incident=about).count() == 3


def test_effects_are_undone_last_first_by_two_people_once_and_with_a_proof(world: World) -> None:
    recipe(world.acme)
    own = refund_run(world.acme, "ord_1", "ord_2")
    refund_run(world.acme, "ord_5")  # a look-alike: undone only where people confirm it
    about = incident(world, runs=[{"tenant": str(world.acme.id), "run": own.hex}])
    scanned(about)
    sam, ben = world.sam.actor, world.ben.actor
    assert written(reversals.plan_reversals, incident_id=about.id, by=sam) == 2
    assert written(reversals.plan_reversals, incident_id=about.id, by=sam) == 0
    alike = items(about)["record", "stripe:rf_ord_5"].id
    written(blast.argue, incident_id=about.id, items=[alike], state=BlastState.CONFIRMED, reason="seen", by=sam)
    assert written(reversals.plan_reversals, incident_id=about.id, by=sam) == 1
    with house_scope():
        rows = list(Reversal.objects.select_related("effect").filter(incident_id=about.id).order_by("position"))
    assert [row.position for row in rows] == [1, 2, 3]
    by_ref = {row.effect.ref: row.id for row in rows}
    first, last, other = by_ref["rf_ord_1"], by_ref["rf_ord_2"], by_ref["rf_ord_5"]
    assert rows[0].idempotency_key == f"reversal/{rows[0].effect_id}"

    def refused(kind: type[DomainError], words: str, write: Write, reversal: uuid.UUID, **said: Any) -> None:
        with pytest.raises(kind, match=words):
            written(write, reversal_id=reversal, **said)

    refused(Conflict, "is planned, and cannot become running", reversals.start_reversal, first, by=sam)
    refused(Forbidden, "You planned it", reversals.approve_reversal, first, by=sam)
    with pytest.raises(IntegrityError), house_scope():
        Reversal.objects.filter(id=first).update(state="approved", approved_by=sam.label, approved_at=clock.now())
    for each in (first, last, other):
        assert written(reversals.approve_reversal, reversal_id=each, by=ben).approved_by == ben.label
    refused(Conflict, "1 later effect of the same run", reversals.start_reversal, first, by=sam)

    # Several people press at once: one begins, the others are told; who began may press again.
    def press(who: Any) -> str:
        try:
            return str(written(reversals.start_reversal, reversal_id=last, by=who).started_by)
        except Conflict:
            return "refused"
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        pressed = list(pool.map(press, [sam, ben, world.ada.actor, world.pete.actor]))
    assert pressed.count("refused") == 3
    starter = next(who for who in (sam, ben, world.ada.actor, world.pete.actor) if who.label in pressed)
    assert written(reversals.start_reversal, reversal_id=last, by=starter).attempts == 1

    end: dict[str, Any] = {"by": sam, "proof": "", "reason": ""}
    refused(InvalidInput, "not ended", reversals.end_reversal, last, **{**end, "state": ReversalState.DONE})
    written(reversals.end_reversal, reversal_id=last, **{**end, "state": ReversalState.FAILED, "reason": "503"})
    refused(Conflict, "1 later effect", reversals.start_reversal, first, by=sam)
    assert written(reversals.start_reversal, reversal_id=last, by=sam).attempts == 2
    done = {**end, "state": ReversalState.DONE, "proof": "cancel_81"}
    for _ in range(2):  # said again, it stands
        assert written(reversals.end_reversal, reversal_id=last, **done).proof == "cancel_81"
    refused(Conflict, "is done, and cannot become failed", reversals.end_reversal, last,
            **{**end, "state": ReversalState.FAILED, "reason": "x"})  # fmt: skip
    written(
        reversals.change_reversal, reversal_id=first, how="Ask the bank", reversibility=Reversibility.EXTERNAL,
        who_must_act="the bank", by=ben,
    )  # fmt: skip
    refused(Forbidden, "You planned it", reversals.approve_reversal, first, by=ben)
    written(reversals.end_reversal, reversal_id=first, **{**end, "state": ReversalState.WAIVED, "reason": "paid back"})
    with house_scope():
        assert Incident.objects.get(id=about.id).reversed_at is None
    written(reversals.end_reversal, reversal_id=other, **{**end, "state": ReversalState.IMPOSSIBLE, "reason": "sent"})
    with house_scope():
        assert Incident.objects.get(id=about.id).reversed_at is not None

    assert (undone.tell_reversals(), undone.tell_reversals()) == (3, 0)
    told = [json.loads(entry.data)["state"] for entry in world.acme.entries() if entry.action == "reversal.ended"]
    assert sorted(told) == ["done", "impossible", "waived"]
