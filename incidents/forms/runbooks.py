"""The form of a runbook's next version."""

from __future__ import annotations

from django import forms

from incidents.runbooks.reading import BODY_MOST


class RunbookForm(forms.Form):
    title = forms.CharField(max_length=200)
    body = forms.CharField(
        label="Text",
        max_length=BODY_MOST,
        help_text="Markdown. Lines that begin with “- [ ] ” are its steps, which people tick in an incident. No HTML, no images.",
        widget=forms.Textarea(attrs={"rows": 28, "spellcheck": "true"}),
    )
    note = forms.CharField(label="What changed", max_length=200, required=False)
    seen_version = forms.IntegerField(widget=forms.HiddenInput, min_value=1, max_value=2**31 - 2)
