"""Pages of what customers are told and of what is learnt. Lists stand before the pages of one incident."""

from django.urls import URLPattern

from incidents.views import comms
from tenants.access import house_page, staff_page
from tenants.roles import Permission

READ, SPEAK, RESPOND = Permission.STAFF_INCIDENTS, Permission.STAFF_COMMUNICATE, Permission.STAFF_RESPOND
_COMMS, _COMM = "incidents/<str:ref>/comms/", "incidents/<str:ref>/comms/<uuid:comm_id>/"

urlpatterns: list[URLPattern] = [
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
]
