"""An auditor asks who approved a payment and what they saw, checks the answer in the browser, and follows it around."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from agentops.catalog import queries as catalog
from agentops.common import clock
from audit import tasks
from tenants import machines
from tests.audit.logs import Log
from tests.confirmations.deciding import Bank
from tests.journeys.test_confirmations import PHONE
from tests.journeys.test_runs import assert_accessible, assert_fits, sign_in
from tests.world import Person, World

pytestmark = pytest.mark.journey


@pytest.fixture
def bank(world: World, live_portal: Any) -> Bank:
    machines.forget_cached_keys()
    catalog.forget()
    return Bank(world)


@pytest.fixture(autouse=True)
def no_complaints(page: Page) -> Iterator[None]:
    """Whatever the browser complains about (scripts, policy, missing files) fails the journey."""
    found: list[str] = []
    page.on("pageerror", lambda error: found.append(str(error)))
    page.on("console", lambda message: found.append(message.text) if message.type in ("error", "warning") else None)
    yield
    assert found == []


def approved_by(page: Page, person: Person, bank: Bank) -> Any:
    """A transfer that somebody agrees to in the browser, and that runs then."""
    asked = bank.asked("transfer")
    sign_in(page, person)
    page.goto(asked.url())
    page.get_by_label("Type 480.00 3000").fill("480.00 3000")
    page.get_by_role("button", name="I agree: do it").click()
    expect(page.get_by_text("The agent may run exactly this, once")).to_be_visible()
    asked.run_it()
    page.context.clear_cookies()
    return asked


def test_an_auditor_finds_who_approved_a_payment_and_what_they_saw_and_checks_it(
    world: World, bank: Bank, page: Page
) -> None:
    approved_by(page, world.pete, bank)
    log = Log(world.acme)
    log.seal()

    sign_in(page, world.audrey)
    page.get_by_role("link", name="Audit log").click()
    expect(page.get_by_role("heading", name="Audit log", level=1)).to_be_visible()
    assert_accessible(page)
    page.get_by_text("Questions").click()
    page.get_by_role("link", name="Who agreed to or refused what").click()
    row = page.get_by_role("row", name="pete@acme.example confirmed transfer")
    expect(row).to_be_visible()
    assert "category=approval" in page.url
    assert_accessible(page)

    page.get_by_role("button", name="Check in this browser").click()
    expect(page.get_by_text("entries are as they were sealed")).to_be_visible()
    expect(page.get_by_text(log.checkpoints()[-1].key_id)).to_be_visible()
    assert_accessible(page)

    row.get_by_role("link", name="pete@acme.example confirmed transfer").click()
    expect(page.get_by_role("heading", name="pete@acme.example confirmed transfer", level=1)).to_be_visible()
    for sentence in (
        "bank-desk asks to call transfer", "pete@acme.example confirmed transfer", "bank-desk took up what was approved",
        "bank-desk called transfer: done", "Transfer ran as it was approved",
    ):  # fmt: skip
        expect(page.get_by_role("list").filter(has_text=sentence).first).to_be_visible()
    page.get_by_role("button", name="Check in this browser").click()
    expect(page.get_by_text("This entry is as it was sealed")).to_be_visible()
    assert_accessible(page)

    page.get_by_role("link", name="What people saw, approved and what ran").click()
    expect(page.get_by_text("Everything that was told about it agrees")).to_be_visible()
    expect(page.get_by_text("pete@acme.example").first).to_be_visible()
    page.get_by_role("link", name="Audit log").last.click()
    expect(page.get_by_text("Everything that was done to it")).to_be_visible()


def test_a_row_that_was_changed_behind_the_seal_does_not_check(world: World, bank: Bank, page: Page) -> None:
    approved_by(page, world.pete, bank)
    log = Log(world.acme)
    log.seal()
    log.execute(
        "UPDATE audit_entry SET actor_label = 'ben@acme.example' WHERE tenant_id = %s AND action = 'approval.confirmed'",
        log.id,
    )
    log.execute(
        "UPDATE audit_entry SET outcome = 2 WHERE tenant_id = %s AND action = 'approval.executed'",
        log.id,
    )
    sign_in(page, world.audrey)
    page.goto(world.acme.url("audit/?category=approval"))
    page.get_by_role("button", name="Check in this browser").click()
    expect(page.get_by_text("Something does not check")).to_be_visible()
    expect(page.get_by_text("Does not check", exact=True)).to_have_count(2)
    expect(page.get_by_text("actor_label is not what was committed to")).to_be_visible()
    expect(page.get_by_text("its bytes do not lead to the signed root")).to_be_visible()


def test_a_log_that_became_shorter_is_told_by_the_browser_that_saw_it_longer(
    world: World, bank: Bank, page: Page
) -> None:
    log = Log(world.acme)
    log.write(3)
    log.seal()
    log.write(2)
    log.seal()
    sign_in(page, world.audrey)
    page.goto(world.acme.url("audit/"))
    page.get_by_role("button", name="Check in this browser").click()
    expect(page.get_by_text("This browser sees this log's key for the first time.")).to_be_visible()
    newest = log.checkpoints()[-1]
    log.execute("DELETE FROM audit_checkpoint WHERE tenant_id = %s AND tree_size = %s", log.id, newest.tree_size)
    page.reload()
    page.get_by_role("button", name="Check in this browser").click()
    expect(page.get_by_text("the log has become shorter")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_every_page_fits(world: World, bank: Bank, page: Page, scheme: Any) -> None:
    asked = approved_by(page, world.pete, bank)
    log = Log(world.acme)
    log.seal()
    entry = next(each for each in world.acme.entries() if each.action == "approval.confirmed")
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.emulate_media(color_scheme=scheme)
    sign_in(page, world.audrey)
    for path in (
        "audit/", "audit/?q=nowhere", "audit/?outcome=perhaps", f"audit/entries/{entry.id}/", "audit/proofs/",
        "audit/who/?actor=agent:bank-desk", f"audit/what/?target_type=confirmation&target_id={asked.id}",
    ):  # fmt: skip
        page.goto(world.acme.url(path))
        assert_fits(page)
        assert_accessible(page)


def test_the_log_is_read_by_keyboard_and_by_filters_in_the_address(world: World, bank: Bank, page: Page) -> None:
    approved_by(page, world.pete, bank)
    sign_in(page, world.audrey)
    page.goto(world.acme.url("audit/"))
    page.get_by_label("Kind", exact=True).select_option("approval")
    expect(page).to_have_url(re.compile("category=approval"))
    page.keyboard.press("Escape")
    page.locator("main").focus()
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Its place in the log")).to_be_visible()
    page.go_back()
    page.get_by_role("link", name="Remove filter Kind approval").click()
    expect(page).not_to_have_url(re.compile("category"))


def test_a_week_is_exported_and_verified_by_the_one_file_that_needs_nothing_of_ours(
    world: World, bank: Bank, page: Page, tmp_path: Path
) -> None:
    approved_by(page, world.pete, bank)
    log = Log(world.acme)
    log.seal()
    sign_in(page, world.audrey)
    page.get_by_role("link", name="Audit log").click()
    page.get_by_role("link", name="Exports").click()
    page.get_by_role("link", name="Export", exact=True).first.click()
    today = clock.now().date()
    page.get_by_label("From").fill((today - timedelta(days=7)).isoformat())
    page.get_by_label("To").fill(today.isoformat())
    page.get_by_role("radio", name="Bundle").check()
    assert_accessible(page)
    page.get_by_role("button", name="Export").click()
    expect(page.get_by_role("button", name="Cancel this export")).to_be_visible()
    assert_accessible(page)
    log.seal()
    tasks.write_exports()
    link = page.get_by_role("link", name="Download all (.zip)")
    expect(link).to_be_visible()  # the page asks for itself again
    assert_accessible(page)
    with page.expect_download() as started:
        link.click()
    bundle, keys, verifier = (tmp_path / name for name in ("week.zip", "keys.json", "verify.py"))
    started.value.save_as(bundle)
    for path, address in ((keys, "/.well-known/agentops-audit-keys.json"), (verifier, "/audit-verifier.py")):
        path.write_bytes(page.request.get(f"{page.url.split('/t/')[0]}{address}").body())

    def verified() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-I", verifier, bundle, "--keys", keys],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    assert verified().returncode == 0, verified().stdout
    raw = bytearray(bundle.read_bytes())
    raw[len(raw) // 2] ^= 1
    bundle.write_bytes(raw)
    assert verified().returncode != 0
