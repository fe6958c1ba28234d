"""`ledger check [--json]`"""

from __future__ import annotations

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from agentops.budgets import checks
from agentops.budgets.checks import Check, Difference
from agentops.common.scope import staff_scope
from agentops.traces import queries as traces

CHECKS = (
    traces.runs_are_their_spans,
    traces.ledger_is_the_spans,
    checks.usage_is_the_ledger,
    checks.folded_days_are_the_ledger,
    checks.agents_days_are_the_days,
    checks.agents_months_are_their_days,
    checks.whole_days_are_their_agents,
    checks.whole_months_are_their_days,
    checks.outcomes_are_their_tools,
    checks.calendars_are_the_settings,
    checks.guard_charges_are_the_reservations,
    checks.slices_hold_the_reservations,
    checks.counters_are_the_ledger,
    checks.no_hold_is_overdue,
)


class Command(BaseCommand):
    help = "Recompute every total from rows, across all organisations. Exit 0 only if all are equal."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        check = actions.add_parser(
            "check",
            help="totals of runs, ledger, sums by hour, day and month, budgets and holds against the rows they come from",
        )
        check.add_argument("--show", type=int, default=20, help="how many differences are printed")
        check.add_argument("--json", action="store_true", help="the last line of stdout is one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        found = []
        for check in CHECKS:
            with staff_scope():
                found.append(check(show=options["show"]))
            self._say(found[-1])
        is_equal = not any(check.differing for check in found)
        if options["json"]:
            self.stdout.write(json.dumps({"equal": is_equal, "checks": [_as_json(check) for check in found]}))
        if not is_equal:
            sys.exit(1)

    def _say(self, check: Check) -> None:
        if not check.differing:
            self.stdout.write(self.style.SUCCESS(f"{check.what}: {check.compared} rows, all equal"))
            return
        self.stdout.write(self.style.ERROR(f"{check.what}: {check.differing} of {check.compared} rows differ"))
        for item in check.first:
            of = ", ".join(f"{name} {value}" for name, value in item.of.items())
            self.stdout.write(
                f"  tenant {item.tenant_id}, {of}: {item.field} is {item.stored}, the rows say {item.rows}"
            )


def _as_json(check: Check) -> dict[str, Any]:
    return {
        "what": check.what,
        "compared": check.compared,
        "differing": check.differing,
        "first": [_difference(item) for item in check.first],
    }


def _difference(item: Difference) -> dict[str, Any]:
    return {
        "tenant_id": str(item.tenant_id),
        **{name: str(value) for name, value in item.of.items()},
        "field": item.field,
        "rows": int(item.rows),
        "stored": int(item.stored),
    }
