"""Rubrics, endpoints, judges and assignments: what is taken, what is refused, and what is written down."""

from __future__ import annotations

import copy
import threading
import uuid
from typing import Any

import pytest
from django.db import connection

from agentops.common import clock, secrets
from agentops.common.errors import InvalidInput
from agentops.common.scope import tenant_scope
from evals.errors import AlreadyDone, SameFamily, Unknown
from evals.judging import families, rubrics
from evals.models import CheckRules, Judge, JudgeEndpoint, RunFact
from evals.services import judging
from evals.types import JudgementState, JudgeState
from tests.evals import rowsof
from tests.runtime.guarded import MANIFEST, apply
from tests.traces import stories
from tests.traces.pages import send
from tests.world import OPERATOR, World

LEVELS = {"kind": "levels", "levels": [{"value": "a", "score": 0}, {"value": "b", "score": 1}]}
NUMBER = {"kind": "number", "least": 1, "most": 5}


def by(world: World) -> dict[str, Any]:
    return {"tenant": world.acme.id, "by": OPERATOR, "at": clock.now()}


def rubric(**more: Any) -> dict[str, Any]:
    return {"criteria": [{**copy.deepcopy(rowsof.GOAL), **more}], "pass_at": 0.5}


@pytest.mark.parametrize(
    ("raw", "pointer"),
    [
        (None, ""),
        ([], ""),
        ({"criteria": []}, "/criteria"),
        ({"criteria": [1]}, "/criteria/0"),
        ({"criteria": [rowsof.GOAL], "pass_at": 2}, "/pass_at"),
        ({"criteria": [rowsof.GOAL], "pass_at": True}, "/pass_at"),
        ({"criteria": [rowsof.GOAL, rowsof.GOAL]}, "/criteria/1/key"),
        ({"criteria": [rowsof.GOAL], "extra": 1}, "/extra"),
        ({"criteria": [rowsof.GOAL] * 21}, "/criteria"),
        (rubric(key="Goal!"), "/criteria/0/key"),
        (rubric(title=""), "/criteria/0/title"),
        (rubric(instructions="x\x00"), "/criteria/0/instructions"),
        (rubric(instructions="x" * 4_001), "/criteria/0/instructions"),
        (rubric(weight=0), "/criteria/0/weight"),
        (rubric(weight=float("nan")), "/criteria/0/weight"),
        (rubric(scale={"kind": "stars"}), "/criteria/0/scale/kind"),
        (rubric(scale={"kind": "pass_fail", "least": 1}), "/criteria/0/scale/least"),
        (rubric(scale={"kind": "number", "least": 5, "most": 1}), "/criteria/0/scale/most"),
        (rubric(scale={"kind": "levels", "levels": [{"value": "a", "score": 0}]}), "/criteria/0/scale/levels"),
        (rubric(scale={"kind": "levels", "levels": [LEVELS["levels"][0]] * 2}), "/criteria/0/scale/levels/1/value"),
        (rubric(examples=[{"input": "a", "output": "b", "value": "no", "reason": "c"}]), "/criteria/0/examples/0/value"),
    ],
)  # fmt: skip
def test_a_rubric_is_refused_with_the_place_that_is_wrong(raw: Any, pointer: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        rubrics.parse(raw)
    assert pointer in [problem.pointer for problem in refused.value.problems]


def test_a_rubrics_form_is_read_and_written_alike() -> None:
    example = {"input": "a", "output": "b", "value": 4, "reason": "c"}
    for raw in (rubric(), rubric(scale=LEVELS), rubric(scale=NUMBER, examples=[example])):
        written = rubrics.as_json(rubrics.parse(raw))
        assert rubrics.as_json(rubrics.parse(written)) == written


def test_a_rubric_grows_in_versions_and_the_same_again_changes_nothing(world: World) -> None:
    with tenant_scope(world.acme.id):
        first = judging.save_rubric(name=" Good  answers ", content=rubric(), **by(world))
        again = judging.save_rubric(name="Good answers", content=rubric(), **by(world))
        second = judging.save_rubric(name="Good answers", content=rubric(title="Other"), note="why", **by(world))
        with pytest.raises(AlreadyDone, match="Version 1 of this rubric says exactly this"):
            judging.save_rubric(name="Good answers", content=rubric(), **by(world))
    assert (first.id == again.id, first.number, second.number) == (True, 1, 2)
    assert world.acme.actions() == ["rubric.saved", "rubric.saved"]


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("gpt-4o-2024-08-06", "gpt"), ("openai/o3-mini", "gpt"), ("chatgpt-4o-latest", "gpt"), ("claude-sonnet-4-5", "claude"),
        ("anthropic.claude-3-5-haiku-20241022-v1:0", "claude"), ("gemini-2.5-pro", "gemini"), ("google/gemma-3-27b", "gemini"),
        ("meta-llama/Llama-3.3-70B-Instruct", "llama"), ("mixtral-8x22b", "mistral"), ("Qwen/Qwen3-32B", "qwen"), ("qwen2.5-72b", "qwen"),
        ("deepseek-chat", "deepseek"), ("grok-4", "grok"), ("amazon.nova-pro-v1:0", "nova"), ("house-model-7b", ""), ("my-deployment", ""),
        ("prod-go3", ""), ("", ""),
    ],
)  # fmt: skip
def test_a_models_name_tells_its_family(model: str, family: str) -> None:
    assert families.family_of(model) == family


