"""How the tests of pages send stories and read pages."""

from __future__ import annotations

import html
import json
import re
import time
from typing import Any

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from agentops.common import clock
from agentops.common.scope import tenant_scope
from agentops.traces import services
from tests.traces.stories import Span
from tests.world import Organisation

HTMX = {"HX-Request": "true"}
_TIDY = re.compile(r"<(script|svg)\b.*?</\1>|<[^>]+>", re.DOTALL)


def send(organisation: Organisation, *stories: list[Span]) -> dict[str, Any]:
    """Send spans as an agent does; answers what ingest said."""
    response = Client().post(
        "/api/v1/traces",
        json.dumps({"spans": [span for story in stories for span in story]}),
        content_type="application/json",
        headers={"authorization": f"Bearer {organisation.keys['ingest']}"},
    )
    assert response.status_code == 200, response.content
    return dict(response.json())


def send_evaluation(organisation: Organisation, run_id: str, span_id: str, **values: str | float) -> None:
    """Send the result of an evaluation as a log record."""
    attributes = [
        {"key": f"gen_ai.evaluation.{key.replace('__', '.')}", "value": _value(value)} for key, value in values.items()
    ]
    record = {
        "timeUnixNano": str(time.time_ns()), "eventName": "gen_ai.evaluation.result", "traceId": run_id, "spanId": span_id,
        "attributes": attributes,
    }  # fmt: skip
    response = Client().post(
        "/v1/logs",
        json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}),
        content_type="application/json",
        headers={"authorization": f"Bearer {organisation.keys['ingest']}"},
    )
    assert response.status_code == 200 and response.json() == {}, response.content


def _value(value: str | float) -> dict[str, Any]:
    return {"stringValue": value} if isinstance(value, str) else {"doubleValue": value}


def finish(organisation: Organisation) -> None:
    """Finish the runs whose root never came, as the job does after idle time."""
    at = clock.now()
    with tenant_scope(organisation.id):
        services.finalise_idle_runs(tenant=organisation.id, idle=clock.now() - at, at=clock.now())


def words(response: Any) -> str:
    """What a page says, without its markup, in one line."""
    assert response.status_code == 200, (response.status_code, response.content[:500])
    return " ".join(html.unescape(_TIDY.sub(" ", response.content.decode())).replace("\xa0", " ").split())


def source(response: Any) -> str:
    assert response.status_code == 200, (response.status_code, response.content[:500])
    return str(response.content.decode())


def statements(client: Client, path: str, **headers: str) -> int:
    """How many statements a page sends to the database, once everything that is cached is."""
    client.get(path, headers=headers)
    with CaptureQueriesContext(connection) as found:
        assert client.get(path, headers=headers).status_code == 200
    return len(found)
