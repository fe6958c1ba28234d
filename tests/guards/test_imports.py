"""Imports point down: the ladder (pyproject.toml, import-linter) and the rules about single files."""

from __future__ import annotations

import functools
import re
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("agentops", "tenants", "audit", "evals", "incidents")
INTERFACE = {"views", "api", "tasks", "urls", "forms", "admin", "management"}
WIRING = {f"agentops.{name}" for name in ("apps", "celery", "middleware", "settings", "urls", "wsgi")}


@functools.cache
def graph() -> grimp.ImportGraph:
    return grimp.build_graph(*PACKAGES, include_external_packages=True, exclude_type_checking_imports=True)


def app_of(module: str) -> str:
    """`agentops.traces` of `agentops.traces.api`; `tenants` of `tenants.views.keys`."""
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "agentops" else parts[0]


def part_of(module: str) -> str:
    """`api` of `agentops.traces.api`: what a file of an app is for."""
    rest = module.removeprefix(app_of(module)).strip(".")
    return rest.split(".")[0]


def imports() -> list[tuple[str, str]]:
    return [
        (importer, imported)
        for importer in sorted(graph().modules)
        if importer.split(".")[0] in PACKAGES
        for imported in sorted(graph().find_modules_directly_imported_by(importer))
    ]


def test_the_ladder_holds() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_nobody_imports_the_pages_commands_and_tasks_of_an_app() -> None:
    wrong = [
        f"{importer} -> {imported}"
        for importer, imported in imports()
        if imported.split(".")[0] in PACKAGES
        and part_of(imported) in INTERFACE
        and not (app_of(importer) == app_of(imported) and part_of(importer) in INTERFACE)
        and importer not in WIRING
    ]
    assert wrong == []


def test_nobody_imports_the_wiring() -> None:
    wrong = [
        f"{importer} -> {imported}" for importer, imported in imports() if imported in WIRING and importer not in WIRING
    ]
    assert wrong == []


def test_models_are_imported_inside_their_own_app() -> None:
    """To name a row's type (`if TYPE_CHECKING`) is no use of it."""
    wrong = [
        f"{importer} -> {imported}"
        for importer, imported in imports()
        if imported.split(".")[0] in PACKAGES
        and part_of(imported) == "models"
        and app_of(imported) != app_of(importer)
        and app_of(imported) != "agentops.common"
        and app_of(imported) != "agentops.models"
    ]
    assert wrong == [], "use the app's queries, services, types and errors"


def test_guardian_is_known_to_one_module_and_to_models() -> None:
    users = {importer for importer, imported in imports() if imported.split(".")[0] == "guardian"}
    assert {user for user in users if part_of(user) != "models"} == {"tenants.access"}


@pytest.mark.parametrize(
    ("pattern", "where"),
    [
        (r"SET (LOCAL )?(SESSION )?(app\.|ROLE)|set_config\(", {"agentops/common/scope.py"}),
        (r"ATOMIC_REQUESTS|DISABLE ROW LEVEL|NO FORCE ROW LEVEL", set()),
    ],
)
def test_what_opens_a_scope_stands_in_one_file(pattern: str, where: set[str]) -> None:
    found = set()
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*.py"):
            code = re.sub(r'""".*?"""|#.*', "", file.read_text(), flags=re.S)
            if re.search(pattern, code):
                found.add(str(file.relative_to(ROOT)))
    assert found <= where
