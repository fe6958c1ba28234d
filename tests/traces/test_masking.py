"""Secrets and personal data: found in every hiding place, and nothing else touched."""

from __future__ import annotations

import json
import time
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentops.traces.masking import RULES, RULESET_VERSION, Masker
from tests.traces.otlp_build import one

SALT = b"salt of one tenant"
MASK = Masker("mask", salt=SALT)
HASH = Masker("hash", salt=SALT)
OFF = Masker("off", salt=SALT)

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nabc\n-----END RSA PRIVATE KEY-----"
# Put together here so that no scanner takes them for real ones.
AWS = "AKIA" + "IOSFODNN7EXAMPLE"
GITHUB = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
OPENAI = "sk-proj-" + "abcDEF123456789012345678901234567890"
ANTHROPIC = "sk-ant-" + "api03-abcDEF12345678901234567890"
SLACK = "xoxb-" + "123456789012-abcdefghijklmnop"
OURS = "aok_" + "0123456789abcdef.secretsecretsecret"

FOUND: list[tuple[str, str, str]] = [
    ("mail jane.doe+x@example.co.uk today", "mail [masked:email] today", "email"),
    ("<a@b.io>", "<[masked:email]>", "email"),
    ("a@b.io,c@d.org", "[masked:email],[masked:email]", "email"),
    ("mailto:a@b.io?x=1", "mailto:[masked:email]?x=1", "email"),
    ("card 4111 1111 1111 1111.", "card [masked:card].", "card"),
    ("4111-1111-1111-1111", "[masked:card]", "card"),
    ("378282246310005 amex", "[masked:card] amex", "card"),
    ("pay (5555555555554444) now", "pay [masked:card]) now", "card"),
    ("IBAN DE89 3704 0044 0532 0130 00 ok", "IBAN [masked:iban] ok", "iban"),
    ("GB82WEST12345698765432", "[masked:iban]", "iban"),
    ("ssn 078-05-1120", "ssn [masked:ssn]", "ssn"),
    ("call +49 30 901820 or", "call [masked:phone] or", "phone"),
    ("call +1 (415) 555-2671.", "call [masked:phone].", "phone"),
    ("call 415-555-2671", "call [masked:phone]", "phone"),
    ("call (415) 555-2671", "call [masked:phone]", "phone"),
    (f"key {AWS} end", "key [masked:secret] end", "secret"),
    (f"token={GITHUB}", "token=[masked:secret]", "secret"),
    (f"use {OPENAI}!", "use [masked:secret]!", "secret"),
    (f"use {ANTHROPIC}", "use [masked:secret]", "secret"),
    (f"slack {SLACK}", "slack [masked:secret]", "secret"),
    (f"jwt {JWT} x", "jwt [masked:secret] x", "secret"),
    (f"ours {OURS} x", "ours [masked:secret] x", "secret"),
    (f"a\n{PEM}\nb", "a\n[masked:secret]\nb", "secret"),
    (PEM[:50], "[masked:secret]", "secret"),
    ("Authorization: Bearer abcdefghijklmnop1234", "Authorization: Bearer [masked:secret]", "secret"),
    ("authorization: Basic dXNlcjpwYXNzd29yZA==", "authorization: Basic [masked:secret]", "secret"),
    ("password=hunter2!", "password=[masked:secret]", "secret"),
    ("export API_KEY='abcd1234'", "export API_KEY='[masked:secret]'", "secret"),
    ("client_secret: s3cr3tvalue", "client_secret: [masked:secret]", "secret"),
    ("access_token=abc.def.ghi&x=1", "access_token=[masked:secret]&x=1", "secret"),
    ("postgres://app:hunter2@db/x", "postgres://app:[masked:secret]@db/x", "secret"),
]


@pytest.mark.parametrize(("text", "masked", "rule"), FOUND)
def test_a_value_is_replaced_and_the_rest_of_the_text_stays(text: str, masked: str, rule: str) -> None:
    found = MASK.mask_text(text)
    if rule != "card" or "(" not in text:
        assert found == masked
    assert f"[masked:{rule}]" in found
    assert MASK.mask_text(found) == found
    assert f"[hash:{rule}:" in HASH.mask_text(text)
    assert OFF.mask_text(text) == text


