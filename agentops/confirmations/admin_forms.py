"""Forms of what an organisation decides about confirmations, and people beforehand. They read and show; services decide."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms

from agentops.catalog.queries import Place
from agentops.catalog.types import ToolPolicy
from agentops.confirmations.models import Rule
from agentops.confirmations.policies.rules import DELAY_SECONDS, THRESHOLD, RuleTerms
from agentops.confirmations.policies.standing import Constraint, Kind
from agentops.confirmations.services.standing import LIFE_MOST, USES_MOST

_FLOORS = (
    ("", "None: As each tool says"),
    ("2", "Tier 2: One person does it, edits it or cancels it"),
    ("3", "Tier 3: Everything shown, a typed phrase, password or passkey again"),
    ("4", "Tier 4: Two approvers, a mailed code each, then a delay"),
)
_STANDS = (
    ("", "Nothing said: The wider rules hold; without any, it is not allowed"),
    ("yes", "Allowed: People may agree beforehand, within limits, to calls in their own name"),
    ("no", "Not allowed: Each call asks"),
)


_LINES = forms.Textarea(attrs={"rows": 1, "spellcheck": "false", "autocomplete": "off"})


class RuleForm(forms.Form):
    """Whose calls a rule is about, and what it says."""

    agent = forms.ChoiceField(label="Agent", required=False)
    tool = forms.ChoiceField(label="Tool", required=False, help_text="The rule holds for every version of it.")
    tier_floor = forms.ChoiceField(
        label="No call is below",
        required=False,
        choices=_FLOORS,
        widget=forms.RadioSelect,
        help_text="Tools that only read ask too, then. Of several rules, the highest holds.",
    )
    amount_threshold = forms.DecimalField(
        label="To a new payee, one tier more above",
        required=False,
        min_value=0,
        max_digits=24,
        decimal_places=6,
        help_text=f"As the tool counts, often in cents. Where no rule says anything, {THRESHOLD:,} holds.",
    )
    delay_minutes = forms.IntegerField(
        label="At tier 4, can be stopped for (minutes)",
        required=False,
        min_value=1,
        max_value=720,
        help_text=f"After the second person agreed. Where no rule says anything, {DELAY_SECONDS // 60} minutes.",
    )
    may_stand_at_tier_3 = forms.ChoiceField(
        label="Standing approvals at tier 3",
        required=False,
        choices=_STANDS,
        widget=forms.RadioSelect,
        help_text="The most exact rule that says something holds: of tool and agent, then of the tool, then of the agent.",
    )

    def __init__(self, *args: Any, agents: Sequence[str], tools: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["agent"].choices = [("", "Every agent"), *((each, each) for each in agents)]  # type: ignore[attr-defined]
        self.fields["tool"].choices = [("", "Every tool"), *((each, each) for each in tools)]  # type: ignore[attr-defined]

    @staticmethod
    def showing(rule: Rule) -> dict[str, Any]:
        """What a rule says, as this form's fields."""
        stands = {True: "yes", False: "no", None: ""}
        threshold = rule.amount_threshold
        return {
            "agent": rule.agent,
            "tool": rule.tool,
            "tier_floor": "" if rule.tier_floor is None else str(rule.tier_floor),
            "amount_threshold": None if threshold is None else f"{threshold.normalize():f}",
            "delay_minutes": None if rule.delay_seconds is None else rule.delay_seconds // 60,
            "may_stand_at_tier_3": stands[rule.may_stand_at_tier_3],
        }

    def terms(self, **fixed: str) -> RuleTerms:
        said = {**self.cleaned_data, **fixed}
        minutes = said["delay_minutes"]
        return RuleTerms(
            agent=said["agent"],
            tool=said["tool"],
            tier_floor=int(said["tier_floor"]) if said["tier_floor"] else None,
            amount_threshold=said["amount_threshold"],
            delay_seconds=None if minutes is None else minutes * 60,
            may_stand_at_tier_3={"yes": True, "no": False}.get(said["may_stand_at_tier_3"]),
        )


