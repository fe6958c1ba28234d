"""Northwind's invoice-clerk: invoices of business customers, and the letters about them."""

from __future__ import annotations

from agentops.portal.demo import models
from agentops.portal.demo.cast import NORTHWIND
from agentops.portal.demo.folk import somebody
from agentops.portal.demo.schema import number, text, tool
from agentops.portal.demo.steps import Agent, Failure, Moment, Release, Step
from agentops.portal.demo.talk import Talk, http_effect

_PROMPT = """You are the invoice clerk of Northwind Outfitters' wholesale team. You answer business customers about invoices and write payment reminders.
Write to the contact stored for the customer, to nobody else. Quote amounts exactly as the ledger has them. Stay courteous, also on the third reminder."""
AGENT = Agent(
    name="invoice-clerk",
    tenant=NORTHWIND,
    service="wholesale-agents",
    dialect="openllmetry",
    releases=(Release("4.2", -1000, models.GPT_4O_FLOATING, _PROMPT),),
    tools=(
        tool("get_invoice", "An invoice by its number.", invoice=text("Such as R-2026-0815")),
        tool("find_contact", "Look for a contact by name.", name=text("Name or company")),
        tool(
            "send_email",
            "Send an e-mail at once. Cannot be called back.",
            to=text("Address", format="email"),
            subject=text("Subject"),
            body=text("Text"),
        ),
        tool(
            "book_payment",
            "Book a payment that came in.",
            invoice=text("Such as R-2026-0815"),
            amount_eur=number("Amount", exclusiveMinimum=0),
        ),
    ),
)
SHOPS = (
    ("Bergwerk Sports GmbH", "Petra Hollmann", "p.hollmann@bergwerk.example"),
    ("Fell & Moor Ltd", "James Ashby", "accounts@fellandmoor.example"),
    ("Sentier Libre SARL", "Camille Laurent", "compta@sentierlibre.example"),
    ("Wild Atlantic Gear", "Aoife Brennan", "aoife@wildatlanticgear.example"),
)


def reminder(moment: Moment) -> Step:
    rng = moment.rng
    company, name, email = rng.choice(SHOPS)
    invoice, amount = f"R-2026-{rng.randrange(1000, 9999):04}", round(rng.uniform(240, 8_900), 2)
    talk = Talk(AGENT, moment, user="dunning-job")
    talk.hears(f"Invoice {invoice} of {company} is 14 days overdue. Write the first reminder.")
    talk.calls(
        "get_invoice",
        {"invoice": invoice},
        returns={"invoice": invoice, "customer": company, "amount_eur": amount, "due": "2026-11-09", "contact": email},
    )
    subject = f"A friendly reminder: invoice {invoice}"
    body = (
        f"Dear {name},\n\ninvoice {invoice} over €{amount:,.2f} was due on 9 November and we have not seen the payment yet. Perhaps it slipped through; "
        f"could you have a look? Our account is IBAN DE89 3704 0044 0532 0130 00.\n\nIf it has crossed with this letter, please ignore it.\n\nKind regards\nNorthwind Outfitters"
    )
    _mails(talk, moment, email, subject, body)
    talk.says(f"The first reminder for {invoice} went to {name} at {company} ({email}).")
    return talk.ends()


def _mails(talk: Talk, moment: Moment, to: str, subject: str, body: str) -> None:
    message = f"<{moment.rng.getrandbits(64):016x}@mail.northwind.example>"
    talk.calls(
        "send_email",
        {"to": to, "subject": subject, "body": body},
        returns={"status": "queued", "message_id": message},
        effect=http_effect(
            moment,
            method="POST",
            host="api.postmark.example",
            path="/email",
            system="postmark",
            external_id=message,
            idempotency_key=f"mail-{message[1:13]}",
        ),
    )


def invoice_question(moment: Moment) -> Step:
    rng = moment.rng
    company, name, email = rng.choice(SHOPS)
    invoice, amount = f"R-2026-{rng.randrange(1000, 9999):04}", round(rng.uniform(240, 8_900), 2)
    talk = Talk(AGENT, moment, user=somebody(NORTHWIND, rng).id)
    talk.hears(
        rng.choice(
            (
                f"{name} from {company} here. {invoice} shows 21 % VAT, but we are in another EU country and gave you our VAT number. Please correct it.",
                f"Hello, we paid {invoice} twice by mistake. Can you send the second payment back to IBAN GB29 NWBK 6016 1331 9268 19? {name}, {company}",
                f"Could I have {invoice} again as a PDF with our order reference on it? Best wishes, {name}",
            )
        )
    )
    if rng.random() < 0.1:
        missing = Failure("InvoiceNotFound", f"no invoice {invoice} for this customer")
        talk.calls("get_invoice", {"invoice": invoice}, fails=missing)
        talk.says(
            f"Dear {name}, I cannot find {invoice} under {company}. Could you check the number? It stands at the top right and begins with R-2026."
        )
        return talk.ends()
    talk.calls(
        "get_invoice",
        {"invoice": invoice},
        returns={"invoice": invoice, "customer": company, "amount_eur": amount, "vat_percent": 21, "contact": email},
    )
    talk.says(
        f"Dear {name}, thank you for your message. I have {invoice} over €{amount:,.2f} in front of me and have asked our bookkeeping to make it right; "
        f"you will receive the new document at {email} by tomorrow noon."
    )
    return talk.ends()


STORIES = ((3, reminder), (3, invoice_question))
