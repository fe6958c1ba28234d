"""Prepared statements load times by psycopg's compiled loader; what they give must be what Django's cursors give."""

from __future__ import annotations

from datetime import UTC

import pytest
from django.db import connection, transaction

from agentops.common import prepared

_TIMES = """
SELECT %s::timestamptz, '2026-03-29 03:30:00.000001+02'::timestamptz, '0001-01-01 00:00:00+00'::timestamptz,
    '9999-12-31 23:59:59.999999+00'::timestamptz, NULL::timestamptz
"""


@pytest.mark.django_db
def test_times_of_prepared_statements_are_djangos_and_in_utc() -> None:
    for local in ("2026-10-25T02:30:00+02:00", "1999-12-31T23:59:59.5-11:30"):
        with transaction.atomic():
            [found] = prepared.run(_TIMES, [local])
            with connection.cursor() as cursor:
                cursor.execute(_TIMES, [local])
                expected = cursor.fetchone()
        assert found == expected
        assert [each and each.isoformat() for each in found] == [each and each.isoformat() for each in expected]
        assert all(each.tzinfo is UTC for each in found if each is not None)
