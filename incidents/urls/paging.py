"""Pages of where people are paged, and the doors for what pagers tell back."""

from django.urls import URLPattern, path

from incidents.api import paging as api
from incidents.views import paging
from tenants.access import house_page
from tenants.roles import Permission

_TARGET = "alerts/targets/<uuid:target_id>/"
_READ, _MANAGE = Permission.STAFF_INCIDENTS, Permission.STAFF_ON_CALL_MANAGE

urlpatterns: list[URLPattern] = [
    house_page("alerts/targets/", paging.targets, name="staff-targets", needs=_READ),
    house_page("alerts/targets/new/<slug:target_kind>/", paging.target_new, name="staff-target-new", needs=_MANAGE),
    house_page(_TARGET, paging.target, name="staff-target", needs=_READ),
    house_page(f"{_TARGET}terms/", paging.target_edit, name="staff-target-edit", needs=_MANAGE),
    house_page(f"{_TARGET}switch/", paging.target_switch, name="staff-target-switch", needs=_MANAGE),
    house_page(f"{_TARGET}test/", paging.target_test, name="staff-target-test", needs=_MANAGE),
    path("api/v1/paging/pagerduty/<uuid:target>", api.PagerDutyView.as_view(), name="api-paging-pagerduty"),
    path("api/v1/paging/opsgenie/<uuid:target>", api.OpsgenieView.as_view(), name="api-paging-opsgenie"),
]
