"""Kestrel's meeting-scheduler: puts appointments into the calendars of relationship managers."""

from __future__ import annotations

from agentops.portal.demo import models
from agentops.portal.demo.cast import KESTREL
from agentops.portal.demo.folk import somebody
from agentops.portal.demo.schema import number, text, texts, tool
from agentops.portal.demo.steps import Agent, Moment, Release, Step
from agentops.portal.demo.talk import Talk, http_effect

_PROMPT = """You arrange meetings between relationship managers of Kestrel Bank and their customers.
Find a free slot, propose it, and create the event once the customer agrees. One event per meeting."""
AGENT = Agent(
    name="meeting-scheduler",
    tenant=KESTREL,
    service="back-office",
    dialect="openllmetry",
    releases=(Release("5.0.3", -1000, models.GPT_41_MINI, _PROMPT),),
    tools=(
        tool("free_slots", "Free times of a manager.", manager=text("Manager"), week=text("ISO week")),
        tool(
            "create_event",
            "Create a calendar event and invite people.",
            title=text("Title"),
            starts_at=text("ISO time"),
            minutes=number("Length"),
            guests=texts("Addresses"),
        ),
    ),
)
MANAGERS = (
    ("Fiona Doherty", "f.doherty@kestrel.example"),
    ("Marco Silva", "m.silva@kestrel.example"),
    ("Tunde Akande", "t.akande@kestrel.example"),
)


def arrange(moment: Moment) -> Step:
    rng, person = moment.rng, somebody(KESTREL, moment.rng)
    name, email = rng.choice(MANAGERS)
    talk = Talk(AGENT, moment, user=person.id)
    slot = f"2026-12-{rng.randrange(1, 5):02}T{rng.choice(('09:30', '11:00', '15:00'))}:00Z"
    talk.hears(
        rng.choice(
            (
                f"I’d like half an hour with {name} about my portfolio, preferably early next week.",
                f"Can {name} explain the new fund to me? Half an hour should do.",
                f"We sold the house. I need to talk to {name} about what to do with the money, soon please.",
            )
        )
    )
    talk.calls("free_slots", {"manager": name, "week": "2026-W49"}, returns=[slot, "2026-12-04T16:00:00Z"])
    talk.says(f"{name} is free on {slot[8:10]} December at {slot[11:16]}. Shall I book it?")
    talk.hears("Yes, that suits me.")
    event = f"evt_{rng.getrandbits(40):010x}"
    talk.calls(
        "create_event",
        {
            "title": f"{person.name} and {name}: portfolio",
            "starts_at": slot,
            "minutes": 30,
            "guests": [person.email, email],
        },
        returns={"event": event, "invited": 2},
        effect=http_effect(
            moment,
            method="POST",
            host="graph.calendar.example",
            path="/v1/events",
            system="calendar",
            external_id=event,
            idempotency_key=f"{person.id}-{slot[:13]}".lower(),
        ),
    )
    talk.says(f"It’s in both calendars. You will find the dial-in details in the invitation to {person.email}.")
    return talk.ends()


STORIES = ((4, arrange),)
