"""Side effects outside: the calendar answers too late, the agent tries again, and each time an event is made."""

from __future__ import annotations

from agentops.portal.demo.agents import calendar
from agentops.portal.demo.cast import KESTREL
from agentops.portal.demo.folk import somebody
from agentops.portal.demo.steps import Failure, Moment, Step
from agentops.portal.demo.talk import Talk, http_effect


def fourteen_events(moment: Moment) -> Step:
    rng, (name, email) = moment.rng, moment.rng.choice(calendar.MANAGERS)
    talk = Talk(calendar.AGENT, moment, user=name.lower().replace(" ", "."))
    talk.hears(
        "Invite each of my seven largest customers to a half-hour review in the first week of December, one after the other from nine o’clock."
    )
    timeout = Failure("GatewayTimeout", "504 from graph.calendar.example after 15 s; the event may have been created")
    for number in range(7):
        guest = somebody(KESTREL, rng)
        arguments = {
            "title": f"Review with {guest.name}",
            "starts_at": f"2026-12-03T{9 + number // 2:02}:{30 * (number % 2):02}:00Z",
            "minutes": 30,
            "guests": [guest.email, email],
        }
        for attempt in ("first", "second"):
            event = f"evt_{rng.getrandbits(40):010x}"
            effect = http_effect(
                moment,
                method="POST",
                host="graph.calendar.example",
                path="/v1/events",
                system="calendar",
                external_id=event,
            )
            talk.calls(
                "create_event",
                arguments,
                returns=None if attempt == "first" else {"event": event, "invited": 2},
                fails=timeout if attempt == "first" else None,
                effect=effect,
            )
    talk.says("All seven customers are invited.")
    duplicates = Failure("DuplicateEvents", "14 events were created for 7 meetings; no idempotency key was sent")
    return talk.ends(duplicates, scenario="external_side_effects")