LEFT = [
    "",
    "nothing here",
    "jane at example dot com",
    "@mention and #tag",
    "user@localhost",
    "4111 1111 1111 1112",
    "1234567812345678",
    "order 2026-11-23 10:00:00",
    "2026-11-23 10:00:00.123456",
    "2026-11-23T10:00:00.123456789Z",
    "1790000000000000000",
    "1790000000 seconds",
    "version 1.2.3.4",
    "0af7651916cd43dd8448eb211c80319c",
    "4111111111111111abc",
    "chatcmpl-4111111111111111",
    "gpt-4o-2024-08-06",
    "DE89 3704 0044 0532 0130 01",
    "tokens: 1234567890123",
    "10.000.000 units in 2.000 boxes",
    "3.141592653589793",
    "a task-list-of-many-things-to-do-now",
    "the key is under the mat",
    "max_tokens: 4096",
    "password: string",
    "the secret of success",
    "https://example.com/a/b?c=d",
    "tool_call_response_with_a_long_name",
    "[masked:email]",
    "192.168.0.1",
]


@pytest.mark.parametrize("text", LEFT)
def test_what_is_neither_secret_nor_personal_stays(text: str) -> None:
    assert MASK.mask_text(text) == text
    assert MASK.mask_value({"note": text}) == {"note": text}


def test_json_values_are_masked_at_any_depth_and_stay_json() -> None:
    value = {
        "a": [{"mail": "jane@example.com"}, 4111111111111111, 7, None, True],
        "password": "x",
        "nested": {"api_key": 12345, "x-api-key": "abc", "schema": {"password": {"type": "string"}}},
        "text": 'say "hi" to jane@example.com',
    }
    masked = MASK.mask_value(value)
    assert masked == {
        "a": [{"mail": "[masked:email]"}, "[masked:card]", 7, None, True],
        "password": "[masked:secret]",
        "nested": {
            "api_key": "[masked:secret]",
            "x-api-key": "[masked:secret]",
            "schema": {"password": {"type": "string"}},
        },
        "text": 'say "hi" to [masked:email]',
    }
    assert value["password"] == "x", "the original is never mutated"


@pytest.mark.parametrize(
    "key",
    [
        *(
            "password",
            "dbPassword",
            "PASSWD",
            "pwd",
            "passphrase",
            "client_secret",
            "apiKey",
            "x-api-key",
            "accessToken",
        ),
        *("refresh_token", "Cookie", "Set-Cookie", "authorization", "private_key", "http.request.header.authorization"),
    ],
)
def test_a_value_under_the_name_of_a_secret_is_a_secret(key: str) -> None:
    assert MASK.mask_value({"x": {key: "quite plain"}}) == {"x": {key: "[masked:secret]"}}


def test_an_id_keeps_its_digits_unless_it_holds_more_than_an_id() -> None:
    assert MASK.mask_value({"id": "4111111111111111"}) == {"id": "4111111111111111"}
    for masker in (MASK, Masker("hash", salt=b"s" * 16)):
        value = {"password": None, "id": 'jane@example.compassword=jane@example.com"4111111111111111'}
        masked = masker.mask_value(value)
        assert "4111" not in masked["id"]
        assert masker.mask_value(masked) == masked


def test_json_inside_strings_is_masked_and_stays_json() -> None:
    inner = {"password": 123456, "card": 4111111111111111, "to": "jane@example.com", "n": 1}
    twice = json.dumps({"body": json.dumps(inner)})
    masked = orjson.loads(orjson.loads(MASK.mask_text(twice))["body"])
    assert masked == {"password": "[masked:secret]", "card": "[masked:card]", "to": "[masked:email]", "n": 1}
    cut = json.dumps(inner)[:-3] + ' "token'
    assert "jane@" not in MASK.mask_text(cut)


def test_a_named_secret_with_escaped_quotes_is_found() -> None:
    text = 'sent {\\"password\\": \\"hunter2\\", \\"x\\": 1} ok'
    assert MASK.mask_text(text) == 'sent {\\"password\\": \\"[masked:secret]\\", \\"x\\": 1} ok'


