"""Cases and sets for tests."""

from __future__ import annotations

import uuid
from typing import Any

from agentops.common import clock
from agentops.common.scope import tenant_scope
from evals import services
from evals.models import EvalSet
from evals.services.sets import Written
from evals.sets import cases
from evals.sets.cases import Case
from tests.world import OPERATOR, Organisation


def case(**more: Any) -> Case:
    """A refund desk's case."""
    return cases.read(value(**more))


def value(**more: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "title": "A refund",
        "input": "Refund ord_1",
        "tools": [
            {"tool": "look_up_order", "arguments": {"order_id": "ord_1"}, "result": "delivered"},
            {"tool": "refund", "arguments": {"order_id": "ord_1", "amount_minor": 500}, "result": "refunded"},
        ],
        "expect": [{"kind": "contains", "all": ["refund"]}],
    }
    return {name: part for name, part in {**plain, **more}.items() if part is not None}


def make_set(organisation: Organisation, name: str = "refunds", /, **found: Case) -> EvalSet:
    """A set with these cases."""
    with tenant_scope(organisation.id):
        made = services.create_set(tenant=organisation.id, name=name, description="", by=OPERATOR, at=clock.now())
    if found:
        replace(organisation, made.id, found)
    return made


def replace(organisation: Organisation, eval_set: uuid.UUID, found: dict[str, Case]) -> Written:
    with tenant_scope(organisation.id):
        return services.replace_cases(
            tenant=organisation.id, eval_set=eval_set, found=found, note="", by=OPERATOR, at=clock.now()
        )
