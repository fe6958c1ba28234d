"""Northwind's trip-planner: hut-to-hut tours, planned by an agent with helpers of its own."""

from __future__ import annotations

from agentops.portal.demo import models
from agentops.portal.demo.cast import NORTHWIND
from agentops.portal.demo.folk import somebody
from agentops.portal.demo.schema import number, text, texts, tool
from agentops.portal.demo.steps import Agent, Failure, Moment, Release, Step
from agentops.portal.demo.talk import Talk, http_effect

_RELEASES = {
    "trip-planner": "You plan walking holidays for customers of Northwind Outfitters. Split the work between the route scout, the weather watch and the hut booker, then give one plan with days, distances, beds and a packing list. Never plan more than 900 m of ascent per day for beginners.",
    "route-scout": "You find walking routes. Answer with stages: from, to, kilometres, metres of ascent, and one thing worth seeing.",
    "weather-watch": "You judge whether the weather allows a tour. Name your source and how sure you are.",
    "hut-booker": "You look for beds in mountain huts and hold them. Book nothing without a date and a number of people.",
}
_TOOLS = {
    "trip-planner": (),
    "route-scout": (
        tool(
            "search_routes",
            "Search the route archive.",
            region=text("Region"),
            days=number("Days", minimum=1, maximum=14),
        ),
    ),
    "weather-watch": (
        tool("get_forecast", "Ten-day forecast for a place.", place=text("Place"), days=number("How many", maximum=10)),
    ),
    "hut-booker": (
        tool(
            "find_beds",
            "Free beds in huts.",
            huts=texts("Names of huts"),
            arrival=text("ISO date"),
            people=number("How many", minimum=1),
        ),
        tool(
            "hold_beds",
            "Hold beds for 24 hours.",
            hut=text("Name"),
            arrival=text("ISO date"),
            people=number("How many", minimum=1),
        ),
    ),
}


def _agent(name: str) -> Agent:
    return Agent(
        name=name,
        tenant=NORTHWIND,
        service="trip-planner",
        dialect="openinference",
        releases=(
            Release("0.9.3", -1000, models.GEMINI_PRO if name == "trip-planner" else models.HAIKU_45, _RELEASES[name]),
        ),
        tools=_TOOLS[name],
    )


PLANNER, SCOUT, WEATHER, HUTS = (_agent(name) for name in _RELEASES)
_TOURS = (
    ("the Lofoten islands", ("Munkebu", "Stokkvikka", "Svolværgeita camp"), "Reine", (11.5, 9.2, 13.0)),
    ("the Karwendel", ("Pleisenhütte", "Karwendelhaus", "Lamsenjochhütte"), "Scharnitz", (12.1, 14.4, 10.8)),
    ("the Kerry Way", ("Black Valley", "Lauragh", "Kenmare"), "Killarney", (19.5, 21.0, 16.2)),
    ("the Cairngorms", ("Corrour Bothy", "Hutchison Hut", "Glenmore Lodge"), "Aviemore", (17.3, 12.8, 15.9)),
)


def plan_a_tour(moment: Moment) -> Step:
    rng, person = moment.rng, somebody(NORTHWIND, moment.rng)
    region, huts, start, distances = rng.choice(_TOURS)
    people, month = rng.choice((2, 2, 3, 4)), rng.choice(("June", "July", "September"))
    talk = Talk(PLANNER, moment, user=person.id)
    talk.hears(
        rng.choice(
            (
                f"We are {people} friends and want to walk from hut to hut in {region} for three days in {month}. Nobody has done this before. What do you suggest?",
                f"Three days in {region}, {people} people, second week of {month}. One of us has a bad knee, so please easy days.",
                f"Would {region} be too hard for two children of nine and twelve? We would go in {month}, hut to hut; {people} beds a night would do.",
                f"I’d like to surprise {'a friend' if people == 2 else f'{people - 1} friends'} with a long weekend in {region} in {month}. Trains only, no car.",
            )
        )
    )
    talk.plans(
        "1. Route scout: three stages a beginner can walk. 2. Weather watch: is the week sensible? 3. Hut booker: beds for everybody. 4. One plan."
    )
    talk.hands_over(
        _scouts(moment, region, huts, start, distances), f"Three easy stages in {region}, starting near {start}"
    )
    talk.hands_over(_watches(moment, start, month), f"Is {month} sensible around {start}?")
    talk.hands_over(_books(moment, huts, month, people), f"Beds for {people} in {', '.join(huts)}")
    talk.says(
        f"Here is a plan for three days in {region}.\n\n"
        f"Day 1: {start} to {huts[0]}, {distances[0]} km. Day 2: on to {huts[1]}, {distances[1]} km. Day 3: {huts[2]}, {distances[2]} km, and the evening bus back.\n\n"
        f"I hold {people} beds in each hut until tomorrow evening. Pack a rain jacket and a warm layer even if the forecast smiles; "
        "with trekking poles and an early start nobody has to hurry on the way down.",
        thinks=rng.randrange(300, 1400),
    )
    return talk.ends()


