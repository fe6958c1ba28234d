"""Words of alerts, incidents and on-call."""

from __future__ import annotations

from django.db import models


class Severity(models.IntegerChoices):
    """1 is ongoing harm, 2 is harm that is over, 3 is a pattern without a single incident. Smaller is worse."""

    SEV1 = 1, "SEV-1"
    SEV2 = 2, "SEV-2"
    SEV3 = 3, "SEV-3"


class AlertClass(models.TextChoices):
    """What is watched. Each class has a detector, a runbook and a default severity."""

    COST_SPIKE = "cost_spike", "Cost spike"
    RUNAWAY = "runaway", "Runaway"
    TOKEN_P99 = "token_p99", "Tokens above the p99"
    REFUSAL_SPIKE = "refusal_spike", "Refusal spike"
    ERROR_RATE = "error_rate", "Error rate"
    DRIFT = "drift", "Drift"
    INTEGRITY = "integrity", "Audit log integrity"
    SEAL_LAG = "seal_lag", "Sealing late"
    KILL_SWITCH_LAG = "kill_switch_lag", "Kill switch late"
    BUDGET = "budget", "Budget"
    QUEUE_LAG = "queue_lag", "Queue late"
    INGEST_LAG = "ingest_lag", "Ingest late"
    TEST_PAGE = "test_page", "Test page"


class AlertStatus(models.TextChoices):
    OPEN = "open", "Open"
    ACKNOWLEDGED = "acknowledged", "Acknowledged"
    RESOLVED = "resolved", "Resolved"


OPEN_ALERT = (AlertStatus.OPEN, AlertStatus.ACKNOWLEDGED)


class AlertVerdict(models.TextChoices):
    ACTIONABLE = "actionable", "Actionable"
    NOISE = "noise", "Noise"
    DUPLICATE = "duplicate", "Duplicate"
    EXPECTED = "expected", "Expected"


class ScopeType(models.TextChoices):
    """What an alert is about."""

    PRODUCT = "product", "All organisations"
    TENANT = "tenant", "An organisation"
    AGENT = "agent", "An agent"
    USER = "user", "A user"


class TargetKind(models.TextChoices):
    """Through what people are paged or told."""

    PAGERDUTY = "pagerduty", "PagerDuty"
    OPSGENIE = "opsgenie", "JSM Operations or Opsgenie"
    CHAT = "chat", "Slack and others (Apprise)"
    MAIL = "mail", "E-mail"
    WEBHOOK = "webhook", "Webhook"


class Hears(models.TextChoices):
    """Of what a target is told. Drills wake nobody who did not ask for it."""

    REAL = "real", "What really happens"
    ALL = "all", "What really happens, and drills"
    DRILLS = "drills", "Drills only"


class PageAction(models.TextChoices):
    TRIGGER = "trigger", "Trigger"
    ACKNOWLEDGE = "acknowledge", "Acknowledge"
    RESOLVE = "resolve", "Resolve"


class IncidentStatus(models.TextChoices):
    TRIAGE = "triage", "Triage"
    ACTIVE = "active", "Active"
    CONTAINED = "contained", "Contained"
    IDENTIFIED = "identified", "Cause identified"
    FIX_IN_REVIEW = "fix_in_review", "Fix in review"
    WATCHING = "watching", "Watching"
    RESOLVED = "resolved", "Resolved"
    CLOSED = "closed", "Closed"
    CANCELLED = "cancelled", "Cancelled"
    MERGED = "merged", "Merged"


class IncidentRoleName(models.TextChoices):
    COMMANDER = "commander", "Incident commander"
    ON_CALL = "on_call", "Agent on-call"
    SCRIBE = "scribe", "Scribe"
    LIAISON = "liaison", "Customer liaison"
    EVAL_OWNER = "eval_owner", "Eval owner"
    COST_OWNER = "cost_owner", "Cost owner"
    QUALITY_OWNER = "quality_owner", "Quality owner"


class TimelineKind(models.TextChoices):
    DECLARED = "declared", "Declared"
    STATUS = "status", "Status"
    SEVERITY = "severity", "Severity"
    ROLE = "role", "Role"
    ALERT = "alert", "Alert"
    PAGE = "page", "Page"
    SWITCH = "switch", "Kill switch"
    EVIDENCE = "evidence", "Evidence"
    BLAST = "blast", "Blast radius"
    REVERSAL = "reversal", "Reversal"
    COMM = "comm", "Communication"
    CAUSE = "cause", "Cause"
    FIX = "fix", "Fix"
    WATCH = "watch", "Watch"
    POSTMORTEM = "postmortem", "Postmortem"
    RUNBOOK = "runbook", "Runbook"
    TIMES = "times", "Times"
    NOTE = "note", "Note"


