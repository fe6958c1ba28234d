"""Pages of what customers are told and of what is learnt. Lists stand before the pages of one incident."""

from django.urls import URLPattern

from incidents.views import archive, comms, postmortems
from tenants.access import house_page, staff_page
from tenants.roles import Permission

READ, SPEAK, RESPOND = Permission.STAFF_INCIDENTS, Permission.STAFF_COMMUNICATE, Permission.STAFF_RESPOND
_POSTMORTEM = "incidents/<str:ref>/postmortem/"
_ACTIONS, _ACTION = "incidents/<str:ref>/actions/", "incidents/<str:ref>/actions/<uuid:action_id>/"
_COMMS, _COMM = "incidents/<str:ref>/comms/", "incidents/<str:ref>/comms/<uuid:comm_id>/"

urlpatterns: list[URLPattern] = [
    house_page("incidents/postmortems/", archive.postmortems, name="staff-postmortems", needs=READ),
    house_page("incidents/postmortems/reading/", archive.reading_list, name="staff-reading-list", needs=READ),
    house_page("incidents/actions/", archive.actions, name="staff-actions", needs=READ),
    house_page("incidents/updates/", comms.updates_due, name="staff-updates-due", needs=READ),
    house_page(_COMMS, comms.incident_comms, name="incident-comms", needs=READ),
    staff_page(f"{_COMMS}new/", comms.comm_new, name="incident-comm-new", needs=SPEAK),
    house_page(f"{_COMMS}contact/", comms.incident_contact, name="incident-contact", needs=SPEAK),
    house_page(_COMM, comms.incident_comm, name="incident-comm", needs=READ),
    house_page(f"{_COMM}text/", comms.comm_text, name="incident-comm-text", needs=SPEAK),
    house_page(f"{_COMM}approval/", comms.comm_approval, name="incident-comm-approval", needs=SPEAK),
    house_page(f"{_COMM}sending/", comms.comm_sending, name="incident-comm-sending", needs=SPEAK),
    house_page(f"{_COMM}telling/", comms.comm_telling, name="incident-comm-telling", needs=SPEAK),
    house_page(f"{_COMM}waiver/", comms.comm_waiver, name="incident-comm-waiver", needs=SPEAK),
    house_page(_POSTMORTEM, postmortems.incident_postmortem, name="incident-postmortem", needs=READ),
    house_page(f"{_POSTMORTEM}export/", postmortems.postmortem_export, name="incident-postmortem-export", needs=READ),
    *(
        house_page(f"{_POSTMORTEM}{word}/", view, name=f"incident-postmortem-{word}", needs=RESPOND)
        for word, view in (
            ("beginning", postmortems.postmortem_beginning),
            ("text", postmortems.postmortem_text),
            ("submission", postmortems.postmortem_submission),
            ("review", postmortems.postmortem_review),
            ("return", postmortems.postmortem_return),
            ("publication", postmortems.postmortem_publication),
        )
    ),
    house_page(f"{_ACTIONS}new/", postmortems.action_new, name="incident-action-new", needs=RESPOND),
    house_page(_ACTION, postmortems.action_change, name="incident-action", needs=RESPOND),
    house_page(f"{_ACTION}done/", postmortems.action_done, name="incident-action-done", needs=READ),  # by its owner
    house_page(
        f"{_ACTION}verification/", postmortems.action_verification, name="incident-action-verification", needs=RESPOND
    ),
    house_page(f"{_ACTION}drop/", postmortems.action_drop, name="incident-action-drop", needs=RESPOND),
]
