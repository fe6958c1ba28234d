"""What people fill in about alerts."""

from __future__ import annotations

import uuid
from collections.abc import Container, Sequence
from typing import Any

from django import forms

from incidents.detecting.defaults import DEFAULTS
from incidents.services.rules import AGENT_LENGTH, MOST_COOLDOWN
from incidents.types import AlertClass, Severity
from tenants.types import Tenant


def known(text: str, values: Container[str]) -> str:
    """What a filter was given, or nothing where there is no such choice."""
    return text if text in values else ""


class RuleForm(forms.Form):
    """One rule of a class: of whom, and what is to hold instead of the defaults. Empty keeps the default."""

    organisation = forms.ChoiceField(required=False, help_text="Nothing chosen: all organisations.")
    agent = forms.CharField(required=False, max_length=AGENT_LENGTH, help_text="As it names itself. Empty: all agents.")
    is_on = forms.BooleanField(
        label="Watch", required=False, initial=True, help_text="Off: no alerts, and those that are open end."
    )
    severity = forms.TypedChoiceField(required=False, coerce=int, empty_value=None)
    cooldown_seconds = forms.IntegerField(
        label="Cooldown (seconds)",
        required=False,
        min_value=0,
        max_value=MOST_COOLDOWN,
        help_text="An alert that ended and comes back pages again only so long after its last page.",
    )

    def __init__(
        self, data: Any, *, alert_class: AlertClass, tenants: Sequence[Tenant], initial: dict[str, Any]
    ) -> None:
        super().__init__(data, initial=initial)
        default = DEFAULTS[alert_class]
        self.tenants = {tenant.slug: tenant.id for tenant in tenants}
        choices: dict[str, list[tuple[Any, str]]] = {
            "organisation": [("", "All organisations"), *((tenant.slug, tenant.name) for tenant in tenants)],
            "severity": [("", f"As detected ({default.severity.label})"), *Severity.choices],
        }
        for name, offered in choices.items():
            self.fields[name].choices = offered  # type: ignore[attr-defined]
        self.fields["cooldown_seconds"].widget.attrs["placeholder"] = str(default.cooldown_seconds)
        self.names = list(default.params)
        for name, param in default.params.items():
            kind: type[forms.Field] = forms.IntegerField if param.is_whole else forms.FloatField
            self.fields[name] = kind(  # type: ignore[call-arg]  # both take bounds
                label=param.meaning,
                required=False,
                min_value=param.low,
                max_value=param.high,
                help_text=f"{param.low:,.10g} to {param.words(param.high)}; {param.default:,.10g} where nothing is set.",
            )
            self.fields[name].widget.attrs["placeholder"] = f"{param.default:.10g}"

    @property
    def rule(self) -> dict[str, Any]:
        """The arguments of the service."""
        given = self.cleaned_data
        about: uuid.UUID | None = self.tenants.get(given["organisation"])
        return {
            "about_tenant": about,
            "agent": given["agent"].strip(),
            "is_on": given["is_on"],
            "severity": given["severity"],
            "cooldown_seconds": given["cooldown_seconds"],
            "params": {name: given[name] for name in self.names if given[name] is not None},
        }