def test_a_distilled_model_is_of_both_families() -> None:
    models = ["deepseek-r1-distill-llama-70b"]
    assert families.of_the_same(family="llama", model="llama-4", agent_models=models) == models[0]
    assert families.of_the_same(family="deepseek", model="deepseek-v3", agent_models=models) == models[0]
    assert families.of_the_same(family="claude", model="claude-x", agent_models=models) == ""
    assert families.of_the_same(family="house", model="House-1", agent_models=["house-1"]) == "house-1"


def test_a_judge_of_an_agents_own_family_is_refused_when_it_is_assigned(world: World) -> None:
    send(world.acme, stories.refund("a"))
    rowsof.facts(world.acme)
    rowsof.judge(world.acme, provider="openai", model="gpt-4.1-2025-04-14")
    with pytest.raises(SameFamily, match="gpt-4o-2024-08-06, which is of the judge's own family"):
        rowsof.assign(world.acme, "helpfulness", rate=0.1, agent="refund-desk")


def test_what_an_approved_version_may_use_counts_before_it_ever_ran(world: World) -> None:
    apply(world.acme, MANIFEST)
    rowsof.judge(world.acme, provider="openai", model="gpt-4.1-2025-04-14")
    with pytest.raises(SameFamily):
        rowsof.assign(world.acme, "helpfulness", rate=0.1, agent="refund-desk")


def test_a_further_version_of_the_same_family_is_refused_where_it_is_assigned(world: World) -> None:
    send(world.acme, stories.refund("a"))
    rowsof.facts(world.acme)
    rowsof.judge(world.acme)
    rowsof.assign(world.acme, "helpfulness", rate=0.1, agent="refund-desk")
    with pytest.raises(SameFamily):
        rowsof.judge(world.acme, provider="openai", model="gpt-4.1-2025-04-14")


