"""RFC 3339 times to and from integers of nanoseconds."""

from __future__ import annotations

import datetime as dt
import re

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|z|[+-]\d\d:\d\d)", re.ASCII)


def ns_of(text: str) -> int:
    """Nanoseconds since the epoch of an RFC 3339 time with a zone, to nine decimals. ValueError for anything else."""
    match = _RFC3339.fullmatch(text) if len(text) <= 40 else None
    if match is None:
        raise ValueError("not an RFC 3339 time with a zone")
    day, clock, fraction, zone = match.groups()
    at = dt.datetime.fromisoformat(f"{day}T{clock}{'+00:00' if zone in 'Zz' else zone}")
    elapsed = at - _EPOCH
    return (elapsed.days * 86_400 + elapsed.seconds) * 1_000_000_000 + int((fraction or "").ljust(9, "0"))


def rfc3339(ns: int) -> str:
    """RFC 3339 in UTC with as many decimals as are needed: none, six or nine."""
    seconds, fraction = divmod(ns, 1_000_000_000)
    at = (_EPOCH + dt.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    if fraction == 0:
        return at + "Z"
    return f"{at}.{fraction // 1000:06d}Z" if fraction % 1000 == 0 else f"{at}.{fraction:09d}Z"
