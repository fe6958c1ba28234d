"""One embedded Valkey: broker and cache on a Unix socket, with an append-only file so that loss is rare."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from agentops import env
from agentops.portal.engines import binaries, processes, stop_request
from agentops.portal.engines.errors import EngineError
from agentops.portal.engines.processes import Account
from agentops.portal.engines.state import Layout

_PROGRAM = "valkey-server"
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
_LOADING_SECONDS = 60.0


class Valkey:
    """The server on `layout.valkey`, with its socket in `run_dir`. No TCP port: that would have no password."""

    def __init__(self, layout: Layout, run_dir: Path, *, account: Account | None, durable: bool) -> None:
        self.data = layout.valkey
        self.socket = run_dir / env.VALKEY_SOCKET
        self.log = layout.log / "valkey.log"
        self._account = account
        self._durable = durable
        self._program = binaries.valkey_server(account)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def launch(self) -> None:
        """Start the server without waiting for it. Call it from the main thread: the server ends with that thread."""
        self.data.mkdir(mode=0o700, exist_ok=True)
        if self._account:
            os.chown(self.data, self._account.uid, self._account.gid)
        # The caller holds the lock of the data directory: what runs here was left by a crash.
        processes.end(processes.running_in(self.data, _PROGRAM), signal.SIGTERM, within=3.0)
        processes.end(processes.running_in(self.data, _PROGRAM))
        self._process = processes.spawn(
            [self._program, *self._options()], log=self.log, environment=_ENVIRONMENT, account=self._account
        )

    def wait_ready(self) -> None:
        """Return when the server answers a PING. Raises EngineError with its last words when it does not come up."""
        deadline = time.monotonic() + _LOADING_SECONDS
        while not self._answers():
            stop_request.heed()
            if not self.is_running():
                last = "\n".join(self.log.read_text(errors="replace").strip().splitlines()[-5:])
                raise EngineError(
                    f"Valkey does not start; it holds no fact, so if its files are damaged remove {self.data} and start again. "
                    f"Its last words:\n{last}"
                )
            if time.monotonic() > deadline:
                raise EngineError(f"Valkey is not ready after {_LOADING_SECONDS:.0f} s; see {self.log}.")
            time.sleep(0.01)

    def stop(self) -> None:
        """Write the append-only file out and end."""
        if self._process is not None:
            processes.stop(self._process, [(signal.SIGTERM, 10.0)])
            self._process = None

    def _options(self) -> list[str]:
        # noeviction: evicting a queue would lose tasks without a word.
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.data),
            "daemonize": "no",
            "save": "",
            "appendonly": "yes" if self._durable else "no",
            "appendfsync": "everysec",
            "maxmemory-policy": "noeviction",
            "databases": "2",
        }
        return [word for name, value in options.items() for word in (f"--{name}", value)]

    def _answers(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(1.0)
                connection.connect(str(self.socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False