class SnapshotState(models.TextChoices):
    PLANNED = "planned", "Planned"
    COMPLETE = "complete", "Complete"
    FAILED = "failed", "Failed"


class EvidenceKind(models.TextChoices):
    TRACE = "trace", "Trace"
    PROMPT = "prompt", "Prompt"
    TOOL_CALL = "tool_call", "Tool call"
    SIDE_EFFECT = "side_effect", "Side effect"
    VERSION = "version", "Version"
    CONFIG = "config", "Configuration"
    METRIC = "metric", "Metric"


class BlastKind(models.TextChoices):
    TENANT = "tenant", "Organisation"
    USER = "user", "User"
    RECORD = "record", "Record"
    SYSTEM = "system", "External system"


class BlastState(models.TextChoices):
    SUSPECTED = "suspected", "Suspected"
    CONFIRMED = "confirmed", "Confirmed"
    RULED_OUT = "ruled_out", "Ruled out"


class Reversibility(models.TextChoices):
    REVERSIBLE = "reversible", "Reversible by us"
    EXTERNAL = "external_reversible", "Reversible by somebody outside"
    IRREVERSIBLE = "irreversible", "Irreversible"
    UNKNOWN = "unknown", "Unknown"


class ReversalState(models.TextChoices):
    PLANNED = "planned", "Planned"
    APPROVED = "approved", "Approved"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    PARTIAL = "partial", "Partly done"
    FAILED = "failed", "Failed"
    IMPOSSIBLE = "impossible", "Impossible"
    WAIVED = "waived", "Waived"


REVERSAL_OVER = (ReversalState.DONE, ReversalState.PARTIAL, ReversalState.IMPOSSIBLE, ReversalState.WAIVED)


class CommAudience(models.TextChoices):
    ADMINS = "admins", "Admins of the organisation"
    USERS = "users", "Users who were hit"
    PUBLIC = "public", "Everybody (a public statement)"
    SUCCESS_MANAGER = "success_manager", "The success manager"


class CommChannel(models.TextChoices):
    MAIL = "mail", "E-mail"
    CALL = "call", "Call or meeting"
    STATEMENT = "statement", "Statement"


class CommState(models.TextChoices):
    DRAFT = "draft", "Draft"
    APPROVED = "approved", "Approved"
    SENT = "sent", "Sent"
    DELIVERED = "delivered", "Delivered"
    FAILED = "failed", "Failed"
    WAIVED = "waived", "Waived"


class CauseKind(models.TextChoices):
    """The brief's five, and four that they leave no room for."""

    PROMPT = "prompt", "Prompt"
    MODEL = "model", "Model"
    TOOL = "tool", "Tool"
    EXTERNAL_SYSTEM = "external_system", "External system"
    ADVERSARIAL_INPUT = "adversarial_input", "Adversarial input"
    DATA = "data", "Data or retrieval"
    PERMISSION = "permission", "Permission or configuration"
    ORCHESTRATION = "orchestration", "Orchestration or guardrail"
    HUMAN_PROCESS = "human_process", "Human process"
    UNKNOWN = "unknown", "Unknown"


class WatchState(models.TextChoices):
    RUNNING = "running", "Running"
    OVER = "over", "Over, waits for a person"
    BREACHED = "breached", "Breached"
    CLOSED = "closed", "Closed"


class PostmortemState(models.TextChoices):
    DRAFT = "draft", "Draft"
    IN_REVIEW = "in_review", "In review"
    REVIEWED = "reviewed", "Reviewed"
    PUBLISHED = "published", "Published"


class ActionKind(models.TextChoices):
    PREVENT = "prevent", "Prevent"
    DETECT = "detect", "Detect"
    CONTAIN = "contain", "Contain"
    PROCESS = "process", "Process"


class ActionState(models.TextChoices):
    OPEN = "open", "Open"
    DONE = "done", "Done"
    VERIFIED = "verified", "Verified"
    DROPPED = "dropped", "Dropped"


class Cadence(models.TextChoices):
    DAILY = "daily", "Daily"
    WEEKLY = "weekly", "Weekly"
    MONTHLY = "monthly", "Monthly"
    QUARTERLY = "quarterly", "Quarterly"
