"""Budgets and usage for machines."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any

from django.utils.dateparse import parse_datetime
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from agentops.budgets import queries, services
from agentops.budgets.policies import bounds, ceiling_of
from agentops.budgets.queries import SumRow
from agentops.budgets.queries.usage import UsageCursor, UsageDayCursor, UsageFilter, UsageRow
from agentops.budgets.types import Action, BudgetState, BudgetTerms, Period, Scope
from agentops.common import bodies, clock
from agentops.common.errors import InputProblem, InvalidInput
from agentops.common.money import nano_usd, usd_text
from agentops.common.reading import Reading
from agentops.common.scope import tenant_scope
from tenants.machine_view import MachineView
from tenants.roles import KeyScope

MAX_BYTES = 16_384
THRESHOLDS = (50, 75, 100)
_ROWS, _ROWS_MOST = 100, 1000
_DAYS_BACK = timedelta(days=30)
_NAMES = ("agent", "user", "provider", "model")
_TIMES = ("from", "to")


class MoneyView(MachineView):
    """A view that reads its body itself, strictly."""

    parser_classes: list[Any] = []


class BudgetsView(MoneyView):
    """`/api/v1/budgets`: what may be spent, and what is."""

    scopes = {"GET": KeyScope.READ, "PUT": KeyScope.ADMIN}

    @extend_schema(responses={200: OpenApiTypes.OBJECT})
    def get(self, request: Request) -> Response:
        with tenant_scope(self.tenant):
            states = queries.budget_states(tenant=self.tenant, at=clock.now())
        return Response({"results": [_budget_json(state) for state in states], "next": None})

    @extend_schema(request=OpenApiTypes.OBJECT, responses={200: OpenApiTypes.OBJECT})
    def put(self, request: Request) -> Response:
        """Set the budget of a scope and period; an earlier one is replaced."""
        terms, at = _terms(bodies.read_json(request._request, most=MAX_BYTES, depth=4)), clock.now()
        with tenant_scope(self.tenant):
            budget = services.set_budget(tenant=self.tenant, terms=terms, by=self.actor, at=at)
            state = queries.budget_state(tenant=self.tenant, budget_id=budget.id, at=at)
        return Response(_budget_json(state))


class BudgetView(MoneyView):
    """`/api/v1/budgets/{id}`"""

    scopes = {"GET": KeyScope.READ, "DELETE": KeyScope.ADMIN}

    @extend_schema(responses={200: OpenApiTypes.OBJECT})
    def get(self, request: Request, budget_id: uuid.UUID) -> Response:
        with tenant_scope(self.tenant):
            state = queries.budget_state(tenant=self.tenant, budget_id=budget_id, at=clock.now())
        return Response(_budget_json(state))

    @extend_schema(responses={204: None})
    def delete(self, request: Request, budget_id: uuid.UUID) -> Response:
        with tenant_scope(self.tenant):
            services.remove_budget(tenant=self.tenant, budget_id=budget_id, by=self.actor, at=clock.now())
        return Response(status=204)


class UsageView(MoneyView):
    """`GET /api/v1/usage`: model calls and what they cost, by hour (or day), agent, user and model; the newest first."""

    scope = KeyScope.READ

    @extend_schema(
        parameters=[OpenApiParameter(name, str) for name in (*_NAMES, *_TIMES, "cursor")]
        + [OpenApiParameter("by", str, enum=["hour", "day"])]
        + [OpenApiParameter("limit", int)],
        responses={200: OpenApiTypes.OBJECT},
    )
    def get(self, request: Request) -> Response:
        params = request._request.GET
        only, limit, by = _filter(params), _limit(params), _by(params)
        if by == "day":
            return self._by_day(params, only, limit)
        cursor = UsageCursor.decode(params["cursor"]) if params.get("cursor") else None
        with tenant_scope(self.tenant):
            page = queries.usage_page(tenant=self.tenant, only=only, cursor=cursor, limit=limit)
        return Response({"results": [_usage_json(row) for row in page.rows], "next": self.next_url(page.next)})

    def _by_day(self, params: Mapping[str, str], only: UsageFilter, limit: int) -> Response:
        """By the days of the organisation's calendar; without times, the last thirty-one."""
        cursor = UsageDayCursor.decode(params["cursor"]) if params.get("cursor") else None
        with tenant_scope(self.tenant):
            zone, at = queries.calendar(tenant=self.tenant), clock.now()
            since = bounds(Period.DAY, only.since or at - _DAYS_BACK, zone)[0]
            page = queries.usage_day_page(
                tenant=self.tenant,
                only=only,
                since=since,
                until=_until(only.until or at, zone),
                cursor=cursor,
                limit=limit,
            )
        return Response({"results": [_usage_day_json(row) for row in page.rows], "next": self.next_url(page.next)})


# -- in ---------------------------------------------------------------------------------------------------------------


