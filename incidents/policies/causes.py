"""Why incidents happen, in two levels; and OWASP's ten risks of agents (Top 10 for Agentic Applications, 2025-12)."""

from __future__ import annotations

from incidents.types import CauseKind as K

DETAILS: dict[K, dict[str, str]] = {
    K.PROMPT: {
        "ambiguous": "Ambiguous or contradictory instructions",
        "missing_limit": "A limit that was not written down",
        "changed": "A change of the prompt",
        "lost_context": "Instructions lost in a long context",
    },
    K.MODEL: {
        "version_changed": "A change of the model's version",
        "hallucination": "Something made up",
        "reasoning": "A wrong conclusion from right facts",
        "refusal": "Refused what it should do",
        "settings": "Sampling or output settings",
    },
    K.TOOL: {
        "wrong_tool": "The wrong tool was offered or chosen",
        "wrong_arguments": "Wrong arguments that nothing refused",
        "definition": "A misleading definition or description",
        "bug": "A bug in the tool",
        "not_idempotent": "Done twice: the call is not idempotent",
    },
    K.EXTERNAL_SYSTEM: {
        "outage": "An outage or time-outs",
        "changed": "Its interface or behaviour changed",
        "wrong_data": "It answered with wrong data",
        "limits": "Its limits or quota",
    },
    K.ADVERSARIAL_INPUT: {
        "direct": "Injection by a user",
        "indirect": "Injection through content that was read",
        "impersonation": "Somebody pretended to be somebody else",
        "flooding": "Inputs made to cost or to fail",
    },
    K.DATA: {
        "stale": "Old data",
        "missing": "Missing data",
        "retrieval": "The wrong documents were found",
        "crossed": "Data of another user or organisation",
        "memory": "Wrong or poisoned memory",
    },
    K.PERMISSION: {
        "too_wide": "More was permitted than needed",
        "missing_approval": "No confirmation was asked for",
        "limit_too_high": "A budget or cap too high, or none",
        "configuration": "A wrong setting",
        "secret": "A key or secret in the wrong hands",
    },
    K.ORCHESTRATION: {
        "loop": "A loop that nothing ended",
        "retry": "Retries that multiplied",
        "handover": "A hand-over between agents",
        "guardrail_gap": "A check that should have refused",
        "advisory": "Held by advice only, not by the guard",
    },
    K.HUMAN_PROCESS: {
        "release": "Released without a gate or review",
        "approval_habit": "Approved without reading",
        "missing_runbook": "No runbook, or a wrong one",
        "ownership": "Nobody was responsible",
        "alert_missed": "An alert was missed or switched off",
    },
    K.UNKNOWN: {},
}

OWASP: dict[str, str] = {
    "ASI01": "Agent goal hijack",
    "ASI02": "Tool misuse and exploitation",
    "ASI03": "Identity and privilege abuse",
    "ASI04": "Agentic supply chain vulnerabilities",
    "ASI05": "Unexpected code execution",
    "ASI06": "Memory and context poisoning",
    "ASI07": "Insecure inter-agent communication",
    "ASI08": "Cascading failures",
    "ASI09": "Human-agent trust exploitation",
    "ASI10": "Rogue agents",
}


def words(kind: str, detail_kind: str) -> str:
    """`Tool: Wrong arguments that nothing refused`. A detail that is no word of the taxonomy (any more) is shown as it is."""
    first = K(kind)
    detail = DETAILS[first].get(detail_kind) or detail_kind.replace("_", " ")
    return f"{first.label}: {detail}" if detail else first.label
