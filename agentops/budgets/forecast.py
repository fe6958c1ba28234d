"""What a period will have cost when it ends, and how sure that is. Values in, a value out; integers throughout.

Each day to come costs what its weekday used to, drawn towards the mean of all days as far as there are few of that
weekday. Around the sum stands the interval that holds the true one in four cases of five: from how far the days of the
past were from what they would have been forecast as, and from how little a few days say about the mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from math import isqrt

HISTORY_DAYS = 28  # four of each weekday
LEAST_DAYS = 7  # with less, nothing is forecast
WHOLE_DAY = 1_000_000  # parts of a day
_DRAWN = 2  # a weekday counts as if the mean had been seen this often beside it
_THOUSAND = 1_000
# Student's t for 80 %, in thousandths, by degrees of freedom from 6 to 27.
_T80 = (1440, 1415, 1397, 1383, 1372, 1363, 1356, 1350, 1345, 1341, 1337, 1333, 1330, 1328, 1325, 1323, 1321, 1319,
        1318, 1316, 1315, 1314)  # fmt: skip


@dataclass(frozen=True, slots=True)
class DayAhead:
    """A day to come, with what will have been spent by its end, in nano-dollars."""

    day: date
    expected_nano_usd: int
    low_nano_usd: int
    high_nano_usd: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """What will have been spent when the period ends. Four times of five it is from `low` to `high`."""

    expected_nano_usd: int
    low_nano_usd: int
    high_nano_usd: int
    from_days: int  # of history
    days: tuple[DayAhead, ...]

    def reaches(self, limit_nano_usd: int) -> date | None:
        """The day on which a limit is reached, if things go as expected."""
        return next((one.day for one in self.days if one.expected_nano_usd >= limit_nano_usd), None)


def forecast(
    *, history: Sequence[tuple[date, int]], spent_nano_usd: int, ahead: Sequence[tuple[date, int]]
) -> Forecast | None:
    """The forecast of a period of which so much was spent; None where there is too little history.

    `history` are complete days in a row with what they cost; those before the first that cost anything do not count, as
    nobody was there yet. `ahead` are the days to come, with the part of each that is still to come in WHOLE_DAYs.
    """
    known = _since_the_first(history[-HISTORY_DAYS:])
    if len(known) < LEAST_DAYS:
        return None
    amounts = [amount for _, amount in known]
    expected = _by_weekday(known)
    count = len(known)
    squares = sum((amount - expected[day.weekday()]) ** 2 for day, amount in known)
    variance = squares // (count - 1)
    sure = _T80[min(count - 1, HISTORY_DAYS - 1) - (LEAST_DAYS - 1)]
    days, total, parts = [], spent_nano_usd, 0
    for day, part in ahead:
        total += expected[day.weekday()] * part // WHOLE_DAY
        parts += part
        # Each day differs by itself, and all of them with the mean: r + r²/n times the variance of a day.
        spread = variance * parts * (count * WHOLE_DAY + parts) // (count * WHOLE_DAY * WHOLE_DAY)
        width = isqrt(spread) * sure // _THOUSAND
        days.append(DayAhead(day, total, max(spent_nano_usd, total - width), total + width))
    last = days[-1] if days else DayAhead(known[-1][0], spent_nano_usd, spent_nano_usd, spent_nano_usd)
    return Forecast(last.expected_nano_usd, last.low_nano_usd, last.high_nano_usd, len(amounts), tuple(days))


def _since_the_first(history: Sequence[tuple[date, int]]) -> Sequence[tuple[date, int]]:
    first = next((place for place, (_, amount) in enumerate(history) if amount), len(history))
    return history[first:]


def _by_weekday(known: Sequence[tuple[date, int]]) -> list[int]:
    """What a day of each weekday costs, Monday first."""
    mean = sum(amount for _, amount in known) // len(known)
    found = []
    for weekday in range(7):
        amounts = [amount for day, amount in known if day.weekday() == weekday]
        found.append((sum(amounts) + _DRAWN * mean) // (len(amounts) + _DRAWN))
    return found
