"""The client is a distribution of its own, and stands on its own."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.client.conftest import PACKAGE

ROOT = PACKAGE.parents[1]
PROJECT = tomllib.loads((PACKAGE / "pyproject.toml").read_text())
FILES = sorted(file for file in PACKAGE.rglob("*.py") if "build" not in file.parts)
EXTRA_OF = {  # what a module may import beyond the distribution's dependencies, and the extra that brings it
    "tracing.py": ("opentelemetry", "otel"),
    "adapters/pydantic_ai.py": ("pydantic_ai|pydantic_core", "pydantic-ai"),
    "adapters/openai_agents.py": ("agents", "openai-agents"),
    "adapters/evals_pydantic_ai.py": ("pydantic_ai|pydantic_core", "pydantic-ai"),
    "adapters/evals_openai_agents.py": ("agents", "openai-agents"),
    "adapters/langchain.py": ("langchain|langchain_core|langgraph", "langchain"),
    "adapters/mcp.py": ("mcp|mcp_types", "mcp"),
}


def test_every_package_on_disk_is_in_the_distribution() -> None:
    mapped = PROJECT["tool"]["setuptools"]["package-dir"]
    assert sorted(mapped) == sorted(PROJECT["tool"]["setuptools"]["packages"])
    on_disk = {str(file.parent.relative_to(PACKAGE)) for file in FILES}
    assert {str(Path(place)) for place in mapped.values()} == on_disk


def test_the_portals_distribution_leaves_the_client_out() -> None:
    portal = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "agentops.client*" in portal["tool"]["setuptools"]["packages"]["find"]["exclude"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_module_imports_the_standard_library_its_dependencies_and_its_own_framework(file: Path) -> None:
    declared = {re.split(r"[><=\[]", item)[0] for item in PROJECT["project"]["dependencies"]}
    framework, extra = EXTRA_OF.get(str(file.relative_to(PACKAGE)), ("(?!)", ""))
    assert not extra or extra in PROJECT["project"]["optional-dependencies"]
    for node in ast.walk(ast.parse(file.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [str(node.module)]
        for name in names:
            top = name.split(".")[0]
            assert top in sys.stdlib_module_names or top in declared or re.fullmatch(framework, top), name


def test_importing_it_loads_no_framework_and_nothing_of_the_portal(tmp_path: Path) -> None:
    (tmp_path / "agentops_client").symlink_to(PACKAGE)
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import agentops_client, agentops_client.permits, agentops_client.evals;"
        "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True, cwd="/", env={}
    )
    loaded = set(done.stdout.split())
    assert "agentops_client" in loaded
    assert not loaded & {"django", "agentops", "tenants", "pydantic_ai", "agents", "langchain", "langgraph", "mcp"}


def test_the_audit_logs_verifier_is_the_one_of_the_portal() -> None:
    assert (PACKAGE / "verifier.py").resolve() == ROOT / "audit" / "verifier.py"
    assert PROJECT["project"]["scripts"] == {"agentops-audit-verify": "agentops_client.verifier:main"}
