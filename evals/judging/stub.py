"""A judge by plain rules behind an OpenAI-compatible address: for development and demonstration, and for nothing else.

It reads the material as any judge gets it, follows a few rules about its text, and says in every reason that it is a stub.
"""

from __future__ import annotations

import hashlib
import json
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODEL = "agentops-stub-judge-1"
_ANSWER = re.compile(r"\nThe agent answered:\n(.*?)(?:\n\nThe author of this case says:|\n=== END MATERIAL)", re.DOTALL)
_STEP = re.compile(r"^\[([0-9a-f]{16})\] (\S+)(.*?)(?=^\[|^\S|\Z)", re.MULTILINE | re.DOTALL)
_SORRY = re.compile(
    r"\b(?:can(?:no|')t|unable|sorry|could not|couldn't|leider|nicht möglich|impossible)\b", re.IGNORECASE
)
_BODY_MOST = 2_000_000


def judged(material: str) -> tuple[float, str, list[str]]:
    """How good (0 to 1), why, and by which steps."""
    found = _ANSWER.search(material)
    answer = found.group(1).strip() if found else ""
    failed = [step for step, _, rest in _STEP.findall(material) if "\n  failed:" in rest]
    if not answer or answer == "(nothing)":
        return 0.0, "there is no answer", failed
    if failed and not _SORRY.search(answer):
        return 0.1, "a step failed and the answer does not say so", failed
    if _SORRY.search(answer):
        return 0.45, "the answer is sorry for something", failed
    chance = int.from_bytes(hashlib.sha256(answer.encode()).digest()[:2], "big") / 65_536
    if chance < 0.12:
        return 0.7, "the answer is there, and this stub marks some of them down", []
    return 1.0, "the answer is there and no step failed", []


def arguments(schema: dict[str, Any], material: str) -> dict[str, Any]:
    """A judgement in the form of a schema: for each criterion the value of its scale (the worst stands first) nearest to it."""
    good, why, spans = judged(material)
    given = {}
    for key, entry in schema.get("properties", {}).items():
        value = _resolved(schema, _resolved(schema, entry).get("properties", {}).get("value", {}))
        values = value.get("enum") or [value.get("const", "pass")]
        given[key] = {"reason": f"Stub judge: {why}.", "value": values[round(good * (len(values) - 1))], "spans": spans}
    return given


def completion(body: dict[str, Any]) -> dict[str, Any]:
    """The chat completion for a request's body. Raises ValueError for what is none of a judge's."""
    material = "\n".join(str(one.get("content") or "") for one in body["messages"] if one.get("role") == "user")
    message: dict[str, Any] = {"role": "assistant", "content": None}
    if body.get("tools"):
        function = body["tools"][0]["function"]
        text = json.dumps(arguments(function["parameters"], material))
        message["tool_calls"] = [
            {"id": "call_stub", "type": "function", "function": {"name": function["name"], "arguments": text}}
        ]
    else:
        schema = (body.get("response_format") or {}).get("json_schema", {}).get("schema")
        if schema is None:
            raise ValueError("the stub answers by a tool or by a JSON schema")
        text = json.dumps(arguments(schema, material))
        message["content"] = text
    tokens = sum(len(str(one.get("content") or "")) for one in body["messages"]) // 4
    return {
        "id": "chatcmpl-stub",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": MODEL,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {
            "prompt_tokens": tokens,
            "completion_tokens": len(text) // 4,
            "total_tokens": tokens + len(text) // 4,
        },
    }


def server(port: int, host: str = "127.0.0.1") -> ThreadingHTTPServer:
    """On this machine only; `serve_forever` runs it. Port 0 takes any."""
    return _Server((host, port), _Handler)


def _resolved(schema: dict[str, Any], entry: dict[str, Any]) -> dict[str, Any]:
    inside = [*entry.get("allOf", []), *entry.get("anyOf", [])]  # libraries wrap a reference that has a description
    reference = entry.get("$ref") or next((one["$ref"] for one in inside if "$ref" in one), "")
    if not reference:
        return entry
    found: dict[str, Any] = schema.get("$defs", {}).get(reference.rpartition("/")[2], {})
    return found


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        try:
            size = int(self.headers.get("Content-Length", "0"))
            if not 0 < size <= _BODY_MOST or not self.path.endswith("/chat/completions"):
                raise ValueError("POST /v1/chat/completions with a body is expected")
            self._answer(200, completion(json.loads(self.rfile.read(size))))
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            self._answer(400, {"error": {"message": f"stub judge: {error}", "type": "invalid_request_error"}})

    def _answer(self, status: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass
