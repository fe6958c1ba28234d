"""Any interleaving of guard and ingest keeps the ledger exact and no budget passed (ARCHITECTURE, section 4, 3 and 4).

Hypothesis chooses runs, users, budgets, outcomes, times and what is sent twice or late; a model in plain Python says
what must come out. Rows are the product's own, in a real database, as the application role.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from itertools import product
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection, connections, transaction
from django.test import Client
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from agentops.budgets import forgetting, queries
from agentops.budgets import services as budgets
from agentops.budgets.policies import Place, Terms, bounds, crossed, places, start_of
from agentops.budgets.types import Action, Hold, Period, Refused, Scope, Usage
from agentops.common import clock
from agentops.common.forgetting import Forgotten
from agentops.common.money import nano_usd
from agentops.common.scope import staff_scope, tenant_scope
from agentops.traces import forgetting as forgetting_traces
from agentops.traces import services as traces
from agentops.traces import writing
from agentops.traces.rollup import Counted
from agentops.traces.types import Span, SpanKind
from tenants.models import TenantSettings
from tests import database
from tests.budgets.money import MODEL, TOKEN, Purse
from tests.ingest.test_ledger_check import check
from tests.world import OPERATOR, World

RUNS = {"a": ("u1", "bot"), "b": ("u1", "cat"), "c": ("u2", "bot"), "d": ("u2", "bot")}
# Three days before the last end of a month that spans of now are taken back to: days, weeks and a month end on the way.
START = datetime.now(UTC).replace(day=1, hour=12, minute=30, second=0, microsecond=0) - timedelta(days=3)
TENS = st.integers(0, 60)
DAY = timedelta(days=1)
BUDGETS = (
    (Scope.TENANT, ""), (Scope.USER, ""), (Scope.USER, "u1"), (Scope.USER, "u3"), (Scope.AGENT, ""), (Scope.AGENT, "cat"),
)  # fmt: skip
OBSERVED = ("e", "f")  # runs that no guard knows; "u3" stands in these alone, and is the one who is forgotten
GONE, FORGOTTEN = "u3", "erased-0123456789abcdef"
USERS, AGENTS = ("", "u2", GONE), ("", "bot", "cat")
STEPS = {"hours": forgetting.STEPS[:1], "balances": forgetting.STEPS[1:], "traces": forgetting_traces.STEPS}


@dataclass
class Call:
    """A reserved call as the model knows it."""

    run: str
    name: str
    at: datetime
    hold: int
    state: str = "held"
    cost: int = 0


@dataclass
class Sent:
    """A span as the model knows it; `call` is None where the guard does not know it."""

    span: Span
    run: str
    tokens: int
    is_guarded: bool
    user: str = ""  # whom it is charged to now
    agent: str = ""
    row_user: str = ""  # whom its row names
    has_call_inside: bool = False


class Died(Exception):
    """Of a process, before its commit."""


class Money(RuleBasedStateMachine):
    """One organisation's money. Amounts of the model are tokens of MODEL."""

    world: World
    spans = Bundle("spans")

    def __init__(self) -> None:
        super().__init__()
        self.purse = Purse(self.world.acme.id, at=START)
        self.calls: list[Call] = []
        self.sent: list[Sent] = []
        self.budgets: dict[tuple[Scope, str, Period], Terms] = {}
        self.zone: tzinfo = UTC
        self.names: dict[tuple[str, str], tuple[tuple[int, int, int], str]] = {}  # of runs, by what they rank
        self.to_forget = list(STEPS)

    # -- what happens -------------------------------------------------------------------------------------------------

    @initialize()
    def open(self) -> None:
        self.purse.priced()
        for run in RUNS:
            self.purse.run(run)

    @rule(
        of=st.sampled_from(BUDGETS),
        period=st.sampled_from(list(Period)),
        limit=st.integers(0, 300),
        action=st.sampled_from(list(Action)),
    )
    def set_budget(self, of: tuple[Scope, str], period: Period, limit: int, action: Action) -> None:
        scope, name = of
        budget = self.purse.budget(f"{limit / 1e6:.6f}", scope=scope, of=name, period=period, action=action)
        ceiling = limit * TOKEN if action is Action.BLOCK else limit * TOKEN * 110 // 100
        self.budgets[scope, name, period] = Terms(
            budget, scope, name, period, limit * TOKEN, ceiling, action, (50, 75, 100)
        )

    @precondition(lambda self: self.budgets)
    @rule(data=st.data())
    def remove_budget(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.budgets)))
        with tenant_scope(self.purse.tenant):
            budgets.remove_budget(
                tenant=self.purse.tenant, budget_id=self.budgets.pop(key).id, by=OPERATOR, at=self.purse.at
            )

    @rule(zone=st.sampled_from(["UTC", "Asia/Kolkata", "America/New_York", "Pacific/Chatham"]))
    def set_clock(self, zone: str) -> None:
        """The organisation moves: days, weeks and months begin by other clocks, for all that was charged, too."""
        with tenant_scope(self.purse.tenant):
            TenantSettings.objects.filter(tenant_id=self.purse.tenant).update(time_zone=zone)
            budgets.adopt_calendar(tenant=self.purse.tenant, time_zone=zone, at=self.purse.at)
        self.zone = ZoneInfo(zone)

    @rule()
    def price_anew(self) -> None:
        """All calls are priced at twice the price, by entries, and back again: every total goes with them."""
        tenant, at = self.purse.tenant, self.purse.at + timedelta(seconds=1)
        before = self.purse.charged()
        unknown = sum(call.hold for call in self.calls if call.state == "unknown")
        for times in (2, 1):
            with tenant_scope(tenant):
                rates = {"input": Decimal(times), "output": Decimal(times)}
                budgets.set_price(
                    tenant=tenant, provider="", model=MODEL, rates=rates, by=OPERATOR, at=at, valid_from=START
                )
                plan = budgets.plan_repricing(
                    tenant=tenant, since=START - DAY, until=at, reason="new terms", by=OPERATOR, at=at
                )
            is_more = True
            while is_more:
                with tenant_scope(tenant):
                    is_more = traces.reprice_some(tenant=tenant, repricing_id=plan.id, at=at + budgets.BEGINS_AFTER)
            assert self.purse.charged() == (before - unknown) * times + unknown
            sums = self.purse.sum("SELECT sum(amount_nano_usd) FROM budgets_usagehour")
            assert sums == self.purse.charged() * TOKEN

    @rule()
    def fold(self) -> None:
        with tenant_scope(self.purse.tenant):
            budgets.fold_days(tenant=self.purse.tenant, at=self.purse.at)

    @rule()
    def look_at_thresholds(self) -> None:
        """What the sweep does every five seconds; whatever was spent by then has told its thresholds."""
        with staff_scope():
            spending = queries.spending_in_slices().get(self.purse.tenant, [])
        with tenant_scope(self.purse.tenant):
            budgets.begin_counters(tenant=self.purse.tenant, at=self.purse.at)
            budgets.look_at_slices(tenant=self.purse.tenant, counters=spending)
        for user, agent in product(("u1", *USERS[1:]), AGENTS[1:]):
            for place in places(self.budgets.values(), user=user, agent=agent, at=self.purse.at, zone=self.zone):
                spent = self.used(place, held=False)
                told = self.purse.rows(
                    "SELECT percent FROM budgets_notice WHERE budget_id = %s AND subject = %s AND period_start = %s",
                    place.terms.id, place.subject, place.start,
                )  # fmt: skip
                reached = crossed((50, 75, 100), limit_nano_usd=place.terms.limit_nano_usd, used_nano_usd=spent)
                assert {(percent,) for percent in reached} <= set(told), "a threshold was crossed and not told"

    @rule(run=st.sampled_from(sorted(RUNS)), hold=TENS, past_limit=st.booleans())
    def reserve(self, run: str, hold: int, past_limit: bool) -> None:
        user, agent = RUNS[run]
        name, at = f"c{len(self.calls)}", self.purse.at
        found = places(self.budgets.values(), user=user, agent=agent, at=at, zone=self.zone)
        used = {place: self.used(place) for place in found}
        answer = self.purse.reserve(run, name, hold, user=user, agent=agent, past_limit=past_limit)
        over = [one for one in found if used[one] + hold * TOKEN > one.terms.ceiling_nano_usd]
        beyond = [one for one in found if used[one] + hold * TOKEN > one.terms.limit_nano_usd]
        if isinstance(answer, Hold):
            assert not over, "an admitted hold passes a ceiling"
            assert past_limit or not beyond, "an admitted hold passes a limit without asking"
            self.calls.append(Call(run, name, at, hold))
            return
        assert isinstance(answer, Refused)
        assert answer.is_ceiling == bool(over), "refused although it fits"
        assert over or (beyond and not past_limit), "refused although it fits"
        [place] = [one for one in found if (one.terms.scope, one.end, one.terms.limit_nano_usd) ==
                   (answer.scope, answer.resets_at, answer.limit_nano_usd) and used[one] == answer.used_nano_usd][:1]  # fmt: skip
        upto = place.terms.ceiling_nano_usd if answer.is_ceiling else place.terms.limit_nano_usd
        assert answer.free_nano_usd == max(0, upto - used[place])

    @precondition(lambda self: any(call.state in ("held", "unknown") for call in self.calls))
    @rule(
        data=st.data(),
        tokens=st.none() | st.integers(0, 90),
        outcome=st.sampled_from(["ok", "error", "cancelled", "unknown"]),
    )
    def settle(self, data: st.DataObject, tokens: int | None, outcome: str) -> None:
        call = data.draw(st.sampled_from([call for call in self.calls if call.state in ("held", "unknown")]))
        usage = None if tokens is None else Usage(output_tokens=tokens)
        with tenant_scope(self.purse.tenant):
            settled = budgets.settle(
                tenant=self.purse.tenant, run=self.purse.run(call.run), call_id=call.name, outcome=outcome, usage=usage,
                at=self.purse.at,
            )  # fmt: skip
            self.tell_traces(call, settled.cost_nano_usd - (settled.hold_nano_usd if settled.was_unknown else 0))
        if outcome == "cancelled" and tokens is None and self.purse.at - call.at <= timedelta(seconds=5):
            state, cost = "released", 0
        elif outcome == "unknown" or tokens is None:  # cancelled later, too: a provider may have been asked by then
            state, cost = "unknown", call.hold
        else:
            state, cost = "settled", tokens
        assert settled.was_unknown == (call.state == "unknown")
        assert (settled.state, settled.cost_nano_usd) == (state, cost * TOKEN)
        call.state, call.cost = state, cost

    @precondition(lambda self: any(call.state == "held" for call in self.calls))
    @rule(data=st.data())
    def expire(self, data: st.DataObject) -> None:
        call = data.draw(st.sampled_from([call for call in self.calls if call.state == "held"]))
        with tenant_scope(self.purse.tenant):
            expired = budgets.expire_hold(
                tenant=self.purse.tenant, run=self.purse.run(call.run), call_id=call.name, at=self.purse.at
            )
            self.tell_traces(call, expired or 0)
        is_due = self.purse.at >= call.at + timedelta(minutes=10)
        assert expired == (call.hold * TOKEN if is_due else None)
        if is_due:
            call.state, call.cost = "unknown", call.hold

    @rule(runs=st.lists(st.sampled_from(sorted(RUNS)), unique=True, min_size=1))
    def close(self, runs: list[str]) -> None:
        self.purse.close(*runs)

    @rule(
        by=st.sampled_from(
            [timedelta(seconds=4), timedelta(minutes=7), timedelta(hours=5), timedelta(days=1), timedelta(days=3)]
        )
    )
    def wait(self, by: timedelta) -> None:
        self.purse.at = min(self.purse.at + by, START + timedelta(days=9))

    @rule(target=spans, run=st.sampled_from(sorted(RUNS)), tokens=TENS, data=st.data())
    def send(self, run: str, tokens: int, data: st.DataObject) -> Sent:
        """A span that was not sent before, of a guarded call, of one the guard never heard of, or of none."""
        known = [call.name for call in self.calls if call.run == run]
        name = data.draw(st.sampled_from([*known, "never", ""]))
        user, agent = RUNS[run]
        started = clock.to_ns(self.purse.at)
        span = Span(
            trace_id=self.purse.run(run), span_id=len(self.sent) + 1, parent_id=None, kind=SpanKind.LLM, name="ask",
            started_ns=started, ended_ns=started, agent=agent, user_id=user, model=MODEL, provider="house",
            input_tokens=0, output_tokens=tokens, call_id=name,
        )  # fmt: skip
        sent = Sent(span, run, tokens, name in known)
        self.ingest([sent])
        return sent

    @rule(
        target=spans, run=st.sampled_from(OBSERVED), user=st.sampled_from(USERS), agent=st.sampled_from(AGENTS),
        tokens=TENS, is_root=st.booleans(), above=st.integers(-2, 60), is_call=st.booleans(),
        before=st.sampled_from([timedelta(0), timedelta(minutes=1), timedelta(days=2)]),
    )  # fmt: skip
    def observe(
        self, run: str, user: str, agent: str, tokens: int, is_root: bool, above: int, is_call: bool, before: timedelta
    ) -> Sent:
        """A call of an observed run, or a step of it that costs nothing; either may name nobody, and the root may be last."""
        sent = self.observed(run, user, agent, tokens, is_root, above, is_call, before)
        self.ingest([sent])
        return sent

    @rule(data=st.data())
    def observe_many(self, data: st.DataObject) -> None:
        """A batch of both runs."""
        first, batch = len(self.sent) + 1, []
        for place in range(data.draw(st.integers(2, 5))):
            one = self.observed(
                data.draw(st.sampled_from(OBSERVED)), data.draw(st.sampled_from(USERS)), data.draw(st.sampled_from(AGENTS)),
                data.draw(TENS), data.draw(st.booleans()), -2, data.draw(st.booleans()), timedelta(minutes=1),
                span_id=first + place,
            )  # fmt: skip
            batch.append(one)
        self.ingest(batch)

    def observed(
        self, run: str, user: str, agent: str, tokens: int, is_root: bool, above: int, is_call: bool, before: timedelta,
        span_id: int = 0,
    ) -> Sent:  # fmt: skip
        span_id = span_id or len(self.sent) + 1
        calls = [one for one in self.sent if one.run == run and one.span.kind == SpanKind.LLM]
        parent = None if is_root else 999_999
        if is_call and not is_root and above >= 0 and calls:
            parent = calls[above % len(calls)].span.span_id
        elif is_call and not is_root and above == -1 and all(one.span.parent_id != span_id for one in calls):
            parent = span_id + 1  # which may come next, or never
        if any(one.span.parent_id == span_id for one in calls):
            parent = None if is_root else 999_999
        started = clock.to_ns(max(START, self.purse.at - before))
        span = Span(
            trace_id=self.purse.run(run), span_id=span_id, parent_id=parent,
            kind=SpanKind.LLM if is_call else SpanKind.RUN, name="step", started_ns=started, ended_ns=started,
            agent=agent, user_id=user, model=MODEL if is_call else "", provider="house" if is_call else "",
            input_tokens=0 if is_call else None, output_tokens=tokens if is_call else None,
        )  # fmt: skip
        return Sent(span, run, tokens if is_call else 0, False)

    @rule()
    def forget(self) -> None:
        """The next part of forgetting one person, in the order of an erasure: the first time anything may come between, and
        then, as its last transaction does, all of it at once."""
        if not self.to_forget:
            for part in STEPS:
                self.forget_part(part)
        else:
            self.forget_part(self.to_forget.pop(0))

    def forget_part(self, part: str) -> None:
        who = Forgotten(self.purse.tenant, (GONE,), (), FORGOTTEN, (), self.purse.at)
        for step in STEPS[part]:
            after: list[str] | None = []
            while after is not None:
                with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
                    after, _ = step.slice(cursor, who, after)
        if part == "traces":
            for key, (rank, name) in self.names.items():
                self.names[key] = rank, FORGOTTEN if name == GONE and key[1] == "user" else name
        for sent in self.sent:
            if part == "traces":
                sent.row_user = FORGOTTEN if sent.row_user == GONE else sent.row_user
            elif sent.user == GONE:
                sent.user = FORGOTTEN
        if part == "balances":
            for scope, name, period in sorted(self.budgets):
                if name == GONE:
                    terms = self.budgets.pop((scope, name, period))
                    if (scope, FORGOTTEN, period) not in self.budgets:
                        self.budgets[scope, FORGOTTEN, period] = replace(terms, scope_id=FORGOTTEN)

    @rule(again=st.lists(spans, min_size=1, max_size=3))
    def send_again(self, again: list[Sent]) -> None:
        self.ingest(again)

    @rule(run=st.sampled_from(sorted(RUNS)), tokens=TENS, call=st.none() | st.integers(0, 40))
    def crash(self, run: str, tokens: int, call: int | None) -> None:
        """A process dies between its last statement and its commit: nothing of what it did is there."""
        (user, agent), at, tenant = RUNS[run], self.purse.at, self.purse.tenant
        known = [one for one in self.calls if one.state == "held"]
        with pytest.raises(Died), tenant_scope(tenant):
            if call is None or not known:
                span = Span(
                    trace_id=self.purse.run(run), span_id=10_000, parent_id=None, kind=SpanKind.LLM, name="ask",
                    started_ns=clock.to_ns(at), ended_ns=clock.to_ns(at), agent=agent, user_id=user, model=MODEL,
                    provider="house", input_tokens=0, output_tokens=tokens,
                )  # fmt: skip
                counted = Counted(span=span, cost_nano_usd=tokens * TOKEN, price_version="")
                writing.write(tenant=tenant, spans=[counted], at=at)
            else:
                one = known[call % len(known)]
                usage = Usage(output_tokens=tokens)
                budgets.settle(
                    tenant=tenant, run=self.purse.run(one.run), call_id=one.name, outcome="ok", usage=usage, at=at
                )
            budgets.reserve(
                tenant=tenant, run=self.purse.run(run), call_id="of the dead", agent=agent, user=user, model=MODEL,
                provider="house", hold_nano_usd=tokens * TOKEN, input_tokens=0, max_output_tokens=tokens,
                past_limit=True, expires_at=at + timedelta(minutes=10), at=at,
            )  # fmt: skip
            raise Died

    def ingest(self, batch: list[Sent]) -> None:
        counted = [Counted(span=one.span, cost_nano_usd=one.tokens * TOKEN, price_version="") for one in batch]
        with tenant_scope(self.purse.tenant):
            writing.write(tenant=self.purse.tenant, spans=counted, at=self.purse.at)
        new = [one for place, one in enumerate(batch) if one not in self.sent and one not in batch[:place]]
        self.told(new)

    def told(self, new: list[Sent]) -> None:
        """Whom calls are charged to: whom they name, else whom their run is of now; never back from who is forgotten."""
        before = dict(self.names)
        for one in new:
            one.row_user = one.span.user_id
            span = one.span
            order = 0 if span.parent_id is None else 1 if span.kind == SpanKind.RUN else 2
            rank = (order, span.started_ns // 1000, span.span_id)
            for name, value in (("user", span.user_id), ("agent", span.agent)):
                if value and ((one.run, name) not in self.names or rank < self.names[one.run, name][0]):
                    self.names[one.run, name] = rank, value
        for run in {one.run for one in new}:
            (_, user), (_, agent) = (self.names.get((run, name), (None, "")) for name in ("user", "agent"))
            was = tuple(before.get((run, name), (None, ""))[1] for name in ("user", "agent"))
            stays = FORGOTTEN if was[0] == FORGOTTEN else user
            for one in self.sent:
                if one.run == run and was != (stays, agent) and not (one.row_user and one.span.agent):
                    one.user = one.user if one.user == FORGOTTEN else one.row_user or stays
                    one.agent = one.span.agent or agent
            for one in new:
                if one.run == run:
                    one.user, one.agent = one.span.user_id or user, one.span.agent or agent
        self.sent += new
        for one in self.sent:
            one.has_call_inside = any(
                other.run == one.run and other.run in OBSERVED and other.span.kind == SpanKind.LLM
                and other.span.parent_id == one.span.span_id
                for other in self.sent
            )  # fmt: skip
            if one.has_call_inside:
                one.tokens = 0

    def tell_traces(self, call: Call, amount: int) -> None:
        traces.add_guard_charge(tenant=self.purse.tenant, run=self.purse.run(call.run), amount_nano_usd=amount)

    # -- what must hold -----------------------------------------------------------------------------------------------

    def used(self, place: Place, *, held: bool = True) -> int:
        """What the model says is charged (and held) at a place."""
        total = 0
        for call in self.calls:
            if self.is_at(place, call.run, call.at):
                total += (call.hold if held else 0) if call.state == "held" else call.cost
        for sent in self.sent:
            at = clock.from_ns(sent.span.started_ns)
            if not sent.is_guarded and self.counts_at(place, sent.user, sent.agent, at):
                total += sent.tokens
        return total * TOKEN

    def is_at(self, place: Place, run: str, at: datetime) -> bool:
        return self.counts_at(place, *RUNS[run], at)

    def counts_at(self, place: Place, user: str, agent: str, at: datetime) -> bool:
        of = {Scope.TENANT: "", Scope.USER: user, Scope.AGENT: agent}[place.terms.scope]
        return of == place.subject and place.start <= at < place.end

    @invariant()
    def every_total_is_what_its_rows_say(self) -> None:
        charged = sum(call.cost for call in self.calls) + sum(one.tokens for one in self.sent if not one.is_guarded)
        assert self.purse.charged() == charged
        assert self.purse.held() == sum(call.hold for call in self.calls if call.state == "held")
        assert self.purse.sum("SELECT sum(amount_nano_usd) FROM budgets_usagehour") == charged * TOKEN
        with tenant_scope(self.purse.tenant):
            since, until = start_of((START - DAY).date(), self.zone), start_of((START + 30 * DAY).date(), self.zone)
            by_day = queries.sums(tenant=self.purse.tenant, since=since, until=until, by=("day", "user_id"))
            by_hour = queries.sums(tenant=self.purse.tenant, since=since, until=until, by=("hour", "agent"))
        assert sum(row.amount_nano_usd for row in by_day) == charged * TOKEN
        assert sum(row.amount_nano_usd for row in by_hour) == charged * TOKEN
        assert sum(row.guarded_nano_usd for row in by_day) == sum(call.cost for call in self.calls) * TOKEN
        whose: Counter[tuple[str, str]] = Counter()
        for call in self.calls:
            whose[RUNS[call.run]] += call.cost * TOKEN
        for one in self.sent:
            whose[one.user, one.agent] += 0 if one.is_guarded else one.tokens * TOKEN
        ledger = self.purse.rows("SELECT user_id, agent, sum(amount_nano_usd) FROM budgets_ledgerentry GROUP BY 1, 2")
        assert {(user, agent): amount for user, agent, amount in ledger if amount} == {
            key: amount for key, amount in whose.items() if amount
        }
        for run in {one.run for one in self.sent}:
            cost = sum(call.cost for call in self.calls if call.run == run)
            cost += sum(one.tokens for one in self.sent if one.run == run and not one.is_guarded)
            stored = self.purse.sum("SELECT cost_nano_usd FROM traces_run WHERE run_id = %s", self.purse.run(run))
            assert stored == cost * TOKEN

    @invariant()
    def budgets_show_what_was_spent_and_held(self) -> None:
        for terms in self.budgets.values():
            if terms.scope is Scope.TENANT or terms.scope_id:
                place = Place(terms, terms.scope_id, *bounds(terms.period, self.purse.at, self.zone))
                assert (self.purse.used(terms.id) or 0) * TOKEN == self.used(place)

    def teardown(self) -> None:
        """All settle in the end: nothing stays held, and nothing of a slice is left."""
        for call in self.calls:
            if call.state == "held":
                self.purse.expire(call.run, call.name, after=timedelta(days=30))
                with tenant_scope(self.purse.tenant):
                    self.tell_traces(call, call.hold * TOKEN)
        self.purse.close(*RUNS)
        if self.to_forget != list(STEPS):  # until its last step an erasure leaves balances under the name
            self.to_forget = []
            self.forget()
        assert self.purse.held() == 0
        assert self.purse.rows("SELECT 1 FROM budgets_lease") == []
        assert check()["equal"]
        self.the_page_says_what_the_ledger_says()

    def the_page_says_what_the_ledger_says(self) -> None:
        """The files behind the page of spend, by user, of each month that was spent in."""
        client = Client()
        client.force_login(self.world.ada.user)
        shown: Counter[str] = Counter()
        first = (START - DAY).astimezone(self.zone).date().replace(day=1)
        for month in (first, (first + timedelta(days=32)).replace(day=1)):
            answer = client.get(self.world.acme.url(f"budgets/spend.csv?by=user&of={month.isoformat()}"))
            for row in csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))):
                shown[row["user"]] += nano_usd(row["cost_usd"])
        rows = self.purse.rows("SELECT user_id, sum(amount_nano_usd) FROM budgets_ledgerentry GROUP BY 1")
        ledger = {user: int(amount) for user, amount in rows}
        assert {user: shown[user] for user in ledger} == ledger
        assert shown["total"] == sum(ledger.values())


@pytest.fixture
def sweep(world: World, _broom: database.Broom, _world_kept: dict[str, Any]) -> Iterator[Any]:
    """Puts the database back to the bare world between two examples."""

    def again() -> None:
        _broom.sweep()
        _broom.restore(_world_kept["rows"])

    yield again


def test_any_interleaving_keeps_money_exact_and_budgets_unpassed(world: World, sweep: Any) -> None:
    class Here(Money):
        pass

    Here.world = world

    def fresh() -> Here:
        sweep()
        return Here()

    run_state_machine_as_test(
        fresh,
        settings=settings(
            max_examples=30, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
    connection.close()
