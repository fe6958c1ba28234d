"""What an organisation's rules come to for one agent. Values in, a value out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

NO_FLOOR = 1
THRESHOLD = Decimal(50_000)  # in the tool's own unit
DELAY_SECONDS = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTerms:
    """One rule: whose calls it is about (an empty name: all), and what it says of them. None: nothing."""

    agent: str = ""
    tool: str = ""
    tier_floor: int | None = None
    amount_threshold: Decimal | None = None
    delay_seconds: int | None = None
    may_stand_at_tier_3: bool | None = None

    @property
    def exactness(self) -> tuple[bool, bool]:
        """A tool is more exact than an agent; both, than either."""
        return bool(self.tool), bool(self.agent)


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules that can concern one agent. Of several, the stricter holds."""

    terms: Sequence[RuleTerms] = ()

    def floor(self, tool: str) -> int:
        """The lowest tier that calls of this tool have; 1 where no rule says more."""
        return max((rule.tier_floor for rule in self._of(tool) if rule.tier_floor is not None), default=NO_FLOOR)

    def threshold(self, tool: str) -> Decimal:
        """Above it, a payment to a new payee takes one tier more. As the tool counts: often the minor unit."""
        said = [rule.amount_threshold for rule in self._of(tool) if rule.amount_threshold is not None]
        return min(said, default=THRESHOLD)

    def delay_seconds(self, tool: str) -> int:
        """How long a call of tier 4 can still be stopped after the second person agreed."""
        return max(
            (rule.delay_seconds for rule in self._of(tool) if rule.delay_seconds is not None), default=DELAY_SECONDS
        )

    def may_stand_at_tier_3(self, tool: str) -> bool:
        """May people agree beforehand to calls of tier 3? The most exact rule that says something holds; none: no."""
        said = [rule for rule in self._of(tool) if rule.may_stand_at_tier_3 is not None]
        return bool(max(said, key=lambda rule: rule.exactness).may_stand_at_tier_3) if said else False

    def _of(self, tool: str) -> list[RuleTerms]:
        return [rule for rule in self.terms if rule.tool in ("", tool)]
