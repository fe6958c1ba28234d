"""One embedded PostgreSQL: prepared, started in the foreground under us, recovered after crashes, stopped."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from agentops import env
from agentops.portal.engines import binaries, processes, stop_request, tuning
from agentops.portal.engines.errors import EngineError
from agentops.portal.engines.processes import Account
from agentops.portal.engines.state import Layout

SUPERUSER = "postgres"

_PROGRAM = "postgres"
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
_PATIENCE_SECONDS = 15.0  # for what passes by itself: the last backend of a crash, a zombie not yet reaped
_RECOVERY_SECONDS = 600.0  # replaying the log after a crash may take long; it is not a failure
_SPACE_NEEDED = 256 * 1024 * 1024
_PASSES_BY_ITSELF = ("pre-existing shared memory block", 'lock file "postmaster.pid" already exists')
_REASONS = {
    "No space left on device": "the disk is full. Free some space and start again",
    "could not create shared memory segment": "the machine grants too little shared memory (see `ipcs -l`)",
    "Permission denied": "its user may not read or write there (are all files still owned by the same user?)",
    "could not locate a valid checkpoint record": "its files are damaged; restore them from a backup",
}


class Postgres:
    """The server on `layout.postgres`, with its socket in `run_dir`."""

    def __init__(self, layout: Layout, run_dir: Path, *, account: Account | None, own_user: str, durable: bool) -> None:
        self.data = layout.postgres
        self.run_dir = run_dir
        self.log = layout.log / "postgres.log"
        self._account = account
        self._own_user = own_user
        self._durable = durable
        self._programs = binaries.postgres_programs(account)
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def params(self, user: str, dbname: str = env.DATABASE_NAME) -> dict[str, Any]:
        """Parameters of ``psycopg.connect`` for one of the roles."""
        return {
            "host": str(self.run_dir),
            "port": env.POSTGRES_PORT,
            "dbname": dbname,
            "user": user,
            "password": "",
        }

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def launch(self) -> None:
        """Start the server without waiting for it; first the cluster itself, if there is none yet.

        Call it from the main thread: the server ends with the thread that started it.
        """
        self._require_space()
        if self._exists():
            self._require_same_major()
        else:
            self._make_cluster()
        tuning.write_configuration(
            self.data,
            run_dir=self.run_dir,
            own_user=self._own_user,
            roles=(env.APP_ROLE, env.OWNER_ROLE, SUPERUSER),
            has_lz4="--with-lz4" in self._output("pg_config", "--configure"),
            durable=self._durable,
        )
        self._launch()

    def wait_ready(self) -> None:
        """Return when the server accepts connections. Raises EngineError with the reason when it does not come up."""
        give_up_retrying = time.monotonic() + _PATIENCE_SECONDS
        deadline = time.monotonic() + _RECOVERY_SECONDS
        while not self._says_ready():
            stop_request.heed()
            if not self.is_running():
                said = self._said()
                if time.monotonic() > give_up_retrying or not any(sign in said for sign in _PASSES_BY_ITSELF):
                    raise self._failure(said)
                time.sleep(0.2)
                self._launch()
            elif time.monotonic() > deadline:
                raise EngineError(f"PostgreSQL is not ready after {_RECOVERY_SECONDS:.0f} s; see {self.log}.")
            time.sleep(0.01)

    def stop(self) -> None:
        """Roll open transactions back, write a checkpoint, end. What does not obey is killed: nothing committed is lost."""
        if self._process is not None:
            processes.stop(self._process, [(signal.SIGINT, 60.0), (signal.SIGQUIT, 5.0)])
            self._process = None
        processes.end(processes.running_in(self.data, _PROGRAM))

    # -- starting ---------------------------------------------------------------------------------------------------------

    def _launch(self) -> None:
        self._clear_leftovers()
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        self._process = processes.spawn(
            [self._programs / _PROGRAM, "-D", self.data],
            log=self.log,
            environment=_ENVIRONMENT,
            account=self._account,
            when_parent_dies=signal.SIGINT,
        )

    def _clear_leftovers(self) -> None:
        """End the servers of an earlier, crashed start; the caller holds the lock, so nobody's living server is here.

        A backend that computes does not notice that its postmaster is gone, and as long as it lives PostgreSQL refuses
        to start. A postmaster that is shutting down by itself (its starter died) gets the time to finish.
        """
        left = processes.running_in(self.data, _PROGRAM)
        if left and self._recorded_pid() in left:
            processes.end([self._recorded_pid()], signal.SIGINT, within=5.0)
            left = processes.running_in(self.data, _PROGRAM)
        if left and not processes.end(left):
            raise EngineError(f"Processes {left} of an earlier PostgreSQL on {self.data} cannot be ended.")
        recorded = self._recorded_pid()
        if recorded and not (processes.is_running(recorded) and processes.program_of(recorded) == _PROGRAM):
            # PostgreSQL asks only whether the pid exists, and a zombie or a stranger with the same number does.
            (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _recorded_pid(self) -> int:
        lines = self._pid_file()
        return int(lines[0]) if lines and lines[0].strip().isdigit() else 0

    def _says_ready(self) -> bool:
        lines = self._pid_file()
        return len(lines) >= 8 and lines[7].strip() == "ready" and lines[0].strip() == str(self.pid)

    def _pid_file(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    # -- the cluster ------------------------------------------------------------------------------------------------------

    def _exists(self) -> bool:
        try:
            return (self.data / "PG_VERSION").exists()
        except PermissionError:
            raise EngineError(f"{self.data} belongs to another user; run `up` as the user who made it.") from None

    def _make_cluster(self) -> None:
        """Run initdb beside the final place and rename: an interrupted one leaves nothing that looks finished."""
        draft = self.data.with_name("postgres.new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        if self._account:
            os.chown(draft, self._account.uid, self._account.gid)
        command: list[str | Path] = [
            self._programs / "initdb",
            "-D",
            draft,
            "-U",
            SUPERUSER,
            "--encoding=UTF8",
            "--locale=C.UTF-8",
        ]
        command += ["--auth-local=peer", "--auth-host=reject", "--no-instructions"]
        command += [] if self._durable else ["--no-sync"]
        made = processes.run(command, environment=_ENVIRONMENT, account=self._account, meanwhile=stop_request.heed)
        if made.returncode != 0:
            raise self._failure(made.stdout + made.stderr)
        draft.rename(self.data)

    def _require_same_major(self) -> None:
        theirs = (self.data / "PG_VERSION").read_text().strip()
        ours = self._output(_PROGRAM, "--version").split()[-1]
        if theirs != ours.partition(".")[0]:
            raise EngineError(
                f"{self.data} was made by PostgreSQL {theirs}; this is {ours}. Dump it with that version (pg_dumpall) "
                "and load it here, move it with pg_upgrade, or choose another --data-dir."
            )

    def _require_space(self) -> None:
        free = shutil.disk_usage(self.data.parent).free
        if free < _SPACE_NEEDED:
            raise EngineError(
                f"The disk of {self.data.parent} has {free // 2**20} MB left, PostgreSQL needs {_SPACE_NEEDED // 2**20} MB. "
                "Free some space or choose another --data-dir."
            )

    def _output(self, program: str, argument: str) -> str:
        return processes.run([self._programs / program, argument], environment=_ENVIRONMENT).stdout

    # -- telling why ------------------------------------------------------------------------------------------------------

    def _said(self) -> str:
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def _failure(self, said: str) -> EngineError:
        for sign, reason in _REASONS.items():
            if sign in said:
                return EngineError(f"PostgreSQL on {self.data} does not start: {reason}. Its log: {self.log}")
        last = "\n".join(said.strip().splitlines()[-5:])
        return EngineError(f"PostgreSQL on {self.data} does not start. Its last words:\n{last}")
