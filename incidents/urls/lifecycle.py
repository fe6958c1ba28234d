"""Incidents: the list, declaring, one with its timeline, cause and watch, and what people change of it.

`incidents/<ref>/` takes any word, so that other pages below `incidents/` stand before this part in urls/__init__.py.
"""

from django.urls import URLPattern

from incidents.views import causes, changes, declaring, incidents, kill, timeline
from tenants.access import View, house_page, staff_page
from tenants.roles import Permission

_READ, _RESPOND, _COMMAND = Permission.STAFF_INCIDENTS, Permission.STAFF_RESPOND, Permission.STAFF_COMMAND
_ONE = "incidents/<str:ref>/"
_LOOKS: list[tuple[str, View, str]] = [
    ("incidents/", incidents.incidents, "staff-incidents"),
    (_ONE, incidents.incident, "incident"),
    (f"{_ONE}proof/", incidents.incident_proof, "incident-proof"),
    (f"{_ONE}timeline/", timeline.incident_timeline, "incident-timeline"),
    (f"{_ONE}timeline/export/", timeline.incident_timeline_export, "incident-timeline-export"),
    (f"{_ONE}cause/", causes.incident_cause, "incident-cause"),
]
_CHANGES: list[tuple[str, View, str]] = [
    (f"{_ONE}status/", changes.incident_status, "incident-status"),
    (f"{_ONE}acknowledgement/", changes.incident_acknowledgement, "incident-acknowledgement"),
    (f"{_ONE}severity/", changes.incident_severity, "incident-severity"),
    (f"{_ONE}alerts/", changes.incident_alerts, "incident-alerts"),
    (f"{_ONE}times/", changes.incident_times, "incident-times"),
    (f"{_ONE}notes/", timeline.incident_notes, "incident-notes"),
    (f"{_ONE}cause/root/", causes.incident_root_cause, "incident-root-cause"),
    (f"{_ONE}watch/end/", causes.incident_watch_end, "incident-watch-end"),
]
_COMMANDS: list[tuple[str, View, str]] = [
    (f"{_ONE}decision/", changes.incident_decision, "incident-decision"),
    (f"{_ONE}merge/", changes.incident_merge, "incident-merge"),
]

urlpatterns: list[URLPattern] = [
    # What touches customers' rows opens its scopes itself, one after the other.
    staff_page("incidents/new/", declaring.incident_new, name="incident-new", needs=_RESPOND),
    staff_page(
        f"{_ONE}kill-switch/", kill.incident_kill_switch, name="incident-kill-switch", needs=Permission.STAFF_KILL
    ),
    staff_page(f"{_ONE}fixes/", causes.incident_fixes, name="incident-fixes", needs=_RESPOND),
    staff_page(f"{_ONE}fixes/<uuid:fix>/check/", causes.incident_fix_check, name="incident-fix-check", needs=_RESPOND),
    *(staff_page(route, view, name=name, needs=_READ, across_tenants=True) for route, view, name in _LOOKS),
    # Whoever looks after customers takes the role of their liaison.
    house_page(f"{_ONE}roles/", changes.incident_roles, name="incident-roles", needs=_READ),
    *(house_page(route, view, name=name, needs=_RESPOND) for route, view, name in _CHANGES),
    *(house_page(route, view, name=name, needs=_COMMAND) for route, view, name in _COMMANDS),
]
