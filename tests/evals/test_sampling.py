"""The lot: the same for the same run, as likely as it says, and fair to small cohorts."""

from __future__ import annotations

import uuid

from evals.judging import sampling
from evals.judging.sampling import LEAST_A_DAY, Usual

TENANT = uuid.UUID(int=7)


def draw(run: int, *, rate: float = 0.05, seen: int = 100_000, kept: tuple[str, ...] = ()) -> sampling.Draw:
    return sampling.draw(tenant=TENANT, run=uuid.UUID(int=run), judge="j", rate=rate, seen_today=seen, kept=kept)


def test_the_same_run_is_drawn_the_same_whenever_it_is_asked() -> None:
    assert [draw(n).is_chosen for n in range(200)] == [draw(n).is_chosen for n in range(200)]


def test_another_judge_draws_other_runs() -> None:
    mine = {n for n in range(5_000) if sampling.lot(TENANT, uuid.UUID(int=n), "a") < 0.05}
    other = {n for n in range(5_000) if sampling.lot(TENANT, uuid.UUID(int=n), "b") < 0.05}
    assert 150 < len(mine) < 350 and len(mine & other) < 40


def test_a_share_is_drawn_as_large_as_the_rate() -> None:
    chosen = sum(draw(n).is_chosen for n in range(40_000))
    assert abs(chosen - 2_000) < 5 * 44  # five standard deviations


def test_a_higher_rate_draws_the_same_runs_and_more() -> None:
    few = {n for n in range(2_000) if draw(n, rate=0.05).is_chosen}
    more = {n for n in range(2_000) if draw(n, rate=0.2).is_chosen}
    assert few < more


def test_what_is_always_judged_has_the_weight_of_one_run() -> None:
    found = draw(3, rate=0.0, kept=("error",))
    assert (found.probability, found.is_chosen, found.is_kept) == (1.0, True, True)


def test_a_small_cohort_gets_its_minimum_and_a_large_one_the_rate() -> None:
    assert sampling.probability(0.05, 0) == 1.0
    assert sampling.probability(0.05, LEAST_A_DAY - 1) == 1.0
    assert sampling.probability(0.05, 99) == LEAST_A_DAY / 100
    assert sampling.probability(0.05, 1_000_000) == 0.05
    assert sampling.probability(0.0, 0) == 0.0, "a rate of nothing means it"


def test_the_weighted_sample_estimates_the_whole_without_bias() -> None:
    """A stratum of 50 runs a day beside one of 5,000: counted by weights, both come out right."""
    total = {"small": 0.0, "large": 0.0}
    for name, size in (("small", 50), ("large", 5_000)):
        for day in range(40):
            for n in range(size):
                found = draw(day * 1_000_000 + n + (0 if name == "small" else 500_000), seen=size)
                total[name] += found.is_chosen / found.probability
    assert abs(total["small"] / (50 * 40) - 1) < 0.2
    assert abs(total["large"] / (5_000 * 40) - 1) < 0.05


def test_an_outlier_is_thrice_beyond_the_usual_and_the_usual_takes_a_hundred_runs() -> None:
    usual = Usual(runs=100, cost_nano_usd=1_000, tokens=500, steps=8)
    assert not sampling.is_outlier(usual, cost_nano_usd=3_000, tokens=1_500, steps=24)
    assert sampling.is_outlier(usual, cost_nano_usd=3_001, tokens=0, steps=0)
    assert sampling.is_outlier(usual, cost_nano_usd=0, tokens=0, steps=25)
    assert not sampling.is_outlier(Usual(99, 1, 1, 1), cost_nano_usd=10**9, tokens=10**9, steps=99)
    assert not sampling.is_outlier(Usual(1_000, 0, 500, 8), cost_nano_usd=5, tokens=1, steps=1), "free runs have no p99"
    assert not sampling.is_outlier(None, cost_nano_usd=10**9, tokens=10**9, steps=99)
