"""Who belongs to the organisation."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from agentops.common import clock
from agentops.common.errors import DomainError
from agentops.common.pages import page_or_fragment, question, show_refusal
from tenants import queries, services, sign_in
from tenants.access import TenantRequest
from tenants.forms import MemberForm, RoleForm
from tenants.models import Membership
from tenants.roles import Permission, Role


@require_GET
def members(request: TenantRequest) -> HttpResponse:
    """The list, by role and name."""
    text, role = request.GET.get("q", "").strip(), request.GET.get("role", "")
    found = queries.members(request.access.tenant.id, text=text, role=role)
    context = {
        "members": found,
        "text": text,
        "role": role,
        "roles": Role.choices,
        "may_manage": request.access.may(Permission.MEMBERS_MANAGE),
    }
    return page_or_fragment(request, "tenants/members.html", "tenants/_members.html", context)


@require_http_methods(["GET", "POST"])
def member_new(request: TenantRequest) -> HttpResponse:
    """Add a person. A new account has no password yet: its link is mailed, and shown here once."""
    access = request.access
    form = MemberForm(request.POST or None, may_make_owners=access.role == Role.OWNER, initial={"role": Role.APPROVER})
    if request.method == "POST" and form.is_valid():
        if form.cleaned_data["role"] == Role.OWNER:
            sign_in.require_recent_sign_in(request)
        try:
            added = services.add_member(tenant=access.tenant.id, **form.cleaned_data, by=access.actor, at=clock.now())
        except DomainError as refusal:
            show_refusal(form, refusal)
        else:
            if added.is_new_account:
                link = sign_in.invite(user=added.user, tenant=access.tenant, inviter=access.user)
                return _invited(request, added.membership, link)
            home = request.build_absolute_uri(reverse("tenant-home", args=[access.tenant.slug]))
            sign_in.tell_added(user=added.user, tenant=access.tenant, inviter=access.user, link=home)
            messages.success(request, f"{added.user} is now {added.membership.get_role_display().lower()}.")
            return redirect("members", slug=access.tenant.slug)
    status = 422 if form.is_bound else 200
    return render(request, "tenants/member_new.html", {"form": form}, status=status)


def _invited(request: TenantRequest, membership: Membership, link: str) -> HttpResponse:
    response = render(request, "tenants/member_invited.html", {"membership": membership, "link": link})
    response["Cache-Control"] = "no-store"
    return response


@require_http_methods(["GET", "POST"])
def member_role(request: TenantRequest, member: uuid.UUID) -> HttpResponse:
    """Give a member another role."""
    access, membership = request.access, queries.member(request.access.tenant.id, member)
    form = RoleForm(request.POST or None, may_make_owners=access.role == Role.OWNER, initial={"role": membership.role})
    if request.method == "POST" and form.is_valid():
        wanted = form.cleaned_data["role"]
        if Role.OWNER in (wanted, membership.role):
            sign_in.require_recent_sign_in(request)
        try:
            changed = services.change_role(
                tenant=access.tenant.id, member=member, role=wanted, by=access.actor, at=clock.now()
            )
        except DomainError as refusal:
            show_refusal(form, refusal)
        else:
            messages.success(request, f"{membership.user} is now {changed.get_role_display().lower()}.")
            return redirect("members", slug=access.tenant.slug)
    return question(
        request,
        "tenants/_member_role.html",
        {"membership": membership, "form": form},
        title=f"Role of {membership.user}",
        back=_back(access.tenant.slug),
        status=422 if form.is_bound else 200,
    )


@require_http_methods(["GET", "POST"])
def member_removal(request: TenantRequest, member: uuid.UUID) -> HttpResponse:
    """Take a member out of the organisation."""
    access, membership = request.access, queries.member(request.access.tenant.id, member)
    title, back = f"Remove {membership.user}?", _back(access.tenant.slug)
    if request.method == "POST":
        if membership.role == Role.OWNER:
            sign_in.require_recent_sign_in(request)
        try:
            services.remove_member(tenant=access.tenant.id, member=member, by=access.actor, at=clock.now())
        except DomainError as refusal:
            context = {"membership": membership, "refusal": refusal}
            return question(
                request, "tenants/_member_removal.html", context, title=title, back=back, status=refusal.status
            )
        messages.success(request, f"{membership.user} was removed.")
        return redirect("home" if membership.user_id == access.user.pk else _list(access.tenant.slug))
    return question(request, "tenants/_member_removal.html", {"membership": membership}, title=title, back=back)


@require_http_methods(["GET", "POST"])
def member_end_users(request: TenantRequest, member: uuid.UUID) -> HttpResponse:
    """Say which of the customer's own users a member is: in whose name they decide."""
    access, membership = request.access, queries.member(request.access.tenant.id, member)
    action = reverse("member-end-users", args=[access.tenant.slug, member])
    context: dict[str, object] = {"membership": membership, "action": action}
    status = 200
    if request.method == "POST":
        sign_in.require_recent_sign_in(request)
        is_taken_back = request.POST.get("action") == "unlink"
        verb = services.unlink_end_user if is_taken_back else services.link_end_user
        try:
            verb(
                tenant=access.tenant.id,
                member=member,
                external_id=request.POST.get("external_id", ""),
                by=access.actor,
                at=clock.now(),
            )
        except DomainError as refusal:
            context["refusal"], status = refusal, refusal.status
        else:
            messages.success(request, "Taken back." if is_taken_back else "Added.")
            return redirect("members", slug=access.tenant.slug)
    context["names"] = queries.end_users_of(access.tenant.id, membership.user_id)
    return question(
        request,
        "tenants/_member_end_users.html",
        context,
        title=f"Who {membership.user} is to agents",
        back=_back(access.tenant.slug),
        status=status,
    )


def _back(slug: str) -> tuple[str, str]:
    return _list(slug), "Members"


def _list(slug: str) -> str:
    return reverse("members", args=[slug])
