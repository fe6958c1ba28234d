from django.urls import URLPattern, path

from agentops.confirmations.api import ConfirmationView, PresentationsView
from agentops.confirmations.views import (
    approvers,
    confirmation,
    history,
    inbox,
    presented,
    receipt,
    rules,
    seeing,
    standing,
)
from tenants.access import View, open_page, tenant_page
from tenants.roles import Permission

_API = "api/v1/confirmations/<uuid:confirmation>"
_ONE = "confirmations/<uuid:confirmation>/"
_READ, _MANAGE, _DECIDE = Permission.CONFIRMATIONS_READ, Permission.CONFIRMATIONS_MANAGE, Permission.CONFIRM
_APPROVERS, _RULES, _STANDING = "approvals/approvers/", "approvals/rules/", "standing-approvals/"
_RULE = f"{_RULES}<uuid:rule>/"


def _one(route: str, view: View, *, name: str, needs: Permission = Permission.CONFIRM) -> URLPattern:
    """A page of one confirmation: whom it is not for finds nothing, and the organisation's log says that they tried."""
    return tenant_page(f"{_ONE}{route}", view, name=name, needs=needs, notes=seeing.opened_by_other)


urlpatterns = [
    path(_API, ConfirmationView.as_view(), name="api-confirmation"),
    path(f"{_API}/presentations", PresentationsView.as_view(), name="api-presentations"),
    open_page("presented/<slug:link>/", presented.presentation, name="presentation"),
    tenant_page("inbox/", inbox.inbox, name="inbox", needs=Permission.CONFIRM),
    tenant_page("history/", history.history, name="history", needs=Permission.CONFIRM),
    tenant_page("approvals/", history.approvals, name="approvals", needs=Permission.CONFIRMATIONS_READ),
    _one("", confirmation.confirmation, name="confirmation", needs=Permission.HOME),
    _one("approval/", confirmation.approve, name="confirmation-approve"),
    _one("refusal/", confirmation.refuse, name="confirmation-refuse"),
    _one("cancellation/", confirmation.cancel, name="confirmation-cancel"),
    _one("edit/", confirmation.edit, name="confirmation-edit"),
    _one("code/", confirmation.code, name="confirmation-code"),
    _one("proof/", confirmation.proof, name="confirmation-proof"),
    _one("correctness/", confirmation.correctness, name="confirmation-correctness"),
    _one("receipt/", receipt.receipt, name="confirmation-receipt", needs=Permission.HOME),
    _one("receipt.json", receipt.export, name="confirmation-receipt-json", needs=Permission.HOME),
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
