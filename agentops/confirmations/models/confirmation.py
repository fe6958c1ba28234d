"""One sensitive action that waits for people, and what each of them said."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from agentops.common.models import HasId, TenantOwned
from agentops.confirmations.types import Choice, State, Tier


class Confirmation(HasId, TenantOwned):
    """Bound to exact bytes: `binding` is what the person agrees to, `action_digest` its digest (CONFIRMATIONS.md)."""

    run_id = models.UUIDField()
    call_id = models.TextField()
    agent = models.TextField()
    agent_version = models.TextField()
    acting_user = models.TextField()
    root_user = models.TextField(blank=True)  # whom the run's root was started for; at tier 4 not an approver either
    tool = models.TextField()
    tool_version = models.TextField()
    tool_version_id = models.UUIDField()
    tier = models.SmallIntegerField(choices=Tier.choices)
    raised_because = models.JSONField(default=list)
    says = models.TextField(blank=True)  # what the agent says; never part of what is agreed to
    arguments = models.BinaryField()  # RFC 8785 bytes: these run, nothing else
    binding = models.BinaryField()
    action_digest = models.BinaryField()
    likeness = models.BinaryField()
    facts = models.JSONField(default=dict)  # what the tool's definition said of it then; see types.ToolFacts
    is_tainted = models.BooleanField(default=False)
    resource = models.TextField(blank=True)  # what is acted on, and its version, as the proposal named them
    resource_version = models.TextField(blank=True)
    current = models.TextField(blank=True)  # JSON: what the resource is now, as the tool gives it; shown beside
    eligible = ArrayField(models.BigIntegerField(), default=list)  # who could decide when it was asked for
    delay_seconds = models.IntegerField(default=0)  # tier 4: between the second vote and the release
    supersedes_id = models.UUIDField(null=True)  # the one that a person edited into this
    edited_by = models.BigIntegerField(null=True)  # who did; never an approver of it at tier 4
    standing_id = models.UUIDField(null=True)  # the standing approval that answered for a person
    state = models.TextField(choices=State.choices, default=State.PENDING)
    requested_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    cooling_until = models.DateTimeField(null=True)
    decided_at = models.DateTimeField(null=True)
    decided_by = models.TextField(blank=True)  # who said the last word: an audit actor's id
    reason = models.TextField(blank=True)  # of a refusal, a stop, or why it lapsed
    redeemed_at = models.DateTimeField(null=True)
    permit_jti = models.TextField(blank=True)
    ended_at = models.DateTimeField(null=True)
    executed_digest = models.BinaryField(null=True)  # of the arguments that ran, as whoever ran them tells

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id", "run_id", "call_id"],
                name="confirmation_of_call",
                condition=~Q(state=State.EDITED),
            ),
            models.CheckConstraint(name="confirmation_tier", condition=Q(tier__gte=2, tier__lte=4)),
            models.CheckConstraint(
                name="confirmation_editor", condition=Q(supersedes_id__isnull=True) | Q(edited_by__isnull=False)
            ),
            models.CheckConstraint(
                name="confirmation_two_votes_at_tier_4",
                condition=Q(tier=Tier.TWO_PEOPLE) | ~Q(state__in=[State.HALF, State.COOLING]),
            ),
        ]
        indexes = [
            models.Index(
                fields=["tenant_id", "expires_at"],
                name="confirmation_due",
                condition=Q(state__in=["pending", "half", "cooling", "approved"]),
            ),
            models.Index(
                fields=["tenant_id", "redeemed_at"], name="confirmation_executing", condition=Q(state="executing")
            ),
            models.Index(fields=["tenant_id", "acting_user", "-requested_at"], name="confirmation_of_user"),
            models.Index(fields=["tenant_id", "-requested_at", "id"], name="confirmation_latest"),
        ]

    def __str__(self) -> str:
        return f"{self.tool} ({self.state})"


class Vote(HasId, TenantOwned):
    """What one person said of one confirmation, and what they were looking at. Never changed.

    One row a person and one approval a stage: two approvals are two people, whatever the code above believes.
    """

    confirmation = models.ForeignKey(Confirmation, on_delete=models.PROTECT, db_constraint=False, related_name="votes")
    voter = models.TextField()  # "user:5", or "end_user:ann" for people without an account here
    user_id = models.BigIntegerField(null=True)
    label = models.TextField()  # how the person was called then
    choice = models.TextField(choices=Choice.choices)
    stage = models.SmallIntegerField(default=1)  # of an approval: 1, and at tier 4 the second person's 2
    action_digest = models.BinaryField()
    view_digest = models.BinaryField()
    renderer = models.SmallIntegerField()  # the version of the renderer that made the view
    proofs = models.JSONField(default=dict)  # how sure we were of the person; see types.Proofs
    reason = models.TextField(blank=True)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id", "confirmation", "voter"], name="confirmation_vote_once_a_person"
            ),
            models.UniqueConstraint(
                fields=["tenant_id", "confirmation", "stage"],
                name="confirmation_vote_once_a_stage",
                condition=Q(choice=Choice.APPROVE),
            ),
            models.CheckConstraint(name="confirmation_vote_stage", condition=Q(stage__in=[1, 2])),
        ]
        indexes = [models.Index(fields=["tenant_id", "voter", "-at"], name="confirmation_votes_of")]

    def __str__(self) -> str:
        return f"{self.voter}: {self.choice}"


class MailedCode(HasId, TenantOwned):
    """A code mailed to one approver for one digest. Only its keyed hash is kept."""

    confirmation = models.ForeignKey(Confirmation, on_delete=models.CASCADE, db_constraint=False, related_name="codes")
    user_id = models.BigIntegerField()
    action_digest = models.BinaryField()
    code_hash = models.BinaryField()
    sent_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    attempts = models.SmallIntegerField(default=0)  # wrong ones
    used_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["tenant_id", "confirmation", "user_id", "-sent_at"], name="confirmation_code")]

    def __str__(self) -> str:
        return f"code for {self.user_id}"


class Correctness(HasId, TenantOwned):
    """ "Was this correct?", answered afterwards by somebody who decided, or in whose name it was done. Read by evals."""

    confirmation = models.ForeignKey(
        Confirmation, on_delete=models.PROTECT, db_constraint=False, related_name="correctness"
    )
    run_id = models.UUIDField()
    call_id = models.TextField()
    voter = models.TextField()
    is_correct = models.BooleanField()
    comment = models.TextField(blank=True)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "confirmation", "voter"], name="confirmation_correctness_once")
        ]

    def __str__(self) -> str:
        return "correct" if self.is_correct else "wrong"
