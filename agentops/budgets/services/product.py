"""The whole product: what it is planned to spend in a week, and days and weeks that are more than they should be."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import date, datetime, timedelta

from django.db import transaction

from agentops.budgets import alarms
from agentops.budgets.models import ProductFinding, ProductPlan
from agentops.budgets.services.findings import end_product_finding, note_product_finding
from agentops.budgets.types import DAY_ABOVE, WEEK_ABOVE
from agentops.common.errors import InputProblem, InvalidInput
from agentops.common.money import NANO, dollars_text, usd_text
from audit.types import Actor

MOST_NANO_USD = 1_000_000_000 * NANO
log = logging.getLogger(__name__)


def set_week_plan(*, starts_on: date, weekly_nano_usd: int, by: Actor, at: datetime) -> ProductPlan:
    """Plan what a week costs, from a Monday on until the next plan. Opens its own transaction. Raises InvalidInput.

    No organisation owns it, so no organisation's log has it: its row says who and when, and the log of the product.
    """
    problems = []
    if starts_on.weekday():
        problems.append(InputProblem("/starts_on", "invalid", "A week begins on a Monday."))
    if not 0 < weekly_nano_usd <= MOST_NANO_USD:
        problems.append(
            InputProblem("/weekly_usd", "range", "A week's plan is above 0 and at most 1,000,000,000 dollars.")
        )
    if problems:
        raise InvalidInput(problems[0].detail, problems=tuple(problems))
    with transaction.atomic(durable=True):
        plan, _ = ProductPlan.objects.update_or_create(
            starts_on=starts_on, defaults={"weekly_nano_usd": weekly_nano_usd, "set_at": at, "set_by": by.label}
        )
    log.warning("%s planned %s USD a week from %s on", by.label, usd_text(weekly_nano_usd), starts_on)
    return plan


def watch_product_days(*, by_day: Mapping[date, int], today: date, planned: int | None, at: datetime) -> None:
    """Note a day above its baseline and a week above its plan, or that they are so no more; `by_day` of the last 14 days."""
    before = [by_day.get(today - timedelta(days=back), 0) for back in range(1, alarms.DAYS_LOOKED_AT + 1)]
    monday = today - timedelta(days=today.weekday())
    week = sum(amount for day, amount in by_day.items() if monday <= day <= today)
    day, days = alarms.day_above_baseline(by_day.get(today, 0), before), alarms.baseline_days(before)
    _note(DAY_ABOVE, today, day, at, days=days)
    _note(WEEK_ABOVE, monday, alarms.week_above_plan(week, planned), at)


def _note(kind: str, since: date, excess: alarms.Excess | None, at: datetime, *, days: int = 0) -> None:
    """One finding per day or week; that of an earlier one ends with it."""
    for found in ProductFinding.objects.filter(kind=kind, ended_at__isnull=True):
        if excess is None or found.fingerprint != since.isoformat():
            end_product_finding(kind=kind, fingerprint=found.fingerprint, at=at)
    if excess is None:
        return
    spent, bound, baseline = (
        dollars_text(each) for each in (excess.amount_nano_usd, excess.bound_nano_usd, excess.baseline_nano_usd)
    )
    detail = (
        f"{since:%A, %d %B} has cost {spent} so far; the {days} days before cost {baseline} each, and {bound} is the bound"
        if kind == DAY_ABOVE
        else f"The week from {since:%d %B} has cost {spent}; {bound} were planned"
    )
    data = {
        "amount_nano_usd": excess.amount_nano_usd,
        "bound_nano_usd": excess.bound_nano_usd,
        "baseline_nano_usd": excess.baseline_nano_usd,
    }
    note_product_finding(kind=kind, fingerprint=since.isoformat(), detail=detail, data=data, at=at)
