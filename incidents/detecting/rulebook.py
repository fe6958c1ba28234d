"""What people decided instead of the defaults, as values: for all, for one organisation, for one of its agents."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from incidents.detecting.defaults import DEFAULTS
from incidents.types import AlertClass, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    alert_class: AlertClass
    about_tenant: uuid.UUID | None = None
    agent: str = ""
    is_on: bool = True
    severity: Severity | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    cooldown_seconds: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What holds for one agent of one organisation."""

    is_on: bool
    severity: Severity | None  # None: as the detector says
    cooldown_seconds: int
    params: Mapping[str, float]


class RuleBook:
    """All rules; the narrower one wins, one number at a time."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self._rules = {(rule.alert_class, rule.about_tenant, rule.agent): rule for rule in rules}
        self._known: dict[tuple[AlertClass, uuid.UUID | None, str], Setting] = {}

    def setting(self, alert_class: AlertClass, tenant: uuid.UUID | None = None, agent: str = "") -> Setting:
        key = (alert_class, tenant, agent)
        if key not in self._known:
            self._known[key] = self._found(*key)
        return self._known[key]

    def least(self, alert_class: AlertClass, param: str) -> float:
        """The smallest value that a parameter has anywhere."""
        chosen = [float(rule.params[param]) for rule in self._rules.values()
                  if rule.alert_class == alert_class and param in rule.params]  # fmt: skip
        return min([DEFAULTS[alert_class].params[param].default, *chosen])

    def _found(self, alert_class: AlertClass, tenant: uuid.UUID | None, agent: str) -> Setting:
        default = DEFAULTS[alert_class]
        is_on, severity, cooldown = True, None, default.cooldown_seconds
        params = {name: param.default for name, param in default.params.items()}
        places = dict.fromkeys([(None, ""), (None, agent), (tenant, ""), (tenant, agent)])
        for place in places:
            rule = self._rules.get((alert_class, *place))
            if rule is None:
                continue
            is_on = rule.is_on
            severity = rule.severity if rule.severity is not None else severity
            cooldown = rule.cooldown_seconds if rule.cooldown_seconds is not None else cooldown
            params |= {name: float(value) for name, value in rule.params.items() if name in params}
        return Setting(is_on=is_on, severity=severity, cooldown_seconds=cooldown, params=params)
