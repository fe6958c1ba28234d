"""What a person is shown: pure, so that it can be said here to the letter."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentops.common.strictjson import canonical
from agentops.confirmations.rendering import VERSION, View, accepts, pieces, render, visible
from agentops.confirmations.types import ToolFacts

REFUND = ToolFacts(
    effect="charge", reversal="yes", recipe="void the refund", reversible_seconds=86_400,
    payee="/order_id", amount="/amount_minor", description="Pays an order back.",
)  # fmt: skip
DIGEST = "141f90b2336a27ca5512bae88c99be93d884899c6b98d67104e2aef6be6f8444"
ORDER = {"order_id": "ord_8812", "amount_minor": 4_810, "currency": "EUR"}


def binding(arguments: Any, *, tool: str = "refund", tier: int = 3, **said: Any) -> bytes:
    bound = {
        "v": 1, "tenant": "t", "agent": "refund-desk", "agent_version": "1", "run": "r", "proposal": "t-1",
        "nonce": "n", "acting_user": "mia", "tool": tool, "tool_version": "3", "schema_digest": "d", "resource": "",
        "arguments": arguments, "tier": tier, "policy_version": "1", **said,
    }  # fmt: skip
    return canonical(bound)


def view(
    arguments: Any, facts: ToolFacts = REFUND, *, because: tuple[str, ...] = (), current: str = "", **said: Any
) -> View:
    return render(binding=binding(arguments, **said), facts=facts, raised_because=because, current=current)


# -- the first line ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tool", "arguments", "facts", "expected"),
    [
        ("refund", ORDER, REFUND, "Refund 48.10 EUR to ord_8812"),
        ("refund", {**ORDER, "currency": "JPY"}, REFUND, "Refund 4,810 JPY to ord_8812"),
        ("refund", {**ORDER, "currency": "KWD"}, REFUND, "Refund 4.810 KWD to ord_8812"),
        ("refund", {**ORDER, "currency": "eur"}, REFUND, "Refund 4810 (amount_minor) to ord_8812"),
        ("refund", {**ORDER, "amount_minor": "many"}, REFUND, "Refund many (amount_minor) to ord_8812"),
        (
            "transfer_money",
            {"to": {"iban": "DE02"}, "money": {"amount": "1250000.50", "currency": "EUR"}},
            ToolFacts(payee="/to/iban", amount="/money/amount"),
            "Transfer money: 1,250,000.50 EUR to DE02",
        ),
        ("delete_customer", {"id": "cus_1"}, ToolFacts(resource="/id"), "Delete customer cus_1"),
        ("refund", ORDER, ToolFacts(amount="/amount_minor", resource="/order_id"), "Refund 48.10 EUR for ord_8812"),
        (
            "send_letter",
            {"text": "Dear\nMs Kim", "fast": True, "to": "kim", "from": "us"},
            ToolFacts(),
            "Send letter with fast yes, from us, to kim and 1 more value",
        ),
        (
            "raise_limit",
            {"id": "acc_1", "daily": 50, "note": "n" * 41},
            ToolFacts(resource="/id"),
            "Raise limit acc_1 with daily 50 and 1 more value",
        ),
        ("send_letter", {"text": "Dear\nMs Kim", "to": "kim"}, ToolFacts(payee="/to"), "Send letter to kim"),
        ("send_letter", {"text": "Dear\nMs Kim"}, ToolFacts(), "Send letter with text Dear ↵ Ms Kim"),
        ("stop", {}, ToolFacts(), "Stop, with no values"),
        ("note", {"text": ""}, ToolFacts(), "Note with text (empty)"),
    ],
)
def test_the_first_line_says_what_to_whom_and_how_much(
    tool: str, arguments: Any, facts: ToolFacts, expected: str
) -> None:
    found = view(arguments, facts, tool=tool)
    assert " ".join(found.headline.split()).replace("⟨line break⟩", "↵") == expected


def test_a_first_line_hides_nothing_and_shows_nothing_backwards() -> None:
    found = view({**ORDER, "order_id": "ord_1\u202e2188_dro\u200b"})
    assert found.headline == (
        "Refund 48.10 EUR to ord_1⟨right-to-left override (U+202E)⟩2188_dro⟨zero width space (U+200B)⟩"
    )


def test_a_value_too_long_for_the_first_line_stands_whole_among_the_values() -> None:
    found = view({**ORDER, "order_id": "x" * 5_000})
    assert len(found.headline) < 200 and found.headline.endswith("x…")
    assert [leaf.raw for leaf in found.leaves if leaf.pointer == "/order_id"] == ["x" * 5_000]


# -- every value ------------------------------------------------------------------------------------------------------


def test_every_value_is_there_with_its_place_and_its_kind() -> None:
    arguments = {"a": [1, {"b/c": None, "~": False}], "d": {}, "e": [], "f": "", "g": 1.5, "h": "no"}
    assert [(leaf.pointer, leaf.label, leaf.kind, leaf.raw) for leaf in view(arguments).leaves] == [
        ("/a/0", "a › 1", "number", "1"),
        ("/a/1/b~1c", "a › 2 › b/c", "nothing", "nothing (null)"),
        ("/a/1/~0", "a › 2 › ~", "yes or no", "no"),
        ("/d", "d", "empty object", "{}"),
        ("/e", "e", "empty list", "[]"),
        ("/f", "f", "empty text", ""),
        ("/g", "g", "number", "1.5"),
        ("/h", "h", "text", "no"),
    ]


def test_a_number_is_shown_as_it_stands_in_the_bytes() -> None:
    assert view({"n": 1e21}).leaves[0].raw == "1e+21"
    assert view({"n": 9_007_199_254_740_991}).leaves[0].raw == "9007199254740991"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), JSON, max_size=5))
def test_joined_the_pieces_are_the_value_again_and_nothing_in_them_is_hidden(arguments: dict[str, Any]) -> None:
    found = view(arguments)
    for leaf in found.leaves:
        assert "".join(piece.text for piece in leaf.value) == leaf.raw
        assert all(piece.name for piece in leaf.value if piece.kind)
        for hidden in ("\u200b", "\u202e", "\u2066", "\ufeff", "\u00ad", "\x1b", "\u2028"):
            assert hidden not in visible(leaf.value)


@given(JSON, JSON)
def test_two_payloads_have_the_same_view_only_where_they_are_the_same(one: Any, other: Any) -> None:
    digests = [view({"value": value}).digest for value in (one, other)]
    assert (digests[0] == digests[1]) == (canonical(one) == canonical(other))


# -- what an eye cannot tell ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", [("plain", "", "")]),
        ("a\u200b\u200bb", [("a", "", ""), ("\u200b\u200b", "invisible", "zero width space (U+200B) ×2"), ("b", "", "")]),
        ("a\u202eb", [("a", "", ""), ("\u202e", "bidirectional", "right-to-left override (U+202E)"), ("b", "", "")]),
        ("p\u0430y", [("p", "mixed_script", "Cyrillic and Latin"), ("\u0430", "mixed_script", "cyrillic small letter a (U+0430)"), ("y", "mixed_script", "Cyrillic and Latin")]),
        ("\u0440\u0430\u0443", [("\u0440\u0430\u0443", "confusable", "Cyrillic letters that look like pay")]),
        ("a" + " " * 40 + "b", [("a", "", ""), (" " * 40, "padding", "40 spaces"), ("b", "", "")]),
        (" a", [(" ", "space", "space"), ("a", "", "")]),
        ("a\tb", [("a", "", ""), ("\t", "tab", "tab"), ("b", "", "")]),
        ("a\n\nb", [("a", "", ""), ("\n", "line", "line break"), ("\n", "line", "line break"), ("b", "", "")]),
        ("a\u00a0b", [("a", "", ""), ("\u00a0", "space", "no-break space (U+00A0)"), ("b", "", "")]),
        ("Müller, 東京", [("Müller, 東京", "", "")]),
        ("👩\u200d💻", [("👩\u200d💻", "", "")]),
    ],
)  # fmt: skip
def test_what_cannot_be_told_has_a_name(text: str, expected: list[tuple[str, str, str]]) -> None:
    assert [(piece.text, piece.kind, piece.name) for piece in pieces(text)] == expected


def test_a_warning_says_where_to_look_twice() -> None:
    found = view({"order_id": "p\u0430ypal\u202e", "amount_minor": 1, "na\u200bme": "x"})
    assert [(warning.pointer, warning.sentence) for warning in found.warnings] == [
        ("/na\u200bme", "In the name of na⟨zero width space (U+200B)⟩me there are characters that cannot be seen."),
        (
            "/order_id",
            "In order_id there are words of letters from several scripts; "
            "characters that turn the direction of reading around.",
        ),
    ]


# -- what is typed ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tool", "arguments", "facts", "expected"),
    [
        ("refund", ORDER, REFUND, "48.10 8812"),
        ("refund", ORDER, ToolFacts(phrase="refund {amount_minor} {currency}"), "refund 4810 EUR"),
        ("refund", {**ORDER, "currency": "E\u200bUR"}, ToolFacts(phrase="{currency}"), "EUR"),
        ("refund", ORDER, ToolFacts(phrase="{missing}", payee="/order_id"), "refund 8812"),
        ("pay", {"to": "DE89 3704 0044", "sum": "250.00"}, ToolFacts(payee="/to", amount="/sum"), "250.00 0044"),
        ("delete_customer", {"id": "cus_123456"}, ToolFacts(resource="/id"), "delete customer 3456"),
        ("delete_customer", {"id": "東京"}, ToolFacts(resource="/id"), "delete customer"),
        ("stop_all", {}, ToolFacts(), "stop all"),
    ],
)  # fmt: skip
def test_the_phrase_comes_from_the_payload_and_can_be_typed(
    tool: str, arguments: Any, facts: ToolFacts, expected: str
) -> None:
    assert view(arguments, facts, tool=tool).phrase == expected


@pytest.mark.parametrize("tier", [2, 4])
def test_only_at_tier_3_something_is_typed(tier: int) -> None:
    assert view(ORDER, tier=tier).phrase == ""


@pytest.mark.parametrize("typed", ["48.10 EUR", " 48.10  eur ", "48.10 Eur"])
def test_blanks_and_capitals_of_the_phrase_do_not_count(typed: str) -> None:
    assert accepts("48.10 EUR", typed)


@pytest.mark.parametrize("typed", ["", "48.1 EUR", "48,10 EUR", "48.10EUR", "48.10 EUR."])
def test_everything_else_of_the_phrase_does(typed: str) -> None:
    assert not accepts("48.10 EUR", typed)


# -- beside what it is now --------------------------------------------------------------------------------------------


def test_what_changes_stands_beside_what_it_is_now() -> None:
    found = view({"name": "Ann", "limit": 9, "note": "x"}, current='{"name": "Ann", "limit": 5, "since": "2020"}')
    assert [(each.pointer, each.kind, visible(each.before), visible(each.after)) for each in found.differences] == [
        ("/limit", "changed", "5", "9"),
        ("/name", "same", "Ann", "Ann"),
        ("/note", "new", "", "x"),
    ]
    assert [leaf.pointer for leaf in found.current] == ["/name", "/limit", "/since"]


def test_a_text_and_a_number_that_look_alike_are_not_the_same() -> None:
    assert view({"limit": "5"}, current='{"limit": 5}').differences[0].kind == "changed"


def test_a_resource_told_in_other_words_is_shown_and_not_compared() -> None:
    found = view({"id": "a"}, current='"frozen"')
    assert found.differences == () and [leaf.raw for leaf in found.current] == ["frozen"]


# -- the digest -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changed",
    [
        {"because": ("the payee is new",)},
        {"current": '{"order_id": "ord_1"}'},
        {"facts": ToolFacts(effect="charge")},
        {"tier": 4},
        {"acting_user": "ann"},
        {"agent_version": "2"},
        {"tool_version": "4"},
        {"resource": "ord_8812", "resource_version": "7"},
    ],
)
def test_whatever_is_shown_otherwise_has_another_digest(changed: dict[str, Any]) -> None:
    assert view(ORDER, **changed).digest != view(ORDER).digest


def test_the_same_bytes_always_have_the_same_digest() -> None:
    """Held to the letter: a change of what people agree to raises VERSION, and this test says so."""
    text = view(ORDER).canonical_text()
    assert text.isascii() and text == view(ORDER).canonical_text()
    assert (VERSION, view(ORDER).digest.hex()) == (1, DIGEST)
