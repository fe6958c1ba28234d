"""Forms of budgets. They read and show; the service decides."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django import forms

from agentops.budgets.policies import ceiling_of
from agentops.budgets.types import Action, BudgetTerms, Period, Scope
from agentops.common.money import NANO, nano_usd

ACTION_WORDS = {
    Action.THROTTLE: "One run at a time: Others wait until the limit is raised or the period ends",
    Action.DOWNGRADE: "The cheapest allowed model: Calls go on, and are answered by it",
    Action.BLOCK: "No more calls: The limit is the ceiling, too",
}
PERIOD_WORDS = {Period.DAY: "Day", Period.WEEK: "Week, from Monday", Period.MONTH: "Calendar month"}
ORGANISATION, EACH_USER, USER, EACH_AGENT, AGENT = "tenant", "each_user", "user", "each_agent", "agent"
WHOSE_WORDS = {
    ORGANISATION: "The organisation: Everything that its agents spend",
    EACH_USER: "Each end user: Who has no budget of their own",
    USER: "One end user: Instead of what each has",
    EACH_AGENT: "Each agent: That has no budget of its own",
    AGENT: "One agent: Instead of what each has",
}
_SCOPES = {
    ORGANISATION: Scope.TENANT,
    EACH_USER: Scope.USER,
    USER: Scope.USER,
    EACH_AGENT: Scope.AGENT,
    AGENT: Scope.AGENT,
}


def _usd(label: str, *, required: bool = True, help_text: str = "", **more: Any) -> forms.DecimalField:
    return forms.DecimalField(
        label=label, required=required, min_value=0, max_digits=19, decimal_places=9, help_text=help_text,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off", **more}),
    )  # fmt: skip


class BudgetForm(forms.Form):
    """What a budget says; of whom it is stands fast."""

    limit_usd = _usd("Limit, US dollars", autofocus=True)
    action = forms.ChoiceField(
        label="At the limit",
        widget=forms.RadioSelect,
        choices=[(action.value, words) for action, words in ACTION_WORDS.items()],
        initial=Action.THROTTLE.value,
    )
    ceiling_usd = _usd(
        "Ceiling, US dollars", required=False, help_text="Where every call is refused. Empty: 110 % of the limit."
    )
    thresholds = forms.CharField(
        label="Tell at, percent of the limit", max_length=60, required=False, initial="50, 75, 100",
        help_text="Owners and admins get a message once for each.",
    )  # fmt: skip

    def __init__(self, *args: Any, of: BudgetTerms | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._of = of

    @classmethod
    def showing(cls, terms: BudgetTerms, *, limit_usd: str = "") -> BudgetForm:
        """The form with what is in force; with another limit where one is proposed, and no ceiling that is below it."""
        own = ceiling_of(limit_nano_usd=terms.limit_nano_usd, action=terms.action)
        is_usual = terms.ceiling_nano_usd == own or terms.ceiling_nano_usd < nano_usd(limit_usd or "0")
        initial: dict[str, Any] = {
            "limit_usd": limit_usd or plain_usd(terms.limit_nano_usd),
            "action": terms.action.value,
            "ceiling_usd": "" if is_usual else plain_usd(terms.ceiling_nano_usd),
            "thresholds": ", ".join(map(str, terms.thresholds)),
        }
        return cls(initial=initial, of=terms)

    @property
    def whose(self) -> tuple[Scope, str, Period]:
        """Of whom, and for how long."""
        assert self._of
        return self._of.scope, self._of.scope_id, self._of.period

    @property
    def terms(self) -> BudgetTerms:
        """As the service takes them."""
        return terms_of(self.cleaned_data, *self.whose)

    def clean_thresholds(self) -> tuple[int, ...]:
        words = self.cleaned_data["thresholds"].replace("%", " ").replace(",", " ").split()
        if not all(word.isascii() and word.isdigit() for word in words):
            raise forms.ValidationError("Whole percentages with commas between them, such as 50, 75, 100.")
        return tuple(sorted({int(word[:9]) for word in words}))


class NewBudgetForm(BudgetForm):
    """A budget of somebody who has none for the period; where there is one, it is replaced."""

    whose_choice = forms.ChoiceField(
        label="Whose", widget=forms.RadioSelect, choices=list(WHOSE_WORDS.items()), initial=ORGANISATION
    )
    name = forms.CharField(
        label="Which",
        max_length=200,
        required=False,
        help_text="The id that an end user's runs carry, or the agent's name.",
    )
    period = forms.ChoiceField(
        label="Per",
        choices=[(period.value, words) for period, words in PERIOD_WORDS.items()],
        initial=Period.MONTH.value,
    )
    field_order = ("whose_choice", "name", "period", "limit_usd", "action", "ceiling_usd", "thresholds")

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if self.cleaned_data.get("whose_choice") in (USER, AGENT) and not self.cleaned_data.get("name", "").strip():
            self.add_error("name", "Say which one.")
        return cleaned

    @property
    def whose(self) -> tuple[Scope, str, Period]:
        choice = self.cleaned_data["whose_choice"]
        name = self.cleaned_data["name"].strip() if choice in (USER, AGENT) else ""
        return _SCOPES[choice], name, Period(self.cleaned_data["period"])


def terms_of(cleaned: Mapping[str, Any], scope: Scope, scope_id: str, period: Period) -> BudgetTerms:
    limit, action = nano_usd(cleaned["limit_usd"]), Action(cleaned["action"])
    ceiling = None if action is Action.BLOCK else cleaned["ceiling_usd"]
    return BudgetTerms(
        scope=scope,
        scope_id=scope_id,
        period=period,
        limit_nano_usd=limit,
        ceiling_nano_usd=ceiling_of(limit_nano_usd=limit, action=action) if ceiling is None else nano_usd(ceiling),
        thresholds=cleaned["thresholds"] or (),
        action=action,
    )


def plain_usd(nano: int) -> str:
    """Dollars as people type them: exact, without zeros that say nothing."""
    return f"{(Decimal(nano) / NANO).normalize():f}"


def seal(terms: BudgetTerms) -> str:
    """What a preview was of: only what was looked at is saved."""
    return hashlib.sha256(repr(terms).encode()).hexdigest()[:16]
