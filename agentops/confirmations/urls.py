from django.urls import path

from agentops.confirmations.api import ConfirmationView
from agentops.confirmations.views import approvers, rules, standing
from tenants.access import tenant_page
from tenants.roles import Permission

_READ, _MANAGE, _DECIDE = Permission.CONFIRMATIONS_READ, Permission.CONFIRMATIONS_MANAGE, Permission.CONFIRM
_APPROVERS, _RULES, _STANDING = "approvals/approvers/", "approvals/rules/", "standing-approvals/"
_RULE = f"{_RULES}<uuid:rule>/"

urlpatterns = [
    path("api/v1/confirmations/<uuid:confirmation>", ConfirmationView.as_view(), name="api-confirmation"),
    tenant_page(_APPROVERS, approvers.approvers, name="approvers", needs=_READ),
    tenant_page(f"{_APPROVERS}agents/<str:agent>/", approvers.agent_approvers, name="agent-approvers", needs=_READ),
    # a tool's name may hold a slash
    tenant_page(f"{_APPROVERS}tools/<path:tool_name>/", approvers.tool_approvers, name="tool-approvers", needs=_READ),
    tenant_page(_RULES, rules.rules, name="confirmation-rules", needs=_READ),
    tenant_page(f"{_RULES}new/", rules.rule_new, name="confirmation-rule-new", needs=_MANAGE),
    tenant_page(_RULE, rules.rule_change, name="confirmation-rule", needs=_MANAGE),
    tenant_page(f"{_RULE}removal/", rules.rule_removal, name="confirmation-rule-removal", needs=_MANAGE),
    tenant_page("approvals/standing/", standing.all_standing_approvals, name="standing-approvals-all", needs=_READ),
    tenant_page(_STANDING, standing.standing_approvals, name="standing-approvals", needs=_DECIDE),
    tenant_page(f"{_STANDING}new/", standing.standing_approval_new, name="standing-approval-new", needs=_DECIDE),
    tenant_page(
        f"{_STANDING}<uuid:standing>/revocation/",
        standing.standing_revocation,
        name="standing-revocation",
        needs=_DECIDE,
    ),
]
