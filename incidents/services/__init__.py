"""Writes of alerts, incidents and on-call, by part."""

# alerts
from incidents.services.alerts import (
    acknowledge_alert,
    calm_alerts,
    forget_looks,
    give_verdict,
    raise_alert,
    remove_rule,
    resolve_alert,
    set_rule,
)

# lifecycle
from incidents.services.timeline import note

__all__ = [  # noqa: RUF022  by part
    # alerts
    "acknowledge_alert",
    "calm_alerts",
    "forget_looks",
    "give_verdict",
    "raise_alert",
    "remove_rule",
    "resolve_alert",
    "set_rule",
    # lifecycle
    "note",
]
