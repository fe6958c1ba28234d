"""The verbs of the guard as flows (exchange.py): what is sent, and what an answer means."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from . import answers
from .answers import Admission, Permission, Receipt, Started, Tool
from .errors import Aborted, Confirmation, Pending, PortalError, Rejected, Throttled, Unreachable
from .exchange import Flow, Link, Pause, Request, dumps, expect, post, refused, send

log = logging.getLogger("agentops_client")

RUNS = "/api/v1/guard/runs"
Owed = list[tuple[str, Mapping[str, Any]]]
Version = str | Callable[[], str]  # of what a call acts on: as it was when asked for, or what tells it at any time
_OPEN = ("pending", "half", "cooling")
_LONGEST_LOOK = 30.0
_BETWEEN_LOOKS = (0.5, 5.0)
_PLAIN_ID = re.compile(r"[A-Za-z0-9_.:-]{1,120}")
_DEFAULT_RETRY = 2.0


def new_call_id() -> str:
    """An id for a call that has none yet."""
    return uuid.uuid4().hex


def call_id_of(given: str, tool: str, arguments: Mapping[str, Any]) -> str:
    """A call id made from a framework's: the same call asked twice is one call, another call under its id is another."""
    content = json.dumps([given, tool, arguments], sort_keys=True, default=str).encode("utf-8", "surrogatepass")
    digest = hashlib.sha256(content).hexdigest()
    return f"{given}:{digest[:16]}" if _PLAIN_ID.fullmatch(given) else digest[:32]


def start(link: Link, body: Mapping[str, Any]) -> Flow[Started]:
    """Raises Rejected, Throttled, Aborted (killed), Unreachable, PortalError."""
    reply = yield from post(link, RUNS, body)
    try:
        return answers.started(expect(reply))
    except PortalError as error:
        if error.status != 403 or error.code == "forbidden":
            raise
        if error.code == "killed":
            raise Aborted(error.detail, code=error.code) from error
        raise Rejected(error.detail, code=error.code) from error


def reserve(link: Link, run: str, body: Mapping[str, Any]) -> Flow[Admission]:
    """Raises Rejected, Throttled, Aborted, Unreachable, PortalError."""
    body = yield from _decided(link, f"{RUNS}/{run}/model-calls", body)
    if body["decision"] != "allow":
        raise refused(body)
    return answers.admission(body)


def propose(
    link: Link,
    run: Started,
    body: Mapping[str, Any],
    *,
    wait: float | None,
    version_now: Callable[[], str] | None = None,
    has_ended: bool = False,
) -> Flow[Permission]:
    """Ask, wait for people where they are asked, redeem. `wait` in seconds; None waits as long as the question lives.

    `version_now` tells the version of what the call acts on, just before an approval is redeemed. `has_ended`: the portal
    said before that the run may take no further step, so none is taken without it. Raises Rejected, Pending, Throttled, Aborted, Unreachable, PortalError.
    """
    calls = f"{RUNS}/{run.run_id}/tool-calls"
    try:
        answer = yield from _decided(link, calls, body)
    except Unreachable:
        tool = run.tools.get(body["tool"])
        if has_ended or tool is None or not _may_read_alone(run, tool):
            raise
        log.warning("the portal is away; %s runs all the same: it reads, and the agent's policy lets it", tool.name)
        return Permission(dict(body["arguments"]), permit="", advice="", is_offline=True)
    if answer["decision"] == "allow":
        return answers.permission(answer)
    if answer["decision"] != "confirm":
        raise refused(answer)
    asked = yield from _until_decided(link, answers.confirmation(answer["confirmation"]), body["call_id"], wait)
    path = f"{calls}/{quote(body['call_id'], safe='')}/redemption"
    now = {"resource_version": version_now()} if version_now else None
    return (yield from _redeem(link, path, now, asked, body["call_id"]))


def _may_read_alone(run: Started, tool: Tool) -> bool:
    """Whether a tool may be called while the portal is away: the policy lets reads go on, nobody would be asked before
    this one, and the run still has time."""
    is_quiet_read = tool.effect == "read" and tool.tier == 1
    return run.reads_when_offline and is_quiet_read and datetime.now(UTC) < run.deadline


def settlement_path(run: str, call_id: str) -> str:
    return f"{RUNS}/{run}/model-calls/{quote(call_id, safe='')}/settlement"


def settle(link: Link, owed: Owed, run: str, call_id: str, body: Mapping[str, Any]) -> Flow[str]:
    """Answers the cost in USD, "" where the portal is away: the settlement is owed then, and sent before the next call."""
    answer = yield from _told(link, owed, settlement_path(run, call_id), body)
    return str(answer.get("cost_usd", ""))


def tell_result(link: Link, owed: Owed, run: str, call_id: str, body: Mapping[str, Any]) -> Flow[None]:
    """Raises Aborted where the same failure again and again ends the run."""
    path = f"{RUNS}/{run}/tool-calls/{quote(call_id, safe='')}/result"
    answer = yield from _told(link, owed, path, body)
    if answer.get("decision") == "abort":
        raise refused(answer)


