"""One action: its category, the fields its data must have, and its sentence.

Fields that can name a person are kept apart from what is hashed (canonical.py), so that a person can be erased.
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


def action(name: str, category: Category, sentence: str, *fields: str) -> tuple[str, Action]:
    return name, Action(
        name,
        category,
        sentence,
        frozenset(fields),
        personal=_PERSONAL & set(fields),
        is_about_a_person=name.startswith(_PERSON_TARGETS),
        is_sealed_at_once=name in _AT_ONCE,
    )
