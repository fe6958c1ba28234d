"""The side bar shows what exists and what the person may open; it never reads the database."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django.urls import include, path

from agentops.portal.frame import Frame
from tenants.access import Access, StaffAccess, staff_page, tenant_page
from tenants.models import Tenant, User
from tenants.roles import ROLE_PERMISSIONS, STAFF_PERMISSIONS, Permission, Role, StaffRole


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


urlpatterns: list[Any] = [
    tenant_page("", page, name="tenant-home", needs=Permission.HOME),
    tenant_page("runs/", page, name="runs", needs=Permission.RUNS_READ),
    tenant_page("runs/<uuid:run_id>/", page, name="run", needs=Permission.RUNS_READ),
    tenant_page("usage/", page, name="usage-own", needs=Permission.OWN_USAGE),
    tenant_page("keys/", page, name="keys", needs=Permission.KEYS_READ),
    staff_page("", page, name="staff-home", needs=Permission.STAFF_HOME),
    staff_page("runs/", page, name="staff-runs", needs=Permission.STAFF_RUNS),
    staff_page("tenants/", page, name="staff-tenants", needs=Permission.STAFF_TENANTS),
    path("", include("agentops.portal.urls")),
    path("accounts/", include("tenants.sign_in_urls")),
]

pytestmark = pytest.mark.urls(__name__)
NORTHWIND = Tenant(slug="northwind", name="Northwind Traders")


def frame_of(
    role: Role | None = None, staff: StaffRole | None = None, at: str = "/t/northwind/", **request: Any
) -> Frame:
    made = RequestFactory().get(at)
    user = User(email="mara@example.com")
    if role:
        made.access = Access(user=user, tenant=NORTHWIND, role=role, permissions=ROLE_PERMISSIONS[role])  # type: ignore[attr-defined]
    if staff:
        made.staff = StaffAccess(user=user, roles=frozenset({staff}), permissions=STAFF_PERMISSIONS[staff])  # type: ignore[attr-defined]
    for name, value in request.items():
        setattr(made, name, value)
    return Frame(made)


def words_of(frame: Frame) -> list[str]:
    return [link.word for link in frame.links]


def test_an_admin_sees_the_entries_that_exist_in_their_order() -> None:
    assert words_of(frame_of(Role.ADMIN)) == ["Overview", "Runs", "Keys"]


def test_an_end_user_sees_only_their_own() -> None:
    frame = frame_of(Role.END_USER)
    assert words_of(frame) == ["Inbox", "My usage"]
    assert frame.search_url == ""


def test_staff_see_theirs_also_inside_a_tenant() -> None:
    assert words_of(frame_of(staff=StaffRole.ON_CALL)) == ["Operations", "Runs", "Tenants"]
    assert words_of(frame_of(Role.AUDITOR, staff=StaffRole.SUCCESS_MANAGER)) == ["Operations", "Tenants"]


def test_pages_about_the_person_alone_lead_to_their_account() -> None:
    assert words_of(frame_of(at="/")) == ["Organisations", "Password", "Security"]


def test_links_stay_in_the_tenant_and_a_run_belongs_to_runs() -> None:
    links = frame_of(Role.ADMIN, at="/t/northwind/runs/0d3a/").links
    assert [(link.url, link.is_current) for link in links] == [
        ("/t/northwind/", False),
        ("/t/northwind/runs/", True),
        ("/t/northwind/keys/", False),
    ]


def test_search_answers_on_the_runs_page_of_this_kind_of_person() -> None:
    assert frame_of(Role.ADMIN).search_url == "/t/northwind/runs/"
    assert frame_of(staff=StaffRole.ON_CALL).search_url == "/staff/runs/"


def test_the_switch_lists_organisations_only_where_the_door_read_them() -> None:
    other = Tenant(slug="contoso", name="Contoso")
    assert frame_of(Role.ADMIN).organisations == []
    found = frame_of(Role.ADMIN, memberships=[(NORTHWIND, Role.ADMIN), (other, Role.OWNER)]).organisations
    assert [(link.word, link.url, link.is_current) for link in found] == [
        ("Northwind Traders", "/t/northwind/", True),
        ("Contoso", "/t/contoso/", False),
    ]


@pytest.mark.parametrize(("cookie", "theme"), [("dark", "dark"), ("light", "light"), ('"><script>', ""), ("", "")])
def test_the_theme_is_one_of_two_words(cookie: str, theme: str) -> None:
    assert frame_of(COOKIES={"theme": cookie}).theme == theme
