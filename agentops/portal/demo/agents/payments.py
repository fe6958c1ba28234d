"""Kestrel's payments-copilot: transfers for business customers, said in their own words."""

from __future__ import annotations

from agentops.portal.demo import models
from agentops.portal.demo.cast import KESTREL
from agentops.portal.demo.folk import somebody
from agentops.portal.demo.schema import choice, number, text, tool
from agentops.portal.demo.steps import Agent, Failure, Moment, Release, Step
from agentops.portal.demo.talk import Talk, http_effect

_PROMPT = """You prepare and send payments for business customers of Kestrel Bank.
Take recipient, amount and currency from what the customer said; ask when one of them is missing. Compare the recipient with the customer's address book.
Read the payment back before you send it. Payments above €10,000 need a second person."""
AGENT = Agent(
    name="payments-copilot",
    tenant=KESTREL,
    service="business-banking",
    dialect="otel",
    releases=(Release("3.8.2", -1000, models.GPT_51, _PROMPT),),
    tools=(
        tool("find_recipient", "Look in the customer's address book.", name=text("Name")),
        tool("quote_rate", "Exchange rate, good for 60 seconds.", pair=text("Such as EURMXN")),
        tool(
            "transfer",
            "Send money. Cannot be undone.",
            recipient=text("Recipient's id"),
            amount=number("Amount", exclusiveMinimum=0),
            currency=choice("Currency", "EUR", "USD", "GBP", "MXN"),
            reference=text("Reference"),
        ),
    ),
)
RECIPIENTS = (
    ("Talavera Cerámica SA", "Puebla", "MXN", 18_500),
    ("Hanseatic Freight KG", "Hamburg", "EUR", 2_140),
    ("Brightwater Analytics Ltd", "Leeds", "GBP", 960),
    ("Orchard Street Studio LLC", "New York", "USD", 3_300),
)


def pay(moment: Moment) -> Step:
    rng, person = moment.rng, somebody(KESTREL, moment.rng)
    talk = Talk(AGENT, moment, user=person.id)
    name, town, currency, typical = rng.choice(RECIPIENTS)
    amount = round(typical * rng.uniform(0.6, 1.5), 2)
    words = {"EUR": "euros", "USD": "dollars", "GBP": "pounds", "MXN": "pesos"}[currency]
    recipient, reference = f"rcp_{abs(hash_of(name)) % 10**8:08}", f"INV {rng.randrange(1000, 9999)}"
    talk.hears(
        rng.choice(
            (
                f"Pay {name} {amount:,.2f} {words}, reference {reference}.",
                f"{name} in {town} sent {reference} over {amount:,.2f} {words}. Please send it today.",
                f"The usual to {name}, but {amount:,.2f} {words} this time. Reference {reference}.",
                f"We owe {name} {amount:,.2f} {words} for {reference}. Can it be there by Thursday?",
            )
        )
    )
    talk.calls(
        "find_recipient",
        {"name": name},
        returns=[{"recipient": recipient, "name": name, "town": town, "currency": currency}],
        thinks=rng.randrange(60, 300),
    )
    if currency != "EUR":
        talk.calls(
            "quote_rate",
            {"pair": f"EUR{currency}"},
            returns={"pair": f"EUR{currency}", "rate": {"USD": 1.0871, "GBP": 0.8512, "MXN": 21.934}[currency]},
        )
    talk.says(
        f"I’ll send {amount:,.2f} {currency} to {name} ({town}) with the reference {reference}. Shall I?",
        thinks=rng.randrange(40, 220),
    )
    talk.hears(rng.choice(("Yes, please.", "Go ahead.", "Yes, today if possible.")))
    transfer = f"trf_{rng.getrandbits(56):014x}"
    if rng.random() < 0.07:
        no_funds = Failure("InsufficientFunds", "available balance is below the amount of the transfer")
        talk.calls(
            "transfer",
            {"recipient": recipient, "amount": amount, "currency": currency, "reference": reference},
            fails=no_funds,
        )
        talk.says(
            "The transfer was not made: the account does not hold enough at the moment. Shall I try again tomorrow morning, after the standing orders have come in?"
        )
        return talk.ends()
    talk.calls(
        "transfer",
        {"recipient": recipient, "amount": amount, "currency": currency, "reference": reference},
        returns={"transfer": transfer, "state": "executed"},
        effect=http_effect(
            moment,
            method="POST",
            host="core.kestrel.example",
            path="/payments/v3/transfers",
            system="core-banking",
            external_id=transfer,
            idempotency_key=f"{recipient}-{reference.replace(' ', '-')}".lower(),
        ),
    )
    talk.says(f"Done. {amount:,.2f} {currency} are on their way to {name}; the transfer is {transfer[-6:]}.")
    return talk.ends()


def hash_of(name: str) -> int:
    """The same number for a name in every process, unlike `hash`."""
    return int.from_bytes(name.encode()[:8], "big")


STORIES = ((8, pay),)
