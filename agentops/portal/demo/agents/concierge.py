"""Northwind's order-concierge: where parcels are, what fits, and what is in stock."""

from __future__ import annotations

from agentops.portal.demo import models
from agentops.portal.demo.cast import NORTHWIND
from agentops.portal.demo.folk import PRODUCTS, order_number, somebody
from agentops.portal.demo.schema import choice, number, text, tool
from agentops.portal.demo.steps import Agent, Failure, Moment, Release, Step
from agentops.portal.demo.talk import Talk
from agentops.portal.demo.voice import message, occasion

_PROMPT = """You are the order concierge of Northwind Outfitters, a shop for outdoor gear.
Help customers with orders, deliveries, sizes and stock. Look facts up with your tools before you state them; never guess a delivery date.
Be brief, warm and exact. Address customers by their first name. If a parcel is more than three working days late, offer a replacement or a refund and let the customer choose.
Do not discuss other customers' orders."""
_PROMPT_2 = _PROMPT.replace(
    "If a parcel is more than three working days late, offer a replacement or a refund and let the customer choose.",
    "If a parcel is more than two working days late, offer a replacement, a refund, or €10 off the next order, and let the customer choose.",
)
AGENT = Agent(
    name="order-concierge",
    tenant=NORTHWIND,
    service="support-agents",
    dialect="otel",
    releases=(
        Release("2026.11.1", -1000, models.GPT_41, _PROMPT),
        Release("2026.11.2", -15, models.GPT_41, _PROMPT_2),
    ),
    tools=(
        tool(
            "get_order",
            "Look up an order by its number.",
            order_number=text("Such as NW-51234", pattern="^NW-[0-9]{5}$"),
        ),
        tool("track_parcel", "Ask the carrier where a parcel is.", tracking_id=text("The carrier's number")),
        tool(
            "check_stock",
            "How many of an article are in a warehouse.",
            sku=text("Article number"),
            warehouse=text("Warehouse code"),
        ),
        tool("find_warehouse", "Which warehouse should hold an article.", sku=text("Article number")),
        tool(
            "update_delivery_address",
            "Change where an order goes, while it has not left.",
            order_number=text("Such as NW-51234"),
            address=text("Street, postcode, town"),
        ),
        tool(
            "offer_compensation",
            "Record what a customer was offered.",
            order_number=text("Such as NW-51234"),
            kind=choice("What was offered", "replacement", "refund", "voucher"),
            amount_eur=number("For a voucher", minimum=0, maximum=25),
            optional=("amount_eur",),
        ),
    ),
)
_CARRIERS = ("DHL", "DPD", "GLS", "PostNord")
# What the data sheet says, and what the agent makes of it.
_BOOT_SIZES = (
    "run half a size small; the upper gives a little after about thirty kilometres.",
    "half a size up: they run a little small, and with a thick sock you will be glad of the room going downhill.",
)
_JACKET_SIZES = (
    "cut close to the body; sleeves are 2 cm longer than in other ranges.",
    "with your usual size: the cut is close, but the sleeves are two centimetres longer than in our other jackets, so long arms are fine.",
)


