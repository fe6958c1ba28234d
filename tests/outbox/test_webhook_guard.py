"""A webhook's address is written by a tenant: it must never lead inside. Real servers on loopback play "inside"."""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentops.outbox import addresses, webhook
from agentops.outbox.types import State
from tests.outbox.conftest import Outbox
from tests.outbox.receivers import Names, WebServer, drip_server, make_certificate, web_server

PUBLIC = "93.184.216.34"


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """A resolver whose answers the test chooses."""
    found = Names()
    monkeypatch.setattr(socket, "getaddrinfo", found.getaddrinfo)
    return found


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The addresses that anybody tried to connect to."""
    tried: list[Any] = []
    connect = socket.socket.connect

    def note(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            tried.append(address[0])
            if address[0] not in ("127.0.0.1", "::1"):
                raise ConnectionRefusedError
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", note)
    return tried


@pytest.fixture
def tls(tmp_path: Path, settings: Any) -> Iterator[WebServer]:
    """A server with a certificate for hooks.example, which we trust."""
    certificate = make_certificate(tmp_path, name="hooks.example")
    settings.WEBHOOK_CA_FILE = str(certificate)
    with web_server(certificate=certificate) as server:
        yield server


CLOSED = [
    "127.0.0.1",
    "127.8.9.1",
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:10.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2001:0:7f00:1::",
    "2001:db8::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
]


@pytest.mark.parametrize("address", CLOSED)
def test_no_address_inside_is_open(address: str) -> None:
    assert not addresses.is_open(ipaddress.ip_address(address.partition("%")[0]))


@pytest.mark.parametrize(
    "address", [PUBLIC, "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "172.32.0.1", "100.63.0.1"]
)
def test_public_addresses_are_open(address: str) -> None:
    assert addresses.is_open(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", CLOSED)
def test_a_name_that_leads_inside_is_not_connected_to(
    outbox: Outbox, names: Names, connected: list[Any], address: str
) -> None:
    names.answers["evil.example"] = [[address]]
    message = outbox.post("https://evil.example/")
    assert outbox.deliver(message) is State.GIVEN_UP
    assert outbox.row(message).last_error == "Not sent: its name leads to an address that is not public."
    assert connected == []


def test_one_address_inside_among_public_ones_is_enough_to_refuse(
    outbox: Outbox, names: Names, connected: list[Any]
) -> None:
    names.answers["evil.example"] = [[PUBLIC, "8.8.8.8", "10.0.0.1"]]
    assert outbox.deliver(outbox.post("https://evil.example/")) is State.GIVEN_UP
    assert connected == []


@pytest.mark.parametrize(
    "host", ["127.1", "2130706433", "0x7f.1", "0177.0.0.1", "[::ffff:127.0.0.1]", "localhost", "localhost.", "[::1]"]
)
def test_no_way_to_write_this_machine_is_connected_to(outbox: Outbox, connected: list[Any], host: str) -> None:
    """By the machine's own resolver."""
    assert outbox.deliver(outbox.post(f"https://{host}/")) in (State.GIVEN_UP, State.WAITING)
    assert connected == []


def test_a_name_that_changes_its_answer_gains_nothing(
    outbox: Outbox, names: Names, connected: list[Any], tls: WebServer
) -> None:
    """DNS rebinding: public when it is judged, inside a moment later. It is resolved once, and that answer is used."""
    names.answers["evil.example"] = [[PUBLIC], ["127.0.0.1"]]
    message = outbox.post(f"https://evil.example:{tls.port}/")
    assert outbox.deliver(message) is State.WAITING
    assert names.asked.count("evil.example") == 1
    assert connected == [PUBLIC]
    assert tls.requests == []
    # The next attempt judges anew.
    outbox.change(message, next_attempt_at=outbox.row(message).created_at)
    assert outbox.deliver(message) is State.GIVEN_UP
    assert connected == [PUBLIC]


def test_the_connection_goes_to_the_judged_address_under_the_name_that_was_asked_for(
    outbox: Outbox, names: Names, connected: list[Any], tls: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "is_open", lambda address: True)  # loopback plays a public address
    names.answers["hooks.example"] = [["127.0.0.1"]]
    assert outbox.deliver(outbox.post(f"https://hooks.example:{tls.port}/in")) is State.SENT
    assert (connected, tls.names) == (["127.0.0.1"], ["hooks.example"])
    assert tls.requests[0].headers["host"] == f"hooks.example:{tls.port}"


