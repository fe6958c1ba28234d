"""The closed list of actions: each has its category, the fields its data must have, and its sentence.

A name that is not here cannot be recorded, so the log has no free text where a customer would look for a word. Fields
that can name a person are kept apart from what is hashed (canonical.py), so that a person can be erased.
"""

from __future__ import annotations

from dataclasses import dataclass

from audit.types import Category


@dataclass(frozen=True, slots=True)
class Action:
    """`personal` are the fields that can be about a person; `is_about_a_person` says that the target's id can, too.

    An action that is sealed at once is one whose proof somebody waits for: the sealer is rung, not only swept by.
    """

    name: str
    category: Category
    sentence: str  # str.format over actor, target and the data's fields
    fields: frozenset[str]
    personal: frozenset[str] = frozenset()
    is_about_a_person: bool = False
    is_sealed_at_once: bool = False


# Fields that can name a person, whatever the action; the last three are what somebody searched for or looked at.
_PERSONAL = frozenset(
    {"member", "members", "end_user", "user", "who", "owner", "destination", "of", "id", "email", "filters", "query", "what"}
)  # fmt: skip
# A switch or budget can be that of one end user; what an agent touched outside can be a person's mailbox.
_PERSON_TARGETS = ("end_user.", "kill_switch.", "budget.", "tool.observed", "side_effect.observed")
_AT_ONCE = (
    "approval.confirmed", "approval.voted", "approval.released", "approval.refused", "approval.cancelled",
    "kill_switch.set", "kill_switch.lifted", "privacy.erased", "audit.key_rotated",
)  # fmt: skip


def _action(name: str, category: Category, sentence: str, *fields: str) -> tuple[str, Action]:
    return name, Action(
        name,
        category,
        sentence,
        frozenset(fields),
        personal=_PERSONAL & set(fields),
        is_about_a_person=name.startswith(_PERSON_TARGETS),
        is_sealed_at_once=name in _AT_ONCE,
    )


