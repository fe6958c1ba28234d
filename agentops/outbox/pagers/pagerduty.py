"""PagerDuty by its Events API v2 (https://developer.pagerduty.com/docs/events-api-v2-overview, read 2026-08)."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from agentops.outbox import credentials, transport
from agentops.outbox.pagers.document import UNKNOWN, Page, Standing, cut, moment, read
from agentops.outbox.types import Claimed, Outcome

US, EU = "https://events.pagerduty.com", "https://events.eu.pagerduty.com"
SUMMARY_CHARACTERS, KEY_CHARACTERS, EVENT_BYTES = 1024, 255, 512 * 1024
SEVERITIES = {1: "critical", 2: "error", 3: "warning"}
PEOPLE = ("user_reference", "user")  # types of whoever changed something, in webhooks and answers
_SECONDS, _ANSWER_BYTES = 20.0, 64 * 1024
_POLL_SECONDS, _POLL_BYTES = 10.0, 1024 * 1024
_REST = {US: "https://api.pagerduty.com", EU: "https://api.eu.pagerduty.com"}


def deliver(claimed: Claimed) -> Outcome:
    """Put one event into PagerDuty's queue. The same event twice makes one alert, by its `dedup_key`."""
    try:
        key = credentials.of(claimed)
        body = json.dumps(event(read(claimed.context), key.secret), separators=(",", ":")).encode()
    except (credentials.Missing, ValueError) as error:
        return Outcome(is_sent=False, detail=f"Not sent: {error}.", is_final=True)
    if len(body) > EVENT_BYTES:
        return Outcome(is_sent=False, detail=f"Not sent: it is larger than {EVENT_BYTES} bytes.", is_final=True)
    url = f"{key.base_url or US}/v2/enqueue"
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    try:
        answer = transport.exchange("POST", url, headers=headers, body=body, seconds=_SECONDS, most_bytes=_ANSWER_BYTES)
    except transport.NoAnswer as error:
        return Outcome(is_sent=False, detail=f"Not taken: {error}.", is_final=error.is_final)
    return judged(answer, "PagerDuty")


def standing(*, base_url: str, token: str, dedup_key: str) -> Standing:
    """Ask the REST API what became of an alert. Raises NoAnswer."""
    rest = _REST.get(base_url or US, base_url)
    query = urlencode({"incident_key": dedup_key[:KEY_CHARACTERS], "sort_by": "created_at:desc", "limit": 5})
    headers = {"Authorization": f"Token token={token}", "Accept": "application/vnd.pagerduty+json;version=2"}
    found = answered("GET", f"{rest}/incidents?{query}", headers=headers).get("incidents")
    mine = [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
    mine = [each for each in mine if each.get("incident_key") == dedup_key[:KEY_CHARACTERS]]
    if not mine:
        return UNKNOWN
    newest = max(mine, key=lambda each: str(each.get("created_at")))
    status, changed = newest.get("status"), newest.get("last_status_change_by")
    return Standing(
        is_known=True,
        is_acknowledged=status == "acknowledged",
        is_ended=status == "resolved",
        is_by_person=isinstance(changed, dict) and changed.get("type") in PEOPLE,
        changed_at=moment(newest.get("last_status_change_at")),
        who=str(changed.get("summary") or "") if isinstance(changed, dict) else "",
    )


def event(page: Page, routing_key: str) -> dict[str, Any]:
    """The body of `POST /v2/enqueue`, within PagerDuty's limits."""
    found: dict[str, Any] = {
        "routing_key": routing_key,
        "event_action": page.action,
        "dedup_key": page.dedup_key[:KEY_CHARACTERS],
    }
    if page.action != "trigger":
        return found
    payload: dict[str, Any] = {
        "summary": cut(page.summary, SUMMARY_CHARACTERS),
        "source": cut(page.source, 255),
        "severity": SEVERITIES[page.severity],
        "custom_details": page.details,
    }
    if page.at:
        payload["timestamp"] = page.at
    for name, value in (("component", page.component), ("group", page.group), ("class", page.kind)):
        if value:
            payload[name] = cut(value, 255)
    return {**found, "payload": payload, "links": page.links, "client": "agentops", "client_url": page.url}


def answered(method: str, url: str, *, headers: dict[str, str]) -> dict[str, Any]:
    """The JSON object of an answer of 200; {} for 404. Raises NoAnswer for everything else."""
    answer = transport.exchange(method, url, headers=headers, body=None, seconds=_POLL_SECONDS, most_bytes=_POLL_BYTES)
    if answer.status == 404:
        return {}
    if answer.status != 200:
        raise transport.NoAnswer(f"it answered with the status {answer.status}")
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise transport.NoAnswer("its answer is no JSON") from error
    if not isinstance(found, dict):
        raise transport.NoAnswer("its answer is no JSON object")
    return found


def judged(answer: transport.Answer, who: str) -> Outcome:
    """2xx is taken; what is wrong with the event itself (400, 413, 422) stays wrong; everything else is tried again.

    A refused key (401, 403) and an address that is not there (404) are for people to mend meanwhile.
    """
    if 200 <= answer.status < 300:
        return Outcome(is_sent=True, status=answer.status)
    return Outcome(
        is_sent=False,
        status=answer.status,
        detail=f"{who} answered with the status {answer.status}.",
        is_final=answer.status in (400, 413, 422),
        retry_after=answer.retry_after,
    )
