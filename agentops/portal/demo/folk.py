"""The people who talk to the agents, and what they buy: the same ones every time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from random import Random

_FIRST = [
    "Amara",
    "Björn",
    "Chiara",
    "Dmitri",
    "Elin",
    "Farid",
    "Greta",
    "Hugo",
    "Ines",
    "Jonas",
    "Katya",
    "Liam",
    "Mei",
    "Niamh",
    "Oscar",
    "Priya",
    "Rafael",
    "Saoirse",
    "Tobias",
    "Uma",
    "Viktor",
    "Wanda",
    "Yusuf",
    "Zoë",
    "Anders",
    "Beatriz",
    "Callum",
    "Dalia",
    "Ewan",
    "Freya",
    "Gianni",
    "Hanna",
]
_LAST = [
    "Nilsson",
    "O’Connor",
    "Rossi",
    "Haddad",
    "Novak",
    "Silva",
    "Murphy",
    "Schneider",
    "Kowalska",
    "Dubois",
    "Tanaka",
    "Okonkwo",
    "Jensen",
    "Fischer",
    "Moreno",
    "Ivanova",
    "Larsson",
    "Byrne",
    "Costa",
    "Weiss",
    "Papadakis",
    "Lindholm",
    "Marchetti",
    "Sørensen",
    "Bauer",
    "Vargas",
    "Quinn",
    "Richter",
    "Almeida",
    "Horvat",
]
_PLACES = (
    ("Berlin", "Kollwitzstraße 14, 10405 Berlin"),
    ("Hamburg", "Eppendorfer Weg 203, 20253 Hamburg"),
    ("Dublin", "27 Fitzwilliam Square, Dublin D02 KX86"),
    ("Cork", "5 Patrick’s Quay, Cork T23 DP68"),
    ("Leeds", "88 Woodhouse Lane, Leeds LS2 8AB"),
    ("Edinburgh", "31 Marchmont Road, Edinburgh EH9 1HY"),
    ("Copenhagen", "Nørrebrogade 56, 2200 København"),
    ("Vienna", "Neubaugasse 9, 1070 Wien"),
    ("Utrecht", "Oudegracht 118, 3511 AW Utrecht"),
    ("Munich", "Klenzestraße 40, 80469 München"),
)
_PLAIN = str.maketrans({"ö": "oe", "ø": "o", "ë": "e", "’": "", "ü": "ue", "ß": "ss"})
_MANY = 220


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with an account at one of the organisations; the phone number is one set aside for fiction."""

    id: str
    name: str
    email: str
    phone: str
    city: str
    address: str

    @property
    def first(self) -> str:
        return self.name.partition(" ")[0]


@cache
def everybody(tenant: str) -> tuple[Person, ...]:
    rng = Random(f"folk of {tenant}")
    found = []
    for number in range(_MANY):
        first, last = rng.choice(_FIRST), rng.choice(_LAST)
        city, address = rng.choice(_PLACES)
        email = f"{first}.{last}@{rng.choice(('post', 'mail', 'home'))}.example".lower().translate(_PLAIN)
        phone = f"+44 20 7946 0{rng.randrange(100, 1000)}"
        found.append(Person(f"cus_{10_000 + number * 37}", f"{first} {last}", email, phone, city, address))
    return tuple(found)


def somebody(tenant: str, rng: Random) -> Person:
    """A person; a few come often and many seldom, as in life."""
    people = everybody(tenant)
    return people[int(len(people) * rng.random() ** 2)]


@dataclass(frozen=True, slots=True)
class Product:
    """Something to buy; `many` where its name is a plural."""

    sku: str
    name: str
    cents: int
    many: bool = False

    def one_or_many(self, one: str, many: str) -> str:
        return many if self.many else one

    @property
    def price(self) -> str:
        return f"€{self.cents / 100:.2f}"


PRODUCTS = (
    Product("TNT-2210", "Fjellheim 2 tunnel tent", 34_900),
    Product("BAG-1180", "Skarv down sleeping bag", 21_950),
    Product("BTS-4402", "Halti leather hiking boots", 18_900, many=True),
    Product("BTS-4471", "Rondane trail shoes", 12_900, many=True),
    Product("JKT-3307", "Storfjord rain jacket", 16_450),
    Product("JKT-3318", "Lyngen wool fleece", 9_900),
    Product("PCK-5120", "Hallingskarvet 58 l backpack", 19_900),
    Product("PCK-5164", "Setesdal 22 l daypack", 7_950),
    Product("STV-6015", "Primus gas stove set", 8_900),
    Product("LMP-7102", "Polaris head torch", 4_995),
    Product("PLE-8230", "Galdhøpiggen trekking poles", 6_900, many=True),
    Product("MAT-9041", "Vidda insulated sleeping mat", 11_900),
)


def order_number(rng: Random) -> str:
    return f"NW-{rng.randrange(48_000, 71_000)}"