def where_is_my_order(moment: Moment) -> Step:
    rng, person = moment.rng, somebody(NORTHWIND, moment.rng)
    talk = Talk(AGENT, moment, user=person.id)
    product, order, carrier = rng.choice(PRODUCTS), order_number(rng), rng.choice(_CARRIERS)
    late = rng.random() < 0.3
    tracking = f"{carrier[:2].upper()}{rng.randrange(10**9, 10**10)}DE"
    was = product.one_or_many("was", "were")
    talk.hears(
        message(
            rng,
            f"I ordered the {product.name} last week ({order}) and it still says “in transit”. {occasion(rng)}, will it make it?",
            f"could you tell me where {order} is? The tracking page has not changed since Tuesday.",
            f"my {product.name} {was} supposed to arrive yesterday. Order {order}. Nobody rang the bell and there was no card either.",
            f"when will {order} be here? I would like to be at home when it comes.",
            f"{order}: your e-mail said Wednesday, it is Friday now. {occasion(rng)}. What is going on?",
            f"{carrier} says that my parcel “could not be delivered”, but I was at home all day. The order is {order}.",
            f"is there any news about {order}? {occasion(rng)} and I need the {product.name} for it.",
            f"my neighbour got a parcel of yours and I did not. Can you see where {order} went?",
        )
    )
    talk.calls(
        "get_order",
        {"order_number": order},
        returns={"order_number": order, "status": "shipped", "items": [{"sku": product.sku, "name": product.name, "qty": 1}],
                 "carrier": carrier, "tracking_id": tracking, "customer": {"name": person.name, "email": person.email}},
    )  # fmt: skip
    if rng.random() < 0.06:
        _carrier_is_down(talk, tracking, carrier)
        return talk.ends()
    depot = rng.choice(("Hannover", "Leipzig", "Duisburg", "Nürnberg"))
    talk.calls(
        "track_parcel",
        {"tracking_id": tracking},
        returns={
            "state": "delayed" if late else "on_the_way",
            "last_scan": f"{depot} parcel centre",
            "working_days_late": 4 if late else 0,
        },
        seconds=rng.uniform(0.4, 1.9),
    )
    if late:
        talk.says(
            f"I’m sorry, {person.first}: {carrier} last scanned your parcel in {depot} and it is now four working days late. "
            f"You can choose: I send the {product.name} again by express today, or I refund {product.price} right away. Which would you like?"
        )
        wants_refund = rng.random() < 0.4
        talk.hears(
            rng.choice(
                ("Refund please, I bought something in town in the meantime.", "Then I’d rather have the money back.")
            )
            if wants_refund
            else rng.choice(
                (
                    "The replacement, please!",
                    "Please send it again. Express would be great.",
                    "A new one, if it really comes this week.",
                )
            )
        )
        talk.calls(
            "offer_compensation",
            {"order_number": order, "kind": "refund" if wants_refund else "replacement"},
            returns={"recorded": True, "case": f"C-{rng.randrange(10_000, 99_999)}"},
        )
        talk.says(
            f"Done, {person.first}. "
            + ("The refund reaches your account within three working days. If the first parcel turns up after all, just refuse it." if wants_refund
               else "Your replacement leaves Bremen this afternoon by express and you will get a new tracking link by e-mail.")
        )  # fmt: skip
    else:
        talk.says(
            rng.choice(
                (
                    f"Good news, {person.first}: {carrier} scanned your {product.name} in {depot} this morning and the parcel is on its way to you. From there it usually takes one working day.",
                    f"It is on its way, {person.first}. The last scan was in {depot}, on time. I can’t promise the hour, but {carrier} will text you a two-hour window on the day.",
                )
            )
        )
    return talk.ends()


def _carrier_is_down(talk: Talk, tracking: str, carrier: str) -> None:
    down = Failure("CarrierTimeout", f"{carrier} tracking did not answer within 10 s")
    talk.calls("track_parcel", {"tracking_id": tracking}, fails=down, seconds=10.0)
    talk.says(
        f"I can see that your parcel is with {carrier}, but their tracking does not answer at the moment, so I won’t guess. "
        "I have left myself a note and you will get an e-mail as soon as I know where it is."
    )


def will_it_fit(moment: Moment) -> Step:
    rng, person = moment.rng, somebody(NORTHWIND, moment.rng)
    talk = Talk(AGENT, moment, user=person.id)
    product = rng.choice(PRODUCTS[2:6])
    is_boot = product.sku.startswith("BTS")
    usual = rng.choice(
        ("a 42.5", "a 39", "a 44", "a 37")
        if is_boot
        else ("an M, but my arms are long", "an L, sometimes an M", "an S")
    )
    talk.hears(
        message(
            rng,
            f"I’m between sizes for the {product.name}. Normally I take {usual}. What do you recommend?",
            f"which size of the {product.name} should I order? In other brands I wear {usual}.",
            f"do the sizes of the {product.name} run small? I usually have {usual} and would like to wear a thick layer underneath.",
        )
    )
    sheet, advice = _BOOT_SIZES if is_boot else _JACKET_SIZES
    talk.retrieves(
        "size-guides",
        f"sizing {product.name}",
        [
            {
                "id": f"guide/{product.sku}",
                "score": round(rng.uniform(0.78, 0.93), 3),
                "content": f"{product.name}: {sheet}",
            },
            {
                "id": "guide/returns-of-worn-items",
                "score": round(rng.uniform(0.5, 0.7), 3),
                "content": "Shoes and clothing may be tried on indoors and sent back within 60 days.",
            },
        ],
    )
    them = product.one_or_many("it", "them")
    talk.says(
        f"For the {product.name} I would go {advice} "
        f"Try {them} on indoors; if something pinches, you have 60 days to send {them} back for free."
    )
    return talk.ends()


