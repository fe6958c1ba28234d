"""Northwind's returns-desk: takes goods back and pays money out, which cannot be undone."""

from __future__ import annotations

import hashlib

from agentops.portal.demo import models
from agentops.portal.demo.cast import NORTHWIND
from agentops.portal.demo.folk import PRODUCTS, Person, Product, order_number, somebody
from agentops.portal.demo.schema import choice, number, text, tool
from agentops.portal.demo.steps import Agent, Failure, Moment, Release, Step
from agentops.portal.demo.talk import Talk, http_effect
from agentops.portal.demo.voice import message

_PROMPT = """You handle returns for Northwind Outfitters.
Check the order and the return policy before you promise anything. You may refund up to €250 yourself; above that, hand over to a person with `escalate_to_human`.
Refund each order once. Say plainly how long the money takes and where it goes.
Goods worn outdoors are taken back only if they are faulty. When you refuse, say why and what the customer can do instead."""
AGENT = Agent(
    name="returns-desk",
    tenant=NORTHWIND,
    service="returns-agents",
    dialect="otel",
    releases=(Release("1.14.0", -1000, models.SONNET_45, _PROMPT),),
    tools=(
        tool("get_order", "Look up an order by its number.", order_number=text("Such as NW-51234")),
        tool(
            "get_return_policy",
            "The policy for a kind of article.",
            category=choice("Kind", "footwear", "clothing", "tents", "stoves", "other"),
        ),
        tool(
            "issue_refund",
            "Pay money back to the card that paid. Cannot be undone.",
            order_number=text("Such as NW-51234"),
            amount_eur=number("At most what was paid", exclusiveMinimum=0),
            reason=choice("Why", "returned", "faulty", "lost", "goodwill"),
        ),
        tool(
            "create_return_label",
            "A prepaid label by e-mail.",
            order_number=text("Such as NW-51234"),
            email=text("Where to send it"),
        ),
        tool(
            "escalate_to_human", "Hand the conversation to a colleague.", summary=text("What a colleague needs to know")
        ),
    ),
)


def refund(moment: Moment) -> Step:
    rng, person = moment.rng, somebody(NORTHWIND, moment.rng)
    talk = Talk(AGENT, moment, user=person.id)
    product, order = rng.choice([product for product in PRODUCTS if product.cents < 25_000]), order_number(rng)
    talk.hears(
        message(
            rng,
            f"the {product.name} came back to you on Monday according to the tracking, but I haven’t seen my money yet. Order {order}.",
            f"I returned {order} ten days ago. Could you check what happened to the refund of {product.price}?",
            f"{order}: the {product.name} fell apart on the second day. I’d rather have my money back than wait for a replacement.",
            f"your warehouse confirmed that {order} arrived. How long does the refund take?",
            f"I sent back the {product.name} because the colour is nothing like the photo. Has the refund for {order} been made?",
            f"two weeks, no parcel, and {order} is marked as lost. Please refund me.",
        )
    )
    _looks_up(talk, person, product, order)
    if moment.hours > -30 and rng.random() < _reluctance(moment.hours):
        return _gives_up(talk, order)
    key = hashlib.sha256(f"refund:{order}".encode()).hexdigest()[:24]
    payment = f"re_3P{rng.getrandbits(60):015x}"
    talk.calls(
        "issue_refund",
        {"order_number": order, "amount_eur": product.cents / 100, "reason": "returned"},
        returns={"refund_id": payment, "status": "succeeded", "amount_eur": product.cents / 100},
        seconds=0.2,
        effect=http_effect(
            moment,
            method="POST",
            host="api.stripe.example",
            path="/v1/refunds",
            system="stripe",
            external_id=payment,
            idempotency_key=key,
        ),
    )
    talk.says(
        f"Thank you for your patience, {person.first}. I have just refunded {product.price} to the card you paid with. "
        f"Banks usually show it within three to five working days; the reference is {payment[-8:]}."
    )
    return talk.ends()


def _looks_up(talk: Talk, person: Person, product: Product, order: str) -> None:
    talk.calls(
        "get_order",
        {"order_number": order},
        returns={
            "order_number": order,
            "status": "returned",
            "items": [{"sku": product.sku, "name": product.name, "paid_eur": product.cents / 100}],
            "refunds": [],
            "paid_with": {"brand": "visa", "number": "4111 1111 1111 1111", "holder": person.name},
        },
    )


def _reluctance(hours: float) -> float:
    """How likely the agent is to hand over what it could do itself: it creeps up, and no single day looks bad."""
    return min(0.35, 0.04 + 0.008 * (hours + 30))