def repay(link: Link, owed: Owed) -> Flow[None]:
    """Send what could not be sent while the portal was away."""
    while owed:
        path, body = owed[0]
        try:
            yield from post(link, path, body)
        except (Unreachable, Throttled):
            return
        if owed and owed[0] == (path, body):
            owed.pop(0)


def finish(link: Link, owed: Owed, run: str, body: Mapping[str, Any]) -> Flow[Receipt | None]:
    """The receipt; None where there is none: the portal ends the run by itself at its deadline.

    What was done is done, so this is no reason to fail, and even less to hide why the run failed.
    """
    yield from repay(link, owed)
    try:
        reply = yield from post(link, f"{RUNS}/{run}/finish", body)
        receipt = answers.receipt(expect(reply))
    except (Unreachable, Throttled, PortalError, Aborted) as error:
        log.warning("run %s could not be finished: %s", run, error)
        return None
    yield from repay(link, owed)  # also taken after the end, and the portal is back now
    return receipt


def _decided(link: Link, path: str, body: Mapping[str, Any]) -> Flow[dict[str, Any]]:
    """A decision that is not `throttle`: who is told to come back does so, as long as patience lasts."""
    until = time.monotonic() + link.patience_seconds
    while True:
        answer = expect((yield from post(link, path, body)))
        if answer.get("decision") != "throttle":
            return answer
        wait = float(answer.get("retry_after") or _DEFAULT_RETRY)
        if time.monotonic() + wait > until:
            raise Throttled(str(answer.get("detail", "")), code=str(answer.get("code", "")), retry_after=wait)
        yield Pause(wait)


def _told(link: Link, owed: Owed, path: str, body: Mapping[str, Any]) -> Flow[dict[str, Any]]:
    try:
        reply = yield from post(link, path, body)
    except (Unreachable, Throttled) as error:
        owed.append((path, body))
        log.warning("%s; what is to be told is kept and sent before the next step", error)
        return {}
    return expect(reply)


def _until_decided(link: Link, asked: Confirmation, call_id: str, wait: float | None) -> Flow[Confirmation]:
    """Look until it is open no more; answers what was decided: where a person changed the call, its changed form.

    Raises Pending when the time is over. An absent portal only makes it longer.
    """
    began_at = time.monotonic()
    until = _until(asked, began_at, wait)
    pause, most = _BETWEEN_LOOKS
    while True:
        began = time.monotonic()
        hold = int(max(0.0, min(_LONGEST_LOOK, until - began)))
        path = f"/api/v1/confirmations/{quote(asked.id, safe='')}?wait={hold}"
        try:
            reply = yield from send(link, Request("GET", path, timeout_seconds=hold + link.timeout_seconds))
            found = expect(reply)
            if found.get("superseded_by"):  # edited: the changed call is asked for anew, under the same call id
                asked = answers.confirmation(found["superseded_by"])
                until = _until(asked, began_at, wait)
                continue
            if found["state"] not in _OPEN:
                return asked  # what became of it is the redemption's to say
        except (Unreachable, Throttled) as error:
            log.warning("waiting for confirmation %s goes on: %s", asked.id, error)
        now = time.monotonic()
        if now >= until:
            raise Pending("people have not decided yet.", confirmation=asked, call_id=call_id)
        if now - began < max(1.0, hold / 2):  # the answer was not held back, so not to ask too often is up to us
            yield Pause(min(pause, max(0.05, until - now)))
            pause = min(most, pause * 1.5)


def _until(asked: Confirmation, began: float, wait: float | None) -> float:
    """Until when to look, on the monotonic clock: as long as the question lives, and no longer than the caller waits."""
    lives = time.monotonic() + (asked.expires_at - datetime.now(UTC)).total_seconds() + 1
    return lives if wait is None else min(began + wait, lives)


def _redeem(
    link: Link, path: str, body: Mapping[str, Any] | None, asked: Confirmation, call_id: str
) -> Flow[Permission]:
    reply = yield from post(link, path, body)
    try:
        return answers.permission(expect(reply))
    except PortalError as error:
        if error.status != 409:
            raise
        if error.code == "confirmation_pending":
            raise Pending(error.detail, confirmation=asked, call_id=call_id) from error
        raise Rejected(error.detail, code=error.code) from error


def body_of_call(
    call_id: str,
    tool: str,
    arguments: Mapping[str, Any],
    *,
    reason: str,
    tainted: bool,
    resource_version: Version,
    current: Any,
) -> dict[str, Any]:
    """A proposal. Raises ValueError or TypeError for what is no JSON."""
    body: dict[str, Any] = {"call_id": call_id, "tool": tool, "arguments": dict(arguments)}
    version = resource_version() if callable(resource_version) else resource_version
    if reason:
        body["reason"] = reason
    if tainted:
        body["tainted"] = True
    if version:
        body["resource_version"] = version
    if current is not None:
        body["current"] = current
    dumps(body)
    return body
