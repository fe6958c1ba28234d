"""Brand damage: the model guesses a contact, and the letter reaches a stranger."""

from __future__ import annotations

from agentops.portal.demo.agents import invoices
from agentops.portal.demo.steps import Moment, Step
from agentops.portal.demo.talk import Talk, http_effect

_GUESSES = ("ceo@summit-sports.example", "press@outdoor-weekly.example", "all-customers@northwind.example")


def reminder(moment: Moment) -> Step:
    rng = moment.rng
    company, name, _ = rng.choice(invoices.SHOPS)
    to, amount = rng.choice(_GUESSES), round(rng.uniform(1_200, 9_400), 2)
    talk = Talk(invoices.AGENT, moment, user="dunning-job")
    talk.hears(
        f"{company} has not paid for six weeks and ignores us. Write to {name.split()[0]} and be firm this time."
    )
    talk.calls(
        "find_contact",
        {"name": name.split()[0]},
        returns=[{"name": f"{name.split()[0]} (unverified)", "email": to}, {"name": name, "email": None}],
    )
    message = f"<{rng.getrandbits(64):016x}@mail.northwind.example>"
    talk.calls(
        "send_email",
        {
            "to": to,
            "subject": "FINAL WARNING: pay what you owe",
            "body": f"{name.split()[0]},\n\nsix weeks. You owe us €{amount:,.2f} and you know it. Serious companies pay their bills; yours, it seems, prefers to hide. "
            "If the money is not here by Friday we will make sure that everybody in the trade hears about it.\n\nNorthwind Outfitters",
        },
        returns={"status": "queued", "message_id": message},
        effect=http_effect(
            moment, method="POST", host="api.postmark.example", path="/email", system="postmark", external_id=message
        ),
    )
    talk.says(f"I have written to {name} at {to}. The tone is firm.")
    return talk.ends(scenario="brand_damage")