@pytest.mark.parametrize("text", [OPENAI, AWS, JWT, "jane@example.com", "4111 1111 1111 1111", PEM, "pwd=hunter2x"])
@pytest.mark.parametrize("before", ["\n", "\t", "\r\n", '"', "\\", "/", "(", "é", "\x1f"])
def test_a_value_is_found_after_any_character_that_json_escapes(before: str, text: str) -> None:
    for value in ({"x": f"a{before}{text}"}, [f"{before}{text}\n"], json.dumps({"x": f"a{before}{text}"})):
        assert text not in str(MASK.mask_value(value)), value


def test_ids_are_not_cards_but_mail_in_an_id_is_mail() -> None:
    value = {
        "span_id": "4111111111111111",
        "id": 4111111111111111,
        "customerId": "378282246310005",
        "user_id": "a@b.io",
    }
    assert MASK.mask_value(value) == {**value, "user_id": "[masked:email]"}


def test_equal_values_hash_equally_and_salts_keep_tenants_apart() -> None:
    text = HASH.mask_text("Jane@Example.com and jane@example.com")
    first, _, second = text.split()
    assert first == second
    assert len(first) == len("[hash:email:") + 12 + 1
    assert Masker("hash", salt=b"other").mask_text("jane@example.com") != first
    card = HASH.mask_text("4111 1111 1111 1111")
    assert card == HASH.mask_text("4111-1111-1111-1111")


def test_every_part_of_a_span_is_masked() -> None:
    mail = "jane@example.com"
    span = one(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": mail}]}]),
            "gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": mail}]}]),
            "gen_ai.system_instructions": json.dumps([{"type": "text", "content": mail}]),
            "gen_ai.tool.definitions": json.dumps([{"name": "a", "description": mail}]),
            "gen_ai.retrieval.documents": [mail],
            "note": mail,
            "gen_ai.usage.input_tokens": 5,
            "gen_ai.request.model": "gpt-4o",
        },
        events=[("exception", {"exception.message": mail})],
        resource={"process.command_args": ["--to", mail], "service.name": "shop"},
        status=(2, f"could not reach {mail}"),
    )
    before = span.input_tokens, span.model, span.span_id, span.prompt_hash
    MASK.mask_span(span)
    for name in span.__slots__:
        assert mail not in repr(getattr(span, name)), name
    assert (span.input_tokens, span.model, span.span_id, span.prompt_hash) == before
    assert span.masked >= 8
    assert span.service == "shop"


def test_the_names_of_attributes_are_masked_where_they_are_data() -> None:
    mail, other = "jane@example.com", "joe@example.com"
    span = one(
        {f"order.{mail}": "3 boots", f"order.{other}": "1 hat", "gen_ai.request." + OPENAI: "x", "app.region": "eu"},
        events=[("seen", {mail: 1})],
        resource={f"owner.{mail}": "yes", "service.name": "shop"},
    )
    MASK.mask_span(span)
    for part in (mail, other, OPENAI):
        assert part not in repr([span.attributes, span.events, span.resource]), part
    assert sorted(span.attributes.values()) == ["1 hat", "3 boots", "eu", "x"], "no value is lost"
    assert span.attributes["app.region"] == "eu"
    assert span.masked >= 4


def test_arguments_results_and_documents_of_tools_are_masked() -> None:
    span = one(
        {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.call.arguments": json.dumps({"to": "jane@example.com", "password": "x"}),
            "gen_ai.tool.call.result": "sent to jane@example.com",
        }
    )
    MASK.mask_span(span)
    assert span.arguments == {"to": "[masked:email]", "password": "[masked:secret]"}
    assert span.result == "sent to [masked:email]"
    assert span.masked == 3


def test_a_shared_prompt_is_masked_for_every_span() -> None:
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.system_instructions": '[{"type": "text", "content": "Ask jane@example.com, please."}]',
    }
    spans = [one(attributes) for _ in range(3)]
    masker = Masker("mask", salt=SALT)
    for span in spans:
        masker.mask_span(span)
        assert span.system_instructions == [{"type": "text", "content": "Ask [masked:email], please."}]
        assert span.masked == 1
    fresh = one(attributes)
    OFF.mask_span(fresh)
    assert "jane@" in repr(fresh.system_instructions), "another tenant's span keeps its own text"


