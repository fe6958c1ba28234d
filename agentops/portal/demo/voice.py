"""How people begin and end what they write: hurried, polite, angry, brief."""

from __future__ import annotations

from random import Random

_GREETINGS = ("Hi, ", "Hello, ", "Good morning, ", "Hey there, ", "Hi again, ", "Dear team, ")
_ENDINGS = ("Thanks!", "Many thanks in advance.", "Cheers", "Thank you for your help.", "Please hurry.", "Best wishes")
_OCCASIONS = (
    "We leave for Norway on Friday",
    "It is a birthday present for Sunday",
    "I am on the night train on Thursday",
    "My daughter’s school trip starts on Monday",
    "We fly to Iceland on the 28th",
    "The hut opens only this weekend",
    "I walk the first stage on Saturday",
)


def greeting(rng: Random) -> str:
    """An opening that the sentence follows, or nothing: half of the people come straight to the point."""
    return rng.choice(_GREETINGS) if rng.random() < 0.5 else ""


def ending(rng: Random) -> str:
    """A last word with a blank in front, or nothing."""
    return f" {rng.choice(_ENDINGS)}" if rng.random() < 0.35 else ""


def occasion(rng: Random) -> str:
    """Why it is urgent: half a sentence."""
    return rng.choice(_OCCASIONS)


def begun(greeting_: str, text: str) -> str:
    """A sentence after its greeting, with a capital letter where there is none."""
    return greeting_ + (text if greeting_ else text[0].upper() + text[1:])


def message(rng: Random, *texts: str) -> str:
    """One of the texts, which begin in lower case, as somebody would write it."""
    return begun(greeting(rng), rng.choice(texts)) + ending(rng)