def is_it_in_stock(moment: Moment) -> Step:
    rng, person = moment.rng, somebody(NORTHWIND, moment.rng)
    talk = Talk(AGENT, moment, user=person.id)
    product, left = rng.choice(PRODUCTS), rng.choice((0, 0, 2, 5, 14, 31))
    warehouse = rng.choice(("BRE1", "RTM2", "GOT1"))
    are, them = product.one_or_many("is", "are"), product.one_or_many("one", "a pair")
    talk.hears(
        message(
            rng,
            f"{are} the {product.name} back in stock? Sold out when I looked on Sunday.",
            f"can I still get {them} of the {product.name} this week? {occasion(rng)}.",
            f"your page says “few left” for the {product.name}. How many is few?",
            f"do you have the {product.name} on the shelf? I would pick {product.one_or_many('it', 'them')} up if you had a shop in {person.city}.",
        )
    )
    talk.calls("find_warehouse", {"sku": product.sku}, returns={"sku": product.sku, "warehouse": warehouse})
    talk.calls(
        "check_stock",
        {"sku": product.sku, "warehouse": warehouse},
        returns={"sku": product.sku, "warehouse": warehouse, "available": left},
    )
    if left:
        talk.says(
            f"Yes, {person.first}: {left} are on the shelf for {product.price}. Ordered before 15:00, it leaves us today."
        )
    else:
        talk.says(
            f"Not yet, I’m afraid. The next delivery of the {product.name} is planned for the first week of December. "
            "On the product page you can leave your address under “Tell me”, and you will hear from us the moment it arrives."
        )
    return talk.ends()


def change_address(moment: Moment) -> Step:
    """Somebody gives their new address and telephone number in the chat: masking has something to do."""
    rng, person = moment.rng, somebody(NORTHWIND, moment.rng)
    talk = Talk(AGENT, moment, user=person.id)
    order = order_number(rng)
    talk.hears(
        message(
            rng,
            f"I’ve just ordered ({order}) and only now see my old address. Please send it to {person.address} instead. "
            f"My e-mail is {person.email}, and if the driver can’t find the door: {person.phone}.",
            f"we moved last month! {order} should go to {person.address}. You can reach me under {person.phone}.",
            f"could {order} go to my parents’ place, {person.address}? Please confirm to {person.email}.",
        )
    )
    shipped = rng.random() < 0.25
    talk.calls(
        "get_order",
        {"order_number": order},
        returns={
            "order_number": order,
            "status": "shipped" if shipped else "packing",
            "customer": {"name": person.name, "email": person.email, "phone": person.phone},
        },
    )
    if shipped:
        closed = Failure("OrderAlreadyShipped", f"{order} left the warehouse; its address cannot be changed")
        talk.calls("update_delivery_address", {"order_number": order, "address": person.address}, fails=closed)
        talk.says(
            f"I’m sorry, {person.first}, the parcel left us twenty minutes ago, so I can no longer change the label. "
            "With the tracking link you will get shortly you can redirect it to your new address or to a parcel shop."
        )
    else:
        talk.calls(
            "update_delivery_address",
            {"order_number": order, "address": person.address},
            returns={"order_number": order, "address": person.address, "changed": True},
        )
        talk.says(
            f"All set, {person.first}: {order} now goes to {person.address}. Nothing else changes, it still leaves today."
        )
    return talk.ends()


def provider_is_busy(moment: Moment) -> Step:
    """The model's provider refuses twice, and the customer goes without an answer."""
    rng, person = moment.rng, somebody(NORTHWIND, moment.rng)
    talk = Talk(AGENT, moment, user=person.id)
    order = order_number(rng)
    talk.hears(
        message(
            rng,
            f"can I still cancel {order}? I clicked on the wrong colour.",
            f"please take one of the two items out of {order}, I only need one.",
            f"can {order} and my order of yesterday go out in one parcel?",
        )
    )
    busy = Failure(
        "rate_limit_exceeded", "Rate limit reached for gpt-4.1 on tokens per min (TPM): limit 450000, used 449210"
    )
    talk.fails_to_answer(busy)
    talk.fails_to_answer(busy, seconds=2.4)
    return talk.ends(busy)


STORIES = ((16, where_is_my_order), (7, will_it_fit), (8, is_it_in_stock), (5, change_address), (1, provider_is_busy))