def test_a_certificate_of_another_name_is_not_written_to(
    outbox: Outbox, names: Names, connected: list[Any], tls: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "is_open", lambda address: True)
    names.answers["other.example"] = [["127.0.0.1"]]
    message = outbox.post(f"https://other.example:{tls.port}/in")
    assert outbox.deliver(message) is State.WAITING
    assert "its certificate is not valid" in outbox.row(message).last_error
    assert tls.requests == []


def test_the_next_address_is_tried_where_the_first_does_not_answer(
    outbox: Outbox, names: Names, connected: list[Any], tls: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "is_open", lambda address: True)
    names.answers["hooks.example"] = [[PUBLIC, "127.0.0.1"]]
    assert outbox.deliver(outbox.post(f"https://hooks.example:{tls.port}/in")) is State.SENT
    assert connected == [PUBLIC, "127.0.0.1"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_wherever_it_leads(outbox: Outbox, hook: WebServer, status: int) -> None:
    hook.answers = lambda request: (status, {"location": "/elsewhere"}) if request.path == "/" else (200, {})
    message = outbox.post(f"http://127.0.0.1:{hook.port}/")
    assert outbox.deliver(message) is State.WAITING
    assert [request.path for request in hook.requests] == ["/"]
    assert "redirect" in outbox.row(message).last_error


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/",
        "ftp://hooks.example/",
        "file:///etc/passwd",
        "gopher://hooks.example/",
        "https://",
        "https:///path",
        "https://user:pass@hooks.example/",
        "https://hooks.example@127.0.0.1/",
        "https://hooks.example:99999/",
        "https://[::1/",
        "hooks.example",
        "",
    ],
)
def test_what_is_no_plain_https_address_is_given_up(
    outbox: Outbox, names: Names, connected: list[Any], url: str
) -> None:
    assert outbox.deliver(outbox.post(url)) is State.GIVEN_UP
    assert connected == []


def test_only_the_host_and_port_that_the_installation_names_may_be_inside(
    outbox: Outbox, hook: WebServer, connected: list[Any]
) -> None:
    with web_server() as other:
        assert outbox.deliver(outbox.post(f"http://127.0.0.1:{other.port}/")) is State.GIVEN_UP
        assert outbox.deliver(outbox.post(f"https://127.0.0.1:{other.port}/")) is State.GIVEN_UP
        assert other.requests == []
    assert outbox.deliver(outbox.post(f"http://127.0.0.1:{hook.port}/")) is State.SENT


def test_no_proxy_of_the_environment_is_asked(outbox: Outbox, hook: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with web_server() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert outbox.deliver(outbox.post(f"http://127.0.0.1:{hook.port}/")) is State.SENT
        assert proxy.requests == []


def test_a_receiver_that_drips_is_cut_off(outbox: Outbox, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "TOTAL_SECONDS", 0.6)
    with drip_server(seconds=0.05) as port:
        settings.WEBHOOK_ALLOWED_HOSTS = [f"127.0.0.1:{port}"]
        message, began = outbox.post(f"http://127.0.0.1:{port}/"), time.monotonic()
        assert outbox.deliver(message) is State.WAITING
        assert time.monotonic() - began < 3
    assert "did not answer" in outbox.row(message).last_error


def test_the_words_of_a_failure_do_not_tell_what_a_name_leads_to(outbox: Outbox, names: Names) -> None:
    names.answers["evil.example"] = [["10.11.12.13"]]
    message = outbox.post("https://evil.example/")
    outbox.deliver(message)
    assert "10.11.12.13" not in outbox.row(message).last_error


def test_a_name_with_a_newline_or_header_in_its_path_is_no_second_request(outbox: Outbox, hook: WebServer) -> None:
    message = outbox.post(f"http://127.0.0.1:{hook.port}/a\r\nX-Evil: 1\r\n\r\nGET /b")
    outbox.deliver(message)
    assert all("x-evil" not in request.headers for request in hook.requests)
    assert [request.path for request in hook.requests] in ([], ["/aX-Evil:%201GET%20/b"])
