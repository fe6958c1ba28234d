"""Every service that changes something leaves an audit entry: followed through the code, from each service to the writer.

The services are walked as they are offered (test_services.py). From each, every call that its code makes is followed
through functions, methods and classes of this project, until one is the audit log's writer. Whether the entry is the right
one, other tests say; here none can be forgotten. What may leave none stands below, each with its reason; a reason for
something that does leave one is refused.
"""

from __future__ import annotations

import ast
import functools
import inspect
import textwrap
from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any

import pytest

from audit.services import record, record_many
from tests.guards.test_services import SERVICES

PACKAGES = ("agentops.", "tenants.", "audit.", "evals.", "incidents.")
WRITERS = (record, record_many)
_OF_THE_VERB = "a step of a verb of the guard, or of ingest, which leaves the entry in the same transaction"
_OF_THE_CLOCK = (
    "housekeeping: it changes nothing that anybody decided, and deletes only what was recorded when it was made"
)
_OF_NO_TENANT = "it belongs to no tenant, so to no tenant's log; its own row says who, when and why"
_OF_THE_LOG = "it is how the log itself is kept: checkpoints and findings say what was done"
_OF_WHAT_WAS_ASKED = "a step of an export, a stream or a delivery that a person asked for, which left the entry"
WITHOUT_ENTRY = {
    **dict.fromkeys(
        [f"agentops.budgets.services.{name}" for name in ("guarded_calls", "renamed")],
        _OF_THE_VERB,
    ),
    **dict.fromkeys(
        [
            f"agentops.confirmations.services.{name}"
            for name in ("note_executed", "note_paid", "note_payment", "redeem", "standing_answer_for", "weigh_payment")
        ],
        _OF_THE_VERB,
    ),
    **dict.fromkeys(
        [
            f"agentops.budgets.services.{name}"
            for name in (
                "end_finding",
                "end_product_finding",
                "note_finding",
                "note_product_finding",
                "watch_minutes",
                "watch_product_days",
                "watch_product_minutes",
                "watch_tier",
            )
        ],
        "a finding is a row of its own, with when it was found, seen and ended; it changes nothing that anybody decided",
    ),
    **dict.fromkeys(
        [f"evals.services.{name}" for name in ("fill_queue", "find_signals", "match_outcomes", "take_confirmations")],
        "what a sweep finds stands in rows of its own, with when it was found; what people said has its entry already",
    ),
    "agentops.traces.services.add_guard_charge": _OF_THE_VERB,
    "agentops.budgets.services.claim_repricing": "a step of pricing anew: who asked left the entry, and its end leaves one",
    "agentops.catalog.services.renew_policies": "makes caches forget: whoever changed the rule has left the entry",
    "agentops.confirmations.services.tell_asked": "a message to those who may decide; the request has its entry",
    "agentops.confirmations.services.open_link": "the first to open a link may decide, with an entry; whoever comes second leaves one",
    "agentops.confirmations.services.presented": "a look at what a link shows",
    "agentops.outbox.services.send": "a message follows from something that has its entry; one that is given up leaves its own",
    "agentops.outbox.services.claim": "an attempt is a row of its own, shown on the page Deliveries",
    "agentops.traces.services.take_logs": "messages that belong to spans: nothing is done by them; what agents do are spans",
    **dict.fromkeys(
        [
            "agentops.budgets.services.add_up_agent_days",
            "agentops.budgets.services.add_up_minutes",
            "agentops.budgets.services.clear_stale",
            "agentops.budgets.services.fold_days",
            "agentops.budgets.services.forget_old",
            "agentops.budgets.services.look_again",
            "agentops.budgets.services.write_spend_day",
            "agentops.confirmations.services.purge",
            "agentops.outbox.services.purge",
            "agentops.runtime.services.add_up_days",
            "agentops.runtime.services.compute_baselines",
            "agentops.traces.services.finalise_idle_runs",
            "agentops.traces.services.register_end_users",
            "audit.services.purge_exports",
        ],
        _OF_THE_CLOCK,
    ),
    # paging
    **dict.fromkeys(
        [
            f"incidents.services.{name}"
            for name in ("claim_polls", "escalate", "forget_back_events", "note_deliveries", "use_second_channels")
        ],
        "a sweep: pages, escalations and attempts are rows that say when and to whom; nothing is decided by it",
    ),
    # judging
    "evals.services.calibrate_judge": "a comparison of what people and judges said: computed anew whenever either says more",
    "evals.services.plan_case": "a step of a suite, whose plan left the entry; the judgement is a row that says what came of it",
    "evals.services.forget_gone_runs": "it follows what traces deleted, which left the entry of retention",
    "evals.services.write_facts": "what machines find about a run, and the plan of who judges it: rows that say when and why",
    **dict.fromkeys(
        [
            f"evals.services.{name}"
            for name in (
                "claim_cases",
                "claim_for_endpoint",
                "give_up_claims",
                "give_up_paused",
                "put_back",
                "settle_judged_cases",
                "take_case_result",
            )
        ],
        "a step of a suite run that somebody began, which left the entry; each case is a row with what was told and when",
    ),
    # incidents: learning
    "incidents.services.settle_comms": "what became of a text that somebody sent, which left the entry; the row says when",
    "incidents.services.follow_item": "who opened an item stands on it; the signature, which needs all of them, leaves the entry",
    "incidents.services.store_shipped": "the text that comes with the product: nobody decided anything",
    "incidents.services.note_feed_read": "when a calendar program last came for an address: to the hour, for whoever owns it",
    "incidents.services.note_due": "a date that follows from when the incident was resolved, which left the entry",
    "incidents.services.follow_clocks": "clocks that follow from rows, each of which has its entry",
    # alerts
    "incidents.services.forget_looks": _OF_THE_CLOCK,
    # incidents: evidence
    **dict.fromkeys(
        [
            f"incidents.services.{name}"
            for name in (
                "freeze_plan",
                "keep_runs",
                "keep_surroundings",
                "note_failure",
                "note_reversals_told",
                "note_scan_failure",
                "note_snapshot_told",
            )
        ],
        "a step of a snapshot, a look or a reversal that was planned with an entry, and whose end leaves one",
    ),
    "incidents.services.note": "a line of the timeline, in the transaction of what it tells of, which leaves the entry",
    "evals.services.take_replay_result": "the end of a replay that somebody asked for, which left the entry",
    **dict.fromkeys(
        [
            "agentops.runtime.services.ask_product_lift",
            "agentops.runtime.services.lift_product_switch",
            "agentops.runtime.services.set_product_switch",
            "agentops.budgets.services.set_week_plan",
            "tenants.services.create_staff",
            "tenants.services.create_staff_token",
            "tenants.services.revoke_staff_token",
        ],
        _OF_NO_TENANT,
    ),
    **dict.fromkeys(
        [
            f"audit.services.{name}"
            for name in ("next_batch", "next_checkpoint", "note_arrived", "note_sent", "write_export")
        ],
        _OF_WHAT_WAS_ASKED,
    ),
    **dict.fromkeys(
        [
            f"audit.services.{name}"
            for name in ("end_finding", "note_finding", "publish_keys", "seal", "seal_all", "thin_checkpoints")
        ],
        _OF_THE_LOG,
    ),
}