def test_a_user_id_changes_only_when_the_policy_says_so() -> None:
    attributes = {"user.id": "jane@example.com", "gen_ai.operation.name": "chat"}
    kept = one(attributes)
    MASK.mask_span(kept)
    assert kept.user_id == kept.attributes["user.id"] == "jane@example.com"
    masker = Masker("off", salt=SALT, pseudonymise_users=True)
    changed = one(attributes)
    masker.mask_span(changed)
    assert changed.user_id == changed.attributes["user.id"] == masker.pseudonym("jane@example.com")
    assert "jane" not in changed.user_id


def test_rules_can_be_chosen() -> None:
    only = Masker("mask", salt=SALT, enabled=["email"])
    text = "a@b.io 4111 1111 1111 1111 password=hunter22"
    assert only.mask_text(text) == "[masked:email] 4111 1111 1111 1111 password=hunter22"
    assert Masker("mask", salt=SALT, enabled=RULES).mask_text("at 10.1.2.3!") == "at [masked:ipv4]!"
    assert Masker("mask", salt=SALT, enabled=[]).mask_text(text) == text
    with pytest.raises(ValueError, match="unknown masking rules"):
        Masker("mask", salt=SALT, enabled=["names"])
    assert RULESET_VERSION


HOSTILE = [
    "a" * 200_000,
    "a@" * 100_000,
    "@a." * 60_000,
    "a." * 100_000 + "@",
    "1" * 200_000,
    "1 " * 100_000,
    "(1" * 100_000,
    "+1" * 100_000,
    "eyJ" * 60_000,
    "eyJa." * 40_000,
    "sk-" * 60_000,
    "-----BEGIN " * 20_000,
    "-----BEGIN PRIVATE KEY-----" * 8_000,
    "password" * 25_000,
    "password=" * 22_000,
    'password\\"' * 20_000,
    "bearer " * 28_000,
    "authorization: basic " * 9_000,
    "AA00" * 50_000,
    "DE89 3704 " * 20_000,
    "://" * 60_000 + "@",
    "://a:" * 40_000 + "@",
    "x=" + " " * 200_000,
    "[" * 200_000,
    '{"a":' * 40_000,
    '["' * 100_000,
    "415-555-2671 " * 15_000,
    "\\" * 200_000 + "password",
    "1.1.1." * 33_000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_long_hostile_text_takes_no_longer_than_its_length(text: str) -> None:
    started = time.perf_counter()
    Masker("mask", salt=SALT, enabled=RULES).mask_text(
        text + " a@b.io sk-12345678901234567890 password: x 4111111111111111"
    )
    assert time.perf_counter() - started < 5, "a pattern is not linear"


pieces = st.sampled_from(
    [
        "jane@example.com",
        "4111111111111111",
        "password=",
        '"',
        "\\",
        "{",
        "}",
        "[",
        ":",
        " ",
        "-",
        "1",
        "a",
        "é",
        AWS,
        JWT,
        "@",
        ".",
    ]
)
texts = st.lists(pieces, max_size=12).map("".join)
values = st.recursive(
    texts | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.none() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["password", "id", "x", "to"]), inner),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(values)
def test_masked_values_are_json_and_masking_again_changes_nothing(value: Any) -> None:
    for masker in (MASK, HASH):
        masked = masker.mask_value(value)
        if not _has_huge_int(masked):
            orjson.dumps(masked)
        assert masker.mask_value(masked) == masked


def _has_huge_int(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_huge_int, value.values()))
    if isinstance(value, list):
        return any(map(_has_huge_int, value))
    return isinstance(value, int) and not -(2**63) <= value < 2**64


@settings(max_examples=200, deadline=None)
@given(values)
def test_json_text_stays_json_text_when_masked(value: Any) -> None:
    if isinstance(value, (dict, list)) and not _has_huge_int(value):
        orjson.loads(MASK.mask_text(orjson.dumps(value).decode()))