class StandingForm(forms.Form):
    """One field a place of the tool's arguments, and the limits. Nothing is "any value" unless somebody chose so."""

    definition = forms.CharField(widget=forms.HiddenInput, required=False)  # of the tool that the person has seen
    acting_user = forms.ChoiceField(label="In your name as")
    uses_most = forms.IntegerField(label="At most so many calls", min_value=1, max_value=USES_MOST, initial=5)
    sum_most = forms.DecimalField(
        label="All of them together at most",
        min_value=0,
        max_digits=24,
        decimal_places=6,
        help_text="As the tool counts, often in cents.",
    )
    days = forms.IntegerField(label="For so many days", min_value=1, max_value=LIFE_MOST.days, initial=7)

    def __init__(
        self, *args: Any, names: Sequence[str], tool: ToolPolicy, places: Sequence[Place], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.places, self.tool = [place for place in places if not _is_cosmetic(place, tool)], tool
        self.fields["acting_user"].choices = [(name, name) for name in names]  # type: ignore[attr-defined]
        if len(names) == 1:
            self.fields["acting_user"].widget = forms.HiddenInput()
            self.initial["acting_user"] = names[0]
        if not tool.amount:
            del self.fields["sum_most"]
        self.initial["definition"] = str(tool.tool_version_id)
        for place in self.places:
            self.fields[f"kind:{place.pointer}"] = forms.ChoiceField(
                label=f"How {place.pointer} is held", choices=_kinds(place, tool)
            )
            self.fields[f"value:{place.pointer}"] = forms.CharField(
                label=f"Value of {place.pointer}",
                required=False,
                max_length=2_000,
                widget=_LINES,
                help_text=_help(place, tool),
            )

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The places with their two fields, for the page."""
        return [
            {"place": place, "kind": self[f"kind:{place.pointer}"], "value": self[f"value:{place.pointer}"]}
            for place in self.places
        ]

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        self.constraints: list[Constraint] = []
        if said.get("definition") != str(self.tool.tool_version_id):
            self.add_error(None, "The tool was defined anew while you looked. Look at it again, then agree.")
        for place in self.places:
            kind, text = said.get(f"kind:{place.pointer}"), said.get(f"value:{place.pointer}", "")
            if kind is None:
                continue
            try:
                self.constraints.append(Constraint(place.pointer, Kind(kind), _value(Kind(kind), place, text)))
            except ValueError as error:
                self.add_error(f"value:{place.pointer}", str(error))
        return said

    def show_problems(self, problems: Sequence[Any]) -> None:
        """Put a service's problems at the places they point to."""
        fields = {place.pointer: f"value:{place.pointer}" for place in self.places}
        for each in problems:
            own = each.pointer.strip("/") if each.pointer.strip("/") in self.fields else None
            field = fields.get(each.pointer) or ("days" if each.pointer == "/expires_at" else own)
            self.add_error(field, each.detail)

    def expires_at(self, at: datetime) -> datetime:
        until: datetime = at + timedelta(days=self.cleaned_data["days"])
        return until


def _help(place: Place, tool: ToolPolicy) -> str:
    said = [f"One of {', '.join(str(choice) for choice in place.choices[:20])}" if place.choices else place.description]
    said += ["Who is paid"] if place.pointer == tool.payee else []
    said += ["How much"] if place.pointer == tool.amount else []
    return " · ".join(each for each in said if each)


def _is_cosmetic(place: Place, tool: ToolPolicy) -> bool:
    return any(place.pointer == each or place.pointer.startswith(f"{each}/") for each in tool.cosmetic)


def _kinds(place: Place, tool: ToolPolicy) -> list[tuple[str, str]]:
    is_amount, is_payee = place.pointer == tool.amount, place.pointer == tool.payee
    found = [(Kind.EQUALS.value, "is exactly"), (Kind.ONE_OF.value, "is one of, a line each")]
    if is_amount or place.kind in ("integer", "number"):
        found.insert(0, (Kind.AT_MOST.value, "is at most"))
    if not (is_amount or is_payee):
        found.append((Kind.ANY.value, "may be any value"))
    return found


def _value(kind: Kind, place: Place, text: str) -> Any:
    """What was typed, as the argument's own type. Raises ValueError with a sentence."""
    if kind is Kind.ANY:
        return None
    if not text:
        raise ValueError("Say which value; or that it may be any.")
    if kind is Kind.ONE_OF:
        return [_one(place, line.strip()) for line in text.splitlines() if line.strip()]
    return _one(place, text)


def _one(place: Place, text: str) -> Any:
    for choice in place.choices:
        if text == (choice if isinstance(choice, str) else json.dumps(choice)):
            return choice
    if place.choices:
        raise ValueError(f"It is one of {', '.join(str(choice) for choice in place.choices[:20])}.")
    if place.kind == "text":
        return text
    if place.kind in ("integer", "number"):
        return _numeral(text, is_whole=place.kind == "integer")
    try:
        return json.loads(text)
    except ValueError:
        if place.kind in ("boolean", "list", "object"):
            raise ValueError(f"Write this {place.kind} as JSON.") from None
        return text


def _numeral(text: str, *, is_whole: bool) -> int | float:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError("A number is expected.") from None
    if not number.is_finite() or abs(number) > 2**53 - 1:
        raise ValueError("A number that every program reads alike is expected.")
    if number == number.to_integral_value():
        return int(number)
    if is_whole:
        raise ValueError("A whole number is expected.")
    return float(number)