ACTIONS: dict[str, Action] = dict(
    [
        _action("tenant.created", Category.ADMIN, "{actor} created the organisation on plan {plan}", "slug", "plan"),
        _action("tenant.settings_changed", Category.ADMIN, "{actor} changed the settings: {changes}", "changes"),
        _action(
            "tenant.success_manager_set",
            Category.ADMIN,
            "{actor} said who of agentops looks after the organisation",
            "is_set",
        ),
        _action("revenue.booked", Category.ADMIN, "{actor} booked what was paid for {months}", "months"),
        _action("member.added", Category.ADMIN, "{actor} added {member} as {role}", "member", "role"),
        _action(
            "member.role_changed",
            Category.ADMIN,
            "{actor} changed {member} from {old} to {new}",
            "member",
            "old",
            "new",
        ),
        _action("end_user.linked", Category.ADMIN, "{actor} said {member} is {end_user}", "member", "end_user"),
        _action(
            "end_user.unlinked",
            Category.ADMIN,
            "{actor} said {member} is not {end_user} any more",
            "member",
            "end_user",
        ),
        _action("member.removed", Category.ADMIN, "{actor} removed {member}", "member", "role"),
        _action(
            "api_key.created", Category.ADMIN, "{actor} made the key {name} for {scopes}", "name", "scopes", "prefix"
        ),
        _action("api_key.revoked", Category.ADMIN, "{actor} revoked the key {name}", "name", "prefix"),
        _action("price.set", Category.ADMIN, "{actor} set the price of {model}", "model", "rates", "since"),
        _action("price.ended", Category.ADMIN, "{actor} ended the price of {model} at {until}", "model", "until"),
        _action("price.removed", Category.ADMIN, "{actor} removed the price of {model}", "model"),
        _action("discount.set", Category.ADMIN, "{actor} set a discount: {discount}", "discount", "since"),
        _action(
            "discount.ended", Category.ADMIN, "{actor} ended a discount at {until}: {discount}", "discount", "until"
        ),
        _action("discount.removed", Category.ADMIN, "{actor} removed a discount: {discount}", "discount"),
        _action(
            "repricing.planned",
            Category.ADMIN,
            "{actor} asked to price the calls from {since} to {until} anew: {reason}",
            "since",
            "until",
            "reason",
        ),
        _action(
            "repricing.stopped",
            Category.ADMIN,
            "{actor} stopped pricing the calls from {since} to {until} anew: {changed} of {calls} had changed, by {amount_usd} USD",
            "since",
            "until",
            "calls",
            "changed",
            "amount_usd",
        ),
        _action(
            "repricing.done",
            Category.ADMIN,
            "the calls from {since} to {until} are priced anew: {changed} of {calls} changed, by {amount_usd} USD",
            "since",
            "until",
            "calls",
            "changed",
            "amount_usd",
        ),
        _action("drift.seen", Category.ADMIN, "{actor} marked as seen: {finding}", "agent", "metric", "finding"),
        _action(
            "budget.set",
            Category.ADMIN,
            "{actor} set the budget per {period} of {scope} {of} to {limit_usd} USD",
            "scope",
            "of",
            "period",
            "limit_usd",
            "ceiling_usd",
            "at_limit",
            "thresholds",
        ),
        _action(
            "budget.threshold_crossed",
            Category.AGENT,
            "The budget per {period} of {scope} {of} has reached {percent} % of {limit_usd} USD",
            "scope",
            "of",
            "period",
            "percent",
            "limit_usd",
            "used_usd",
            "because",
        ),
        _action(
            "budget.removed",
            Category.ADMIN,
            "{actor} removed the budget per {period} of {scope} {of}",
            "scope",
            "of",
            "period",
        ),
        _action("search.saved", Category.DATA, "{actor} saved the search {name}", "name", "query"),
        _action("search.deleted", Category.DATA, "{actor} deleted the saved search {name}", "name"),
        _action("search.shared", Category.DATA, "{actor} shared the search {name} with {member}", "name", "member"),
        _action("ingest.replayed", Category.DATA, "{actor} replayed {count} dead letters", "count", "accepted"),
        _action("ingest.discarded", Category.DATA, "{actor} discarded {count} dead letters", "count"),
        _action("retention.applied", Category.DATA, "agentops deleted {runs} runs older than {day}", "runs", "day"),
        _action(
            "run.started",
            Category.AGENT,
            "{actor} began a run",
            "agent_version",
            "parent",
            "key",
            "policy_version",
        ),
        _action(
            "run.refused", Category.AGENT, "{actor} was not let begin a run: {code}", "code", "agent_version", "key"
        ),
        _action("run.ended", Category.AGENT, "the run of {actor} ended: {status}", "status", "code"),
        _action(
            "answer.served",
            Category.AGENT,
            "{actor} was given the stored answer of run {source}, which saved {saved_usd} USD",
            "source",
            "saved_usd",
            "input",
        ),
        _action(
            "answer.stored",
            Category.AGENT,
            "the answer of {actor} is stored for {seconds} seconds",
            "input",
            "seconds",
            "cost_usd",
        ),
        _action("answer.forgotten", Category.ADMIN, "{actor} deleted {answers} stored answers of {target}", "answers"),
        _action(
            "model_call.decided",
            Category.AGENT,
            "{actor} asked to call {model}: {decision}",
            "call",
            "decision",
            "code",
            "policy_version",
            "model",
            "hold_nano_usd",
        ),
        _action(
            "model_call.settled",
            Category.AGENT,
            "{actor} settled a model call: {outcome}",
            "call",
            "outcome",
            "cost_nano_usd",
            "state",
        ),
        _action(
            "tool_call.decided",
            Category.AGENT,
            "{actor} asked to call {tool}: {decision}",
            "call",
            "decision",
            "code",
            "policy_version",
            "tool",
            "tool_version",
            "tier",
            "arguments",
        ),
        _action(
            "tool_call.redeemed",
            Category.APPROVAL,
            "{actor} took up what was approved",
            "call",
            "confirmation",
            "action_digest",
            "args_digest",
        ),
        _action(
            "permit.refused",
            Category.APPROVAL,
            "a permit for {target} was shown for other arguments",
            "call",
            "permitted",
            "shown",
        ),
        _action(
            "tool.called",
            Category.AGENT,
            "{actor} called {target}: {outcome}",
            "call",
            "outcome",
            "external_system",
            "external_id",
            "idempotency_key",
        ),
        _action(
            "approval.requested",
            Category.APPROVAL,
            "{actor} asks to call {tool}",
            "tool",
            "tool_version",
            "tier",
            "action_digest",
            "args_digest",
            "raised_because",
        ),
        _action("approval.invalidated", Category.APPROVAL, "the request to call {tool} lapsed", "tool"),
        _action(
            "approval.confirmed", Category.APPROVAL, "{actor} confirmed {tool}", "tool", "action_digest", "view_digest"
        ),
        _action(
            "approval.stood",
            Category.APPROVAL,
            "a standing approval of {owner} answered for {tool}",
            "tool",
            "action_digest",
            "standing",
            "owner",
            "uses_left",
        ),
        _action(
            "approval.voted",
            Category.APPROVAL,
            "{actor} agreed to {tool} as one of two",
            "tool",
            "action_digest",
            "view_digest",
        ),
        _action(
            "approval.released",
            Category.APPROVAL,
            "{tool} was released after its delay",
            "tool",
            "action_digest",
            "delay_seconds",
        ),
        _action(
            "approval.edited", Category.APPROVAL, "{actor} changed {tool} into a new request", "tool", "new", "changed"
        ),
        _action(
            "approval.refused", Category.APPROVAL, "{actor} refused {tool}", "tool", "action_digest", "view_digest"
        ),
        _action("approval.cancelled", Category.APPROVAL, "{actor} stopped {tool}", "tool", "action_digest", "from"),
        _action("approval.expired", Category.APPROVAL, "nobody decided {tool} in time", "tool", "from"),
        _action(
            "approval.executed",
            Category.APPROVAL,
            "{tool} ran as it was approved",
            "tool",
            "action_digest",
            "executed_digest",
        ),
        _action("approval.failed", Category.APPROVAL, "{tool} was approved, and failed", "tool", "action_digest"),
        _action(
            "approval.outcome_unknown",
            Category.APPROVAL,
            "{tool} was approved; how it ended is not known",
            "tool",
            "action_digest",
        ),
        _action(
            "approval.attempt_refused",
            Category.APPROVAL,
            "{actor} could not decide {tool}: {code}",
            "tool",
            "code",
        ),
        _action("approval.code_sent", Category.APPROVAL, "a code for {tool} was mailed to {actor}", "tool"),
        _action("approval.opened_by_other", Category.APPROVAL, "somebody else opened a link to {tool}", "tool"),
        _action("approval.presented", Category.APPROVAL, "{actor} made a link to {tool} for {user}", "tool", "user"),
        _action("approval.correctness", Category.APPROVAL, "{actor} said {tool} was {answer}", "tool", "answer"),
        _action(
            "standing_approval.made",
            Category.APPROVAL,
            "{actor} lets {agent} call {tool} without asking",
            "agent",
            "tool",
            "constraints",
            "uses",
            "sum",
            "until",
        ),
        _action(
            "standing_approval.ended",
            Category.APPROVAL,
            "the standing approval for {tool} of {agent} ended",
            "agent",
            "tool",
        ),
        _action(
            "confirmation_rule.set",
            Category.ADMIN,
            "{actor} changed what {agent} and {tool} ask for: {changes}",
            "agent",
            "tool",
            "changes",
        ),
        _action("confirmation_rule.removed", Category.ADMIN, "{actor} removed a rule for {tool}", "agent", "tool"),
        _action("approver_group.created", Category.ADMIN, "{actor} made the approver group {name}", "name", "members"),
        _action(
            "approver_group.changed", Category.ADMIN, "{actor} changed the approver group {name}", "name", "members"
        ),
        _action("approver_group.removed", Category.ADMIN, "{actor} removed the approver group {name}", "name"),
        _action("approvers.granted", Category.ADMIN, "{actor} lets {who} approve {kind} {name}", "who", "kind", "name"),
        _action(
            "approvers.revoked",
            Category.ADMIN,
            "{actor} no longer lets {who} approve {kind} {name}",
            "who",
            "kind",
            "name",
        ),
        _action(
            "delivery.given_up", Category.DATA, "a message to {destination} was given up", "destination", "template"
        ),
        _action(
            "delivery.repeated",
            Category.DATA,
            "{actor} sent a message to {destination} again",
            "destination",
            "template",
        ),
        _action(
            "kill_switch.set",
            Category.ADMIN,
            "{actor} switched off {scope} {id}",
            "switch",
            "scope",
            "id",
            "mode",
        ),
        _action(
            "kill_switch.lifted",
            Category.ADMIN,
            "{actor} switched {scope} {id} on again",
            "switch",
            "scope",
            "id",
            "mode",
        ),
        _action("caps.changed", Category.ADMIN, "{actor} changed the caps of all agents: {changes}", "changes"),
        _action("agent.created", Category.ADMIN, "{actor} registered the agent {agent}", "agent"),
        _action(
            "agent_version.created",
            Category.ADMIN,
            "{actor} registered version {version} of {agent}",
            "agent",
            "version",
            "content_digest",
            "models",
            "tools",
        ),
        _action(
            "agent_version.changed",
            Category.ADMIN,
            "{actor} changed version {version} of {agent}",
            "agent",
            "version",
            "old_digest",
            "content_digest",
            "changed",
            "tools_added",
            "tools_removed",
        ),
        _action(
            "agent_version.approved",
            Category.ADMIN,
            "{actor} approved version {version} of {agent}",
            "agent",
            "version",
            "content_digest",
        ),
        _action(
            "agent_version.approval_withdrawn",
            Category.ADMIN,
            "version {version} of {agent} is approved no more",
            "agent",
            "version",
            "content_digest",
        ),
        _action(
            "agent_version.gated",
            Category.ADMIN,
            "the gate of version {version} of {agent}: {verdict}",
            "agent",
            "version",
            "content_digest",
            "verdict",
        ),
        _action(
            "tool_version.defined",
            Category.ADMIN,
            "{actor} defined version {version} of the tool {tool}",
            "tool",
            "version",
            "revision",
            "digest",
            "effect",
            "tier",
            "tier_because",
        ),
        _action(
            "tool_version.reviewed",
            Category.ADMIN,
            "{actor} reviewed version {version} of the tool {tool}: {verdict}",
            "tool",
            "version",
            "revision",
            "digest",
            "verdict",
            "effect",
            "tier",
            "tier_because",
        ),
        _action(
            "tool_grant.revoked",
            Category.ADMIN,
            "{actor} took {tool} away from version {version} of {agent}",
            "agent",
            "version",
            "tool",
            "tool_version",
        ),
        _action(
            "tool_grant.restored",
            Category.ADMIN,
            "{actor} gave {tool} back to version {version} of {agent}",
            "agent",
            "version",
            "tool",
            "tool_version",
        ),
        _action("contacts.set", Category.DATA, "{actor} set the contacts {name}: {count}", "name", "user", "count"),
        _action("contacts.removed", Category.DATA, "{actor} removed the contacts {name}", "name", "user"),
        _action(
            "tool.observed",
            Category.AGENT,
            "{actor} called {tool}: {status}",
            "tool",
            "call",
            "span",
            "status",
            "error_type",
            "idempotency_key",
        ),
        _action(
            "side_effect.observed",
            Category.AGENT,
            "{actor} did {name} on {target}: {status}",
            "name",
            "span",
            "status",
            "error_type",
            "idempotency_key",
        ),
        _action(
            "run.manifest",
            Category.INTEGRITY,
            "the run of {actor} left {entries} entries",
            "entries",
            "actions",
            "refusals",
            "approvals",
            "last_entry",
            "digest",
        ),
        _action("audit.heartbeat", Category.INTEGRITY, "the log was kept on {day}", "day", "entries", "tree_size"),
        _action(
            "audit.key_rotated",
            Category.INTEGRITY,
            "checkpoints are signed by the key {new} from here on",
            "old",
            "new",
            "public_key",
            "signature",
        ),
        _action(
            "audit.exported",
            Category.INTEGRITY,
            "{actor} exported the audit log: {filters}",
            "export",
            "format",
            "filters",
        ),
        _action(
            "audit.export_downloaded",
            Category.INTEGRITY,
            "{actor} downloaded {file} of an export",
            "export",
            "format",
            "file",
        ),
        _action("audit.export_failed", Category.INTEGRITY, "an export could not be written", "export"),
        _action("audit.export_cancelled", Category.INTEGRITY, "{actor} cancelled an export", "export"),
        _action("audit.export_removed", Category.INTEGRITY, "{actor} removed an export", "export"),
        _action(
            "audit.stream_set",
            Category.INTEGRITY,
            "{actor} set the stream to {destination}",
            "stream",
            "destination",
            "format",
            "state",
        ),
        _action(
            "audit.stream_removed",
            Category.INTEGRITY,
            "{actor} removed the stream to {destination}",
            "stream",
            "destination",
        ),
        _action(
            "audit.stream_stopped",
            Category.INTEGRITY,
            "the stream to {destination} stopped: {why}",
            "stream",
            "destination",
            "why",
        ),
        _action(
            "audit.checkpoint_delivery_set",
            Category.INTEGRITY,
            "{actor} has checkpoints sent to {destination} every {every}",
            "destination",
            "channel",
            "every",
        ),
        _action(
            "audit.checkpoint_delivery_removed",
            Category.INTEGRITY,
            "{actor} has no more checkpoints sent to {destination}",
            "destination",
            "channel",
        ),
        _action(
            "audit.retention_set", Category.INTEGRITY, "{actor} has entries kept for {days} days", "days", "old_days"
        ),
        _action(
            "audit.pruned",
            Category.INTEGRITY,
            "entries older than {before} were deleted: {entries}",
            "before",
            "entries",
            "below_leaf",
            "kept",
        ),
        _action("audit.hold_set", Category.INTEGRITY, "{actor} put a legal hold on {scope}", "hold", "scope", "run"),
        _action(
            "audit.hold_lifted", Category.INTEGRITY, "{actor} lifted the legal hold on {scope}", "hold", "scope", "run"
        ),
        _action(
            "privacy.erasure_requested", Category.INTEGRITY, "{actor} asked to erase a person", "erasure", "legal_basis"
        ),
        _action("privacy.erasure_refused", Category.INTEGRITY, "{actor} refused to erase a person", "erasure"),
        _action(
            "privacy.erasure_approved", Category.INTEGRITY, "{actor} agreed to erase a person", "erasure", "legal_basis"
        ),
        _action(
            "privacy.erased",
            Category.INTEGRITY,
            "what named a person was erased from {entries} entries",
            "erasure",
            "legal_basis",
            "entries",
            "fields",
            "digest",
        ),
        _action("auth.signed_in", Category.AUTH, "{actor} signed in by {method}", "method"),
        _action("auth.signed_out", Category.AUTH, "{actor} signed out"),
        _action("auth.sign_in_failed", Category.AUTH, "a sign-in as {member} failed: {why}", "member", "why"),
        _action("auth.credentials_changed", Category.AUTH, "{actor} changed how they sign in: {change}", "change"),
        _action("staff.read", Category.DATA, "{actor} of agentops read {what}", "what"),
    ]
)
