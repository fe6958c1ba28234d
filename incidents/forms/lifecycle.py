"""Forms of incidents' pages. They read and show; services decide."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django import forms

from incidents.inputs import NAME_MOST, TEXT_MOST, TITLE_MOST
from incidents.policies import causes
from incidents.services.lifecycle import WATCH_HOURS
from incidents.services.times import CORRECTABLE
from incidents.types import CauseKind, Severity

_MEANINGS = {
    Severity.SEV1: "Harm goes on, or may: the kill switch is the first question",
    Severity.SEV2: "There was harm, and it is over",
    Severity.SEV3: "A pattern, without a single incident",
}
SEVERITY_CHOICES = [(str(each.value), f"{each.label}: {_MEANINGS[each]}") for each in Severity]
Choices = Iterable[tuple[str, str]]


def _moment(label: str, **kwargs: Any) -> forms.DateTimeField:
    return forms.DateTimeField(
        label=label,
        required=False,
        widget=forms.DateTimeInput(
            attrs={"placeholder": "2026-11-26 14:05:00", "autocomplete": "off"}, format="%Y-%m-%d %H:%M:%S"
        ),
        help_text=kwargs.pop("help_text", "UTC."),
        **kwargs,
    )


def _reason(label: str = "Why", **kwargs: Any) -> forms.CharField:
    return forms.CharField(label=label, max_length=2_000, widget=forms.Textarea(attrs={"rows": 2}), **kwargs)


class DeclareForm(forms.Form):
    title = forms.CharField(
        label="What is wrong, in one sentence",
        max_length=TITLE_MOST,
        help_text="Who did what to whom. It is sent to pagers: nothing secret, nobody's name.",
    )
    severity = forms.ChoiceField(
        label="How bad",
        widget=forms.RadioSelect,
        choices=[("", "Not sure: It is taken for the worst that its alerts say, or for a SEV-1"), *SEVERITY_CHOICES],
        required=False,
    )
    summary = forms.CharField(
        label="What is known", required=False, max_length=TEXT_MOST, widget=forms.Textarea(attrs={"rows": 3})
    )
    tenants = forms.MultipleChoiceField(label="Organisations", required=False, widget=forms.SelectMultiple)
    agent = forms.CharField(max_length=NAME_MOST, required=False)
    agent_version = forms.CharField(label="Version", max_length=NAME_MOST, required=False)
    tool = forms.CharField(max_length=NAME_MOST, required=False)
    impact_started_at = _moment("Harm began", help_text="UTC. Left out, it is when its alerts say.")
    incident_id = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, tenants: Choices, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["tenants"].choices = list(tenants)  # type: ignore[attr-defined]


class SeverityForm(forms.Form):
    severity = forms.ChoiceField(label="How bad", widget=forms.RadioSelect, choices=SEVERITY_CHOICES)
    reason = _reason()


class TimesForm(forms.Form):
    """One field for each time that may be corrected."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, label in CORRECTABLE.items():
            self.fields[name] = _moment(label)
        self.fields["reason"] = _reason("How you know")


class NoteForm(forms.Form):
    text = forms.CharField(label="What happened", max_length=TEXT_MOST, widget=forms.Textarea(attrs={"rows": 2}))
    occurred_at = _moment("When", help_text="UTC. Left out, it is now.")
    link = forms.CharField(
        label="Link", max_length=500, required=False, help_text="An address of this product, from its first /."
    )
    for_customers = forms.BooleanField(
        label="For customers, too", required=False, help_text="It may stand in what they are told."
    )


