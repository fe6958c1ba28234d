"""Which model belongs to which family: those that share an ancestor, and so its taste and its blind spots.

A model of a family does not judge another of the same (L. Zheng et al., "Judging LLM-as-a-Judge", 2023: a judge favours its own
kind). A distilled model belongs to both of its families. A deployment's name may say nothing: then a person states the family.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

# In the order in which pages list them. A name counts where it stands at the beginning of a word.
_NAMES: dict[str, tuple[str, ...]] = {
    "gpt": ("gpt", "chatgpt", "o1", "o3", "o4", "codex", "davinci", "computer-use-preview"),
    "claude": ("claude",),
    "gemini": ("gemini", "gemma", "palm", "bison", "learnlm"),
    "llama": ("llama", "codellama", "vicuna", "alpaca"),
    "mistral": ("mistral", "mixtral", "codestral", "ministral", "magistral", "devstral", "pixtral", "voxtral"),
    "qwen": ("qwen", "qwq", "qvq"),
    "deepseek": ("deepseek",),
    "grok": ("grok",),
    "command": ("command", "c4ai", "aya"),
    "nova": ("nova", "titan"),
    "phi": ("phi",),
    "kimi": ("kimi", "moonshot"),
    "glm": ("glm", "chatglm"),
    "granite": ("granite",),
    "jamba": ("jamba",),
    "nemotron": ("nemotron",),
    "minimax": ("minimax", "abab"),
    "ernie": ("ernie",),
    "doubao": ("doubao", "seed-oss"),
    "hunyuan": ("hunyuan",),
    "olmo": ("olmo", "tulu"),
    "yi": ("yi",),
    "stub": ("agentops-stub-judge",),  # the judge by rules of development and demonstration (judge_stub)
}
FAMILIES = tuple(_NAMES)
_OWN = re.compile(r"[a-z][a-z0-9-]{0,39}")
_PATTERNS = {
    family: re.compile(r"(?<![a-z0-9])(?:" + "|".join(re.escape(name) for name in names) + r")(?![a-z])")
    for family, names in _NAMES.items()
}


def families_of(model: str) -> frozenset[str]:
    """The families that a model's name tells; empty where it tells none."""
    lowered = model.lower()[:200]
    return frozenset(family for family, pattern in _PATTERNS.items() if pattern.search(lowered))


def family_of(model: str) -> str:
    """The first of them; "" where the name tells none."""
    found = families_of(model)
    return next((family for family in FAMILIES if family in found), "")


def is_family(text: str) -> bool:
    """Is it one of the table's, or a word that a person may state for a family that is not there?"""
    return text in _NAMES or _OWN.fullmatch(text) is not None


def of_the_same(*, family: str, model: str, agent_models: Iterable[str]) -> str:
    """The first of an agent's models that is of the judge's family (or is the judge's model itself); "" where none is."""
    own = families_of(model) | {family}
    for other in agent_models:
        if other and (other.lower() == model.lower() or families_of(other) & own):
            return other
    return ""
