"""Rubrics: a name, and versions that are never edited."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from agentops.common import scope
from agentops.common.ids import new_id
from agentops.common.strictjson import canonical
from audit.types import Actor
from evals.errors import AlreadyDone, Unknown, invalid
from evals.judging import rubrics
from evals.models import Rubric, RubricVersion
from evals.services.judging import noting

NOTE_LENGTH = 500


def save_rubric(
    *, tenant: uuid.UUID, name: str, content: Any, note: str = "", by: Actor, at: datetime
) -> RubricVersion:
    """Make a rubric, or a further version of the one of this name. The newest version's content again changes nothing.

    Raises InvalidInput with pointers, and AlreadyDone where an earlier version says the same.
    """
    scope.require_tenant(tenant)
    name = noting.name_of(name)
    if len(note) > NOTE_LENGTH or "\x00" in note:
        raise invalid("/note", f"a text of at most {NOTE_LENGTH} characters is expected")
    text = canonical(rubrics.as_json(rubrics.parse(content))).decode()
    digest = rubrics.digest(text)
    made = Rubric(id=new_id(), tenant_id=tenant, name=name, created_at=at, created_by=by.label[:200])
    Rubric.objects.bulk_create([made], ignore_conflicts=True)
    rubric = Rubric.objects.select_for_update().get(tenant_id=tenant, name=name)
    versions = list(RubricVersion.objects.filter(tenant_id=tenant, rubric=rubric).order_by("-number"))
    same = next((version for version in versions if version.digest == digest), None)
    if same is not None and same is versions[0]:
        return same
    if same is not None:
        raise AlreadyDone(f"Version {same.number} of this rubric says exactly this: let the judge use that one.")
    version = RubricVersion.objects.create(
        id=new_id(),
        tenant_id=tenant,
        rubric=rubric,
        number=versions[0].number + 1 if versions else 1,
        content=text,
        digest=digest,
        note=note.strip(),
        created_at=at,
        created_by=by.label[:200],
    )
    data = {"name": name, "number": version.number, "digest": digest}
    noting.record(tenant=tenant, action="rubric.saved", kind="rubric", id=str(rubric.id), data=data, by=by, at=at)
    return version


def version_of(*, tenant: uuid.UUID, version_id: uuid.UUID) -> RubricVersion:
    """Raises Unknown."""
    found = RubricVersion.objects.filter(tenant_id=tenant, id=version_id).select_related("rubric").first()
    if found is None:
        raise Unknown("There is no such version of a rubric.")
    return found
