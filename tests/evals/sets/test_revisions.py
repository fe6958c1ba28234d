"""Revisions of a set: numbered one after the other, what a case said stays, the same cases are the same revision."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection

from agentops.common import clock
from agentops.common.errors import Conflict, InvalidInput
from agentops.common.scope import tenant_scope
from evals import queries, services
from evals.errors import Unknown
from evals.models import CaseVersion
from evals.services.sets import CaseMoved, Written
from tests.evals.sets.made import case, make_set, replace
from tests.world import OPERATOR, World


def put(world: World, eval_set: Any, key: str, found: Any, replaces: str = "") -> Written:
    with tenant_scope(world.acme.id):
        return services.put_case(
            tenant=world.acme.id,
            eval_set=eval_set.id,
            key=key,
            case=found,
            replaces=replaces,
            note="",
            by=OPERATOR,
            at=clock.now(),
        )


def test_the_same_cases_are_the_same_revision_and_a_change_is_the_next_one(world: World) -> None:
    made = make_set(world.acme, a=case(), b=case(title="B"))
    again = replace(world.acme, made.id, {"b": case(title="B"), "a": case()})
    assert not again.is_new and again.revision.number == 1
    changed = replace(world.acme, made.id, {"a": case(title="A2"), "c": case(title="C")})
    assert changed.revision.number == 2
    assert (changed.difference.added, changed.difference.removed, changed.difference.changed) == (["c"], ["b"], ["a"])
    back = replace(world.acme, made.id, {"a": case(), "b": case(title="B")})
    assert back.revision.number == 3 and back.revision.digest == again.revision.digest
    with tenant_scope(world.acme.id):
        assert CaseVersion.objects.filter(tenant_id=world.acme.id).count() == 4, (
            "what was said before is not kept twice"
        )
        first = queries.revision(tenant=world.acme.id, eval_set=made.id, number=1)
        found = queries.cases_of(tenant=world.acme.id, revision=first.id)
    assert [(each.key, each.case.title) for each in found] == [("a", "A refund"), ("b", "B")]
    assert world.acme.actions() == ["eval_set.created", *["eval_set.changed"] * 3]


def test_a_case_is_added_changed_and_removed_only_as_it_was_seen(world: World) -> None:
    made = make_set(world.acme, a=case())
    put(world, made, "b", case(title="B"))
    with pytest.raises(CaseMoved, match="already"):
        put(world, made, "b", case(title="B again"))
    with pytest.raises(CaseMoved, match="somebody else"):
        put(world, made, "a", case(title="A2"), replaces=case(title="Other").digest)
    with pytest.raises(CaseMoved, match="gone"):
        put(world, made, "z", case(), replaces=case().digest)
    assert put(world, made, "a", case(title="A2"), replaces=case().digest).revision.number == 3
    with tenant_scope(world.acme.id):
        services.remove_case(tenant=world.acme.id, eval_set=made.id, key="b", note="", by=OPERATOR, at=clock.now())
        newest = queries.revision(tenant=world.acme.id, eval_set=made.id)
        assert list(queries.digests_of(tenant=world.acme.id, revision=newest.id)) == ["a"]
        with pytest.raises(Unknown):
            services.remove_case(tenant=world.acme.id, eval_set=made.id, key="b", note="", by=OPERATOR, at=clock.now())


def test_people_who_add_cases_at_once_all_get_a_revision(world: World) -> None:
    made = make_set(world.acme)
    failed: list[BaseException] = []

    def add(number: int) -> None:
        try:
            put(world, made, f"case-{number}", case(title=f"Case {number}"))
        except BaseException as error:
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=add, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    with tenant_scope(world.acme.id):
        newest = queries.revision(tenant=world.acme.id, eval_set=made.id)
        assert newest.number == 6
        assert len(queries.digests_of(tenant=world.acme.id, revision=newest.id)) == 6


def test_another_organisations_set_is_not_there(world: World) -> None:
    made = make_set(world.acme, a=case())
    with tenant_scope(world.globex.id):
        with pytest.raises(Unknown):
            queries.eval_set(tenant=world.globex.id, name="refunds")
        with pytest.raises(Unknown):
            services.replace_cases(
                tenant=world.globex.id, eval_set=made.id, found={}, note="", by=OPERATOR, at=clock.now()
            )
    make_set(world.globex, a=case())


def test_names_and_keys_that_are_none_are_refused(world: World) -> None:
    make_set(world.acme)
    with pytest.raises(Conflict, match="already"):
        make_set(world.acme)
    for name in ("", "A set", "a\0b", "a" * 101):
        with pytest.raises(InvalidInput):
            make_set(world.acme, name)
    made = make_set(world.acme, "other")
    with pytest.raises(InvalidInput, match="no key"):
        replace(world.acme, made.id, {"../x": case()})


def test_an_archived_set_is_not_changed_until_it_is_back(world: World) -> None:
    made = make_set(world.acme, a=case())
    for is_archived in (True, True, False):
        with tenant_scope(world.acme.id):
            services.archive_set(
                tenant=world.acme.id, eval_set=made.id, is_archived=is_archived, by=OPERATOR, at=clock.now()
            )
            assert [each.name for each in queries.eval_sets(tenant=world.acme.id)] == [] * is_archived + ["refunds"] * (
                not is_archived
            )
        if is_archived:
            with pytest.raises(Conflict, match="archived"):
                replace(world.acme, made.id, {})
    assert world.acme.actions()[-2:] == ["eval_set.archived", "eval_set.restored"]
