"""Forms of judging."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
import yaml
from django import forms

from agentops.catalog.manifest.document import load_yaml
from agentops.common.errors import DomainError
from evals.judging import families
from evals.models import JudgeEndpoint, RubricVersion
from evals.services.judging.judges import DEFAULTS
from evals.types import EndpointKind

EXAMPLE = """criteria:
  - key: goal
    title: Goal reached
    instructions: Did the user get what they asked for, or a clear reason why not?
    scale: {kind: pass_fail}
    weight: 2
  - key: tone
    title: Tone
    instructions: Is the answer friendly, plain and short?
    scale: {kind: number, least: 1, most: 5}
pass_at: 0.7
"""
_PLAIN = {"autocomplete": "off", "spellcheck": "false"}
_OUTPUTS = (
    ("tool", "As the call of a tool: most models keep to the form best so"),
    ("json", "As JSON by the model's own mode: for endpoints without tools"),
    ("prompt", "As JSON that the prompt asks for: where neither is there"),
)


def as_yaml(content: str) -> str:
    """A rubric's content as people edit it."""
    return yaml.safe_dump(orjson.loads(content), sort_keys=False, allow_unicode=True, width=100)


class RubricForm(forms.Form):
    name = forms.CharField(max_length=100, help_text="Such as “Helpfulness”.")
    content = forms.CharField(
        label="Criteria",
        widget=forms.Textarea(attrs={"rows": 22, "spellcheck": "false", "class": "is-code"}),
        help_text="YAML. A scale is pass_fail, levels (each with value, title and score from 0 to 1) or number (least, most). "
        "pass_at is the weighted mean from which a run passes.",
    )
    note = forms.CharField(max_length=500, required=False, label="What changed")

    def clean_content(self) -> Any:
        try:
            return load_yaml(self.cleaned_data["content"].encode())
        except DomainError as refusal:
            told = "; ".join(problem.detail for problem in refusal.problems) or refusal.detail
            raise forms.ValidationError(f"This is no YAML that can be read: {told}") from refusal


class EndpointForm(forms.Form):
    name = forms.CharField(max_length=100)
    kind = forms.ChoiceField(label="Speaks", choices=EndpointKind.choices, widget=forms.RadioSelect, initial="openai")
    base_url = forms.CharField(
        label="Address",
        max_length=500,
        widget=forms.URLInput(attrs=_PLAIN),
        help_text="Up to the version, such as https://api.openai.com/v1. It must be public and https.",
    )
    key = forms.CharField(
        label="Key",
        max_length=500,
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="Kept encrypted, and shown to nobody.",
    )
    max_in_flight = forms.IntegerField(label="At once, at most", min_value=1, max_value=64, initial=8)
    requests_per_minute = forms.IntegerField(
        label="Requests a minute, at most", min_value=1, max_value=100_000, required=False
    )


class JudgeForm(forms.Form):
    """A judge, or a further version of it."""

    name = forms.CharField(max_length=100)
    rubric_version = forms.TypedChoiceField(label="Rubric")
    endpoint = forms.TypedChoiceField(label="Endpoint")
    provider = forms.CharField(max_length=60, help_text="Whose price list its calls are charged by, such as openai.")
    model = forms.CharField(
        max_length=200,
        widget=forms.TextInput(attrs=_PLAIN),
        help_text="Exact, with its version, as the endpoint names it.",
    )
    family = forms.CharField(
        max_length=40,
        required=False,
        help_text=f"Only where the model's name does not tell it: {', '.join(families.FAMILIES)}, or a word of your own.",
    )
    output = forms.ChoiceField(label="Answers", choices=_OUTPUTS, initial=DEFAULTS["output"])
    temperature = forms.FloatField(min_value=0, max_value=2, initial=DEFAULTS["temperature"])
    max_output_tokens = forms.IntegerField(
        label="Tokens of an answer, at most", min_value=64, max_value=16_000, initial=DEFAULTS["max_output_tokens"]
    )
    timeout_seconds = forms.IntegerField(
        label="Waits for an answer (seconds)", min_value=1, max_value=180, initial=DEFAULTS["timeout_seconds"]
    )

    def __init__(
        self, *args: Any, rubrics: Sequence[RubricVersion], endpoints: Sequence[JudgeEndpoint], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["rubric_version"].choices = [  # type: ignore[attr-defined]
            (str(one.id), f"{one.rubric.name}, version {one.number}") for one in rubrics
        ]
        self.fields["endpoint"].choices = [(str(one.id), f"{one.name} ({one.base_url})") for one in endpoints]  # type: ignore[attr-defined]

    def settings(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in DEFAULTS}


class AssignmentForm(forms.Form):
    agent = forms.ChoiceField(
        required=False, help_text="An agent with a line of its own leaves the one for all others."
    )
    judge_name = forms.ChoiceField(label="Judge")
    percent = forms.FloatField(
        label="Percent of its runs",
        min_value=0,
        max_value=100,
        initial=5,
        help_text="By lot. Errors, refusals, aborted runs, those that asked for a confirmation and outliers are judged besides, all of them.",
    )

    def __init__(self, *args: Any, agents: Sequence[str], judges: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["agent"].choices = [("", "All other agents"), *((name, name) for name in agents)]  # type: ignore[attr-defined]
        self.fields["judge_name"].choices = [(name, name) for name in judges]  # type: ignore[attr-defined]


class CheckRulesForm(forms.Form):
    agent = forms.ChoiceField(required=False)
    words = forms.CharField(
        label="Words and phrases that answers must not hold",
        required=False,
        max_length=60_000,
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false"}),
        help_text="One a line; whole words, whatever their case.",
    )
    output_schema = forms.CharField(
        label="JSON Schema of answers",
        required=False,
        max_length=70_000,
        widget=forms.Textarea(attrs={"rows": 8, "spellcheck": "false", "class": "is-code"}),
        help_text="For agents whose answers are read by programs. JSON Schema 2020-12.",
    )

    def __init__(self, *args: Any, agents: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["agent"].choices = [("", "All other agents"), *((name, name) for name in agents)]  # type: ignore[attr-defined]

    def clean_words(self) -> list[str]:
        return [line for line in self.cleaned_data["words"].splitlines() if line.strip()]

    def clean_output_schema(self) -> Any:
        text = self.cleaned_data["output_schema"]
        if not text.strip():
            return None
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise forms.ValidationError(f"This is no JSON: {error}.") from error
