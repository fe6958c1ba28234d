"""The pages on which people decide: what they show, what they take, and what comes of it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.test import Client

from agentops.catalog import queries as catalog
from agentops.common.scope import tenant_scope
from agentops.confirmations import queries
from agentops.confirmations.models import Confirmation
from agentops.confirmations.queries.eligibility import Eligibility
from tenants import machines
from tests.confirmations.deciding import Asked, Bank, digests, has_authenticator, link, mailed_code, many_values, prove
from tests.runtime.guarded import shift
from tests.traces.pages import HTMX, source, statements
from tests.traces.pages import words as words_of
from tests.world import Person, World

Clients = Callable[..., Client]


@pytest.fixture
def bank(world: World) -> Bank:
    machines.forget_cached_keys()
    catalog.forget()
    return Bank(world)


@pytest.fixture
def uma(world: World, bank: Bank, client_for: Clients) -> Client:
    """The end user in whose name the desk acts, who has just given her password."""
    client = client_for(world.uma)
    prove(client)
    return client


@pytest.fixture
def approvers(world: World, bank: Bank, client_for: Clients) -> dict[str, Client]:
    """Three who may approve, each with a second factor that they have just used."""
    people = {"pete": world.pete, "ada": world.ada, "ben": world.ben}
    has_authenticator(*people.values())
    clients = {name: client_for(person) for name, person in people.items()}
    for client in clients.values():
        prove(client, mfa=True)
    return clients


def words(response: Any, *, status: int = 200) -> str:
    assert response.status_code == status, (response.status_code, response.content[:400])
    response.status_code = 200
    return words_of(response)


def agree(client: Client, asked: Asked, **given: str) -> Any:
    """Send the page's own form."""
    page = client.get(asked.url()).content.decode()
    return client.post(asked.url("approval/"), {**digests(page), **given})


def vote(client: Client, asked: Asked, person: Person) -> Any:
    """Agree at tier 4, with a code that was mailed."""
    assert client.post(asked.url("code/")).status_code == 302
    return agree(client, asked, code=mailed_code(asked.bank.organisation, person))


def main_of(page: str) -> str:
    return page.split('<main class="main"')[1].split("</main>")[0]


# -- what every page has ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tool", "person", "expected"),
    [
        ("send_letter", "uma", "Send letter to Ann Kim"),
        ("transfer", "uma", "Transfer 480.00 EUR to DE89370400440532013000"),
        ("raise_limit", "pete", "Raise limit acc_77120 with currency EUR, daily_minor 5000000"),
    ],
)
def test_the_first_line_says_what_will_happen_and_nothing_stands_above_it(
    world: World, bank: Bank, client_for: Clients, tool: str, person: str, expected: str
) -> None:
    page = source(client_for(world.person(person)).get(bank.asked(tool).url()))
    main = main_of(page)
    above, _, rest = main.partition("<h1")
    assert re.sub(r"<[^>]+>|\s", "", above.partition(">")[2]) == ""
    assert re.sub(r"<[^>]+>", "", rest.partition(">")[2].partition("</h1>")[0]) == expected
    assert f"<title>{expected}" in page


@pytest.mark.parametrize(("tool", "person"), [("send_letter", "uma"), ("transfer", "uma"), ("raise_limit", "pete")])
def test_nothing_has_the_focus_by_itself_and_enter_finds_no_button(
    world: World, bank: Bank, client_for: Clients, tool: str, person: str
) -> None:
    main = main_of(source(client_for(world.person(person)).get(bank.asked(tool).url())))
    assert "autofocus" not in main
    forms = re.findall(r"<form[^>]*approval/[^>]*>.*?</form>", main, re.DOTALL)
    assert len(forms) == 1 and "data-deliberate" in forms[0]
    typed = re.search(r'<input[^>]*type="text"', forms[0])
    first = re.search(r"<button[^>]*>", forms[0])
    assert first and (not typed or "disabled hidden" in first[0])


def test_to_look_changes_nothing(world: World, bank: Bank, uma: Client) -> None:
    asked, before = bank.asked("transfer"), world.acme.actions()
    for rest in ("", "refusal/", "edit/", "proof/"):
        assert uma.get(asked.url(rest)).status_code in (200, 302)
    for rest in ("approval/", "cancellation/", "code/", "correctness/"):
        assert uma.get(asked.url(rest)).status_code == 405
    assert world.acme.actions() == before and asked.state == "pending"


