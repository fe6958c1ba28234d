"""Eval suites and replays: the portal says what to run, your agent runs here with recorded tools, the portal says what came of it.

    from agentops_client import Client, evals

    def answer(case, session):                       # your agent; may be a coroutine function
        return my_agent(case.prompt, tools=session.tools)

    suite = evals.run_suite(Client(), agent="desk", version="2", set="refunds", call=answer, tools=TOOLS)
    assert suite.passed, suite                       # in a test; names the cases and why

The key's scope is `evals`. No tool ever runs: calls are answered from the case (evals_session.py), and one that it does
not hold ends it as diverged. Frameworks: `adapters.evals_pydantic_ai`, `adapters.evals_openai_agents`. Guarded functions
(`agentops_client.tool`) answer from the session by themselves.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any

from .answers import Usage
from .client import Client
from .errors import PortalError
from .evals_session import Case, Diverged, RecordedError, RecordedRefusal, Session, current_session
from .exchange import Flow, Link, Request, dumps, expect, send

__all__ = [
    "Case",
    "Diverged",
    "RecordedError",
    "RecordedRefusal",
    "ReplayResult",
    "Session",
    "SuiteResult",
    "Usage",
    "current_session",
    "replay",
    "run_case",
    "run_suite",
]

Call = Callable[[Case, "Tooled"], Any]
_RUNS = "/api/v1/suite-runs"
_LOOK_SECONDS = 2.0
_BROKE_MOST = 2_000
_UNFIT = (400, 413)  # of what is told: nested too deeply, too large


class Tooled(Session):
    """A session with the agent's own tools in their recorded form: `session.tools["refund"]`."""

    tools: Mapping[str, Callable[..., Any]] = {}


@dataclass(frozen=True)
class CaseResult:
    """What the portal said of one run of a case."""

    key: str
    turn: int
    fault: str
    state: str
    detail: str
    checks: Sequence[Mapping[str, Any]]

    def __str__(self) -> str:
        why = self.detail or "; ".join(each["said"] for each in self.checks if each["holds"] is False)
        name = f"{self.key}{f' ({self.fault})' if self.fault else ''}{f' #{self.turn}' if self.turn > 1 else ''}"
        return f"{name}: {self.state}{f': {why}' if why else ''}"


@dataclass(frozen=True)
class SuiteResult:
    """How a suite went. `said` is the portal's own answer."""

    said: Mapping[str, Any]
    cases: Sequence[CaseResult] = field(default=())

    @property
    def id(self) -> str:
        return str(self.said["id"])

    @property
    def passed(self) -> bool:
        """All cases passed, each time."""
        return bool(self.said["state"] == "done" and self.said["passed"] == self.said["cases"])

    @property
    def failures(self) -> list[CaseResult]:
        return [case for case in self.cases if case.state != "passed"]

    def __str__(self) -> str:
        said = self.said
        head = (
            f"{said['set']} (revision {said['revision']}) on {said['agent']} {said['agent_version']}: "
            f"{said['passed']} of {said['cases']} passed, {said['flaky']} flaky, {said['failed']} not; {said['state']}"
        )
        return "\n".join([head, *(f"  {case}" for case in self.failures)])


@dataclass(frozen=True)
class ReplayResult:
    """How a replay differed. `first`: the place of the first row that differs, or None."""

    id: str
    is_same: bool
    result_digest: str
    diff: Mapping[str, Any]
    said: Mapping[str, Any]

    @property
    def first(self) -> int | None:
        place: int | None = self.diff["first"]
        return place

    def __str__(self) -> str:
        if self.is_same:
            return f"replay {self.id}: the same steps and the same output"
        where = f"step {self.first + 1} differs" if self.first is not None else "the output differs"
        broke = f"; the agent broke: {self.diff['broke']}" if self.diff.get("broke") else ""
        return f"replay {self.id}: {where}{broke}"


