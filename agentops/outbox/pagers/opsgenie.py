"""JSM Operations and Opsgenie: one API of alerts at two addresses (https://docs.opsgenie.com/docs/alert-api, read 2026-08).

Opsgenie's own ends on 2027-04-05; JSM's integration events take the same form.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from agentops.outbox import credentials, transport
from agentops.outbox.pagers.document import UNKNOWN, Page, Standing, cut, moment, read
from agentops.outbox.pagers.pagerduty import answered, judged
from agentops.outbox.types import Claimed, Outcome

JSM, OPSGENIE = "https://api.atlassian.com/jsm/ops/integration", "https://api.opsgenie.com"
OPSGENIE_EU = "https://api.eu.opsgenie.com"
MESSAGE_CHARACTERS, ALIAS_CHARACTERS, DESCRIPTION_CHARACTERS = 130, 512, 15_000
PRIORITIES = {1: "P1", 2: "P2", 3: "P4"}
_PATHS = {"acknowledge": "acknowledge", "resolve": "close"}
_SECONDS, _ANSWER_BYTES = 20.0, 64 * 1024


def deliver(claimed: Claimed) -> Outcome:
    """Create, acknowledge or close one alert. The same alias twice makes one alert."""
    try:
        key = credentials.of(claimed)
        path, body = request(read(claimed.context))
    except (credentials.Missing, ValueError) as error:
        return Outcome(is_sent=False, detail=f"Not sent: {error}.", is_final=True)
    try:
        answer = transport.exchange(
            "POST",
            f"{key.base_url or JSM}{path}",
            headers={"Content-Type": "application/json", **authorization(key.secret)},
            body=json.dumps(body, separators=(",", ":")).encode(),
            seconds=_SECONDS,
            most_bytes=_ANSWER_BYTES,
        )
    except transport.NoAnswer as error:
        return Outcome(is_sent=False, detail=f"Not taken: {error}.", is_final=error.is_final)
    if answer.status == 404 and claimed.context["action"] != "trigger":
        return Outcome(is_sent=True, status=404, detail="There is no such alert any more.")
    return judged(answer, "It")


def standing(*, base_url: str, token: str, dedup_key: str) -> Standing:
    """Ask what became of an alert. Raises NoAnswer."""
    url = f"{base_url or JSM}{alert_path(dedup_key)}?identifierType=alias"
    found = answered("GET", url, headers=authorization(token)).get("data")
    if not isinstance(found, dict) or found.get("alias") != dedup_key[:ALIAS_CHARACTERS]:
        return UNKNOWN
    report = found.get("report")
    report = report if isinstance(report, dict) else {}
    is_ended = found.get("status") == "closed"
    who = report.get("closedBy" if is_ended else "acknowledgedBy") or found.get("owner") or ""
    return Standing(
        is_known=True,
        is_acknowledged=found.get("acknowledged") is True and not is_ended,
        is_ended=is_ended,
        changed_at=moment(found.get("updatedAt")),
        who=str(who),
    )


def authorization(key: str) -> dict[str, str]:
    return {"Authorization": f"GenieKey {key}"}


def alert_path(alias: str) -> str:
    return f"/v2/alerts/{quote(alias[:ALIAS_CHARACTERS], safe='')}"


def request(page: Page) -> tuple[str, dict[str, Any]]:
    """Path and body."""
    if page.action != "trigger":
        return f"{alert_path(page.dedup_key)}/{_PATHS[page.action]}?identifierType=alias", {"source": "agentops"}
    links = "\n".join(f"{each['text']}: {each['href']}" for each in page.links)
    found: dict[str, Any] = {
        "message": cut(page.summary, MESSAGE_CHARACTERS),
        "alias": page.dedup_key[:ALIAS_CHARACTERS],
        "description": cut(f"{page.summary}\n\n{links}".strip(), DESCRIPTION_CHARACTERS),
        "priority": PRIORITIES[page.severity],
        "source": cut(page.source, 100),
        "entity": cut(page.component or page.source, 512),
        "tags": [cut(tag, 50) for tag in (page.kind, page.group) if tag],
        "details": {**page.details, "link": page.url},
    }
    return "/v2/alerts", found
