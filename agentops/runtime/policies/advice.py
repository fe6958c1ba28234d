"""What the guard says before it stops a run."""

from __future__ import annotations

from collections.abc import Sequence

WARN_AT_PERCENT = 75


def advice(uses: Sequence[tuple[str, int, int]]) -> str:
    """One sentence for the model when something is three quarters used, else "". Items: what, used, cap."""
    near = [(what, used, cap) for what, used, cap in uses if cap > 0 and used * 100 >= cap * WARN_AT_PERCENT]
    if not near:
        return ""
    told = ", ".join(f"{min(100, used * 100 // cap)} % of the {what}" for what, used, cap in near)
    return f"This run has used {told}. Wrap up: finish with what you have, or tell the user what is left to do."
