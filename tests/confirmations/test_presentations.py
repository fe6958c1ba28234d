"""One-time links: one confirmation, one person, five minutes, one opening, one browser."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import connections
from django.test import Client

from agentops.common.scope import tenant_scope
from agentops.confirmations import links
from agentops.confirmations.models import Presentation, Vote
from agentops.confirmations.services import presenting
from tenants import machines
from tests.confirmations.letters import Letters
from tests.races.test_ingest_races import at_once
from tests.runtime.guarded import MANIFEST, Caller, Run, answered, apply
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


# -- deciding behind one ---------------------------------------------------------------------------------------------


@dataclass
class Asked:
    """A letter that waits, and the browser of the person who was given the link to it."""

    letters: Letters
    run: Run
    call: dict[str, Any]
    path: str
    browser: Client

    @property
    def confirmation(self) -> str:
        return str(self.call["confirmation"]["id"])

    def text(self) -> str:
        response = self.browser.get(self.path)
        assert response.status_code == 200
        return response.content.decode()

    def answer(self, do: str, *, method: str = "post", **more: str) -> Any:
        """Press a button of the page, with what the page holds."""
        digests = dict(re.findall(r'name="(\w+_digest)" value="(\w+)"', self.text()))
        return getattr(self.browser, method)(f"{self.path}?do={do}", {**digests, **more})

    def state(self) -> str:
        answer = self.letters.call("GET", f"/api/v1/confirmations/{self.confirmation}")
        return str(answered(answer, 200)["state"])


@pytest.fixture
def asked(letters: Letters) -> Asked:
    run, call = letters.asked(to="Ann", text="Hello")
    path = letters.link(call["confirmation"]["id"])["url"].removeprefix("http://testserver")
    return Asked(letters, run, call, path, opened(path))


def test_the_page_says_what_will_happen_and_offers_what_takes_no_account(asked: Asked) -> None:
    text = asked.text()
    for words in ("Ann", "Hello", "letter-desk", "Exactly this runs", "Do it", "Cancel", "Refuse, and say why"):
        assert words in text
    for words in ("Edit …", "/inbox/", "/receipt", "/t/acme/"):
        assert words not in text, "leads to where an account is needed"


def test_who_came_by_the_link_approves_and_only_that_runs(asked: Asked) -> None:
    response = asked.answer("approve")
    assert (response.status_code, response["Location"]) == (302, asked.path)
    assert "Approved" in asked.text()
    assert asked.run.redeem(asked.call["call_id"])["arguments"] == {"to": "Ann", "text": "Hello"}
    with tenant_scope(asked.letters.organisation.id):
        [vote] = Vote.objects.all()
    assert (vote.voter, vote.user_id, vote.choice) == ("end_user:u-1", None, "approve")
    assert set(vote.proofs) == {"session"} and asked.browser.cookies["presented"].value not in str(vote.proofs)
    actions = [entry.action for entry in asked.letters.organisation.entries()]
    assert actions[-3:] == ["approval.presented", "approval.confirmed", "tool_call.redeemed"]


def test_who_came_by_the_link_refuses_and_says_why(asked: Asked) -> None:
    form = asked.browser.get(f"{asked.path}?do=refuse").content.decode()
    assert "Why not?" in form
    assert asked.answer("refuse", reason="I never asked for it").status_code == 302
    assert asked.state() == "refused"
    assert "I never asked for it" in asked.text()
    refused = asked.run.redeem(asked.call["call_id"], status=409)
    assert refused["code"] == "confirmation_refused"


def test_who_came_by_the_link_cancels(asked: Asked) -> None:
    assert asked.answer("cancel").status_code == 302
    assert asked.state() == "cancelled"


def test_a_second_answer_is_told_what_was_decided(asked: Asked) -> None:
    first = asked.text()
    asked.answer("cancel")
    digests = dict(re.findall(r'name="(\w+_digest)" value="(\w+)"', first))
    response = asked.browser.post(f"{asked.path}?do=approve", digests)
    assert response.status_code == 409
    assert asked.state() == "cancelled"


@pytest.mark.parametrize("name", ["action_digest", "view_digest"])
def test_what_was_not_seen_is_not_decided(asked: Asked, name: str) -> None:
    response = asked.answer("approve", **{name: "00" * 32})
    assert response.status_code == 409
    assert asked.state() == "pending"
    assert "Do it" in response.content.decode(), "the page shows how it stands now, to be read again"


@pytest.mark.parametrize("do", ["", "edit", "execute"])
def test_what_is_none_of_its_forms_changes_nothing(asked: Asked, do: str) -> None:
    assert asked.answer(do).status_code == 400
    assert asked.state() == "pending"


def test_a_get_with_an_answer_in_its_address_decides_nothing(asked: Asked) -> None:
    for do in ("approve", "refuse", "cancel"):
        asked.answer(do, method="get")
    assert asked.state() == "pending"


def test_deciding_takes_the_pages_own_form(asked: Asked) -> None:
    """Another site's form brings the cookie in no browser (SameSite), and no token in any."""
    strict = Client(enforce_csrf_checks=True)
    strict.cookies["presented"] = asked.browser.cookies["presented"].value
    assert strict.post(f"{asked.path}?do=approve").status_code == 403
    assert asked.state() == "pending"


def test_somebody_elses_browser_decides_nothing(asked: Asked) -> None:
    assert Client().post(f"{asked.path}?do=approve").status_code == 404
    assert asked.state() == "pending"


def test_what_has_lapsed_says_so_and_is_not_decided(asked: Asked) -> None:
    page = asked.text()
    asked.run.finish()
    digests = dict(re.findall(r'name="(\w+_digest)" value="(\w+)"', page))
    assert asked.browser.post(f"{asked.path}?do=approve", digests).status_code == 409
    assert "nothing was done" in asked.text()


def test_values_of_the_agents_are_markup_on_no_page(letters: Letters) -> None:
    _, call = letters.asked(to="<script>alert(1)</script>")
    path = letters.link(call["confirmation"]["id"])["url"].removeprefix("http://testserver")
    text = opened(path).get(path).content.decode()
    assert "<script>alert(1)" not in text and "&lt;script&gt;alert(1)" in text


def test_a_value_that_hides_something_is_not_decided_by_a_link(letters: Letters) -> None:
    """Bidirectional override: it raises the tier, and that takes an account."""
    _, call = letters.asked(text="Hello \u202eolleh")
    assert letters.link(call["confirmation"]["id"], status=409)["code"] == "account_needed"


@pytest.mark.race
def test_of_many_who_open_a_link_at_once_one_does(letters: Letters, path: str) -> None:
    found = at_once([lambda: Client().post(path).status_code] * 8)
    assert sorted(found) == [302] + [404] * 7
