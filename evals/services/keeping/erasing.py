"""A person is forgotten: what quality knows of their runs' content, what they said, and their name, wherever it stands.

It is called by audit in the transaction in which the log forgets them (settings.FORGETTERS), as the owner of the tables, who
has no scope: each statement names its tenant. What counts stays and names nobody: votes, verdicts, scores, cohorts, costs.

A person's runs: those whose user they are, by the fact, the run or the guard. What could quote them goes whole (reasons of judges,
notes of checks, details and notes of the queue, evidence of signals, values of outcomes); tapes and replays are deleted;
cases made of such a run are taken out of every revision and lose their content. Judgements that wait are not asked any more.
Everywhere else the name is struck out of texts, and of texts inside JSON. What a hold keeps is left alone, as in the log.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import Any

import orjson
from django.apps import apps
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.backends.utils import CursorWrapper

from agentops.common import strictjson
from agentops.common.forgetting import ERASED, Forgotten
from evals.sets import cases

_AT_ONCE = 500
# Names of things and hashes, which other rows refer to; sums; what is written of rubrics and rules, which are about no run.
_NAMES_OF_THINGS = frozenset(
    {
        "agent", "agent_version", "name", "judge_name", "key", "criterion", "provider", "model", "family", "digest",
        "content_digest", "prompt_hash", "tool_definitions_hash", "tape_digest", "result_digest", "code", "trigger", "sweep",
        "part", "key_hint", "span_id", "about", "kind", "fault", "user_id", "tool_call_id", "idempotency_key", "value", "plan",
        "language", "region", "user_age", "tools", "failed_checks", "kept_because", "draws", "span_ids", "tags", "fingerprint",
        "cause_from", "cause_to", "url", "base_url", "settings", "reasons",
    }
)  # fmt: skip
_NOT_SEARCHED = frozenset(
    {"CohortDay", "CohortSweep", "Mark", "FactMark", "RubricVersion", "CheckRules", "Calibration"}
)
_RUNS = """
SELECT run_id FROM evals_runfact WHERE tenant_id = %(tenant)s AND lower(user_id) = ANY(%(users)s)
UNION SELECT run_id FROM traces_run WHERE tenant_id = %(tenant)s AND lower(user_id) = ANY(%(users)s)
UNION SELECT run_id FROM runtime_guardedrun WHERE tenant_id = %(tenant)s AND lower(user_id) = ANY(%(users)s)
"""
_SAID_OF = (
    "SELECT DISTINCT run_id FROM evals_feedback WHERE tenant_id = %(tenant)s AND lower(user_id) = ANY(%(users)s) "
    "AND run_id <> ALL(%(held)s)"
)
# `runs` are theirs, `quoted` those and the ones they spoke of; per row another name, so that no two rows are of one person.
_WIPES = (
    "UPDATE evals_score s SET reason = '' FROM evals_judgement j WHERE j.tenant_id = %(tenant)s AND j.subject = 'run' "
    "AND j.subject_id = ANY(%(runs)s) AND s.tenant_id = j.tenant_id AND s.judgement_id = j.id AND s.reason <> ''",
    "UPDATE evals_judgement SET detail = '' WHERE tenant_id = %(tenant)s AND subject = 'run' AND subject_id = ANY(%(runs)s)",
    "UPDATE evals_judgement SET state = 'skipped', code = 'erased', ended_at = %(at)s, claim = NULL, claimed_until = NULL "
    "WHERE tenant_id = %(tenant)s AND subject = 'run' AND subject_id = ANY(%(runs)s) AND state IN ('planned', 'running')",
    "UPDATE evals_reviewitem SET detail = %(erased)s, note = '' WHERE tenant_id = %(tenant)s AND run_id = ANY(%(quoted)s)",
    "UPDATE evals_signal SET evidence = '{}' WHERE tenant_id = %(tenant)s AND run_id = ANY(%(runs)s)",
    "UPDATE evals_outcome SET value = '' WHERE tenant_id = %(tenant)s AND run_id = ANY(%(runs)s)",
    "UPDATE evals_outcome SET value = '' WHERE tenant_id = %(tenant)s AND strpos(lower(value), %(person)s) > 0 "
    "AND run_id <> ALL(%(held)s)",
    "UPDATE evals_outcome SET tool_call_id = '', idempotency_key = %(erased)s || ' ' || id WHERE tenant_id = %(tenant)s "
    "AND run_id <> ALL(%(held)s) AND (strpos(lower(tool_call_id), %(person)s) > 0 OR strpos(lower(idempotency_key), %(person)s) > 0)",
    "DELETE FROM evals_replay WHERE tenant_id = %(tenant)s AND run_id = ANY(%(runs)s)",
    "UPDATE evals_feedback SET comment = '' WHERE tenant_id = %(tenant)s AND run_id = ANY(%(runs)s) AND comment <> ''",
    "UPDATE evals_feedback SET comment = '', user_id = %(erased)s || ' ' || id WHERE tenant_id = %(tenant)s "
    "AND lower(user_id) = ANY(%(users)s) AND run_id <> ALL(%(held)s)",
    # Of people of the house: a number that is nobody's in the place of their account's.
    "UPDATE evals_humanlabel SET labelled_by = %(erased)s, user_id = -(('x' || right(replace(id::text, '-', ''), 15))::bit(60)::bigint) "
    "WHERE tenant_id = %(tenant)s AND (user_id = ANY(%(accounts)s) OR lower(labelled_by) = ANY(%(users)s)) "
    "AND run_id <> ALL(%(held)s)",
    "UPDATE evals_reviewitem SET reviewed_by = %(erased)s, reviewed_user = NULL WHERE tenant_id = %(tenant)s "
    "AND (reviewed_user = ANY(%(accounts)s) OR lower(reviewed_by) = ANY(%(users)s)) AND run_id <> ALL(%(held)s)",
    "UPDATE evals_gateoverride SET asked_by = %(erased)s, asked_user = -1 WHERE tenant_id = %(tenant)s "
    "AND (asked_user = ANY(%(accounts)s) OR lower(asked_by) = ANY(%(users)s))",
    "UPDATE evals_gateoverride SET decided_by = %(erased)s, decided_user = -2 WHERE tenant_id = %(tenant)s "
    "AND (decided_user = ANY(%(accounts)s) OR lower(decided_by) = ANY(%(users)s))",
    # The fact last: it says whose the runs are. facts.py keeps it so when spans come late.
    "UPDATE evals_runfact SET user_id = %(erased)s || ' ' || run_id, session_id = '', input_digest = NULL, check_notes = '{}' "
    "WHERE tenant_id = %(tenant)s AND run_id = ANY(%(runs)s)",
)  # fmt: skip
_CASES_OF_RUNS = (
    "SELECT id FROM evals_caseversion WHERE tenant_id = %s AND replace(lower(provenance->>'id'), '-', '') = ANY(%s)"
)
_CASE_RUNS = (
    "UPDATE evals_caserun SET steps = '[]', output = NULL, checks = '[]', detail = '' "
    "WHERE tenant_id = %(tenant)s AND case_id = ANY(%(versions)s)",
    "UPDATE evals_caserun SET state = 'errored', claim = NULL, claimed_until = NULL, ended_at = %(at)s, "
    "detail = 'Its case was made of a run whose user was forgotten.' "
    "WHERE tenant_id = %(tenant)s AND case_id = ANY(%(versions)s) AND state IN ('planned', 'claimed', 'judging')",
    "UPDATE evals_score s SET reason = '' FROM evals_judgement j, evals_caserun c WHERE c.tenant_id = %(tenant)s "
    "AND c.case_id = ANY(%(versions)s) AND j.tenant_id = c.tenant_id AND j.subject = 'case_run' AND j.subject_id = c.id "
    "AND s.tenant_id = j.tenant_id AND s.judgement_id = j.id AND s.reason <> ''",
)


# Rows that are about a run and say so by way of another row.
_UNHELD = {
    "evals_score": " AND NOT EXISTS (SELECT 1 FROM evals_judgement j WHERE j.tenant_id = %(tenant)s "
    "AND j.id = evals_score.judgement_id AND j.subject = 'run' AND j.subject_id = ANY(%(held)s))",
    "evals_caseversion": " AND replace(lower(coalesce(provenance->>'id', '')), '-', '') <> ALL(%(held_hex)s)",
    "evals_caserun": " AND NOT EXISTS (SELECT 1 FROM evals_caseversion v WHERE v.tenant_id = %(tenant)s "
    "AND v.id = evals_caserun.case_id AND replace(lower(v.provenance->>'id'), '-', '') = ANY(%(held_hex)s))",
}


def forget_person(cursor: CursorWrapper, *, who: Forgotten, person: str) -> None:
    """Forget who is called this (an end user's id, an address, user:12), except in what is about runs that are held.

    Traces and the guard know their runs by the pseudonym by now; what is computed of those since, does too.
    """
    person, tenant, held, at = person.lower(), who.tenant, who.held, who.at
    params = who.params | {"person": person, "users": [*who.names, who.pseudonym]}
    cursor.execute(_RUNS, params)
    params["runs"] = runs = [run for (run,) in cursor.fetchall() if run not in held]
    cursor.execute(_SAID_OF, params)
    params["quoted"] = [*runs, *(run for (run,) in cursor.fetchall())]
    _empty_cases(cursor, tenant, runs, at)
    for statement in _WIPES:
        cursor.execute(statement, params)
    for name in who.names:
        _strike(cursor, tenant, name, held)


# -- cases ------------------------------------------------------------------------------------------------------------


def _empty_cases(cursor: CursorWrapper, tenant: uuid.UUID, runs: Collection[uuid.UUID], at: datetime) -> None:
    """Cases made of these runs: out of every revision, and without what they said. Counts of suites stay."""
    cursor.execute(_CASES_OF_RUNS, [tenant, [run.hex for run in runs]])
    found = [version for (version,) in cursor.fetchall()]
    if not found:
        return
    cursor.execute(
        "DELETE FROM evals_revisioncase WHERE tenant_id = %s AND case_id = ANY(%s) RETURNING revision_id",
        [tenant, found],
    )
    revisions = {revision for (revision,) in cursor.fetchall()}
    for statement in _CASE_RUNS:
        cursor.execute(statement, {"tenant": tenant, "versions": found, "at": at})
    for version in found:
        text = strictjson.canonical({"title": ERASED, "input": ERASED, "expect": [], "notes": version.hex}).decode()
        cursor.execute(
            "UPDATE evals_caseversion SET title = %s, content = %s, digest = %s, provenance = '{}' WHERE tenant_id = %s AND id = %s",
            [ERASED, text, cases.digest_of(text), tenant, version],
        )
    _digest_revisions(cursor, tenant, revisions)


def _digest_revisions(cursor: CursorWrapper, tenant: uuid.UUID, revisions: Iterable[uuid.UUID]) -> None:
    """Revisions whose cases are others now get the digest of what they hold."""
    for revision in sorted(revisions):
        cursor.execute(
            "SELECT r.key, c.digest FROM evals_revisioncase r JOIN evals_caseversion c ON c.tenant_id = r.tenant_id "
            "AND c.id = r.case_id WHERE r.tenant_id = %s AND r.revision_id = %s",
            [tenant, revision],
        )
        digest = cases.revision_digest(dict(cursor.fetchall()))
        cursor.execute(
            "UPDATE evals_revision SET digest = %s WHERE tenant_id = %s AND id = %s", [digest, tenant, revision]
        )


# -- everywhere else --------------------------------------------------------------------------------------------------


def _strike(cursor: CursorWrapper, tenant: uuid.UUID, name: str, held: Collection[uuid.UUID]) -> None:
    """Strike a name out of every text of every table."""
    pattern = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)", re.IGNORECASE)
    for model in apps.get_app_config("evals").get_models():
        fields = [] if model.__name__ in _NOT_SEARCHED else [*_texts(model)]
        if fields:
            _strike_table(cursor, tenant, model, fields, name, pattern, held)


def _texts(model: type[models.Model]) -> Iterator[models.Field[Any, Any]]:
    for field in model._meta.concrete_fields:
        is_text = isinstance(field, models.CharField | models.TextField | models.JSONField) or (
            isinstance(field, ArrayField) and isinstance(field.base_field, models.CharField | models.TextField)
        )
        if is_text and not field.choices and field.name not in _NAMES_OF_THINGS:
            yield field


def _strike_table(
    cursor: CursorWrapper,
    tenant: uuid.UUID,
    model: type[models.Model],
    fields: list[models.Field[Any, Any]],
    name: str,
    pattern: re.Pattern[str],
    held: Collection[uuid.UUID],
) -> None:
    table = model._meta.db_table
    columns = {field.column for field in model._meta.concrete_fields}
    run = next((column for column in ("run_id", "subject_id") if column in columns), "")
    unheld = f" AND {run} <> ALL(%(held)s)" if run else _UNHELD.get(table, "")
    key = "id" if "id" in columns else "run_id"
    searched = " OR ".join(
        f"strpos(lower({f.column}::text), %(name)s) > 0 OR strpos(lower({f.column}::text), %(inside)s) > 0"
        for f in fields
    )
    cursor.execute(
        f"SELECT {key} FROM {table} WHERE tenant_id = %(tenant)s AND ({searched}){unheld}",  # noqa: S608  our own names
        {
            "tenant": tenant,
            "name": name,
            "inside": orjson.dumps(name).decode()[1:-1],
            "held": list(held),
            "held_hex": [each.hex for each in held],
        },
    )
    ids, names = [row[0] for row in cursor.fetchall()], ", ".join(f.column for f in fields)
    cast = ", ".join(f"{f.column}::text" if isinstance(f, models.JSONField) else f.column for f in fields)
    for begin in range(0, len(ids), _AT_ONCE):
        cursor.execute(
            f"SELECT {key}, {cast} FROM {table} WHERE tenant_id = %s AND {key} = ANY(%s)",  # noqa: S608
            [tenant, ids[begin : begin + _AT_ONCE]],
        )
        for row_id, *values in cursor.fetchall():
            struck = [_struck(field, value, pattern) for field, value in zip(fields, values, strict=True)]
            if struck != values:
                if table == "evals_caseversion":
                    _tell_apart(cursor, tenant, row_id, fields, struck)
                marks = ", ".join("%s::jsonb" if isinstance(f, models.JSONField) else "%s" for f in fields)
                cursor.execute(
                    f"UPDATE {table} SET ({names}) = ROW({marks}) WHERE tenant_id = %s AND {key} = %s",  # noqa: S608
                    [*struck, tenant, row_id],
                )
                if table == "evals_caseversion":
                    _digest_case(cursor, tenant, row_id)


def _tell_apart(
    cursor: CursorWrapper,
    tenant: uuid.UUID,
    version: uuid.UUID,
    fields: list[models.Field[Any, Any]],
    struck: list[Any],
) -> None:
    """Two versions of a case that differed by the name alone would be one: then the notes of one say which it is."""
    place = next(place for place, field in enumerate(fields) if field.name == "content")
    cursor.execute(
        "SELECT 1 FROM evals_caseversion o JOIN evals_caseversion c ON c.tenant_id = o.tenant_id AND c.eval_set_id = "
        "o.eval_set_id AND c.key = o.key AND c.id <> o.id WHERE o.tenant_id = %s AND o.id = %s AND c.digest = %s",
        [tenant, version, cases.digest_of(struck[place])],
    )
    if cursor.fetchone():
        struck[place] = strictjson.canonical(json.loads(struck[place]) | {"notes": version.hex}).decode()


def _digest_case(cursor: CursorWrapper, tenant: uuid.UUID, version: uuid.UUID) -> None:
    cursor.execute("SELECT content FROM evals_caseversion WHERE tenant_id = %s AND id = %s", [tenant, version])
    digest = cases.digest_of(cursor.fetchone()[0])
    cursor.execute(
        "UPDATE evals_caseversion SET digest = %s WHERE tenant_id = %s AND id = %s", [digest, tenant, version]
    )
    cursor.execute(
        "SELECT revision_id FROM evals_revisioncase WHERE tenant_id = %s AND case_id = %s", [tenant, version]
    )
    _digest_revisions(cursor, tenant, [revision for (revision,) in cursor.fetchall()])


_JSON_TEXTS = frozenset({"content", "tape", "result"})  # RFC 8785 in a column of text
# In our own forms (of cases, tapes, results, differences) members and numbers are ours: a user called 250 is not in a count of
# tokens. What is beneath these members, or in this column, somebody said or an agent did, in any form.
_SAID = frozenset({"input", "output", "arguments", "result", "error", "value", "equals", "one_of", "schema"})
_SAID_COLUMNS = frozenset({("evals_caserun", "output")})
_OUR_WORDS = frozenset({"kind", "form", "tool", "model", "judge", "modes", "agent", "confirmation", "fault", "span_id"})


def _struck(field: models.Field[Any, Any], value: Any, pattern: re.Pattern[str]) -> Any:
    if value is None:
        return None
    is_text = field.name in _JSON_TEXTS
    if isinstance(field, models.JSONField) or (is_text and value):
        there = json.loads(value)
        found = _inside(there, pattern, is_said=(field.model._meta.db_table, field.name) in _SAID_COLUMNS)
        if found == there:
            return value
        return strictjson.canonical(found).decode() if is_text else json.dumps(found)
    if isinstance(field, ArrayField):
        return _inside(value, pattern)
    return pattern.sub(ERASED, value)[: field.max_length] if pattern.search(value) else value


def _inside(value: Any, pattern: re.Pattern[str], *, is_said: bool = False) -> Any:
    """The same with the name struck out of every text in it; in what was said also where a number or a member is called so."""
    if isinstance(value, str):
        return pattern.sub(ERASED, value)
    if isinstance(value, list):
        return [_inside(each, pattern, is_said=is_said) for each in value]
    if isinstance(value, dict) and is_said:
        return {pattern.sub(ERASED, name): _inside(each, pattern, is_said=True) for name, each in value.items()}
    if isinstance(value, dict):
        return {
            name: each if name in _OUR_WORDS else _inside(each, pattern, is_said=name in _SAID)
            for name, each in value.items()
        }
    if is_said and isinstance(value, int | float) and not isinstance(value, bool) and pattern.fullmatch(str(value)):
        return ERASED
    return value
