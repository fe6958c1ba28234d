"""Settings fail loudly, and what protects people is on."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from tests.world import World

SHOW = "import agentops.settings as s; print(s.DEBUG, s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, s.SECURE_HSTS_SECONDS > 0)"


def load(**environment: str) -> Any:
    """The settings in a process of their own."""
    return subprocess.run(
        [sys.executable, "-c", SHOW], env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({"AGENTOPS_DEBUG": "flase"}, "AGENTOPS_DEBUG"),
        ({"AGENTOPS_HTTPS": "perhaps"}, "AGENTOPS_HTTPS"),
        ({"AGENTOPS_SECRET_KEY": "short"}, "AGENTOPS_SECRET_KEY"),
        ({"DATABASE_URL": "postgresql://agentops_app@db/agentops"}, "DATABASE_OWNER_URL"),
        ({"AGENTOPS_INGEST_MAX_BYTES": "64 MB"}, "AGENTOPS_INGEST_MAX_BYTES"),
        ({"AGENTOPS_EMAIL_TLS": "yes"}, "AGENTOPS_EMAIL_TLS"),
        ({"AGENTOPS_EMAIL_PORT": "70000"}, "AGENTOPS_EMAIL_PORT"),
        ({"AGENTOPS_PUBLIC_URL": "agentops.example"}, "AGENTOPS_PUBLIC_URL"),
        ({"AGENTOPS_PUBLIC_URL": "https://agentops.example/below"}, "AGENTOPS_PUBLIC_URL"),
    ],
    ids=str,
)
def test_a_wrong_value_stops_the_process_and_is_named(environment: dict[str, str], name: str) -> None:
    done = load(**environment)
    assert done.returncode != 0
    assert name in done.stderr.splitlines()[-1]


def test_debug_is_off_unless_asked_for_and_https_makes_cookies_secure() -> None:
    assert load().stdout.split() == ["False", "False", "False", "False"]
    assert load(AGENTOPS_HTTPS="1").stdout.split() == ["False", "True", "True", "True"]


def test_every_page_comes_with_a_policy_that_runs_no_script_but_ours(world: World) -> None:
    policy = Client().get("/accounts/login/")["Content-Security-Policy"]
    assert "script-src 'self'" in policy and "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


def test_pages_are_neither_framed_nor_guessed_at(world: World) -> None:
    response = Client().get("/accounts/login/")
    assert (response["X-Frame-Options"], response["X-Content-Type-Options"]) == ("DENY", "nosniff")


def test_login_is_required_by_middleware_before_any_view() -> None:
    order = settings.MIDDLEWARE
    assert order.index("django.contrib.auth.middleware.LoginRequiredMiddleware") > order.index(
        "django.contrib.auth.middleware.AuthenticationMiddleware"
    )


def test_throttles_and_sessions_live_in_postgresql() -> None:
    """Losing Valkey must not open the door to guessing, nor sign anybody out."""
    assert settings.CACHES["default"]["BACKEND"].endswith("DatabaseCache")
    assert settings.SESSION_ENGINE == "django.contrib.sessions.backends.db"
