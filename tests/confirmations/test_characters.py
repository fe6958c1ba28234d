"""What in a value may deceive the person who reads it, and what is only written in another language."""

from __future__ import annotations

import pytest

from agentops.common.characters import findings

HONEST = {
    "plain": "Pay 120.00 EUR to ACME Ltd., re: invoice #4711 (due 3/4).\r\nThanks,\n\tAnn",
    "code": "def f(x):\n        if x:\n                return x\n",
    "accents": "Crème brûlée für Šárka Ďurišová, Nguyễn Văn Đạt, Işık kısa çğ, Øre, straße",
    "decomposed": "Cafe\u0301 n\u0303andu\u0301",
    "punctuation": "“Quoted” – it’s… 5 × 3 ÷ 2 ≈ 7½ m² • № 5 ™ © €10\u00a0000 20\u202f000 ½",
    "Russian": "Переведите 100 рублей со счёта на счёт Алексея, с 5 по 6 мая; оса сосет сок",
    "Russian beside Latin": "Заказ iPhone в USB-порт для ООО «Рога и копыта» 10кг",
    "Greek": "Πληρώστε στον Γιώργο 100 ευρώ. ΝΑΙ",
    "Ukrainian": "Їжак і єнот, ґанок",
    "Arabic": "ادفع ١٥٠ ريال إلى محمد",
    "Arabic digits": "١٢٣٤٥",
    "Persian with its non-joiner": "می\u200cخواهم کتاب\u200cها را",
    "Hebrew": "שלם לדוד 100 ש״ח",
    "Hindi with joiners": "क्\u200dष क्\u200cष राम को भुगतान करें",
    "Sinhala": "ශ්\u200dරී ලංකා",
    "Thai": "จ่ายเงินให้สมชาย",
    "Chinese": "向张三支付一百元，备注：ＡＢＣ公司",
    "Japanese": "Tシャツを３枚、東京のお店で買う。ＡＴＭ",
    "Korean": "김철수에게 100원 송금 K팝",
    "ideograph variant": "葛\U000e0100城市",
    "emoji": "👍🏽 ❤️ 👩‍👩‍👧‍👦 👩🏽‍💻 🏳️‍🌈 1️⃣ 🇦🇹 🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f 🧑‍🚀 🤷‍♀️ ☎️ ↔️",
    "new emoji": "\U0001fae8 \U0001fac6",
    "two scripts side by side": "Иван (Ivan), e-mail пример@example.com",
    "table": "a    b    c\n1    2    3",
    "letter": "Dear Ann,\n\nwe paid.\n\n\nBye\n",
    "empty": "",
}
ODD = {
    "zero width space": ("pay\u200bpal", [(3, 4, "invisible")]),
    "zero width joiner in Latin": ("pay\u200dpal", [(3, 4, "invisible")]),
    "word joiner": ("1\u20600", [(1, 2, "invisible")]),
    "soft hyphen": ("pay\u00adpal", [(3, 4, "invisible")]),
    "byte order mark": ("\ufeffann", [(0, 1, "invisible")]),
    "Hangul filler": ("ann\u3164", [(3, 4, "invisible")]),
    "blank Braille": ("a\u2800b", [(1, 2, "invisible")]),
    "tag characters": ("hi\U000e0041\U000e0042", [(2, 3, "invisible"), (3, 4, "invisible")]),
    "tags behind a flag that do not end": ("🏴\U000e0041", [(1, 2, "invisible")]),
    "selector behind a letter": ("a\ufe0fb", [(1, 2, "invisible")]),
    "many selectors behind an emoji": ("😀\U000e0131", [(1, 2, "invisible")]),
    "private use": ("a\ue000", [(1, 2, "invisible")]),
    "line separator": ("a\u2028b", [(1, 2, "invisible")]),
    "NUL": ("a\0b", [(1, 2, "invisible")]),
    "escape": ("a\x1b[2Kb", [(1, 2, "invisible")]),
    "lone return": ("real\rfake", [(4, 5, "invisible")]),
    "right-to-left override": ("invoice\u202egpj.exe", [(7, 8, "bidirectional")]),
    "isolate": ("a\u2066b\u2069", [(1, 2, "bidirectional"), (3, 4, "bidirectional")]),
    "Cyrillic letter in a Latin word": ("pаypal", [(0, 6, "mixed_script")]),
    "Greek letter in a Latin word": ("gοοgle.com", [(0, 6, "mixed_script")]),
    "within an address": ("ann@exаmple.com", [(4, 11, "mixed_script")]),
    "Cyrillic and Greek": ("αб", [(0, 2, "mixed_script")]),
    "Cyrillic and Han": ("中б", [(0, 2, "mixed_script")]),
    "mixed, with a sign hidden in it": ("pа\u200by", [(0, 4, "mixed_script"), (2, 3, "invisible")]),
    "digits of two scripts": ("1٢3", [(0, 3, "mixed_script")]),
    "a whole word that looks Latin": ("сосе", [(0, 4, "confusable")]),
    "such a word among Latin ones": ("Pay to Асе now", [(7, 10, "confusable")]),
    "with Latin digits": ("сх50", [(0, 4, "confusable")]),
    "a digit that looks like another": ("৪৪", [(0, 2, "confusable")]),
    "mathematical letters": ("𝐩ay", [(0, 1, "confusable")]),
    "full width outside of CJK": ("Ａcme", [(0, 1, "confusable")]),
    "full-width digit": ("1０0", [(0, 3, "mixed_script")]),
    "phonetic letter": ("pɑypal", [(1, 2, "confusable")]),
    "false slash": ("bank.example∕pay", [(12, 13, "confusable")]),
    "false dot": ("bank․example", [(4, 5, "confusable")]),
    "spaces before more": ("ann" + " " * 9 + "and bob", [(3, 12, "padding")]),
    "exotic spaces": ("ann" + "\u2003" * 9 + "x", [(3, 12, "padding")]),
    "spaces at the end": ("ann   ", [(3, 6, "padding")]),
    "spaces at the start": ("   ann", [(0, 3, "padding")]),
    "empty lines": ("a\n\n\n\n\n\nb", [(1, 7, "padding")]),
    "a line that begins far to the right": ("a\n" + " " * 50 + "b", [(2, 52, "padding")]),
    "a heap of marks": ("a" + "\u0301" * 6, [(1, 7, "padding")]),
}


@pytest.mark.parametrize("text", HONEST.values(), ids=HONEST.keys())
def test_what_people_write_in_their_own_script_is_no_finding(text: str) -> None:
    assert findings(text) == []


@pytest.mark.parametrize(("text", "expected"), ODD.values(), ids=ODD.keys())
def test_what_pretends_is_found_at_its_place(text: str, expected: list[tuple[int, int, str]]) -> None:
    assert [(f.start, f.end, f.kind.value) for f in findings(text)] == expected


def test_a_finding_names_the_character() -> None:
    assert findings("a\u200bb")[0].name == "zero width space (U+200B)"
    assert findings("pаypal")[0].name == "Cyrillic and Latin"
    assert findings("сосе")[0].name == "Cyrillic letters that look like coce"
    assert findings("a\x07")[0].name == "control character (U+0007)"
    assert findings("ann   ")[0].name == "3 spaces"


def test_a_long_text_takes_time_in_proportion_to_its_length() -> None:
    for text in ("a " * 60_000, " " * 120_000, "\n \n" * 40_000, "ё" * 120_000, "\u0301" * 120_000, "🏴" * 60_000):
        found = findings(text)
        assert len(found) <= len(text)
