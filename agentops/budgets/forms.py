"""Forms of prices."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms

from agentops.budgets.models import PriceOverride
from agentops.budgets.prices import CLASSES


def _rate(label: str, *, required: bool = False, help_text: str = "") -> forms.DecimalField:
    return forms.DecimalField(
        label=label, required=required, min_value=0, max_digits=12, decimal_places=6, help_text=help_text
    )


class PriceForm(forms.Form):
    """US dollars per million tokens, by class."""

    model = forms.CharField(label="Model", max_length=200, help_text="As the spans name it.")
    provider = forms.CharField(
        label="Provider", max_length=64, required=False, help_text="Such as openai; empty holds for any."
    )
    input = _rate("Input, USD per million tokens", required=True)
    output = _rate("Output, USD per million tokens", required=True)
    cache_read = _rate("Read from cache", help_text="Empty: as input.")
    cache_write = _rate("Written to cache", help_text="Empty: as input.")
    reasoning = _rate("Reasoning", help_text="Empty: as output.")

    @property
    def rates(self) -> dict[str, Decimal | None]:
        return {name: self.cleaned_data[name] for name in CLASSES}

    @classmethod
    def showing(cls, price: PriceOverride) -> PriceForm:
        rates: dict[str, Any] = {name: getattr(price, f"{name}_usd") for name in CLASSES}
        return cls(initial={"model": price.model, "provider": price.provider, **rates})
