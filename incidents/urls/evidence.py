"""Pages of evidence, blast radius and reversal."""

from django.urls import URLPattern

from incidents.views import blast, evidence, reversals
from tenants.access import house_page, staff_page
from tenants.roles import Permission

READ, RUNS = Permission.STAFF_INCIDENTS, Permission.STAFF_RUNS
RESPOND, COMMAND = Permission.STAFF_RESPOND, Permission.STAFF_COMMAND
_EVIDENCE = "incidents/<str:ref>/evidence/"
_BLAST = "incidents/<str:ref>/blast/"
_REVERSALS = "incidents/<str:ref>/reversals/"
_REVERSAL = f"{_REVERSALS}<uuid:reversal_id>/"

urlpatterns: list[URLPattern] = [
    house_page(_EVIDENCE, evidence.evidence, name="incident-evidence", needs=READ),
    house_page(f"{_EVIDENCE}snapshots/", evidence.snapshot, name="incident-evidence-snapshots", needs=RESPOND),
    staff_page(f"{_EVIDENCE}check/", evidence.check, name="incident-evidence-check", needs=READ),
    staff_page(f"{_EVIDENCE}archive/", evidence.download, name="incident-evidence-archive", needs=RUNS),
    house_page(f"{_EVIDENCE}hold-release/", evidence.release, name="incident-evidence-release", needs=COMMAND),
    staff_page(f"{_EVIDENCE}<uuid:evidence_id>/", evidence.item, name="incident-evidence-item", needs=RUNS),
    house_page(_BLAST, blast.blast, name="incident-blast", needs=READ),
    staff_page(f"{_BLAST}scans/", blast.scan, name="incident-blast-scans", needs=RESPOND),
    house_page(f"{_BLAST}verdicts/", blast.argue, name="incident-blast-verdicts", needs=RESPOND),
    house_page(f"{_BLAST}items/", blast.item, name="incident-blast-items", needs=RESPOND),
    house_page(_REVERSALS, reversals.reversals, name="incident-reversals", needs=READ),
    house_page(f"{_REVERSALS}plan/", reversals.plan, name="incident-reversals-plan", needs=RESPOND),
    house_page(_REVERSAL, reversals.reversal, name="incident-reversal", needs=READ),
    house_page(f"{_REVERSAL}how/", reversals.how, name="incident-reversal-how", needs=RESPOND),
    house_page(f"{_REVERSAL}approval/", reversals.approval, name="incident-reversal-approval", needs=COMMAND),
    house_page(f"{_REVERSAL}start/", reversals.start, name="incident-reversal-start", needs=RESPOND),
    house_page(f"{_REVERSAL}end/", reversals.end, name="incident-reversal-end", needs=RESPOND),
]
