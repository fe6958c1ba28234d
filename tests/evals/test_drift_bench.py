"""The bench in small: the same code, fewer histories. Its figures are those of `manage.py bench drift`."""

from __future__ import annotations

import json

import numpy as np

from agentops.portal.bench import drift, drift_step
from evals.statistics import slide
from evals.statistics.simulate import Noise


def test_slides_are_found_and_flat_histories_are_quiet() -> None:
    dice = np.random.default_rng(7)
    assert drift._slide(dice, 60, 26, Noise())["found_within_6_weeks"] >= 0.85
    assert drift._flat(dice, 60, Noise())["alarms_per_year"] <= 0.6


def test_a_step_is_found_and_named_and_without_one_little_is() -> None:
    dice = np.random.default_rng(7)
    step = drift_step.measure(dice, 25, gap=0.15, noise=Noise())
    assert step["found"] >= 0.9 and step["attribution_right"] >= 0.9
    assert drift_step.measure(dice, 25, gap=0.0, noise=Noise())["found"] <= 0.1


def test_a_detector_that_never_speaks_fails_the_bench(monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(slide, "THRESHOLD", 99.0)
    monkeypatch.setattr(drift, "VARIANTS", ())
    monkeypatch.setattr(drift_step, "COHORTS", 1)
    found = drift.run(histories=3, seed=1, say=print)
    assert found["sound"] is False and found["slide_found_within_6_weeks"] == 0
    json.dumps(found)
    assert "flat, a year" in capsys.readouterr().out
