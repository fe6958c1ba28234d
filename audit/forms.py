"""Forms of what leaves the log. They read and show; the services decide."""

from __future__ import annotations

from typing import Any

from django import forms

from audit.services.streaming import FORMATS
from audit.types import Every, ExportFormat

_WORDS = {
    ExportFormat.BUNDLE: "Bundle: Can be checked without us. Entries as they were hashed, with proofs and the verifier",
    ExportFormat.CSV: "CSV: For spreadsheets. A row for each entry; no cell is run as a formula",
    ExportFormat.NDJSON: "NDJSON: For programs. One JSON object a line, with all data",
    ExportFormat.OCSF: "OCSF: For a SIEM. Events of the Open Cybersecurity Schema Framework, one a line",
}
_STREAM_WORDS = {
    ExportFormat.NDJSON: "Records: One JSON object for each entry",
    ExportFormat.OCSF: "OCSF: Events of the Open Cybersecurity Schema Framework",
    ExportFormat.BUNDLE: "Lines that can be checked: Each entry as it was hashed, with what its commitments stand for",
}
_CHANNELS = (
    ("webhook", "Webhook: Signed, with the proof that nothing before was changed"),
    ("mail", "Mail: As a text that can be saved"),
)


class ExportForm(forms.Form):
    """Which time, and in which form. The other filters come from the search, and stand beside it."""

    form = forms.ChoiceField(
        label="Format",
        widget=forms.RadioSelect,
        choices=[(one.value, words) for one, words in _WORDS.items()],
        initial=ExportFormat.BUNDLE.value,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        day = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
        self.fields["from"] = forms.CharField(label="From", required=False, widget=day)
        self.fields["to"] = forms.CharField(label="To, and that day too", required=False, widget=day)
        self.order_fields(["from", "to", "form"])


class StreamForm(forms.Form):
    """Where entries are sent to from now on."""

    destination = forms.CharField(
        label="Address",
        max_length=500,
        widget=forms.URLInput(attrs={"placeholder": "https://siem.example.com/agentops", "autocomplete": "off"}),
        help_text="Batches of up to 500 entries are posted there, signed (Standard Webhooks), each at least once and in order.",
    )
    form = forms.ChoiceField(
        label="Format",
        widget=forms.RadioSelect,
        choices=[(one.value, _STREAM_WORDS[one]) for one in FORMATS],
        initial=ExportFormat.NDJSON.value,
    )
    begin = forms.ChoiceField(
        label="Begin",
        widget=forms.RadioSelect,
        choices=[
            ("now", "Now: With what is recorded from now on"),
            ("first", "At the beginning: With the first entry that is kept"),
        ],
        initial="now",
    )


class CheckpointDeliveryForm(forms.Form):
    """Where checkpoints are sent to."""

    channel = forms.ChoiceField(label="By", widget=forms.RadioSelect, choices=_CHANNELS, initial="webhook")
    destination = forms.CharField(
        label="Address",
        max_length=500,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text="A https:// address, or a mail address: a place that nobody at agentops can change.",
    )
    every = forms.ChoiceField(label="How often", choices=Every.choices, initial=Every.DAY.value)
