"""Child processes: started so that none outlives us, stopped in steps, found again after a crash.

Linux only. A pid alone proves nothing (it may be a zombie, or reused), so the questions here go to /proc.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36
_LEASH = Path(__file__).with_name("leash.py")
_POLL_SECONDS = 0.01
_MEANWHILE_SECONDS = 0.1


@dataclass(frozen=True)
class Account:
    """A system user to run a process as."""

    name: str
    uid: int
    gid: int


def spawn(
    argv: Sequence[str | Path],
    *,
    log: Path,
    environment: Mapping[str, str],
    account: Account | None = None,
    cwd: Path | str = "/",
    when_parent_dies: signal.Signals = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start a child in its own session (a Ctrl-C at the terminal reaches only us), its output appended to `log`.

    The kernel sends it `when_parent_dies` when the *thread* that called this ends: call it from the main thread.
    """
    become = f"{account.uid}:{account.gid}" if account else "-"
    leash = [sys.executable, "-IS", str(_LEASH), str(os.getpid()), str(int(when_parent_dies)), become]
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603 - our own programs, no shell
            [*leash, *(str(word) for word in argv)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=cwd,
            env=dict(environment),
            start_new_session=True,
        )


def run(
    argv: Sequence[str | Path],
    *,
    environment: Mapping[str, str] | None = None,
    account: Account | None = None,
    meanwhile: Callable[[], None] = lambda: None,
) -> subprocess.CompletedProcess[str]:
    """Run a short program to its end and return its output; the caller judges the exit status.

    `meanwhile` is called while it runs; what that raises ends the program and all it has started. Like a `spawn`ed
    child it has its own session, so a Ctrl-C at the terminal does not reach it.
    """
    with subprocess.Popen(  # noqa: S603 - our own programs, no shell
        [str(word) for word in argv],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",
        env=None if environment is None else dict(environment),
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
        start_new_session=True,
    ) as process:
        try:
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    output, errors = process.communicate(timeout=_MEANWHILE_SECONDS)
                    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)
                meanwhile()
        except BaseException:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            raise


def stop(process: subprocess.Popen[bytes], steps: Sequence[tuple[signal.Signals, float]]) -> bool:
    """Send each signal and wait its seconds for the end; after the last, SIGKILL. True if SIGKILL was not needed."""
    for how, seconds in steps:
        if process.poll() is not None:
            return True
        process.send_signal(how)
        try:
            process.wait(seconds)
            return True
        except subprocess.TimeoutExpired:
            continue
    process.kill()
    process.wait()
    return False


def become_subreaper() -> None:
    """Make orphans among our descendants our children: they can be reaped and, at the end, counted and killed.

    Where process 1 does not reap (many containers), the zombie of an orphaned postmaster would keep "its" pid alive.
    """
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def reap_orphans(known: Iterable[int]) -> None:
    """Collect ended children that nobody waits for; those in `known` are left to their `Popen`."""
    for pid in set(children()) - set(known):
        try:
            os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            continue


def children(of: int | None = None) -> list[int]:
    """The direct children of a process (ours by default), zombies included."""
    parent = of or os.getpid()
    try:
        # Asked ten times a second: reading every process there is took a tenth of a core.
        tasks = os.listdir(f"/proc/{parent}/task")  # noqa: PTH208 - hot, and Path adds nothing
        return [int(pid) for task in tasks for pid in _text(f"/proc/{parent}/task/{task}/children").split()]
    except OSError:  # it is gone, or this kernel keeps no such list
        return [pid for pid in _pids() if (stat := _stat(pid)) and stat[1] == parent]


def is_running(pid: int) -> bool:
    """Does the process exist, and is it not a zombie."""
    stat = _stat(pid)
    return stat is not None and stat[0] not in "ZX"


def program_of(pid: int) -> str:
    """The file name of the program that a process runs; "" when it is gone or not ours to see."""
    try:
        return Path(f"/proc/{pid}/exe").readlink().name.removesuffix(" (deleted)")
    except OSError:
        return ""


def running_in(directory: Path, program: str) -> list[int]:
    """Processes of `program` whose working directory is `directory`: how a server's every process is found.

    The process group does not serve: each PostgreSQL backend leads its own.
    """
    wanted = os.path.realpath(directory)
    found = []
    for pid in _pids():
        try:
            where = str(Path(f"/proc/{pid}/cwd").readlink()).removesuffix(" (deleted)")
        except OSError:
            continue
        if where == wanted and program_of(pid) == program:
            found.append(pid)
    return found


def end(pids: Iterable[int], how: signal.Signals = signal.SIGKILL, *, within: float = 5.0) -> bool:
    """Signal processes that may not be our children and wait until they are gone (or zombies). True if all are."""
    waiting = list(pids)
    for pid in waiting:
        try:
            os.kill(pid, how)
        except ProcessLookupError:
            continue
    return wait_until(lambda: not any(is_running(pid) for pid in waiting), within)


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Poll until `condition` holds or the time is over."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 - hot, and Path adds nothing


def _text(path: str) -> str:
    with open(path) as file:  # noqa: PTH123 - hot, and Path adds nothing
        return file.read()


def _stat(pid: int) -> tuple[str, int] | None:
    """State letter and parent of a process; the name before them may hold spaces and parentheses."""
    try:
        state, parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
    except (OSError, ValueError):
        return None
    return state, int(parent)
