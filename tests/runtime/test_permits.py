"""Permits: signed, checkable with the published keys, used once, dead after a minute."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.conf import settings
from django.test import Client, override_settings

from agentops.common import clock
from agentops.common.scope import tenant_scope
from agentops.runtime import queries
from agentops.runtime.models import GuardedRun
from audit.models import Entry
from tests.runtime.guarded import Caller, Run, answered, shift
from tests.world import new_key


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _verified(token: str) -> dict[str, Any]:
    """The claims, checked as a tool server checks them: by the key the header names."""
    head, claims, signature = token.split(".")
    header = json.loads(_decoded(head))
    keys = {key["kid"]: key for key in Client().get("/.well-known/jwks.json").json()["keys"]}
    key = keys[header["kid"]]
    assert (header["alg"], key["crv"], key["alg"]) == ("EdDSA", "Ed25519", "EdDSA")
    Ed25519PublicKey.from_public_bytes(_decoded(key["x"])).verify(_decoded(signature), f"{head}.{claims}".encode())
    found: dict[str, Any] = json.loads(_decoded(claims))
    return found


def test_a_permit_says_who_may_do_what_with_which_bytes(acme: Caller) -> None:
    run = acme.run()
    claims = _verified(run.look_up(call_id="t-1")["permit"])
    assert (claims["aud"], claims["tool"], claims["tool_version"]) == ("tool:look_up_order", "look_up_order", "1")
    assert (claims["tenant"], claims["run"], claims["call"]) == (str(acme.organisation.id), run.id, "t-1")
    assert (claims["agent"], claims["agent_version"], claims["sub"]) == ("refund-desk", "1", "u-1")
    assert claims["args_digest"] == "sha256:" + hashlib.sha256(b'{"order_id":"ord_1"}').hexdigest()
    assert claims["exp"] - claims["iat"] == 60
    assert abs(claims["iat"] - time.time()) < 30


def test_a_changed_permit_is_no_permit(acme: Caller) -> None:
    head, claims, signature = acme.run().look_up()["permit"].split(".")
    changed = json.loads(_decoded(claims)) | {"aud": "tool:refund"}
    forged = base64.urlsafe_b64encode(json.dumps(changed).encode()).rstrip(b"=").decode()
    with pytest.raises(InvalidSignature):
        _verified(f"{head}.{forged}.{signature}")


def test_a_permit_is_consumed_once(acme: Caller, globex: Caller) -> None:
    jti = _verified(acme.run().look_up()["permit"])["jti"]
    path = f"/api/v1/permits/{jti}/consumption"
    assert answered(globex.call("POST", path), 404)["code"] == "call_unknown"
    assert answered(acme.call("GET", path), 405)["title"] == "Method Not Allowed"
    assert answered(acme.call("POST", path), 200)["jti"] == jti
    assert answered(acme.call("POST", path), 409)["code"] == "already_consumed"
    assert acme.organisation.actions()[-3:] == ["tool_call.decided", "permit.used", "permit.refused"]
    assert answered(acme.call("POST", "/api/v1/permits/nothing/consumption"), 404)["code"] == "call_unknown"


def test_what_is_not_done_yet_can_still_be_stopped(acme: Caller) -> None:
    finished, killed = acme.run(), acme.run()
    of_finished, of_killed = (_verified(run.look_up()["permit"])["jti"] for run in (finished, killed))
    finished.finish()
    body = {"scope": "tenant", "mode": "stop_next_step", "reason": "stop"}
    answered(acme.call("POST", "/api/v1/kill-switches", body, scope="admin"), 201)
    for jti in (of_finished, of_killed):
        assert answered(acme.call("POST", f"/api/v1/permits/{jti}/consumption"), 409)["code"] == "run_finished"
    forged = f"{'f' * 12}7fff8{'f' * 15}-1"
    assert answered(acme.call("POST", f"/api/v1/permits/{forged}/consumption"), 404)["code"] == "call_unknown"


def _refused(caller: Caller, jti: str, body: Any = None) -> str:
    return str(answered(caller.call("POST", f"/api/v1/permits/{jti}/consumption", body), 409)["code"])


def test_a_permit_is_good_only_while_its_call_is_open_and_its_run_is_live_and_each_refusal_is_told(
    acme: Caller,
) -> None:
    told, late, used = acme.run(), acme.run(user="u-2"), acme.run(user="u-3")
    calls = [run.look_up() for run in (told, late, used)]
    of_told, of_late, of_used = (_verified(call["permit"])["jti"] for call in calls)
    told.result(calls[0]["call_id"])
    assert _refused(acme, of_told) == "call_over"
    past = timedelta(seconds=-1) - (_deadline(late) - clock.now())
    shift(acme.organisation, "runtime_guardedrun", "deadline", past, f"run_id = '{late.uuid}'")
    assert _refused(acme, of_late) == "run_finished"
    answered(acme.call("POST", f"/api/v1/permits/{of_used}/consumption"), 200)
    assert _refused(acme, of_used) == "already_consumed"
    used.result(calls[2]["call_id"])
    assert _refused(acme, of_used) == "already_consumed"
    with tenant_scope(acme.organisation.id):
        entries = list(Entry.objects.filter(action="permit.refused").order_by("recorded_at", "id"))
    assert [(entry.run_id, entry.told()["code"]) for entry in entries] == [
        (told.uuid, "call_over"),
        (late.uuid, "run_finished"),
        (used.uuid, "already_consumed"),
        (used.uuid, "already_consumed"),
    ]


def test_a_permit_does_not_outlive_its_run(acme: Caller) -> None:
    run = acme.run()
    shift(acme.organisation, "runtime_guardedrun", "deadline", clock.now() + timedelta(seconds=9) - _deadline(run))
    claims = _verified(run.look_up()["permit"])
    assert claims["iat"] <= claims["exp"] <= _deadline(run).timestamp() < claims["iat"] + 60
    child = acme.run(parent_run_id=run.id)
    shift(
        acme.organisation,
        "runtime_guardedrun",
        "deadline",
        clock.now() + timedelta(seconds=4) - _deadline(child),
        f"run_id = '{child.uuid}'",
    )
    assert _verified(child.look_up("ord_2")["permit"])["exp"] <= _deadline(child).timestamp()


def _deadline(run: Run) -> datetime:
    with tenant_scope(run.caller.organisation.id):
        return GuardedRun.objects.get(run_id=run.uuid).deadline


def test_an_agent_that_uses_up_its_own_permits_is_not_held(acme: Caller) -> None:
    server = new_key(acme.organisation, "guard")
    run, since = acme.run(), clock.now() - timedelta(hours=1)

    def consume(key: str | None) -> None:
        jti = _verified(run.tool_call("search_help", {"text": f"{since}{key}"})["permit"])["jti"]
        headers = {"authorization": f"Bearer {key or acme.organisation.keys['guard']}"}
        assert Client().post(f"/api/v1/permits/{jti}/consumption", headers=headers).status_code == 200

    def grade() -> str:
        with tenant_scope(acme.organisation.id):
            return queries.of_agent(queries.enforcement(tenant=acme.organisation.id, since=since)["refund-desk"]).grade

    consume(server)
    assert grade() == "Enforced"
    consume(None)
    assert grade() == "Advisory"


def test_a_permit_is_dead_after_its_minute(acme: Caller) -> None:
    jti = _verified(acme.run().look_up()["permit"])["jti"]
    shift(acme.organisation, "runtime_guardcall", "permit_expires_at", timedelta(seconds=-61))
    assert answered(acme.call("POST", f"/api/v1/permits/{jti}/consumption"), 409)["code"] == "permit_expired"


def test_a_new_secret_key_signs_anew_and_the_old_one_stays_published(acme: Caller) -> None:
    old = acme.run().look_up()["permit"]
    with override_settings(
        SECRET_KEY="another secret of many letters, for the rotation", SECRET_KEY_FALLBACKS=_secrets()
    ):
        assert _verified(old)["tool"] == "look_up_order"
        assert _verified(acme.run(user="u-2").look_up()["permit"])["tool"] == "look_up_order"
        assert len(Client().get("/.well-known/jwks.json").json()["keys"]) == 2


def _secrets() -> list[str]:
    return [settings.SECRET_KEY]
