"""Kestrel's fraud-analyst: agents that ask agents that ask agents, six levels deep."""

from __future__ import annotations

from agentops.portal.demo import models
from agentops.portal.demo.cast import KESTREL
from agentops.portal.demo.schema import number, text, tool
from agentops.portal.demo.steps import Agent, Failure, Moment, Release, Step
from agentops.portal.demo.talk import Talk

_LEVELS = (
    (
        "fraud-analyst",
        "You lead the investigation of an alert. Delegate, then judge: fraud, not fraud, or not enough to say. Give your reasons.",
        "alert",
    ),
    (
        "network-tracer",
        "You follow money from account to account and report who stands behind them.",
        "account network",
    ),
    ("company-researcher", "You find out who owns a company and since when.", "ownership"),
    ("registry-reader", "You read extracts of company registers and quote them exactly.", "register extract"),
    ("document-checker", "You check whether a document is what it says it is: dates, seals, signatures.", "document"),
    (
        "image-forensics",
        "You look for traces of editing in a scanned page. Answer with a probability and where to look.",
        "scan",
    ),
)
_TOOLS = (
    tool(
        "query_ledger", "Payments between accounts.", account=text("Account"), days=number("How far back", maximum=400)
    ),
    tool("read_register", "An extract of the company register.", company=text("Company's name")),
    tool(
        "inspect_scan",
        "Noise analysis of a scanned page.",
        document=text("Document id"),
        page=number("Page", minimum=1),
    ),
)
AGENTS = tuple(
    Agent(
        name=name,
        tenant=KESTREL,
        service="fraud-lab",
        dialect="openinference",
        releases=(Release("0.4.0-rc.2", -1000, models.O4_MINI if depth == 0 else models.GPT_41_MINI, prompt),),
        tools=_TOOLS if depth in (0, 1, 3, 5) else (),
        environment="staging" if depth > 4 else "production",
    )
    for depth, (name, prompt, _) in enumerate(_LEVELS)
)
_COMPANIES = ("Meridian Timber Trading", "Lough Export Partners", "Bluewater Components", "Castlebar Holdings No. 4")


def investigate(moment: Moment) -> Step:
    company = moment.rng.choice(_COMPANIES)
    alert = f"AL-{moment.rng.randrange(200_000, 299_999)}"
    return _level(
        0,
        moment,
        company,
        f"Alert {alert}: eleven payments of just under €10,000 each to {company} within two days. Is this structuring?",
    ).ends()


def _level(depth: int, moment: Moment, company: str, task: str) -> Talk:
    rng, subject = moment.rng, _LEVELS[depth][2]
    talk = Talk(AGENTS[depth], moment, user="fraud-desk" if depth == 0 else "")
    talk.hears(task)
    if depth == 0:
        talk.plans("Trace the money, learn who owns the company, check the papers that were filed, then decide.")
        talk.calls(
            "query_ledger",
            {"account": "IE29AIBK93115212345678", "days": 30},
            returns={"payments": 11, "sum_eur": 108_612.4, "smallest": 9_710, "largest": 9_990},
            thinks=rng.randrange(200, 900),
        )
    elif depth == 3:
        talk.calls(
            "read_register",
            {"company": company},
            returns={
                "company": company,
                "founded": "2026-09-02",
                "director": "J. Marlowe",
                "shares": [{"holder": "Marlowe Family Trust", "percent": 100}],
            },
        )
    if depth < len(_LEVELS) - 1:
        below = _LEVELS[depth + 1][2]
        talk.hands_over(_level(depth + 1, moment, company, f"Look into the {below} of {company}."), below)
    else:
        if rng.random() < 0.3:
            talk.calls(
                "inspect_scan",
                {"document": "reg-ext-7741", "page": 2},
                fails=Failure("GPUOutOfMemory", "CUDA out of memory: tried to allocate 2.6 GiB"),
                seconds=4.0,
            )
        talk.calls(
            "inspect_scan",
            {"document": "reg-ext-7741", "page": 2},
            returns={"edited": 0.83, "region": "signature, lower right"},
            seconds=rng.uniform(2, 6),
        )
    talk.says(_findings(depth, company, subject), thinks=rng.randrange(500, 2600) if depth == 0 else 0)
    if depth:
        talk.ends()
    return talk


def _findings(depth: int, company: str, subject: str) -> str:
    return (
        f"Likely fraud. {company} was founded eleven weeks ago, belongs to one trust, and the extract it filed was edited near the signature. The amounts stay just below the reporting limit. I recommend to hold the two pending payments and to file a report; a person must decide.",
        f"The {subject} is a star: nine private accounts pay in, {company} pays out to one account abroad on the same day.",
        f"{company} belongs entirely to the Marlowe Family Trust. It has no employees and no web site.",
        f"Register: {company}, founded 2 September 2026, director J. Marlowe, sole shareholder Marlowe Family Trust. The extract that was filed names another director.",
        "The date format and the seal are those of 2023; the extract claims to be from 2026. I asked for a look at the scan.",
        "Probability of editing 0.83. Look at the signature, lower right: its noise differs from the rest of the page.",
    )[depth]


STORIES = ((2, investigate),)
