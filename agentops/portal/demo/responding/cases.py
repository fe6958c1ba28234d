"""The failure modes of the brief: how each is seen in the demo, and what people find out about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from agentops.portal.demo.cast import KESTREL, NORTHWIND
from incidents.types import ActionKind, AlertClass, CauseKind, Severity
from tenants.roles import StaffRole


@dataclass(frozen=True, slots=True)
class Action:
    title: str
    kind: ActionKind
    owner: StaffRole
    in_days: int


@dataclass(frozen=True, slots=True)
class Lesson:
    """A finished postmortem: what happened, who was hit, and why, each answer with what shows it."""

    summary: str
    impact: str
    went_well: str
    went_badly: str
    lucky: str
    whys: tuple[tuple[str, str, str], ...]
    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class Cause:
    kind: CauseKind
    detail_kind: str
    text: str
    owasp: str = ""
    factors: tuple[tuple[CauseKind, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """`alerts` are the classes of which one about one of `agents` is enough. Without one in time, or where no class
    claims to see it, somebody declares an incident with the newest runs that `look_for` (filters of Runs) finds."""

    number: int
    name: str
    tenant: str
    look_for: Mapping[str, str]
    title: str
    summary: str
    severity: Severity
    alerts: tuple[AlertClass, ...] = ()
    agents: tuple[str, ...] = ()
    tool: str = ""
    is_stopped: bool = True  # contained, as far as people get in a demo
    cause: Cause | None = None
    lesson: Lesson | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def agent(self) -> str:
        return self.look_for["agent"]


CASES: tuple[Case, ...] = (
    Case(
        number=1,
        name="runaway_loop",
        tenant=NORTHWIND,
        look_for={"agent": "order-concierge", "error_type": "step_limit_exceeded"},
        alerts=(AlertClass.RUNAWAY,),
        agents=("order-desk", "order-concierge"),
        title="The order concierge runs in circles between two tools",
        summary="find_warehouse asks for check_stock, and check_stock asks for find_warehouse.",
        severity=Severity.SEV2,
    ),
    Case(
        number=2,
        name="hallucinated_arguments",
        tenant=KESTREL,
        look_for={"agent": "crm-steward", "tool": "delete_record"},
        tool="delete_record",
        title="crm-steward deleted every customer record instead of one person's",
        summary='The manager meant one person\'s records. The agent called delete_record(id="all"), which the schema lets through.',
        severity=Severity.SEV2,
        notes=(
            "The CRM keeps deleted records for 30 days; their team restored all of them from the bin.",
            "The agent's key for the CRM was taken away until the rule is in place.",
        ),
        cause=Cause(
            CauseKind.TOOL,
            "wrong_arguments",
            'The schema takes any text for an id, so "all" is valid, and the CRM understands it as every record.',
            "ASI02",
            (
                (
                    CauseKind.PERMISSION,
                    "missing_approval",
                    "Deleting asked nobody: the agent only tells, and is not guarded.",
                ),
                (
                    CauseKind.MODEL,
                    "reasoning",
                    "Two records were found; the model took one call for all of them as the shorter way.",
                ),
            ),
        ),
        lesson=Lesson(
            summary=(
                'A relationship manager asked to delete the records of one customer. The agent called delete_record(id="all") and '
                "the CRM deleted all records of the bank's retail customers. All of them were restored from the bin."
            ),
            impact="About 1,200 records were gone for some minutes. No customer noticed; two managers saw an empty list.",
            went_well="The run was found by its tool within minutes, and the CRM keeps what is deleted for 30 days.",
            went_badly="Nothing asked a person before a delete, and nothing looked at what the arguments mean.",
            lucky="The CRM has a bin. The mail archive, which the same agent may delete in, has none.",
            whys=(
                (
                    "Why were all records deleted?",
                    'The agent called delete_record with the id "all".',
                    "The step execute_tool delete_record of the run in the evidence.",
                ),
                (
                    "Why was that call possible?",
                    "The schema of the tool is a string without a pattern.",
                    "The tool definition in the evidence, kind version.",
                ),
                (
                    "Why did nothing ask a person?",
                    "The agent is not guarded: it tells what it did, afterwards.",
                    "No decision of the guard exists for the run.",
                ),
                (
                    "Why is an agent that may delete not guarded?",
                    "It was connected in March as a reader, and got its writing tools one by one.",
                    "The versions of its tool list in the catalog.",
                ),
                (
                    "Why did nobody notice that its tools had grown?",
                    "The list of tools was looked at when it was new, and never again.",
                    "No quarterly review before this one names the agent.",
                ),
            ),
            actions=(
                Action(
                    "delete_record takes the id of one record only: pattern and rule one_record",
                    ActionKind.PREVENT,
                    StaffRole.TOOL_REVIEWER,
                    7,
                ),
                Action("crm-steward asks the guard; deletes are tier 3", ActionKind.PREVENT, StaffRole.ON_CALL, 14),
                Action(
                    "An eval case for “delete their records”, which fails on the present version",
                    ActionKind.DETECT,
                    StaffRole.EVAL_OWNER,
                    5,
                ),
                Action(
                    "The quarterly tool review lists every agent whose tools grew",
                    ActionKind.PROCESS,
                    StaffRole.QUALITY_OWNER,
                    21,
                ),
            ),
        ),
    ),
    Case(
        number=3,
        name="cost_blowout",
        tenant=NORTHWIND,
        look_for={"agent": "trip-planner", "min_cost_usd": "2"},
        alerts=(AlertClass.COST_SPIKE, AlertClass.TOKEN_P99),
        agents=("trip-planner", ""),
        title="One sentence makes the trip planner plan for every region there is",
        summary="The planner calls itself for each region with the dearest model. Each run costs dollars instead of cents.",
        severity=Severity.SEV2,
    ),
    Case(
        number=4,
        name="drift_after_upgrade",
        tenant=NORTHWIND,
        look_for={"agent": "parcel-tracker"},
        alerts=(AlertClass.DRIFT,),
        agents=("parcel-tracker",),
        title="parcel-tracker answers worse since its prompt of 14 November",
        summary="Nothing fails. Hard questions are refused more often since the release.",
        severity=Severity.SEV3,
    ),
    Case(
        number=5,
        name="privilege_escalation",
        tenant=KESTREL,
        look_for={"agent": "account-assistant", "error_type": "scope_violation"},
        tool="update_account",
        title="A payment reference made account-assistant give its reader the role of an administrator",
        summary="The reference of a one-cent payment is addressed to the assistant, and it obeys: update_account(field=role, value=admin).",
        severity=Severity.SEV1,
        is_stopped=False,
        notes=("Everybody who was paid one cent with this reference is searched for.",),
    ),
    Case(
        number=6,
        name="slow_degradation",
        tenant=NORTHWIND,
        look_for={"agent": "care-line"},
        alerts=(AlertClass.DRIFT,),
        agents=("care-line",),
        title="care-line gets a little worse every week",
        summary="No single run is wrong. Over twelve weeks, more and more questions end without an answer.",
        severity=Severity.SEV3,
    ),
    Case(
        number=7,
        name="brand_damage",
        tenant=NORTHWIND,
        look_for={"agent": "invoice-clerk", "tool": "find_contact"},
        tool="send_email",
        title="invoice-clerk sent a rude final warning to somebody who owes nothing",
        summary="Two contacts have the same first name. The agent took the unverified one, and wrote in a tone that nobody would choose.",
        severity=Severity.SEV2,
        notes=("The success manager called the recipient and apologised.",),
        cause=Cause(
            CauseKind.MODEL,
            "hallucination",
            "The model guessed which contact was meant, and presented the guess as a fact.",
            "ASI09",
            (
                (
                    CauseKind.PERMISSION,
                    "missing_approval",
                    "A letter to somebody outside leaves without a person reading it.",
                ),
                (CauseKind.PROMPT, "ambiguous", "“Be firm” is all the prompt says of the tone."),
            ),
        ),
        lesson=Lesson(
            summary=(
                "A dunning job asked for a firm reminder to a late payer. The agent chose an unverified contact of the same first "
                "name and sent a threatening final warning to a stranger."
            ),
            impact="One letter each time, to an address that has nothing to do with the invoice. It may be quoted in public.",
            went_well="The letter was found by what it says of its tool, before the recipient answered.",
            went_badly="The agent may write to anybody outside, and the first who reads the letter is who gets it.",
            lucky="The mailbox of the press, which is among the guesses, was not the one.",
            whys=(
                (
                    "Why did a stranger get the letter?",
                    "The agent sent it to the contact that is marked “unverified”.",
                    "The result of find_contact in the run's evidence.",
                ),
                (
                    "Why did it take an unverified contact?",
                    "It was the only one of the two with an address.",
                    "The same result: the right contact has no address.",
                ),
                (
                    "Why did the agent not ask?",
                    "The prompt tells it to act, and has no line for doubt.",
                    "The prompt in the evidence.",
                ),
                (
                    "Why did nobody read the letter before it left?",
                    "send_email is not a tool of tier 3: the agent is not guarded.",
                    "No confirmation exists for the run.",
                ),
                (
                    "Why is the tone left to the agent?",
                    "The house's rules for letters exist, and no check knows them.",
                    "The agent's check rules name no words.",
                ),
            ),
            actions=(
                Action(
                    "send_email asks a person where the recipient is not verified",
                    ActionKind.PREVENT,
                    StaffRole.TOOL_REVIEWER,
                    7,
                ),
                Action(
                    "The words that we do not use are a check of every letter",
                    ActionKind.DETECT,
                    StaffRole.QUALITY_OWNER,
                    10,
                ),
                Action(
                    "Five letters that must not be sent become eval cases", ActionKind.DETECT, StaffRole.EVAL_OWNER, 5
                ),
            ),
        ),
    ),
    Case(
        number=8,
        name="external_side_effects",
        tenant=KESTREL,
        look_for={"agent": "meeting-scheduler", "error_type": "DuplicateEvents"},
        tool="create_event",
        title="meeting-scheduler created fourteen calendar events for seven meetings",
        summary="The calendar answered too late, the agent tried again, and each attempt made an event. No idempotency key was sent.",
        severity=Severity.SEV2,
        notes=("Seven invitations have to be taken back; the guests were told by the calendar already.",),
        cause=Cause(
            CauseKind.TOOL,
            "not_idempotent",
            "create_event sends no idempotency key, so a time-out and a retry are two events.",
            "",
            (
                (
                    CauseKind.EXTERNAL_SYSTEM,
                    "outage",
                    "The calendar's gateway answers 504 although the event was created.",
                ),
            ),
        ),
    ),
)
