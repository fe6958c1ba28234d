"""Does what a person writes next say that the answer before was wrong?

Two ways: the words of a correction at its beginning, in some languages; or nearly the same question again with a
negation in it. Both are guesses: the page shows how often people who said so out loud agree.
"""

from __future__ import annotations

import re
import unicodedata

ALIKE = 0.6  # share of words that two questions have in common, of all their words
_BEGIN = 90  # characters: a correction begins with it
_OPENINGS = {
    "en": r"no[,.!]|nope|that'?s (not|wrong|incorrect)|that is (not|wrong|incorrect)|wrong[,.!]|not what i|i (meant|said|asked|did ?n.t)|"
    r"you (misunderstood|got (it|that) wrong|are wrong|forgot|ignored)|try again|incorrect|actually,? (no|i)|this is (not|wrong|incorrect)",
    "de": r"nein[,.!]|falsch|das (ist|war|stimmt) (nicht|falsch)|stimmt nicht|ich (meinte|wollte|sagte)|so nicht|noch ?mal[,.!]|nicht das",
    "fr": r"non[,.!]|ce n.est pas|c.est (faux|incorrect)|faux[,.!]|je voulais|je parlais|pas ce que|vous vous trompez|tu te trompes",
    "es": r"no[,.!]|eso no|no es (eso|correcto|lo que)|incorrecto|est[aá] mal|quise decir|me refer[ií]a|te equivocas|no ped[ií]",
    "it": r"no[,.!]|non è (quello|corretto|giusto)|sbagliato|intendevo|volevo dire|hai sbagliato",
    "pt": r"não[,.!]|isso não|não é (isso|o que)|errado|eu quis dizer|está errado|incorreto",
    "nl": r"nee[,.!]|dat (is|klopt) niet|klopt niet|fout[,.!]|ik bedoelde|niet wat ik",
    "pl": r"nie[,.!]|to nie|źle[,.!]|chodziło mi|miał[ae]m na myśli|to jest źle|niepoprawn",
    "tr": r"hayır[,.!]|yanlış|öyle değil|demek istediğim|bu değil",
    "ja": r"違う|違います|ちがう|そうじゃな|そうではな|間違",
    "zh": r"不对|不是|错了|你错|不正确|我的意思",
    "ko": r"아니[,.!요]|틀렸|그게 아니|제 말은",
}  # fmt: skip
_CORRECTION = {
    language: re.compile(rf"^\W*(?:sorry[, ]+|but |hey[, ]+|aber |mais |pero )?(?:{words})", re.IGNORECASE)
    for language, words in _OPENINGS.items()
}
_NEGATIONS = frozenset(
    {
        "not", "no", "don't", "dont", "isn't", "wasn't", "never", "without", "instead", "nicht", "kein", "keine", "nie", "ohne",
        "statt", "pas", "jamais", "sans", "non", "sin", "nunca", "não", "sem", "niet", "geen", "bez", "değil",
    }
)  # fmt: skip
_WORD = re.compile(r"[\w']+")


def correction(*, before: str, after: str) -> str:
    """Why `after` corrects the answer to `before`: `words:<language>` or `negated_repeat`; "" where nothing says so."""
    said = unicodedata.normalize("NFKC", after).replace("’", "'").strip()
    for language, pattern in _CORRECTION.items():
        if pattern.match(said[:_BEGIN]):
            return f"words:{language}"
    first, second = _words(before), _words(said)
    new = second - first
    if len(first) >= 3 and _alike(first, second) >= ALIKE and new & _NEGATIONS:
        return "negated_repeat"
    return ""


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(unicodedata.normalize("NFKC", text).replace("’", "'").lower()))


def _alike(first: frozenset[str], second: frozenset[str]) -> float:
    """Jaccard's index of the words."""
    return len(first & second) / len(first | second) if first | second else 0.0