def test_markup_in_values_is_text(bank: Bank, uma: Client) -> None:
    asked = bank.asked(
        "send_letter", to='<img src=x onerror="a()">', text="</bdi><script>a()</script>", says="<b>now</b>"
    )
    main = main_of(source(uma.get(asked.url())))
    assert "<img" not in main and "<script" not in main and "<b>now" not in main
    assert "&lt;img src=x onerror=&quot;a()&quot;&gt;" in main


def test_what_cannot_be_told_by_eye_is_named_and_the_page_says_why_it_asks_for_more(bank: Bank, uma: Client) -> None:
    asked = bank.asked("send_letter", to="P\u0430ypal\u202e live", text="Dear\u200b Ann")
    page = source(uma.get(asked.url()))
    assert not re.search("[\u200b\u202e]", page)
    said = words_of(uma.get(asked.url()))
    assert "cyrillic small letter a (U+0430)" in said and "right-to-left override (U+202E)" in said
    assert "zero width space (U+200B)" in said
    assert "Why this asks for more than usual" in said and "Tier 3" in said
    assert "In text there are characters that cannot be seen." in said


def test_what_the_agent_says_stands_apart(bank: Bank, uma: Client) -> None:
    page = source(uma.get(bank.asked("transfer", says="Pay quickly.").url()))
    box = page.split('<aside class="says"')[1].split("</aside>")[0]
    assert "Pay quickly." in box and "not part of what you agree to" in box
    assert "Pay quickly." not in page.replace(box, "")


def test_a_payload_of_300_values_is_there_whole_in_pages_of_the_page(bank: Bank, uma: Client) -> None:
    asked = bank.asked("transfer", **many_values(300))
    page = source(uma.get(asked.url()))
    assert page.count('<div class="leaf') == 305 and "305 values, none left out" in page
    assert all(f"line_{place:03}" in page for place in range(300))
    assert "Values 301 to 305 of 305" in page and "Page 7 of 7" in page
    assert "<details" not in main_of(page)


def test_a_page_costs_the_same_however_many_values_it_shows(bank: Bank, uma: Client) -> None:
    few, many = bank.asked("send_letter"), bank.asked("send_letter", **many_values(300))
    assert statements(uma, few.url()) == statements(uma, many.url())


def test_the_difference_against_the_resource_is_shown(world: World, bank: Bank, client_for: Clients) -> None:
    now = {"account": "acc_77120", "daily_minor": 500_000, "currency": "EUR", "holder": "Mia Stern"}
    asked = bank.asked("raise_limit", current=now)
    said = words_of(client_for(world.pete).get(asked.url()))
    assert "daily_minor 500000 5000000" in said and "account acc_77120 stays the same" in said
    assert "not named in what runs holder Mia Stern" in said


# -- tier 2 -----------------------------------------------------------------------------------------------------------


def test_at_tier_2_a_person_does_it(bank: Bank, uma: Client) -> None:
    asked = bank.asked("send_letter")
    response = agree(uma, asked)
    assert (response.status_code, response["Location"]) == (302, asked.url())
    assert "Approved The agent may run exactly this, once" in words_of(uma.get(asked.url()))
    asked.run_it()
    assert "It ran, as it was approved" in words_of(uma.get(asked.url()))


def test_at_tier_2_a_person_cancels(bank: Bank, uma: Client) -> None:
    asked = bank.asked("send_letter")
    assert uma.post(asked.url("cancellation/")).status_code == 302
    assert asked.state == "cancelled" and "It was stopped" in words_of(uma.get(asked.url()))


def test_an_edit_asks_anew_with_the_changed_values(world: World, bank: Bank, uma: Client) -> None:
    asked = bank.asked("send_letter")
    page = source(uma.get(asked.url("edit/")))
    assert 'value="Ann Kim"' in page and "optional" not in main_of(page)
    text = "Dear Ms Kim,\r\n\r\nyour card is on its way.\r\n\r\nYours\r\nThe bank"
    response = uma.post(asked.url("edit/"), {"value_0": text, "value_1": "Ann Kimura"})
    assert response.status_code == 302 and asked.state == "edited"
    new = uma.get(response["Location"])
    assert "Send letter to Ann Kimura" in words_of(new) and "Shall it be done?" in words_of(new)
    assert "It was changed, and is asked for anew" in words_of(uma.get(asked.url()))
    assert f'href="{response["Location"]}"' in source(uma.get(asked.url()))


