"""What happens by itself: overdue runs end, baselines are computed, and what nobody keeps is forgotten."""

from __future__ import annotations

from datetime import timedelta

from agentops.common import clock
from agentops.common.scope import staff_scope, tenant_scope
from agentops.runtime import queries, services
from agentops.runtime.models import Baseline, GuardedRun, UserMinute
from agentops.runtime.services.finish import tenants_with_work
from agentops.runtime.types import RunStatus
from tests.runtime.guarded import Caller, early_in_a_minute, shift


def test_a_run_past_its_deadline_is_ended_with_all_below_it(acme: Caller) -> None:
    parent = acme.run()
    child = acme.run(parent_run_id=parent.id)
    waiting = child.refund()
    shift(acme.organisation, "runtime_guardedrun", "deadline", timedelta(hours=-2))
    shift(acme.organisation, "confirmations_confirmation", "expires_at", timedelta(hours=-2))
    assert services.sweep(tenant=acme.organisation.id) == 1
    assert services.sweep(tenant=acme.organisation.id) == 0
    with tenant_scope(acme.organisation.id):
        statuses = {
            found.status
            for run in (parent, child)
            if (found := queries.guarded_run(tenant=acme.organisation.id, run=run.uuid))
        }
    assert statuses == {RunStatus.EXPIRED}
    look = acme.call("GET", f"/api/v1/confirmations/{waiting['confirmation']['id']}").json()
    assert look["state"] == "invalidated"


def test_a_round_without_work_opens_no_scope(acme: Caller) -> None:
    run = acme.run()
    with staff_scope():
        assert tenants_with_work(clock.now()) == []
        assert tenants_with_work(clock.now() + timedelta(hours=1)) == [acme.organisation.id]
    run.finish()
    with staff_scope():
        assert tenants_with_work(clock.now() + timedelta(hours=1)) == []


def test_what_is_usual_is_computed_from_whole_minutes(acme: Caller) -> None:
    early_in_a_minute()
    run = acme.run()
    for _ in range(3):
        run.model_call(max_output_tokens=10)
    shift(acme.organisation, "runtime_userminute", "minute", timedelta(minutes=-2))
    acme.run(user="u-2").model_call(max_output_tokens=10)  # this minute is not over
    with tenant_scope(acme.organisation.id):
        assert services.compute_baselines(tenant=acme.organisation.id) == 1
        found = Baseline.objects.get(tenant_id=acme.organisation.id)
        assert (found.agent, found.runs, found.model_calls_p99) == ("refund-desk", 1, 3)


def test_what_the_plan_does_not_keep_is_forgotten_and_what_was_decided_stays(acme: Caller) -> None:
    old, new = acme.run(), acme.run()
    old.look_up()
    for run in (old, new):
        run.finish()
    shift(acme.organisation, "runtime_guardedrun", "ended_at", timedelta(days=-91), f"run_id = '{old.uuid}'")
    shift(acme.organisation, "runtime_userminute", "minute", timedelta(days=-30))
    with tenant_scope(acme.organisation.id):
        services.compute_baselines(tenant=acme.organisation.id)
        assert list(GuardedRun.objects.values_list("run_id", flat=True)) == [new.uuid]
        assert not UserMinute.objects.exists()
    assert old.decisions()[-2:] == [("allow", ""), ("allow", "")]
