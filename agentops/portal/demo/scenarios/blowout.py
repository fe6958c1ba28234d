"""Cost blow-out: one harmless sentence, and the planner calls itself for every region with the dearest model."""

from __future__ import annotations

from agentops.portal.demo import models
from agentops.portal.demo.agents import trips
from agentops.portal.demo.cast import NORTHWIND
from agentops.portal.demo.folk import somebody
from agentops.portal.demo.steps import Moment, Step
from agentops.portal.demo.talk import Talk

_REGIONS = ("the Alps", "the Pyrenees", "the Tatra", "Scotland", "Norway", "Iceland", "the Dolomites", "Corsica")


def every_region(moment: Moment) -> Step:
    person = somebody(NORTHWIND, moment.rng)
    talk = Talk(trips.PLANNER, moment, user=person.id, model=models.OPUS_45)
    talk.hears(
        moment.rng.choice(
            (
                "We want to go walking somewhere nice in Europe next year, for a few days, anywhere really. Compare everything and find the best!",
                "What is the most beautiful hut-to-hut tour in Europe? Please check all of them before you answer.",
                "Surprise us: the best walking week in Europe, no matter where. Be thorough!",
            )
        )
    )
    talk.run.is_parallel = True
    talk.plans("Compare every region with every other one, in detail, before answering.")
    for region in _REGIONS:
        talk.hands_over(_compare(moment, region, depth=2), f"Everything about walking in {region}")
    talk.says(
        "I have compared eight regions. All of them are beautiful; it depends on what you like. Would you tell me more about yourselves?",
        thinks=3_000,
    )
    return talk.ends(scenario="cost_blowout")


def _compare(moment: Moment, region: str, *, depth: int) -> Talk:
    talk = Talk(trips.PLANNER, moment, model=models.OPUS_45)
    talk.hears(f"Compare all walking tours in {region} with each other. Leave nothing out.")
    talk.run.is_parallel = True
    if depth:
        for half in ("north", "south"):
            talk.hands_over(_compare(moment, f"{region} ({half})", depth=depth - 1), f"The {half} of {region}")
    else:
        talk.retrieves(
            "route-archive",
            f"all tours {region}",
            [
                {
                    "id": f"route/{number}",
                    "score": 0.7,
                    "content": f"Tour {number} in {region}: hut to hut, four days, waymarked. " * 12,
                }
                for number in range(6)
            ],
        )
    for part in ("stages", "huts", "weather"):
        talk.says(
            f"{region}, {part}: too many possibilities to judge yet; I need to look closer before I can compare.",
            thinks=moment.rng.randrange(500, 1_400),
        )
    talk.ends()
    return talk
