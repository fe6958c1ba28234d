"""`manage.py bench NAME`: figures, with the machine, the load and the version."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from agentops.portal.bench import machine

FAULT_TARGETS = ("web worker", "celery worker", "postgres", "postgres backend", "valkey")


class Command(BaseCommand):
    help = "Measure: ingest, ledger, search, guard, audit, spend, pages, drift, quiet, blast, faults. Works on the engines of a running `up`, or of the environment."

    def add_arguments(self, parser: CommandParser) -> None:
        benches = parser.add_subparsers(dest="bench", required=True)
        ingest = benches.add_parser("ingest", help="spans per second over HTTP, beside parse plus COPY of the same run")
        ingest.add_argument("--spans", type=int, default=120_000)
        search = benches.add_parser("search", help="p50 and p95 of every filter and of the run page, on a filled table")
        search.add_argument("--spans", type=int, default=10_000_000)
        search.add_argument("--tenants", type=int, default=200)
        search.add_argument("--fill-only", action="store_true", help="fill the tables and measure nothing")
        search.add_argument(
            "--keep",
            action="store_true",
            help="leave the rows for the next bench; they have no ledger, and `ledger check` says so",
        )
        search.add_argument("--repeat", type=int, default=20, help="queries per figure")
        faults = benches.add_parser(
            "faults", help="kill -9 under load, on engines of its own; is all that was acknowledged there"
        )
        faults.add_argument("--rounds", type=int, default=200)
        faults.add_argument("--seed", type=int, help="the seed of an earlier run, to play its dice again")
        faults.add_argument("--only", choices=FAULT_TARGETS, help="kill only processes of this kind")
        guard = benches.add_parser(
            "guard", help="decisions per second over HTTP, beside SELECT 1 of the same run; the caps under fire"
        )
        guard.add_argument("--seconds", type=int, default=10, help="about how long each figure is measured")
        guard_faults = benches.add_parser(
            "guard-faults", help="kill -9 while agents ask the guard; is every call charged once"
        )
        guard_faults.add_argument("--rounds", type=int, default=200)
        guard_faults.add_argument("--seed", type=int, help="the seed of an earlier run, to play its dice again")
        spend = benches.add_parser(
            "spend", help="a loop that would burn $50,000 in six hours: found after, and stopped at, how many dollars"
        )
        pages = benches.add_parser("pages", help="p95 of the pages about spend over a year of hourly sums")
        pages.add_argument("--tenants", type=int, default=200)
        pages.add_argument("--rows", type=int, default=2, help="rows of each tenant in each hour")
        pages.add_argument("--repeat", type=int, default=20, help="requests per page")
        pages.add_argument("--fill-only", action="store_true", help="fill the tables and measure nothing")
        pages.add_argument(
            "--keep",
            action="store_true",
            help="leave the rows for the next bench; they have no ledger, and `ledger check` says so",
        )
        audit = benches.add_parser(
            "audit",
            help="the audit log written, sealed, browsed and verified; what it costs ingest (needs a running `up`)",
        )
        audit.add_argument("--parts", default="ingest,seal,browse,verify", help="which of these, by commas")
        audit.add_argument("--entries", type=int, default=10_000_000, help="stored while pages are asked for")
        audit.add_argument("--tenants", type=int, default=200)
        audit.add_argument("--spans", type=int, default=40_000, help="sent in each turn of ingest")
        audit.add_argument("--many", type=int, default=200_000, help="entries that are written, sealed and verified")
        audit.add_argument("--repeat", type=int, default=20, help="requests per question and tenant")
        audit.add_argument("--fill-only", action="store_true", help="fill the tables for browsing and measure nothing")
        audit.add_argument("--keep", action="store_true", help="leave the rows for the next bench")
        drift = benches.add_parser(
            "drift", help="how soon drift is found, and how often where none is; needs no engines"
        )
        drift.add_argument("--histories", type=int, default=500, help="simulated, of each kind")
        drift.add_argument("--seed", type=int, default=1)
        quiet = benches.add_parser(
            "quiet", help="false pages in a simulated month in which nothing is wrong; needs no engines"
        )
        quiet.add_argument("--seeds", type=int, default=5)
        quiet.add_argument("--busiest", type=float, help="runs a minute of the busiest agent; 8 if not said")
        blast = benches.add_parser(
            "blast", help="what one agent version touched with one tool, and evidence of 500 runs (needs engines)"
        )
        blast.add_argument("--spans", type=int, default=10_000_000)
        blast.add_argument("--runs", type=int, default=500, help="whose evidence is taken; 0 for none")
        blast.add_argument("--repeat", type=int, default=5, help="looks at each agent version")
        blast.add_argument("--fill-only", action="store_true", help="fill the tables and measure nothing")
        blast.add_argument("--keep", action="store_true", help="leave the rows for the next bench")
        ledger = benches.add_parser("ledger", help="what ledger, roll-ups and budgets cost ingest")
        ledger.add_argument("--spans", type=int, default=40_000, help="sent in each turn")
        for one in (ledger, ingest, search, faults, guard, guard_faults, audit, spend, pages, drift, quiet, blast):
            one.add_argument("--json", action="store_true", help="the last line is one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        from agentops.portal.bench import (
            audit,
            blast,
            drift,
            faults,
            guard,
            guard_faults,
            ingest,
            ledger,
            quiet,
            quiet_month,
            search,
            spend,
            spend_pages,
        )  # fmt: skip

        benches: dict[str, Callable[[], dict[str, Any]]] = {
            "guard": lambda: guard.run(seconds=options["seconds"]),
            "audit": lambda: audit.run(
                parts=options["parts"].split(","),
                entries=options["entries"],
                tenants=options["tenants"],
                spans=options["spans"],
                many=options["many"],
                repeat=options["repeat"],
                keep=options["keep"],
                fill_only=options["fill_only"],
                say=self.stdout.write,
            ),
            "blast": lambda: blast.run(
                spans=options["spans"],
                runs=options["runs"],
                repeat=options["repeat"],
                keep=options["keep"],
                fill_only=options["fill_only"],
                say=self.stdout.write,
            ),
            "drift": lambda: drift.run(histories=options["histories"], seed=options["seed"], say=self.stdout.write),
            "quiet": lambda: quiet.run(
                seeds=options["seeds"], busiest=options["busiest"] or quiet_month.BUSIEST, say=self.stdout.write
            ),
            "spend": lambda: spend.run(say=self.stdout.write),
            "pages": lambda: spend_pages.run(
                tenants=options["tenants"],
                rows=options["rows"],
                repeat=options["repeat"],
                keep=options["keep"],
                fill_only=options["fill_only"],
                say=self.stdout.write,
            ),
            "ingest": lambda: ingest.run(spans=options["spans"]),
            "ledger": lambda: ledger.run(spans=options["spans"]),
            "faults": lambda: faults.run(
                rounds=options["rounds"], seed=options["seed"], only=options["only"], say=self.stdout.write
            ),
            "guard-faults": lambda: guard_faults.run(
                rounds=options["rounds"], seed=options["seed"], say=self.stdout.write
            ),
            "search": lambda: search.run(
                spans=options["spans"],
                tenants=options["tenants"],
                fill_only=options["fill_only"],
                keep=options["keep"],
                repeat=options["repeat"],
                say=self.stdout.write,
            ),
        }
        figures = {"bench": options["bench"], "machine": machine.describe(), **benches[options["bench"]]()}
        for name, value in figures.items():
            if isinstance(value, dict):
                self.stdout.write(f"{name}:")
                for inner, figure in value.items():
                    self.stdout.write(f"  {inner}: {figure}")
            else:
                self.stdout.write(f"{name}: {value}")
        if options["json"]:
            self.stdout.write(json.dumps(figures, default=str))
        if figures.get("sound") is False:
            sys.exit(1)
