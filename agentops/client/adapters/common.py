"""What the adapters share."""

from __future__ import annotations

from ..aclient import AsyncRun
from ..client import Run
from ..errors import Aborted, NoRun, Rejected
from ..run import current_run

DEFAULT_OUTPUT_TOKENS = 4_096  # asked for where the framework's settings say nothing


def async_run(what: str) -> AsyncRun:
    """The current run of an AsyncClient. Raises NoRun."""
    run = current_run.get()
    if not isinstance(run, AsyncRun):
        raise NoRun(what)
    return run


def sync_run(what: str) -> Run:
    """The current run of a Client. Raises NoRun."""
    run = current_run.get()
    if not isinstance(run, Run):
        raise NoRun(what)
    return run


def no_such_model(chosen: str, configured: str) -> Rejected:
    """The portal chose a model that nobody said how to call."""
    return Rejected(
        f"the portal chose the model {chosen}, and only {configured} is set up here; give the guard a way to resolve it",
        code="model_not_resolved",
    )


def beyond_the_guard(what: str) -> Aborted:
    """Something would run where the guard cannot see it."""
    return Aborted(
        f"{what} would run outside the guard; put it behind a guarded function or the MCP proxy",
        code="beyond_the_guard",
    )
