"""An entry as an event of the Open Cybersecurity Schema Framework (https://schema.ocsf.io), which SIEMs read. Pure.

The classes are those of OCSF 1.8. What agents do is API Activity; what people change is Entity Management, of members
User Access Management; signing in is Authentication; what people read and take away is Web Resources Activity.
`attestation_list`, by which an event leads back to its leaf in the signed tree, is of 1.9. What OCSF has no name for is
in `unmapped`, so that nothing of an entry is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

VERSION = "1.8.0"
OTHER = 99
_API = "agentops"

_STATUS = {"success": (1, "Success"), "failure": (2, "Failure"), "denied": (2, "Failure"), "unknown": (0, "Unknown")}
_INFORMATIONAL, _LOW, _MEDIUM = (1, "Informational"), (2, "Low"), (3, "Medium")
_ACTOR_KINDS = {"user": (1, "User"), "staff": (2, "Admin"), "service": (4, "Service"), "system": (3, "System")}
_WELL_KNOWN_ENTITIES = {"member": (2, "User"), "end_user": (2, "User"), "approver_group": (3, "Group"), "tenant": (4, "Organization")}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Class:
    """A class of events: `activities` are the numbers of what its source calls by words."""

    uid: int
    name: str
    activities: Mapping[str, tuple[int, str]]

    @property
    def category(self) -> tuple[int, str]:
        return self.uid // 1000, _CATEGORIES[self.uid // 1000]


_CATEGORIES = {2: "Findings", 3: "Identity & Access Management", 6: "Application Activity"}
_CRUD = {"create": (1, "Create"), "read": (2, "Read"), "update": (3, "Update"), "delete": (4, "Delete")}
API_ACTIVITY = Class(6003, "API Activity", _CRUD)
WEB_RESOURCES = Class(6001, "Web Resources Activity", {**_CRUD, "search": (5, "Search"), "export": (7, "Export"), "share": (8, "Share")})  # fmt: skip
ENTITY = Class(3004, "Entity Management", {
    **_CRUD, "enable": (8, "Enable"), "disable": (9, "Disable"), "activate": (10, "Activate"),
    "deactivate": (11, "Deactivate"), "suspend": (12, "Suspend"), "resume": (13, "Resume"),
})  # fmt: skip
ACCESS = Class(3005, "User Access Management", {
    "assign_privileges": (1, "Assign Privileges"), "revoke_privileges": (2, "Revoke Privileges"),
    "assign_role": (3, "Assign Role"), "remove_role": (4, "Remove Role"),
})  # fmt: skip
AUTHENTICATION = Class(3002, "Authentication", {"logon": (1, "Logon"), "logoff": (2, "Logoff")})
INCIDENT = Class(2005, "Incident Finding", {"create": (1, "Create"), "update": (2, "Update"), "close": (3, "Close")})

_CLASS_OF_CATEGORY = {
    "agent": API_ACTIVITY,
    "approval": API_ACTIVITY,
    "admin": ENTITY,
    "auth": AUTHENTICATION,
    "data": WEB_RESOURCES,
    "incident": INCIDENT,
    "integrity": ENTITY,
}
# Where an action is of another class than its category.
_CLASS_OF_ACTION = {
    "member.added": ACCESS,
    "member.role_changed": ACCESS,
    "member.removed": ACCESS,
    "approvers.granted": ACCESS,
    "approvers.revoked": ACCESS,
    "audit.exported": WEB_RESOURCES,
    "audit.export_downloaded": WEB_RESOURCES,
    "ingest.replayed": API_ACTIVITY,
    "ingest.discarded": API_ACTIVITY,
    "delivery.given_up": API_ACTIVITY,
    "delivery.repeated": API_ACTIVITY,
}
# What an action is called in its class, where its last word does not say so.
_ACTIVITY_OF_ACTION = {
    "member.added": "assign_role",
    "member.role_changed": "assign_role",
    "member.removed": "remove_role",
    "approvers.granted": "assign_privileges",
    "approvers.revoked": "revoke_privileges",
    "staff.read": "read",
    "audit.exported": "export",
    "audit.export_downloaded": "export",
    "kill_switch.set": "disable",
    "kill_switch.lifted": "enable",
    "agent_version.approved": "activate",
    "agent_version.approval_withdrawn": "deactivate",
    "tool_grant.restored": "enable",
    "audit.stream_stopped": "suspend",
    "auth.signed_in": "logon",
    "auth.sign_in_failed": "logon",
    "auth.signed_out": "logoff",
}
_WORDS = {
    "create": {"created", "added", "made", "defined", "saved", "started", "requested", "presented", "linked"},
    "update": {"changed", "set", "edited", "reviewed", "gated", "ended", "confirmed", "settled"},
    "delete": {"removed", "deleted", "revoked", "discarded", "unlinked", "pruned", "erased", "applied"},
    "share": {"shared"},
}
_ACTIVITY_OF_WORD = {word: name for name, words in _WORDS.items() for word in words}


def event(record: Mapping[str, Any]) -> dict[str, Any]:
    """An entry (formats.record; one that is still there) as an OCSF event."""
    of = class_of(record["action"], record["category"])
    activity_id, activity = _activity(record, of)
    category_uid, category = of.category
    status_id, status = _STATUS.get(record["outcome"], (OTHER, record["outcome"].capitalize()))
    severity_id, severity = _severity(record)
    found: dict[str, Any] = {
        "activity_id": activity_id,
        "activity_name": activity,
        "category_uid": category_uid,
        "category_name": category,
        "class_uid": of.uid,
        "class_name": of.name,
        "type_uid": of.uid * 100 + activity_id,
        "type_name": f"{of.name}: {activity}",
        "severity_id": severity_id,
        "severity": severity,
        "status_id": status_id,
        "status": status,
        "time": epoch_ms(record["occurred_at"]),
        "message": record["summary"],
        "metadata": _metadata(record, of),
        "actor": _actor(record),
        "attestation_list": [_attestation(record)],
        "unmapped": _unmapped(record),
    }
    if record["outcome"] == "denied":
        found["status_code"] = "denied"
    if record.get("reason"):
        found["comment" if of is ENTITY else "status_detail"] = record["reason"]
    if record.get("user_agent"):
        found["http_request"] = {"user_agent": record["user_agent"]}
    found["src_endpoint"] = {"ip": record["src_ip"]} if record.get("src_ip") else {"name": _API}
    if of is API_ACTIVITY:
        found |= _operation(record)
    return found | _SUBJECTS[of.uid](record)


def class_of(action: str, category: str) -> Class:
    """The class of an action; `category` is its name in the log."""
    return _CLASS_OF_ACTION.get(action) or _CLASS_OF_CATEGORY[category]


def epoch_ms(text: str) -> int:
    """`timestamp_t`: milliseconds since the epoch, of a time as entries have it."""
    moment = datetime.fromisoformat(text)
    return int(moment.timestamp()) * 1000 + moment.microsecond // 1000


# -- what every event has --------------------------------------------------------------------------------------------


def _activity(record: Mapping[str, Any], of: Class) -> tuple[int, str]:
    """OCSF's own where it has one; else 99, under the action's name."""
    action = record["action"]
    name = _ACTIVITY_OF_ACTION.get(action) or _ACTIVITY_OF_WORD.get(action.rpartition(".")[2].rpartition("_")[2], "")
    if action == "kill_switch.set" and record["data"].get("mode") == "stop_next_step":
        name = "suspend"
    if record["category"] == "agent" and name in ("", "create", "update"):
        name = "create" if action in ("tool.called", "tool.observed", "side_effect.observed", "run.started") else ""
    return of.activities.get(name, (OTHER, action))


def _severity(record: Mapping[str, Any]) -> tuple[int, str]:
    if record["action"] in ("permit.refused", "kill_switch.set", "audit.stream_stopped", "approval.outcome_unknown"):
        return _MEDIUM
    return _INFORMATIONAL if record["outcome"] in ("success", "pending") else _LOW


def _metadata(record: Mapping[str, Any], of: Class) -> dict[str, Any]:
    profiles = ["ai_operation", "trace"] if of is API_ACTIVITY else []
    found: dict[str, Any] = {
        "version": VERSION,
        "uid": record["id"],
        "sequence": record["leaf"],
        "tenant_uid": record["tenant"],
        "logged_time": epoch_ms(record["recorded_at"]),
        "event_code": record["action"],
        "log_name": "audit",
        "product": {"name": "agentops", "vendor_name": "agentops"},
    }
    if profiles:
        found["profiles"] = profiles
    if record["data"].get("idempotency_key"):
        found["correlation_uid"] = record["data"]["idempotency_key"]
    elif record.get("run"):
        found["correlation_uid"] = record["run"]
    return found


def _actor(record: Mapping[str, Any]) -> dict[str, Any]:
    actor = record["actor"]
    type_id, kind = _ACTOR_KINDS.get(actor["type"], (OTHER, actor["type"].capitalize()))
    found: dict[str, Any] = {"app_name": _API}
    if actor["type"] == "agent":
        found = {"app_name": _agent_name(record), "app_uid": actor.get("id", "")}
    else:
        found["user"] = _named(uid=actor.get("id"), name=actor.get("label"), type_id=type_id, type=kind)
    if record.get("on_behalf_of"):
        found.setdefault("user", {"uid": record["on_behalf_of"], "type_id": 1, "type": "User"})
        found["authorizations"] = [{"decision": "on behalf of", "policy": {"uid": record["on_behalf_of"]}}]
    return found


def _attestation(record: Mapping[str, Any]) -> dict[str, Any]:
    """The leaf of the entry in its organisation's tree (RFC 9162): the hash is over the entry, of which this is a view."""
    return {
        "uid": str(record["leaf"]),
        "chain_uid": record["tenant"],
        "authority_uid": _API,
        "fingerprint": {"algorithm_id": 3, "algorithm": "SHA-256", "value": record["hash"]},
    }


