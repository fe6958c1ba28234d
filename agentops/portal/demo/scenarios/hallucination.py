"""Hallucinated arguments: they pass the schema and mean something else."""

from __future__ import annotations

from agentops.portal.demo.agents import crm, payments
from agentops.portal.demo.cast import KESTREL
from agentops.portal.demo.folk import everybody, somebody
from agentops.portal.demo.steps import Moment, Step
from agentops.portal.demo.talk import Talk, http_effect

_NAME = "hallucinated_arguments"


def delete_all(moment: Moment) -> Step:
    """The manager means one person's records; the schema takes any text for an id."""
    rng = moment.rng
    person = rng.choice(everybody(KESTREL))
    talk = Talk(crm.AGENT, moment, user="rm-doherty")
    talk.hears(f"{person.name} has left us. Please delete all of their records, {person.name} asked for it in writing.")
    talk.calls(
        "search_records",
        {"query": person.name, "limit": 10},
        returns=[
            {"id": f"rec_{rng.randrange(10_000, 99_999)}", "name": person.name},
            {"id": f"rec_{rng.randrange(10_000, 99_999)}", "name": person.name},
        ],
    )
    count = rng.randrange(1_100, 1_400)
    talk.calls(
        "delete_record",
        {"id": "all"},
        returns={"deleted": count},
        thought="I will delete all of their records in one call.",
        effect=http_effect(
            moment,
            method="DELETE",
            host="crm.kestrel.example",
            path="/v2/records/all",
            system="crm",
            external_id=f"job-{rng.randrange(10**6)}",
        ),
    )
    talk.says(f"All records of {person.name} are deleted.")
    return talk.ends(scenario=_NAME)


def dollars_for_pesos(moment: Moment) -> Step:
    """A thousand pesos leave as a thousand dollars."""
    rng, person = moment.rng, somebody(KESTREL, moment.rng)
    talk = Talk(payments.AGENT, moment, user=person.id)
    talk.hears("Send 1000 pesos to Talavera Cerámica for the samples, reference MUESTRAS.")
    recipient, transfer = "rcp_77120934", f"trf_{rng.getrandbits(56):014x}"
    talk.calls(
        "find_recipient",
        {"name": "Talavera Cerámica"},
        returns=[{"recipient": recipient, "name": "Talavera Cerámica SA", "town": "Puebla", "currency": "MXN"}],
    )
    talk.calls(
        "transfer",
        {"recipient": recipient, "amount": 1000, "currency": "USD", "reference": "MUESTRAS"},
        returns={"transfer": transfer, "state": "executed", "debited_eur": 919.88},
        thinks=180,
        effect=http_effect(
            moment,
            method="POST",
            host="core.kestrel.example",
            path="/payments/v3/transfers",
            system="core-banking",
            external_id=transfer,
            idempotency_key="muestras-1000",
        ),
    )
    talk.says("Done: 1000 are on their way to Talavera Cerámica in Puebla.")
    return talk.ends(scenario=_NAME)
