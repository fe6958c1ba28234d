"""Model calls: held at the worst case before they are made, charged once after."""

from __future__ import annotations

from datetime import timedelta

import pytest

from agentops.common import clock
from agentops.common.scope import tenant_scope
from agentops.runtime import services
from agentops.runtime.models import Baseline
from tests.runtime.guarded import DEARER, MODEL, Caller, apply, early_in_a_minute, manifest, shift


def test_a_call_is_held_at_its_worst_and_charged_at_what_it_was(acme: Caller) -> None:
    run = acme.run()
    held = run.model_call(input_tokens=1_000, max_output_tokens=500)
    assert (held["decision"], held["model"], held["max_output_tokens"]) == ("allow", MODEL, 500)
    assert held["reserved_usd"] == "0.000450"  # 1000 x 0.15 + 500 x 0.60 per million
    settled = run.settle(held["call_id"], input_tokens=900, output_tokens=100)
    assert settled == {"cost_usd": "0.000195", "state": "settled"}
    receipt = run.finish()
    assert (receipt["cost_usd"], receipt["held_usd"], receipt["tokens"]) == ("0.000195", "0.000000", 1_000)


def test_a_resend_is_the_same_call_and_another_body_is_refused(acme: Caller) -> None:
    run = acme.run()
    first, again = run.model_call(call_id="m"), run.model_call(call_id="m")
    assert first == again
    assert run.model_call(call_id="m", max_output_tokens=9, status=409)["code"] == "idempotency_mismatch"
    assert run.tool_call("search_help", {"text": "x"}, call_id="m", status=409)["code"] == "idempotency_mismatch"
    assert run.finish()["llm_calls"] == 1


def test_a_call_is_settled_once(acme: Caller) -> None:
    run = acme.run()
    call = run.model_call()["call_id"]
    first = run.settle(call, input_tokens=10, output_tokens=10)
    assert run.settle(call, input_tokens=10, output_tokens=10) == first
    assert run.settle(call, input_tokens=11, output_tokens=10, status=409)["code"] == "idempotency_mismatch"
    assert run.settle("nothing", status=404)["code"] == "call_unknown"


def test_an_end_nobody_knows_is_charged_at_the_hold_and_a_call_never_sent_is_free(acme: Caller) -> None:
    run = acme.run()
    unknown, cancelled = run.model_call()["call_id"], run.model_call()["call_id"]
    assert run.settle(unknown, outcome="unknown") == {"cost_usd": "0.000450", "state": "unknown"}
    assert run.settle(cancelled, outcome="cancelled") == {"cost_usd": "0.000000", "state": "released"}
    receipt = run.finish()
    assert (receipt["cost_usd"], receipt["held_usd"]) == ("0.000450", "0.000000")


def test_half_a_usage_is_no_cheap_call(acme: Caller) -> None:
    run = acme.run()
    call = run.model_call()["call_id"]
    for usage in ({}, {"input_tokens": 5}, {"output_tokens": 5}):
        body = {"outcome": "ok", "usage": usage}
        assert run.post(f"model-calls/{call}/settlement", body, status=400)["code"] == "invalid"
    assert run.settle(call) == {"cost_usd": "0.000450", "state": "unknown"}  # nothing said: the whole hold


def test_what_was_allowed_is_not_allowed_again_once_it_is_over(acme: Caller) -> None:
    run = acme.run()
    call = run.model_call(call_id="m")
    assert run.model_call(call_id="m") == call
    run.settle("m", input_tokens=1, output_tokens=1)
    assert run.model_call(call_id="m", status=409)["code"] == "call_over"
    run.model_call(call_id="n")
    shift(acme.organisation, "runtime_guardcall", "decided_at", timedelta(minutes=-11))
    assert run.model_call(call_id="n", status=409)["code"] == "call_over"
    run.model_call(call_id="o")
    run.finish()
    assert run.model_call(call_id="o", status=409)["code"] == "run_finished"


def test_a_downgrade_stays_within_the_runs_own_money(acme: Caller) -> None:
    """The cheapest for the answer that was asked for may be dearer than what the run can pay."""
    apply(acme.organisation, manifest(version="2", model=DEARER, models=[DEARER, MODEL], caps={"cost_usd": "0.004"}))
    budget = {"scope": "tenant", "period": "month", "limit_usd": "0.0000001", "ceiling_usd": "5", "action": "downgrade"}
    assert acme.call("PUT", "/api/v1/budgets", budget, scope="admin").status_code == 200
    run = acme.run(agent_version="2")
    held = run.model_call(model=DEARER, input_tokens=1_000, max_output_tokens=90_000)
    assert (held["decision"], held["model"]) == ("allow", MODEL)
    assert float(held["reserved_usd"]) <= 0.004


