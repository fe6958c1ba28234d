"""The programs of `up`: web, three kinds of worker, beat, and in a demo the traffic."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from urllib.parse import urlsplit

from agentops import env
from agentops.common.queues import Queue
from agentops.portal.engines.supervisor import Program

_KEEP_ALIVE_SECONDS = 75
_GRACEFUL_SECONDS = 10
_ASKING_THREADS = 16  # each keeps a connection of the database once it was needed; suites take 12 (evals/tasks/sets.py)
_WEB, _WORKERS, _BEAT = 0, 1, 2  # the order of the stop
_NO_CHECKS = {"CELERY_SKIP_CHECKS": "1"}  # three programs would import every page of the product to look at its URLs
_CELERY = (sys.executable, "-m", "celery", "-A", "agentops.celery")
_QUIET = ("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=INFO")


def web(host: str, port: int) -> Program:
    """gunicorn with threads: most requests wait for PostgreSQL.

    Loaded once, before the processes part: they start sooner, and one that was killed is there again at once.
    """
    workers = env.env_int("AGENTOPS_WEB_WORKERS", 2, at_least=1)
    threads = env.env_int("AGENTOPS_WEB_THREADS", 4, at_least=1)
    heartbeat = "/dev/shm" if Path("/dev/shm").is_dir() else "/tmp"  # noqa: S108 - gunicorn makes its file safely
    bind = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    options = {
        "bind": bind,
        "worker-class": "gthread",
        "workers": str(workers),
        "threads": str(threads),
        "keep-alive": str(_KEEP_ALIVE_SECONDS),
        "graceful-timeout": str(_GRACEFUL_SECONDS),
        "timeout": "60",
        "worker-tmp-dir": heartbeat,
        "log-level": "warning",
    }
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    argv = [sys.executable, "-m", "gunicorn", *words, "--preload", "--no-control-socket", "agentops.wsgi:application"]
    return Program("web", argv, {"AGENTOPS_PROCESS": "agentops-web"}, stop_seconds=_GRACEFUL_SECONDS + 3.0, level=_WEB)


def worker() -> Program:
    """The workers of the queues that have none of their own, as the application's role."""
    queues = ",".join(queue.value for queue in Queue if queue not in (Queue.MAINTENANCE, Queue.JUDGING))
    concurrency = env.env_int("AGENTOPS_WORKER_CONCURRENCY", 2, at_least=1)
    argv = [*_CELERY, "worker", "-n", "worker@%h", "-Q", queues, f"--concurrency={concurrency}", *_QUIET]
    return _worker("worker", argv, {"AGENTOPS_PROCESS": "agentops-worker", **_NO_CHECKS})


def judges() -> Program:
    """The worker that asks judges and agents' addresses, and waits for them: a thread each, so that none waits for another."""
    pool = ("--pool=threads", f"--concurrency={_ASKING_THREADS}")
    argv = [*_CELERY, "worker", "-n", "judges@%h", "-Q", Queue.JUDGING.value, *pool, *_QUIET]
    return _worker("judges", argv, {"AGENTOPS_PROCESS": "agentops-judges", **_NO_CHECKS})


def maintenance() -> Program:
    """The one worker that connects as the owner of the tables."""
    argv = [*_CELERY, "worker", "-n", "maintenance@%h", "-Q", Queue.MAINTENANCE.value, "--pool=solo", *_QUIET]
    environment = {"AGENTOPS_ROLE": "maintenance", "AGENTOPS_PROCESS": "agentops-maintenance", **_NO_CHECKS}
    return _worker("maintenance", argv, environment)


def _worker(name: str, argv: list[str], environment: dict[str, str]) -> Program:
    """A worker without a parent is killed: asked to stop while its pool is still starting, Celery waits for that for ever
    (billiard's `Pool.join`), and what a task had claimed is found by its sweep. The pool's processes end with it."""
    return Program(name, argv, environment, level=_WORKERS, when_parent_dies=signal.SIGKILL)


def beat() -> Program:
    """The clock that sends the periodic tasks."""
    argv = [*_CELERY, "beat", "--pidfile=", "--loglevel=WARNING"]
    return Program("beat", argv, {"AGENTOPS_PROCESS": "agentops-beat", **_NO_CHECKS}, stop_seconds=5.0, level=_BEAT)


def beside(port: int, above: int) -> int:
    """The port of something that belongs to the portal at `port`: so many above it, or below where there is no room."""
    return port + above if port + above < 65_000 else port - above


def pager_port(base_url: str) -> int:
    """Where the pager of drills listens, which play on the portal at this address. Raises ValueError."""
    port = urlsplit(base_url).port
    if port is None:
        raise ValueError(f"{base_url} names no port, so give --pager-port")
    return beside(port, 2_000)


def demo_traffic(base_url: str) -> Program:
    """Simulated agents, which speak to the web like any customer's; they stop first."""
    argv = [sys.executable, "manage.py", "demo_traffic", "--base-url", base_url]
    return Program("demo", argv, stop_seconds=5.0, level=_WEB - 1)


def demo_responders() -> Program:
    """The demo's own people, who look at what its agents do; they stop with the traffic."""
    return Program("demo people", [sys.executable, "manage.py", "demo_responders"], stop_seconds=5.0, level=_WEB - 1)


def judge_stub(port: int) -> Program:
    """The demo's judge: plain rules behind an address, and no model."""
    argv = [sys.executable, "manage.py", "judge_stub", "--port", str(port)]
    return Program("judge stub", argv, stop_seconds=3.0, level=_WEB - 1)
