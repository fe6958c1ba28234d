"""One-time links: one confirmation, one person, five minutes, one opening, one browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections
from django.test import Client

from agentops.common.scope import tenant_scope
from agentops.confirmations import links
from agentops.confirmations.models import Presentation
from agentops.confirmations.services import presenting
from tenants import machines
from tests.confirmations.letters import Letters
from tests.races.test_ingest_races import at_once
from tests.runtime.guarded import MANIFEST, Caller, answered, apply
from tests.world import World

Keys = Callable[..., str]


@pytest.fixture
def letters(world: World) -> Letters:
    machines.forget_cached_keys()
    return Letters(world.acme)


@pytest.fixture
def path(letters: Letters) -> str:
    """Where a link leads that nobody has opened."""
    return letters.presented()


def opened(path: str) -> Client:
    """The browser of the person whom the link is for."""
    browser = Client()
    response = browser.post(path)
    assert (response.status_code, response["Location"]) == (302, path)
    return browser


def entries(letters: Letters, action: str) -> list[Any]:
    return [entry for entry in letters.organisation.entries() if entry.action == action]


def age(letters: Letters, seconds: int) -> None:
    """Let time pass for every link, as the owner: nobody else could."""
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "UPDATE confirmations_presentation SET expires_at = expires_at - make_interval(secs => %s) WHERE tenant_id = %s",
            [seconds, letters.organisation.id],
        )


# -- asking for a link ----------------------------------------------------------------------------------------------


def test_a_link_is_of_five_minutes_and_its_text_is_kept_nowhere(letters: Letters) -> None:
    _, call = letters.asked()
    made = letters.link(call["confirmation"]["id"])
    assert set(made) == {"url", "expires_at"}
    text = made["url"].split("/")[-2]
    with tenant_scope(letters.organisation.id):
        [row] = Presentation.objects.all()
    assert row.expires_at - row.made_at == presenting.LIFETIME
    assert bytes(row.token_hash) == links.digest(text)
    [entry] = entries(letters, "approval.presented")
    assert (entry.actor_type, entry.on_behalf_of_id) == ("service", "u-1")
    assert text not in str(entry.data)


def test_only_the_user_in_whose_name_the_agent_acts_is_given_one(letters: Letters) -> None:
    _, call = letters.asked()
    refused = letters.link(call["confirmation"]["id"], user="u-2", status=400)
    assert [(one["pointer"], one["code"]) for one in refused["errors"]] == [("/user", "not_acting_user")]


def test_tier_3_takes_an_account(letters: Letters) -> None:
    apply(letters.organisation, MANIFEST)
    call = Caller(letters.organisation).run().refund()
    assert letters.link(call["confirmation"]["id"], status=409)["code"] == "account_needed"


def test_what_is_over_is_not_presented(letters: Letters) -> None:
    run, call = letters.asked()
    run.finish()
    assert letters.link(call["confirmation"]["id"], status=409)["code"] == "confirmation_expired"


def test_another_organisations_confirmation_is_not_found(world: World, letters: Letters) -> None:
    _, call = letters.asked()
    machines.forget_cached_keys()
    other = Caller(world.globex)
    path = f"/api/v1/confirmations/{call['confirmation']['id']}/presentations"
    answered(other.call("POST", path, {"user": "u-1"}, scope="present"), 404)


def test_links_to_one_confirmation_are_counted(letters: Letters, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presenting, "LINKS_MOST", 2)
    _, call = letters.asked()
    letters.link(call["confirmation"]["id"])
    letters.link(call["confirmation"]["id"])
    assert letters.link(call["confirmation"]["id"], status=429)["code"] == "rate_limited"


def test_the_agents_key_makes_no_link_and_cannot_be_given_the_scope(letters: Letters, key_for: Keys) -> None:
    """A key with both could open what it asked for itself."""
    _, call = letters.asked()
    path = f"/api/v1/confirmations/{call['confirmation']['id']}/presentations"
    assert letters.call("POST", path, {"user": "u-1"}, scope="guard").status_code == 403
    with pytest.raises(Exception, match="never has both guard and present"):
        key_for(letters.organisation, "guard", "present")


def test_the_presenting_key_asks_the_guard_nothing_and_sees_no_state(letters: Letters) -> None:
    _, call = letters.asked()
    assert (
        letters.call("GET", f"/api/v1/confirmations/{call['confirmation']['id']}", scope="present").status_code == 403
    )


# -- opening one ----------------------------------------------------------------------------------------------------


def test_a_get_by_a_mail_scanner_changes_nothing(letters: Letters, path: str) -> None:
    scanner = Client()
    for _ in range(3):
        text = scanner.get(path).content.decode()
        assert "Continue" in text and "Hello" not in text and "Ann" not in text
        assert scanner.head(path).status_code in (200, 405)
    assert "presented" not in scanner.cookies
    assert opened(path).get(path).status_code == 200


def test_the_cookie_goes_to_this_path_only_and_to_no_script(path: str) -> None:
    cookie = opened(path).cookies["presented"]
    assert (cookie["path"], cookie["httponly"], cookie["samesite"]) == (path, True, "Strict")


def test_a_second_opening_finds_nothing_and_is_audited(letters: Letters, path: str) -> None:
    first = opened(path)
    other = Client()
    for response in (other.get(path), other.post(path)):
        assert response.status_code == 404
        assert "Hello" not in response.content.decode()
    assert [entry.outcome for entry in entries(letters, "approval.opened_by_other")] == [3, 3]
    assert first.get(path).status_code == 200, "who opened it goes on"


def test_a_forged_cookie_finds_nothing_and_is_audited(letters: Letters, path: str) -> None:
    opened(path)
    forger = Client()
    forger.cookies["presented"] = links.mint(letters.organisation.id)
    assert forger.get(path).status_code == 404
    assert len(entries(letters, "approval.opened_by_other")) == 1


def test_a_cookie_of_one_link_opens_no_other(letters: Letters, path: str) -> None:
    mine, theirs = opened(path), letters.presented()
    opened(theirs)
    mine.cookies["presented"]["path"] = theirs
    assert mine.get(theirs).status_code == 404


def test_an_expired_link_opens_nothing_and_is_audited(letters: Letters, path: str) -> None:
    age(letters, 301)
    assert Client().get(path).status_code == 404
    assert Client().post(path).status_code == 404
    assert len(entries(letters, "approval.opened_by_other")) == 2


def test_a_link_that_was_opened_in_time_outlives_its_five_minutes(letters: Letters, path: str) -> None:
    browser = opened(path)
    age(letters, 301)
    assert browser.get(path).status_code == 200


@pytest.mark.parametrize("text", ["x", "A" * 64, "-" * 64, "é" * 10])
def test_what_is_no_link_of_ours_looks_the_same_and_leaves_no_entry(letters: Letters, text: str) -> None:
    before = letters.organisation.actions()
    assert Client().get(f"/presented/{text}/").status_code == 404
    assert letters.organisation.actions() == before


def test_a_link_of_a_deactivated_organisation_opens_nothing(letters: Letters, path: str) -> None:
    letters.organisation.tenant.is_active = False
    letters.organisation.tenant.save()
    assert Client().post(path).status_code == 404


def test_opening_takes_the_pages_own_form(path: str) -> None:
    strict = Client(enforce_csrf_checks=True)
    assert strict.post(path).status_code == 403
    strict.get(path)
    token = strict.cookies["csrftoken"].value
    assert strict.post(path, {"csrfmiddlewaretoken": token}).status_code == 302


def test_a_link_is_framed_by_nobody_and_kept_by_no_cache(path: str) -> None:
    for response in (Client().get(path), opened(path).get(path)):
        assert "frame-ancestors 'none'" in response["Content-Security-Policy"]
        assert response["X-Frame-Options"] == "DENY"
        assert "no-store" in response["Cache-Control"]
        assert response["Referrer-Policy"] == "same-origin"


@pytest.mark.race
def test_of_many_who_open_a_link_at_once_one_does(letters: Letters, path: str) -> None:
    found = at_once([lambda: Client().post(path).status_code] * 8)
    assert sorted(found) == [302] + [404] * 7