def _unmapped(record: Mapping[str, Any]) -> dict[str, Any]:
    names = ("action", "outcome", "on_behalf_of", "auth_method", "target", "run", "erased", "data")
    return {name: record[name] for name in names if record.get(name)}


# -- what a class has ------------------------------------------------------------------------------------------------


def _operation(record: Mapping[str, Any]) -> dict[str, Any]:
    data, target = record["data"], record["target"]
    found: dict[str, Any] = {"api": {"operation": record["action"], "service": {"name": _API}}}
    if record["action"] in ("tool.called", "tool.observed"):
        tool = data.get("tool") or target.get("id", "")
        found["api"] = {"operation": tool, "service": {"name": data.get("external_system") or tool}}
    if data.get("external_system"):
        found["dst_endpoint"] = {"name": data["external_system"], "svc_name": data["external_system"]}
    if record["actor"]["type"] == "agent":
        agent = _named(
            uid=record["actor"].get("id"),
            name=_agent_name(record),
            version=data.get("agent_version"),
            instance_uid=record.get("run"),
        )
        if data.get("model"):
            agent["ai_model"] = {"name": data["model"]}
        found["ai_agent"] = agent
    if record.get("run"):
        span = {"span": {"uid": data["span"]}} if data.get("span") else {}
        found["trace"] = {"uid": record["run"], **span}
    return found


