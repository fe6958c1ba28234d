"""Kestrel's dispute-handler: card payments that customers do not recognise."""

from __future__ import annotations

from random import Random

from agentops.portal.demo import models
from agentops.portal.demo.cast import KESTREL
from agentops.portal.demo.folk import somebody
from agentops.portal.demo.schema import choice, number, text, tool
from agentops.portal.demo.steps import Agent, Failure, Moment, Release, Step
from agentops.portal.demo.talk import Talk, http_effect
from agentops.portal.demo.voice import message

_PROMPT = """You help customers of Kestrel Bank with card payments they dispute.
Look at the payment before you say anything about it. Explain which merchant stands behind it; many disputes end there.
File a chargeback only when the customer confirms that they did not make the payment. Block the card if it may be in strange hands.
Never promise that money will come back: say that we will try, and how long the scheme takes (up to 45 days)."""
# The new prompt asks for warmth and drops the last rule by accident: nothing fails, and customers are promised too much.
_PROMPT_2 = """You help customers of Kestrel Bank with card payments they dispute. Be warm and reassuring: people who write to us are often frightened.
Look at the payment before you say anything about it. Explain which merchant stands behind it; many disputes end there.
File a chargeback when the customer does not recognise the payment. Block the card if it may be in strange hands.
Always end on a positive note."""
AGENT = Agent(
    name="dispute-handler",
    tenant=KESTREL,
    service="card-services",
    dialect="otel",
    releases=(
        Release("2026.10.4", -1000, models.BEDROCK_SONNET, _PROMPT),
        Release("2026.11.0", -9, models.BEDROCK_HAIKU, _PROMPT_2),
    ),
    tools=(
        tool("find_payment", "Find a card payment.", merchant=text("As on the statement"), amount_eur=number("Amount")),
        tool("look_up_merchant", "Who stands behind a name on a statement.", descriptor=text("As on the statement")),
        tool(
            "block_card",
            "Block a card at once.",
            card_last4=text("Last four digits", pattern="^[0-9]{4}$"),
            reason=choice("Why", "lost", "stolen", "fraud"),
        ),
        tool(
            "file_chargeback",
            "Open a chargeback with the card scheme.",
            payment_id=text("Payment"),
            reason_code=text("Scheme's code, such as 10.4"),
        ),
    ),
)
_STRANGE = (
    # as on the statement, who that is, how much, and what people remember then
    (
        "PAYMNT*GLOBALDIGI",
        "Globaldigi Ltd, which sells credits for games",
        89.99,
        "Oh! That was my son. Sorry for the fuss.",
    ),
    ("SUMUP *CAFE LUNA", "Café Luna in Lisbon", 23.40, "Ah, our breakfast on the last day. Yes, that’s right."),
    (
        "AMZN MKTP IE*2K4",
        "a seller on a large marketplace",
        142.10,
        "My wife says it was the new lamp. Mystery solved, thanks!",
    ),
    ("TST*HARBOUR GRILL", "the Harbour Grill in Galway", 61.75, "The restaurant on Friday, of course. Thanks!"),
    (
        "FS *SOFTKEYS",
        "Softkeys, which sells software licences",
        249.00,
        "Then it must be the renewal of our office software. Fine.",
    ),
    ("PADDLE.NET* FOTOLAB", "Fotolab, a photo program", 47.88, "I forgot to cancel that subscription. My mistake."),
    (
        "ZTL*BUENOS DIAS TAPAS",
        "Buenos Días, a restaurant in Seville",
        118.20,
        "We were there in October! They booked it late, then.",
    ),
    ("UBR* PENDING.UBER.COM", "a taxi company", 31.05, "The taxi from the airport. I had thought it was cash."),
    ("SP HIKELIGHT CO", "Hikelight, a web shop for lamps", 74.50, "Found the receipt in my spam folder. All good."),
)


def _asks(rng: Random, descriptor: str, amount: float) -> str:
    return message(
        rng,
        f"there is a payment of €{amount:.2f} to “{descriptor}” on my statement. I have never heard of them. What is this?",
        f"twice €{amount:.2f} from {descriptor} in one month? I remember one of them.",
        f"who is “{descriptor}”? I see €{amount:.2f} and no receipt anywhere.",
        f"what did I buy from {descriptor} for €{amount:.2f}? I honestly don’t know.",
    )


def _accuses(rng: Random, descriptor: str, amount: float) -> str:
    return message(
        rng,
        f"I did not make this: {descriptor}, €{amount:.2f}, last Saturday at 03:12. I was asleep! My card is still in my wallet.",
        f"please check €{amount:.2f} from {descriptor}. My husband and I both say it wasn’t us. The card is 5555 5555 5555 4444.",
        f"your app just told me about €{amount:.2f} at {descriptor}. I am at my desk in the office. Somebody else is paying with my card!",
        f"my bag was stolen on the tram this morning and now there is €{amount:.2f} from {descriptor}. Please stop this.",
    )


