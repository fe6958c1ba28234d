"""The bench in small: the same detectors and policy. Its figures are those of `manage.py bench quiet`."""

from __future__ import annotations

import pytest

from agentops.portal.bench import quiet, quiet_month
from agentops.portal.bench.quiet_book import Book
from incidents.detecting import rates
from incidents.detecting.seen import Seen
from tests.incidents.looks import after, look


def test_a_small_quiet_month_is_quiet_and_trouble_in_it_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiet_month, "ORGANISATIONS", 1)
    monkeypatch.setattr(quiet_month, "AGENTS", 3)
    made = quiet.run(seeds=1, busiest=quiet_month.BUSIEST, say=print)
    assert made["sound"] and made["false_pages"][0] <= quiet.MOST_FALSE
    # A detector that never speaks fails the bench.
    monkeypatch.setattr(rates, "burns_down", lambda figures, params: None)
    assert quiet.run(seeds=1, busiest=quiet_month.BUSIEST, say=print)["sound"] is False


def test_the_book_goes_by_the_policy_of_the_service() -> None:
    book = Book()

    def see(seconds: float, **changed: object) -> int:
        seen: Seen = look(None, **changed)
        book.look(seen, seen.fingerprint, after(seconds))
        return book.pages["error_rate"]

    # Opened; one more look; ten times as bad; ended by ten calm minutes and back within half an hour; later another.
    assert [see(0), see(60), see(120, value=400.0), see(120 + 900), see(120 + 960), see(9_000)] == [1, 1, 2, 3, 3, 4]


def test_chance_is_the_binomial_tail() -> None:
    assert rates.chance_of(0, 10, 0.5) == 1.0
    assert rates.chance_of(10, 10, 0.5) == pytest.approx(0.5**10)
    exact = sum(1 for hits in range(2**12) if bin(hits).count("1") >= 9) / 2**12
    assert rates.chance_of(9, 12, 0.5) == pytest.approx(exact)
