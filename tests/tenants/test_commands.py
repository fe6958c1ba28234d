"""The commands of the outside contract (API.md)."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from agentops.common.scope import tenant_scope
from tenants import queries
from tenants.models import StaffAssignment, Tenant, User
from tests.world import PASSWORD, World


@pytest.fixture
def password(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    return PASSWORD


def run(*arguments: str) -> tuple[dict[str, Any], str]:
    """The JSON object on the last line of stdout, and stderr."""
    out, err = io.StringIO(), io.StringIO()
    call_command(*arguments, "--json", stdout=out, stderr=err)
    answer: dict[str, Any] = json.loads(out.getvalue().rstrip("\n").splitlines()[-1])
    return answer, err.getvalue()


TENANT = ("create_tenant", "initech", "--name", "Initech", "--plan", "free", "--owner", "Olga@Initech.example")


@pytest.mark.django_db
def test_create_tenant_answers_slug_id_and_owner(password: str) -> None:
    answer, _ = run(*TENANT, "--password-stdin")
    tenant = Tenant.objects.get()
    assert answer == {"tenant": "initech", "tenant_id": str(tenant.id), "owner": "olga@initech.example"}
    assert User.objects.get(email="olga@initech.example").check_password(password)


def test_create_tenant_twice_fails_and_says_why(world: World, password: str) -> None:
    with pytest.raises(CommandError, match="'acme' already"):
        run("create_tenant", "acme", "--name", "A", "--plan", "pro", "--owner", "o@acme.example", "--password-stdin")


@pytest.mark.django_db
def test_a_password_that_will_not_do_fails_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("1234\n"))
    with pytest.raises(CommandError, match="too short"):
        run(*TENANT, "--password-stdin")
    assert not Tenant.objects.exists()


@pytest.mark.django_db
def test_without_a_terminal_the_password_must_come_by_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    with pytest.raises(CommandError, match="--password-stdin"):
        run(*TENANT)


def test_create_member_makes_an_account_that_can_sign_in(world: World, password: str) -> None:
    answer, _ = run("create_member", "acme", "new@acme.example", "--role", "approver", "--password-stdin")
    assert answer["role"] == "approver" and answer["new_account"] is True
    assert User.objects.get(email="new@acme.example").check_password(password)


def test_create_member_says_that_an_existing_account_keeps_its_password(world: World, password: str) -> None:
    answer, said = run("create_member", "acme", world.cleo.email, "--role", "auditor", "--password-stdin")
    assert answer["new_account"] is False
    assert "was not changed" in said


def test_create_member_twice_fails_and_says_why(world: World, password: str) -> None:
    with pytest.raises(CommandError, match="already, as admin"):
        run("create_member", "acme", world.ben.email, "--role", "admin", "--password-stdin")


def test_create_member_of_no_organisation_fails_and_says_why(world: World, password: str) -> None:
    with pytest.raises(CommandError, match="no organisation called 'nowhere'"):
        run("create_member", "nowhere", "new@acme.example", "--role", "admin", "--password-stdin")


@pytest.mark.django_db
def test_create_staff_gives_all_roles_named(password: str) -> None:
    answer, _ = run("create_staff", "sue@agentops.example", "--roles", "on_call, tool_reviewer", "--password-stdin")
    assert answer == {"email": "sue@agentops.example", "roles": ["on_call", "tool_reviewer"]}
    assert set(StaffAssignment.objects.values_list("role", flat=True)) == {"on_call", "tool_reviewer"}


def test_create_api_key_shows_the_key_once(world: World) -> None:
    answer, _ = run("create_api_key", "acme", "--scopes", "ingest,read")
    assert set(answer) == {"key", "id", "scopes"}
    assert answer["key"].startswith("aok_") and answer["scopes"] == ["ingest", "read"]
    with tenant_scope(world.acme.id):
        assert answer["id"] in {str(key.id) for key in queries.keys(world.acme.id)}
    [entry] = world.acme.entries()
    assert entry.action == "api_key.created" and entry.actor_type == "system"


def test_create_api_key_refuses_guard_with_present(world: World) -> None:
    with pytest.raises(CommandError, match="confirm its own actions"):
        run("create_api_key", "acme", "--scopes", "guard,present")