def test_an_edit_that_the_guard_would_refuse_is_said_at_its_value(bank: Bank, uma: Client) -> None:
    asked = bank.asked("transfer")
    values = {"value_0": "many", "value_1": "EUR", "value_2": "DE02", "value_3": "x", "value_4": ""}
    said = words(uma.post(asked.url("edit/"), values), status=422)
    assert "A number is expected" in said and asked.state == "pending"


def test_many_values_are_edited_as_one_text(bank: Bank, uma: Client) -> None:
    asked = bank.asked("transfer", **many_values(120))
    assert 'name="whole"' in source(uma.get(asked.url("edit/")))
    assert "Some of the input" not in words(uma.post(asked.url("edit/"), {"whole": "{"}), status=422)
    assert asked.state == "pending"


# -- tier 3 -----------------------------------------------------------------------------------------------------------


def test_tier_3_takes_a_proof_and_the_phrase(world: World, bank: Bank, client_for: Clients) -> None:
    asked, client = bank.asked("transfer"), client_for(world.uma)
    page = source(client.get(asked.url()))
    assert 'role="dialog"' in page and 'aria-label="Main"' not in page
    assert "480.00 3000" in page and "With your password or a passkey" in page
    response = client.post(asked.url("approval/"), {**digests(page), "phrase": "480.00 3000"})
    assert response.status_code == 302 and response["Location"].startswith("/accounts/reauthenticate/")
    assert asked.state == "pending"
    prove(client)
    assert "Proven. It counts until" in words_of(client.get(asked.url()))
    assert "Type the phrase exactly as the page shows it." in words(agree(client, asked, phrase="480 3000"), status=422)
    assert agree(client, asked, phrase=" 480.00  3000").status_code == 302
    assert asked.state == "approved"


def test_a_password_given_too_long_ago_is_asked_for_again(bank: Bank, uma: Client) -> None:
    asked, session = bank.asked("transfer"), uma.session
    session["account_authentication_methods"][0]["at"] -= 301
    session.save()
    assert "With your password or a passkey" in words_of(uma.get(asked.url()))
    response = uma.get(asked.url("proof/"))
    assert response["Location"].startswith("/accounts/reauthenticate/")


def test_six_digits_alone_do_not_count_as_a_password(bank: Bank, uma: Client) -> None:
    asked, session = bank.asked("transfer"), uma.session
    session["account_authentication_methods"][0] |= {"method": "mfa", "type": "totp"}
    session.save()
    assert agree(uma, asked, phrase="480.00 3000")["Location"].startswith("/accounts/reauthenticate/")


def test_the_passage_to_the_password_leads_back_to_the_answer(bank: Bank, uma: Client) -> None:
    asked = bank.asked("transfer")
    assert uma.get(asked.url("proof/"))["Location"] == asked.url() + "#decide"


def test_a_refusal_says_why(bank: Bank, uma: Client) -> None:
    asked = bank.asked("transfer")
    page = source(uma.get(asked.url("refusal/")))
    assert "Transfer 480.00 EUR" in page
    response = uma.post(asked.url("refusal/"), {**digests(page), "reason": "It is paid already."})
    assert response.status_code == 302 and asked.state == "refused"
    said = words_of(uma.get(asked.url()))
    assert "It was refused, and nothing was done" in said and "Refused uma@acme.example" in said
    assert said.count("It is paid already.") == 1


def test_a_page_that_was_open_too_long_says_so_and_shows_the_present_state(bank: Bank, uma: Client) -> None:
    asked = bank.asked("transfer")
    old = {"action_digest": "00" * 32, "view_digest": "nonsense", "phrase": "480.00 3000"}
    response = uma.post(asked.url("approval/"), old)
    said = words(response, status=409)
    assert "The page was open too long" in said and "Look at the page again, then decide." in said
    assert digests(response.content.decode())["view_digest"] != "nonsense"
    assert said.index("Transfer 480.00 EUR") < said.index("The page was open too long")
    assert asked.state == "pending"


