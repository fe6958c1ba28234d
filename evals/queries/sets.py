"""Reads of eval sets and their revisions. Inside the tenant's scope."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, OuterRef, Subquery

from evals.errors import Unknown
from evals.models import CaseVersion, EvalSet, Revision, RevisionCase
from evals.sets import cases
from evals.sets.cases import Case

_REVISIONS_SHOWN = 100


@dataclass(frozen=True, slots=True)
class SetSummary:
    """A set as lists show it; cases and time are those of its newest revision."""

    id: uuid.UUID
    name: str
    description: str
    revision: int
    cases: int
    changed_at: datetime
    is_archived: bool


@dataclass(frozen=True, slots=True)
class KeyedCase:
    """A case of a revision."""

    key: str
    version_id: uuid.UUID
    case: Case
    created_at: datetime
    created_by: str


def eval_sets(*, tenant: uuid.UUID, archived: bool = False) -> list[SetSummary]:
    """By name."""
    newest = Revision.objects.filter(tenant_id=tenant, eval_set=OuterRef("id")).order_by("-number")
    found = (
        EvalSet.objects.filter(tenant_id=tenant, archived_at__isnull=not archived)
        .annotate(
            number=Subquery(newest.values("number")[:1]),
            changed_at=Subquery(newest.values("created_at")[:1]),
            newest_id=Subquery(newest.values("id")[:1]),
        )
        .order_by("name")
    )
    rows = list(found)
    counts = dict(
        RevisionCase.objects.filter(tenant_id=tenant, revision__in=[row.newest_id for row in rows])
        .values_list("revision")
        .annotate(n=Count("id"))
    )
    return [
        SetSummary(
            id=row.id,
            name=row.name,
            description=row.description,
            revision=row.number,
            cases=counts.get(row.newest_id, 0),
            changed_at=row.changed_at,
            is_archived=archived,
        )
        for row in rows
    ]


def eval_set(*, tenant: uuid.UUID, name: str) -> EvalSet:
    """Raises Unknown, which names the sets there are."""
    found = EvalSet.objects.filter(tenant_id=tenant, name=name).first() if "\0" not in name else None
    if found is None:
        known = (
            EvalSet.objects.filter(tenant_id=tenant, archived_at=None).order_by("name").values_list("name", flat=True)
        )
        listed = ", ".join(known[:20]) or "none yet"
        raise Unknown(f"There is no eval set {name[:100]!r}; there are: {listed}.")
    return found


def revisions(*, tenant: uuid.UUID, eval_set: uuid.UUID) -> list[Revision]:
    """The newest first."""
    found = Revision.objects.filter(tenant_id=tenant, eval_set_id=eval_set).order_by("-number")
    return list(found[:_REVISIONS_SHOWN])


def revision(*, tenant: uuid.UUID, eval_set: uuid.UUID, number: int | None = None) -> Revision:
    """One revision; the newest where none is named. Raises Unknown."""
    of_set = Revision.objects.filter(tenant_id=tenant, eval_set_id=eval_set)
    found = of_set.order_by("-number").first() if number is None else of_set.filter(number=number).first()
    if found is None:
        raise Unknown(f"There is no revision {number} of this set.")
    return found


def cases_of(*, tenant: uuid.UUID, revision: uuid.UUID) -> list[KeyedCase]:
    """By key."""
    found = RevisionCase.objects.filter(tenant_id=tenant, revision_id=revision).select_related("case").order_by("key")
    return [
        KeyedCase(each.key, each.case_id, cases.kept(each.case.content), each.case.created_at, each.case.created_by)
        for each in found
    ]


def digests_of(*, tenant: uuid.UUID, revision: uuid.UUID) -> dict[str, str]:
    """Digest by key."""
    found = RevisionCase.objects.filter(tenant_id=tenant, revision_id=revision)
    return dict(found.values_list("key", "case__digest"))


def case_versions(*, tenant: uuid.UUID, eval_set: uuid.UUID, key: str) -> list[CaseVersion]:
    """What a case said, the newest first. Raises Unknown where it never was."""
    found = list(CaseVersion.objects.filter(tenant_id=tenant, eval_set_id=eval_set, key=key).order_by("-id")[:50])
    if not found:
        raise Unknown("There is no such case in this set.")
    return found


def keys_from(*, tenant: uuid.UUID, origin: str, id: str) -> Sequence[tuple[str, str]]:
    """(set, key) of the cases that were made from a trace, an incident, a finding or an item."""
    found = CaseVersion.objects.filter(tenant_id=tenant, provenance__kind=origin, provenance__id=id)
    return list(found.order_by("eval_set__name", "key").values_list("eval_set__name", "key").distinct())


def cases_made_of(*, tenant: uuid.UUID, sources: Sequence[str]) -> list[tuple[str, str]]:
    """(set, key) of the cases that were made of some runs (hex), as their provenance says; at most 50."""
    found = CaseVersion.objects.filter(
        tenant_id=tenant, provenance__id__in=list(sources), eval_set__archived_at__isnull=True
    )
    rows = found.order_by("eval_set__name", "key").values_list("eval_set__name", "key").distinct()
    return [(name, key) for name, key in rows[:50]]


def cases_there(*, tenant: uuid.UUID, named: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Of some (set, key), those that the newest revision of their set has."""
    newest = Revision.objects.filter(tenant_id=tenant, eval_set=OuterRef("id")).order_by("-number")
    names = [name for name, _ in named if "\0" not in name]
    revisions_by_id = dict(
        EvalSet.objects.filter(tenant_id=tenant, name__in=names, archived_at__isnull=True)
        .annotate(newest=Subquery(newest.values("id")[:1]))
        .values_list("newest", "name")
    )
    keys = [key for _, key in named if "\0" not in key]
    rows = RevisionCase.objects.filter(tenant_id=tenant, revision__in=list(revisions_by_id), key__in=keys)
    there = {(revisions_by_id[revision], key) for revision, key in rows.values_list("revision", "key")}
    return [each for each in named if each in there]
