"""Amounts, times and ids in people's words."""

from __future__ import annotations

import enum
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.template import Context, Template

from agentops.common.money import NANO
from agentops.portal.templatetags import states, words

NOON = datetime(2026, 5, 12, 12, 0, 0, 250_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("nano_usd", "text"),
    [
        (0, "$0.00"),
        (1, "$0.000000001"),
        (12, "$0.000000012"),
        (340, "$0.00000034"),
        (34_567, "$0.000035"),
        (99_600, "$0.00010"),
        (1_230_000, "$0.0012"),
        (9_949_000, "$0.0099"),
        (9_999_999, "$0.0100"),
        (2_000_000, "$0.0020"),
        (48_270_000, "$0.0483"),
        (480_000_000, "$0.4800"),
        (70_000_000, "$0.0700"),
        (994_999_999, "$0.9950"),
        (999_999_999, "$1.00"),
        (12_345_678_900, "$12.35"),
        (9_876_543 * NANO, "$9,876,543.00"),
        (-1_500_000_000, "−$1.50"),
        (-1_230_000, "−$0.0012"),
        (None, "no price"),
    ],
)
def test_money_shows_the_digits_that_matter(nano_usd: int | None, text: str) -> None:
    assert words.money_text(nano_usd) == text


@pytest.mark.parametrize(
    ("nano_usd", "whole", "text"),
    [
        (752 * NANO // 1000, 44 * NANO // 10, "$0.75"),
        (3_648 * NANO // 1000, 44 * NANO // 10, "$3.65"),
        (0, 44 * NANO // 10, "$0.00"),
        (1_234_567, 44 * NANO // 10, "$0.0012"),  # less than a cent is not nothing
        (752 * NANO // 1000, 9 * NANO // 10, "$0.7520"),
    ],
)
def test_a_part_is_written_like_the_whole_beside_it(nano_usd: int, whole: int, text: str) -> None:
    assert f">{text}<" in words.money_of(nano_usd, whole)


def test_money_is_exact_on_hover() -> None:
    assert words.money(1_234_567) == '<span class="money" title="0.001234567 USD">$0.0012</span>'


def test_an_unknown_price_is_loud_and_not_zero() -> None:
    assert "no price" in words.money(None)
    assert "$0" not in words.money(None)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0, "ns", "0 ms"),
        (640, "ns", "640 ns"),
        (12_300, "ns", "12 µs"),
        (999_400, "ns", "999 µs"),
        (999_600, "ns", "1.0 ms"),
        (4_200_000, "ns", "4.2 ms"),
        (340, "ms", "340 ms"),
        (999.6, "ms", "1.0 s"),
        (1_234, "ms", "1.2 s"),
        (59.94, "s", "59.9 s"),
        (59.96, "s", "1 min"),
        (184, "s", "3 min 4 s"),
        (3_599.7, "s", "1 h"),
        (7_500, "s", "2 h 5 min"),
        (300_000, "s", "3 d 11 h"),
        (86_400 * 30, "s", "30 d"),
        (timedelta(minutes=3, seconds=4), "ns", "3 min 4 s"),
        (-1_200, "ms", "−1.2 s"),
        (None, "ns", "–"),
    ],
)
def test_durations_are_humane(value: float | timedelta | None, unit: str, text: str) -> None:
    assert words.duration_text(value, unit).replace(words.NBSP, " ") == text


def test_a_duration_is_exact_on_hover() -> None:
    assert 'title="1,234.567 ms"' in words.duration(1_234_567_000)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "just now"),
        (9, "just now"),
        (42, "42 s ago"),
        (130, "2 min ago"),
        (3_600, "1 h ago"),
        (90_000, "1 d ago"),
        (31 * 86_400, "11 Apr 2026"),
        (-5, "in a moment"),
        (-320, "in 5 min"),
    ],
)
def test_times_are_relative(seconds: int, text: str) -> None:
    assert words.ago_text(NOON - timedelta(seconds=seconds), NOON).replace(words.NBSP, " ") == text


