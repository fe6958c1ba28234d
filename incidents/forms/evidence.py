"""Forms of evidence, blast radius and reversal. They read and show; the services decide."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from django import forms

from incidents.types import BlastKind, BlastState, ReversalState, Reversibility

_ALL = "all"


def _words(
    label: str, help_text: str = "", *, rows: int = 2, is_required: bool = True, most: int = 2_000
) -> forms.CharField:
    area = forms.Textarea(attrs={"rows": rows})
    return forms.CharField(label=label, help_text=help_text, max_length=most, required=is_required, widget=area)


class ReasonForm(forms.Form):
    """Why."""

    reason = _words("Reason", "Kept on the timeline and in the audit log.")


class ScanForm(forms.Form):
    """What is looked for. Times are in UTC."""

    agent = forms.CharField(label="Agent", max_length=200, required=False)
    version = forms.CharField(
        label="Version", max_length=200, required=False, help_text="All versions where it is empty."
    )
    tool = forms.CharField(label="Tool", max_length=200, required=False, help_text="All tools where it is empty.")
    since = forms.DateTimeField(
        label="From (UTC)", widget=forms.DateTimeInput(attrs={"placeholder": "2026-11-26 09:00"})
    )
    until = forms.DateTimeField(
        label="Until (UTC)", widget=forms.DateTimeInput(attrs={"placeholder": "2026-11-26 10:30"})
    )
    everywhere = forms.BooleanField(
        label="In every organisation that runs this agent and version",
        required=False,
        help_text="Else in the organisations of the incident. Each look is an entry in the organisation's audit log.",
    )


class ArgueForm(forms.Form):
    """What people say of several items at once: of those that are ticked, or of all that the filter shows."""

    state = forms.ChoiceField(label="They are", choices=[("", "Choose …"), *BlastState.choices])
    reason = _words("Because", "What was looked at: the record itself, the customer's word.", rows=1)
    every = forms.BooleanField(label="All that the filter shows", required=False)


class ItemForm(forms.Form):
    """What people know and no span says."""

    about = forms.ChoiceField(label="Organisation")
    kind = forms.ChoiceField(label="What", choices=BlastKind.choices)
    identity = forms.CharField(
        label="Which", max_length=500, help_text="As its system calls it: a user's id, crm:4711."
    )
    reason = _words("How it is known", rows=1)

    def __init__(self, *args: Any, organisations: Sequence[tuple[uuid.UUID, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["about"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(str(about), name) for about, name in organisations]


class HowForm(forms.Form):
    """How one effect is undone."""

    how = _words("What is done, and where", rows=4, most=4_000)
    reversibility = forms.ChoiceField(
        label="Who can undo it",
        choices=[(Reversibility.REVERSIBLE, "We can"), (Reversibility.EXTERNAL, "Somebody outside can, when asked")],
    )
    who_must_act = forms.CharField(label="Who must act", max_length=200, help_text="A person or a team, by name.")


class EndForm(forms.Form):
    """How it ended."""

    state = forms.ChoiceField(label="It is")
    proof = _words(
        "Proof",
        "The receipt: the id of the refund, the address of the deleted record. Needed for done and partly done.",
        is_required=False,
        most=4_000,
    )
    reason = _words("Reason", "What remains, and why. Needed for all but done.", is_required=False)

    def __init__(self, *args: Any, states: Sequence[ReversalState], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["state"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(state.value, state.label) for state in states]