def run_suite(
    client: Client,
    *,
    agent: str,
    version: str,
    set: str,
    call: Call,
    tools: Mapping[str, Callable[..., Any]] | Sequence[Callable[..., Any]] = (),
    revision: int | None = None,
    mode: str = "plain",
    tags: Sequence[str] = (),
    repeats: int = 1,
    workers: int = 1,
    trigger: str = "api",
    wait_seconds: float = 600.0,
) -> SuiteResult:
    """Run a set on an agent version. `call(case, session)` is the agent, `tools` the functions it has (never called).

    `workers`: cases at once, each in a thread. `wait_seconds`: how long to wait for judges at the end; then the result
    says `running`. Raises PortalError, Unreachable, Throttled.
    """
    asked = {
        "id": str(uuid.uuid4()),  # sent again after an answer was lost, it begins no second suite run
        "agent": agent,
        "agent_version": version,
        "set": set,
        "revision": revision,
        "mode": mode,
        "tags": list(tags),
        "repeats": repeats,
        "trigger": trigger,
    }
    begun = _ask(client, "POST", _RUNS, {name: value for name, value in asked.items() if value is not None})
    return go_on(client, str(begun["id"]), call=call, tools=tools, workers=workers, wait_seconds=wait_seconds)


def go_on(
    client: Client,
    suite_run: str,
    *,
    call: Call,
    tools: Mapping[str, Callable[..., Any]] | Sequence[Callable[..., Any]] = (),
    workers: int = 1,
    wait_seconds: float = 600.0,
) -> SuiteResult:
    """Run what is open of a suite run that was begun before, here or elsewhere; several may do so at once."""
    path = f"{_RUNS}/{suite_run}"

    def work() -> None:
        while taken := _claim(client, path):
            claim, said = taken
            case, session = _session(said, tools)
            _tell(client, path, run_case(call, case, session), {"claim": claim, "case_run": said["case_run"]})

    with ThreadPoolExecutor(max_workers=max(1, workers)) as threads:
        for done in [threads.submit(copy_context().run, work) for _ in range(max(1, workers))]:
            done.result()
    return _result(client, path, wait_seconds)


def replay(
    client: Client,
    run_id: str,
    *,
    call: Call,
    version: str = "",
    tools: Mapping[str, Callable[..., Any]] | Sequence[Callable[..., Any]] = (),
) -> ReplayResult:
    """Run a recorded run again, its tools answering as they did, and compare. `session.next_answer()` gives what its models
    answered, for a replay without any model. Raises PortalError, Unreachable, Throttled.
    """
    body = {"id": str(uuid.uuid4()), "run_id": run_id, "agent_version": version}
    opened = _ask(client, "POST", "/api/v1/replays", {name: text for name, text in body.items() if text})
    case, session = session_of_tape(opened["tape"], tools)
    told = run_case(call, case, session)
    told.pop("duration_ms")  # a replay is the same whenever it ran
    said = _ask(client, "POST", f"/api/v1/replays/{opened['id']}/result", told)
    return ReplayResult(said["id"], said["is_same"], said["result_digest"], said["diff"], said)


def session_of_tape(
    tape: Mapping[str, Any], tools: Mapping[str, Callable[..., Any]] | Sequence[Callable[..., Any]] = ()
) -> tuple[Case, Tooled]:
    """A case and its session from a tape: each recorded call once, in order; arguments that were not captured are any."""
    recordings = []
    for step in tape["steps"]:
        if step["kind"] == "tool":
            entry = {name: step[name] for name in ("tool", "arguments", "result", "error") if name in step}
            if not isinstance(entry["arguments"], dict):
                del entry["arguments"]
            recordings.append(entry)
    answers = [step.get("output") for step in tape["steps"] if step["kind"] == "model"]
    case = Case(key=tape["run_id"], input=tape["input"])
    return case, _with_tools(Tooled(case, recordings, answers=answers), tools)


