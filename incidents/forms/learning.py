"""Forms of what customers are told, of postmortems and of action items."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms

from incidents.policies.learning import WHYS_MOST
from incidents.services.postmortem_text import TEXTS
from incidents.services.postmortems import ANSWER_MOST, EVIDENCE_MOST, QUESTION_MOST, TEXT_MOST, WhyTerms
from incidents.types import ActionKind, CommChannel


def moment(label: str, *, required: bool = False, help_text: str = "") -> forms.DateTimeField:
    """A time in UTC, to the minute."""
    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
    return forms.DateTimeField(label=f"{label} (UTC)", required=required, help_text=help_text, widget=widget)


def area(label: str, rows: int, most: int, *, required: bool = False, help_text: str = "") -> forms.CharField:
    widget = forms.Textarea(attrs={"rows": rows})
    return forms.CharField(label=label, max_length=most, required=required, help_text=help_text, widget=widget)


class CommForm(forms.Form):
    """A text to customers. `seen` is the digest of what it replaces."""

    channel = forms.ChoiceField(label="How", choices=CommChannel.choices)
    recipients = area("To", 3, 20_000, help_text="One a line: mail addresses; who is called; or where it is published.")
    subject = forms.CharField(max_length=200, required=False)
    body = area("Text", 18, 20_000, required=True)
    next_update_due_at = moment("They hear more by", help_text="Empty after the last word. Nobody is reminded then.")
    seen = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, is_public: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        channels = [CommChannel.STATEMENT] if is_public else [CommChannel.MAIL, CommChannel.CALL]
        self.fields["channel"].choices = [(one.value, one.label) for one in channels]  # type: ignore[attr-defined]

    def clean_recipients(self) -> list[str]:
        return [line.strip() for line in self.cleaned_data["recipients"].splitlines() if line.strip()]

    def said(self) -> dict[str, Any]:
        names = ("channel", "recipients", "subject", "body", "next_update_due_at")
        return {name: self.cleaned_data[name] for name in names}


class ReasonForm(forms.Form):
    reason = area("Why", 3, 1_000, required=True)


class ToldForm(forms.Form):
    told_at = moment("When it was told", required=True)


class ContactForm(forms.Form):
    """They came to us."""

    about_tenant = forms.ChoiceField(label="Who")
    when = moment("When", required=True)
    note = forms.CharField(label="What they said", max_length=1_000, required=False)

    def __init__(self, *args: Any, organisations: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["about_tenant"].choices = organisations  # type: ignore[attr-defined]


class PostmortemForm(forms.Form):
    """Texts and whys of one version."""

    version = forms.IntegerField(widget=forms.HiddenInput, min_value=1, max_value=2**31 - 1)
    summary = area("Summary", 5, TEXT_MOST, help_text="What happened, in a few sentences that anybody understands.")
    impact = area("Impact", 4, TEXT_MOST, help_text="Who was hit, how, and for how long.")
    went_well = area("What went well", 3, TEXT_MOST)
    went_badly = area("What went badly", 3, TEXT_MOST)
    lucky = area("Where we were lucky", 3, TEXT_MOST)

    def __init__(self, *args: Any, evidence: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for number in range(1, WHYS_MOST + 1):
            self.fields[f"question_{number}"] = forms.CharField(
                label=f"{number}. Why", max_length=QUESTION_MOST, required=False
            )
            self.fields[f"answer_{number}"] = area("Because", 2, ANSWER_MOST)
            if evidence:
                self.fields[f"evidence_{number}"] = forms.ChoiceField(
                    label="Evidence that was kept", choices=[("", "None of it"), *evidence], required=False
                )
            self.fields[f"shown_{number}"] = forms.CharField(
                label="What shows it", max_length=EVIDENCE_MOST, required=False
            )

    @property
    def texts(self) -> list[forms.BoundField]:
        return [self[name] for name in TEXTS]

    @property
    def whys(self) -> list[list[forms.BoundField]]:
        """The fields of each why."""
        names = ("question", "answer", "evidence", "shown")
        return [
            [self[f"{name}_{number}"] for name in names if f"{name}_{number}" in self.fields]
            for number in range(1, WHYS_MOST + 1)
        ]

    def said(self) -> dict[str, Any]:
        data = self.cleaned_data
        return {
            "version": data["version"],
            "texts": {name: data[name] for name in TEXTS},
            "whys": [
                WhyTerms(
                    question=data[f"question_{number}"],
                    answer=data[f"answer_{number}"],
                    evidence_id=uuid.UUID(found) if (found := data.get(f"evidence_{number}")) else None,
                    evidence_text=data[f"shown_{number}"],
                )
                for number in range(1, WHYS_MOST + 1)
            ],
        }


class VersionForm(forms.Form):
    version = forms.IntegerField(min_value=1, max_value=2**31 - 1)


class ActionForm(forms.Form):
    title = forms.CharField(label="What is done", max_length=300)
    kind = forms.ChoiceField(label="It helps to", choices=ActionKind.choices)
    owner = forms.TypedChoiceField(coerce=int, empty_value=None, required=False)
    due_on = forms.DateField(
        label="Until", required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    tracker_url = forms.CharField(
        label="In your tracker",
        max_length=1_000,
        required=False,
        help_text="An address such as https://tracker.example.com/OPS-42.",
    )

    def __init__(self, *args: Any, people: list[tuple[int, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["owner"].choices = [("", "Nobody yet"), *people]  # type: ignore[attr-defined]