def test_a_model_that_the_portal_chose_has_a_price_with_whatever_provider_was_named(acme: Caller) -> None:
    """Frameworks name the provider of the model they are set up with, and the other model is another's."""
    others = "claude-3-haiku-20240307"
    routing = {"cheap": others, "premium": DEARER, "cheap_tasks": ["faq"]}
    apply(acme.organisation, manifest(version="2", model=DEARER, models=[DEARER, others]))
    apply(acme.organisation, manifest(version="3", model=DEARER, models=[DEARER, others], routing=routing))
    run = acme.run(agent_version="3")
    held = run.model_call(model=DEARER, provider="openai", task_class="faq")
    assert (held["decision"], held["model"], held["reserved_usd"]) == ("allow", others, "0.000925")
    assert run.settle(held["call_id"], input_tokens=1_000, output_tokens=100)["cost_usd"] == "0.000375"
    budget = {"scope": "tenant", "period": "month", "limit_usd": "0.0000001", "ceiling_usd": "5", "action": "downgrade"}
    assert acme.call("PUT", "/api/v1/budgets", budget, scope="admin").status_code == 200
    saving = acme.run(agent_version="2").model_call(model=DEARER, provider="openai")
    assert (saving["decision"], saving["model"]) == ("allow", others)
    assert acme.run(agent_version="2").model_call(model=DEARER, provider="anthropic")["code"] == "model_unpriced"


def test_at_a_throttling_budget_the_oldest_run_goes_on(acme: Caller) -> None:
    first, second = acme.run(), acme.run()
    budget = {
        "scope": "user",
        "id": "u-1",
        "period": "month",
        "limit_usd": "0.0000001",
        "ceiling_usd": "5",
        "action": "throttle",
    }
    assert acme.call("PUT", "/api/v1/budgets", budget, scope="admin").status_code == 200
    for _ in range(2):
        assert second.model_call()["decision"] == "throttle"
        assert first.model_call()["decision"] == "allow"
    first.finish()
    assert second.model_call()["decision"] == "allow"


def test_a_hold_nobody_settles_is_charged_by_the_sweep_and_mended_by_a_late_settlement(acme: Caller) -> None:
    run = acme.run()
    call = run.model_call()["call_id"]
    shift(acme.organisation, "budgets_reservation", "expires_at", timedelta(minutes=-30))
    assert services.sweep(tenant=acme.organisation.id) == 1
    assert services.sweep(tenant=acme.organisation.id) == 0
    assert acme.organisation.actions()[-1] == "model_call.settled"
    run.finish()
    settled = run.settle(call, input_tokens=900, output_tokens=100)
    assert settled["cost_usd"] == "0.000195"
    receipt = run.finish()
    assert (receipt["cost_usd"], receipt["held_usd"], receipt["tokens"]) == ("0.000195", "0.000000", 1_000)


def test_a_cancelled_call_is_free_at_once_or_by_a_number_and_else_costs_its_hold(acme: Caller) -> None:
    run = acme.run()
    soon, late, said, swept = (run.model_call()["call_id"] for _ in range(4))
    assert run.settle(soon, outcome="cancelled")["state"] == "released"
    shift(acme.organisation, "budgets_reservation", "reserved_at", timedelta(seconds=-6))
    assert run.settle(late, outcome="cancelled") == {"cost_usd": "0.000450", "state": "unknown"}
    assert run.settle(said, outcome="cancelled", input_tokens=0, output_tokens=0) == {
        "cost_usd": "0.000000",
        "state": "settled",
    }
    shift(acme.organisation, "budgets_reservation", "expires_at", timedelta(minutes=-30), f"call_id = '{swept}'")
    assert services.sweep(tenant=acme.organisation.id) == 1
    assert run.settle(swept, outcome="cancelled")["state"] == "unknown"  # silence corrects nothing
    receipt = run.finish()
    assert (receipt["cost_usd"], receipt["held_usd"], receipt["tokens"]) == ("0.000900", "0.000000", 3_000)


def test_who_may_finish_past_one_budget_still_saves_for_another(acme: Caller) -> None:
    for scope, action in (("user", "throttle"), ("tenant", "downgrade")):
        budget = {"scope": scope, "period": "day", "limit_usd": "0.001", "ceiling_usd": "5", "action": action}
        assert acme.call("PUT", "/api/v1/budgets", budget, scope="admin").status_code == 200
    run = acme.run()
    answer = run.model_call(model=DEARER)
    assert (answer["decision"], answer["model"]) == ("allow", MODEL)
    assert "the cheapest allowed model serves" in answer["because"]


