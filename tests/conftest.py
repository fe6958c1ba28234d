"""Fixtures of all tests.

**Database.** A test that asks for `world`, `db`, `transactional_db`, a client, or carries the mark `django_db` gets the
database of its worker: a clone of a migrated template, with the real application role (database.py). All of these
mean the same: real transactions, committed. Scopes are durable transactions and row-level security is bound to them, so
the usual test inside one big transaction would prove less (a setting outlives its scope there, and `on_commit` never
fires), and it would not even be faster: the sweep after a test takes some milliseconds, and the world is copied back in
from a snapshot rather than made again.

**Journeys** (`@pytest.mark.journey`) get `live_portal` and `page`; faults and races have marks too. Each of the three
kinds stays in one worker and runs after all others.
"""

from __future__ import annotations

import os
import pickle
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import hypothesis
import pytest
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection
from django.test import Client

from agentops.confirmations import queries as confirmations
from tests import browser, database, engines, scheduling, server
from tests import world as worlds

LAST = scheduling.KINDS
# How fast a shared machine draws and runs an example is no property of what is tried.
hypothesis.settings.register_profile("shared", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("shared")


# -- the session ------------------------------------------------------------------------------------------------------


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LAST.index(kind) + 1 if (kind := scheduling.kind_of(item.path)) else 0)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> scheduling.ByKind:
    return scheduling.ByKind(config, log)


def _journeys_not_run(reporter: Any) -> list[Any]:
    return [report for report in reporter.stats.get("skipped", []) if "journey" in report.keywords]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    missed = _journeys_not_run(terminalreporter)
    if missed:
        terminalreporter.section("journeys that were NOT run", yellow=True)
        for report in missed:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
            terminalreporter.line(f"{report.nodeid}: {reason}")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("AGENTOPS_REQUIRE_JOURNEYS") == "1" and reporter and _journeys_not_run(reporter):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(autouse=True, scope="session")
def _no_network() -> Iterator[None]:
    """Nothing outside this machine may be reached, or a test would depend on it."""
    connect = socket.socket.connect

    def local_only(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise RuntimeError(f"a test tried to reach {address}")
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", local_only)
        yield


# -- database ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment: None, django_db_blocker: Any) -> Iterator[str]:
    """The worker's database; answers its name."""
    with django_db_blocker.unblock(), database.test_database(engines.superuser()) as name:
        yield name


@pytest.fixture(scope="session")
def _broom(django_db_setup: str) -> Iterator[database.Broom]:
    broom = database.Broom(engines.superuser(), django_db_setup)
    yield broom
    broom.close()


@pytest.fixture
def _django_db_helper(django_db_setup: str, _broom: database.Broom, django_db_blocker: Any) -> Iterator[None]:
    """pytest-django's one way into the database (every fixture and the mark come here): committed, then swept."""
    with django_db_blocker.unblock():
        _assert_safe()
        yield
        connection.close_if_unusable_or_obsolete()
    _broom.sweep()
    confirmations.forget_rules()  # the world is copied back in with the same ids, and policy versions begin at 1 again


def _assert_safe() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_database(), current_user")
        name, role = cursor.fetchone()
    assert name.startswith("test_"), f"a test was about to run in the database {name}"
    assert role == "agentops_app", f"as {role}, row-level security proves nothing"


@pytest.fixture(scope="session")
def _world_kept() -> dict[str, Any]:
    return {}


@pytest.fixture
def world(db: None, _broom: database.Broom, _world_kept: dict[str, Any]) -> worlds.World:
    """Two organisations with people of every role (world.py). Made by the services once, copied in afterwards."""
    if not _world_kept:
        made = worlds.make()
        _world_kept.update(rows=_broom.snapshot(), world=pickle.dumps(made))
        return made
    _broom.restore(_world_kept["rows"])
    found: worlds.World = pickle.loads(_world_kept["world"])  # noqa: S301  our own bytes
    return found


# -- people and machines ----------------------------------------------------------------------------------------------


@pytest.fixture
def client_for(db: None) -> Callable[..., Client]:
    """`client_for(world.ada)`: Django's test client, signed in. With `fresh=True`, the password was just given again."""

    def signed_in(person: worlds.Person | None, *, fresh: bool = False) -> Client:
        client = Client()
        if person is None:
            return client
        # What `force_login` leaves in the session, by one INSERT: thousands of tests sign somebody in.
        session = SessionStore()
        session.update(
            {
                SESSION_KEY: str(person.user.pk),
                BACKEND_SESSION_KEY: "allauth.account.auth_backends.AuthenticationBackend",
                HASH_SESSION_KEY: person.user.get_session_auth_hash(),
            }
        )
        if fresh:
            session["account_authentication_methods_user"] = str(person.user.pk)
            session["account_authentication_methods"] = [
                {"method": "password", "at": time.time(), "reauthenticated": True}
            ]
        session.create()
        client.cookies[settings.SESSION_COOKIE_NAME] = session.session_key
        return client

    return signed_in


@pytest.fixture
def key_for(db: None) -> Callable[..., str]:
    """`key_for(world.acme, "ingest", "read")`: the text of an API key with exactly these scopes."""

    def text(organisation: worlds.Organisation, *scopes: str) -> str:
        if len(scopes) == 1:
            return organisation.keys[scopes[0]]
        return worlds.new_key(organisation, *scopes)

    return text


# -- a real server and a real browser ---------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def _portal(django_db_setup: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[server.Portal]:
    with server.serving(django_db_setup, tmp_path_factory.mktemp("portal")) as running:
        yield running


@pytest.fixture
def live_portal(db: None, _portal: server.Portal) -> server.Portal:
    """The product as a server process on this worker's database: `live_portal.url`, `.log_text()`."""
    return _portal


@pytest.fixture(scope="session")
def _chromium() -> Iterator[Any]:
    reason = browser.why_missing()
    if reason:
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    # Playwright's loop counts as running in this thread, and Django would refuse to use the database beside it.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        with sync_playwright() as playwright:
            running = playwright.chromium.launch(executable_path=str(browser.CHROMIUM), args=browser.ARGUMENTS)
            yield running
            running.close()


@pytest.fixture
def page(live_portal: server.Portal, _chromium: Any) -> Iterator[Any]:
    """A Playwright page in a context of its own, with `live_portal` as its base URL."""
    context = _chromium.new_context(base_url=live_portal.url, viewport={"width": 1440, "height": 900})
    context.set_default_timeout(10_000)
    yield context.new_page()
    context.close()
