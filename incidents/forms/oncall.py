"""Forms of on-call: rotations and who takes over."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from zoneinfo import available_timezones

from django import forms

from incidents.services.rotations import ESCALATE_SECONDS, RotationTerms
from tenants.roles import StaffRole

if TYPE_CHECKING:
    from incidents.queries.rotas import Rota
    from tenants.models import User


class RotationForm(forms.Form):
    name = forms.CharField(max_length=80)
    role = forms.ChoiceField(choices=StaffRole.choices)
    members = forms.CharField(
        max_length=20_000,
        help_text="E-mail addresses in the order of their turns, one a line. All must hold the role.",
        widget=forms.Textarea(attrs={"rows": 5, "spellcheck": "false", "autocomplete": "off"}),
    )
    time_zone = forms.CharField(
        max_length=64,
        initial="UTC",
        help_text="Of the time at which turns change, such as Europe/Berlin.",
        widget=forms.TextInput(attrs={"list": "time-zones", "autocomplete": "off"}),
    )
    starts_on = forms.DateField(label="First day", widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    handover_at = forms.TimeField(
        label="Turns change at",
        help_text="The same time of day all year, also where clocks change.",
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
    )
    turn_days = forms.IntegerField(label="Days a turn", min_value=1, max_value=60, initial=7)
    escalate_after_seconds = forms.IntegerField(
        label="Ask the next after, in seconds",
        min_value=ESCALATE_SECONDS[0],
        max_value=ESCALATE_SECONDS[1],
        initial=300,
        help_text="Of an urgent page that nobody acknowledged.",
    )
    escalates_to = forms.ChoiceField(
        label="Next to be asked",
        required=False,
        help_text="Whoever is on call there; after them the next in line here.",
    )
    is_on = forms.BooleanField(label="In use", required=False, initial=True)

    def __init__(self, *args: Any, people: Iterable[User], others: Iterable[Rota], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.by_email = {user.email.casefold(): user.pk for user in people}
        choices = [(str(one.rotation.id), one.rotation.name) for one in others]
        self.fields["escalates_to"].choices = [("", "Nobody else"), *choices]  # type: ignore[attr-defined]

    def clean_members(self) -> list[int]:
        lines = [line.strip() for line in self.cleaned_data["members"].splitlines() if line.strip()]
        unknown = [line for line in lines if line.casefold() not in self.by_email]
        if unknown:
            raise forms.ValidationError(f"Nobody of our own people who is active has the address {unknown[0][:80]}.")
        return [self.by_email[line.casefold()] for line in lines]

    def terms(self) -> RotationTerms:
        given = dict(self.cleaned_data)
        above = given.pop("escalates_to")
        return RotationTerms(**given, escalates_to=uuid.UUID(above) if above else None)

    @staticmethod
    def time_zones() -> list[str]:
        return [*sorted(zone for zone in available_timezones() if "/" in zone and not zone.startswith("Etc/")), "UTC"]


def filled(rota: Rota) -> dict[str, Any]:
    """What the form shows of a rotation."""
    one = rota.rotation
    return {
        "name": one.name,
        "role": one.role,
        "members": "\n".join(member.user.email for member in rota.members),
        "time_zone": one.time_zone,
        "starts_on": one.starts_on,
        "handover_at": one.handover_at,
        "turn_days": one.turn_days,
        "escalate_after_seconds": one.escalate_after_seconds,
        "escalates_to": str(one.escalates_to_id or ""),
        "is_on": one.is_on,
    }


class _MomentField(forms.DateTimeField):
    def __init__(self, **kwargs: Any) -> None:
        widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
        super().__init__(widget=widget, **kwargs)


class CoverForm(forms.Form):
    user = forms.TypedChoiceField(label="Who takes over", coerce=int)
    starts_at = _MomentField(label="From (UTC)")
    ends_at = _MomentField(label="Until (UTC)")
    reason = forms.CharField(max_length=200, required=False)

    def __init__(self, *args: Any, people: Iterable[User], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["user"].choices = [(user.pk, user.get_full_name()) for user in people]  # type: ignore[attr-defined]
