"""Who was told, why it happened, what was changed, and what was learnt."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from agentops.common.models import HasId, TenantOwned
from incidents.models.incident import Incident
from incidents.types import (
    ActionKind,
    ActionState,
    CauseKind,
    CommAudience,
    CommChannel,
    CommState,
    PostmortemState,
    WatchState,
)


class CustomerComm(HasId, TenantOwned):
    """One thing that is told to somebody: drafted by one person, approved by another, sent once."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, db_constraint=False, related_name="comms")
    about_tenant = models.UUIDField(null=True)  # none: a public statement
    audience = models.CharField(max_length=16, choices=CommAudience.choices)
    channel = models.CharField(max_length=10, choices=CommChannel.choices)
    template = models.CharField(max_length=60, blank=True)
    subject = models.CharField(max_length=200, blank=True)
    body = models.TextField()
    recipients = models.JSONField(default=list)  # mail addresses, or who was called
    state = models.CharField(max_length=10, choices=CommState.choices, default=CommState.DRAFT)
    drafted_at = models.DateTimeField()
    drafted_by = models.CharField(max_length=200)
    approved_at = models.DateTimeField(null=True)
    approved_by = models.CharField(max_length=200, blank=True)
    approved_digest = models.CharField(max_length=64, blank=True)  # of subject, body and recipients
    sent_at = models.DateTimeField(null=True)
    sent_by = models.CharField(max_length=200, blank=True)
    messages = ArrayField(models.UUIDField(), default=list)  # of the outbox
    ended_at = models.DateTimeField(null=True)  # delivered, failed, waived
    waived_because = models.TextField(blank=True)
    waived_by = models.CharField(max_length=200, blank=True)
    next_update_due_at = models.DateTimeField(null=True)
    before_they_noticed = models.BooleanField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="comm_two_people",
                condition=Q(approved_by="", approved_at__isnull=True)
                | (Q(approved_at__isnull=False) & ~Q(approved_by="") & ~Q(approved_by=F("drafted_by"))),
            ),
            models.CheckConstraint(
                name="comm_sent_when_approved",
                condition=~Q(state__in=("approved", "sent", "delivered", "failed")) | ~Q(approved_by=""),
            ),
        ]
        indexes = [models.Index(fields=["tenant_id", "incident", "drafted_at"], name="comm_list")]

    def __str__(self) -> str:
        return f"{self.audience}: {self.state}"


class Cause(HasId, TenantOwned):
    """Why it happened: one root cause that holds now, earlier ones are kept; and any number of contributing factors."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, db_constraint=False, related_name="causes")
    is_root = models.BooleanField(default=True)
    kind = models.CharField(max_length=20, choices=CauseKind.choices)
    detail_kind = models.CharField(max_length=60, blank=True)  # the second level (policies/causes.py)
    owasp = models.CharField(max_length=8, blank=True)  # ASI01 … ASI10
    text = models.TextField()
    at = models.DateTimeField()
    by = models.CharField(max_length=200)
    replaced_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id", "incident"],
                name="root_cause_once",
                condition=Q(is_root=True, replaced_at__isnull=True),
            )
        ]
        indexes = [models.Index(fields=["tenant_id", "kind", "detail_kind", "-at"], name="cause_alike")]

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"


class Fix(HasId, TenantOwned):
    """A change that is said to end it, and the proof: its cases fail on the old version and pass on the new."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, db_constraint=False, related_name="fixes")
    change = models.TextField()
    about_tenant = models.UUIDField(null=True)
    agent = models.TextField(blank=True)
    old_version = models.TextField(blank=True)
    new_version = models.TextField(blank=True)
    cases = models.JSONField(default=list)  # [{"set", "key"}] of the failing input
    old_suite = models.UUIDField(null=True)  # in which the cases failed
    new_suite = models.UUIDField(null=True)  # in which they, and the whole set, passed
    failed_on_old = models.BooleanField(null=True)
    passes_on_new = models.BooleanField(null=True)
    full_suite_passed = models.BooleanField(null=True)
    canary = models.TextField(blank=True)
    checked_at = models.DateTimeField(null=True)
    proposed_at = models.DateTimeField()
    proposed_by = models.CharField(max_length=200)
    deployed_at = models.DateTimeField(null=True)
    deployed_by = models.CharField(max_length=200, blank=True)

    def __str__(self) -> str:
        return self.change[:80]


