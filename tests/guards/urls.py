"""Every URL of the product, from the resolver, with something to put into its places."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from rest_framework.views import APIView

from agentops.budgets import services as budgets
from agentops.budgets.types import Action, BudgetTerms, Period, Scope
from agentops.catalog import manifest
from agentops.catalog import queries as catalogued
from agentops.catalog import services as catalog
from agentops.common import clock
from agentops.common.scope import tenant_scope
from agentops.confirmations import services as confirming
from agentops.confirmations.policies.rules import RuleTerms
from agentops.confirmations.policies.standing import Constraint, Kind
from agentops.confirmations.types import Person as Decider
from agentops.outbox import services as outbox
from agentops.runtime import queries as decided
from agentops.runtime import services as runtime
from agentops.runtime.decisionview import decision_key
from agentops.runtime.types import SwitchMode, SwitchScope
from agentops.traces.models import SavedSearch
from audit import queries as audited
from audit import services as audit
from audit.models import Leaf
from audit.searching import Filters
from evals import services as evals
from evals.models import CaseRun, DriftFinding, EvalSet, SuiteRun
from evals.sets import cases
from evals.types import Runner
from incidents import queries as incident_queries
from incidents import services as incidents
from incidents.cadence_item import ItemKind, NewItem
from incidents.models import Handover, Incident
from incidents.queries import targets as paged
from incidents.queries.named import incident_called
from incidents.services import action_items, alerts, comms, learning
from incidents.services import rules as alert_rules
from incidents.services import targets as paging_targets
from incidents.services.rotations import RotationTerms
from incidents.types import Cadence
from tenants import queries as tenants
from tenants import services as tenant_services
from tenants.access import Door
from tenants.house import house_scope
from tenants.models import ApiKey
from tenants.roles import StaffRole
from tests.confirmations.asked import link
from tests.confirmations.letters import Letters
from tests.evals import rowsof
from tests.incidents import cases as evidenced
from tests.incidents.looks import look
from tests.runtime.guarded import MANIFEST, Caller, apply, unreviewed
from tests.world import OPERATOR, Organisation, World


@dataclass(frozen=True)
class Url:
    """One route. `door` is set for people's pages, `view` for machines'."""

    route: str
    name: str
    door: Door | None
    view: type[APIView] | None

    @property
    def places(self) -> set[str]:
        return set(re.findall(r"<(?:\w+:)?(\w+)>", self.route)) | set(re.findall(r"\(\?P<(\w+)>", self.route))

    def __str__(self) -> str:
        return self.name or self.route


def all_urls() -> list[Url]:
    return list(_walk(get_resolver().url_patterns, ""))


def _walk(patterns: list[URLPattern | URLResolver], prefix: str) -> Iterator[Url]:
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, route)
        else:
            callback: Any = pattern.callback
            door = getattr(callback, "door", None)
            yield Url(route, pattern.name or "", door, None if door else getattr(callback, "cls", None))


URLS = all_urls()
PAGES = [url for url in URLS if url.door]
MACHINES = [url for url in URLS if url.view]


def scope_of(url: Url, method: str) -> str | None:
    """The scope that a machine's URL asks for."""
    found: Any = getattr(url.view, "scopes", {}).get(method.upper()) or getattr(url.view, "scope", None)
    return found


# -- what stands in the places of a route -----------------------------------------------------------------------------