def _scouts(moment: Moment, region: str, huts: tuple[str, ...], start: str, distances: tuple[float, ...]) -> Talk:
    talk = Talk(SCOUT, moment)
    talk.hears(f"Find three easy stages in {region}, starting near {start}.")
    talk.retrieves(
        "route-archive",
        f"easy hut to hut {region}",
        [
            {"id": f"route/{index}", "score": round(0.91 - index * 0.06, 2),
             "content": f"{start if index == 0 else huts[index - 1]} to {hut}: {distances[index]} km, marked path, {moment.rng.randrange(380, 840)} m of ascent."}
            for index, hut in enumerate(huts)
        ],
    )  # fmt: skip
    talk.calls(
        "search_routes",
        {"region": region, "days": 3},
        returns=[{"to": hut, "km": km, "grade": "easy to moderate"} for hut, km in zip(huts, distances, strict=True)],
    )
    talk.says(
        f"Three marked stages of {min(distances)} to {max(distances)} km, none with more than 840 m of ascent. The finest view is above {huts[1]}."
    )
    talk.ends()
    return talk


def _watches(moment: Moment, place: str, month: str) -> Talk:
    talk = Talk(WEATHER, moment)
    talk.hears(f"Is {month} sensible for walking around {place}?")
    if moment.rng.random() < 0.08:
        gone = Failure("HTTPStatusError", "503 Service Unavailable from api.met.example")
        talk.calls("get_forecast", {"place": place, "days": 10}, fails=gone, seconds=3.1)
        talk.says(
            f"The forecast service does not answer, so this is from climate tables only: {month} is mild around {place}, with rain on one day in three. Not sure."
        )
    else:
        talk.calls(
            "get_forecast",
            {"place": place, "days": 10},
            returns={"place": place, "rain_days": 3, "low_c": 6, "high_c": 17, "wind": "moderate"},
        )
        talk.says(
            f"Yes. {month} around {place} is usually 6 to 17 °C with rain on one day in three (source: met service, fairly sure)."
        )
    talk.ends()
    return talk


def _books(moment: Moment, huts: tuple[str, ...], month: str, people: int) -> Talk:
    talk = Talk(HUTS, moment)
    arrival = {"June": "2027-06-14", "July": "2027-07-12", "September": "2027-09-06"}[month]
    talk.hears(f"Find beds for {people} in {', '.join(huts)} from {arrival}.")
    talk.calls(
        "find_beds",
        {"huts": list(huts), "arrival": arrival, "people": people},
        returns={hut: moment.rng.randrange(people, 12) for hut in huts},
    )
    for hut in huts:
        hold = f"HB-{moment.rng.randrange(100_000, 999_999)}"
        talk.calls(
            "hold_beds",
            {"hut": hut, "arrival": arrival, "people": people},
            returns={"hold": hold, "until": "tomorrow 18:00"},
            effect=http_effect(
                moment,
                method="POST",
                host="beds.huts.example",
                path="/holds",
                system="hut-portal",
                external_id=hold,
                idempotency_key=f"{hold}-{hut}".lower(),
            ),
        )
    talk.says(f"Beds for {people} are held in all three huts until tomorrow at 18:00.")
    talk.ends()
    return talk


STORIES = ((6, plan_a_tour),)
