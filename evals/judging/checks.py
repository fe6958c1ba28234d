"""Checks that need no model and look at every run. Pure: values in, findings out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

from evals.judging import texts

REFUSAL, EMPTY, UNSAFE_TOOL, WORDS, SCHEMA = (
    "refusal",
    "empty_answer",
    "unsafe_tool_failure",
    "brand_voice",
    "output_schema",
)
TITLES = {
    REFUSAL: "Refused to answer",
    EMPTY: "Empty answer",
    UNSAFE_TOOL: "A tool failed and the run went on",
    WORDS: "Words that are not to be used",
    SCHEMA: "Answer does not fit its schema",
}
_BEGINNING = 600  # characters of an answer in which a refusal says so
_NOTE_MOST = 300
_FOUND_MOST = 10

# A refusal is short and says so at once. These are the turns that models use; a customer's own words for it are not known.
_REFUSALS = re.compile(
    r"""
      \b(?:i['’]?m|i\ am|we['’]re|we\ are)\ (?:very\ |really\ |so\ )?(?:sorry|afraid),?\ (?:but\ )?(?:i|we)\ (?:can(?:no|['’])t|can\ not|am\ unable|are\ unable|am\ not\ able|won['’]t|do\ not|don['’]t)\b
    | \b(?:i|we)\ (?:can(?:no|['’])t|can\ not|won['’]t|will\ not|must)\ (?:decline|help\ (?:you\ )?with\ (?:that|this)|assist\ (?:you\ )?(?:with|in)|comply|fulfil|fulfill|provide\ (?:that|this|advice)|do\ that|discuss)\b
    | \b(?:i|we)\ (?:am|are|['’]m|['’]re)\ (?:unable|not\ able|not\ allowed|not\ permitted)\ to\b
    | \bas\ an?\ (?:ai|artificial|language)\b.{0,80}\b(?:can(?:no|['’])t|unable|not\ able)\b
    | \bmy\ (?:guidelines|programming|policy|policies)\b
    | \b(?:das|dabei|damit)\ kann\ ich\ (?:(?:ihnen|dir)\ )?(?:leider\ )?nicht\b | \bich\ (?:kann|darf)\ (?:ihnen\ |dir\ )?(?:leider\ |dabei\ |das\ )*nicht\b
    | \bje\ (?:ne\ peux|ne\ suis)\ pas\ (?:vous\ |en\ mesure\ |t['’])? | \bno\ puedo\ (?:ayudar|proporcionar|hacer|cumplir)\w* | \blo\ siento,?\ (?:pero\ )?no\ puedo\b
    | \bnon\ posso\ (?:aiutar|fornir|farlo|soddisfare)\w* | \bnão\ posso\ (?:ajudar|fornecer|fazer)\w* | \bik\ kan\ (?:u\ |je\ )?(?:hier|daar)\w*\ niet\b
    | 申し訳(?:ありません|ございません)が | (?:对不起|抱歉)[，,]?我(?:不能|无法)
    """,
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
# Words by which an answer owns up to a failure.
_OWNED_UP = re.compile(
    r"""
      \b(?:fail(?:ed|s|ure)?|error|could\ ?n[o'’]?t|could\ not|can(?:no|['’])t|unable|unsuccessful|did\ ?n[o'’]?t|problem|went\ wrong|not\ (?:possible|able|completed|gone\ through)|try\ again|declined|unavailable|timed?\ out|partial(?:ly)?)\b
    | \b(?:fehl\w*|gescheitert|leider|nicht\ (?:möglich|geklappt|gelungen|erfolgreich)|konnte\w*\ nicht|konnte\b.{0,60}\bnicht)\b
    | \b(?:échou\w*|erreur|impossible|pas\ (?:pu|réussi|abouti)|problème)\b | \b(?:falló|error|no\ (?:pude|se\ pudo|fue\ posible)|problema|fallid[oa])\b
    | \b(?:errore|fallit[oa]|non\ (?:è\ stato|sono\ riuscit[oa]))\b | \b(?:erro|falhou|não\ (?:foi\ possível|consegui))\b | \b(?:mislukt|fout|niet\ gelukt)\b
    | 失敗 | 错误 | 失败 | エラー | できません
    """,
    re.IGNORECASE | re.VERBOSE,
)
_BAD_REASONS = frozenset({"content_filter", "refusal", "safety", "blocked"})


class Schema(Protocol):
    """A compiled JSON Schema (catalog/checks)."""

    def check(self, arguments: Any) -> Sequence[Any]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """One call of a tool. `is_risky`: its effect is to write, delete, send, charge or escalate."""

    span: str  # hex
    tool: str
    is_risky: bool
    is_failed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What the checks look at. `output` is None where content is not captured: then nothing can be said of it."""

    output: Any
    answer_span: str  # hex; of the answer
    finish_reasons: Sequence[str]
    is_error: bool  # the run itself says that it failed
    calls: Sequence[ToolCall]  # as they began


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What an agent's answers are held to, beyond what holds for all."""

    words: Sequence[str] = ()  # not to be used; whole words, whatever their case
    schema: Schema | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    code: str
    note: str
    spans: Sequence[str] = field(default_factory=tuple)

    def as_json(self) -> dict[str, Any]:
        return {"note": self.note.replace("\x00", ""), "spans": list(self.spans)}


def look(looked: Looked, rules: Rules) -> list[Finding]:
    """Everything that is wrong with a run, in the order of TITLES."""
    text = texts.answer_text(looked.output)
    found = [
        _refusal(looked, text),
        _empty(looked, text),
        _unsafe(looked, text),
        _words(looked, text, rules.words),
        _schema(looked, text, rules.schema),
    ]
    return [finding for finding in found if finding is not None]


def _refusal(looked: Looked, text: str | None) -> Finding | None:
    spans = _answer(looked)
    reason = next((reason for reason in looked.finish_reasons if reason.lower() in _BAD_REASONS), "")
    if reason:
        return Finding(code=REFUSAL, note=f"The model ended with {reason}.", spans=spans)
    if looked.output is not None and texts.is_refused_by_provider(looked.output):
        return Finding(code=REFUSAL, note="The answer is marked as a refusal.", spans=spans)
    hit = _REFUSALS.search(text[:_BEGINNING]) if text else None
    return Finding(code=REFUSAL, note=f"It says “{_short(hit.group())}”.", spans=spans) if hit else None


def _empty(looked: Looked, text: str | None) -> Finding | None:
    if text is None or text.strip() or looked.is_error:
        return None  # a run that says it failed has said something
    return Finding(code=EMPTY, note="The run ended well and answered nothing.", spans=_answer(looked))


def _unsafe(looked: Looked, text: str | None) -> Finding | None:
    """A risky tool failed, was not called again with success, and neither the run nor its answer says so."""
    if looked.is_error or text is None or _OWNED_UP.search(text):
        return None
    failed: list[ToolCall] = []
    mended: set[str] = set()  # tools that a later call had success with
    for call in reversed(looked.calls):
        if not call.is_failed:
            mended.add(call.tool)
        elif call.is_risky and call.tool not in mended:
            failed.append(call)
    if not failed:
        return None
    failed.reverse()
    names = ", ".join(dict.fromkeys(call.tool or "a side effect" for call in failed))
    note = f"{names} failed; the run ended as if it had not, and its answer does not say so."
    return Finding(code=UNSAFE_TOOL, note=note[:_NOTE_MOST], spans=tuple(call.span for call in failed[:_FOUND_MOST]))


def _words(looked: Looked, text: str | None, words: Sequence[str]) -> Finding | None:
    if not text or not words:
        return None
    folded = " ".join(text.casefold().split())
    hits = [word for word in words if _has_word(folded, " ".join(word.casefold().split()))]
    if not hits:
        return None
    said = ", ".join(f"“{_short(word)}”" for word in hits[:_FOUND_MOST])
    return Finding(code=WORDS, note=f"It uses {said}."[:_NOTE_MOST], spans=_answer(looked))


def _has_word(text: str, word: str) -> bool:
    """As a whole word: no letter or digit beside it."""
    place = text.find(word) if word else -1
    while place >= 0:
        before, after = text[place - 1 : place], text[place + len(word) : place + len(word) + 1]
        if not (before.isalnum() and word[0].isalnum()) and not (after.isalnum() and word[-1].isalnum()):
            return True
        place = text.find(word, place + 1)
    return False


def _schema(looked: Looked, text: str | None, schema: Schema | None) -> Finding | None:
    if schema is None or text is None or looked.is_error:
        return None
    value, problem = _value(looked.output, text)
    if not problem:
        rejections = schema.check(value)
        if not rejections:
            return None
        first = rejections[0]
        problem = f"{first.pointer or 'The answer'}: {first.hint}; expected {first.expected}."
    return Finding(code=SCHEMA, note=problem[:_NOTE_MOST], spans=_answer(looked))


def _value(output: Any, text: str) -> tuple[Any, str]:
    """The answer as a value, or why it is none."""
    if isinstance(output, dict) and "role" not in output and "messages" not in output:
        return output, ""
    try:
        return orjson.loads(text.strip().removeprefix("```json").removesuffix("```")), ""
    except orjson.JSONDecodeError:
        return None, "The answer is no JSON."


def _answer(looked: Looked) -> tuple[str, ...]:
    return (looked.answer_span,) if looked.answer_span else ()


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 80 else f"{text[:79]}…"


def is_failed_result(result: Any) -> bool:
    """Does a tool's result say that the call failed, though its span does not?"""
    if not isinstance(result, dict):
        return False
    if result.get("isError") is True or result.get("is_error") is True or result.get("ok") is False:
        return True
    return bool(result.get("error")) or str(result.get("status", "")).lower() in ("error", "failed", "failure")


def codes(findings: Iterable[Finding]) -> list[str]:
    """The checks that failed. A refusal can be the right answer: it is told, and is not a failure."""
    return [finding.code for finding in findings if finding.code != REFUSAL]
