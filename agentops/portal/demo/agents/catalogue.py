"""Northwind's catalogue-writer: product texts, a few by day and the whole catalogue every night."""

from __future__ import annotations

from agentops.portal.demo import models
from agentops.portal.demo.cast import NORTHWIND
from agentops.portal.demo.folk import PRODUCTS, Product
from agentops.portal.demo.schema import text, tool
from agentops.portal.demo.steps import Agent, Moment, Release, Step, text_message
from agentops.portal.demo.talk import Talk

_PROMPT = """You write product texts for Northwind Outfitters. Two sentences, at most 45 words, no superlatives, nothing the data sheet does not say. First what it is for, then what sets it apart."""
AGENT = Agent(
    name="catalogue-writer",
    tenant=NORTHWIND,
    service="catalogue-jobs",
    dialect="openllmetry",
    releases=(Release("2.0.1", -1000, models.MISTRAL, _PROMPT),),
    tools=(
        tool("get_data_sheet", "The data sheet of an article.", sku=text("Article number")),
        tool(
            "save_text",
            "Store a product text as a draft.",
            sku=text("Article number"),
            text=text("The text", maxLength=400),
        ),
    ),
)
_NIGHTLY_ARTICLES = 600  # of five spans each
_TEXTS = (
    "For long weekends above the tree line: {name}. Double-stitched seams, and a weight that is easy to carry all day.",
    "Made for wet autumns and early starts: {name}. Every part that wears can be replaced.",
    "{name}, for wherever the path gets narrow. Small in the pack, and dry overnight.",
)


def one_text(moment: Moment) -> Step:
    talk = Talk(AGENT, moment, user="merchandising")
    product = moment.rng.choice(PRODUCTS)
    reason = moment.rng.choice(
        (
            "the old one is three years old",
            "the material has changed",
            "the German one was translated by a machine",
            "customers keep asking about the weight",
        )
    )
    talk.hears(f"Write a new text for {product.sku}; {reason}.")
    _write(talk, product, product.sku, moment)
    return talk.ends()


def nightly(moment: Moment) -> Step:
    """The whole catalogue in one run of about three thousand spans."""
    talk = Talk(AGENT, moment, user="nightly-catalogue", session=f"catalogue-{moment.rng.randrange(10**6):06}")
    talk.hears(f"Refresh the texts of all {_NIGHTLY_ARTICLES} articles that changed since yesterday.")
    for number in range(_NIGHTLY_ARTICLES):
        product = PRODUCTS[number % len(PRODUCTS)]
        part = Talk(AGENT, moment, user=talk.run.user, session=talk.run.session)
        part.hears(f"Article {number + 1} of {_NIGHTLY_ARTICLES}.")
        _write(part, product, f"{product.sku}-{number:03}", moment)
        talk.run.children += part.run.children
    talk.run.output = [text_message("assistant", f"{_NIGHTLY_ARTICLES} texts are stored as drafts.")]
    return talk.ends()


def _write(talk: Talk, product: Product, sku: str, moment: Moment) -> None:
    rng = moment.rng
    talk.calls(
        "get_data_sheet",
        {"sku": sku},
        returns={
            "sku": sku,
            "name": product.name,
            "weight_g": rng.randrange(180, 2900),
            "material": rng.choice(("recycled polyester", "merino wool", "nubuck leather", "aluminium")),
        },
    )
    words = rng.choice(_TEXTS).format(name=product.name)
    talk.calls("save_text", {"sku": sku, "text": words}, returns={"sku": sku, "draft": rng.randrange(3000, 9999)})
    talk.says(f"The new text for {sku} is stored as a draft: “{words}”")


STORIES = ((3, one_text),)
