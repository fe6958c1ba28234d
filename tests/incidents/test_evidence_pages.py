"""Pages of evidence, blast radius and reversal: what they show, what they refuse, what stands in whose log afterwards."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable
from typing import Any

from django.test import Client

from agentops.common import clock
from incidents.models import BlastItem, Evidence, Incident, Reversal
from incidents.queries.blast import scans_due
from incidents.queries.evidence import snapshots_due
from incidents.services import scanning, taking
from incidents.types import IncidentStatus
from tenants import services as tenants
from tenants.house import HOUSE_ID, house_scope
from tenants.roles import StaffRole
from tests.incidents.cases import incident, refund_run
from tests.world import OPERATOR, PASSWORD, Person, World


def commander() -> Person:
    said: dict[str, Any] = {"roles": [StaffRole.INCIDENT_COMMANDER], "password": PASSWORD, "by": OPERATOR}
    return Person(tenants.create_staff(email="kim@agentops.example", name="Kim Ro", at=clock.now(), **said))


def read(client: Client, path: str, status: int = 200) -> str:
    answer = client.get(path, follow=True)
    assert answer.status_code == status, (path, answer.status_code)
    return answer.content.decode()


def test_from_evidence_to_a_reversal_on_pages(world: World, client_for: Callable[..., Client]) -> None:
    own = refund_run(world.acme, "ord_1", "ord_2", user="<b>mallory</b>")
    about = incident(world, runs=[{"tenant": str(world.acme.id), "run": own.hex}])
    sam, kim, base = client_for(world.sam), client_for(commander()), f"/staff/incidents/{about.ref}"
    for page, words in (
        ("evidence", "No evidence yet"),
        ("blast", "Nobody has looked yet"),
        ("reversals", "Nothing is planned"),
    ):
        assert words in read(sam, f"{base}/{page}/")
    assert "nothing to download" in read(sam, f"{base}/evidence/archive/")

    assert sam.post(f"{base}/evidence/snapshots/", {"reason": "asked"}).status_code == 302
    assert "Being taken" in read(sam, f"{base}/evidence/")
    with house_scope() as house:
        waiting = snapshots_due(tenant=house)
    assert [taking.take(each) for each in waiting] == [True] and scanning.plan_first(about.id) == 1
    with house_scope():
        due, kept = scans_due(tenant=HOUSE_ID), Evidence.objects.filter(incident_id=about.id, kind="trace").get()
    assert all(scanning.scan(each) for each in due)

    # Evidence: listed, checked, read with an entry, downloaded whole.
    page = read(sam, f"{base}/evidence/?kind=trace&after=nonsense")
    assert f"run:{own.hex}"[:60] in page and "Under legal hold" in page and "Complete" in page
    assert "audit logs say so" in sam.post(f"{base}/evidence/check/", follow=True).content.decode()
    before = world.acme.actions().count("evidence.read")
    answer = sam.get(f"{base}/evidence/{kept.id}/")
    assert hashlib.sha256(answer.content).hexdigest() == kept.sha256
    archive = zipfile.ZipFile(io.BytesIO(b"".join(sam.get(f"{base}/evidence/archive/").streaming_content)))  # type: ignore[arg-type]
    manifest = archive.read("manifest-1.json")
    listed = json.loads(manifest)["items"]
    digests = {hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist() if name.startswith("1/")}
    assert digests == {item["sha256"] for item in listed} and hashlib.sha256(manifest).hexdigest() in page
    assert world.acme.actions().count("evidence.read") == before + 2

    # Blast radius: escaped, argued by ticks and by filter, refused without a reason.
    page = read(sam, f"{base}/blast/")
    assert "&lt;b&gt;mallory&lt;/b&gt;" in page and "<b>mallory" not in page and own.hex[24:] in page
    with house_scope():
        user = BlastItem.objects.get(incident=about, kind="user")
    verdict = {"state": "confirmed", "reason": "she wrote to us", "item": [str(user.id), "nonsense"]}
    refused = sam.post(f"{base}/blast/verdicts/", {**verdict, "reason": " "}, follow=True).content.decode()
    assert "Say what they are, and why." in refused
    assert "1 item is " in sam.post(f"{base}/blast/verdicts/", verdict, follow=True).content.decode()
    rest = {"state": "ruled_out", "reason": "test accounts", "every": "on", "in": "suspected", "kind": "nonsense"}
    told = sam.post(f"{base}/blast/verdicts/", rest, follow=True).content.decode()
    assert re.search(r"\d+ items? (is|are) [a-z ]+ now\.", told)
    with house_scope():
        states = set(BlastItem.objects.filter(incident=about).values_list("kind", "state"))
    assert ("user", "confirmed") in states and not any(state == "suspected" for _, state in states)
    item = {"about": str(world.acme.id), "kind": "record", "identity": "crm:4711", "reason": "seen in the CRM"}
    assert "Added." in sam.post(f"{base}/blast/items/", item, follow=True).content.decode()
    assert sam.post(f"{base}/blast/items/", {**item, "about": "x"}).status_code == 422
    look = {"agent": "refund-desk", "since": "2026-11-26 10:00", "until": "2026-11-26 09:00"}
    assert "is after the beginning" in sam.post(f"{base}/blast/scans/", look).content.decode()
    look |= {"since": "2020-01-01", "until": "2030-01-01", "everywhere": "on"}
    assert "Looking in 1 organisations" in sam.post(f"{base}/blast/scans/", look, follow=True).content.decode()

    # Reversal: what was ruled out is not planned; the commander agrees, who planned does not.
    assert "nothing new to plan" in sam.post(f"{base}/reversals/plan/", follow=True).content.decode()
    with house_scope():
        BlastItem.objects.filter(incident=about, kind="record").update(
            state="suspected", decided_at=None, decided_by=""
        )
    assert "2 side effects are planned" in sam.post(f"{base}/reversals/plan/", follow=True).content.decode()
    with house_scope():
        first = Reversal.objects.get(incident_id=about.id, position=1)
    place = f"{base}/reversals/{first.id}"
    assert "Nobody wrote how this is undone" in read(sam, f"{place}/")
    how = {"how": "cancel it in the dashboard", "reversibility": "reversible", "who_must_act": "the finance team"}
    assert sam.post(f"{place}/how/", {**how, "who_must_act": ""}).status_code == 422
    assert "another person agrees" in sam.post(f"{place}/how/", how, follow=True).content.decode()
    assert sam.post(f"{place}/approval/").status_code == 403
    assert "cannot become running" in sam.post(f"{place}/start/", follow=True).content.decode()
    assert "it may begin" in kim.post(f"{place}/approval/", follow=True).content.decode()
    assert "Begun" in sam.post(f"{place}/start/", follow=True).content.decode()
    assert "Name the receipt" in sam.post(f"{place}/end/", {"state": "done"}, follow=True).content.decode()
    assert sam.post(f"{place}/end/", {"state": "waived", "reason": "x"}).status_code == 403
    assert "Kept." in sam.post(f"{place}/end/", {"state": "done", "proof": "re_1"}, follow=True).content.decode()
    assert "re_1" in read(sam, f"{place}/") and "Done 1" in read(sam, f"{base}/reversals/?state=done")

    # Letting go: a commander, of an incident that is over.
    assert client_for(world.ben).get(f"{base}/evidence/").status_code == 404
    assert sam.post(f"{base}/evidence/hold-release/", {"reason": "x"}).status_code == 403
    assert "is not over" in kim.post(f"{base}/evidence/hold-release/", {"reason": "x"}).content.decode()
    with house_scope():
        Incident.objects.filter(id=about.id).update(status=IncidentStatus.CLOSED)
    assert (
        "Their digests stay"
        in kim.post(f"{base}/evidence/hold-release/", {"reason": "x"}, follow=True).content.decode()
    )
    assert "was let go" in read(sam, f"{base}/evidence/")
    assert sam.get(f"{base}/evidence/{kept.id}/").status_code == 404
