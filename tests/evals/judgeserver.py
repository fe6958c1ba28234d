"""A judge's endpoint on localhost: a real HTTP server that speaks OpenAI's or Anthropic's form, and misbehaves as it is told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

USAGE = {"prompt_tokens": 1_000, "completion_tokens": 100, "total_tokens": 1_100}


@dataclass
class Reply:
    """What is answered. `arguments` fill the judgement's form; `raw` is a body as it is."""

    arguments: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    seconds: float = 0.0  # before it answers


Behaviour = Callable[[int, dict[str, Any]], Reply]  # number of the request from 1, its body


def verdict(
    value: Any = "pass", *, reason: str = "It did.", spans: list[str] | None = None, key: str = "goal"
) -> dict[str, Any]:
    return {key: {"reason": reason, "value": value, "spans": spans or []}}


def good(number: int, body: dict[str, Any]) -> Reply:
    return Reply(verdict())


class JudgeServer:
    def __init__(self, behave: Behaviour = good) -> None:
        self.behave = behave
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.in_flight = self.most_in_flight = 0
        self._lock = threading.Lock()
        self._http = _Server(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)

    @property
    def port(self) -> int:
        return int(self._http.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def reply_to(self, body: dict[str, Any], headers: dict[str, str]) -> Reply:
        with self._lock:
            self.requests.append(body)
            self.headers.append(headers)
            number = len(self.requests)
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            reply = self.behave(number, body)
            time.sleep(reply.seconds)
            return reply
        finally:
            with self._lock:
                self.in_flight -= 1


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Somebody hung up: that is what some tests are about."""


@contextmanager
def judge_server(behave: Behaviour = good) -> Iterator[JudgeServer]:
    server = JudgeServer(behave)
    server._thread.start()
    try:
        yield server
    finally:
        server._http.shutdown()
        server._http.server_close()
        server._thread.join(timeout=5)


def _handler(server: JudgeServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            reply = server.reply_to(body, {name.lower(): value for name, value in self.headers.items()})
            sent = reply.raw if reply.raw is not None else json.dumps(self._completion(body, reply)).encode()
            self.send_response(reply.status)
            for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def _completion(self, body: dict[str, Any], reply: Reply) -> dict[str, Any]:
            if reply.status >= 400:
                return {"error": {"message": "no", "type": "error", "code": "no"}}
            if self.path.endswith("/messages"):
                return _anthropic(body, reply)
            return _openai(body, reply)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler


def _openai(body: dict[str, Any], reply: Reply) -> dict[str, Any]:
    text = json.dumps(reply.arguments)
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if body.get("tools"):
        name = body["tools"][0]["function"]["name"]
        call = {"id": "call_1", "type": "function", "function": {"name": name, "arguments": text}}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {
        "id": "c", "object": "chat.completion", "created": 1_790_000_000, "model": body["model"], "choices": [choice], "usage": USAGE,
    }  # fmt: skip


def _anthropic(body: dict[str, Any], reply: Reply) -> dict[str, Any]:
    use = {"type": "tool_use", "id": "tu_1", "name": body["tools"][0]["name"], "input": reply.arguments}
    return {
        "id": "m", "type": "message", "role": "assistant", "model": body["model"], "content": [use], "stop_reason": "tool_use",
        "stop_sequence": None, "usage": {"input_tokens": 1_000, "output_tokens": 100},
    }  # fmt: skip