class Watch(HasId, TenantOwned):
    """48 to 72 hours of monitors after a fix, copied at its start. A breach reopens the incident; a person closes it."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, db_constraint=False, related_name="watches")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    monitors = models.JSONField(default=list)  # [{"alert_class", "about_tenant", "agent", "label"}]
    state = models.CharField(max_length=10, choices=WatchState.choices, default=WatchState.RUNNING)
    looked_at = models.DateTimeField(null=True)
    breached_at = models.DateTimeField(null=True)
    breach = models.JSONField(default=dict)
    started_by = models.CharField(max_length=200)
    closed_at = models.DateTimeField(null=True)
    closed_by = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id", "incident"], name="watch_once", condition=Q(state__in=("running", "over"))
            ),
            models.CheckConstraint(name="watch_order", condition=Q(ends_at__gte=F("starts_at"))),
        ]

    def __str__(self) -> str:
        return f"{self.state} until {self.ends_at}"


class Postmortem(HasId, TenantOwned):
    """Blameless: what happened and why, for those who come after."""

    incident = models.OneToOneField(Incident, on_delete=models.CASCADE, db_constraint=False, related_name="postmortem")
    state = models.CharField(max_length=10, choices=PostmortemState.choices, default=PostmortemState.DRAFT)
    version = models.IntegerField(default=1)  # of the text: an edit on an older one is refused
    summary = models.TextField(blank=True)
    impact = models.TextField(blank=True)
    went_well = models.TextField(blank=True)
    went_badly = models.TextField(blank=True)
    lucky = models.TextField(blank=True)
    due_at = models.DateTimeField(null=True)
    begun_at = models.DateTimeField()
    begun_by = models.CharField(max_length=200)
    submitted_at = models.DateTimeField(null=True)
    submitted_by = models.CharField(max_length=200, blank=True)
    reviewed_at = models.DateTimeField(null=True)
    reviewed_by = models.CharField(max_length=200, blank=True)
    published_at = models.DateTimeField(null=True)
    published_by = models.CharField(max_length=200, blank=True)
    text = models.TextField(blank=True)  # all that is searched: kept with every change

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="postmortem_two_people",
                condition=Q(reviewed_by="") | (~Q(reviewed_by=F("submitted_by")) & Q(reviewed_at__isnull=False)),
            )
        ]

    def __str__(self) -> str:
        return f"postmortem ({self.state})"


class Why(HasId, TenantOwned):
    """One of the five whys, each with what shows it."""

    postmortem = models.ForeignKey(Postmortem, on_delete=models.CASCADE, db_constraint=False, related_name="whys")
    number = models.SmallIntegerField()
    question = models.TextField()
    answer = models.TextField(blank=True)
    evidence_id = models.UUIDField(null=True)
    evidence_text = models.TextField(blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant_id", "postmortem", "number"], name="why_once")]

    def __str__(self) -> str:
        return self.question


class ActionItem(HasId, TenantOwned):
    """Something that will be done, by whom and until when. Done is said by its owner, verified by somebody else."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, db_constraint=False, related_name="actions")
    title = models.CharField(max_length=300)
    kind = models.CharField(max_length=8, choices=ActionKind.choices)
    owner = models.ForeignKey("tenants.User", null=True, on_delete=models.SET_NULL, related_name="+")
    due_on = models.DateField(null=True)
    tracker_url = models.TextField(blank=True)
    state = models.CharField(max_length=8, choices=ActionState.choices, default=ActionState.OPEN)
    made_at = models.DateTimeField()
    made_by = models.CharField(max_length=200)
    done_at = models.DateTimeField(null=True)
    done_by = models.CharField(max_length=200, blank=True)
    verified_at = models.DateTimeField(null=True)
    verified_by = models.CharField(max_length=200, blank=True)
    drop_reason = models.TextField(blank=True)
    recurred_at = models.DateTimeField(null=True)  # the same cause came back: it was not enough
    recurred_in = models.ForeignKey(
        Incident, null=True, on_delete=models.SET_NULL, db_constraint=False, related_name="+"
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="action_verified_by_another",
                condition=Q(verified_by="") | (~Q(verified_by=F("done_by")) & Q(verified_at__isnull=False)),
            )
        ]
        indexes = [
            models.Index(fields=["tenant_id", "due_on"], name="action_due", condition=Q(state="open")),
            models.Index(fields=["tenant_id", "incident", "made_at"], name="action_list"),
        ]

    def __str__(self) -> str:
        return self.title
