"""Gates before agent versions."""

from django.urls import URLPattern, path

from evals.api import gates as api
from evals.views import gates
from tenants.access import staff_tenant_page, tenant_page
from tenants.roles import Permission

READ, MANAGE = Permission.QUALITY_READ, Permission.QUALITY_MANAGE
STAFF_READ, STAFF_MANAGE = Permission.STAFF_QUALITY, Permission.STAFF_QUALITY_MANAGE
_AGENT = "quality/gates/<str:agent>/"
_VERSION = f"{_AGENT}<str:version>/"
_REQUIREMENT = "quality/gate-requirements/<str:agent>/"
_LOOKS = (
    ("quality/gates/", gates.gates, "gates"),
    (_AGENT, gates.gate_agent, "gate-agent"),
    (_VERSION, gates.gate, "gate"),
)
_WRITES = (
    ("quality/starter-pack/", gates.starter_pack, "starter-pack"),
    (f"{_VERSION}decision/", gates.gate_decision, "gate-decision"),
    (f"{_VERSION}override/", gates.gate_override, "gate-override"),
    ("quality/gate-overrides/<uuid:override>/", gates.gate_override_answer, "gate-override-answer"),
    (_REQUIREMENT, gates.gate_requirement, "gate-requirement"),
    (f"{_REQUIREMENT}removal/", gates.gate_requirement_removal, "gate-requirement-removal"),
)

urlpatterns: list[URLPattern] = [
    *(tenant_page(route, view, name=name, needs=READ) for route, view, name in _LOOKS),
    *(tenant_page(route, view, name=name, needs=MANAGE) for route, view, name in _WRITES),
    *(staff_tenant_page(route, view, name=f"staff-tenant-{name}", needs=STAFF_READ) for route, view, name in _LOOKS),
    *(
        staff_tenant_page(route, view, name=f"staff-tenant-{name}", needs=STAFF_MANAGE, writes=True)
        for route, view, name in _WRITES
    ),
    path("api/v1/gates", api.GatesView.as_view(), name="api-gates"),
    path("api/v1/gates/<str:gated_agent>", api.GateOfAgentView.as_view(), name="api-gate-of-agent"),
    path(
        "api/v1/gates/<str:agent_name>/<str:agent_version>",
        api.GateOfVersionView.as_view(),
        name="api-gate-of-version",
    ),
]
