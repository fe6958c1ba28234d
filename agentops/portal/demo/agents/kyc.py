"""Kestrel's kyc-screening: its texts never leave the bank, so only the shape of the work is sent; nor has its model a price."""

from __future__ import annotations

from agentops.portal.demo import models
from agentops.portal.demo.cast import KESTREL
from agentops.portal.demo.folk import somebody
from agentops.portal.demo.schema import text, tool
from agentops.portal.demo.steps import Agent, Failure, Moment, Release, Step
from agentops.portal.demo.talk import Talk

AGENT = Agent(
    name="kyc-screening",
    tenant=KESTREL,
    service="kyc",
    dialect="otel",
    releases=(
        Release(
            "12.1",
            -1000,
            models.IN_HOUSE,
            "You compare identity documents with sanction lists and flag what a person has to look at.",
        ),
    ),
    tools=(
        tool("read_document", "Text of an identity document.", document=text("Document id")),
        tool("search_sanctions", "Search the sanction lists.", name=text("Name"), born=text("Date of birth")),
    ),
    captures_content=False,
)


def screen(moment: Moment) -> Step:
    rng, person = moment.rng, somebody(KESTREL, moment.rng)
    talk = Talk(AGENT, moment, user=person.id)
    talk.hears(f"Screen the application of {person.name}.")
    if rng.random() < 0.08:
        talk.calls(
            "read_document",
            {"document": "passport"},
            fails=Failure("UnreadableDocument", "the machine-readable zone could not be read"),
        )
        talk.calls("read_document", {"document": "passport, second photo"}, returns={"mrz": "P<IRL" + "<" * 20})
    else:
        talk.calls("read_document", {"document": "passport"}, returns={"mrz": "P<IRL" + "<" * 20})
    talk.calls(
        "search_sanctions",
        {"name": person.name, "born": "1984-05-17"},
        returns={"hits": []},
        seconds=rng.uniform(0.5, 2.5),
    )
    talk.says("No hit on any list. The document is valid. Cleared without a manual check.")
    return talk.ends()


STORIES = ((6, screen),)
