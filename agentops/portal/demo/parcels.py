"""`parcel-tracker` in the catalog: its two versions, its eval set, and the gate before each further version."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from agentops.catalog import services as catalog
from agentops.catalog.manifest import read
from agentops.common.scope import tenant_scope
from agentops.portal.demo import history
from audit.types import operator
from evals import queries
from evals import services as evals
from evals.sets import cases
from tenants import queries as tenants

SET = "parcels"
_BY = operator("demo")
_ARRIVES: dict[str, tuple[str, dict[str, Any], str]] = {
    "in-transit": ("Where is my order ord_1001?", {"status": "in transit", "place": "Hanover", "day": "Thursday"}, "Thursday"),
    "delivered": ("ord_1002 says delivered, but nothing is here.", {"status": "delivered", "with": "neighbour at 14"}, "14"),
    "customs": ("Why is ord_1003 late?", {"status": "customs", "needs": "an invoice"}, "invoice"),
    "returned": ("What happened to ord_1004?", {"status": "returned", "refund": "48.10 EUR"}, "48.10"),
    "two-parcels": ("Is ord_1005 one parcel?", {"parcels": 2, "status": "in transit"}, "2"),
    "not-sent": ("When does ord_1006 leave?", {"status": "packed", "leaves": "tomorrow"}, "tomorrow"),
    "unknown": ("Where is ord_9999?", {"status": "no such order"}, "no such order"),
    "address": ("Can ord_1007 still go elsewhere?", {"status": "packed", "can_change": True}, "yes"),
}  # fmt: skip


def make(*, at: datetime) -> None:
    """Make them where they are missing; the newer version is proposed, and waits behind its gate."""
    tenant = tenants.tenant_called(history.TENANT).id
    with tenant_scope(tenant):
        common: dict[str, Any] = {"tenant": tenant, "by": _BY, "at": at}
        catalog.apply_manifest(manifest=read(_manifest(history.FIRST)), approve_tools=True, **common)
        evals.add_starter_pack(**common)
        if SET not in {each.name for each in queries.eval_sets(tenant=tenant)}:
            made = evals.create_set(name=SET, description="What parcel-tracker is asked most.", **common)
            found = {key: cases.read(_case(key)) for key in _ARRIVES}
            evals.replace_cases(eval_set=made.id, found=found, note="the first eight", **common)
            evals.set_gate(
                agent=history.PARCEL_TRACKER, requirements=[evals.Requirement(eval_set=SET, least_rate=0.9, margin=0.5)],
                **common,
            )  # fmt: skip
        catalog.apply_manifest(manifest=read(_manifest(history.SECOND)), approve_tools=True, **common)


def answer(key: str, version: str) -> str:
    """What the agent says to a case: the newer version does not look at what it found in three of them."""
    _, result, _ = _ARRIVES[key]
    if version == history.SECOND.version and key in ("customs", "two-parcels", "address"):
        return "Sorry, I could not find that. Perhaps try again later."
    return "; ".join(f"{name}: {'yes' if value is True else value}" for name, value in result.items())


def _case(key: str) -> dict[str, Any]:
    asked, result, expected = _ARRIVES[key]
    return {
        "title": f"Parcels: {key.replace('-', ' ')}",
        "tags": ["parcels", "tools"],
        "agent": history.PARCEL_TRACKER,
        "input": asked,
        "tools": [{"tool": "look_up", "result": result, "times": 2}],
        "expect": [
            {"kind": "must_call", "tool": "look_up"},
            {"kind": "max_calls", "most": 2},
            {"kind": "contains", "all": [expected]},
        ],
        "provenance": {"kind": "curated", "id": "", "label": "the demo"},
    }


def _manifest(release: history.Release) -> dict[str, Any]:
    return {
        "agent": {
            "name": history.PARCEL_TRACKER,
            "version": release.version,
            "model": history.MODEL,
            "models": [history.MODEL],
            "prompt_hash": release.prompt_hash,
        },
        "tools": [
            {
                "name": "look_up",
                "version": "1",
                "effect": "read",
                "tier": 1,
                "arguments": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["query"],
                    "properties": {"query": {"type": "string"}},
                },
            }
        ],
    }
