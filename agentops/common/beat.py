"""A Celery beat that may run several times at once: one leads, the others stand by.

The leader is the one that holds an advisory lock in PostgreSQL, on a connection of its own: it goes with the
connection, so a killed leader is followed within a second. (A lock in the broker goes with the broker, which may lose
everything.) The schedule lives in memory: tasks look at rows to see what is due, so an extra run is harmless.
"""

from __future__ import annotations

import logging
from typing import Any

import psycopg
from celery.beat import Scheduler
from celery.schedules import schedule as interval

logger = logging.getLogger(__name__)

_LOCK = 0x6167_6F70_7362_6561  # "agopsbea"
_KEEPALIVES = "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3"


class Leadership:
    """A session-level advisory lock. The connection must be direct: behind a transaction pooler it means nothing."""

    def __init__(self, params: dict[str, Any]) -> None:
        # The server too must notice a lost host, or its lock would stay until the next restart.
        self._params: dict[str, Any] = {
            "connect_timeout": 3,
            "application_name": "agentops-beat",
            "options": _KEEPALIVES,
        } | params
        self._connection: psycopg.Connection[Any] | None = None
        self._is_leader = False

    def is_held(self) -> bool:
        """Do we lead: checked with the server each time, taken if it is free."""
        try:
            if self._connection is None:
                self._connection = psycopg.connect(**self._params, autocommit=True)
            if self._is_leader:
                self._connection.execute("SELECT 1")
            else:
                row = self._connection.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK]).fetchone()
                self._is_leader = bool(row and row[0])
                if self._is_leader:
                    logger.info("this beat leads now")
        except psycopg.Error as error:
            logger.warning("beat cannot ask PostgreSQL who leads, so it pauses: %s", error)
            self.release()
        return self._is_leader

    def release(self) -> None:
        """Let go of the lock, by closing the connection."""
        self._is_leader = False
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class LeaderScheduler(Scheduler):
    """Celery's scheduler, ticking only while it leads. `params` of the connection come from ``beat_leader_database``."""

    max_interval = 1
    producer = None  # the default one waits for the broker for minutes, and keeps a dead connection

    def __init__(self, app: Any, *args: Any, **kwargs: Any) -> None:
        self._leadership = Leadership(app.conf["beat_leader_database"])
        super().__init__(app, *args, **kwargs)

    def setup_schedule(self) -> None:
        """Take `beat_schedule`; a message that no worker took within its period expires, so none pile up."""
        for name, given in self.app.conf.beat_schedule.items():
            if given["task"] not in self.app.tasks:
                raise LookupError(f"beat_schedule names the task {given['task']!r}, and there is none")
            entry = self.Entry(**given, name=name, app=self.app)
            if isinstance(entry.schedule, interval):
                entry.options.setdefault("expires", entry.schedule.run_every.total_seconds())
                # Nobody remembers when it last ran, and a long period might never pass between two restarts.
                entry.last_run_at -= entry.schedule.run_every
            self.schedule[name] = entry

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Run what is due; returns the seconds to the next look, at most one."""
        if not self._leadership.is_held():
            return 1.0
        return min(float(super().tick(*args, **kwargs)), 1.0)

    def close(self) -> None:
        self._leadership.release()
        super().close()
