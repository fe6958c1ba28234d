"""Writes of eval sets. A set is only ever replaced by a further revision; what a case said stays."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction

from agentops.common import scope
from agentops.common.errors import Conflict, InvalidInput
from audit import services as audit
from audit.types import Actor, Outcome, Target
from evals.errors import Unknown, invalid
from evals.models import CaseVersion, EvalSet, Revision, RevisionCase
from evals.sets import cases, difference
from evals.sets.cases import Case
from evals.sets.difference import SetDifference

CASES_MOST = 5_000
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")


class CaseMoved(Conflict):
    code, title = "case_changed", "The case was changed meanwhile"


@dataclass(frozen=True, slots=True)
class Written:
    """A revision, and how it differs from the one before it; `is_new` is False where nothing was to be changed."""

    revision: Revision
    difference: SetDifference
    is_new: bool


def create_set(*, tenant: uuid.UUID, name: str, description: str, by: Actor, at: datetime) -> EvalSet:
    """A set without cases, at revision 0. Raises InvalidInput, Conflict where the name is taken."""
    scope.require_tenant(tenant)
    if not _NAME.fullmatch(name):
        raise invalid("/name", "1 to 100 of a-z, 0-9, dot, hyphen and underscore, beginning with a letter or digit")
    if len(description) > 2_000 or "\0" in description:
        raise invalid("/description", "at most 2,000 characters without NUL are taken")
    try:
        with transaction.atomic():
            made = EvalSet.objects.create(
                tenant_id=tenant, name=name, description=description, created_at=at, created_by=by.label[:200]
            )
    except IntegrityError as error:
        raise Conflict(f"there is a set named {name} already") from error
    Revision.objects.create(
        tenant_id=tenant,
        eval_set=made,
        number=0,
        digest=cases.revision_digest({}),
        note="",
        created_at=at,
        created_by=by.label[:200],
    )
    _record(made, "eval_set.created", {"name": name}, by, at)
    return made


def replace_cases(
    *, tenant: uuid.UUID, eval_set: uuid.UUID, found: Mapping[str, Case], note: str, by: Actor, at: datetime
) -> Written:
    """Make these the cases of a set, by key. The same cases as now change nothing. Raises Unknown, InvalidInput."""
    scope.require_tenant(tenant)
    _check(found)
    locked = _lock(tenant, eval_set)
    return _write(locked, _newest(locked), found, note, by, at)


def put_case(
    *, tenant: uuid.UUID, eval_set: uuid.UUID, key: str, case: Case, replaces: str, note: str, by: Actor, at: datetime
) -> Written:
    """Add a case, or change the one whose digest is `replaces` ("" adds). Raises Unknown, InvalidInput, CaseMoved."""
    scope.require_tenant(tenant)
    _check({key: case})
    locked = _lock(tenant, eval_set)
    newest = _newest(locked)
    now = _cases_of(newest)
    before = now[key].digest if key in now else ""
    if before != replaces:
        detail = "somebody else changed this case meanwhile" if before and replaces else "this case is gone meanwhile"
        if before and not replaces:
            detail = f"there is a case {key} already; open it to change it, or take another key"
        raise CaseMoved(detail)
    return _write(locked, newest, {**now, key: case}, note, by, at)


def remove_case(*, tenant: uuid.UUID, eval_set: uuid.UUID, key: str, note: str, by: Actor, at: datetime) -> Written:
    """Leave a case out from the next revision on. Raises Unknown."""
    scope.require_tenant(tenant)
    locked = _lock(tenant, eval_set)
    newest = _newest(locked)
    now = _cases_of(newest)
    if key not in now:
        raise Unknown("There is no such case in the newest revision.")
    del now[key]
    return _write(locked, newest, now, note, by, at)


def archive_set(*, tenant: uuid.UUID, eval_set: uuid.UUID, is_archived: bool, by: Actor, at: datetime) -> None:
    """Put a set away, or bring it back. What was run with it stays. Raises Unknown."""
    scope.require_tenant(tenant)
    locked = _lock(tenant, eval_set, archived=True)
    if (locked.archived_at is not None) == is_archived:
        return
    locked.archived_at = at if is_archived else None
    locked.save(update_fields=["archived_at"])
    action = "eval_set.archived" if is_archived else "eval_set.restored"
    _record(locked, action, {"name": locked.name}, by, at)


def _check(found: Mapping[str, Case]) -> None:
    if len(found) > CASES_MOST:
        raise InvalidInput(f"at most {CASES_MOST} cases are taken in one set")
    for key in found:
        if wrong := cases.key_problem(key):
            raise invalid("/key", f"{key[:130]!r} is no key: {wrong}")


def _lock(tenant: uuid.UUID, eval_set: uuid.UUID, *, archived: bool = False) -> EvalSet:
    """The set, so that its revisions are numbered one after the other."""
    locked = EvalSet.objects.select_for_update().filter(tenant_id=tenant, id=eval_set).first()
    if locked is None:
        raise Unknown("There is no such eval set.")
    if locked.archived_at is not None and not archived:
        raise Conflict("the set is archived; bring it back first")
    return locked


def _newest(eval_set: EvalSet) -> Revision:
    return Revision.objects.filter(tenant_id=eval_set.tenant_id, eval_set=eval_set).order_by("-number")[0]


def _cases_of(revision: Revision) -> dict[str, Case]:
    found = RevisionCase.objects.filter(tenant_id=revision.tenant_id, revision=revision).select_related("case")
    return {each.key: cases.kept(each.case.content) for each in found}


def _write(
    eval_set: EvalSet, newest: Revision, found: Mapping[str, Case], note: str, by: Actor, at: datetime
) -> Written:
    tenant = eval_set.tenant_id
    before = dict(RevisionCase.objects.filter(tenant_id=tenant, revision=newest).values_list("key", "case__digest"))
    after = {key: case.digest for key, case in found.items()}
    changes = difference.of_sets(before, after)
    if changes.is_empty:
        return Written(newest, changes, is_new=False)
    versions = _versions(eval_set, found, by, at)
    made = Revision.objects.create(
        tenant_id=tenant,
        eval_set=eval_set,
        number=newest.number + 1,
        digest=cases.revision_digest(after),
        note=note[:2_000].replace("\0", ""),
        created_at=at,
        created_by=by.label[:200],
    )
    RevisionCase.objects.bulk_create(
        [RevisionCase(tenant_id=tenant, revision=made, case_id=versions[key], key=key) for key in sorted(found)]
    )
    data = {
        "name": eval_set.name,
        "revision": made.number,
        "digest": made.digest,
        "added": len(changes.added),
        "changed": len(changes.changed),
        "removed": len(changes.removed),
    }
    _record(eval_set, "eval_set.changed", data, by, at)
    return Written(made, changes, is_new=True)


def _versions(eval_set: EvalSet, found: Mapping[str, Case], by: Actor, at: datetime) -> dict[str, uuid.UUID]:
    """The id of each case's version by key; what a case said before is not written again."""
    known = {
        (key, digest): id
        for id, key, digest in CaseVersion.objects.filter(
            tenant_id=eval_set.tenant_id, eval_set=eval_set, key__in=list(found)
        ).values_list("id", "key", "digest")
    }
    made = [
        CaseVersion(
            tenant_id=eval_set.tenant_id,
            eval_set=eval_set,
            key=key,
            title=case.title,
            content=case.text,
            digest=case.digest,
            tags=case.tags,
            provenance=case.provenance,
            created_at=at,
            created_by=by.label[:200],
        )
        for key, case in found.items()
        if (key, case.digest) not in known
    ]
    CaseVersion.objects.bulk_create(made, batch_size=500)
    known |= {(each.key, each.digest): each.id for each in made}
    return {key: known[key, case.digest] for key, case in found.items()}


def _record(eval_set: EvalSet, action: str, data: Mapping[str, object], by: Actor, at: datetime) -> None:
    audit.record(
        tenant=eval_set.tenant_id,
        action=action,
        actor=by,
        target=Target(type="eval_set", id=str(eval_set.id)),
        outcome=Outcome.SUCCESS,
        data=data,
        at=at,
    )