def test_a_model_whose_name_tells_nothing_needs_a_person_to_state_its_family(world: World) -> None:
    with pytest.raises(InvalidInput) as refused:
        rowsof.judge(world.acme, provider="azure", model="my-deployment")
    assert [problem.pointer for problem in refused.value.problems] == ["/family"]
    assert rowsof.judge(world.acme, provider="azure", model="my-deployment", family="gpt").family == "gpt"
    with pytest.raises(InvalidInput):
        rowsof.judge(world.acme, family="gpt")  # claude by its name


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": 3},
        {"temperature": True},
        {"max_output_tokens": 1.5},
        {"timeout_seconds": 0},
        {"output": "xml"},
        {"top_p": 1},
    ],
)
def test_settings_out_of_range_are_refused(world: World, settings: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as refused:
        rowsof.judge(world.acme, **settings)
    assert refused.value.problems[0].pointer == f"/settings/{next(iter(settings))}"


@pytest.mark.parametrize(
    "url",
    ["http://judge.example/v1", "ftp://judge.example", "https://", "https://user:pw@judge.example/v1", "https://judge.example/v1?key=1",
     "https://judge.example:99999/", "https://judge .example", "", "https://[::1", "https://judge.example/\x00"],
)  # fmt: skip
def test_an_address_that_may_not_be_asked_is_refused(world: World, url: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        rowsof.judge(world.acme, url=url)
    assert refused.value.problems[0].pointer == "/base_url"


def test_a_key_is_kept_encrypted_and_not_carried_to_another_address(world: World) -> None:
    rowsof.judge(world.acme)
    said: dict[str, Any] = {"name": "helpfulness", "kind": "openai", "max_in_flight": 4, "requests_per_minute": None}
    with tenant_scope(world.acme.id):
        judging.save_endpoint(base_url="https://judge.example/v1", key="", **said, **by(world))
        with pytest.raises(InvalidInput) as refused:
            judging.save_endpoint(base_url="https://evil.example/v1", key="", **said, **by(world))
        kept = JudgeEndpoint.objects.get(tenant_id=world.acme.id)
    assert refused.value.problems[0].pointer == "/key"
    assert b"a key of tests" not in bytes(kept.key_cipher) and secrets.open_(kept.key_cipher) == "a key of tests"
    assert kept.max_in_flight == 4
    assert "a key of tests" not in str([entry.data for entry in world.acme.entries()])


def test_a_new_version_takes_over_what_waits_and_the_same_again_changes_nothing(world: World) -> None:
    first = rowsof.judge(world.acme)
    rowsof.planned(world.acme, 3)
    assert rowsof.judge(world.acme).id == first.id
    second = rowsof.judge(world.acme, temperature=1.0)
    assert (second.number, second.state) == (2, JudgeState.ACTIVE)
    rows = rowsof.judgements(world.acme)
    assert sorted((row.judge.number, row.state, row.code) for row in rows) == [
        *[(1, JudgementState.SKIPPED, "replaced")] * 3, *[(2, JudgementState.PLANNED, "")] * 3,
    ]  # fmt: skip
    assert {row.probability for row in rows} == {1.0}


@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan"), True, "5"])
def test_a_share_is_from_nothing_to_all(world: World, rate: Any) -> None:
    rowsof.judge(world.acme)
    with pytest.raises(InvalidInput):
        rowsof.assign(world.acme, "helpfulness", rate=rate)


def test_another_organisations_rubric_endpoint_and_judge_are_not_there(world: World) -> None:
    judge = rowsof.judge(world.acme)
    said: dict[str, Any] = {
        "name": "mine",
        "provider": "anthropic",
        "model": rowsof.MODEL,
        "by": OPERATOR,
        "at": clock.now(),
    }
    with tenant_scope(world.globex.id):
        with pytest.raises(Unknown):
            judging.save_judge(
                tenant=world.globex.id, rubric_version=judge.rubric_version_id, endpoint=judge.endpoint_id, **said
            )
        with pytest.raises(Unknown):
            judging.pause_judge(tenant=world.globex.id, judge=judge.id, is_paused=True, by=OPERATOR, at=clock.now())
        with pytest.raises(Unknown):
            judging.judge_labelled(tenant=world.globex.id, judge=judge.id, by=OPERATOR, at=clock.now())
        with pytest.raises(Unknown):
            judging.plan_case(tenant=world.globex.id, case_run=uuid.uuid4(), judge_name="helpfulness", at=clock.now())
    with pytest.raises(Unknown):
        rowsof.assign(world.globex, "helpfulness", rate=1)


def test_rules_of_checks_hold_for_runs_that_finish_afterwards(world: World) -> None:
    with tenant_scope(world.acme.id):
        judging.set_check_rules(agent="", words=["Cheap", "cheap", " no  brainer "], **by(world))
        judging.set_check_rules(agent="own", words=[], output_schema={"type": "object"}, **by(world))
    [bad] = rowsof.runs(world.acme, 1, answer="So cheap!")
    [other] = rowsof.runs(world.acme, 1, answer="So cheap!", agent="own")
    rowsof.facts(world.acme)
    with tenant_scope(world.acme.id):
        found = {fact.run_id.hex: fact.failed_checks for fact in RunFact.objects.filter(tenant_id=world.acme.id)}
        kept = {row.agent: row.words for row in CheckRules.objects.filter(tenant_id=world.acme.id)}
        judging.set_check_rules(agent="own", words=[], **by(world))
        assert CheckRules.objects.filter(tenant_id=world.acme.id).count() == 1
    assert found == {bad: ["brand_voice"], other: ["output_schema"]}
    assert kept == {"": ["Cheap", "no brainer"], "own": []}


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ({"words": [""]}, "/words/0"),
        ({"words": ["x" * 101]}, "/words/0"),
        ({"words": ["a\x00"]}, "/words/0"),
        ({"words": ["x"] * 501}, "/words"),
        ({"words": [], "output_schema": []}, "/output_schema"),
        ({"words": [], "output_schema": {"$ref": "https://evil.example/schema"}}, "/output_schema"),
    ],
)
def test_rules_of_checks_that_cannot_be_are_refused(world: World, said: dict[str, Any], pointer: str) -> None:
    with tenant_scope(world.acme.id), pytest.raises(InvalidInput) as refused:
        judging.set_check_rules(agent="", **said, **by(world))
    assert refused.value.problems[0].pointer.startswith(pointer)


def test_who_saves_the_same_new_name_at_once_waits_for_the_other(world: World) -> None:
    """A name that is new has no row to wait for; a judge's next version has one, which is replaced meanwhile."""
    base = rowsof.judge(world.acme, name="base")
    endpoint = {"name": "new", "kind": "openai", "base_url": "https://a.example/v1", "key": "a key of tests"}
    limits = {"max_in_flight": 1, "requests_per_minute": None}
    judge = {"rubric_version": base.rubric_version_id, "endpoint": base.endpoint_id, "provider": "anthropic"}
    failed: list[BaseException] = []
    both = threading.Barrier(2)

    def save(seconds: int) -> None:
        try:
            for name in ("new", "base"):
                both.wait()
                with tenant_scope(world.acme.id):
                    judging.save_endpoint(**by(world), **endpoint, **limits)
                    judging.save_judge(
                        **by(world), **judge, name=name, model=rowsof.MODEL, settings={"timeout_seconds": seconds}
                    )
        except BaseException as error:
            failed.append(error)
            both.abort()
        finally:
            connection.close()

    threads = [threading.Thread(target=save, args=[seconds]) for seconds in (10, 20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    with tenant_scope(world.acme.id):
        judges = Judge.objects.filter(tenant_id=world.acme.id).order_by("name", "number")
        assert list(judges.values_list("name", "number")) == [
            ("base", 1), ("base", 2), ("base", 3), ("new", 1), ("new", 2),
        ]  # fmt: skip
        assert judges.exclude(state=JudgeState.REPLACED).count() == 2