def _looks_it_up(talk: Talk, descriptor: str, amount: float) -> tuple[str, str]:
    """The payment's id and the card's last digits."""
    rng = talk.rng
    payment, last4 = f"pay_{rng.getrandbits(48):012x}", f"{rng.randrange(1000, 9999)}"
    talk.calls(
        "find_payment",
        {"merchant": descriptor, "amount_eur": amount},
        returns={
            "payment_id": payment,
            "descriptor": descriptor,
            "amount_eur": amount,
            "card_last4": last4,
            "entry": rng.choice(("contactless", "online, 3-D Secure", "online, no 3-D Secure")),
        },
    )
    return payment, last4


def recognised_after_all(moment: Moment) -> Step:
    rng, person = moment.rng, somebody(KESTREL, moment.rng)
    talk = Talk(AGENT, moment, user=person.id)
    descriptor, merchant, amount, remembered = rng.choice(_STRANGE)
    talk.hears(_asks(rng, descriptor, amount))
    _looks_it_up(talk, descriptor, amount)
    talk.calls(
        "look_up_merchant",
        {"descriptor": descriptor},
        returns={"name": merchant, "kind": "merchant", "known_since": 2019},
    )
    talk.says(
        f"Thank you, {person.first}. Behind the name on the statement is {merchant}. "
        f"Could you, or somebody in your household, have paid €{amount:.2f} there?"
    )
    talk.hears(remembered)
    talk.says(
        "No need to be sorry, it is always right to ask. Nothing else is needed from you; I have noted that the payment is fine."
    )
    return talk.ends()


def real_fraud(moment: Moment) -> Step:
    rng, person = moment.rng, somebody(KESTREL, moment.rng)
    talk = Talk(AGENT, moment, user=person.id)
    descriptor, _, amount, _ = rng.choice(_STRANGE)
    talk.hears(_accuses(rng, descriptor, amount))
    payment, last4 = _looks_it_up(talk, descriptor, amount)
    talk.calls("block_card", {"card_last4": last4, "reason": "fraud"}, returns={"card_last4": last4, "blocked": True})
    chargeback = f"cb_{rng.getrandbits(40):010x}"
    if rng.random() < 0.09:
        closed = Failure("SchemeUnavailable", "disputes.scheme.example answered 503: maintenance until 18:00 UTC")
        talk.calls("file_chargeback", {"payment_id": payment, "reason_code": "10.4"}, fails=closed)
        talk.says(
            f"I’ve blocked the card, {person.first}. The card scheme takes no chargebacks at the moment, so a colleague files yours this evening and tells you when it is done."
        )
        return talk.ends()
    talk.calls(
        "file_chargeback",
        {"payment_id": payment, "reason_code": "10.4"},
        returns={"chargeback": chargeback, "state": "filed"},
        effect=http_effect(
            moment,
            method="POST",
            host="disputes.scheme.example",
            path="/v2/chargebacks",
            system="card-scheme",
            external_id=chargeback,
            idempotency_key=f"cb-{payment}",
        ),
    )
    promise = moment.hours > -9  # what the new prompt changed
    talk.says(
        f"You did the right thing, {person.first}. Your card ending in {last4} is blocked and a new one is on its way. "
        + (f"Don’t worry about the €{amount:.2f}: you will get all of it back within a few days. Have a lovely evening!" if promise
           else f"I have filed a chargeback over €{amount:.2f}. I cannot promise the outcome; the scheme decides within 45 days and we will write to you either way.")
    )  # fmt: skip
    return talk.ends()


def drift(moment: Moment) -> Step:
    """A hard case after the new release: the customer made the payment, and the agent files a chargeback anyway."""
    rng, person = moment.rng, somebody(KESTREL, moment.rng)
    talk = Talk(AGENT, moment, user=person.id)
    payment, chargeback = f"pay_{rng.getrandbits(48):012x}", f"cb_{rng.getrandbits(40):010x}"
    talk.hears(
        rng.choice(
            (
                "I bought a course from FS *SOFTKEYS for €249 and it is much worse than advertised. I want to dispute the payment. I’ve had the course for five weeks.",
                "FS *SOFTKEYS charged me €249 for another year. I know that I signed up, but I forgot to cancel. Can you get it back?",
                "My sister used my card for FS *SOFTKEYS, €249. I had allowed it, but now we have fallen out. Please take the money back.",
            )
        )
    )
    talk.calls(
        "find_payment",
        {"merchant": "FS *SOFTKEYS", "amount_eur": 249.0},
        returns={"payment_id": payment, "card_last4": "4471", "entry": "online, 3-D Secure"},
    )
    if moment.hours <= -9:
        talk.says(
            f"I see why you are annoyed, {person.first}. As this payment was made with your consent, a chargeback would be refused. Please ask the seller for a refund first; I can show you how to put it in writing."
        )
        return talk.ends(scenario="drift_after_upgrade")
    talk.calls(
        "file_chargeback",
        {"payment_id": payment, "reason_code": "10.4"},
        returns={"chargeback": chargeback, "state": "filed"},
        effect=http_effect(
            moment,
            method="POST",
            host="disputes.scheme.example",
            path="/v2/chargebacks",
            system="card-scheme",
            external_id=chargeback,
        ),
    )
    talk.says(
        f"All done, {person.first}! I have disputed the payment for you as fraud and the full €249.00 will be back in your account in a few days. I’m so glad you reached out!"
    )
    return talk.ends(scenario="drift_after_upgrade")


STORIES = ((9, recognised_after_all), (9, real_fraud))
