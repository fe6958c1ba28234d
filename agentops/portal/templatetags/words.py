"""Template tags of the whole product: amounts, times and ids in people's words; components with a body.

Every filter takes None and says so ("–"), and gives HTML whose `title` holds the exact value. They are builtins: no
`{% load %}`. A component with a body is a block tag (`{% panel title="…" %}…{% endpanel %}`) that renders
`templates/components/<name>.html`, where its parameters are documented.
"""

from __future__ import annotations

import json
import re
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django import template
from django.template.context import Context
from django.template.loader import render_to_string
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe

from agentops.common import clock
from agentops.common.money import NANO, usd_text

register = template.Library()

NONE = mark_safe('<span class="none" aria-label="none">–</span>')
NBSP = "\N{NO-BREAK SPACE}"
MASKED = re.compile(r"\[masked:([A-Za-z0-9_. :-]{1,40})\]")
_NANOS_PER = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": clock.NANOS}


# -- amounts ----------------------------------------------------------------------------------------------------------


@register.filter
def money(nano_usd: int | None) -> SafeString:
    """Nano-dollars as dollars, `$0.0012`; exact on hover. None is loud: nothing is known about the price."""
    if nano_usd is None:
        return mark_safe(
            '<span class="unpriced" title="What it cost is unknown: its model has no price, or no tokens were named">no price</span>'
        )
    return format_html('<span class="money" title="{} USD">{}</span>', usd_text(nano_usd), money_text(nano_usd))


@register.filter
def money_of(nano_usd: int, whole_nano_usd: int) -> SafeString:
    """A part of an amount that stands beside it: in cents where the whole is, or `$0.7520 left of $4.40` do not line up."""
    is_in_cents = _rounded(abs(nano_usd), 2) > 0 and _rounded(abs(whole_nano_usd), 2) >= NANO
    if not is_in_cents:
        return money(nano_usd)
    sign, cents = ("−" if nano_usd < 0 else ""), _decimal(_rounded(abs(nano_usd), 2), 2)
    return format_html('<span class="money" title="{} USD">{}${}</span>', usd_text(nano_usd), sign, cents)


@register.filter
def money_text(nano_usd: int | None) -> str:
    """The same without markup: two decimals from a dollar up, four from a cent up, else two significant digits."""
    if nano_usd is None:
        return "no price"
    sign, amount = ("−" if nano_usd < 0 else ""), abs(nano_usd)
    if amount == 0:
        return "$0.00"
    if _rounded(amount, 2) >= NANO:
        return f"{sign}${_decimal(_rounded(amount, 2), 2)}"
    if _rounded(amount, 4) >= NANO // 100:
        return f"{sign}${_decimal(_rounded(amount, 4), 4)}"
    rounded = _rounded(amount, _second_digit(amount))
    return f"{sign}${_decimal(rounded, _second_digit(rounded))}"


def _second_digit(amount: int) -> int:
    """The decimal of a dollar that holds the second significant digit of an amount under a cent."""
    return min(11 - len(str(amount)), 9)


