"""What this app refuses, and why, in sentences for people."""

from __future__ import annotations

from django.core.exceptions import ValidationError

from agentops.common.errors import Conflict, Forbidden, InputProblem, InvalidInput


class SlugTaken(Conflict):
    code = "slug_taken"


class AlreadyMember(Conflict):
    code = "already_member"


class AlreadyStaff(Conflict):
    code = "already_staff"


class AccountDeactivated(Conflict):
    code = "account_deactivated"


class LastOwner(Conflict):
    code = "last_owner"


class EndUserTaken(Conflict):
    code = "end_user_taken"


class GroupNameTaken(Conflict):
    code = "group_name_taken"


class GroupInUse(Conflict):
    code = "group_in_use"


class OwnersOnly(Forbidden):
    code = "owners_only"


def invalid(pointer: str, detail: str, *, code: str = "invalid") -> InvalidInput:
    """One wrong input as a refusal; the sentence stands on its own."""
    return InvalidInput(detail, problems=(InputProblem(pointer, code, detail),))


def from_validation(error: ValidationError, *, pointer: str = "") -> InvalidInput:
    """Django's validation errors as our refusal, each with its place."""
    by_field = error.message_dict if hasattr(error, "error_dict") else {"": error.messages}
    problems = tuple(
        InputProblem(f"/{field}" if field else pointer, "invalid", message)
        for field, messages in by_field.items()
        for message in messages
    )
    return InvalidInput(" ".join(problem.detail for problem in problems), problems=problems)
