"""An OpenAI-compatible model server on localhost: a real HTTP server in a thread.

It asks for one tool call, then answers: the first request of a conversation that offers tools gets a call of the first
tool, a request that ends in a tool's result (or offers none) gets a final answer. Usage is fixed, so that tests can
add it up. Streaming is off.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODEL = "gpt-4o-2024-08-06"
TOOL_ARGUMENTS = {"city": "Paris"}
ANSWER = "It is sunny in Paris."
USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 20,
    "total_tokens": 120,
    "prompt_tokens_details": {"cached_tokens": 40, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 5, "audio_tokens": 0},
}


class ModelServer:
    """A running stub. `url` is the base URL for clients (ends in /v1); `requests` are the bodies it was sent."""

    def __init__(
        self, *, tool_arguments: dict[str, Any] | None = None, answer: str = ANSWER, model: str = MODEL
    ) -> None:
        self.tool_arguments = TOOL_ARGUMENTS if tool_arguments is None else tool_arguments
        self.answer = answer
        self.model = model
        self.requests: list[dict[str, Any]] = []
        self.fail_with: int | None = None  # an HTTP status to answer with instead
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, name="model-server", daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def start(self) -> ModelServer:
        self._thread.start()
        return self

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(timeout=5)

    def answer_to(self, body: dict[str, Any]) -> dict[str, Any]:
        """The chat completion for a request body."""
        tools = body.get("tools") or []
        asks = bool(tools) and body["messages"][-1]["role"] != "tool"
        message: dict[str, Any] = {"role": "assistant", "content": None if asks else self.answer, "refusal": None}
        if asks:
            function = {"name": tools[0]["function"]["name"], "arguments": json.dumps(self.tool_arguments)}
            message["tool_calls"] = [{"id": "call_1", "type": "function", "function": function}]
        return {
            "id": f"chatcmpl-{len(self.requests)}",
            "object": "chat.completion",
            "created": 1_790_000_000,
            "model": self.model,
            "choices": [
                {"index": 0, "message": message, "finish_reason": "tool_calls" if asks else "stop", "logprobs": None}
            ],
            "usage": USAGE,
        }


@contextmanager
def model_server(**options: Any) -> Iterator[ModelServer]:
    """A stub that runs for the length of a `with` block."""
    server = ModelServer(**options).start()
    try:
        yield server
    finally:
        server.stop()


def _handler(server: ModelServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"{}")
            server.requests.append(body)
            if server.fail_with is not None:
                self._send(
                    server.fail_with, {"error": {"message": "the stub was told to fail", "type": "server_error"}}
                )
            elif self.path.endswith("/chat/completions"):
                self._send(200, server.answer_to(body))
            else:
                self._send(404, {"error": {"message": f"no such path: {self.path}", "type": "invalid_request_error"}})

        def do_GET(self) -> None:
            if self.path.endswith("/models"):
                self._send(200, {"object": "list", "data": [{"id": server.model, "object": "model"}]})
            else:
                self._send(404, {"error": {"message": "not found"}})

        def _send(self, status: int, payload: dict[str, Any]) -> None:
            data = json.dumps(payload).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            """Silent."""

    return Handler
