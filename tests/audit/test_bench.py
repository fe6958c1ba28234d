"""`bench audit` in small, so that a change of the log's forms breaks a test and not the next measurement."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.db import connections

from agentops.portal.bench import audit_browse, audit_fill, audit_seal, audit_verify
from audit import bundles
from audit.queries.ranges import Placed
from tests.audit.logs import Log
from tests.world import World


def quiet(_: str) -> None:
    """Says nothing."""


def test_entries_are_filled_and_every_question_is_answered(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    monkeypatch.setattr(audit_fill, "DAYS", 20)
    monkeypatch.setattr(audit_browse, "SAMPLES", (1,))
    monkeypatch.setattr(audit_browse, "settle", lambda: None)  # it is for good, and this process has other tests
    filled = audit_browse.run(entries=400, tenants=2, repeat=1, keep=True, fill_only=True, say=quiet)
    tenants = audit_fill.filled_tenants()
    assert filled["tenants"] == len(tenants) == 2
    for place, (tenant, _) in enumerate(tenants):
        log = Log(replace(world.acme, tenant=type(world.acme.tenant)(id=tenant)))
        assert len(log.leaves()) == log.head().tree_size == (267, 133)[place] and log.pending() == []
    made = audit_browse.run(entries=0, tenants=0, repeat=1, keep=False, fill_only=False, say=quiet)
    assert len(made["question_ms"]) == 26 and 0 < made["p50_ms"] <= made["worst_question_p95_ms"]
    assert audit_fill.filled_tenants() == []


def test_entries_are_appended_and_sealed(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    monkeypatch.setattr(audit_seal, "ONE_BY_ONE", 20)
    monkeypatch.setattr(audit_seal, "AT_ONCE", 60)
    made = audit_seal.run(entries=100)
    assert made["waiting"] == made["sealed_here"] == 120 and made["sealed_per_s"] > 0 < made["appended_per_s"]
    with connections["owner"].cursor() as cursor:
        cursor.execute("SELECT count(*) FROM tenants_tenant WHERE slug LIKE 'bench-%%'")
        assert cursor.fetchone() == (0,), "it takes its organisation away again"


def test_a_bundle_is_made_and_verified_and_one_that_is_not_sound_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "PART_LEAVES", 256)
    made = audit_verify.run(entries=600)
    assert made["sound"] is True and made["entries_per_second"] > 0 and made["peak_mib"] > 0
    whole: Callable[..., Iterator[Placed]] = audit_verify._entries

    def changed(*given: Any) -> Iterator[Placed]:
        for one in whole(*given):
            yield replace(one, hash=bytes(32)) if one.leaf == 100 else one

    monkeypatch.setattr(audit_verify, "_entries", changed)
    assert audit_verify.run(entries=600)["sound"] is False
