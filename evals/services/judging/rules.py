"""What the checks without a model hold an agent's answers to: words that are not to be used, and the schema of the output."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from agentops.catalog.checks import schemas
from agentops.common import scope
from agentops.common.errors import InvalidInput
from agentops.common.ids import new_id
from agentops.common.strictjson import canonical_checked
from audit.types import Actor
from evals.errors import invalid
from evals.models import CheckRules
from evals.services.judging import noting
from evals.services.judging.judges import AGENT_LENGTH, EVERY_AGENT

WORDS_MOST, WORD_LENGTH = 500, 100


def set_check_rules(
    *, tenant: uuid.UUID, agent: str, words: Sequence[str], output_schema: Any = None, by: Actor, at: datetime
) -> CheckRules | None:
    """Replace an agent's rules; agent "": of all that have none of their own. Without words and schema they are removed.

    Runs that were looked at stay as they are. Raises InvalidInput.
    """
    scope.require_tenant(tenant)
    if not isinstance(agent, str) or len(agent) > AGENT_LENGTH or "\x00" in agent:
        raise invalid("/agent", f"an agent's name of at most {AGENT_LENGTH} characters is expected")
    agent = agent.strip()
    kept = _words(words)
    text = _schema(output_schema) if output_schema is not None else ""
    data = {"agent": agent or EVERY_AGENT, "words": len(kept), "has_schema": bool(text)}
    noting.record(
        tenant=tenant, action="check_rules.set", kind="check_rules", id=agent or EVERY_AGENT, data=data, by=by, at=at
    )
    if not kept and not text:
        CheckRules.objects.filter(tenant_id=tenant, agent=agent).delete()
        return None
    said = {"words": kept, "output_schema": text, "set_at": at, "set_by": by.label[:200]}
    found, _ = CheckRules.objects.update_or_create(
        tenant_id=tenant, agent=agent, defaults=said, create_defaults={"id": new_id(), **said}
    )
    return found


def _words(words: Sequence[str]) -> list[str]:
    if len(words) > WORDS_MOST:
        raise invalid("/words", f"at most {WORDS_MOST} words or phrases are taken", "too_many")
    found: dict[str, str] = {}
    for place, word in enumerate(words):
        tidy = " ".join(word.split()) if isinstance(word, str) else ""
        if not 1 <= len(tidy) <= WORD_LENGTH or not tidy.isprintable():
            raise invalid(f"/words/{place}", f"a word or phrase of 1 to {WORD_LENGTH} characters is expected")
        found.setdefault(tidy.casefold(), tidy)
    return list(found.values())


def _schema(schema: Any) -> str:
    if not isinstance(schema, dict):
        raise invalid("/output_schema", "a JSON Schema is an object")
    problems = schemas.problems(schema, at="/output_schema")
    if problems:
        raise InvalidInput("the schema cannot be taken as it is", problems=tuple(problems))
    return canonical_checked(schema).decode()
