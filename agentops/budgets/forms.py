"""Forms of prices. Times are by the organisation's clock."""

from __future__ import annotations

from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Any

from django import forms
from django.utils import timezone

from agentops.budgets.prices import CLASSES

MOST_TOKENS = 10**12
BEGINS = "Empty: with the beginning of today. It may lie in the past or the future."


class MomentField(forms.DateTimeField):
    """A date and a time of day by the clock of a zone, which its form sets."""

    zone: tzinfo | None = None

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
        super().__init__(widget=widget, **kwargs)

    def to_python(self, value: Any) -> datetime | None:
        with timezone.override(self.zone):
            return super().to_python(value)

    def prepare_value(self, value: Any) -> Any:
        with timezone.override(self.zone):
            return super().prepare_value(value)


class ZonedForm(forms.Form):
    """A form whose moments are of one zone."""

    def __init__(self, *args: Any, zone: tzinfo, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            if isinstance(field, MomentField):
                field.zone = zone
                field.help_text = f"{field.help_text} Time of {zone}.".strip()


def _provider(help_text: str = "Such as openai; empty holds for any.") -> forms.CharField:
    return forms.CharField(label="Provider", max_length=64, required=False, help_text=help_text)


def _rate(label: str, *, required: bool = False, help_text: str = "") -> forms.DecimalField:
    return forms.DecimalField(
        label=label, required=required, min_value=0, max_digits=12, decimal_places=6, help_text=help_text
    )


class PriceForm(ZonedForm):
    """US dollars per million tokens, by class."""

    model = forms.CharField(label="Model", max_length=200, help_text="As the spans name it.")
    provider = _provider()
    input = _rate("Input, USD per million tokens", required=True)
    output = _rate("Output, USD per million tokens", required=True)
    cache_read = _rate("Read from cache", help_text="Empty: as input.")
    cache_write = _rate("Written to cache", help_text="Empty: as input.")
    reasoning = _rate("Reasoning", help_text="Empty: as output.")
    valid_from = MomentField(label="Holds from", required=False, help_text=BEGINS)

    @property
    def rates(self) -> dict[str, Decimal | None]:
        return {name: self.cleaned_data[name] for name in CLASSES}


class DiscountForm(ZonedForm):
    """What comes off list prices."""

    provider = _provider("Such as openai; empty: any provider.")
    model = forms.CharField(
        label="Model", max_length=200, required=False, help_text="As the spans name it; empty: all models."
    )
    percent = forms.DecimalField(
        label="Percent off the list price", min_value=Decimal("0.01"), max_value=100, max_digits=5, decimal_places=2
    )
    valid_from = MomentField(label="Holds from", required=False, help_text=BEGINS)


class EndForm(ZonedForm):
    """Until when something holds."""

    valid_until = MomentField(label="Holds until", help_text="From there on the table's price holds.")


class RepricingForm(ZonedForm):
    """Which calls are priced anew, and why."""

    since = MomentField(label="Calls from")
    until = MomentField(label="Until", help_text="Not in the future.")
    reason = forms.CharField(
        label="Why",
        max_length=500,
        help_text="Stands beside every entry that this makes, such as “contract of 1 November”.",
    )


def _tokens(label: str, *, required: bool = False, help_text: str = "") -> forms.IntegerField:
    return forms.IntegerField(label=label, required=required, min_value=0, max_value=MOST_TOKENS, help_text=help_text)


class CallForm(ZonedForm):
    """A call that is only thought of, to see what it would cost."""

    model = forms.CharField(label="Model", max_length=200)
    provider = _provider("Such as openai; empty: the model's name decides.")
    input = _tokens("Input tokens", required=True, help_text="With those read from and written to a cache.")
    cache_read = _tokens("Of the input: read from a cache")
    cache_write = _tokens("Of the input: written to a cache")
    output = _tokens("Output tokens", required=True, help_text="With reasoning.")
    reasoning = _tokens("Of the output: reasoning")
    at = MomentField(label="When", required=False, help_text="Empty: now.")

    @property
    def tokens(self) -> dict[str, int | None]:
        return {name: self.cleaned_data[name] for name in CLASSES}
