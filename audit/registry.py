"""The closed list of actions: each has its category, the fields its data must have, and its sentence.

A name that is not here cannot be recorded, so the log has no free text where a customer would look for a word.
"""

from __future__ import annotations

from dataclasses import dataclass

from audit.types import Category


@dataclass(frozen=True, slots=True)
class Action:
    name: str
    category: Category
    sentence: str  # str.format over actor, target and the data's fields
    fields: frozenset[str]


def _action(name: str, category: Category, sentence: str, *fields: str) -> tuple[str, Action]:
    return name, Action(name, category, sentence, frozenset(fields))


ACTIONS: dict[str, Action] = dict(
    [
        _action("tenant.created", Category.ADMIN, "{actor} created the organisation on plan {plan}", "slug", "plan"),
        _action("tenant.settings_changed", Category.ADMIN, "{actor} changed the settings: {changes}", "changes"),
        _action("member.added", Category.ADMIN, "{actor} added {member} as {role}", "member", "role"),
        _action(
            "member.role_changed",
            Category.ADMIN,
            "{actor} changed {member} from {old} to {new}",
            "member",
            "old",
            "new",
        ),
        _action("member.removed", Category.ADMIN, "{actor} removed {member}", "member", "role"),
        _action(
            "api_key.created", Category.ADMIN, "{actor} made the key {name} for {scopes}", "name", "scopes", "prefix"
        ),
        _action("api_key.revoked", Category.ADMIN, "{actor} revoked the key {name}", "name", "prefix"),
        _action("price.set", Category.ADMIN, "{actor} set the price of {model}", "model", "rates"),
        _action("price.removed", Category.ADMIN, "{actor} removed the price of {model}", "model"),
        _action("search.saved", Category.DATA, "{actor} saved the search {name}", "name", "query"),
        _action("search.deleted", Category.DATA, "{actor} deleted the saved search {name}", "name"),
        _action("search.shared", Category.DATA, "{actor} shared the search {name} with {member}", "name", "member"),
        _action("ingest.replayed", Category.DATA, "{actor} replayed {count} dead letters", "count", "accepted"),
        _action("ingest.discarded", Category.DATA, "{actor} discarded {count} dead letters", "count"),
        _action("retention.applied", Category.DATA, "agentops deleted {runs} runs older than {day}", "runs", "day"),
        _action("staff.read", Category.DATA, "{actor} of agentops read {what}", "what"),
    ]
)