class Things:
    """One thing of each kind in an organisation, made when a URL first asks for it."""

    def __init__(self, world: World, organisation: Organisation) -> None:
        self.world, self.organisation = world, organisation

    def member(self) -> uuid.UUID | None:
        """Not the owner, where there is somebody else: an owner cannot be removed."""
        return (self.world.pete if self.organisation is self.world.acme else self.world.cleo).membership_id

    def key(self) -> uuid.UUID:
        with tenant_scope(self.organisation.id):
            return ApiKey.objects.filter(tenant_id=self.organisation.id).values_list("id", flat=True)[0]

    # paging
    def target_id(self) -> uuid.UUID:
        """Our own, whichever organisation is asked for."""
        terms = paging_targets.Terms(name="Night", kind="mail", address="night@agentops.example", severities=(1,))
        with house_scope() as tenant:
            known = [each.id for each in paged.targets() if each.name == terms.name]
            if known:
                return known[0]
            return incidents.set_target(tenant=tenant, terms=terms, by=OPERATOR, at=clock.now()).id

    def target(self) -> uuid.UUID:
        """As pagers call it."""
        return self.target_id()

    def target_kind(self) -> str:
        return "pagerduty"

    # incidents: evidence
    def evidence_id(self) -> uuid.UUID:
        return evidenced.kept(self.ref())

    def reversal_id(self) -> uuid.UUID:
        return evidenced.reversal(self.ref())

    # judging
    def judge_id(self) -> uuid.UUID:
        return rowsof.judge(self.organisation).id

    def rubric_id(self) -> uuid.UUID:
        return rowsof.judge(self.organisation).rubric_version.rubric_id

    def assignment_id(self) -> uuid.UUID:
        rowsof.judge(self.organisation)
        return rowsof.assign(self.organisation, "helpfulness", rate=0.1).id

    def price(self) -> uuid.UUID:
        rates = {"input": Decimal(1), "output": Decimal(2)}
        with tenant_scope(self.organisation.id):
            made = budgets.set_price(
                tenant=self.organisation.id, provider="", model="m", rates=rates, by=OPERATOR, at=clock.now()
            )
        return made.id

    def discount(self) -> uuid.UUID:
        with tenant_scope(self.organisation.id):
            made = budgets.set_discount(
                tenant=self.organisation.id, provider="", model="m", percent=Decimal(5), by=OPERATOR, at=clock.now()
            )
        return made.id

    def repricing(self) -> uuid.UUID:
        """Over already: nobody else's can begin while one is open."""
        at = clock.now()
        with tenant_scope(self.organisation.id):
            made = budgets.plan_repricing(
                tenant=self.organisation.id, since=at - timedelta(hours=1), until=at, reason="m", by=OPERATOR, at=at
            )
            budgets.stop_repricing(tenant=self.organisation.id, repricing_id=made.id, by=OPERATOR, at=at)
        return made.id

    def budget_id(self) -> uuid.UUID:
        terms = BudgetTerms(
            scope=Scope.TENANT,
            scope_id="",
            period=Period.DAY,
            limit_nano_usd=1,
            ceiling_nano_usd=1,
            thresholds=(),
            action=Action.BLOCK,
        )
        with tenant_scope(self.organisation.id):
            return budgets.set_budget(tenant=self.organisation.id, terms=terms, by=OPERATOR, at=clock.now()).id

    def run_id(self) -> str:
        """A run of two spans, sent as an agent sends it."""
        run_id, at = uuid.uuid5(self.organisation.id, "run").hex, clock.now() - timedelta(minutes=1)
        span = {"trace_id": run_id, "started_at": at.isoformat(), "ended_at": clock.now().isoformat(), "agent": "desk"}
        spans = [
            {**span, "span_id": "00000000000000aa", "kind": "run", "name": "run"},
            {**span, "span_id": self.span_id(), "parent_span_id": "00000000000000aa", "kind": "llm", "name": "ask"},
        ]
        answer = Client().post(
            "/api/v1/traces",
            json.dumps({"spans": spans}),
            content_type="application/json",
            headers={"authorization": f"Bearer {self.organisation.keys['ingest']}"},
        )
        assert answer.status_code == 200, answer.content
        return run_id

    def span_id(self) -> str:
        return "00000000000000bb"

    def agent_name(self) -> str:
        """A registered agent with one tool."""
        arguments = {"type": "object", "additionalProperties": False, "properties": {}}
        read = manifest.read(
            {
                "agent": {"name": "desk", "version": "1", "model": "gpt-4o-2024-08-06"},
                "tools": [{"name": "look", "version": "1", "effect": "read", "arguments": arguments}],
            }
        )
        with tenant_scope(self.organisation.id):
            catalog.apply_manifest(tenant=self.organisation.id, manifest=read, by=OPERATOR, at=clock.now())
        return "desk"

    def contact_set(self) -> str:
        with tenant_scope(self.organisation.id):
            catalog.set_contacts(
                tenant=self.organisation.id, name="payees", contacts=["a@b.example"], by=OPERATOR, at=clock.now()
            )
        return "payees"

    def search_id(self) -> uuid.UUID:
        owner = self.world.ada if self.organisation is self.world.acme else self.world.cleo
        with tenant_scope(self.organisation.id):
            found, _ = SavedSearch.objects.get_or_create(
                tenant_id=self.organisation.id,
                user=owner.user,
                name="errors",
                defaults={"query": "", "created_at": clock.now()},
            )
        return found.id

    def agent(self) -> str:
        """An agent with a reviewed tool, an unreviewed one and an approved version, applied as an operator applies it."""
        apply(self.organisation, MANIFEST)
        apply(self.organisation, unreviewed(), approve=False)
        return str(MANIFEST["agent"]["name"])

    def version(self) -> str:
        """A version of that agent."""
        return str(MANIFEST["agent"]["version"])

    def tool_version(self) -> uuid.UUID:
        """One that waits for its review."""
        self.agent()
        with tenant_scope(self.organisation.id):
            return catalogued.tools_waiting(tenant=self.organisation.id)[0].id

    def grant(self) -> str:
        """A tool that an agent version was granted."""
        return str(MANIFEST["tools"][0]["name"])

    def switch(self) -> uuid.UUID:
        with tenant_scope(self.organisation.id):
            made, _ = runtime.set_switch(
                tenant=self.organisation.id,
                scope_kind=SwitchScope.TENANT,
                scope_id="",
                mode=SwitchMode.BLOCK_NEW,
                reason="a test",
                by=OPERATOR,
                at=clock.now(),
            )
        return made.id

    def switch_id(self) -> uuid.UUID:
        """As machines call it."""
        return self.switch()

    def call_id(self) -> str:
        """A call that no run has made."""
        return "t-1"

    def jti(self) -> str:
        """The id of a permit that nobody was given."""
        return f"{uuid.uuid5(self.organisation.id, 'run').hex}-1"

    def confirmation(self) -> uuid.UUID:
        """One that a refund waits for; at Acme in Uma's name."""
        self.agent()
        if self.organisation is self.world.acme:
            link(self.organisation, self.world.uma, "u-1")
        call = Caller(self.organisation).run().refund()
        return uuid.UUID(call["confirmation"]["id"])

    def link(self) -> str:
        """A one-time link to a letter that waits, not opened yet."""
        return Letters(self.organisation).presented().split("/")[-2]

    def message(self) -> uuid.UUID:
        """A webhook that waits to be sent."""
        with tenant_scope(self.organisation.id):
            return outbox.send(
                tenant=self.organisation.id,
                channel="webhook",
                destination="https://hooks.example.com/agentops",
                template="confirmation.asked",
                context={"id": "1"},
                dedup_key="a test",
            )

    def tool_name(self) -> str:
        """A tool on which approvers can be named."""
        self.agent()
        return str(MANIFEST["tools"][2]["name"])

    def rule(self) -> uuid.UUID:
        terms = RuleTerms(amount_threshold=Decimal(100))
        with tenant_scope(self.organisation.id):
            made = confirming.set_rule(tenant=self.organisation.id, terms=terms, by=OPERATOR, at=clock.now())
        return made.id

    def group(self) -> uuid.UUID:
        with tenant_scope(self.organisation.id):
            found = tenants.approver_groups(self.organisation.id)
            if found:
                return found[0].group.id
            made = tenant_services.create_group(
                tenant=self.organisation.id, name="Finance", by=OPERATOR, at=clock.now()
            )
        return made.id

    def standing(self) -> uuid.UUID:
        """The owner's, who is the end user u-1."""
        self.agent()
        owner = self.world.ada if self.organisation is self.world.acme else self.world.cleo
        assert owner.membership_id
        at, tenant = clock.now(), self.organisation.id
        with tenant_scope(tenant):
            tenant_services.link_end_user(
                tenant=tenant, member=owner.membership_id, external_id="u-1", by=OPERATOR, at=at
            )
            confirming.set_rule(tenant=tenant, terms=RuleTerms(may_stand_at_tier_3=True), by=OPERATOR, at=at)
            made = confirming.make_standing(
                tenant=tenant,
                owner=Decider(voter=f"user:{owner.user.pk}", label=owner.email, user_id=owner.user.pk),
                acting_user="u-1",
                agent=str(MANIFEST["agent"]["name"]),
                tool="refund",
                constraints=[Constraint("/order_id", Kind.EQUALS, "ord_1")],
                uses_most=5,
                sum_most=None,
                expires_at=at + timedelta(days=1),
                by=owner.actor,
                at=at,
            )
        return made.id

    def eval_set(self) -> str:
        """A set with one case, named `case`."""
        tenant, at = self.organisation.id, clock.now()
        with tenant_scope(tenant):
            if EvalSet.objects.filter(tenant_id=tenant).exists():
                return "desk"
            made = evals.create_set(tenant=tenant, name="desk", description="", by=OPERATOR, at=at)
            case = cases.read({"title": "a", "input": "b", "expect": [{"kind": "max_calls", "most": 1}]})
            evals.replace_cases(tenant=tenant, eval_set=made.id, found={"case": case}, note="", by=OPERATOR, at=at)
        return "desk"

    def case_key(self) -> str:
        self.eval_set()
        return "case"

    def suite_run(self) -> uuid.UUID:
        self.eval_set()
        tenant, asked = self.organisation.id, evals.Asked(agent="desk", agent_version="1", eval_set="desk")
        with tenant_scope(tenant):
            found = SuiteRun.objects.filter(tenant_id=tenant).first()
            if found is not None:
                return found.id
            made = evals.begin_suite_run(
                tenant=tenant, asked=asked, runner=Runner.CLIENT, trigger="api", by=OPERATOR, at=clock.now()
            )
        return made.id

    def case_run(self) -> uuid.UUID:
        self.suite_run()
        with tenant_scope(self.organisation.id):
            return CaseRun.objects.filter(tenant_id=self.organisation.id).values_list("id", flat=True)[0]

    def replay(self) -> uuid.UUID:
        run_id = uuid.UUID(self.run_id())
        with tenant_scope(self.organisation.id):
            made = evals.open_replay(
                tenant=self.organisation.id, run_id=run_id, agent_version="", by=OPERATOR, at=clock.now()
            )
        return made.id

    def product_switch(self) -> uuid.UUID:
        made, _ = runtime.set_product_switch(mode=SwitchMode.BLOCK_NEW, reason="a test", by=OPERATOR, at=clock.now())
        return made.id

    def staff_token(self) -> uuid.UUID:
        made = tenant_services.create_staff_token(name="erp", scopes=["revenue"], by=OPERATOR, at=clock.now())
        return made.token.id

    def entry_id(self) -> uuid.UUID:
        """The first entry of the organisation, in its place in the tree."""
        audit.seal_all(tenant=self.organisation.id, at=clock.now())
        with tenant_scope(self.organisation.id):
            return Leaf.objects.get(tenant_id=self.organisation.id, leaf_index=0).entry_id

    def finding(self) -> uuid.UUID:
        """One of drift, which no service writes but the daily look."""
        with tenant_scope(self.organisation.id):
            made = DriftFinding.objects.create(
                tenant_id=self.organisation.id, kind="shift", fingerprint=uuid.uuid4().hex, agent="desk", dimension="all",
                metric="score", sentence="It fell.", before={}, after={}, effect=-0.5, found_at=clock.now(), last_seen_at=clock.now(),
            )  # fmt: skip
        return made.id

    # alerts
    def alert(self) -> uuid.UUID:
        """One about this organisation, seen again each time."""
        with house_scope() as house:
            return alerts.raise_alert(tenant=house, seen=look(self.organisation.id), at=clock.now()).id

    def alert_class(self) -> str:
        return "runaway"

    def alert_rule(self) -> uuid.UUID:
        with house_scope() as house:
            made = alert_rules.set_rule(
                tenant=house, alert_class="runaway", about_tenant=self.organisation.id, agent="", is_on=True,
                severity=None, params={}, cooldown_seconds=None, by=OPERATOR, at=clock.now(),
            )  # fmt: skip
        return made.id

    def export(self) -> uuid.UUID:
        """One that is done, with its files; at once, as if there were nothing to look through."""
        audit.seal_all(tenant=self.organisation.id, at=clock.now())
        with tenant_scope(self.organisation.id):
            made = audit.ask_export(
                tenant=self.organisation.id, form="csv", filters=Filters(), by=OPERATOR, at=clock.now()
            )
        with tenant_scope(self.organisation.id):
            claim = audit.claim_export(tenant=self.organisation.id, export=made.id, at=clock.now())
        while claim is not None:
            at = clock.now() + timedelta(minutes=5)
            with tenant_scope(self.organisation.id):
                claim = audit.write_export(tenant=self.organisation.id, slug=self.organisation.slug, claim=claim, at=at)
        return made.id

    def number(self) -> int:
        """Its first file."""
        return 1

    def stream(self) -> uuid.UUID:
        with tenant_scope(self.organisation.id):
            made = audit.set_stream(
                tenant=self.organisation.id,
                destination=f"https://siem.example.com/{uuid.uuid4()}",
                form="ndjson",
                from_beginning=False,
                by=OPERATOR,
                at=clock.now(),
            )
        return made.id

    def delivery(self) -> uuid.UUID:
        """Where checkpoints are sent."""
        with tenant_scope(self.organisation.id):
            made = audit.set_checkpoint_delivery(
                tenant=self.organisation.id,
                channel="webhook",
                destination=f"https://keep.example.com/{uuid.uuid4()}",
                every="day",
                by=OPERATOR,
                at=clock.now(),
            )
        return made.id

    def hold(self) -> uuid.UUID:
        with tenant_scope(self.organisation.id):
            made = audit.set_hold(
                tenant=self.organisation.id, run=uuid.uuid4(), reason="case 7", by=OPERATOR, at=clock.now()
            )
        return made.id

    def erasure(self) -> uuid.UUID:
        """Of somebody whom no entry names: done, so that there is a certificate."""
        tenant, at = self.organisation.id, clock.now()
        with tenant_scope(tenant):
            made = audit.ask_erasure(
                tenant=tenant, person="nobody@acme.example", legal_basis="GDPR 17", by=self.world.ada.actor, at=at
            )
            audit.approve_erasure(tenant=tenant, erasure=made.id, by=self.world.ben.actor, at=at)
        audit.erase(tenant=tenant, erasure=made.id, at=at)
        return made.id

    def entry(self) -> uuid.UUID:
        """The newest entry of the audit log; it waits for its place."""
        with tenant_scope(self.organisation.id):
            page = audited.find_entries(tenant=self.organisation.id, filters=Filters(), at=clock.now(), limit=1)
        return page.entries[0].id

    def decision(self) -> str:
        """The start of a run that was refused: its agent is unknown."""
        Caller(self.organisation).start(status=403, agent="nobody")
        with tenant_scope(self.organisation.id):
            rows, _ = decided.decisions(
                tenant=self.organisation.id, wanted=decided.DecisionFilter(), now=clock.now(), most=1
            )
        return decision_key(rows[0])

    def item(self) -> uuid.UUID:
        """A run in the review queue."""
        run = uuid.UUID(hex=self.run_id())
        with tenant_scope(self.organisation.id):
            return evals.ask_review(tenant=self.organisation.id, run_id=run, by=OPERATOR, at=clock.now())

    def agent_version(self) -> str:
        return self.version()

    def gated_agent(self) -> str:
        """A registered agent with a gate before its versions."""
        agent = self.agent_name()
        said: dict[str, Any] = {"tenant": self.organisation.id, "by": OPERATOR, "at": clock.now()}
        with tenant_scope(self.organisation.id):
            evals.add_starter_pack(**said)
            evals.set_gate(agent=agent, requirements=[evals.Requirement(eval_set="starter")], **said)
        return agent

    # incidents: lifecycle
    def ref(self) -> str:
        """An incident of our own organisation; it is about this one."""
        with house_scope() as house:
            found = Incident.objects.filter(tenant_id=house).first()
            if found is None:
                found = incidents.declare(
                    tenant=house, title="desk goes round", severity=2, tenants=[self.organisation.id], by=OPERATOR,
                    at=clock.now(),
                )  # fmt: skip
        return found.ref

    def fix(self) -> uuid.UUID:
        """Of that incident, with a case."""
        self.ref()
        self.eval_set()
        with house_scope() as house:
            incident = Incident.objects.filter(tenant_id=house).get()
            made = incidents.propose_fix(
                tenant=house, incident_id=incident.id, change="a cap", about_tenant=self.organisation.id, agent="desk",
                old_version="1", new_version="2", cases=[{"set": "desk", "key": "case"}], by=OPERATOR, at=clock.now(),
            )  # fmt: skip
        return made.id

    def override(self) -> uuid.UUID:
        """Of a version that failed its gate: the owner asked to let it through."""
        agent, at, tenant = self.agent(), clock.now(), self.organisation.id
        owner = self.world.ada if self.organisation is self.world.acme else self.world.cleo
        apply(self.organisation, {**MANIFEST, "agent": {**MANIFEST["agent"], "version": "gated"}}, approve=False)
        said: dict[str, Any] = {"tenant": tenant, "by": OPERATOR, "at": at}
        with tenant_scope(tenant):
            evals.add_starter_pack(**said)
            evals.set_gate(agent=agent, requirements=[evals.Requirement(eval_set="starter")], **said)
            failed = evals.decide_gate(agent=agent, version="gated", **said)
            made = evals.ask_override(verdict=failed.id, reason="its cases are out of date", user=owner.user.pk, **said)
        return made.id

    # incidents: learning
    def comm_id(self) -> uuid.UUID:
        """A text to the admins, which nobody approved yet."""
        incident = self._incident()
        with house_scope() as house:
            made = comms.draft_comm(
                tenant=house,
                incident_id=incident.id,
                about_tenant=self.organisation.id,
                audience="admins",
                channel="mail",
                template="admins_first",
                subject="An incident",
                body="41 orders were refunded twice.",
                recipients=["ada@acme.example"],
                next_update_due_at=None,
                by=OPERATOR,
                at=clock.now(),
            )
        return made.id

    def action_id(self) -> uuid.UUID:
        incident = self._incident()
        said: dict[str, Any] = {"incident_id": incident.id, "by": OPERATOR, "at": clock.now()}
        with house_scope() as house:
            learning.begin_postmortem(tenant=house, **said)
            made = action_items.add_action(
                tenant=house, title="Ask twice", kind="prevent", owner=None, due_on=None, tracker_url="", **said
            )
        return made.id

    def _incident(self) -> Incident:
        """One for all places of a URL."""
        ref = self.ref()
        with house_scope():
            return incident_called(ref)

    # on-call
    def rotation(self) -> uuid.UUID:
        """Sam's alone, since a week ago."""
        at = clock.now()
        terms = RotationTerms(
            name=f"Of {uuid.uuid4()}",
            role=StaffRole.ON_CALL,
            time_zone="UTC",
            starts_on=at.date() - timedelta(days=7),
            turn_days=7,
            handover_at=at.time(),
            members=[self.world.sam.user.pk],
        )
        with house_scope() as house:
            return incidents.set_rotation(tenant=house, terms=terms, by=OPERATOR, at=at).id

    def cover(self) -> uuid.UUID:
        rotation, at = self.rotation(), clock.now()
        with house_scope() as house:
            made = incidents.take_over(
                tenant=house,
                rotation=rotation,
                user=self.world.sam.user.pk,
                starts_at=at,
                ends_at=at + timedelta(days=1),
                reason="",
                by=OPERATOR,
                at=at,
            )
        return made.id

    def feed_token(self) -> str:
        with house_scope() as house:
            return incidents.make_feed(tenant=house, user=self.world.sam.user.pk, by=OPERATOR, at=clock.now())

    def feed(self) -> uuid.UUID:
        """Sam's."""
        self.feed_token()
        with house_scope():
            return incident_queries.calendar_feeds.feeds_of(self.world.sam.user.pk)[0].id

    def cadence(self) -> str:
        return "daily"

    def review(self) -> uuid.UUID:
        """Yesterday's, with one tool."""
        at = clock.now()
        tool = NewItem(
            kind=ItemKind.TOOL,
            subject=uuid.uuid4().hex,
            label="Refund",
            url="/staff/",
            about_tenant=self.organisation.id,
        )
        with house_scope() as house:
            return incidents.open_review(
                tenant=house,
                cadence=Cadence.DAILY,
                first=at.date() - timedelta(days=1),
                items=[tool],
                by=OPERATOR,
                at=at,
            ).id

    def cadence_item(self) -> uuid.UUID:
        review = self.review()
        with house_scope():
            return incident_queries.cadences.items_of(review)[0][1][0].id

    def handover(self) -> uuid.UUID:
        """That of Sam's first turn to nobody: as the row stands, without its service, which asks for two people."""
        rotation, at = self.rotation(), clock.now()
        with house_scope() as house:
            return Handover.objects.create(tenant_id=house, rotation_id=rotation, at=at).id


# What a page cannot do without, beyond its places.
QUERIES = {
    **dict.fromkeys(("run-children", "staff-tenant-run-children"), "?of=00000000000000aa&depth=1"),
    "api-audit-consistency": "?first=1",
    **dict.fromkeys(("audit-who", "staff-tenant-audit-who"), "?actor=agent:desk"),
    **dict.fromkeys(("audit-what", "staff-tenant-audit-what"), "?target_type=tool&target_id=refund"),
    **dict.fromkeys(("audit-entry-proofs", "staff-tenant-audit-entry-proofs"), f"?entry={uuid.UUID(int=7)}"),
}


def path_to(url: Url, world: World, organisation: Organisation, *, things_of: Organisation | None = None) -> str:
    """A URL with an organisation's own things in its places, or (`things_of`) with those of another."""
    things = Things(world, things_of or organisation)
    values: dict[str, Any] = {}
    for place in url.places:
        if place == "slug":
            values[place] = organisation.slug
            continue
        make: Callable[[], Any] | None = getattr(things, place, None)
        assert make is not None, f"{url.route}: say in tests/guards/urls.py (Things) what may stand for <{place}>"
        values[place] = make()
    return reverse(url.name, kwargs=values) + QUERIES.get(url.name, "")
