"""Forms of an organisation's pages. They read and show; the services decide."""

from __future__ import annotations

import zoneinfo
from collections.abc import Sequence
from typing import Any

from django import forms

from tenants.models import Membership, TenantSettings
from tenants.models.tenant import MaskingMode
from tenants.roles import APPROVER_ROLES, PLAN_RETENTION_DAYS, ROLE_SENTENCES, KeyScope, Role, StaffScope
from tenants.types import GroupSummary, User


def _capitalised(label: str) -> str:
    """`Mask: replace …` as the two lines of a choice, each with its capital."""
    word, _, sentence = label.partition(": ")
    return f"{word}: {sentence[:1].upper()}{sentence[1:]}"


class RoleForm(forms.Form):
    """Which role; that of owner is offered to owners only."""

    role = forms.ChoiceField(widget=forms.RadioSelect, label="Role")

    def __init__(self, *args: Any, may_make_owners: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offered = [role for role in Role if may_make_owners or role != Role.OWNER]
        choices = [(role.value, f"{role.label}: {ROLE_SENTENCES[role]}") for role in offered]
        self.fields["role"].choices = choices  # type: ignore[attr-defined]


class MemberForm(RoleForm):
    """A new member."""

    email = forms.EmailField(label="E-mail address", widget=forms.EmailInput(attrs={"autocomplete": "off"}))
    name = forms.CharField(
        label="Name", max_length=120, required=False, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    field_order = ("email", "name", "role")


class GroupForm(forms.Form):
    """An approver group."""

    name = forms.CharField(label="Name", max_length=80, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    members = forms.TypedMultipleChoiceField(
        label="People",
        coerce=int,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Owners, admins and approvers. Whoever loses such a role approves nothing, in a group or not.",
    )

    def __init__(self, *args: Any, members: Sequence[Membership], present: Sequence[Membership], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        here = {each.user_id for each in present}
        offered = [each for each in members if each.role in APPROVER_ROLES or each.user_id in here]
        choices = [(each.user_id, f"{each.user}: {each.get_role_display()}, {each.user.email}") for each in offered]
        self.fields["members"].choices = choices  # type: ignore[attr-defined]

    @staticmethod
    def showing(group: GroupSummary) -> dict[str, Any]:
        """What a group is now, as this form's fields."""
        return {"name": group.group.name, "members": [each.user_id for each in group.members]}


class KeyForm(forms.Form):
    """A new key."""

    name = forms.CharField(
        label="Name", max_length=120, help_text="What will use it, such as support-bot in production."
    )
    scopes = forms.MultipleChoiceField(
        label="What it may do",
        widget=forms.CheckboxSelectMultiple,
        choices=[(scope.value, f"{scope.value}: {scope.label}") for scope in KeyScope],
        help_text="As little as it needs. guard and present never go together: an agent could confirm its own actions.",
    )


class StaffTokenForm(forms.Form):
    """A new token of our own machines."""

    name = forms.CharField(label="Name", max_length=120, help_text="Which system will use it, such as invoices.")
    scopes = forms.MultipleChoiceField(
        label="What it may do",
        widget=forms.CheckboxSelectMultiple,
        choices=[(scope.value, f"{scope.value}: {scope.label}") for scope in StaffScope],
    )


class SuccessManagerForm(forms.Form):
    """Who of our own people looks after an organisation."""

    manager = forms.TypedChoiceField(label="Success manager", coerce=int, empty_value=None, required=False)

    def __init__(self, *args: Any, managers: Sequence[User], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [("", "Nobody"), *((each.pk, f"{each.get_full_name()} ({each.email})") for each in managers)]
        self.fields["manager"].choices = choices  # type: ignore[attr-defined]


class SettingsForm(forms.Form):
    """What an admin decides for the organisation."""

    masking = forms.ChoiceField(
        label="Personal data in traces",
        widget=forms.RadioSelect,
        choices=[(mode.value, _capitalised(mode.label)) for mode in MaskingMode],
        help_text="E-mail addresses, telephone and card numbers and the like, before anything is stored.",
    )
    pseudonymise_users = forms.BooleanField(
        label="Replace the ids of end users by pseudonyms",
        required=False,
        help_text="Runs of one person still belong together; who it is, is not stored.",
    )
    retention_days = forms.IntegerField(label="Keep spans for (days)", required=False, min_value=1)
    idle_minutes = forms.IntegerField(
        label="Finish a run after (minutes of silence)",
        min_value=1,
        help_text="For runs whose root span never arrives.",
    )
    time_zone = forms.ChoiceField(label="Time zone", help_text="Days of budgets and reports begin at its midnight.")

    def __init__(self, *args: Any, plan: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        most = PLAN_RETENTION_DAYS[plan]
        retention = self.fields["retention_days"]
        retention.help_text = f"At most {most}, which is also what an empty field means on your plan."
        retention.max_value = most  # type: ignore[attr-defined]
        retention.widget.attrs["max"] = most
        zones = ["UTC", *sorted(zoneinfo.available_timezones() - {"UTC"})]
        self.fields["time_zone"].choices = [(zone, zone.replace("_", " ")) for zone in zones]  # type: ignore[attr-defined]

    @classmethod
    def showing(cls, settings: TenantSettings, *, plan: str) -> SettingsForm:
        """The form with what is in force now."""
        return cls(initial={name: getattr(settings, name) for name in cls.base_fields}, plan=plan)