def test_more_than_the_hold_is_a_debt_that_counts(acme: Caller) -> None:
    apply(acme.organisation, manifest(version="2", caps={"cost_usd": "0.001"}))
    run = acme.run(agent_version="2")
    call = run.model_call()["call_id"]
    settled = run.settle(call, input_tokens=1_000, output_tokens=5_000)
    assert settled == {"cost_usd": "0.003150", "state": "settled", "debt_usd": "0.002700"}
    assert run.model_call()["code"] == "cost_budget_exceeded"


def test_the_answer_is_shortened_to_what_is_left(acme: Caller) -> None:
    apply(acme.organisation, manifest(version="2", caps={"cost_usd": "0.0003", "tokens": 1_300}))
    run = acme.run(agent_version="2")
    first = run.model_call(input_tokens=1_000, max_output_tokens=500)
    assert (first["decision"], first["max_output_tokens"]) == ("allow", 250)  # money for 250 of them
    run.settle(first["call_id"], outcome="cancelled")
    second = run.model_call(input_tokens=1_200, max_output_tokens=500)
    assert (second["decision"], second["max_output_tokens"]) == ("allow", 100)  # tokens for 100
    run.settle(second["call_id"], outcome="cancelled")
    assert run.model_call(input_tokens=1_300)["code"] == "token_budget_exceeded"


def test_steps_are_counted_when_reserved_advice_comes_at_three_quarters_and_the_cap_ends_the_run(acme: Caller) -> None:
    apply(acme.organisation, manifest(version="2", caps={"llm_calls": 4}))
    run = acme.run(agent_version="2")
    answers = [run.model_call(max_output_tokens=10) for _ in range(5)]
    assert [answer["decision"] for answer in answers] == ["allow"] * 4 + ["abort"]
    assert ["advice" in answer for answer in answers] == [False, False, True, True, False]
    assert "75 % of the model calls" in answers[2]["advice"]
    assert answers[4]["code"] == "step_cap_reached"
    assert run.model_call(status=409)["code"] == "run_finished"
    assert run.finish()["detail"] == "Stopped: the run has made its 4 model calls."
    assert acme.organisation.actions()[-2:] == ["run.ended", "model_call.decided"]


def test_models_without_a_price_or_not_allowed_are_refused(acme: Caller) -> None:
    apply(acme.organisation, manifest(version="2", model="house-llama-7", models=["house-llama-7", MODEL]))
    run = acme.run(agent_version="2")
    assert run.model_call(model="house-llama-7")["code"] == "model_unpriced"
    assert run.model_call(model=DEARER)["code"] == "model_not_allowed"
    assert run.model_call(model=MODEL)["decision"] == "allow"


def test_a_run_of_another_organisation_does_not_exist(acme: Caller, globex: Caller) -> None:
    run = acme.run()
    call = run.model_call()["call_id"]
    for path, body in (
        ("model-calls", {"call_id": "x", "model": MODEL, "input_tokens": 1, "max_output_tokens": 1}),
        (f"model-calls/{call}/settlement", {"outcome": "ok"}),
        ("finish", {"status": "ok"}),
    ):
        response = globex.call("POST", f"/api/v1/guard/runs/{run.id}/{path}", body)
        assert (response.status_code, response.json()["code"]) == (404, "run_unknown")


@pytest.mark.parametrize("run_id", ["x", "0" * 32, "f" * 31, "0192aaaa-bbbb-7ccc-8ddd-eeeeffff0000"])
def test_forged_run_ids_are_runs_that_do_not_exist(acme: Caller, run_id: str) -> None:
    response = acme.call("POST", f"/api/v1/guard/runs/{run_id}/finish", {"status": "ok"})
    assert (response.status_code, response.json()["code"]) == (404, "run_unknown")


def test_a_model_call_rate_far_above_the_usual_is_throttled(acme: Caller) -> None:
    early_in_a_minute()
    run = acme.run()
    run.model_call(max_output_tokens=10)
    _baseline(acme, runs=250, p99=1)
    answers = [run.model_call(max_output_tokens=10) for _ in range(6)]
    assert [answer["decision"] for answer in answers][-1] == "throttle"
    assert (answers[-1]["code"], answers[-1]["retry_after"] > 0) == ("rate_limited", True)
    assert sum(answer["decision"] == "allow" for answer in answers) == 4  # five a minute, one was made before


def _baseline(caller: Caller, *, runs: int, p99: int) -> None:
    with tenant_scope(caller.organisation.id):
        Baseline.objects.create(
            tenant_id=caller.organisation.id,
            agent="refund-desk",
            runs=runs,
            model_calls_p99=p99,
            computed_at=clock.now(),
        )
