"""The pure functions of drift, against brute force and against scipy."""

from __future__ import annotations

import math
import random
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from evals.statistics import fdr, sampletests, simulate, slide
from evals.statistics.attribution import Cell, attribute
from evals.statistics.moments import Moments, total
from evals.statistics.simulate import Noise

DICE = random.Random(1)


def _values(n: int, mean: float, deviation: float) -> list[float]:
    return [DICE.gauss(mean, deviation) for _ in range(n)]


def test_moments_add_up_to_those_of_all_values() -> None:
    one, other = _values(30, 1, 2), _values(50, 3, 1)
    both, whole = total([Moments.of(one), Moments.of(other)]), Moments.of(one + other)
    assert (both.n, both.mean, both.variance) == (80, pytest.approx(whole.mean), pytest.approx(whole.variance))
    assert whole.mean == pytest.approx(np.mean(one + other)) and whole.variance == pytest.approx(
        np.var(one + other, ddof=1)
    )


@pytest.mark.parametrize(("n", "m", "gap"), [(30, 30, 0.0), (40, 300, 0.3), (300, 35, 1.0), (1000, 1000, 0.05)])
def test_welch_is_that_of_scipy(n: int, m: int, gap: float) -> None:
    one, other = _values(n, 0, 1), _values(m, gap, 2)
    mine = sampletests.means(Moments.of(one), Moments.of(other))
    theirs = stats.ttest_ind(other, one, equal_var=False)
    interval = theirs.confidence_interval(0.95)
    assert mine is not None and mine.p == pytest.approx(theirs.pvalue, rel=0.02, abs=1e-12)
    assert (mine.low, mine.high) == (pytest.approx(interval.low, abs=0.05), pytest.approx(interval.high, abs=0.05))


@pytest.mark.parametrize("value", [0.0, 0.5, 2.0, 4.0, 8.0])
@pytest.mark.parametrize("freedom", [20, 60, 500])
def test_tails_of_t_are_those_of_scipy(value: float, freedom: int) -> None:
    assert sampletests.two_sided(value, freedom) == pytest.approx(2 * stats.t.sf(value, freedom), rel=0.05)


@pytest.mark.parametrize("value", [0.1, 1.0, 5.0, 30.0, 90.0])
@pytest.mark.parametrize("freedom", [1, 2, 7, 30])
def test_tails_of_chi_square_are_those_of_scipy(value: float, freedom: int) -> None:
    assert sampletests.chi_square_tail(value, freedom) == pytest.approx(
        stats.chi2.sf(value, freedom), rel=1e-6, abs=1e-14
    )


def test_shares_and_mixes_are_those_of_scipys_chi_square() -> None:
    found = sampletests.shares(12, 200, 40, 250)
    expected = stats.chi2_contingency([[12, 188], [40, 210]], correction=False)
    assert found is not None and found.p == pytest.approx(expected.pvalue)
    mix = sampletests.mixes({"a": 60, "b": 40}, {"a": 30, "b": 50, "c": 20}, runs=(100, 100))
    expected = stats.chi2_contingency([[60, 40, 0], [30, 50, 20]])
    assert mix is not None and mix.p == pytest.approx(expected.pvalue)
    assert mix.effect == pytest.approx(stats.contingency.association(np.array([[60, 40, 0], [30, 50, 20]]), "cramer"))
    assert mix.moved[0][0] == "a" and 0 < mix.divergence < 1


def test_many_calls_of_few_runs_count_as_few() -> None:
    few = sampletests.mixes({"a": 6000, "b": 4000}, {"a": 4000, "b": 6000}, runs=(20, 20))
    assert few is not None and few.p > 0.1


def test_nothing_on_a_side_is_no_answer_and_equal_values_are_no_division_by_zero() -> None:
    assert sampletests.shares(0, 0, 1, 5) is None and sampletests.mixes({}, {"a": 1}, runs=(0, 1)) is None
    assert sampletests.means(Moments(), Moments.of([1.0, 2.0])) is None
    same = sampletests.means(Moments.of([1.0, 1.0]), Moments.of([1.0, 1.0]))
    other = sampletests.means(Moments.of([1.0, 1.0]), Moments.of([2.0, 2.0]))
    assert same is not None and (same.p, same.effect) == (1.0, 0.0)
    assert other is not None and (other.p, other.effect) == (0.0, math.inf)


def test_values_that_are_all_equal_do_not_differ_by_the_rounding_of_their_sums() -> None:
    log = math.log1p(2_000_000 / 1000)
    found = sampletests.means(Moments.of([log] * 260), Moments(200, 200, 200, sum([log] * 200), sum([log * log] * 200)))
    assert found is not None and (found.p, found.effect) == (1.0, 0.0)


def test_weights_stand_for_the_runs_that_were_not_judged() -> None:
    """One of ten of the bad runs is judged, and all of the good ones: the mean is that of all."""
    weighted = Moments(20, 110, 10 + 10 * 100, 10 * 1.0 + 10 * 10 * 0.2, 10 * 1.0 + 10 * 10 * 0.04)
    assert weighted.mean == pytest.approx((10 * 1.0 + 100 * 0.2) / 110)
    assert weighted.size == pytest.approx(110**2 / 1010)


