"""The verifier, for whoever wants to check an export: one file, the same that lies in every bundle."""

from __future__ import annotations

import hashlib

from django.http import HttpRequest, HttpResponse

from audit import bundles


def verifier(request: HttpRequest) -> HttpResponse:
    """`GET /audit-verifier.py`, for everybody: an auditor has no account here."""
    source = bundles.source_of_verifier()
    answer = HttpResponse(source, content_type="text/x-python; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="verifier.py"'
    answer["Cache-Control"] = "public, max-age=3600"
    answer["ETag"] = f'"{hashlib.sha256(source).hexdigest()}"'
    return answer
