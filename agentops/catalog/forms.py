"""Forms of the catalog's pages. They read and show; the services decide."""

from __future__ import annotations

from typing import Any

from django import forms

from agentops.catalog.policies import HIGHEST_TIER, needs_reason
from agentops.catalog.types import Effect, Review

MOST_REASON = 2_000
TIER_WORDS = {
    1: "Tier 1: Nobody is asked",
    2: "Tier 2: The person it acts for confirms",
    3: "Tier 3: An approver confirms exactly these bytes",
    4: "Tier 4: Two people confirm, and a delay passes",
}
VERDICT_WORDS = {
    Review.APPROVED: "Approve: Agents that were granted it may call it",
    Review.REJECTED: "Reject: Nobody may call it",
}


def _reason(label: str, help_text: str) -> forms.CharField:
    return forms.CharField(
        label=label, max_length=MOST_REASON, help_text=help_text, widget=forms.Textarea(attrs={"rows": 3})
    )


class ReasonForm(forms.Form):
    """Why."""

    reason = _reason("Reason", "Kept in the audit log.")


class ReviewForm(forms.Form):
    """What a reviewer says of one exact definition. No verdict is chosen beforehand."""

    verdict = forms.ChoiceField(
        label="Verdict",
        widget=forms.RadioSelect,
        choices=[(verdict.value, words) for verdict, words in VERDICT_WORDS.items()],
        error_messages={"required": "Approve or reject it."},
    )
    tier = forms.TypedChoiceField(
        label="Tier",
        widget=forms.RadioSelect,
        coerce=int,
        choices=list(TIER_WORDS.items())[:HIGHEST_TIER],
        help_text="How much agreement each call needs, at least.",
    )
    is_exception = forms.BooleanField(
        label="Nobody is asked before it acts, and that is right",
        required=False,
        help_text="It does more than read, so tier 1 is an exception; the reason below stands for it.",
    )
    reason = _reason("Reason", "What you looked at, and why it may or may not be called. Kept and shown.")

    def __init__(self, *args: Any, effect: Effect, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.effect = effect
        if effect == Effect.READ:
            del self.fields["is_exception"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        is_approved = cleaned.get("verdict") == Review.APPROVED
        if is_approved and needs_reason(self.effect, cleaned.get("tier") or 0) and not cleaned.get("is_exception"):
            self.add_error("is_exception", "It does more than read. Choose a higher tier, or say that this is meant.")
        return cleaned
