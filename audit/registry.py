"""The closed list of actions: a name that is not here cannot be recorded, so the log has no free text where a customer
would look for a word.
"""

from __future__ import annotations

from audit.action import Action
from audit.actions import core, incidents, quality

__all__ = ["ACTIONS", "Action"]

ACTIONS: dict[str, Action] = dict((*core.ACTIONS, *quality.ACTIONS, *incidents.ACTIONS))