def test_an_answer_that_comes_too_late_shows_what_came_of_it(world: World, bank: Bank, uma: Client) -> None:
    asked = bank.asked("transfer")
    page = source(uma.get(asked.url()))
    shift(world.acme, "confirmations_confirmation", "expires_at", timedelta(hours=-2))
    said = words(uma.post(asked.url("approval/"), {**digests(page), "phrase": "480.00 3000"}), status=409)
    assert "It was decided before" in said and "Nobody decided in time, so nothing was done" in said


# -- tier 4 -----------------------------------------------------------------------------------------------------------


def test_two_people_agree_without_knowing_of_each_other_and_a_third_stops_it(
    world: World, bank: Bank, approvers: dict[str, Client]
) -> None:
    pete, ada, ben = approvers["pete"], approvers["ada"], approvers["ben"]
    asked = bank.asked("raise_limit")
    assert vote(pete, asked, world.pete).status_code == 302
    assert "You agreed It waits for a second person." in words_of(pete.get(asked.url()))

    for address in (asked.url(), world.acme.url("approvals/"), world.acme.url("inbox/")):
        said = words_of(ada.get(address))
        assert "pete@" not in said and "One of two" not in said and "acc_77120" in said
    for rest in ("receipt/", "receipt.json"):
        assert "pete@" not in words_of(ada.get(asked.url(rest), follow=True))
    assert "pete@" not in words_of(ada.get(world.acme.url("approvals/?person=pete")))

    assert vote(ada, asked, world.ada).status_code == 302
    said = words_of(ben.get(asked.url()))
    assert "Two people agreed. It is released after a delay." in said and re.search("1[45] min", said)
    assert "Agreed pete@acme.example" in said and "Agreed ada@acme.example" in said
    assert "can still be stopped" in words_of(ben.get(world.acme.url("inbox/")))
    assert ben.post(asked.url("cancellation/"), {"reason": "Not today."}).status_code == 302
    said = words_of(ada.get(asked.url()))
    assert "It was stopped, and nothing was done Reason: Not today." in said and asked.state == "cancelled"


def test_who_agreed_can_take_it_back_while_it_waits_for_the_other(
    world: World, bank: Bank, approvers: dict[str, Client]
) -> None:
    asked = bank.asked("raise_limit")
    vote(approvers["pete"], asked, world.pete)
    assert approvers["pete"].post(asked.url("cancellation/")).status_code == 302
    assert asked.state == "cancelled"


def test_without_a_second_factor_the_page_says_how_to_come_by_one(
    world: World, bank: Bank, client_for: Clients
) -> None:
    asked, client = bank.asked("raise_limit"), client_for(world.pete)
    said = words_of(client.get(asked.url()))
    assert "your account has none yet" in said and "Set up a second factor" in said
    prove(client)
    assert "Confirm with your second factor" in words(agree(client, asked, code="12345678"), status=403)


def test_a_wrong_code_counts_and_leaves_the_present_state(
    world: World, bank: Bank, approvers: dict[str, Client]
) -> None:
    asked, pete = bank.asked("raise_limit"), approvers["pete"]
    assert "There is no code that counts" in words(agree(pete, asked, code="12345678"), status=422)
    pete.post(asked.url("code/"))
    assert "A code was sent to pete@acme.example" in words_of(pete.get(asked.url()))
    right = mailed_code(world.acme, world.pete).replace(" ", "")
    wrong = f"{(int(right) + 1) % 10**8:08}"
    assert "4 tries are left" in words(agree(pete, asked, code=wrong), status=422)
    assert "3 tries are left" in words(agree(pete, asked, code=wrong), status=422)
    assert agree(pete, asked, code=right).status_code == 302
    assert asked.state == "half"


def test_too_many_codes_are_refused_in_words(bank: Bank, approvers: dict[str, Client]) -> None:
    asked, pete = bank.asked("raise_limit"), approvers["pete"]
    for _ in range(5):
        assert pete.post(asked.url("code/")).status_code == 302
    assert "Five codes were mailed to you within the hour." in words(pete.post(asked.url("code/")), status=429)


