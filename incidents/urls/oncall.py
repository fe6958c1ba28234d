"""Pages of on-call, runbooks and cadences."""

from django.urls import URLPattern

from incidents.views import cadences, handovers, oncall, review_patterns, rotations, runbooks
from tenants.access import house_page, open_page, staff_page
from tenants.roles import Permission

_READ, _RESPOND, _MANAGE = Permission.STAFF_INCIDENTS, Permission.STAFF_RESPOND, Permission.STAFF_ON_CALL_MANAGE

urlpatterns: list[URLPattern] = [
    house_page("on-call/", oncall.on_call, name="staff-on-call", needs=_READ),
    house_page("on-call/feeds/", oncall.feed_make, name="staff-feeds", needs=_READ),
    house_page("on-call/feeds/<uuid:feed>/revocation/", oncall.feed_revoke, name="staff-feed-revocation", needs=_READ),
    house_page("on-call/rotations/", rotations.rotation, name="staff-rotation-new", needs=_MANAGE),
    house_page("on-call/rotations/<uuid:rotation>/", rotations.rotation, name="staff-rotation", needs=_MANAGE),
    house_page("on-call/rotations/<uuid:rotation>/overrides/", rotations.cover, name="staff-cover", needs=_RESPOND),
    house_page(
        "on-call/overrides/<uuid:cover>/cancellation/",
        rotations.cover_cancel,
        name="staff-cover-cancellation",
        needs=_RESPOND,
    ),
    house_page("on-call/rotations/<uuid:rotation>/hand-over/", handovers.handover, name="staff-handover", needs=_READ),
    house_page("on-call/hand-overs/<uuid:handover>/", handovers.handover_kept, name="staff-handover-kept", needs=_READ),
    house_page("runbooks/", runbooks.runbooks, name="staff-runbooks", needs=_READ),
    house_page("runbooks/<str:alert_class>/", runbooks.runbook, name="staff-runbook", needs=_READ),
    house_page("runbooks/<str:alert_class>/versions/", runbooks.runbook_new, name="staff-runbook-new", needs=_MANAGE),
    house_page("incidents/<str:ref>/runbook/", runbooks.incident_runbook, name="incident-runbook", needs=_READ),
    house_page(
        "incidents/<str:ref>/runbook/ticks/",
        runbooks.incident_runbook_ticks,
        name="incident-runbook-ticks",
        needs=_RESPOND,
    ),
    house_page("cadences/", cadences.cadences, name="staff-cadences", needs=_READ),
    # Reads all organisations, then writes in the house: each in its own scope.
    staff_page("cadences/<str:cadence>/reviews/", cadences.cadence_open, name="staff-cadence-open", needs=_RESPOND),
    house_page("cadences/reviews/<uuid:review>/", cadences.cadence, name="staff-cadence", needs=_READ),
    house_page(
        "cadences/reviews/<uuid:review>/signature/",
        cadences.cadence_sign,
        name="staff-cadence-signature",
        needs=_RESPOND,
    ),
    house_page("cadences/items/<uuid:cadence_item>/", cadences.cadence_item, name="staff-cadence-item", needs=_READ),
    # Writes in the tool's organisation, then in the house.
    staff_page(
        "cadences/items/<uuid:cadence_item>/decision/",
        cadences.tool_decision,
        name="staff-cadence-decision",
        needs=Permission.STAFF_TOOLS_REVIEW,
    ),
    staff_page(
        "review/patterns/",
        review_patterns.review_patterns,
        name="staff-review-patterns",
        needs=Permission.STAFF_QUALITY,
        across_tenants=True,
    ),
    open_page("calendar/<str:feed_token>.ics", oncall.calendar_feed, name="calendar-feed"),
]