def _gives_up(talk: Talk, order: str, *, scenario: str = "") -> Step:
    talk.calls(
        "escalate_to_human",
        {"summary": f"Customer asks about the refund of {order}. Please check and answer."},
        returns={
            "ticket": f"T-{talk.rng.randrange(20_000, 99_999)}",
            "queue": "returns",
            "waiting": talk.rng.randrange(11, 64),
        },
    )
    answer = talk.says(
        "Thank you for contacting us. I have passed your request on to my colleagues, who will get back to you."
    )
    answer.extra = {"app.answer_quality": round(talk.rng.uniform(0.41, 0.62), 2)}
    return talk.ends(scenario=scenario)


def slow_degradation(moment: Moment) -> Step:
    """What a customer meets who writes now: the case is easy, and is handed over all the same."""
    rng, person = moment.rng, somebody(NORTHWIND, moment.rng)
    talk = Talk(AGENT, moment, user=person.id)
    product, order = PRODUCTS[9], order_number(rng)
    talk.hears(
        f"The {product.name} from {order} arrived broken, the glass is cracked. What now? I need it on Saturday."
    )
    _looks_up(talk, person, product, order)
    return _gives_up(talk, order, scenario="slow_degradation")


def return_label(moment: Moment) -> Step:
    rng, person = moment.rng, somebody(NORTHWIND, moment.rng)
    talk = Talk(AGENT, moment, user=person.id)
    product, order = rng.choice(PRODUCTS[2:8]), order_number(rng)
    talk.hears(
        message(
            rng,
            f"I would like to send back the {product.name} from {order}, never used outside. How does it work? You can mail me at {person.email}.",
            f"the {product.name} {product.one_or_many('is', 'are')} too small. Where do I get a label for {order}? My address is {person.email}.",
            f"I ordered two sizes on purpose ({order}) and want to return one. Please send the label to {person.email}.",
        )
    )
    category = "footwear" if product.sku.startswith("BTS") else "clothing" if product.sku.startswith("JKT") else "other"
    talk.calls(
        "get_return_policy",
        {"category": category},
        returns={"days": 60, "condition": "unused, tried on indoors only", "shipping": "free"},
    )
    talk.calls(
        "create_return_label",
        {"order_number": order, "email": person.email},
        returns={"label": f"RL-{rng.randrange(10**7)}", "valid_days": 21, "sent_to": person.email},
    )
    talk.says(
        f"Easily done, {person.first}. I’ve sent a prepaid label to {person.email}; it is valid for 21 days. Put the {product.name} in any box, "
        "drop it at a parcel shop, and your money is on its way two days after it reaches us."
    )
    return talk.ends()


def above_the_limit(moment: Moment) -> Step:
    rng, person = moment.rng, somebody(NORTHWIND, moment.rng)
    talk = Talk(AGENT, moment, user=person.id)
    tent, order = PRODUCTS[0], order_number(rng)
    talk.hears(
        f"A pole of the {tent.name} snapped in the first storm and tore the fly. I want the full price back. {order}."
    )
    _looks_up(talk, person, tent, order)
    talk.calls(
        "get_return_policy",
        {"category": "tents"},
        returns={"days": 60, "warranty_months": 36, "note": "Photos are asked for above €200"},
    )
    talk.calls(
        "escalate_to_human",
        {
            "summary": f"{person.name}, {order}: {tent.name} ({tent.price}), pole and fly damaged in a storm, within warranty. Refund is above my limit; photos still to come."
        },
        returns={"ticket": f"T-{rng.randrange(20_000, 99_999)}", "queue": "warranty", "waiting": rng.randrange(2, 9)},
    )
    talk.says(
        f"That must have been a rough night, {person.first}, I’m sorry. The damage is covered by your three-year warranty. "
        f"Because {tent.price} is more than I may pay out myself, my colleague decides today. Two photos of the pole and the fly would speed it up."
    )
    return talk.ends()


def refunded_already(moment: Moment) -> Step:
    rng, person = moment.rng, somebody(NORTHWIND, moment.rng)
    talk = Talk(AGENT, moment, user=person.id)
    product, order = rng.choice(PRODUCTS[4:10]), order_number(rng)
    talk.hears(
        message(
            rng,
            f"where is the refund for {order}? This is the third time I ask!",
            f"{order}: still no money. Do I have to call a lawyer?",
            f"I was told that {order} is refunded, but my bank sees nothing.",
        )
    )
    _looks_up(talk, person, product, order)
    twice = Failure("DuplicateRefund", f"{order} was refunded in full on 18 November; a second refund is refused")
    talk.calls(
        "issue_refund", {"order_number": order, "amount_eur": product.cents / 100, "reason": "returned"}, fails=twice
    )
    talk.says(
        f"I understand the annoyance, {person.first}. The full {product.price} went back to your card on 18 November. If it does not show by tomorrow evening, "
        "send me a statement (you may black out everything else) and I will open a trace with the payment provider."
    )
    return talk.ends()


STORIES = ((9, refund), (6, return_label), (2, above_the_limit), (2, refunded_already))