def _functions(module: ModuleType, node: ast.AST, owner: type | None) -> Iterator[Any]:
    """What the calls (and the functions handed on) inside a piece of code refer to, as far as names tell."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Attribute | ast.Name):
            yield from _referred(module, inner, owner)


def _referred(module: ModuleType, node: ast.Attribute | ast.Name, owner: type | None) -> Iterator[Any]:
    names: list[str] = []
    place: ast.expr = node
    while isinstance(place, ast.Attribute):
        names.insert(0, place.attr)
        place = place.value
    if not isinstance(place, ast.Name):
        return
    found: Any = owner if place.id in ("self", "cls") and owner is not None else vars(module).get(place.id)
    for name in names:
        if found is None:
            return
        found = inspect.getattr_static(found, name, None) if isinstance(found, type) else getattr(found, name, None)
    yield found


@functools.cache
def _calls(function: Any) -> frozenset[Any]:
    """The functions of this project that a function of this project refers to."""
    function = inspect.unwrap(function)
    module = inspect.getmodule(function)
    if module is None or not module.__name__.startswith(PACKAGES):
        return frozenset()
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return frozenset()
    owner = _owner(function, module)
    found: set[Any] = set()
    for referred in _functions(module, tree, owner):
        if isinstance(referred, FunctionType | staticmethod | classmethod):
            found.add(getattr(referred, "__func__", referred))
        elif isinstance(referred, type) and referred.__module__.startswith(PACKAGES):
            found.update(one for one in vars(referred).values() if isinstance(one, FunctionType))
    return frozenset(one for one in found if str(getattr(one, "__module__", "")).startswith(PACKAGES))


def _owner(function: Any, module: ModuleType) -> type | None:
    name, dot, _ = function.__qualname__.rpartition(".")
    found = vars(module).get(name) if dot else None
    return found if isinstance(found, type) else None


def leaves_an_entry(service: Any) -> bool:
    waiting, seen = [inspect.unwrap(service)], set()
    while waiting:
        function = waiting.pop()
        if function in WRITERS:
            return True
        if function not in seen:
            seen.add(function)
            waiting += _calls(function)
    return False


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_service_leaves_an_entry_or_has_a_reason(name: str) -> None:
    assert leaves_an_entry(SERVICES[name]) != (name in WITHOUT_ENTRY)


def test_reasons_are_of_services_that_there_are() -> None:
    assert set(WITHOUT_ENTRY) <= set(SERVICES)