def _terms(body: Any) -> BudgetTerms:
    read = Reading(body)
    scope = read.choice("scope", Scope.values)
    scope_id = read.text("id")
    period = read.choice("period", Period.values)
    action = read.choice("action", Action.values)
    limit = _usd(read, "limit_usd", required=True)
    ceiling = _usd(read, "ceiling_usd")
    thresholds = _thresholds(read)
    read.done()
    assert limit is not None
    return BudgetTerms(
        scope=Scope(scope),
        scope_id=scope_id,
        period=Period(period),
        limit_nano_usd=limit,
        ceiling_nano_usd=ceiling_of(limit_nano_usd=limit, action=Action(action)) if ceiling is None else ceiling,
        thresholds=thresholds,
        action=Action(action),
    )


def _usd(read: Reading, name: str, *, required: bool = False) -> int | None:
    """An amount of dollars, as a string (exact) or a number."""
    value = read.anything(name)
    if value is None:
        if required:
            read.problem(name, "required", "this is required")
        return None
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError
        amount = nano_usd(Decimal(str(value)))
        if not 0 <= amount < 1 << 62:
            raise ValueError
    except (ValueError, ArithmeticError):
        read.problem(name, "invalid", 'an amount of dollars such as "25.00" is expected')
        return None
    return amount


def _thresholds(read: Reading) -> tuple[int, ...]:
    value = read.anything("thresholds")
    if value is None:
        return THRESHOLDS
    if not isinstance(value, list) or any(isinstance(one, bool) or not isinstance(one, int) for one in value):
        read.problem("thresholds", "type", "a list of whole percentages of the limit is expected")
        return THRESHOLDS
    return tuple(sorted(set(value)))


def _filter(params: Mapping[str, str]) -> UsageFilter:
    problems: list[InputProblem] = []
    names = {name: params.get(name, "").strip() for name in _NAMES}
    for name, value in names.items():
        if "\0" in value:
            problems.append(InputProblem(f"/{name}", "invalid", "may not contain a NUL character"))
    since, until = (_time(name, params.get(name, "").strip(), problems) for name in _TIMES)
    if problems:
        raise InvalidInput("some of the filters are not valid", problems=tuple(problems))
    return UsageFilter(since=since, until=until, **names)


def _by(params: Mapping[str, str]) -> str:
    by = params.get("by", "hour")
    if by not in ("hour", "day"):
        problem = InputProblem("/by", "choice", "one of hour, day is expected")
        raise InvalidInput("some of the filters are not valid", problems=(problem,))
    return by


def _until(moment: datetime, zone: tzinfo) -> datetime:
    """The end of the day that a moment lies in; a midnight is the end of the day before."""
    start, end = bounds(Period.DAY, moment, zone)
    return start if moment == start else end


def _time(name: str, text: str, problems: list[InputProblem]) -> datetime | None:
    if not text:
        return None
    try:
        # '+' of a zone arrives as a space where the sender did not escape it.
        moment = parse_datetime(text.replace(" ", "+") if "T" in text else text)
        if moment is not None:
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    problems.append(InputProblem(f"/{name}", "invalid", "is an RFC 3339 time such as 2026-11-23T09:00:00Z"))
    return None


def _limit(params: Mapping[str, str]) -> int:
    text = params.get("limit", "")
    if not text:
        return _ROWS
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= _ROWS_MOST:
        problem = InputProblem("/limit", "invalid", f"is a whole number from 1 to {_ROWS_MOST}")
        raise InvalidInput("some of the filters are not valid", problems=(problem,))
    return int(text)


# -- out --------------------------------------------------------------------------------------------------------------


def _budget_json(state: BudgetState) -> dict[str, Any]:
    """`used_usd` is charged and held in the period; null where the budget holds for each of many."""
    terms = state.terms
    return {
        "id": str(state.id),
        "scope": terms.scope.value,
        "scope_id": terms.scope_id or None,
        "period": terms.period.value,
        "limit_usd": usd_text(terms.limit_nano_usd),
        "ceiling_usd": usd_text(terms.ceiling_nano_usd),
        "thresholds": list(terms.thresholds),
        "action": terms.action.value,
        "used_usd": usd_text(state.used_nano_usd),
        "period_start": _text(state.period_start),
        "resets_at": _text(state.resets_at),
        "set_at": _text(state.set_at),
        "set_by": state.set_by,
        "is_plan_default": state.is_plan_default,
    }


def _usage_json(row: UsageRow) -> dict[str, Any]:
    return {"hour": _text(row.hour), **_used_json(row)}


def _usage_day_json(row: SumRow) -> dict[str, Any]:
    assert row.day
    return {
        "day": row.day.isoformat(),
        **_used_json(row),
        "saved_usd": usd_text(row.saved_nano_usd),
        "guarded_usd": usd_text(row.guarded_nano_usd),
        "cached_answers": row.cached_answers,
    }


def _used_json(row: UsageRow | SumRow) -> dict[str, Any]:
    return {
        "agent": row.agent or None,
        "user": row.user_id or None,
        "provider": row.provider or None,
        "model": row.model or None,
        "calls": row.calls,
        "unpriced_calls": row.unpriced_calls,
        "input_tokens": row.input_tokens,
        "output_tokens": row.output_tokens,
        "cache_read_tokens": row.cache_read_tokens,
        "cache_write_tokens": row.cache_write_tokens,
        "reasoning_tokens": row.reasoning_tokens,
        "cost_usd": usd_text(row.amount_nano_usd),
    }


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
