"""Forms of our own people's pages about money."""

from __future__ import annotations

from django import forms


class RevenueFileForm(forms.Form):
    """What organisations paid, as a file."""

    file = forms.FileField(
        label="CSV file",
        help_text="The columns organisation (its short name), month (2026-11), amount_usd and, if you like, source.",
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,text/csv"}),
    )


class WeekPlanForm(forms.Form):
    """What a week may cost, from a Monday on."""

    starts_on = forms.DateField(
        label="From the Monday",
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text="It holds until the next plan begins.",
    )
    weekly_usd = forms.DecimalField(
        label="US dollars a week, all organisations", min_value=1, max_digits=12, decimal_places=2
    )