def test_a_time_is_exact_on_hover_whatever_its_zone() -> None:
    html = words.ago(NOON.astimezone(tz=None), NOON + timedelta(minutes=2))
    assert 'datetime="2026-05-12T12:00:00.250+00:00"' in html
    assert 'title="Tue 12 May 2026 12:00:00.250 UTC"' in html


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (9_999, "9,999"), (12_345, "12.3k"), (999_600, "1M"), (4_560_000, "4.56M"), (7_800_000_000, "7.8B")],
)
def test_large_counts_are_short(number: int, text: str) -> None:
    assert text in words.compact(number)


def test_counts_have_separators() -> None:
    assert words.count(1_234_567) == "1,234,567"


def test_an_effect_has_its_sign() -> None:
    assert [words.signed(size) for size in (0.311, -0.82, 0)] == ["+0.31", "−0.82", "+0.00"]


@pytest.mark.parametrize(("ratio", "text"), [(0, "0 %"), (0.004, "0.4 %"), (0.125, "12 %"), (1, "100 %")])
def test_percentages(ratio: float, text: str) -> None:
    assert words.percent(ratio).replace(words.NBSP, " ") == text


@pytest.mark.parametrize(
    ("ratio", "text"), [(0.125, "+12 %"), (-0.04, "−4.0 %"), (0, "0 %"), (8.9, "+890 %"), (462.78, "464 ×")]
)
def test_a_change_is_a_percentage_and_from_tenfold_on_a_factor(ratio: float, text: str) -> None:
    assert words.change(ratio).replace(words.NBSP, " ") == text


@pytest.mark.parametrize(
    ("value", "short", "full"),
    [
        (uuid.UUID(int=0x3F2A91C4 << 96), "3f2a91c4", "3f2a91c4" + "0" * 24),
        (-1, "ffffffff", "f" * 16),
        (255, "00000000", "00000000000000ff"),
        ("ak_live_abcdefghijk", "ak_live_abcdefgh", "ak_live_abcdefghijk"),
        (None, "", ""),
    ],
)
def test_ids_are_short_and_copied_whole(value: uuid.UUID | str | int | None, short: str, full: str) -> None:
    assert (words.short_id(value), words.full_id(value)) == (short, full)


def test_json_is_indented_also_inside_a_string_and_text_is_left_alone() -> None:
    assert words.jsonpretty({"a": "ü"}) == '{\n  "a": "ü"\n}'
    assert words.jsonpretty('{"a": 1}') == '{\n  "a": 1\n}'
    assert words.jsonpretty("{not json") == "{not json"
    assert words.jsonpretty("plain") == "plain"


def test_masked_values_are_marked_and_everything_else_is_escaped() -> None:
    html = words.mark_masked("<b>[masked:email]</b> [masked:<i>]")
    assert '<mark class="masked" title="Masked before it was stored">email</mark>' in html
    assert "<b>" not in html
    assert "<i>" not in html


class RunStatus(enum.IntEnum):
    OK = 1


@pytest.mark.parametrize(
    ("status", "word"), [("error", "Error"), (RunStatus.OK, "OK"), ("half_done", "Half done"), (None, "–")]
)
def test_every_status_has_a_word_and_a_shape(status: object, word: str) -> None:
    html = states.status_mark(status)
    assert word in html
    assert "<svg" in html


def test_a_name_from_outside_cannot_write_html_in_a_mark() -> None:
    assert "<img" not in states.status_mark("<img>")


def test_a_component_with_a_body_escapes_its_parameters_and_keeps_its_body() -> None:
    html = Template("{% panel title=title %}<p>{{ text }}</p>{% endpanel %}").render(
        Context({"title": "<Budget>", "text": "a & b"})
    )
    assert "<h2>&lt;Budget&gt;</h2>" in html
    assert "<p>a &amp; b</p>" in html


@pytest.mark.parametrize(
    ("part", "whole", "text"), [(1, 8, "12.5%"), (0, 0, "0%"), (9, 3, "100%"), (-1, 3, "0%"), (1, 3, "33.333%")]
)
def test_shares_stay_within_the_drawing(part: float, whole: float, text: str) -> None:
    assert words.percent_of(part, whole) == text
