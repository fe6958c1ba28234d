"""One webhook, once: resolve, judge, connect to what was judged, post, read the status, hang up."""

from __future__ import annotations

import json
import time
from typing import Any

from django.conf import settings
from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError

from agentops.common import clock
from agentops.outbox import signing
from agentops.outbox.addresses import Closed, resolve
from agentops.outbox.transport import ADDRESSES_MOST, Target, connection, cut_off, target, waits_for, words
from agentops.outbox.types import Claimed, Outcome

READ_SECONDS = 10.0
TOTAL_SECONDS = 20.0  # a receiver that sends a byte now and then is cut off here


def deliver(claimed: Claimed) -> Outcome:
    """Post it. Anything but a status of 2xx is a failure; a redirect is one, too, and is not followed."""
    try:
        place = target(claimed.destination)
        addresses = resolve(place.host, place.port, is_trusted=place.is_trusted)
    except (Closed, ValueError) as error:
        return Outcome(is_sent=False, detail=f"Not sent: {error}.", is_final=True)
    except (OSError, UnicodeError):
        return Outcome(is_sent=False, detail="Its name could not be resolved.")
    body = _body(claimed)
    until = time.monotonic() + TOTAL_SECONDS
    outcome = Outcome(is_sent=False, detail="It could not be connected to.")
    for address in addresses[:ADDRESSES_MOST]:
        opened = connection(place, address)
        try:
            with cut_off(opened, until):
                opened.connect()
        except (HTTPError, OSError) as error:
            outcome = Outcome(is_sent=False, detail=f"It could not be connected to: {words(error)}.")
            opened.close()
            continue
        return _post(opened, place, claimed, body, until)
    return outcome


def _post(opened: HTTPConnection, place: Target, claimed: Claimed, body: bytes, until: float) -> Outcome:
    message = f"msg_{claimed.id.hex}"
    headers = {
        "Host": place.authority,
        "Content-Type": "application/json",
        "User-Agent": f"agentops/{settings.VERSION}",
        **signing.headers(claimed.tenant_id, claimed.destination, message, clock.now_ns() // clock.NANOS, body),
    }
    try:
        opened.timeout = READ_SECONDS
        with cut_off(opened, until):
            opened.request("POST", place.path, body=body, headers=headers, preload_content=False)
            response = opened.getresponse()
            status, wish = response.status, response.headers.get("retry-after", "")
        if time.monotonic() >= until:  # cut off within its header, which is read as if it had ended there
            raise TimeoutError
    except (HTTPError, OSError) as error:
        return Outcome(is_sent=False, detail=f"It did not answer: {words(error)}.")
    finally:
        opened.close()  # nothing of the body is read: neither its size nor its content matters
    return _judged(status, wish)


def _judged(status: int, wish: str) -> Outcome:
    if 200 <= status < 300:
        return Outcome(is_sent=True, status=status)
    if 300 <= status < 400:
        return Outcome(is_sent=False, status=status, detail="It answered with a redirect, which is not followed.")
    # 410 is how a receiver says "never again" (Standard Webhooks).
    detail = f"It answered with the status {status}."
    return Outcome(is_sent=False, status=status, detail=detail, is_final=status == 410, retry_after=waits_for(wish))


def _body(claimed: Claimed) -> bytes:
    """The same bytes at each attempt."""
    document: dict[str, Any] = {
        "type": claimed.template,
        "timestamp": clock.rfc3339(claimed.created_at),
        "data": claimed.context,
    }
    return json.dumps(document, separators=(",", ":"), sort_keys=True).encode()
