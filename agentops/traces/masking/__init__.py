"""Secrets and personal data leave a span before it is stored. Pure; rules are versioned (`RULESET_VERSION`)."""

from agentops.traces.masking.masker import Masker, Policy
from agentops.traces.masking.rules import DEFAULT_RULES, RULES, RULESET_VERSION

__all__ = ["DEFAULT_RULES", "RULES", "RULESET_VERSION", "Masker", "Policy"]
