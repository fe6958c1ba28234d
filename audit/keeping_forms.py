"""Forms of what is kept, held and erased. They read and show; the services decide."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms

from audit.services.retention import LEAST_DAYS

MOST_REASON = 1_000
WHOLE, RUN = "log", "run"


def _reason(help_text: str) -> forms.CharField:
    return forms.CharField(
        label="Reason", max_length=MOST_REASON, help_text=help_text, widget=forms.Textarea(attrs={"rows": 3})
    )


class PeriodForm(forms.Form):
    """For how many days entries are kept."""

    days = forms.IntegerField(label="Days")
    is_meant = forms.BooleanField(
        label="I mean it: what is older than that is deleted within the hour, and cannot come back",
        required=False,
    )

    def __init__(self, *args: Any, now_days: int, most: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.now_days = now_days
        self.fields["days"].widget.attrs |= {"min": LEAST_DAYS, "max": most}
        self.fields[
            "days"
        ].help_text = f"From {LEAST_DAYS}, which is six months, to {most}, which is what your plan keeps."

    def clean(self) -> dict[str, Any]:
        """Keeping less than now deletes, so it is said twice."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if cleaned.get("days", self.now_days) < self.now_days and not cleaned.get("is_meant"):
            self.add_error("is_meant", "This is shorter than now. Tick this to say that you mean it.")
        return cleaned


class RunIdField(forms.CharField):
    """A run's id, as it is shown: 32 hexadecimal digits, with hyphens or without."""

    def clean(self, value: Any) -> uuid.UUID | None:
        text = str(super().clean(value)).strip()
        if not text:
            return None
        try:
            return uuid.UUID(text)
        except ValueError as error:
            raise forms.ValidationError("A run's id has 32 hexadecimal digits. Copy it from the run's page.") from error


class HoldForm(forms.Form):
    """What to hold, and why."""

    scope = forms.ChoiceField(
        label="What to hold",
        widget=forms.RadioSelect,
        choices=[
            (WHOLE, "The whole log: Nothing is deleted, and nobody is erased, while it is held"),
            (RUN, "One run: Its entries stay as they are, whatever happens to those around them"),
        ],
        error_messages={"required": "Choose what to hold."},
    )
    run = RunIdField(label="Run", max_length=36, help_text="The id of the run.")
    reason = _reason("The case, and who asked for it. Kept in the log.")
    use_required_attribute = (
        False  # the run is hidden where the whole log is held: the browser could not say what it misses
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.is_bound:
            self.fields["run"].required = self.data.get("scope") == RUN

    @property
    def held_run(self) -> uuid.UUID | None:
        """None: the whole log."""
        found: uuid.UUID | None = self.cleaned_data["run"] if self.cleaned_data["scope"] == RUN else None
        return found


class LiftForm(forms.Form):
    """Why what was held may go like everything else."""

    reason = _reason("Why it is needed no more. Kept in the log.")


class ErasureForm(forms.Form):
    """Whom to erase, and on what ground."""

    person = forms.CharField(
        label="Person",
        max_length=200,
        help_text="What the log calls them, whole: an e-mail address, or the id of an end user that your agents send.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    legal_basis = forms.CharField(
        label="On what ground",
        max_length=300,
        help_text="Such as: GDPR article 17(1)(b), request of 3 May. It stays in the log for ever, so it must not name the person.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def clean(self) -> dict[str, Any]:
        """The ground is hashed and kept: a person named in it could never be erased."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        person, ground = cleaned.get("person", ""), cleaned.get("legal_basis", "")
        if person and person.lower() in ground.lower():
            self.add_error(
                "legal_basis", "It names the person, and stays in the log for ever. Say it without the name."
            )
        return cleaned


class RefusalForm(forms.Form):
    """Why a person is not erased."""

    reason = _reason("What whoever asked is told. It stays when the name is gone, so it must not name the person.")
