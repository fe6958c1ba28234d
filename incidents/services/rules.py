"""What people decide instead of a detector's defaults, for all, for one organisation, or for one of its agents."""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from agentops.common import scope
from agentops.common.errors import InputProblem, InvalidInput, NotFound
from audit import services as audit
from audit.types import Actor, Outcome, Target
from incidents.detecting.defaults import DEFAULTS
from incidents.models import AlertRule
from incidents.types import AlertClass, Severity

AGENT_LENGTH = 200
MOST_COOLDOWN = 7 * 86_400


def set_rule(
    *,
    tenant: uuid.UUID,
    alert_class: str,
    about_tenant: uuid.UUID | None,
    agent: str,
    is_on: bool,
    severity: int | None,
    params: Mapping[str, Any],
    cooldown_seconds: int | None,
    by: Actor,
    at: datetime,
) -> AlertRule:
    """Set the rule of one place; what is left out keeps its default. Raises InvalidInput, with every problem at once."""
    scope.require_tenant(tenant)
    problems: list[InputProblem] = []
    kept = _checked(alert_class, agent, severity, params, cooldown_seconds, problems)
    if problems:
        raise InvalidInput("Some of the rule is not valid.", problems=tuple(problems))
    rule, _ = AlertRule.objects.update_or_create(
        tenant_id=tenant,
        alert_class=alert_class,
        about_tenant=about_tenant,
        agent=agent,
        defaults={
            "is_on": is_on,
            "severity": severity,
            "params": kept,
            "cooldown_seconds": cooldown_seconds,
            "set_at": at,
            "set_by": by.label or by.id,
        },
    )
    _record("alert_rule.set", rule, by, at, rule=_words(rule))
    return rule


def remove_rule(*, tenant: uuid.UUID, rule_id: uuid.UUID, by: Actor, at: datetime) -> None:
    """Go back to what holds without it. Raises NotFound."""
    scope.require_tenant(tenant)
    rule = AlertRule.objects.select_for_update().filter(tenant_id=tenant, id=rule_id).first()
    if rule is None:
        raise NotFound("There is no such rule.")
    _record("alert_rule.removed", rule, by, at)
    rule.delete()


def _checked(
    alert_class: str,
    agent: str,
    severity: int | None,
    params: Mapping[str, Any],
    cooldown_seconds: int | None,
    problems: list[InputProblem],
) -> dict[str, float]:
    def wrong(pointer: str, accepted: str) -> None:
        problems.append(InputProblem(pointer, "invalid", accepted))

    if alert_class not in AlertClass.values:
        wrong("/alert_class", f"is one of {', '.join(AlertClass.values)}")
        return {}
    if "\x00" in agent or len(agent) > AGENT_LENGTH:
        wrong("/agent", f"is a name of at most {AGENT_LENGTH} characters, without NUL")
    if severity is not None and severity not in Severity.values:
        wrong("/severity", "is 1, 2 or 3, or nothing")
    if cooldown_seconds is not None and not 0 <= cooldown_seconds <= MOST_COOLDOWN:
        wrong("/cooldown_seconds", f"is a whole number from 0 to {MOST_COOLDOWN}, or nothing")
    known, kept = DEFAULTS[AlertClass(alert_class)].params, {}
    for name, value in params.items():
        param = known.get(name)
        if param is None:
            wrong(f"/params/{name[:60]}", f"is none of {', '.join(known) or 'the parameters: there are none'}")
            continue
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not is_number or not param.low <= value <= param.high or (param.is_whole and value != int(value)):
            kind = "a whole number" if param.is_whole else "a number"
            wrong(f"/params/{name}", f"is {kind} from {param.low:g} to {param.high:g}")
            continue
        kept[name] = int(value) if param.is_whole else float(value)
    return kept


def _words(rule: AlertRule) -> str:
    parts = ["on" if rule.is_on else "off"]
    if rule.severity is not None:
        parts.append(f"SEV-{rule.severity}")
    parts += [f"{name} {value:g}" for name, value in sorted(rule.params.items())]
    if rule.cooldown_seconds is not None:
        parts.append(f"cooldown {rule.cooldown_seconds} s")
    return ", ".join(parts)


def _record(action: str, row: AlertRule, by: Actor, at: datetime, **more: Any) -> None:
    of = f"{row.about_tenant or 'all'}{f' {row.agent}' if row.agent else ''}"
    audit.record(
        tenant=row.tenant_id,
        action=action,
        actor=by,
        target=Target(type="alert_rule", id=str(row.id)),
        outcome=Outcome.SUCCESS,
        data={"class": row.alert_class, "of": of, **more},
        at=at,
    )
