"""Who may decide, who may stop. Asked twice: when an action is asked for, and again when somebody decides."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Collection, Iterable

from agentops.catalog import queries as catalog
from agentops.confirmations.models import Confirmation, Vote
from agentops.confirmations.types import OPEN, Choice, Person, State, Tier
from tenants import queries as tenants
from tenants.roles import Permission, Role
from tenants.types import User

_STOP = frozenset({Role.OWNER, Role.ADMIN})


def may_approve_ids(tenant: uuid.UUID, agent: str, tool: str) -> frozenset[int]:
    """The user ids of those who may approve calls of a tool by an agent: the one place that knows."""
    return catalog.approvers(tenant=tenant, agent=agent, tool=tool).user_ids


def eligible_people(
    *,
    tenant: uuid.UUID,
    agent: str,
    tool: str,
    acting_user: str,
    tier: int = Tier.ONE_LOOK,
    root_user: str = "",
    editors: Collection[int] = (),
) -> list[int]:
    """The user ids of those who could decide.

    Up to tier 3 the acting user, where they have an account, and those who may approve. At tier 4 only these, and
    nobody who asked for it: not whom it acts for, not whom the run or its root was started for, not who edited it.
    """
    approvers = may_approve_ids(tenant, agent, tool)
    if tier == Tier.TWO_PEOPLE:
        return sorted(approvers - tenants.accounts_named(tenant, [acting_user, root_user]) - set(editors))
    own = tenants.account_of(tenant, acting_user)
    able = tenants.members_able_to(tenant, Permission.CONFIRM)
    return sorted(approvers | ({own} & able if own is not None else set()))


def may_decide(confirmation: Confirmation, person: Person) -> bool:
    """Could this person decide when it was asked for, and can they now? Whether it is still open is another question."""
    if person.user_id is None:  # came by a link of the tenant's own product
        return confirmation.tier == Tier.ONE_LOOK and person.voter == f"end_user:{confirmation.acting_user}"
    return person.user_id in confirmation.eligible and person.user_id in _eligible_now(confirmation)


class Eligibility:
    """`may_decide` for one person and many confirmations: what they share is asked for once.

    The rules are those of `eligible_people`, from the person's side; a test holds the two together.
    """

    def __init__(self, tenant: uuid.UUID, person: Person) -> None:
        self.tenant, self.person = tenant, person
        self._approves = functools.cache(self._may_approve)

    def may_decide(self, confirmation: Confirmation) -> bool:
        if self.person.user_id not in confirmation.eligible:
            return False
        if confirmation.tier == Tier.TWO_PEOPLE:
            has_asked = self._is(confirmation.acting_user) or self._is(confirmation.root_user)
            is_free = not has_asked and self.person.user_id != confirmation.edited_by
            return is_free and self._approves(confirmation.agent, confirmation.tool)
        if confirmation.acting_user in self.person.end_users and self._is_able:
            return True
        return self._approves(confirmation.agent, confirmation.tool)

    def _may_approve(self, agent: str, tool: str) -> bool:
        return self.person.user_id in may_approve_ids(self.tenant, agent, tool)

    def _is(self, end_user: str) -> bool:
        """By link, or by having one's e-mail address as a name."""
        return bool(end_user) and (
            end_user in self.person.end_users or end_user.strip().lower() == self.person.label.lower()
        )

    @functools.cached_property
    def _is_able(self) -> bool:
        return self.person.user_id in tenants.members_able_to(self.tenant, Permission.CONFIRM)


def is_known_to(person: Person, confirmation: Confirmation, state: State) -> bool:
    """What was decided, or lapsed, is no secret to whom it was about, nor to who ended it: there is nobody to be blind any more."""
    is_theirs = confirmation.acting_user in person.end_users or confirmation.decided_by == person.voter
    return is_theirs and state not in OPEN


def may_stop(confirmation: Confirmation, person: Person) -> bool:
    """During the delay owners and admins too; before it, whoever could decide. Afterwards nobody."""
    if confirmation.state not in OPEN:
        return False
    if confirmation.state == State.COOLING and may_stop_all(confirmation.tenant_id, person):
        return True
    return may_decide(confirmation, person)


def may_stop_all(tenant: uuid.UUID, person: Person) -> bool:
    """Owners and admins may stop whatever waits for its delay to be over."""
    return person.user_id in tenants.member_ids(tenant, _STOP)


def approvers_still_eligible(*, tenant: uuid.UUID, confirmation: uuid.UUID) -> bool:
    """Could everybody who approved it still do so? Asked again when its delay is over."""
    found = Confirmation.objects.filter(tenant_id=tenant, id=confirmation).first()
    if found is None:
        return False
    votes = Vote.objects.filter(tenant_id=tenant, confirmation=confirmation, choice=Choice.APPROVE)
    return set(votes.values_list("user_id", flat=True)) <= set(_eligible_now(found))


def eligible_after_edit(*, tenant: uuid.UUID, confirmation: uuid.UUID, tier: int, editor: int) -> list[int]:
    """The user ids of those who could decide what this person makes of it; asked before it is made."""
    found = Confirmation.objects.get(tenant_id=tenant, id=confirmation)
    return eligible_people(
        tenant=tenant,
        agent=found.agent,
        tool=found.tool,
        acting_user=found.acting_user,
        tier=tier,
        root_user=found.root_user,
        editors=[*editors_of(found), editor],
    )


def editors_of(confirmation: Confirmation) -> list[int]:
    """Everybody who had a hand in it, through all its edits."""
    editors: list[int] = []
    current: Confirmation | None = confirmation
    while current is not None and current.edited_by is not None and current.supersedes_id is not None:
        editors.append(current.edited_by)
        current = Confirmation.objects.filter(tenant_id=confirmation.tenant_id, id=current.supersedes_id).first()
    return editors[::-1]


def person_of(*, tenant: uuid.UUID, user: User) -> Person:
    """A signed-in member, as confirmations know people."""
    return Person(
        voter=f"user:{user.pk}",
        label=user.email,
        user_id=user.pk,
        end_users=tuple(tenants.end_users_of(tenant, user.pk)),
    )


def _eligible_now(confirmation: Confirmation) -> Iterable[int]:
    return eligible_people(
        tenant=confirmation.tenant_id,
        agent=confirmation.agent,
        tool=confirmation.tool,
        acting_user=confirmation.acting_user,
        tier=confirmation.tier,
        root_user=confirmation.root_user,
        editors=[] if confirmation.edited_by is None else [confirmation.edited_by],
    )
