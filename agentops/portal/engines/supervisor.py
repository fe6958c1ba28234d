"""Keeps a set of programs running: starts them, restarts what dies with growing pauses, stops them in order."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agentops.portal.engines import processes
from agentops.portal.engines.embedded import Running
from agentops.portal.engines.errors import EngineError

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.5, 30.0
_STEADY_SECONDS = 30.0  # who lives that long has started well, and its next pause is short again
_ORPHAN_SECONDS = 15.0  # what a killed program leaves behind may finish its work this long
_LOG_BYTES, _LOGS_KEPT = 10 * 1024 * 1024, 3


@dataclass(frozen=True)
class Program:
    """What to run. `stop_seconds` is how long SIGTERM may take; `level` orders the stop, lowest first."""

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_seconds: float = 10.0
    level: int = 0
    when_parent_dies: signal.Signals = signal.SIGTERM


@dataclass
class _Child:
    program: Program
    process: subprocess.Popen[bytes]
    started_at: float
    deaths: int = 0
    restart_at: float | None = None


class Supervisor:
    """The parent of the programs and of the engines. All its methods belong to the main thread."""

    def __init__(self, *, log: Path, cwd: Path, engines: Running | None, say: Callable[[str], None]) -> None:
        self._log = log
        self._cwd = cwd
        self._engines = engines
        self._say = say
        self._children: list[_Child] = []
        self._orphans: dict[int, float] = {}
        processes.become_subreaper()

    def start(self, program: Program) -> None:
        """Start a program, and keep it running from now on."""
        rotate(self._log_of(program))
        self._children.append(_Child(program, self._spawn(program), time.monotonic()))

    def look(self) -> None:
        """One round: note deaths, restart what is due, revive the engines, collect orphans. Call it often."""
        self._revive_engines()
        now = time.monotonic()
        for child in self._children:
            if child.restart_at is not None:
                if now >= child.restart_at:
                    child.process, child.started_at, child.restart_at = self._spawn(child.program), now, None
            elif child.process.poll() is not None:
                self._note_death(child, now)
        self._collect_orphans(now)

    def deaths(self) -> dict[str, int]:
        """How often each program died in a row, for those that did."""
        return {child.program.name: child.deaths for child in self._children if child.deaths}

    def last_words(self, name: str, lines: int = 8) -> str:
        """The end of a program's log."""
        text = (self._log / f"{name}.log").read_text(errors="replace")
        return "\n".join(text.strip().splitlines()[-lines:])

    def stop(self) -> None:
        """Stop the programs level by level, then Valkey, then PostgreSQL; and whatever they left behind."""
        for level in sorted({child.program.level for child in self._children}):
            self._stop_together([child for child in self._children if child.program.level == level])
        if self._engines:
            self._engines.stop()
        for _ in range(20):  # an orphan's own children become ours when it ends
            left = processes.children()
            if not left:
                break
            processes.end(left, within=1.0)
            processes.reap_orphans(())

    def _spawn(self, program: Program) -> subprocess.Popen[bytes]:
        return processes.spawn(
            program.argv,
            log=self._log_of(program),
            environment={**os.environ, **program.environment},
            when_parent_dies=program.when_parent_dies,
            cwd=self._cwd,
        )

    def _log_of(self, program: Program) -> Path:
        return self._log / f"{program.name}.log"

    def _note_death(self, child: _Child, now: float) -> None:
        child.deaths = 1 if now - child.started_at > _STEADY_SECONDS else child.deaths + 1
        pause = min(_FIRST_PAUSE_SECONDS * 2 ** (child.deaths - 1), _LONGEST_PAUSE_SECONDS)
        child.restart_at = now + pause
        ended = _how_it_ended(child.process.returncode)
        self._say(f"{child.program.name} {ended}; again in {pause:g} s (see {self._log_of(child.program)})")

    def _revive_engines(self) -> None:
        if self._engines is None:
            return
        for name, engine in (("PostgreSQL", self._engines.postgres), ("Valkey", self._engines.valkey)):
            if engine.is_running():
                continue
            self._say(f"{name} has ended; starting it again")
            try:
                engine.launch()
                engine.wait_ready()
            except EngineError as error:
                self._say(str(error))
                time.sleep(1.0)
            else:
                self._say(f"{name} answers again")

    def _collect_orphans(self, now: float) -> None:
        known = {child.process.pid for child in self._children}
        if self._engines:
            known |= {pid for pid in (self._engines.postgres.pid, self._engines.valkey.pid) if pid}
        processes.reap_orphans(known)
        orphans = set(processes.children()) - known
        self._orphans = {pid: self._orphans.get(pid, now) for pid in orphans}
        processes.end([pid for pid, since in self._orphans.items() if now - since > _ORPHAN_SECONDS], within=0.0)

    def _stop_together(self, children: list[_Child]) -> None:
        running = [child for child in children if child.process.poll() is None]
        for child in running:
            child.process.send_signal(signal.SIGTERM)
        started = time.monotonic()
        for child in running:
            left = child.program.stop_seconds - (time.monotonic() - started)
            try:
                child.process.wait(max(0.0, left))
            except subprocess.TimeoutExpired:
                self._say(f"{child.program.name} does not stop; killing it")
                processes.stop(child.process, [(signal.SIGQUIT, 2.0)])


def rotate(log: Path) -> None:
    """Move a log that has grown large aside (`.1` is the newest of the old); done at start, when nobody writes."""
    if not log.exists() or log.stat().st_size < _LOG_BYTES:
        return
    for number in range(_LOGS_KEPT - 1, 0, -1):
        older = log.with_name(f"{log.name}.{number}")
        if older.exists():
            older.replace(log.with_name(f"{log.name}.{number + 1}"))
    log.replace(log.with_name(f"{log.name}.1"))


def _how_it_ended(status: int) -> str:
    return f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
