"""Forms of the gates' pages. They read and show; the services decide."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms

from evals.services.gates import LEAST_RATE, MARGIN, Requirement
from evals.types import SuiteMode

_MODES = [
    (SuiteMode.PLAIN, "As recorded: Tools answer as they did"),
    (SuiteMode.CHAOS, "Tools fail: One call of each case times out, breaks or answers nonsense"),
]


class RequirementForm(forms.Form):
    """One suite that must pass, in percent and points."""

    set = forms.ChoiceField(label="Eval set")
    mode = forms.ChoiceField(label="What its tools do", choices=_MODES, widget=forms.RadioSelect, initial="plain")
    least_rate = forms.DecimalField(
        label="Cases that must pass, in %", min_value=0, max_value=100, initial=LEAST_RATE * 100
    )
    margin = forms.DecimalField(
        label="How much worse than the current version, in points",
        min_value=0,
        max_value=100,
        initial=MARGIN * 100,
        help_text="The whole interval of 95 % must stay within it. 60 cases show no less than 6 points, even if none differs; 35 show 10.",
    )
    repeats = forms.IntegerField(
        label="How often each case is run",
        min_value=1,
        max_value=20,
        initial=1,
        help_text="A case passes when each of its runs does.",
    )
    reason = forms.CharField(
        label="Reason",
        required=False,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Needed where less is asked for than before. Kept in the audit log.",
    )

    def __init__(self, *args: Any, sets: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["set"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(name, name) for name in sets]

    @property
    def requirement(self) -> Requirement:
        said = self.cleaned_data
        return Requirement(
            eval_set=said["set"],
            mode=SuiteMode(said["mode"]),
            least_rate=float(said["least_rate"]) / 100,
            margin=float(said["margin"]) / 100,
            repeats=said["repeats"],
        )


class WhyForm(forms.Form):
    """Why."""

    reason = forms.CharField(
        label="Reason", max_length=500, widget=forms.Textarea(attrs={"rows": 3}), help_text="Kept in the audit log."
    )


class OverrideForm(forms.Form):
    """Why a version should be let through in spite of its gate."""

    reason = forms.CharField(
        label="Reason",
        min_length=10,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Shown to the second person, and for ever on this page and in the audit log.",
    )
