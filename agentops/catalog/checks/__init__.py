"""What a tool's definition demands of a call, compiled: its argument schema and its semantic rules."""

from agentops.catalog.checks.rules import Rule, RuleChecks, TierRaise
from agentops.catalog.checks.schemas import SchemaCheck

__all__ = ["Rule", "RuleChecks", "SchemaCheck", "TierRaise"]
