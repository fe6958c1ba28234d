"""What the journey of an incident begins with, made as the product makes it; and what its workers do between two clicks."""

from __future__ import annotations

import re
from datetime import timedelta
from email.message import Message
from urllib.parse import urlsplit

from agentops.common import clock
from agentops.common.scope import tenant_scope
from agentops.outbox.delivering import deliver_one
from evals.models import CaseVersion
from incidents.models import Alert, Incident, Watch
from incidents.queries import blast
from incidents.queries import evidence as kept
from incidents.services import targets
from incidents.tasks import alerts as watching
from incidents.tasks import evidence
from tenants.house import HOUSE_ID, house_scope
from tests.evals.gates.making import Desk, F, P
from tests.incidents.cases import AGENT, TOOL, refund_run
from tests.outbox.receivers import MailServer
from tests.runtime.guarded import Caller, apply, manifest
from tests.world import World

ORDERS = ("ord_1", "ord_2")  # refunded by the run that went round in a circle; ord_9 by another


def ran(world: World) -> str:
    """Acme's desk went round in a circle until the guard stopped it, with two refunds; its next version passes what this
    one fails. Answers the run."""
    for version in "12":
        made = manifest(version=version)
        refund = next(tool for tool in made["tools"] if tool["name"] == TOOL)
        refund["reversible"] = {"how": "POST /refunds/{ref}/cancel", "within_seconds": 3600}
        apply(world.acme, made)
    run = Caller(world.acme).run(user="mallory")
    while run.look_up()["decision"] != "abort":
        pass
    lately = clock.now() - timedelta(minutes=1)
    refund_run(world.acme, *ORDERS, user="mallory", at=lately, run=run.uuid)
    refund_run(world.acme, "ord_9", user="ann", at=clock.now())
    desk = Desk(world.acme, clock.now() - timedelta(days=1))
    revision = desk.eval_set("starter", ["circle", "other"])
    desk.suite("1", revision, {"circle": [F], "other": [P]}, agent=AGENT)
    desk.suite("2", revision, {"circle": [P], "other": [P]}, agent=AGENT)
    with tenant_scope(world.acme.id):
        provenance = {"kind": "trace", "id": run.id, "label": ""}
        CaseVersion.objects.filter(key="circle").update(provenance=provenance)
    return run.id


def paged(world: World, smtp: MailServer) -> str:
    """The watch sees it, and on-call is paged by mail. Answers where the page leads."""
    with house_scope() as house:
        terms = targets.Terms(name="On call", kind="mail", address=world.sam.email, severities=(1, 2))
        targets.set_target(tenant=house, terms=terms, by=world.sam.actor, at=clock.now())
    assert watching.watch_runs() == 1
    delivered()
    [mail] = smtp.mails
    assert mail["To"] == world.sam.email and "was stopped" in mail["Subject"]
    return next(link for link in links_in(mail) if "/alerts/" in link)


def links_in(mail: Message) -> list[str]:
    """The paths of its links."""
    text = bytes(mail.get_payload(decode=True) or b"").decode()
    return [urlsplit(link).path for link in re.findall(r"https?://\S+", text)]


def delivered() -> None:
    """The worker of the outbox, until nothing of ours is due."""
    while deliver_one(tenant=HOUSE_ID) is not None:
        pass


def taken() -> None:
    """The worker of evidence: the snapshot, then the first look for what was touched."""
    with house_scope():
        due = kept.snapshots_due(tenant=HOUSE_ID)
    assert [evidence.take(snapshot_id=str(each)) for each in due] == [True]


def looked() -> None:
    with house_scope():
        due = blast.scans_due(tenant=HOUSE_ID)
    assert [evidence.scan(scan_id=str(each)) for each in due] == [True]


def two_days_later() -> None:
    """Everything that happened is 49 hours ago, and the watch is over."""
    begun = clock.now() - timedelta(hours=49)
    times = ("impact_started_at", "detected_at", "declared_at", "contained_at", "mitigated_at")
    with house_scope():
        Alert.objects.update(last_seen_at=begun, opened_at=begun, first_seen_at=begun)
        Incident.objects.update(**dict.fromkeys(times, begun))
        Watch.objects.update(starts_at=begun, ends_at=clock.now())
