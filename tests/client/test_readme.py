"""Who has only the two READMEs gets a guarded run: the portal's manifest, and the client's first example, as they stand."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import openai
import pytest

from agentops.catalog import manifest, services
from agentops.common import clock
from agentops.common.scope import tenant_scope
from tests.client.conftest import PACKAGE
from tests.server import Portal
from tests.world import OPERATOR, World

ROOT = PACKAGE.parents[1]


def _block(path: Path, language: str, having: str) -> str:
    found = re.findall(rf"```{language}\n(.*?)```", path.read_text(), re.DOTALL)
    return next(block for block in found if having in block)


def test_the_first_example_runs_as_it_stands(
    live_portal: Portal, world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = manifest.load_yaml(_block(ROOT / "README.md", "yaml", "agent:").encode())
    with tenant_scope(world.acme.id):
        services.apply_manifest(
            tenant=world.acme.id, manifest=manifest.read(said), by=OPERATOR, at=clock.now(), approve_tools=True
        )
    asked: list[dict[str, Any]] = []

    def create(**request: Any) -> Any:
        asked.append(request)
        usage = SimpleNamespace(prompt_tokens=100, completion_tokens=20)
        return SimpleNamespace(usage=usage, choices=[SimpleNamespace(message=SimpleNamespace(content="Sorry."))])

    completions = SimpleNamespace(chat=SimpleNamespace(completions=SimpleNamespace(create=create)))
    monkeypatch.setattr(openai, "OpenAI", lambda: completions)
    monkeypatch.setenv("AGENTOPS_URL", live_portal.url)
    monkeypatch.setenv("AGENTOPS_KEY", world.acme.keys["guard"])
    example = _block(PACKAGE / "README.md", "python", "with client.run(")
    named: dict[str, Any] = {}
    exec(example.replace('"https://portal.example", "aok_…"', ""), named)  # noqa: S102
    named["client"].close()
    assert "Refused, nothing was done (out_of_scope)" in asked[0]["messages"][0]["content"]
    assert (named["plan"], capsys.readouterr().out) == ("Sorry.", "ok 0.000027\n")