def run_case(call: Call, case: Case, session: Session) -> dict[str, Any]:
    """Run the agent once, and answer what is told of it. An exception of the agent is told; it is not raised."""
    token = current_session.set(session)
    began, output, broke = time.monotonic(), None, ""
    try:
        output = call(case, session)  # type: ignore[arg-type]  # made by _session or session_of_tape
        if inspect.isawaitable(output):
            output = asyncio.run_coroutine_threadsafe(_awaited(output), _loop()).result()
    except Exception as error:
        output, broke = None, f"{type(error).__name__}: {error}"[:_BROKE_MOST]
    finally:
        current_session.reset(token)
    try:
        told = session.told(output, broke)
    except Exception as error:  # a list that holds itself, a model that cannot be dumped
        told = session.told(None, f"what the agent answered cannot be told: {type(error).__name__}: {error}")
    return told | {"duration_ms": round((time.monotonic() - began) * 1_000)}


async def _awaited(output: Any) -> Any:
    return await output


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    """One loop for all agents that are coroutines, as long as the process lives: their HTTP clients belong to one."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="agentops-evals", daemon=True).start()
    return loop


def _session(said: Mapping[str, Any], tools: Any) -> tuple[Case, Tooled]:
    case = Case(
        key=said["key"],
        input=said["input"],
        title=said.get("title", ""),
        offers=said.get("offers", ()),
        turn=said.get("turn", 1),
        fault=said.get("fault") or "",
    )
    return case, _with_tools(Tooled(case, said["tools"]), tools)


def _with_tools(session: Tooled, tools: Any) -> Tooled:
    named = tools if isinstance(tools, Mapping) else {function.__name__: function for function in tools}
    offered: dict[str, Callable[..., Any]] = {each["name"]: session.tool(each["name"]) for each in session.case.offers}
    session.tools = offered | {name: session.tool(name, like=function) for name, function in named.items()}
    return session


# -- the portal -------------------------------------------------------------------------------------------------------


def _claim(client: Client, path: str) -> tuple[str, Mapping[str, Any]] | None:
    """A case to run; None where there is none to be had."""
    claim = str(uuid.uuid4())
    try:
        said = _ask(client, "POST", f"{path}/claims", {"claim": claim, "most": 1})
    except PortalError as error:
        if error.code == "already_done":
            return None
        raise
    return (claim, said["cases"][0]) if said["cases"] else None


def _tell(client: Client, path: str, told: Mapping[str, Any], held: Mapping[str, Any]) -> None:
    """What came of a case. Where the portal cannot take what the agent did, that is told: the other cases go on."""
    try:
        _ask(client, "POST", f"{path}/results", {**told, **held})
    except PortalError as error:
        if error.code == "claim_lost":  # somebody else has run it meanwhile
            return
        if error.status not in _UNFIT or "steps" not in told:
            raise
        _tell(client, path, {"error": f"what the agent did cannot be told: {error.detail}"[:_BROKE_MOST]}, held)


def _result(client: Client, path: str, wait_seconds: float) -> SuiteResult:
    until = time.monotonic() + wait_seconds
    said = _ask(client, "GET", path)
    while said["state"] == "running" and time.monotonic() < until:
        time.sleep(min(_LOOK_SECONDS, max(0.05, until - time.monotonic())))
        said = _ask(client, "GET", path)
    cases = [
        CaseResult(case["key"], run["turn"], case["fault"], run["state"], run["detail"], run["checks"])
        for case in said["results"]
        for run in case["runs"]
    ]
    return SuiteResult(said, cases)


def _ask(client: Client, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return client._wire.drive(_asked(client.link, Request(method, path, None if body is None else dumps(body))))


def _asked(link: Link, request: Request) -> Flow[dict[str, Any]]:
    reply = yield from send(link, request)
    return expect(reply)


if __name__ == "__main__":
    from .evals_command import main

    raise SystemExit(main())