def test_the_acting_user_approves_nothing_of_tier_4(bank: Bank, uma: Client) -> None:
    assert uma.get(bank.asked("raise_limit").url()).status_code == 404


# -- whom it is not for -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["stella", "cleo", "sam"])
def test_a_forwarded_link_shows_a_stranger_nothing_and_is_noted(
    world: World, bank: Bank, client_for: Clients, name: str
) -> None:
    asked = bank.asked("transfer")
    for rest in ("", "receipt/", "receipt.json", "edit/"):
        response = client_for(world.person(name)).get(asked.url(rest))
        assert response.status_code == 404 and b"transfer" not in response.content.lower()
    entries = [entry for entry in world.acme.entries() if entry.action == "approval.opened_by_other"]
    assert len(entries) == 4 and {entry.actor_label for entry in entries} == {"somebody outside the organisation"}
    assert {entry.target_id for entry in entries} == {str(asked.id)}


def test_a_forwarded_link_shows_another_member_nothing_and_is_noted_by_name(
    world: World, bank: Bank, client_for: Clients
) -> None:
    bank_user = bank.run(agent="bank-desk", user="somebody-else")
    asked = bank.asked("transfer", run=bank_user)
    response = client_for(world.uma).get(asked.url())
    assert response.status_code == 404 and b"480" not in response.content
    [entry] = [entry for entry in world.acme.entries() if entry.action == "approval.opened_by_other"]
    assert entry.actor_label == "uma@acme.example"


def test_an_attempt_to_decide_what_is_not_theirs_is_noted_once(world: World, bank: Bank, client_for: Clients) -> None:
    asked = bank.asked("transfer", run=bank.run(agent="bank-desk", user="somebody-else"))
    given = {"action_digest": "00", "view_digest": "00"}
    assert client_for(world.uma, fresh=True).post(asked.url("approval/"), given).status_code == 404
    noted = [entry.action for entry in world.acme.entries() if entry.target_id == str(asked.id)]
    assert noted[0] == "approval.requested" and asked.state == "pending"


def test_a_confirmation_that_is_not_there_is_not_noted(world: World, bank: Bank, client_for: Clients) -> None:
    nowhere = world.acme.url("confirmations/00000000-0000-4000-8000-000000000000/")
    assert client_for(world.uma).get(nowhere).status_code == 404
    assert "approval.opened_by_other" not in world.acme.actions()


def test_an_auditor_reads_and_decides_nothing(world: World, bank: Bank, client_for: Clients) -> None:
    asked, audrey = bank.asked("transfer"), client_for(world.audrey)
    page = source(audrey.get(asked.url()))
    assert "It waits for people" in page and "<form" not in main_of(page)
    assert audrey.post(asked.url("approval/")).status_code == 403


# -- lists ------------------------------------------------------------------------------------------------------------


def test_the_inbox_has_the_most_urgent_first_and_counts_in_its_title(world: World, bank: Bank, uma: Client) -> None:
    bank.asked("transfer")
    bank.asked("send_letter")
    page = source(uma.get(world.acme.url("inbox/")))
    assert "<title>(2) Inbox" in page
    assert page.index("Send letter to Ann Kim") < page.index("Transfer 480.00 EUR")
    assert "in the name of you" in page and 'hx-trigger="every 5s"' in page
    fragment = source(uma.get(world.acme.url("inbox/"), headers=HTMX))
    assert "<!DOCTYPE" not in fragment and "<title>(2) Inbox · Acme · agentops</title>" in fragment


def test_an_empty_inbox_says_what_will_be_there(world: World, bank: Bank, uma: Client) -> None:
    said = words_of(uma.get(world.acme.url("inbox/")))
    assert "Nothing waits for you" in said and "the time by which it needs an answer" in said


def test_the_home_of_people_who_decide_is_their_inbox(world: World, bank: Bank, uma: Client) -> None:
    assert uma.get(world.acme.url())["Location"] == world.acme.url("inbox/")
    side = source(uma.get(world.acme.url("inbox/"))).split('aria-label="Main"')[1].split("</nav>")[0]
    assert side.count("Inbox") == 1 and "History" in side and "Overview" not in side


