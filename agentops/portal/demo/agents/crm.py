"""Kestrel's crm-steward: keeps the records of business contacts tidy."""

from __future__ import annotations

from agentops.portal.demo import models
from agentops.portal.demo.cast import KESTREL
from agentops.portal.demo.folk import everybody
from agentops.portal.demo.schema import number, text, tool
from agentops.portal.demo.steps import Agent, Moment, Release, Step
from agentops.portal.demo.talk import Talk

_PROMPT = """You keep the contact records of Kestrel Bank's relationship managers tidy: find duplicates, merge them, delete what a manager asks you to delete.
Work on the records you were asked about. Say what you changed, record by record."""
AGENT = Agent(
    name="crm-steward",
    tenant=KESTREL,
    service="back-office",
    dialect="otel",
    releases=(Release("1.2.0", -1000, models.HAIKU_45, _PROMPT),),
    tools=(
        tool("search_records", "Search contact records.", query=text("Words"), limit=number("How many", maximum=100)),
        tool(
            "merge_records",
            "Merge one record into another.",
            keep=text("Record that stays"),
            drop=text("Record that goes"),
        ),
        tool("delete_record", "Delete a record.", id=text("The record's id")),
    ),
)


def merge_duplicates(moment: Moment) -> Step:
    rng = moment.rng
    person = rng.choice(everybody(KESTREL))
    talk = Talk(AGENT, moment, user=rng.choice(("rm-doherty", "rm-silva", "rm-akande")))
    first, second = f"rec_{rng.randrange(10_000, 99_999)}", f"rec_{rng.randrange(10_000, 99_999)}"
    talk.hears(
        rng.choice(
            (
                f"{person.name} is in the CRM twice. Please make one record of it; the newer address is right.",
                f"Somebody entered {person.name} again last month. Merge, please, and keep the birthday.",
                f"Two records for {person.name}, and the mailing went out twice. Can you clean that up?",
            )
        )
    )
    talk.calls(
        "search_records",
        {"query": person.name, "limit": 10},
        returns=[
            {"id": first, "name": person.name, "email": person.email, "changed": "2024-03-02"},
            {"id": second, "name": person.name, "email": person.email, "changed": "2026-10-28"},
        ],
    )
    talk.calls(
        "merge_records",
        {"keep": second, "drop": first},
        returns={"kept": second, "fields": ["phone", "birthday"], "dropped": first},
    )
    talk.says(
        f"Done: {first} is now part of {second}. The address of October 2026 stays; telephone number and birthday came from the older record."
    )
    return talk.ends()


STORIES = ((4, merge_duplicates),)
