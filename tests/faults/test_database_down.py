"""The database is gone and comes back: senders are told to wait, in their own encoding, and nothing is lost."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from agentops.portal.engines import embedded
from tests import server
from tests.ingest.wire import TYPES, Answer, answer_of, native, span, traces
from tests.traces import otlp_build as build

pytestmark = pytest.mark.fault


@dataclass
class Installation:
    """Engines of its own, and a web server on them."""

    engines: embedded.Running
    portal: server.Portal
    keys: list[str]  # a key that was never used knows of no cache

    def request(self, method: str, path: str, key: str, body: bytes = b"", content_type: str = "") -> Any:
        parts = urllib.parse.urlsplit(self.portal.url)
        link = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        link.request(method, path, body, {"Authorization": f"Bearer {key}", "Content-Type": content_type})
        answer = link.getresponse()
        found = answer.status, answer.headers, answer.read()
        link.close()
        return found

    def otlp(self, path: str, body: bytes, encoding: str, key: str) -> Answer:
        status, headers, said = self.request("POST", path, key, body, TYPES[encoding])
        return answer_of(path, status, headers["Content-Type"], said, dict(headers))


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    # Not in pytest's own folder: as root, each new session's chmod there takes away what PostgreSQL's user was given.
    directory = Path(tempfile.mkdtemp(prefix="agentops-down-"))
    with embedded.start(directory, durable=True) as engines, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AGENTOPS_DATA_DIR", str(directory))
        patch.delenv("AGENTOPS_TEST_DATABASE", raising=False)
        patch.setenv("DJANGO_SETTINGS_MODULE", "agentops.settings")
        _manage("migrate", "--database", "owner", "-v", "0")
        owner = ("--owner", "o@down.invalid", "--password-stdin", "--json")
        _manage("create_tenant", "down", "--name", "Down", "--plan", "pro", *owner, stdin="eleven otters juggling\n")
        made = [_manage("create_api_key", "down", "--scopes", "ingest,read", "--json") for _ in range(2)]
        with server.serving("agentops", directory) as portal:
            yield Installation(engines, portal, [json.loads(text)["key"] for text in made])
    shutil.rmtree(directory, ignore_errors=True)


def _manage(*words: str, stdin: str = "") -> str:
    root = Path(__file__).resolve().parent.parent.parent
    done = subprocess.run(
        [sys.executable, "manage.py", *words], input=stdin, capture_output=True, text=True, cwd=root, env=os.environ
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _otlp_bodies() -> dict[tuple[str, str], bytes]:
    record = {"event_name": "gen_ai.choice", "trace_id": "ab" * 16, "time": span()["start"], "body": {"content": "x"}}
    return {
        ("/v1/traces", "protobuf"): traces(span()),
        ("/v1/traces", "json"): traces(span(), encoding="json"),
        ("/v1/logs", "protobuf"): build.logs_request([record]),
    }


def test_a_database_that_is_down_is_503_everywhere_and_never_500(installation: Installation) -> None:
    known, fresh = installation.keys
    bodies = _otlp_bodies()
    item = native("kept")
    document = orjson.dumps({"spans": [item]})
    for (path, encoding), body in bodies.items():
        assert installation.otlp(path, body, encoding, known).is_full_success
    installation.engines.postgres.stop()
    try:
        for key in (known, fresh):  # the first is still known to the server, the second must be looked up
            for (path, encoding), body in bodies.items():
                answer = installation.otlp(path, body, encoding, key)
                assert (answer.status, answer.encoding, answer.code) == (503, encoding, 14)
                assert answer.headers["Retry-After"].isdigit() and "send it again" in answer.message
            for method, path in (
                ("POST", "/api/v1/traces"),
                ("GET", "/api/v1/runs"),
                ("GET", "/api/v1/runs/" + "a" * 32),
            ):
                status, headers, said = installation.request(method, path, key, document, TYPES["json"])
                assert (status, headers["Content-Type"]) == (503, "application/problem+json")
                assert headers["Retry-After"].isdigit() and orjson.loads(said)["code"] == "unavailable"
    finally:
        installation.engines.postgres.launch()
        installation.engines.postgres.wait_ready()
    for (path, encoding), body in bodies.items():
        assert installation.otlp(path, body, encoding, fresh).is_full_success
    status, _, said = installation.request("POST", "/api/v1/traces", known, document, TYPES["json"])
    assert (status, orjson.loads(said)["accepted"]) == (200, 1)
    status, _, said = installation.request("GET", f"/api/v1/runs/{item['trace_id']}", known)
    assert (status, orjson.loads(said)["span_count"]) == (200, 1)


def test_valkey_being_down_is_nothing_to_ingest(installation: Installation) -> None:
    installation.engines.valkey.stop()
    try:
        answer = installation.otlp("/v1/traces", traces(span()), "protobuf", installation.keys[0])
        assert answer.is_full_success
    finally:
        installation.engines.valkey.launch()
        installation.engines.valkey.wait_ready()
