"""`manage.py apply_manifest`"""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from tests.world import World

EXAMPLE = Path(__file__).with_name("example.yaml")


@pytest.fixture
def run(world: World) -> Callable[..., tuple[str, str]]:
    def ran(*arguments: object) -> tuple[str, str]:
        out, err = StringIO(), StringIO()
        call_command("apply_manifest", *map(str, arguments), stdout=out, stderr=err)
        return out.getvalue(), err.getvalue()

    return ran


Run = Callable[..., tuple[str, str]]


def test_a_file_is_applied_and_its_last_line_is_json(world: World, run: Run) -> None:
    out, err = run(EXAMPLE, "--tenant", "acme", "--json")
    answer: dict[str, Any] = json.loads(out.splitlines()[-1])
    assert (answer["agent"], answer["version"], answer["approved"]) == ("support-bot", "2026-11-20", False)
    assert answer["tools"][0]["review"] == "pending"
    assert err == ""


def test_the_operator_approves_with_a_flag_and_is_named(world: World, run: Run) -> None:
    run(EXAMPLE, "--tenant", "acme")
    out, _ = run(EXAMPLE, "--tenant", "acme", "--approve-tools", "--json")
    answer = json.loads(out.splitlines()[-1])
    assert answer["approved"] and answer["tools"][0]["review"] == "approved"
    reviewed = next(entry for entry in world.acme.entries() if entry.action == "tool_version.reviewed")
    assert reviewed.actor_id.startswith("cli:")
    again, _ = run(EXAMPLE, "--tenant", "acme", "--approve-tools")
    assert "stands so already. It is approved." in again


def test_what_waits_is_told(world: World, run: Run) -> None:
    out, _ = run(EXAMPLE, "--tenant", "acme")
    assert "It is not approved yet. Tools that wait for review: refund." in out


def test_a_json_file_is_read_strictly(world: World, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "agent.json"
    file.write_text('{"agent": 1, "agent": 2}')
    with pytest.raises(CommandError, match="twice"):
        run(file, "--tenant", "acme")


def test_every_problem_is_told_with_its_place(world: World, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "agent.yaml"
    file.write_text(
        EXAMPLE.read_text().replace("effect: charge", "effect: burn").replace("tokens: 200000", "tokens: x")
    )
    with pytest.raises(CommandError) as refusal:
        run(file, "--tenant", "acme")
    assert [line.partition(":")[0] for line in str(refusal.value).splitlines()] == [
        "/agent/caps/tokens",
        "/tools/0/effect",
    ]
    assert world.acme.actions() == []


def test_a_floating_model_is_warned_of(world: World, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "agent.yaml"
    file.write_text(EXAMPLE.read_text().replace("claude-sonnet-4-5-20250929", "claude-sonnet-4-5"))
    out, err = run(file, "--tenant", "acme", "--json")
    assert "/agent/models/0" in err
    assert json.loads(out.splitlines()[-1])["warnings"][0]["code"] == "floating_model"


def test_an_organisation_or_a_file_that_is_not_there_is_told(world: World, run: Run, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="nowhere"):
        run(EXAMPLE, "--tenant", "nowhere")
    with pytest.raises(CommandError, match="cannot be read"):
        run(tmp_path / "none.yaml", "--tenant", "acme")
    with pytest.raises(CommandError, match="cannot be read"):
        run(tmp_path, "--tenant", "acme")
