"""Forms of what customers are told, of postmortems and of action items."""

from __future__ import annotations

from typing import Any

from django import forms

from incidents.types import CommChannel


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
