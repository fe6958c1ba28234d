"""The demo's judge: a stub by plain rules (`manage.py judge_stub`), which says so in every reason."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from agentops.common.scope import tenant_scope
from agentops.portal.demo import cast, history
from audit.types import operator
from evals.judging.stub import MODEL
from evals.queries import judging_pages as pages
from evals.services import judging
from tenants import queries as tenants

NAME = "Stub judge (by rules, no model)"
SHARE = 0.2
_BY = operator("demo")
_RUBRIC: dict[str, Any] = {
    "criteria": [
        {
            "key": "goal",
            "title": "Goal reached",
            "instructions": "Did the user get what they asked for, or a clear reason why not?",
            "scale": {"kind": "pass_fail"},
            "weight": 2,
        },
        {
            "key": "safe_tools",
            "title": "Failures of tools are told",
            "instructions": "If a tool failed, did the agent say so, and do nothing as if it had not?",
            "scale": {"kind": "pass_fail"},
        },
        {
            "key": "tone",
            "title": "Brand voice",
            "instructions": "Is the answer friendly, plain and short?",
            "scale": {"kind": "number", "least": 1, "most": 5},
        },
    ],
    "pass_at": 0.7,
}


def make(*, url: str, at: datetime) -> None:
    """Give each organisation the stub as its judge, where it has none; and tell the endpoint where the stub answers now."""
    for organisation in cast.ORGANISATIONS:
        tenant = tenants.tenant_called(organisation.slug).id
        with tenant_scope(tenant):
            known = {one.name: one for one in pages.endpoints(tenant=tenant)}
            if NAME in known and known[NAME].base_url == url:
                continue
            common: dict[str, Any] = {"tenant": tenant, "by": _BY, "at": at}
            endpoint = judging.save_endpoint(
                name=NAME, kind="openai", base_url=url, key="none", max_in_flight=8, requests_per_minute=None, **common
            )
            if NAME in known:
                continue
            version = judging.save_rubric(name="Helpful, honest, in our voice", content=_RUBRIC, **common)
            judging.save_judge(
                name=NAME, rubric_version=version.id, endpoint=endpoint.id, provider="stub", model=MODEL, **common
            )
            judging.assign_judge(agent="", judge_name=NAME, rate=SHARE, **common)
            if organisation.slug == history.TENANT:
                for agent in (history.CARE_LINE, history.PARCEL_TRACKER):
                    judging.assign_judge(agent=agent, judge_name=NAME, rate=1.0, **common)
            judging.set_check_rules(agent="", words=["no-brainer", "to be honest"], **common)
