"""What a search of the log asks: what is taken, what is refused, and that it stays the same when it is kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.http import QueryDict

from agentops.common.errors import InvalidInput
from audit.registry import ACTIONS
from audit.searching import Filters
from audit.types import Category, Outcome

AT = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
RUN = "01a215d839de748d96c6bcc70eb91e47"


def problems(**params: str) -> dict[str, str]:
    with pytest.raises(InvalidInput) as refused:
        Filters.parse(params, at=AT)
    return {problem.pointer: problem.code for problem in refused.value.problems}


def test_everything_that_can_be_asked_is_read() -> None:
    filters = Filters.parse(
        QueryDict(
            f"q=refund&category=approval&action=approval.&outcome=denied&actor=agent:desk&person=u-1&target_type=tool"
            f"&target_id=refund&run={RUN}&sensitive=1&actor_type=agent&from=2026-11-01&to=2026-11-07&cursor=x&limit=5"
        ),
        at=AT,
    )
    assert (filters.text, filters.category, filters.action, filters.outcome) == (
        "refund", Category.APPROVAL, "approval.", Outcome.DENIED,
    )  # fmt: skip
    assert (filters.actor, filters.person, filters.target_type, filters.target_id) == (
        "agent:desk", "u-1", "tool", "refund",
    )  # fmt: skip
    assert filters.run is not None and filters.run.hex == RUN
    assert filters.is_sensitive and filters.actor_type == "agent"
    assert (filters.since, filters.until) == (
        datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 8, tzinfo=UTC),
    )  # fmt: skip


def test_a_day_at_the_end_is_in_it_and_a_time_is_not() -> None:
    assert Filters.parse({"to": "2026-11-07"}, at=AT).until == datetime(2026, 11, 8, tzinfo=UTC)
    assert Filters.parse({"to": "2026-11-07T10:00:00Z"}, at=AT).until == datetime(2026, 11, 7, 10, tzinfo=UTC)
    assert Filters.parse({"from": "24h"}, at=AT).since == AT - timedelta(days=1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("from", "yesterday"), ("from", "2026-13-01"), ("to", "9999-99-99"), ("category", "approvals"), ("outcome", "ok"),
        ("action", "approval.confirmd"), ("action", "approv"), ("run", "12"), ("run", "z" * 32), ("sensitive", "yes"),
        ("actor", "x" * 201), ("q", "\x00"), ("actor_type", "robot"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_at_its_place(name: str, value: str) -> None:
    assert problems(**{name: value}) == {f"/{name}": "invalid"}


def test_an_unknown_filter_is_refused_and_all_that_is_wrong_is_told_at_once() -> None:
    assert problems(actr="x", outcome="ok") == {"/actr": "unknown_filter", "/outcome": "invalid"}


def test_a_kept_search_finds_the_same_later() -> None:
    filters = Filters.parse({"from": "7d", "action": "approval.", "actor": "agent:desk"}, at=AT)
    kept = Filters.from_json(filters.as_json())
    assert (kept.since, kept.action, kept.actor) == (AT - timedelta(days=7), "approval.", "agent:desk")
    assert kept.where() == filters.where()


def test_the_beginning_of_a_name_means_all_actions_that_begin_so() -> None:
    filters = Filters.parse({"action": "kill_switch.*"}, at=AT)
    assert filters.actions == ("kill_switch.set", "kill_switch.lifted")
    both = Filters.parse({"action": "approval.", "category": "admin"}, at=AT)
    assert both.actions == ()
    every = Filters.parse({"category": "approval"}, at=AT).actions
    assert set(every) == {name for name, action in ACTIONS.items() if action.category is Category.APPROVAL}


def test_only_a_time_alone_is_a_whole_range() -> None:
    assert Filters.parse({"from": "7d"}, at=AT).is_time_range
    assert Filters.parse({}, at=AT).is_time_range
    assert not Filters.parse({"from": "7d", "q": "x"}, at=AT).is_time_range


def test_a_chip_takes_its_own_filter_away_and_no_other() -> None:
    filters = Filters.parse({"q": "a b", "action": "approval.", "from": "7d"}, at=AT)
    assert filters.without("q") == "action=approval.&from=7d"
    assert filters.query_string == "q=a+b&action=approval.&from=7d"
