"""Forms of the guard's pages. They read and show; the services decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django import forms

from agentops.common.money import NANO
from agentops.runtime.policies.caps import NAMES
from agentops.runtime.types import CAP_WORDS, EffectiveCaps, SwitchMode, SwitchScope

MOST_REASON = 1_000

SCOPE_WORDS = {
    SwitchScope.TENANT: "The organisation: Every agent, for every user",
    SwitchScope.AGENT: "One agent: Its runs, and the runs that it began of other agents",
    SwitchScope.USER: "One end user: Every run that an agent makes for them",
}
MODE_WORDS = {
    SwitchMode.STOP_NEXT_STEP: "Stop at the next step: Runs in progress end when they next ask, and no new run begins",
    SwitchMode.BLOCK_NEW: "No new runs: Runs in progress go on to their end",
}


def _reason(help_text: str) -> forms.CharField:
    return forms.CharField(
        label="Reason", max_length=MOST_REASON, help_text=help_text, widget=forms.Textarea(attrs={"rows": 3})
    )


class ModeForm(forms.Form):
    """How to stop, and why. Nothing is chosen beforehand."""

    mode = forms.ChoiceField(
        label="How",
        widget=forms.RadioSelect,
        choices=[(mode.value, words) for mode, words in MODE_WORDS.items()],
        error_messages={"required": "Choose how to stop."},
    )
    reason = _reason("Shown to whoever is stopped, and kept.")


class SwitchForm(ModeForm):
    """What to stop in one organisation."""

    scope = forms.ChoiceField(
        label="What to stop",
        widget=forms.RadioSelect,
        choices=[(scope.value, words) for scope, words in SCOPE_WORDS.items()],
        error_messages={"required": "Choose what to stop."},
    )
    agent = forms.ChoiceField(label="Agent")
    user = forms.CharField(label="End user", max_length=200, help_text="The id that their runs carry.")
    field_order = ("scope", "agent", "user", "mode", "reason")
    use_required_attribute = False  # of agent and user, one is hidden: the browser could not say what it misses

    def __init__(self, *args: Any, agents: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [("", "Choose an agent"), *((name, name) for name in agents)]
        self.fields["agent"].choices = choices  # type: ignore[attr-defined]
        if self.is_bound:  # what is not asked for in the chosen scope may be missing
            for scope, field in ((SwitchScope.AGENT, "agent"), (SwitchScope.USER, "user")):
                self.fields[field].required = self.data.get("scope") == scope

    @property
    def scope_id(self) -> str:
        """The name or id that belongs to the chosen scope."""
        scope = self.cleaned_data["scope"]
        return str(self.cleaned_data[scope]) if scope in (SwitchScope.AGENT, SwitchScope.USER) else ""


class ProductSwitchForm(ModeForm):
    """Stopping every agent of every organisation asks once more."""

    is_meant = forms.BooleanField(
        label="I mean every agent of every organisation",
        error_messages={"required": "Tick this to say that you mean all of them."},
    )


class LiftForm(forms.Form):
    """Why agents may go on."""

    reason = _reason("What was wrong, and what was done about it. Kept.")


class CapsForm(forms.Form):
    """The caps of an organisation; empty is as wide as the plan."""

    def __init__(self, *args: Any, plan: EffectiveCaps, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in NAMES:
            field = _cap_field(name, getattr(plan, name))
            field.widget.attrs |= {"form": "caps", "placeholder": "as the plan"}  # inside a table, beside the form
            self.fields[name] = field

    @classmethod
    def showing(cls, caps: Mapping[str, int], *, plan: EffectiveCaps) -> CapsForm:
        """The form with what is in force now."""
        initial: dict[str, Any] = dict(caps)
        if "cost_nano_usd" in initial:
            initial["cost_nano_usd"] = (Decimal(initial["cost_nano_usd"]) / NANO).normalize()
        return cls(initial=initial, plan=plan)

    @property
    def caps(self) -> dict[str, int | None]:
        """As the service takes them: money in nano-dollars."""
        found = dict(self.cleaned_data)
        if found["cost_nano_usd"] is not None:
            found["cost_nano_usd"] = int(found["cost_nano_usd"] * NANO)
        return found


def _cap_field(name: str, most: int) -> forms.Field:
    words = CAP_WORDS[name]
    if name == "cost_nano_usd":
        return forms.DecimalField(
            label=words.label,
            required=False,
            min_value=Decimal("0.000001"),
            max_value=Decimal(most) / NANO,
            max_digits=15,
            decimal_places=9,
            help_text=words.meaning,
        )
    return forms.IntegerField(label=words.label, required=False, min_value=1, max_value=most, help_text=words.meaning)