class KillForm(forms.Form):
    """What to stop because of an incident. What fits is chosen beforehand; how, and that it is meant, is not."""

    target = forms.ChoiceField(label="What to stop", widget=forms.RadioSelect)
    mode = forms.ChoiceField(
        label="How",
        widget=forms.RadioSelect,
        choices=[
            ("stop_next_step", "Stop at the next step: Runs in progress end when they next ask, and no new run begins"),
            ("block_new", "No new runs: Runs in progress go on to their end"),
        ],
        initial="stop_next_step",
    )
    reason = _reason("Reason", help_text="Shown to whoever is stopped, and kept.")
    is_product_meant = forms.BooleanField(
        label="I mean every agent of every organisation", required=False, help_text="Needed for that choice alone."
    )

    def __init__(self, *args: Any, targets: Choices, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["target"].choices = list(targets)  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        found: dict[str, Any] = super().clean() or {}
        if found.get("target") == "product" and not found.get("is_product_meant"):
            self.add_error("is_product_meant", "Tick this to say that you mean all of them.")
        return found


class CauseForm(forms.Form):
    cause = forms.ChoiceField(label="Cause")
    owasp = forms.ChoiceField(
        label="OWASP risk",
        required=False,
        choices=[("", "None of them"), *((code, f"{code} {word}") for code, word in causes.OWASP.items())],
    )
    text = forms.CharField(
        label="In your words",
        max_length=TEXT_MOST,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="What happened and how that is known; for “unknown”, why it cannot be found. Never that somebody erred.",
    )

    def __init__(self, *args: Any, is_root: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        groups: list[Any] = [("", "Choose one")]
        for kind in CauseKind:
            if kind == CauseKind.UNKNOWN:
                continue
            lines = [(f"{kind.value}/{key}", word) for key, word in causes.DETAILS[kind].items()]
            groups.append((kind.label, [*lines, (f"{kind.value}/", f"{kind.label}: something else")]))
        if is_root:
            groups.append(("unknown/", "Unknown: it cannot be found, for a reason"))
        self.fields["cause"].choices = groups  # type: ignore[attr-defined]

    @property
    def said(self) -> dict[str, str]:
        kind, _, detail = self.cleaned_data["cause"].partition("/")
        return {
            "kind": kind,
            "detail_kind": detail,
            "owasp": self.cleaned_data["owasp"],
            "text": self.cleaned_data["text"],
        }


class FixForm(forms.Form):
    change = forms.CharField(
        label="What is changed", max_length=TEXT_MOST, widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Prompt, model, tool, limit or code; with its number where there is one.",
    )  # fmt: skip
    tenant = forms.ChoiceField(label="Organisation", required=False)
    agent = forms.CharField(max_length=NAME_MOST, required=False)
    old_version = forms.CharField(label="Version that failed", max_length=NAME_MOST, required=False)
    new_version = forms.CharField(label="Version with the fix", max_length=NAME_MOST, required=False)
    cases = forms.CharField(
        label="Eval cases of the failing input",
        required=False,
        max_length=10_000,
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
        help_text="One a line, as set/case.",
    )

    def __init__(self, *args: Any, tenants: Choices, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["tenant"].choices = [("", "None"), *tenants]  # type: ignore[attr-defined]

    def clean_cases(self) -> list[dict[str, str]]:
        found = []
        for line in self.cleaned_data["cases"].splitlines():
            if not line.strip():
                continue
            name, slash, key = line.strip().partition("/")
            if not slash or not name or not key:
                raise forms.ValidationError(
                    f"“{line.strip()[:80]}” is no case: write set/case, such as starter/refund-twice."
                )
            found.append({"set": name, "key": key})
        return found


class CheckForm(forms.Form):
    """Two suite runs of the fix's eval set."""

    old_suite = forms.ChoiceField(label="Suite run of the old version")
    new_suite = forms.ChoiceField(label="Suite run of the new version")

    def __init__(
        self, *args: Any, old: Sequence[tuple[str, str]], new: Sequence[tuple[str, str]], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["old_suite"].choices = list(old)  # type: ignore[attr-defined]
        self.fields["new_suite"].choices = list(new)  # type: ignore[attr-defined]


class WatchForm(forms.Form):
    hours = forms.ChoiceField(
        label="How long",
        choices=[(str(hours), f"{hours} hours") for hours in range(WATCH_HOURS[0], WATCH_HOURS[1] + 1, 12)],
    )
