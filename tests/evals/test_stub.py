"""The stub judge: asked as any judge is, it answers in the form, and says what it is."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from evals.judging import stub
from evals.services import judging
from evals.types import JudgementState
from tests.evals import rowsof
from tests.world import World

RUBRIC = {
    "pass_at": 0.5,
    "criteria": [rowsof.GOAL, {**rowsof.GOAL, "key": "tone", "scale": {"kind": "number", "least": 1, "most": 5}}],
}


@pytest.fixture
def url(settings: Any) -> Iterator[str]:
    settings.WEBHOOK_ALLOWED_HOSTS = ["127.0.0.1"]
    server = stub.server(0)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    server.shutdown()
    server.server_close()
    thread.join(timeout=5)


@pytest.mark.parametrize("output", ["tool", "json"])
def test_it_scores_by_its_rules_and_says_so_in_every_reason(world: World, url: str, output: str) -> None:
    rowsof.judge(world.acme, url=url, model=stub.MODEL, provider="stub", rubric=RUBRIC, output=output)
    rowsof.assign(world.acme, "helpfulness", rate=1)
    rowsof.runs(world.acme, 1, answer="Sorry, I could not find it.")
    rowsof.runs(world.acme, 1, answer="Your order is on its way; it comes on Monday.")
    rowsof.facts(world.acme)
    assert judging.ask_due(seconds=20) == 2
    rows = rowsof.judgements(world.acme)
    assert {(row.state, row.detail) for row in rows} == {(JudgementState.SCORED, "")}
    assert all(score.reason.startswith("Stub judge: ") for row in rows for score in row.scores.all())
    sorry, well = sorted(row.score or 0 for row in rows)
    assert sorry < 0.5 < well
