"""One message to one destination, and every attempt to bring it there."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from agentops.common.models import HasId, TenantOwned
from agentops.outbox.types import Channel, State


class Message(HasId, TenantOwned):
    """Written with what it tells of, in the same transaction; sent afterwards, at least once."""

    channel = models.TextField(choices=Channel.choices)
    destination = models.TextField()  # a mail address, a URL, or the name of a target whose key stands elsewhere
    template = models.TextField()  # of mail: a text template; of a webhook: the type of the event
    context = models.JSONField(default=dict)
    secrets = ArrayField(models.TextField(), default=list)  # names in `context`, to be wiped at the end
    is_wiped = models.BooleanField(default=False)
    dedup_key = models.TextField()
    order_key = models.TextField(blank=True)  # of messages with the same, a later one waits until the earlier is over
    state = models.TextField(choices=State.choices, default=State.WAITING)
    attempts = models.IntegerField(default=0)
    attempts_before = models.IntegerField(default=0)  # those made before somebody sent it again
    created_at = models.DateTimeField()
    next_attempt_at = models.DateTimeField()
    useless_at = models.DateTimeField(null=True)  # later than this nobody wants it: a code that has expired
    claimed_until = models.DateTimeField(null=True)  # somebody sends it now; who dies keeps nobody waiting for longer
    sent_at = models.DateTimeField(null=True)
    given_up_at = models.DateTimeField(null=True)
    last_error = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "dedup_key"], name="outbox_message_once"),
            models.CheckConstraint(
                name="outbox_message_sent_pair",
                condition=Q(state=State.SENT, sent_at__isnull=False) | (~Q(state=State.SENT) & Q(sent_at__isnull=True)),
            ),
            models.CheckConstraint(
                name="outbox_message_given_up_pair",
                condition=Q(state=State.GIVEN_UP, given_up_at__isnull=False)
                | (~Q(state=State.GIVEN_UP) & Q(given_up_at__isnull=True)),
            ),
        ]
        indexes = [
            models.Index(fields=["tenant_id", "next_attempt_at"], name="outbox_due", condition=Q(state="waiting")),
            models.Index(fields=["tenant_id", "-created_at", "-id"], name="outbox_latest"),
            models.Index(
                fields=["tenant_id", "order_key", "created_at"],
                name="outbox_in_order",
                condition=Q(state="waiting") & ~Q(order_key=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.template} to {self.destination} ({self.state})"


class Attempt(HasId, TenantOwned):
    """One try. It stands here before anything is sent: one without an end was cut off, and may have arrived."""

    message = models.ForeignKey(Message, on_delete=models.CASCADE, db_constraint=False, related_name="tries")
    number = models.IntegerField()
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    is_sent = models.BooleanField(null=True)
    status = models.IntegerField(null=True)  # what the receiver answered
    detail = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "message", "number"], name="outbox_attempt_once"),
            models.CheckConstraint(
                name="outbox_attempt_end_pair",
                condition=Q(ended_at__isnull=True, is_sent__isnull=True)
                | Q(ended_at__isnull=False, is_sent__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"attempt {self.number}"


class Pace(TenantOwned):
    """When a destination would be free, were its messages spread evenly (GCRA's theoretical arrival time)."""

    pk = models.CompositePrimaryKey("tenant_id", "channel", "destination")
    channel = models.TextField(choices=Channel.choices)
    destination = models.TextField()  # the address, or host and port
    free_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.destination} until {self.free_at}"
