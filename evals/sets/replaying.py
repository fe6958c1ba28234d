"""How a replay differs from the run it repeats: step by step, the first divergence marked. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from agentops.common import strictjson
from agentops.common.money import usd_text
from evals.sets.cases import digest_of

Step = Mapping[str, Any]
_COMPARED = {"tool": ("result", "error"), "model": ("model", "output")}


def result_of(told: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept and compared of what was told (telling.read): nothing that depends on when it ran."""
    return {
        "steps": [{name: part for name, part in step.items() if name != "fault"} for step in told["steps"]],
        "output": told["output"],
        "broke": told["broke"],
        "input_tokens": told["input_tokens"],
        "output_tokens": told["output_tokens"],
        "cost_usd": usd_text(told["cost_nano_usd"]),
    }


def result_text(result: Mapping[str, Any]) -> tuple[str, str]:
    """The RFC 8785 text of what a replay did, and its digest. Without times, so that the same replay has the same bytes."""
    text = strictjson.canonical_checked(result).decode()
    return text, digest_of(text)


def compare(tape: Mapping[str, Any], result: Mapping[str, Any]) -> dict[str, Any]:
    """`{"rows": [{"before", "after": places among the steps or null, "differs": […]}], "first": place of the first row that differs or null, "output_same",
    "output_compared", "broke", "models_told", "totals": {name: [before, after]}, "is_same"}`.

    `differs` names what is another: step (no counterpart), result, error, model, output, tokens. Tokens alone do not make a
    row differ in the sense of `first` and `is_same`: a model counts as it likes. Where the replay told no model calls,
    those of the run are left out of the comparison.
    """
    models_told = any(step["kind"] == "model" for step in result["steps"])
    before = [step for step in tape["steps"] if models_told or step["kind"] == "tool"]
    after: list[Step] = list(result["steps"])
    places = {id(step): place for steps in (tape["steps"], after) for place, step in enumerate(steps)}
    rows: list[dict[str, Any]] = [
        {
            "before": None if one is None else places[id(one)],
            "after": None if other is None else places[id(other)],
            "differs": _differs(one, other),
        }
        for one, other in _aligned(before, after)
    ]
    first = next((place for place, row in enumerate(rows) if set(row["differs"]) - {"tokens"}), None)
    output_same = _same(tape.get("output"), result.get("output")) or _same(
        _text(tape.get("output")), _text(result.get("output"))
    )
    return {
        "rows": rows,
        "first": first,
        "output_same": output_same,
        "broke": result.get("broke", ""),
        "models_told": models_told,
        "totals": {
            "steps": [len(before), len(after)],
            "input_tokens": [tape["input_tokens"], result["input_tokens"]],
            "output_tokens": [tape["output_tokens"], result["output_tokens"]],
            "cost_usd": [tape["cost_usd"], result.get("cost_usd")],
        },
        "is_same": first is None and output_same and not result.get("broke"),
    }


def usd_difference(before: str, after: str | None) -> str:
    """In dollars, with its sign; "" where the replay did not say what it cost."""
    return "" if after is None else f"{Decimal(after) - Decimal(before):+f}"


def _aligned(before: Sequence[Step], after: Sequence[Step]) -> list[tuple[Step | None, Step | None]]:
    """Steps beside those they repeat, None where one has no counterpart."""
    found: list[tuple[Step | None, Step | None]] = []
    i = j = 0
    pairs = _alike([_key(step) for step in before], [_key(step) for step in after])
    for one, other in [*pairs, (len(before), len(after))]:
        found += [(step, None) for step in before[i:one]]
        found += [(None, step) for step in after[j:other]]
        found += zip(before[one : one + 1], after[other : other + 1], strict=True)
        i, j = one + 1, other + 1
    return found


def _alike(before: Sequence[str], after: Sequence[str]) -> list[tuple[int, int]]:
    """The longest common subsequence, as pairs of places: of several, what is alike from the beginning on.

    Row by row in the bits of one number (H. Hyyrö, 2004), from the end: two thousand steps of which few are alike take
    milliseconds, where `difflib` takes a minute.
    """
    mask = (1 << len(after)) - 1
    where: dict[str, int] = {}
    for place, key in enumerate(reversed(after)):
        where[key] = where.get(key, 0) | 1 << place
    rows = [mask]
    for key in reversed(before):
        met = rows[-1] & where.get(key, 0)
        rows.append(((rows[-1] + met) | (rows[-1] - met)) & mask)
    found = []
    i = j = 0
    while i < len(before) and j < len(after):
        if before[i] == after[j]:
            found.append((i, j))
            i, j = i + 1, j + 1
        elif rows[len(before) - i] >> (len(after) - j - 1) & 1:
            j += 1
        else:
            i += 1
    return found


def _key(step: Step) -> str:
    """What makes two steps the same step: which tool, with which arguments. A model call is one like another."""
    if step["kind"] == "model":
        return "model"
    return strictjson.canonical([step["tool"], _plain_arguments(step.get("arguments"))]).decode()


def _differs(before: Step | None, after: Step | None) -> list[str]:
    if before is None or after is None:
        return ["step"]
    differs = []
    for name in _COMPARED[before["kind"]]:
        is_told = before.get(name) not in (None, "") and after.get(name) not in (None, "")
        if (is_told or before["kind"] == "tool") and not _same(before.get(name), after.get(name)):
            differs.append(name)
    tokens = ("input_tokens", "output_tokens")
    if before["kind"] == "model" and any(before.get(each, 0) != after.get(each, 0) for each in tokens):
        differs.append("tokens")
    return differs


def _plain_arguments(arguments: Any) -> Any:
    return {} if arguments is None else arguments


def _same(one: Any, other: Any) -> bool:
    return strictjson.canonical(one) == strictjson.canonical(other)


def _text(value: Any) -> Any:
    """The text of an answer, where a dialect wrapped it into messages."""
    if isinstance(value, list):
        texts = [_text(each) for each in value]
        return "\n".join(text for text in texts if isinstance(text, str))
    if isinstance(value, dict):
        for name in ("content", "text", "parts"):
            if name in value:
                return _text(value[name])
    return value.strip() if isinstance(value, str) else value