def test_days_that_differ_by_more_than_chance_are_noticed_and_others_are_not() -> None:
    alike = [Moments.of(_values(200, 0.8, 0.2)) for _ in range(28)]
    apart = [Moments.of(_values(200, 0.8 + 0.1 * math.sin(day), 0.2)) for day in range(28)]
    assert sampletests.between_days(alike) < 0.0003
    assert sampletests.between_days(apart) == pytest.approx(0.005, rel=0.4)


def test_q_values_are_those_of_scipy_and_weights_move_them() -> None:
    p = [0.001, 0.8, 0.02, 0.03, 0.5, 0.0001]
    assert fdr.adjusted(p) == pytest.approx(list(stats.false_discovery_control(p)))
    assert fdr.adjusted([]) == []
    even, uneven = (fdr.adjusted([0.02, 0.5, 0.5, 0.5], weights) for weights in ([1, 1, 1, 1], [7, 1, 1, 1]))
    assert (even[0], uneven[0]) == (pytest.approx(0.08), pytest.approx(0.02 * 4 * 2.5 / 7))


def test_under_the_null_few_days_have_any_finding() -> None:
    dice = np.random.default_rng(5)
    days = [min(fdr.adjusted(list(dice.uniform(size=140)), [8.0, *[1.0] * 6] * 20)) <= 0.05 for _ in range(1000)]
    assert np.mean(days) == pytest.approx(0.05, abs=0.025)


def _weeks(means: list[float], n: float = 200.0, variance: float = 0.0625) -> slide.Blocks:
    """Weeks with exactly these means, the oldest first, and this noise inside them."""
    y = np.array(means[::-1])[None, :]
    counts = np.full_like(y, n)
    return slide.Blocks(counts, counts, counts, y * n, (variance + y * y) * n)


def test_a_straight_fall_is_measured_and_a_level_is_none() -> None:
    fall = slide.find(_weeks([0.85] * 26 + [0.85 - 0.01 * (week + 0.5) for week in range(8)]))
    assert fall.is_found[0] and fall.weeks[0] == 8
    assert (fall.level[0], fall.fall[0]) == (pytest.approx(0.85), pytest.approx(0.08))
    assert not slide.find(_weeks([0.85] * 34)).is_found[0]
    assert not slide.find(_weeks([0.85] * 26 + [0.85 + 0.01 * week for week in range(8)])).is_found[0], (
        "a rise is no slide"
    )


def test_too_short_a_history_and_weeks_without_values_say_nothing() -> None:
    assert slide.find(_weeks([0.9, 0.8, 0.7, 0.6])).strength[0] == -math.inf
    gone = _weeks([0.85] * 26 + [0.6] * 8)
    empty = slide.Blocks(*(np.where(np.arange(34) < 3, 0.0, getattr(gone, name)) for name in slide.Blocks.__slots__))
    assert slide.find(empty).strength[0] == -math.inf, "nothing was judged lately"


def test_weeks_that_scatter_by_themselves_are_not_taken_for_a_slide() -> None:
    dice = np.random.default_rng(2)
    wild = np.mean(
        [slide.find(_weeks(list(0.85 + dice.normal(0, 0.08, 40)))).is_found[0] for _ in range(300)]
    )  # noise of the means is 0.018
    assert wild < 0.05


def test_simulated_scores_have_the_mean_and_deviation_that_they_should() -> None:
    found = simulate.scores(np.random.default_rng(1), Noise(), np.full(200_000, 0.85))
    assert found.mean() == pytest.approx(0.85, abs=0.002) and found.std() == pytest.approx(0.25, abs=0.002)
    assert found.min() >= 0 and found.max() <= 1
    means = simulate.sliding(np.full(365, 0.85), start=0, a_month=0.05)
    assert means[0] - means[-1] == pytest.approx(0.85 * 0.05 * 12, rel=0.01)


def _cells(rows: list[tuple[str, str, bool, int, float]]) -> list[Cell]:
    """prompt, model, is after, runs, mean."""
    return [
        Cell({"prompt": p, "model": m}, after, n, Moments(n, n, n, n * mean, n * (mean * mean + 0.0625)))
        for p, m, after, n, mean in rows
    ]


def test_the_change_that_explains_the_difference_is_told_from_the_one_that_does_not() -> None:
    rows = [("a", "x", False, 150, 0.85), ("b", "x", False, 150, 0.85), ("b", "y", True, 300, 0.75)]
    found = attribute(_cells(rows), ["prompt", "model"])
    assert [change.factor for change in found.causes] == ["model"] and found.is_told and len(found.changed) == 2


def test_changes_of_the_same_runs_cannot_be_told_apart() -> None:
    found = attribute(_cells([("a", "x", False, 300, 0.85), ("b", "y", True, 300, 0.75)]), ["prompt", "model"])
    assert [change.factor for change in found.causes] == ["prompt", "model"] and not found.is_told


def test_where_nothing_changed_there_is_no_cause() -> None:
    found = attribute(_cells([("a", "x", False, 300, 0.85), ("a", "x", True, 300, 0.75)]), ["prompt", "model"])
    assert found.causes == () and found.is_told


def test_web_processes_import_neither_numpy_nor_scipy_for_quality() -> None:
    code = (
        "import django, sys; django.setup(); import evals.urls, evals.tasks; "
        "print([name for name in ('numpy', 'scipy') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"DJANGO_SETTINGS_MODULE": "agentops.settings", "AGENTOPS_SECRET_KEY": "x" * 60, "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
