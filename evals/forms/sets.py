"""Forms of eval sets and suites."""

from __future__ import annotations

from typing import Any

from django import forms

from agentops.common.errors import DomainError
from evals.services.suites.endpoints import IN_FLIGHT_MOST, TIMEOUT_MOST
from evals.sets import files
from evals.sets.cases import KEY_FORM, Case
from evals.sets.expectations import KINDS


class SetForm(forms.Form):
    name = forms.CharField(
        max_length=100, help_text="a-z, 0-9, dot, hyphen and underscore; names the directory in git."
    )
    description = forms.CharField(max_length=2_000, required=False, widget=forms.Textarea(attrs={"rows": 2}))


class CaseForm(forms.Form):
    """A case as YAML. `case` is there once the form is valid."""

    key = forms.CharField(max_length=120, help_text=KEY_FORM.replace(" are expected", ""))
    text = forms.CharField(
        label="The case, in YAML",
        strip=False,
        max_length=300_000,
        widget=forms.Textarea(attrs={"rows": 28, "spellcheck": "false"}),
        help_text=f"Expectations: {', '.join(KINDS)}.",
    )
    replaces = forms.CharField(required=False, widget=forms.HiddenInput)
    note = forms.CharField(max_length=500, required=False, label="Why", help_text="For the list of revisions.")

    case: Case

    def __init__(self, *args: Any, is_new: bool, sets: list[str] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not is_new:
            self.fields["key"].disabled = True
        if sets is not None:
            self.fields["eval_set"] = forms.ChoiceField(label="Eval set", choices=[(name, name) for name in sets])
            self.order_fields(["eval_set", "key"])

    def clean_text(self) -> str:
        text: str = self.cleaned_data["text"]
        try:
            self.case = files.read_text(text.replace("\r\n", "\n").encode("utf-8", "surrogatepass"))
        except DomainError as refusal:
            told = [f"{each.pointer or '/'}: {each.detail}" for each in refusal.problems] or [refusal.detail]
            raise forms.ValidationError(told) from refusal
        return text


class SuiteForm(forms.Form):
    """A suite run at an agent's registered address."""

    agent = forms.ChoiceField()
    agent_version = forms.CharField(max_length=100, label="Version")
    eval_set = forms.ChoiceField(label="Eval set")
    mode = forms.ChoiceField(choices=[("plain", "As recorded"), ("chaos", "Tools fail")])
    repeats = forms.IntegerField(min_value=1, max_value=20, initial=1)

    def __init__(self, *args: Any, agents: list[str], sets: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, words in (("agent", agents), ("eval_set", sets)):
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = [(word, word) for word in words]


class EndpointForm(forms.Form):
    """Where an agent answers."""

    agent = forms.CharField(max_length=100)
    url = forms.CharField(
        max_length=1_000, label="Address", help_text="https; it is asked for each case, signed as webhooks are."
    )
    timeout_seconds = forms.IntegerField(min_value=1, max_value=TIMEOUT_MOST, initial=120, label="Seconds to answer in")
    max_in_flight = forms.IntegerField(min_value=1, max_value=IN_FLIGHT_MOST, initial=4, label="Cases at once")
    new_secret = forms.BooleanField(required=False, label="Make a new secret")
