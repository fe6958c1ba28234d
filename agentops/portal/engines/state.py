"""What a data directory holds, and who may use it: paths, `state.json` and one lock."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agentops import env
from agentops.portal.engines import processes
from agentops.portal.engines.errors import EngineError

_LONGEST_SOCKET_PATH = 107  # bytes: sockaddr_un holds 108 with the closing NUL
_PATIENCE_SECONDS = 1.0


@dataclass(frozen=True)
class Layout:
    """The paths of a data directory."""

    root: Path

    @property
    def postgres(self) -> Path:
        return self.root / "postgres"

    @property
    def valkey(self) -> Path:
        return self.root / "valkey"

    @property
    def log(self) -> Path:
        return self.root / "log"

    @property
    def secrets(self) -> Path:
        return self.root / "secrets"

    @property
    def state(self) -> Path:
        return self.root / env.STATE_FILE

    @property
    def lock(self) -> Path:
        return self.root / "lock"


@dataclass(kw_only=True)
class State:
    """The content of `state.json`: read by every command to find the engines, and by the next start to tidy up."""

    run_dir: str
    opened_directories: list[str] = field(default_factory=list)

    def write(self, layout: Layout) -> None:
        """Replace the file in one step: a reader sees the old state or the new one."""
        draft = layout.state.with_suffix(".new")
        draft.write_text(json.dumps(vars(self), indent=1) + "\n")
        draft.replace(layout.state)


def read(layout: Layout) -> State | None:
    """The state of an earlier start; a damaged file counts as none, because a start writes it anew."""
    try:
        content: dict[str, Any] = json.loads(layout.state.read_text())
        return State(run_dir=content["run_dir"], opened_directories=list(content.get("opened_directories", [])))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def make_root(root: Path) -> Layout:
    """Make the data directory. Others may pass through it (the engines' own user must), not list it."""
    try:
        root.mkdir(mode=0o711, parents=True, exist_ok=True)
        layout = Layout(root.resolve())
        for private in (layout.log, layout.secrets):
            private.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise EngineError(f"The data directory {root} cannot be made: {error.strerror or error}.") from error
    return layout


def lock(layout: Layout) -> int:
    """Take the data directory for this process, and return the descriptor that holds it.

    The lock goes with the process, however it ends; children do not inherit it. A process that was just killed needs
    a moment to be gone, hence the patience.
    """
    try:
        descriptor = os.open(layout.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except PermissionError:
        raise EngineError(f"{layout.root} belongs to another user; run `up` as the user who made it.") from None
    if not processes.wait_until(lambda: _take(descriptor), _PATIENCE_SECONDS):
        holder = os.read(descriptor, 32).decode(errors="replace").strip()
        os.close(descriptor)
        raise EngineError(
            f"{layout.root} is in use by another `up` (process {holder or 'unknown'}). "
            "Stop that one, or choose another --data-dir."
        )
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def run_dir(layout: Layout, *, owner: int) -> Path:
    """The directory of the Unix sockets: in the data directory, or in the temporary one when that path is too long.

    The one of an earlier start is used again, so that long-running clients find the sockets where they were; but in
    the temporary directory, which is everyone's, only if it is still `owner`'s.
    """
    earlier = read(layout)
    if earlier and _claim(Path(earlier.run_dir), owner):
        return Path(earlier.run_dir)
    inside = layout.root / "run"
    if _is_short(inside) and _claim(inside, owner):
        return inside
    for parent in (tempfile.gettempdir(), "/tmp"):  # noqa: S108 - mkdtemp makes it safely
        if _is_short(Path(parent) / "agentops-12345678"):
            made = Path(tempfile.mkdtemp(prefix="agentops-", dir=parent))
            os.chown(made, owner, -1)
            return made
    raise EngineError(f"The path of the data directory is too long for a socket: {layout.root}. Choose a shorter one.")


def _claim(directory: Path, owner: int) -> bool:
    try:
        directory.mkdir(mode=0o700)
        os.chown(directory, owner, -1)
    except FileExistsError:
        status = directory.lstat()
        return directory.is_dir() and not directory.is_symlink() and status.st_uid == owner
    except OSError:
        return False
    return _is_short(directory)


def _is_short(directory: Path) -> bool:
    longest = directory / f".s.PGSQL.{env.POSTGRES_PORT}"
    return len(os.fsencode(longest)) <= _LONGEST_SOCKET_PATH
