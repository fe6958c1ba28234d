"""The manifests of the guarded agents, as their teams would write them."""

from __future__ import annotations

import hashlib
from typing import Any

from agentops.portal.demo import models
from agentops.portal.demo.cast import KESTREL, NORTHWIND

ORDER_DESK, TELLER = "order-desk", "teller"
VERSION, NEXT_VERSION = "2026-11-18", "2026-11-25"


def _text(description: str, **more: Any) -> dict[str, Any]:
    return {"type": "string", "description": description, **more}


def _arguments(**properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(properties),
        "properties": properties,
    }


_ORDER = _text("Such as NW-51234", pattern="^NW-[0-9]{5}$")
_ACCOUNT = _text("Such as KB-1007", pattern="^KB-[0-9]{4}$")


def _prompt_hash(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


_DESK_TOOLS: list[dict[str, Any]] = [
    {"name": "get_order", "version": "4", "effect": "read", "tier": 1, "arguments": _arguments(order=_ORDER)},
    {
        "name": "search_policies",
        "version": "2",
        "effect": "read",
        "tier": 1,
        "arguments": _arguments(question=_text("What to look for", maxLength=300)),
    },
    {
        "name": "issue_refund",
        "version": "7",
        "effect": "charge",
        "tier": 3,
        "reversible": {"how": "void the refund in the payment console", "within_seconds": 86_400},
        "payee": "/order",
        "amount": "/amount_minor",
        "resource": "/order",
        "phrase": "refund {amount_minor} {currency}",
        "arguments": _arguments(
            order=_ORDER, amount_minor={"type": "integer"}, currency={"enum": ["EUR"]}, reason=_text("Why")
        ),
        "cosmetic": ["/reason"],
        "rules": [
            {
                "code": "amount_in_range",
                "expression": "args.amount_minor > 0 && args.amount_minor <= 25000",
                "pointer": "/amount_minor",
                "expected": "between 1 and 25000 cents; above that, hand over to a person",
            }
        ],
    },
    {
        "name": "send_return_label",
        "version": "2",
        "effect": "send",
        "tier": 2,
        "description": "Mail a label with which parcels come back to us at our cost",
        "arguments": _arguments(
            order=_ORDER,
            email=_text("Where to", format="email"),
            parcels={"type": "integer", "minimum": 1, "maximum": 5},
        ),
    },
    {
        "name": "change_supplier_bank_account",
        "version": "1",
        "effect": "write",
        "tier": 4,
        "description": "Pay a supplier's invoices to another account from now on",
        "reversible": {"how": "set the old account again, before the next payment run", "within_seconds": 86_400},
        "resource": "/supplier",
        "arguments": _arguments(supplier=_text("Its name"), iban=_text("The new account")),
    },
    {
        "name": "delete_customer_record",
        "version": "1",
        "effect": "delete",
        "tier": 3,
        "reversible": False,
        "arguments": _arguments(id=_text("The record")),
        "rules": [
            {
                "code": "one_record",
                "expression": "args.id.matches('^rec_[0-9]+$')",
                "pointer": "/id",
                "expected": "the id of one record, such as rec_17",
            }
        ],
    },
]
_TELLER_TOOLS: list[dict[str, Any]] = [
    {
        "name": "get_account",
        "version": "3",
        "effect": "read",
        "tier": 1,
        "arguments": _arguments(account=_ACCOUNT),
        "grant": {"scope": {"account": "user.accounts"}},
    },
    {
        "name": "list_transactions",
        "version": "3",
        "effect": "read",
        "tier": 1,
        "arguments": _arguments(account=_ACCOUNT, days={"type": "integer", "minimum": 1, "maximum": 90}),
        "grant": {"scope": {"account": "user.accounts"}},
    },
    {
        "name": "send_statement",
        "version": "1",
        "effect": "send",
        "tier": 2,
        "arguments": _arguments(account=_ACCOUNT, email=_text("Where to", format="email")),
        "grant": {"scope": {"account": "user.accounts"}},
    },
    {
        "name": "transfer",
        "version": "5",
        "effect": "charge",
        "tier": 3,
        "description": "Send money from the customer's account to another one",
        "reversible": False,
        "resource": "/account",
        "payee": "/to_iban",
        "amount": "/amount_minor",
        "arguments": _arguments(
            account=_ACCOUNT,
            to_iban=_text("Where to", pattern="^[A-Z]{2}[0-9]{2}[A-Z0-9]{10,30}$"),
            to_name=_text("Whose account that is"),
            amount_minor={"type": "integer", "minimum": 1, "maximum": 500_000},
            currency={"enum": ["EUR"]},
            purpose=_text("What the payee reads", maxLength=140),
        ),
        "cosmetic": ["/purpose"],
        "grant": {"scope": {"account": "user.accounts"}},
    },
    {
        "name": "raise_transfer_limit",
        "version": "1",
        "effect": "write",
        "tier": 4,
        "description": "Raise what may leave an account in a day",
        "reversible": {"how": "set the old limit again; what left meanwhile is gone", "within_seconds": 86_400},
        "resource": "/account",
        "arguments": _arguments(account=_ACCOUNT, limit_minor={"type": "integer", "minimum": 1, "maximum": 5_000_000}),
        "grant": {"scope": {"account": "user.accounts"}},
    },
]
MANIFESTS: dict[str, list[dict[str, Any]]] = {
    NORTHWIND: [
        {
            "agent": {
                "name": ORDER_DESK,
                "version": VERSION,
                "model": models.GPT_41_MINI.name,
                "models": [models.GPT_41_MINI.name, models.GPT_41.name],
                "prompt_hash": _prompt_hash("order-desk, November"),
                "caps": {"llm_calls": 20, "tool_calls": 40, "cost_usd": "0.25"},
                "routing": {
                    "cheap": models.GPT_41_MINI.name,
                    "premium": models.GPT_41.name,
                    "cheap_tasks": ["look_up"],
                    "premium_tasks": ["complaint"],
                },
            },
            "tools": _DESK_TOOLS,
        }
    ],
    KESTREL: [
        {
            "agent": {
                "name": TELLER,
                "version": VERSION,
                "model": models.SONNET_45.name,
                "models": [models.SONNET_45.name, models.HAIKU_45.name],
                "prompt_hash": _prompt_hash("teller, November"),
                "caps": {"llm_calls": 12, "cost_usd": "0.40"},
                "repetition": {"same_tool": 4},
            },
            "tools": _TELLER_TOOLS,
        }
    ],
}
"""Applied, and reviewed by the operator."""

PROPOSALS: dict[str, dict[str, Any]] = {
    NORTHWIND: {
        "agent": {
            "name": ORDER_DESK,
            "version": NEXT_VERSION,
            "model": "gpt-4.1",  # a floating name: the portal says so
            "models": ["gpt-4.1"],
            "prompt_hash": _prompt_hash("order-desk, Advent"),
        },
        "tools": [
            *_DESK_TOOLS[:2],
            {
                "name": "send_voucher",
                "version": "1",
                "effect": "send",
                "tier": 2,
                "arguments": _arguments(email=_text("Where to", format="email"), percent={"type": "integer"}),
                "rules": [
                    {
                        "code": "modest",
                        "expression": "args.percent > 0 && args.percent <= 20",
                        "pointer": "/percent",
                        "expected": "between 1 and 20 percent",
                    }
                ],
            },
        ],
    }
}
"""Applied, and waiting for a reviewer."""
