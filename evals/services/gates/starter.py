"""The starter pack: sixty cases that are shipped with the product, as an organisation's own eval set."""

from __future__ import annotations

import uuid
from datetime import datetime
from pathlib import Path

from agentops.common import scope
from audit.types import Actor
from evals.errors import Unknown
from evals.models import EvalSet
from evals.queries.sets import eval_set as find_set
from evals.services.sets import create_set, replace_cases
from evals.sets.files import read_directory

DIRECTORY = Path(__file__).resolve().parents[2] / "starter"
NAME = "starter"
_ABOUT = "Sixty cases to begin with: forty diverse, twenty adversarial. Each brings its own tools, so any agent can take them."


def add_starter_pack(*, tenant: uuid.UUID, by: Actor, at: datetime) -> EvalSet:
    """Make the set `starter` hold the pack as it is shipped now; cases that were changed or added there give way (its
    earlier revisions keep them). The same pack again changes nothing. Raises Conflict where the set is archived.
    """
    scope.require_tenant(tenant)
    try:
        found = find_set(tenant=tenant, name=NAME)
    except Unknown:
        found = create_set(tenant=tenant, name=NAME, description=_ABOUT, by=by, at=at)
    replace_cases(
        tenant=tenant, eval_set=found.id, found=read_directory(DIRECTORY), note="the starter pack", by=by, at=at
    )
    return found