def test_the_history_is_ones_own(world: World, bank: Bank, uma: Client, client_for: Clients) -> None:
    agree(uma, bank.asked("send_letter"))
    assert "You were not asked yet" in words_of(client_for(world.pete).get(world.acme.url("history/")))
    said = words_of(uma.get(world.acme.url("history/")))
    assert "Send letter to Ann Kim" in said and "Approved" in said and "Agreed" in said


def test_what_others_decide_in_ones_name_has_a_page_once_it_is_decided(
    world: World, bank: Bank, uma: Client, approvers: dict[str, Client]
) -> None:
    asked, path = bank.asked("raise_limit"), world.acme.url("history/")
    assert "Raise limit" in words_of(uma.get(path)) and asked.url() not in source(uma.get(path))
    assert uma.get(asked.url()).status_code == 404, "two others decide it"
    form = source(approvers["pete"].get(asked.url("refusal/")))
    answer = approvers["pete"].post(asked.url("refusal/"), {**digests(form), "reason": "Too much."})
    assert answer.status_code == 302
    assert asked.url() in source(uma.get(path))
    said = words_of(uma.get(asked.url()))
    assert "Refused" in said and "Too much." in said


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["Send letter", "Transfer", "Raise limit"]),
        ("state=approved", ["Send letter"]),
        ("state=open", ["Transfer", "Raise limit"]),
        ("tier=4", ["Raise limit"]),
        ("tool=transfer", ["Transfer"]),
        ("agent=nobody", []),
        ("person=uma@", ["Send letter"]),
        ("person=mia-204", ["Send letter", "Transfer", "Raise limit"]),
        ("state=open&tier=3", ["Transfer"]),
    ],
)
def test_approvals_are_filtered_by_the_address(
    world: World, bank: Bank, uma: Client, client_for: Clients, query: str, expected: list[str]
) -> None:
    agree(uma, bank.asked("send_letter"))
    bank.asked("transfer")
    bank.asked("raise_limit")
    page = client_for(world.audrey).get(world.acme.url(f"approvals/?{query}"), headers=HTMX)
    said = words_of(page)
    assert [what for what in ("Send letter", "Transfer", "Raise limit") if what in said] == expected
    assert expected or "No approval matches" in said


def test_a_filter_that_cannot_be_is_said(world: World, bank: Bank, client_for: Clients) -> None:
    said = words_of(client_for(world.audrey).get(world.acme.url("approvals/?state=gone&tier=9")))
    assert "State is one of open, cooling" in said and "Tier is 2, 3 or 4" in said


# -- where it stands --------------------------------------------------------------------------------------------------


def test_the_line_that_is_asked_for_again_says_that_it_was_decided_meanwhile(
    world: World, bank: Bank, uma: Client, client_for: Clients
) -> None:
    asked = bank.asked("transfer")
    address = re.search(r'hx-get="([^"]+part=standing[^"]*)"', source(uma.get(asked.url())))
    assert address
    line = address[1].replace("&amp;", "&")
    assert "Meanwhile" not in source(uma.get(line, headers=HTMX))
    assert client_for(world.pete).post(asked.url("cancellation/")).status_code == 302
    answer = uma.get(line, headers=HTMX)
    assert "Meanwhile it was decided" in source(answer) and "HX-Refresh" not in answer


def test_where_nothing_is_typed_the_page_renews_itself(bank: Bank, uma: Client) -> None:
    asked = bank.asked("send_letter")
    agree(uma, asked)
    line = f"{asked.url()}?part=standing&seen=approved"
    assert "HX-Refresh" not in uma.get(line, headers=HTMX)
    asked.run_it()
    assert uma.get(line, headers=HTMX)["HX-Refresh"] == "true"


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        ("ok", "It ran, as it was approved"),
        ("error", "It was approved and tried, and it failed"),
        ("unknown", "It was approved and begun; how it ended is not known It is not tried again by itself."),
    ],
)
def test_how_it_ended_has_a_page_and_the_person_is_asked_whether_it_was_correct(
    bank: Bank, uma: Client, outcome: str, expected: str
) -> None:
    asked = bank.asked("transfer")
    agree(uma, asked, phrase="480.00 3000")
    asked.run_it(outcome)
    said = words_of(uma.get(asked.url()))
    assert expected in said and "Was this correct?" in said
    assert bool(re.search(r"Until \d", said)) == (outcome == "ok")


