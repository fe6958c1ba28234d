"""Forms of targets."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms

from incidents.models import PagingTarget
from incidents.services.targets import Terms
from incidents.types import Hears, Severity, TargetKind


class TargetForm(forms.Form):
    """Secrets are written and never shown: an empty field keeps what is there."""

    name = forms.CharField(max_length=80, help_text="As people call it: Operations, Night shift.")
    base_url = forms.CharField(max_length=500, required=False, label="Address")
    address = forms.CharField(max_length=254, required=False, label="Mail address")
    secret = forms.CharField(
        max_length=1_000, required=False, widget=forms.PasswordInput(attrs={"autocomplete": "off"})
    )
    severities = forms.MultipleChoiceField(choices=Severity.choices, widget=forms.CheckboxSelectMultiple, label="For")
    is_pager = forms.BooleanField(
        required=False, label="It wakes people, and somebody has to acknowledge", help_text="Chat and lists do not."
    )
    hears = forms.ChoiceField(choices=Hears.choices, required=False, label="Is told", initial=Hears.REAL)
    second_for = forms.ChoiceField(
        required=False,
        label="Second channel of",
        help_text="Then it is used only where that one did not deliver within two minutes.",
    )
    api_token = forms.CharField(
        max_length=1_000,
        required=False,
        label="API token to ask with",
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="Read access is enough. With it, who acknowledged what is known also where a webhook was lost.",
    )
    back_secret = forms.CharField(
        max_length=1_000, required=False, widget=forms.PasswordInput(attrs={"autocomplete": "off"})
    )

    _FIELDS = {
        TargetKind.PAGERDUTY: ("base_url", "secret", "severities", "second_for", "api_token", "back_secret"),
        TargetKind.OPSGENIE: ("base_url", "secret", "severities", "second_for", "api_token", "back_secret"),
        TargetKind.CHAT: ("secret", "severities", "second_for"),
        TargetKind.MAIL: ("address", "severities", "is_pager", "second_for"),
        TargetKind.WEBHOOK: ("base_url", "severities", "is_pager", "second_for"),
    }
    _SECRETS = {
        TargetKind.PAGERDUTY: ("Integration key", "Of an Events API v2 integration: 32 letters and digits."),
        TargetKind.OPSGENIE: ("API key", "Of an API integration that may create and update alerts."),
        TargetKind.CHAT: (
            "Apprise URL",
            "Such as slack://A/B/C, discord://ID/TOKEN, gchat://…, tgram://…, workflows://…",
        ),
    }
    _BACK = {
        TargetKind.PAGERDUTY: ("Webhook's signing secret", "PagerDuty shows it once, when the webhook is made."),
        TargetKind.OPSGENIE: ("Webhook's secret", "Set the header Authorization there to Bearer and this."),
    }
    _ADDRESSES = {
        TargetKind.PAGERDUTY: "Empty for the US region; https://events.eu.pagerduty.com for the EU.",
        TargetKind.OPSGENIE: "Empty for JSM Operations; https://api.opsgenie.com (or api.eu.opsgenie.com) for Opsgenie.",
        TargetKind.WEBHOOK: "It gets a signed POST, as webhooks of organisations do.",
    }

    def __init__(
        self, *args: Any, kind: TargetKind, target: PagingTarget | None, others: list[PagingTarget], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.kind = kind
        for name in [each for each in self.fields if each not in ("name", "hears", *self._FIELDS[kind])]:
            del self.fields[name]
        if "secret" in self.fields:
            self._word("secret", *self._SECRETS[kind], is_kept=bool(target and target.secret))
            self.fields["secret"].required = target is None
        if "back_secret" in self.fields:
            self._word("back_secret", *self._BACK[kind], is_kept=bool(target and target.back_secret))
        if "api_token" in self.fields and target and target.api_token:
            self.fields["api_token"].widget.attrs["placeholder"] = "Set. Leave empty to keep it."
        if "base_url" in self.fields:
            self.fields["base_url"].help_text = self._ADDRESSES[kind]
        choices = [("", "Nothing: it hears of everything at first hand")]
        choices += [(str(each.id), each.name) for each in others if target is None or each.id != target.id]
        second: Any = self.fields["second_for"]
        second.choices = choices

    def _word(self, name: str, label: str, help_text: str, *, is_kept: bool) -> None:
        self.fields[name].label, self.fields[name].help_text = label, help_text
        if is_kept:
            self.fields[name].widget.attrs["placeholder"] = "Set. Leave empty to keep it."

    @property
    def terms(self) -> Terms:
        """What was said, once the form is valid."""
        said = self.cleaned_data
        second = said.get("second_for")
        return Terms(
            name=said["name"],
            kind=self.kind.value,
            base_url=said.get("base_url", ""),
            address=said.get("address", ""),
            secret=said.get("secret", ""),
            back_secret=said.get("back_secret", ""),
            api_token=said.get("api_token", ""),
            severities=[int(each) for each in said["severities"]],
            is_pager=said.get("is_pager", self.kind in (TargetKind.PAGERDUTY, TargetKind.OPSGENIE)),
            second_for=uuid.UUID(second) if second else None,
            hears=said["hears"] or Hears.REAL.value,
        )

    @staticmethod
    def initial_of(target: PagingTarget) -> dict[str, Any]:
        return {
            "name": target.name,
            "base_url": target.base_url,
            "address": target.address,
            "severities": [str(each) for each in target.severities],
            "is_pager": target.is_pager,
            "second_for": str(target.second_for_id or ""),
            "hears": target.hears,
        }
