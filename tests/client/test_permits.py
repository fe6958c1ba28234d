"""A tool server runs what the portal allowed, once, and nothing that merely looks like it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from agentops_client.errors import PortalError, Unreachable
from agentops_client.permits import AsyncPermitVerifier, Claims, PermitRefused, PermitVerifier, digest, tenant_of
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tenants.keys import mint
from tests.client.playing import play_out
from tests.stubs.portal import RUN_ID, TENANT, Said, StubPortal, b64

ARGUMENTS = {"order_id": "ord_1", "amount_minor": 500}


def claims(**other: Any) -> dict[str, Any]:
    now = int(time.time())
    return {
        "iss": "agentops",
        "aud": "tool:refund",
        "sub": "ann",
        "tenant": TENANT,
        "run": RUN_ID,
        "call": "c-1",
        "agent": "support-bot",
        "agent_version": "1",
        "tool": "refund",
        "tool_version": "3",
        "args_digest": digest(ARGUMENTS),
        "action_digest": "sha256:1",
        "policy_version": 7,
        "tier": 3,
        "iat": now,
        "exp": now + 60,
        "jti": f"{RUN_ID}-4",
    } | other


@pytest.fixture
def verifier(stub: StubPortal) -> Iterator[PermitVerifier]:
    made = PermitVerifier(stub.url, "aok_key", tenant=TENANT, retry_seconds=0.3)
    yield made
    made.close()


def test_a_good_permit_runs_the_call_once(stub: StubPortal, verifier: PermitVerifier) -> None:
    seen: list[Any] = []

    @verifier.permitted("refund")
    def refund(order_id: str, amount_minor: int, claims: Claims) -> str:
        seen.append((claims.user, claims.run_id, claims.tier))
        return order_id

    permit = stub.permit(claims())
    assert refund(permit=permit, **ARGUMENTS) == "ord_1"  # type: ignore[call-arg]
    assert seen == [("ann", RUN_ID, 3)]
    with pytest.raises(PermitRefused) as refused:
        refund(permit=permit, **ARGUMENTS)  # type: ignore[call-arg]
    assert refused.value.code == "already_consumed" and len(seen) == 1


def test_the_async_decorator_is_as_strict(stub: StubPortal) -> None:
    async def story() -> None:
        verifier = AsyncPermitVerifier(stub.url, "aok_key", tenant=TENANT)

        @verifier.permitted("refund")
        async def refund(order_id: str, amount_minor: int) -> str:
            return order_id

        permit = stub.permit(claims())
        assert await refund(permit=permit, **ARGUMENTS) == "ord_1"  # type: ignore[call-arg]
        for other in ({"permit": permit}, {}):
            with pytest.raises(PermitRefused):
                await refund(**ARGUMENTS, **other)  # type: ignore[arg-type]
        await verifier.aclose()

    play_out(story())


FORGERIES: dict[str, tuple[Callable[[StubPortal], str], str]] = {
    "none": (lambda stub: "", "permit_missing"),
    "no jws": (lambda stub: "permit", "permit_malformed"),
    "another key": (lambda stub: stub.permit(claims(), key=Ed25519PrivateKey.generate()), "permit_forged"),
    "alg none": (
        lambda stub: stub.permit(claims(), header={"alg": "none", "typ": "agentops-permit+jwt", "kid": "k1"}),
        "permit_forged",
    ),
    "alg HS256": (
        lambda stub: stub.permit(claims(), header={"alg": "HS256", "typ": "agentops-permit+jwt", "kid": "k1"}),
        "permit_forged",
    ),
    "another type": (
        lambda stub: stub.permit(claims(), header={"alg": "EdDSA", "typ": "JWT", "kid": "k1"}),
        "permit_malformed",
    ),
    "a key of its own in the header": (
        lambda stub: stub.permit(
            claims(), header={"alg": "EdDSA", "typ": "agentops-permit+jwt", "kid": "k1", "jwk": stub.jwks()["keys"][0]}
        ),
        "permit_malformed",
    ),
    "critical extension": (
        lambda stub: stub.permit(
            claims(), header={"alg": "EdDSA", "typ": "agentops-permit+jwt", "kid": "k1", "crit": ["b64"]}
        ),
        "permit_malformed",
    ),
    "unknown key": (
        lambda stub: stub.permit(claims(), header={"alg": "EdDSA", "typ": "agentops-permit+jwt", "kid": "k2"}),
        "permit_forged",
    ),
    "another tool": (lambda stub: stub.permit(claims(aud="tool:lookup", tool="lookup")), "permit_mismatch"),
    "another audience": (lambda stub: stub.permit(claims(aud=["tool:refund"])), "permit_mismatch"),
    "another tenant": (lambda stub: stub.permit(claims(tenant=TENANT.replace("aa", "ab"))), "permit_mismatch"),
    "another issuer": (lambda stub: stub.permit(claims(iss="someone")), "permit_mismatch"),
    "other arguments": (
        lambda stub: stub.permit(claims(args_digest=digest({**ARGUMENTS, "amount_minor": 5000}))),
        "permit_mismatch",
    ),
    "no digest": (lambda stub: stub.permit(claims(args_digest=None)), "permit_mismatch"),
    "expired": (
        lambda stub: stub.permit(claims(iat=int(time.time()) - 70, exp=int(time.time()) - 10)),
        "permit_expired",
    ),
    "from the future": (
        lambda stub: stub.permit(claims(iat=int(time.time()) + 60, exp=int(time.time()) + 120)),
        "permit_expired",
    ),
    "lives too long": (lambda stub: stub.permit(claims(exp=int(time.time()) + 86_400)), "permit_malformed"),
    "no expiry": (lambda stub: stub.permit(claims(exp=None)), "permit_malformed"),
    "expiry is true": (lambda stub: stub.permit(claims(exp=True, iat=0)), "permit_malformed"),
    "jti is a path": (lambda stub: stub.permit(claims(jti="../../x")), "permit_malformed"),
    "another payload under the signature": (
        lambda stub: ".".join(
            [
                (parts := stub.permit(claims()).split("."))[0],
                b64(json.dumps(claims(tier=1)).encode()),
                parts[2],
            ]
        ),
        "permit_forged",
    ),
    "padding": (lambda stub: stub.permit(claims()) + "=", "permit_malformed"),
    "a letter of the signature in another case": (lambda stub: _other_case(stub.permit(claims())), "permit_forged"),
    "very long": (lambda stub: stub.permit(claims(note="x" * 9_000)), "permit_malformed"),
}


def _other_case(permit: str) -> str:
    head, _, signature = permit.rpartition(".")
    place = next(at for at, letter in enumerate(signature[:-2]) if letter.isalpha())
    return f"{head}.{signature[:place]}{signature[place].swapcase()}{signature[place + 1 :]}"


@pytest.mark.parametrize("name", FORGERIES)
def test_what_is_no_permit_for_this_call_runs_nothing_and_uses_nothing(
    stub: StubPortal, verifier: PermitVerifier, name: str
) -> None:
    make, code = FORGERIES[name]

    @verifier.permitted("refund")
    def refund(order_id: str, amount_minor: int) -> None:
        raise AssertionError("it ran")

    with pytest.raises(PermitRefused) as refused:
        refund(permit=make(stub), **ARGUMENTS)  # type: ignore[call-arg]
    assert refused.value.code == code
    assert stub.of("consumption") == []


def test_the_order_of_members_and_the_spelling_of_numbers_do_not_change_arguments() -> None:
    assert digest({"b": 1.0, "a": "é"}) == digest({"a": "é", "b": 1})
    with pytest.raises(PermitRefused):
        digest({"n": 2**60})


def test_keys_are_fetched_once_and_forged_ones_do_not_make_it_ask_again(
    stub: StubPortal, verifier: PermitVerifier
) -> None:
    for number in range(3):
        verifier.use(stub.permit(claims(jti=f"{RUN_ID}-{number}")), tool="refund", arguments=ARGUMENTS)
    unknown = {"alg": "EdDSA", "typ": "agentops-permit+jwt", "kid": "made up"}
    for _ in range(3):
        with pytest.raises(PermitRefused):
            verifier.use(stub.permit(claims(), header=unknown), tool="refund", arguments=ARGUMENTS)
    assert len(stub.of("jwks.json")) == 1


def test_without_the_portal_nothing_runs(stub: StubPortal, verifier: PermitVerifier) -> None:
    verifier.use(stub.permit(claims(jti=f"{RUN_ID}-1")), tool="refund", arguments=ARGUMENTS)
    stub.say("consumption", *[Said(503)] * 50)
    with pytest.raises(Unreachable):
        verifier.use(stub.permit(claims(jti=f"{RUN_ID}-2")), tool="refund", arguments=ARGUMENTS)


def test_a_use_whose_answer_was_lost_is_refused_rather_than_run_twice(
    stub: StubPortal, verifier: PermitVerifier
) -> None:
    permit = stub.permit(claims())
    stub.consumed.add(claims()["jti"])  # as after a first try whose answer was lost
    stub.lose("consumption")
    with pytest.raises(PermitRefused, match="used before"):
        verifier.use(permit, tool="refund", arguments=ARGUMENTS)


@pytest.mark.parametrize("code", ["call_over", "run_finished"])
def test_what_the_portal_refuses_is_a_refused_permit_also_where_the_run_is_over(
    stub: StubPortal, verifier: PermitVerifier, code: str
) -> None:
    stub.say("consumption", Said(409, {"code": code, "detail": "not any more"}))
    with pytest.raises(PermitRefused, match="not any more") as refused:
        verifier.use(stub.permit(claims()), tool="refund", arguments=ARGUMENTS)
    assert refused.value.code == code


def test_a_key_that_may_not_use_permits_is_told_so(stub: StubPortal, verifier: PermitVerifier) -> None:
    stub.say("consumption", Said(403, {"code": "forbidden", "detail": "this key has not the scope guard"}))
    with pytest.raises(PortalError, match="scope"):
        verifier.use(stub.permit(claims()), tool="refund", arguments=ARGUMENTS)


def test_a_permit_for_another_version_of_the_resource_is_refused_and_not_used(
    stub: StubPortal, verifier: PermitVerifier
) -> None:
    present = "8"

    @verifier.permitted("refund", resource_version=lambda order_id, amount_minor: present)
    def refund(order_id: str, amount_minor: int, claims: Claims) -> tuple[str, str]:
        return claims.resource, claims.resource_version

    permit = stub.permit(claims(resource="ord_1", resource_version="7"))
    with pytest.raises(PermitRefused) as refused:
        refund(permit=permit, **ARGUMENTS)  # type: ignore[call-arg]
    assert refused.value.code == "resource_changed"
    assert stub.of("consumption") == []
    present = "7"
    assert refund(permit=permit, **ARGUMENTS) == ("ord_1", "7")  # type: ignore[call-arg]


def test_a_permit_that_names_no_version_and_a_server_that_knows_none_go_together(
    stub: StubPortal, verifier: PermitVerifier
) -> None:
    unbound = stub.permit(claims(jti=f"{RUN_ID}-1"))
    assert verifier.use(unbound, tool="refund", arguments=ARGUMENTS, resource_version="8").resource_version == ""
    bound = stub.permit(claims(jti=f"{RUN_ID}-2", resource_version="7"))
    assert verifier.use(bound, tool="refund", arguments=ARGUMENTS).resource_version == "7"


def test_the_async_decorator_looks_the_version_up_by_a_coroutine(stub: StubPortal) -> None:
    async def story() -> None:
        verifier = AsyncPermitVerifier(stub.url, "aok_key", tenant=TENANT)

        async def version(order_id: str, amount_minor: int) -> str:
            return "8"

        @verifier.permitted("refund", resource_version=version)
        async def refund(order_id: str, amount_minor: int) -> None:
            raise AssertionError("it ran")

        with pytest.raises(PermitRefused, match="version 7, and now it is 8"):
            await refund(permit=stub.permit(claims(resource_version="7")), **ARGUMENTS)  # type: ignore[call-arg]
        await verifier.aclose()

    play_out(story())


def test_what_is_about_to_run_is_named_when_a_permit_is_used(stub: StubPortal, verifier: PermitVerifier) -> None:
    verifier.use(stub.permit(claims()), tool="refund", arguments=ARGUMENTS)
    assert stub.of("consumption")[0].body == {"args_digest": digest(ARGUMENTS)}


def test_a_portal_that_knows_other_arguments_refuses_the_use(stub: StubPortal, verifier: PermitVerifier) -> None:
    stub.say("consumption", Said(409, {"code": "arguments_changed", "detail": "other arguments were allowed"}))
    with pytest.raises(PermitRefused) as refused:
        verifier.use(stub.permit(claims()), tool="refund", arguments=ARGUMENTS)
    assert refused.value.code == "arguments_changed"


def test_the_tenant_stands_in_the_key() -> None:
    import uuid

    tenant = uuid.UUID(TENANT)
    assert tenant_of(mint(tenant)) == TENANT
    with pytest.raises(ValueError, match="give tenant="):
        tenant_of("sk-something")