def _entity(record: Mapping[str, Any]) -> dict[str, Any]:
    target = record["target"]
    type_id, kind = _WELL_KNOWN_ENTITIES.get(target["type"], (OTHER, target["type"]))
    return {"entity": _named(uid=target.get("id"), name=_name_of(record), type_id=type_id, type=kind)}


def _user(record: Mapping[str, Any]) -> dict[str, Any]:
    data, target = record["data"], record["target"]
    name = data.get("member") or data.get("who")
    found: dict[str, Any] = {"user": _named(uid=target.get("id"), name=name if isinstance(name, str) else "")}
    if data.get("role") or data.get("new"):
        found["iam_role"] = {"name": data.get("role") or data["new"]}
    if record["action"].startswith("approvers."):
        found["privileges"] = ["approve"]
        found["resources"] = [_named(type=data.get("kind"), name=data.get("name"))]
    return found


def _signed_in(record: Mapping[str, Any]) -> dict[str, Any]:
    actor = record["actor"]
    return {
        "user": _named(uid=actor.get("id"), name=actor.get("label")),
        "service": {"name": _API},
        "is_remote": True,
        **({"auth_protocol_id": OTHER, "auth_protocol": record["auth_method"]} if record.get("auth_method") else {}),
    }


def _web_resources(record: Mapping[str, Any]) -> dict[str, Any]:
    return {"web_resources": [_resource(record)]}


def _resources(record: Mapping[str, Any]) -> dict[str, Any]:
    return {"resources": [_resource(record)]}


def _incident(record: Mapping[str, Any]) -> dict[str, Any]:
    target = record["target"]
    return {"finding_info_list": [_named(uid=target.get("id"), title=record["summary"])]}


def _resource(record: Mapping[str, Any]) -> dict[str, Any]:
    target = record["target"]
    return _named(uid=target.get("id"), type=target["type"], name=_name_of(record))


_SUBJECTS: dict[int, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    API_ACTIVITY.uid: _resources,
    WEB_RESOURCES.uid: _web_resources,
    ENTITY.uid: _entity,
    ACCESS.uid: _user,
    AUTHENTICATION.uid: _signed_in,
    INCIDENT.uid: _incident,
}


def _agent_name(record: Mapping[str, Any]) -> str:
    actor = record["actor"]
    name: str = actor.get("label") or actor.get("id", "").removeprefix("agent:")
    return name


def _name_of(record: Mapping[str, Any]) -> str:
    """What the thing is called, where the entry says so."""
    data = record["data"]
    found = data.get("name") or data.get("agent") or data.get("tool") or data.get("destination")
    return found if isinstance(found, str) else ""


def _named(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in ("", None)}
