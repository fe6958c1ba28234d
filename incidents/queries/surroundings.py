"""What stood around the runs of an incident: versions with the definitions of their tools, configuration, figures by hour.

Needs staff's scope. Configuration is as it is now, with the switches that were on at any time since; the caps that held for
one guarded run are in that run's own row (capturing.py).
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from django.db import connection

from incidents.queries.documents import Document, Writer
from incidents.types import EvidenceKind

_VERSIONS = """
SELECT a.name, v.version, to_jsonb(v)::text, v.id FROM catalog_agent a
JOIN catalog_agentversion v ON v.tenant_id = %(tenant)s AND v.agent_id = a.id
WHERE a.tenant_id = %(tenant)s AND a.name = %(agent)s AND (%(version)s = '' OR v.version = %(version)s)
ORDER BY v.changed_at DESC, v.id DESC LIMIT 20
"""
_GRANTS = """
SELECT (jsonb_build_object('tool', t.name) || to_jsonb(g))::text, to_jsonb(tv)::text FROM catalog_toolgrant g
JOIN catalog_tool t ON t.tenant_id = %(tenant)s AND t.id = g.tool_id
JOIN catalog_toolversion tv ON tv.tenant_id = %(tenant)s AND tv.id = g.tool_version_id
WHERE g.tenant_id = %(tenant)s AND g.agent_version_id = %(id)s ORDER BY g.position, t.name
"""
# Never the salt of masking: with it, masked values could be told from each other outside.
_CONFIG = {
    "organisation": "SELECT to_jsonb(t)::text FROM tenants_tenant t WHERE id = %(tenant)s",
    "settings": "SELECT (to_jsonb(t) - 'masking_salt')::text FROM tenants_tenantsettings t WHERE tenant_id = %(tenant)s",
    "caps": "SELECT to_jsonb(t)::text FROM runtime_organisationcaps t WHERE tenant_id = %(tenant)s",
    "budget": "SELECT to_jsonb(t)::text FROM budgets_budget t WHERE tenant_id = %(tenant)s ORDER BY id",
    "kill_switch": "SELECT to_jsonb(t)::text FROM runtime_killswitch t WHERE tenant_id = %(tenant)s "
    "AND (lifted_at IS NULL OR lifted_at >= %(since)s) ORDER BY id",
    "product_switch": "SELECT to_jsonb(t)::text FROM runtime_productswitch t "
    "WHERE lifted_at IS NULL OR lifted_at >= %(since)s ORDER BY id",
    "confirmation_rule": "SELECT to_jsonb(t)::text FROM confirmations_rule t WHERE tenant_id = %(tenant)s ORDER BY id",
    "standing_approval": "SELECT to_jsonb(t)::text FROM confirmations_standingapproval t WHERE tenant_id = %(tenant)s "
    "AND expires_at >= %(since)s AND (ended_at IS NULL OR ended_at >= %(since)s) ORDER BY id LIMIT 1000",
    "baseline": "SELECT to_jsonb(t)::text FROM runtime_baseline t WHERE tenant_id = %(tenant)s ORDER BY agent LIMIT 1000",
}
_HOURS = """
SELECT jsonb_build_object('hour', date_trunc('hour', r.started_at), 'agent', r.agent, 'version', r.agent_version,
    'runs', count(*), 'errors', count(*) FILTER (WHERE r.status = 2), 'llm_calls', sum(r.llm_calls),
    'tool_calls', sum(r.tool_calls), 'tokens', sum(r.input_tokens + r.output_tokens), 'cost_nano_usd', sum(r.cost_nano_usd),
    'unpriced_calls', sum(r.unpriced_calls))::text
FROM traces_run r WHERE r.tenant_id = %(tenant)s AND r.started_at >= %(since)s AND r.started_at < %(until)s
    AND (%(agent)s = '' OR r.agent = %(agent)s)
GROUP BY date_trunc('hour', r.started_at), r.agent, r.agent_version ORDER BY 1 LIMIT 5000
"""


def documents_of_tenant(
    *, tenant: uuid.UUID, agent: str, version: str, since: datetime, until: datetime
) -> list[Document]:
    """What held for the agent in that organisation."""
    values = {"tenant": tenant, "agent": agent, "version": version, "since": since, "until": until}
    config = Writer(EvidenceKind.CONFIG, f"organisation:{tenant.hex}", "caps, budgets, switches, rules")
    for name, statement in _CONFIG.items():
        for (text,) in _rows(statement, values):
            config.write(b'{"%s":%s}' % (name.encode(), text.encode()))
    found = [config.close()]
    for name, label, text, version_id in _rows(_VERSIONS, values) if agent else ():
        writer = Writer(EvidenceKind.VERSION, f"version:{name}@{label}", f"{name} {label} and its tools")
        writer.write(b'{"agent_version":' + text.encode() + b"}")
        for grant, tool_version in _rows(_GRANTS, {"tenant": tenant, "id": version_id}):
            writer.write(b'{"grant":%s,"tool_version":%s}' % (grant.encode(), tool_version.encode()))
        found.append(writer.close())
    hours = _rows(_HOURS, values)
    if hours:
        metric = Writer(EvidenceKind.METRIC, f"hours:{agent or 'all agents'}", "runs, errors, tokens, cost by hour")
        for (text,) in hours:
            metric.write(text.encode())
        found.append(metric.close())
    return found


def _rows(statement: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found