def _rounded(amount: int, places: int) -> int:
    """Nano-dollars rounded half up to so many decimals of a dollar."""
    step: int = 10 ** (9 - places)
    return (amount + step // 2) // step * step


def _decimal(amount: int, places: int) -> str:
    whole, rest = divmod(amount, NANO)
    return f"{whole:,}.{f'{rest:09d}'[:places]}"


@register.filter
def count(number: int | None) -> str:
    """A whole number with separators: 12,345."""
    return NONE if number is None else f"{number:,}"


@register.filter
def plain_number(number: Decimal | None) -> str:
    """An exact amount in a unit that only a tool knows: grouped, without zeros that say nothing."""
    if number is None:
        return ""
    whole, _, rest = f"{number:,f}".partition(".")
    rest = rest.rstrip("0")
    return f"{whole}.{rest}" if rest else whole


@register.filter
def compact(number: int | None) -> SafeString | str:
    """A large number in few characters: 980, 12.3k, 4.56M; exact on hover."""
    if number is None:
        return NONE
    if abs(number) < 10_000:
        return f"{number:,}"
    for limit, letter in ((10**9, "B"), (10**6, "M"), (10**3, "k")):
        if abs(number) >= limit * 0.9995:
            return format_html('<span title="{}">{}{}</span>', f"{number:,}", f"{number / limit:.3g}", letter)
    raise AssertionError("unreachable")


@register.filter
def percent(ratio: float | Decimal | None) -> str:
    """A ratio of 0 to 1 as a percentage: 0.4 %, 12 %, 100 %."""
    if ratio is None:
        return NONE
    value = Decimal(ratio) * 100
    digits = 1 if 0 < abs(value) < 10 else 0
    return f"{value:.{digits}f}{NBSP}%"


@register.filter
def change(ratio: float | None) -> str:
    """How much more or less than before, from the difference over what was: +12 %, −4 %; 464 × from tenfold on."""
    if ratio is None:
        return NONE
    if ratio >= 9:
        return f"{ratio + 1:,.0f}{NBSP}×"
    return f"{'+' if ratio > 0 else '−' if ratio < 0 else ''}{percent(abs(ratio))}"


@register.filter
def signed(value: float) -> str:
    """A size of an effect, which has no unit: +0.31, −0.82."""
    return f"{value:+.2f}".replace("-", "−")


# -- times ------------------------------------------------------------------------------------------------------------


@register.filter
def duration(value: float | timedelta | None, unit: str = "ns") -> SafeString:
    """A span of time: `1.2 s`, `3 min 4 s`; exact on hover. The unit of a number is ns (default), us, ms or s."""
    if value is None:
        return NONE
    nanos = _nanos(value, unit)
    exact = f"{nanos / 1_000_000:,.3f}".rstrip("0").rstrip(".")
    return format_html('<span class="duration" title="{} ms">{}</span>', exact, duration_text(nanos))


@register.filter
def duration_text(value: float | timedelta | None, unit: str = "ns") -> str:
    """The same without markup."""
    if value is None:
        return "–"
    nanos = _nanos(value, unit)
    sign, nanos = ("−" if nanos < 0 else ""), abs(nanos)
    return sign + (_short(nanos) if nanos < 59_950_000_000 else _long(round(nanos / clock.NANOS)))


def _nanos(value: float | timedelta, unit: str) -> int:
    if isinstance(value, timedelta):
        return (value // timedelta(microseconds=1)) * 1000
    return round(value * _NANOS_PER[unit])


def _short(nanos: int) -> str:
    if nanos == 0:
        return f"0{NBSP}ms"
    if nanos < 1_000:
        return f"{nanos}{NBSP}ns"
    if nanos < 999_500:
        return f"{nanos / 1_000:.0f}{NBSP}µs"
    if nanos < 9_950_000:
        return f"{nanos / 1_000_000:.1f}{NBSP}ms"
    if nanos < 999_500_000:
        return f"{nanos / 1_000_000:.0f}{NBSP}ms"
    return f"{nanos / clock.NANOS:.1f}{NBSP}s"


def _long(seconds: int) -> str:
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s")]
    first = next(i for i, (amount, _) in enumerate(parts) if amount)
    return " ".join(f"{amount}{NBSP}{unit}" for amount, unit in parts[first : first + 2] if amount)


@register.filter
def ago(moment: datetime | None, at: datetime | None = None) -> SafeString:
    """A `<time>`: `2 min ago` or `in 5 min`, the exact instant (UTC) on hover; agentops.js keeps it fresh."""
    if moment is None:
        return NONE
    exact = moment.astimezone(UTC)
    return format_html(
        '<time datetime="{}" title="{}" data-ago>{}</time>',
        exact.isoformat(timespec="milliseconds"),
        _exact_text(exact),
        ago_text(moment, at),
    )


@register.filter
def ago_text(moment: datetime | None, at: datetime | None = None) -> str:
    """The same without markup. agentops.js has the same table."""
    if moment is None:
        return "–"
    seconds = ((at or clock.now()) - moment).total_seconds()
    is_past, seconds = seconds >= 0, abs(seconds)
    if seconds < 10:
        return "just now" if is_past else "in a moment"
    if seconds < 60:
        text = f"{int(seconds)}{NBSP}s"
    elif seconds < 3600:
        text = f"{int(seconds // 60)}{NBSP}min"
    elif seconds < 86_400:
        text = f"{int(seconds // 3600)}{NBSP}h"
    elif seconds < 30 * 86_400:
        text = f"{int(seconds // 86_400)}{NBSP}d"
    else:
        return f"{moment.astimezone(UTC):%-d %b %Y}"
    return f"{text} ago" if is_past else f"in {text}"


@register.filter
def instant(moment: datetime | None) -> SafeString:
    """A `<time>` that shows the exact instant in UTC, to the second."""
    if moment is None:
        return NONE
    exact = moment.astimezone(UTC)
    return format_html(
        '<time datetime="{}">{}</time>', exact.isoformat(timespec="milliseconds"), f"{exact:%-d %b %Y %H:%M:%S} UTC"
    )


@register.filter
def clock_time(moment: datetime | None, at: datetime | None = None) -> SafeString:
    """A `<time>` that shows when to be there: `14:05 UTC` of the same day, else `26 Nov 14:05 UTC`; exact on hover."""
    if moment is None:
        return NONE
    exact = moment.astimezone(UTC)
    is_same_day = exact.date() == (at or clock.now()).astimezone(UTC).date()
    shown = f"{exact:%H:%M}" if is_same_day else f"{exact:%-d %b %H:%M}"
    return format_html(
        '<time datetime="{}" title="{}">{} UTC</time>',
        exact.isoformat(timespec="milliseconds"),
        _exact_text(exact),
        shown,
    )


def _exact_text(exact: datetime) -> str:
    return f"{exact:%a %-d %b %Y %H:%M:%S}.{exact.microsecond // 1000:03d} UTC"


# -- ids and content --------------------------------------------------------------------------------------------------


@register.filter
def short_id(value: uuid.UUID | str | int | None) -> str:
    """The first eight characters of an id; a signed 64-bit span id in hex. A prefix such as `ak_` is kept whole."""
    text = full_id(value)
    prefix, _, rest = text.rpartition("_")
    return f"{prefix}_{rest[:8]}" if prefix else text[:8]


@register.filter
def full_id(value: uuid.UUID | str | int | None) -> str:
    """An id as people copy it: 32 hex digits for a trace, 16 for a span, text as it is."""
    if value is None:
        return ""
    if isinstance(value, uuid.UUID):
        return value.hex
    return f"{value & 0xFFFF_FFFF_FFFF_FFFF:016x}" if isinstance(value, int) else value


@register.filter
def jsonpretty(value: Any) -> str:
    """A JSON value as indented text; a string that holds JSON likewise; other text as it is."""
    if isinstance(value, str):
        if value.lstrip()[:1] not in ("{", "["):
            return value
        try:
            return jsonpretty(json.loads(value))
        except ValueError:
            return value
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


@register.filter
def mark_masked(text: str | None) -> SafeString:
    """Escaped text in which every `[masked:email]` is a mark that says what was taken out."""
    escaped = conditional_escape(text or "")
    marked = MASKED.sub(r'<mark class="masked" title="Masked before it was stored">\1</mark>', escaped)
    return mark_safe(marked)  # noqa: S308 - escaped above; the mark holds only what MASKED allows


# -- components with a body -------------------------------------------------------------------------------------------


def _component(name: str, content: str, parameters: dict[str, Any], context: Context) -> SafeString:
    shared = {key: context[key] for key in ("request", "csrf_token") if key in context}
    return render_to_string(f"components/{name}.html", {**shared, **parameters, "slot": content})


@register.simple_block_tag(takes_context=True)
def page_header(context: Context, content: str, **parameters: Any) -> SafeString:
    """The top of a page; the body holds its actions. See templates/components/page_header.html."""
    return _component("page_header", content, parameters, context)


@register.simple_block_tag(takes_context=True)
def panel(context: Context, content: str, **parameters: Any) -> SafeString:
    """A titled part of a page. See templates/components/panel.html."""
    return _component("panel", content, parameters, context)


@register.simple_block_tag(takes_context=True)
def notice(context: Context, content: str, **parameters: Any) -> SafeString:
    """A sentence that must be seen. See templates/components/notice.html."""
    return _component("notice", content, parameters, context)


@register.simple_block_tag(takes_context=True)
def disclosure(context: Context, content: str, **parameters: Any) -> SafeString:
    """Something one click away. See templates/components/disclosure.html."""
    return _component("disclosure", content, parameters, context)


@register.simple_block_tag(takes_context=True)
def dialog(context: Context, content: str, **parameters: Any) -> SafeString:
    """A question over the page. See templates/components/dialog.html."""
    return _component("dialog", content, parameters, context)


@register.simple_block_tag(takes_context=True)
def filter_bar(context: Context, content: str, **parameters: Any) -> SafeString:
    """The form over a list. See templates/components/filter_bar.html."""
    return _component("filter_bar", content, parameters, context)


@register.simple_block_tag(takes_context=True)
def chart(context: Context, content: str, **parameters: Any) -> SafeString:
    """A figure that answers a question; the body is its table. See templates/components/chart.html."""
    return _component("chart", content, parameters, context)


@register.filter
def control(field: Any) -> SafeString:
    """A bound field's control, without a placeholder that only repeats the label."""
    placeholder, label = str(field.field.widget.attrs.get("placeholder", "")).lower(), str(field.label).lower()
    is_echo = placeholder and (placeholder in label or label in placeholder)
    return SafeString(field.as_widget(attrs={"placeholder": ""} if is_echo else {}))


@register.simple_tag
def choice_words(choice: Any) -> SafeString:
    """A choice's words: "Owner: makes other owners" is a word and, on a second line, a sentence."""
    word, _, sentence = str(choice.data["label"]).partition(": ")
    if not sentence:
        return format_html("<span>{}</span>", word)
    return format_html('<span class="label">{}</span><span class="help">{}</span>', word, sentence)


@register.filter
def percent_of(part: float, whole: float) -> str:
    """A share for an SVG attribute, `37.5%`, held between 0 % and 100 %."""
    ratio = part / whole if whole else 0
    return f"{min(max(ratio, 0), 1) * 100:.3f}".rstrip("0").rstrip(".") + "%"


@register.filter
def widget_kind(field: Any) -> str:
    """Which part of components/field.html shows a bound field."""
    kinds = {"checkbox": "check", "checkboxselectmultiple": "choices", "radioselect": "choices"}
    return kinds.get(field.widget_type, "control")
