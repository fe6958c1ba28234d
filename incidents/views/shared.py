"""What the views of incidents share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from agentops.common.errors import DomainError, NotFound
from incidents.states import Who
from tenants.access import StaffRequest
from tenants.roles import Permission


def who(request: StaffRequest) -> Who:
    """In what capacity this person moves an incident."""
    return Who.COMMANDER if request.staff.may(Permission.STAFF_COMMAND) else Who.RESPONDER


def done(
    request: StaffRequest, ref: str, work: Callable[[], Any], said: str, *, back: str = "incident"
) -> HttpResponse:
    """Do what a form asked for, all or nothing, and lead back to the page with what came of it."""
    try:
        with transaction.atomic():
            work()
    except NotFound:
        raise
    except DomainError as refusal:
        messages.error(request, refusal.detail)
    else:
        messages.success(request, said)
    return redirect(reverse(back, kwargs={"ref": ref}))


def first_error(form: Any) -> str:
    """The first thing that is wrong with a form, in words."""
    return next(
        (f"{form.fields[name].label or name.capitalize()}: {texts[0]}" if name in form.fields else texts[0]
         for name, texts in form.errors.items()),
        "The form cannot be read.",
    )  # fmt: skip
