"""The other way round: the portal runs a suite by asking an address of yours for each case. This answers it.

`application(call, secret=…)` is a WSGI application for any server; `serve(…)` runs it by the standard library's. Requests
are signed as Standard Webhooks describes, with the secret that the portal showed once; what is not is refused, unread.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from . import evals
from .exchange import dumps

SECRET_VARIABLE = "AGENTOPS_EVALS_SECRET"  # noqa: S105  its name
MOST_BYTES = 8 * 1024 * 1024
_APART_SECONDS = 300
_Start = Callable[..., Any]


def application(
    call: evals.Call, *, secret: str, tools: Mapping[str, Callable[..., Any]] | Sequence[Callable[..., Any]] = ()
) -> Callable[[Mapping[str, Any], _Start], Iterable[bytes]]:
    """A WSGI application that runs the agent once for each request. Raises ValueError for a secret that is none."""
    key = _key(secret)

    def answer(environ: Mapping[str, Any], start: _Start) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] != "POST":
            return _reply(start, "405 Method Not Allowed", {"detail": "POST a case"})
        raw = _body(environ)
        if raw is None:
            return _reply(start, "413 Content Too Large", {"detail": f"at most {MOST_BYTES} bytes are taken"})
        if not _is_signed(environ, raw, key):
            return _reply(start, "401 Unauthorized", {"detail": "the signature is missing, wrong or old"})
        try:
            said = json.loads(raw)
            if "tape" in said:
                case, session = evals.session_of_tape(said["tape"], tools)
            else:
                case, session = evals._session(said, tools)
        except (ValueError, KeyError, TypeError) as error:
            return _reply(start, "400 Bad Request", {"detail": f"this is no case: {error!r}"[:500]})
        return _reply(start, "200 OK", evals.run_case(call, case, session))

    return answer


def serve(
    call: evals.Call,
    *,
    secret: str,
    tools: Mapping[str, Callable[..., Any]] | Sequence[Callable[..., Any]] = (),
    host: str = "127.0.0.1",
    port: int = 8900,
) -> None:
    """Answer until the process is stopped, several cases at once. Put TLS before it."""
    with make_server(host, port, application(call, secret=secret, tools=tools), _Server, _Quiet) as server:
        server.serve_forever()


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Cases are not told to the terminal."""


def _key(secret: str) -> bytes:
    try:
        found = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        if secret.startswith("whsec_") and len(found) >= 24:
            return found
    except binascii.Error:
        pass
    raise ValueError(f"the secret (whsec_…) that the portal showed is expected, for instance in {SECRET_VARIABLE}")


def _is_signed(environ: Mapping[str, Any], raw: bytes, key: bytes) -> bool:
    message, at = environ.get("HTTP_WEBHOOK_ID", ""), environ.get("HTTP_WEBHOOK_TIMESTAMP", "")
    if not at.isdigit() or abs(time.time() - int(at)) > _APART_SECONDS:
        return False
    signed = hmac.new(key, f"{message}.{at}.".encode() + raw, hashlib.sha256).digest()
    wanted = f"v1,{base64.b64encode(signed).decode()}"
    given = environ.get("HTTP_WEBHOOK_SIGNATURE", "").split(" ")
    return any(hmac.compare_digest(wanted.encode(), each.encode()) for each in given)


def _body(environ: Mapping[str, Any]) -> bytes | None:
    length = environ.get("CONTENT_LENGTH") or "0"
    if not length.isdigit() or int(length) > MOST_BYTES:
        return None
    found: bytes = environ["wsgi.input"].read(int(length))
    return found


def _reply(start: _Start, status: str, body: Mapping[str, Any]) -> Iterable[bytes]:
    raw = dumps(body)
    start(status, [("Content-Type", "application/json"), ("Content-Length", str(len(raw)))])
    return [raw]
