""" "Was this correct?", asked afterwards of those who decided, or in whose name it was done."""

from __future__ import annotations

import uuid
from datetime import datetime

from agentops.common import scope
from agentops.common.errors import InputProblem, InvalidInput, NotFound
from agentops.confirmations.errors import NotOver
from agentops.confirmations.models import Confirmation, Correctness
from agentops.confirmations.queries.aftermath import may_judge
from agentops.confirmations.types import OVER, Person
from audit import services as audit
from audit.types import Actor, Outcome, Target

COMMENT_MOST = 2_000


def answer_correctness(
    *, tenant: uuid.UUID, confirmation: uuid.UUID, by: Person, is_correct: bool, comment: str = "", at: datetime
) -> Correctness:
    """Keep a person's answer; a later one of theirs replaces it, and the same again changes nothing.

    Raises NotFound where there is none or it is not theirs to judge, NotOver before it has run, and InvalidInput.
    """
    scope.require_tenant(tenant)
    found = Confirmation.objects.filter(tenant_id=tenant, id=confirmation).select_for_update(no_key=True).first()
    if found is None or not may_judge(found, by):
        raise NotFound("There is no such confirmation.")
    if found.state not in OVER:
        raise NotOver("It has not run (yet): there is nothing to judge.")
    said = comment.strip()
    if len(said) > COMMENT_MOST or "\0" in said:
        detail = f"A comment has at most {COMMENT_MOST} characters."
        raise InvalidInput(detail, problems=(InputProblem("/comment", "invalid", detail),))
    before = Correctness.objects.filter(tenant_id=tenant, confirmation=found, voter=by.voter).first()
    if before is not None and (before.is_correct, before.comment) == (is_correct, said):
        return before
    answer, _ = Correctness.objects.update_or_create(
        tenant_id=tenant,
        confirmation=found,
        voter=by.voter,
        defaults={
            "run_id": found.run_id,
            "call_id": found.call_id,
            "is_correct": is_correct,
            "comment": said,
            "at": at,
        },
    )
    audit.record(
        tenant=tenant,
        action="approval.correctness",
        actor=Actor(type=by.voter.partition(":")[0], id=by.voter, label=by.label),
        target=Target(type="confirmation", id=str(found.id)),
        outcome=Outcome.SUCCESS,
        data={"tool": found.tool, "answer": "correct" if is_correct else "wrong"},
        at=at,
        run=found.run_id,
        on_behalf_of=found.acting_user,
    )
    return answer
