"""OTLP over a real connection to a real server, for what only happens there."""

from __future__ import annotations

import http.client
import urllib.parse
from typing import Any

import pytest

from tests.ingest.wire import TYPES, Answer, Encoding, Sender, answer_of, span, traces, zipped
from tests.server import Portal

ENCODINGS: tuple[Encoding, ...] = ("protobuf", "json")
both = pytest.mark.parametrize("encoding", ENCODINGS)


class Wire:
    """A plain connection to the live server, for requests that clients do not normally make."""

    def __init__(self, portal: Portal, key: str) -> None:
        parts = urllib.parse.urlsplit(portal.url)
        assert parts.hostname and parts.port
        self.address = parts.hostname, parts.port
        self.key = key

    def post(self, body: Any, *, encoding: Encoding = "protobuf", chunked: bool = False, **headers: str) -> Answer:
        connected = http.client.HTTPConnection(*self.address, timeout=60)
        sent = {"Authorization": f"Bearer {self.key}", "Content-Type": TYPES[encoding], **headers}
        try:
            connected.request("POST", "/v1/traces", body=body, headers=sent, encode_chunked=chunked)
            response = connected.getresponse()
            content = response.read()
        finally:
            connected.close()
        return answer_of(
            "/v1/traces", response.status, response.headers["Content-Type"], content, dict(response.headers)
        )


@pytest.fixture
def wire(live_portal: Portal, acme: Sender) -> Wire:
    return Wire(live_portal, acme.key)


def _pieces(body: bytes, size: int = 1000) -> Any:
    return iter([body[start : start + size] for start in range(0, len(body), size)])


@both
def test_a_chunked_body_without_a_length_is_taken(wire: Wire, acme: Sender, encoding: Encoding) -> None:
    items = [span(f"chunk {place}", trace_id="ab" * 16) for place in range(50)]
    body = traces(*items, encoding=encoding)
    answer = wire.post(_pieces(body), encoding=encoding, chunked=True, **{"Transfer-Encoding": "chunked"})
    assert answer.is_full_success
    assert len(acme.spans_of("ab" * 16)) == 50
    packed = wire.post(
        _pieces(zipped(traces(span("zipped", trace_id="cd" * 16), encoding=encoding)), 10),
        encoding=encoding,
        chunked=True,
        **{"Transfer-Encoding": "chunked", "Content-Encoding": "gzip"},
    )
    assert packed.is_full_success and acme.names_of("cd" * 16) == ["zipped"]


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_64_mib_is_refused(wire: Wire, acme: Sender, live_portal: Portal, chunked: bool) -> None:
    size = 64 * 1024 * 1024 + 1
    if chunked:
        piece = bytes(1024 * 1024)
        answer = wire.post(iter([*[piece] * 64, b"x"]), chunked=True, **{"Transfer-Encoding": "chunked"})
    else:
        answer = wire.post(bytes(size))
    assert (answer.status, answer.encoding, answer.code) == (413, "protobuf", 11)
    assert acme.runs() == []
    assert wire.post(traces(span())).is_full_success  # and the server goes on


def test_a_body_larger_than_it_says_harms_nobody(wire: Wire, acme: Sender) -> None:
    good = traces(span("kept", trace_id="ef" * 16))
    connected = http.client.HTTPConnection(*wire.address, timeout=10)
    connected.putrequest("POST", "/v1/traces")
    for name, value in {"Authorization": f"Bearer {wire.key}", "Content-Type": TYPES["protobuf"]}.items():
        connected.putheader(name, value)
    connected.putheader("Content-Length", str(len(good) + 1000))
    connected.endheaders(good)
    connected.sock.shutdown(1)  # and no more comes
    response = connected.getresponse()
    assert response.status == 400
    connected.close()
    assert not acme.has_run("ef" * 16)
