"""A portal that says what a test wants it to say: a real HTTP server in a thread.

Only for what the real one does not do when asked: losing connections, answering late, forging permits. Whatever is not
scripted gets the plain good answer.
"""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

RUN_ID = "0193f3a0c0de7000a000000000000001"
TENANT = "0193f3a0-c0de-7000-a000-0000000000aa"
CONFIRMATION = "0193f3a0-c0de-7000-a000-0000000000bb"


@dataclass
class Said:
    """One scripted answer. `loses`: the request arrives, and the connection closes without one."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    loses: bool = False
    after_seconds: float = 0.0


@dataclass
class Got:
    method: str
    path: str
    body: Any
    raw: bytes
    key: str


class StubPortal:
    """`url`; `got` is what it was sent, in order; `say` scripts the next answers of a verb."""

    def __init__(self) -> None:
        self.got: list[Got] = []
        self.tools: list[dict[str, Any]] = [tool("lookup", "read", 1), tool("refund", "charge", 1)]
        self.reads_when_offline = False
        self.deadline = "2099-01-01T00:00:00Z"
        self.key = Ed25519PrivateKey.generate()
        self.consumed: set[str] = set()
        self._script: dict[str, list[Said]] = {}
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), name="stub-portal", daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def say(self, verb: str, *answers: Said) -> None:
        """The next answers to a verb: the last part of its path, such as `runs`, `settlement`, `redemption`."""
        self._script.setdefault(verb, []).extend(answers)

    def lose(self, verb: str, times: int = 1) -> None:
        """Take the next requests of a verb, and close the connection without an answer."""
        self.say(verb, *[Said(loses=True)] * times)

    def of(self, verb: str) -> list[Got]:
        return [got for got in self.got if _verb(got.path) == verb]

    def verbs(self) -> list[str]:
        return [_verb(got.path) for got in self.got]

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(timeout=5)

    def start(self) -> StubPortal:
        self._thread.start()
        return self

    # -- permits ------------------------------------------------------------------------------------------------------

    def jwks(self) -> dict[str, Any]:
        x = b64(self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
        return {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": x, "kid": "k1", "use": "sig", "alg": "EdDSA"}]}

    def permit(self, claims: dict[str, Any], *, header: dict[str, Any] | None = None, key: Any = None) -> str:
        """A permit as the portal signs them; with another header or another key a forged one."""
        head = {"alg": "EdDSA", "typ": "agentops-permit+jwt", "kid": "k1"} if header is None else header
        signed = f"{b64(json.dumps(head).encode())}.{b64(json.dumps(claims).encode())}"
        signature = b"" if head.get("alg") == "none" else (key or self.key).sign(signed.encode())
        return f"{signed}.{b64(signature)}"

    # -- answers ------------------------------------------------------------------------------------------------------

    def answer(self, got: Got) -> Said:
        verb = _verb(got.path)
        scripted = self._script.get(verb)
        if scripted:
            return scripted.pop(0)
        return getattr(
            self, f"_{verb.replace('-', '_').replace('.', '_')}", lambda _: Said(404, {"code": "not_found"})
        )(got)

    def _runs(self, got: Got) -> Said:
        body = {
            "run_id": RUN_ID,
            "deadline": self.deadline,
            "caps": {"llm_calls": 20},
            "tools": self.tools,
            "models": ["gpt-4o-2024-08-06"],
            "reads_when_offline": self.reads_when_offline,
        }
        return Said(201, body)

    def _model_calls(self, got: Got) -> Said:
        body = {"decision": "allow", "model": got.body.get("model") or "gpt-4o-2024-08-06", "reserved_usd": "0.010000"}
        return Said(200, body | {"max_output_tokens": got.body["max_output_tokens"]})

    def _settlement(self, got: Got) -> Said:
        return Said(200, {"cost_usd": "0.001000", "state": "settled"})

    def _tool_calls(self, got: Got) -> Said:
        return Said(200, {"decision": "allow", "permit": "p.e.r", "arguments": got.body["arguments"]})

    def _redemption(self, got: Got) -> Said:
        return Said(200, {"decision": "allow", "permit": "p.e.r", "arguments": {"order_id": "ord_1"}})

    def _result(self, got: Got) -> Said:
        return Said(200, {"recorded": True})

    def _confirmations(self, got: Got) -> Said:
        return Said(200, confirmation("approved"))

    def _finish(self, got: Got) -> Said:
        return Said(200, {"run_id": RUN_ID, "status": got.body["status"], "cost_usd": "0.001000"})

    def _jwks_json(self, got: Got) -> Said:
        return Said(200, self.jwks())

    def _consumption(self, got: Got) -> Said:
        jti = got.path.split("/")[-2]
        if jti in self.consumed:
            return Said(409, {"code": "already_consumed", "detail": "used before"})
        self.consumed.add(jti)
        return Said(200, {"jti": jti})


def tool(name: str, effect: str, tier: int) -> dict[str, Any]:
    return {
        "name": name,
        "version": "1",
        "effect": effect,
        "tier": tier,
        "schema_digest": "sha256:0",
        "arguments_schema": {"type": "object"},
    }


def confirmation(state: str) -> dict[str, Any]:
    return {"id": CONFIRMATION, "state": state, "tier": 2, "url": "/c", "expires_at": "2099-01-01T00:00:00Z"}


def confirm() -> Said:
    """The decision that people are asked."""
    asked = {"id": CONFIRMATION, "tier": 2, "url": "http://portal/c", "expires_at": "2099-01-01T00:00:00Z"}
    return Said(200, {"decision": "confirm", "code": "confirmation_required", "confirmation": asked})


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _verb(path: str) -> str:
    path = path.split("?")[0]
    if "/confirmations/" in path:
        return "confirmations"
    return re.sub(r".*/", "", path)


@contextmanager
def stub_portal() -> Iterator[StubPortal]:
    server = StubPortal().start()
    try:
        yield server
    finally:
        server.stop()


def _handler(server: StubPortal) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            got = Got("POST", self.path, json.loads(raw) if raw else None, raw, self.headers.get("Authorization", ""))
            self._answer(got)

        def do_GET(self) -> None:
            self._answer(Got("GET", self.path, None, b"", self.headers.get("Authorization", "")))

        def _answer(self, got: Got) -> None:
            server.got.append(got)
            said = server.answer(got)
            time.sleep(said.after_seconds)
            if said.loses:
                self.close_connection = True
                self.connection.close()
                return
            data = json.dumps(said.body).encode()
            self.send_response(said.status)
            for name, value in {"Content-Type": "application/json", **said.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            """Silent."""

    return Handler
