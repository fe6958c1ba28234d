"""Money is an integer of nano-dollars (10⁻⁹ USD); decimals only at the edges, floats nowhere."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

NANO = 1_000_000_000
_NANO_DECIMAL = Decimal(NANO)
# Before the point: 10^27 nano-dollars. "1e999999" is no amount, and would be a number of a million digits.
_MOST_DIGITS = 18


def usd_text(nano_usd: int | None) -> str | None:
    """The API's form of an amount: a plain decimal string of dollars, at least six places, exact."""
    if nano_usd is None:
        return None
    sign = "-" if nano_usd < 0 else ""
    whole, rest = divmod(abs(nano_usd), NANO)
    places = f"{rest:09d}"
    return f"{sign}{whole}.{places[:6]}{places[6:].rstrip('0')}"


def dollars_text(nano_usd: int) -> str:
    """An amount for a sentence: `$1,234.50`, cut to the cent; exact where it is less than one."""
    sign, amount = ("-" if nano_usd < 0 else ""), abs(nano_usd)
    if 0 < amount < NANO // 100:
        return f"{sign}${usd_text(amount)}"
    return f"{sign}${amount // NANO:,}.{amount % NANO * 100 // NANO:02d}"


def nano_usd(amount: Decimal | str) -> int:
    """Dollars as nano-dollars, rounded half to even once.

    Raises ValueError for what is no finite decimal number.
    """
    try:
        value = Decimal(amount)
        if not value.is_finite() or value.adjusted() >= _MOST_DIGITS:
            raise ValueError("an amount is a finite decimal number of dollars")
        return int((value * _NANO_DECIMAL).to_integral_value(rounding=ROUND_HALF_EVEN))
    except InvalidOperation as error:
        raise ValueError("an amount is a finite decimal number of dollars") from error
