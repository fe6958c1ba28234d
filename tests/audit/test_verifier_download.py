"""Everybody can have the verifier."""

from __future__ import annotations

import pytest
from django.test import Client

from audit import bundles


@pytest.mark.django_db
def test_the_verifier_can_be_downloaded_without_an_account() -> None:
    answer = Client().get("/audit-verifier.py")
    assert answer.status_code == 200
    assert answer.content == bundles.source_of_verifier()
    assert answer["Content-Disposition"] == 'attachment; filename="verifier.py"'