def test_the_answer_whether_it_was_correct_is_kept_and_can_be_changed(world: World, bank: Bank, uma: Client) -> None:
    asked = bank.asked("send_letter")
    agree(uma, asked)
    asked.run_it()
    assert uma.post(asked.url("correctness/"), {"is_correct": "no", "comment": "Wrong Ann."}).status_code == 302
    said = words_of(uma.get(asked.url()))
    assert "You said that it was not" in said and 'value="Wrong Ann."' in source(uma.get(asked.url()))
    uma.post(asked.url("correctness/"), {"is_correct": "yes"})
    assert "You said that it was," in words_of(uma.get(asked.url()))
    assert world.acme.actions()[-2:] == ["approval.correctness", "approval.correctness"]


def test_what_was_approved_and_not_run_in_time_says_so(world: World, bank: Bank, uma: Client) -> None:
    asked = bank.asked("send_letter")
    agree(uma, asked)
    shift(world.acme, "confirmations_confirmation", "expires_at", timedelta(hours=-2))
    assert "It was approved, but not run in time" in words_of(uma.get(asked.url()))


def test_what_lapsed_says_why(bank: Bank, uma: Client) -> None:
    asked = bank.asked("send_letter")
    asked.run.finish()
    assert "It lapsed, and nothing was done" in words_of(uma.get(asked.url()))


# -- the receipt ------------------------------------------------------------------------------------------------------


def test_the_receipt_has_four_columns_that_agree(world: World, bank: Bank, uma: Client, client_for: Clients) -> None:
    asked = bank.asked("transfer")
    assert uma.get(asked.url("receipt.json"))["Location"] == asked.url()
    assert "There is a receipt once people have decided" in words_of(uma.get(asked.url("receipt/"), follow=True))
    agree(uma, asked, phrase="480.00 3000")
    asked.run_it()
    for client in (uma, client_for(world.audrey)):
        said = words_of(client.get(asked.url("receipt/")))
        assert "Everything that was told about it agrees" in said and said.count("Matches") == 3
        assert all(column in said for column in ("Seen", "Approved", "Permitted", "Executed"))
    response = uma.get(asked.url("receipt.json"))
    found = json.loads(response.content)
    assert found["holds"] and found["seen"][0]["label"] == "uma@acme.example"
    assert f"receipt-{asked.id}.json" in response["Content-Disposition"]


def test_a_receipt_that_does_not_agree_says_so_loudly(world: World, bank: Bank, uma: Client) -> None:
    asked = bank.asked("transfer")
    agree(uma, asked, phrase="480.00 3000")
    asked.run_it()
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "UPDATE confirmations_confirmation SET executed_digest = %s WHERE id = %s", [bytes(32), asked.id]
        )
    said = words_of(uma.get(asked.url("receipt/")))
    assert "Something does not agree" in said and said.count("Does not match") == 1


# -- what many confirmations of one person cost -----------------------------------------------------------------------


def test_an_inbox_costs_the_same_however_much_is_in_it(world: World, bank: Bank, approvers: dict[str, Client]) -> None:
    address = world.acme.url("inbox/")
    bank.asked("raise_limit")
    one = statements(approvers["pete"], address)
    for place in range(4):
        bank.asked("raise_limit", run=bank.run(agent="bank-desk", user=f"customer-{place}"))
    assert statements(approvers["pete"], address) == one
    assert "(5) Inbox" in source(approvers["pete"].get(address))


def test_who_may_decide_is_the_same_rule_from_the_persons_side(world: World, bank: Bank) -> None:
    people = [world.ada, world.ben, world.audrey, world.pete, world.uma]
    link(world.acme, world.pete, "petes-account")
    users = ("mia-204", "petes-account", "ben@acme.example", "nobody")
    asked = [
        bank.asked(tool, run=bank.run(agent="bank-desk", user=user))
        for user in users
        for tool in ("send_letter", "raise_limit")
    ]
    with tenant_scope(world.acme.id):
        for each in asked:
            row = Confirmation.objects.get(id=each.id)
            for person in people:
                who = queries.person_of(tenant=world.acme.id, user=person.user)
                found = Eligibility(world.acme.id, who).may_decide(row)
                assert found == queries.may_decide(row, who) == (person.user.pk in row.eligible)
