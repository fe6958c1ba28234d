"""From switches and runs to what the guard's pages show: words, not decisions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agentops.portal.templatetags.words import ago, count, duration_text, money_text
from agentops.runtime.models import KillSwitch, ProductSwitch
from agentops.runtime.queries import GuardedRunView, Proof
from agentops.runtime.types import SwitchMode, SwitchScope
from tenants.types import Tenant

WARN_AT, FULL_AT = 0.75, 1.0

# -- kill switches ----------------------------------------------------------------------------------------------------


def switch_sentence(switch: KillSwitch) -> str:
    """What a switch stops, as a sentence."""
    match switch.scope:
        case SwitchScope.AGENT:
            what = f"{switch.scope_id}"
        case SwitchScope.USER:
            what = f"agents for the user {switch.scope_id}"
        case _:
            what = "every agent of the organisation"
    return f"No new run of {what} begins." if switch.mode == SwitchMode.BLOCK_NEW else f"This stops {what}."


@dataclass(frozen=True, slots=True)
class SwitchView:
    """A switch of an organisation with what it has done."""

    switch: KillSwitch
    proof: Proof
    tenant: Tenant | None = None  # where switches of several are listed

    @property
    def state(self) -> str:
        return "on" if self.switch.lifted_at is None else "lifted"

    @property
    def target(self) -> str:
        match self.switch.scope:
            case SwitchScope.AGENT:
                return f"Agent {self.switch.scope_id}"
            case SwitchScope.USER:
                return f"End user {self.switch.scope_id}"
            case _:
                return "The whole organisation"

    @property
    def figures(self) -> list[dict[str, Any]]:
        return proof_figures(self.proof, self.switch.mode)


@dataclass(frozen=True, slots=True)
class ProductView:
    """The product's switch, as one person of ours sees it."""

    switch: ProductSwitch
    proof: Proof | None
    viewer: str  # their e-mail address, which is what the switch's row holds

    @property
    def state(self) -> str:
        if self.switch.lifted_at is not None:
            return "lifted"
        return "asked" if self.switch.lift_asked_at else "on"

    @property
    def is_mine_to_wait(self) -> bool:
        """This person asked to lift it, so another has to agree."""
        return self.switch.lift_asked_by == self.viewer

    @property
    def figures(self) -> list[dict[str, Any]]:
        return proof_figures(self.proof, self.switch.mode) if self.proof else []


def proof_figures(proof: Proof, mode: str) -> list[dict[str, Any]]:
    """The strip of figures that proves a switch: see templates/components/stats.html."""
    is_stopping = mode == SwitchMode.STOP_NEXT_STEP
    waiting = "may go on to their end" if not is_stopping else "stop when they next ask"
    return [
        {"label": "Refused since", "value": count(proof.refused), "note": "starts and steps"},
        {
            "label": "Let through since",
            "value": ago(proof.last_step_at) if proof.last_step_at else "Nothing",
            "note": "the last step that was still allowed" if proof.last_step_at else "no step was allowed after it",
            "tone": "warn" if proof.last_step_at and is_stopping else "",
        },
        {
            "label": "Permits alive",
            "value": count(proof.permits_alive),
            "note": "given before it; each ends within a minute" if proof.permits_alive else "none can still be used",
            "tone": "warn" if proof.permits_alive else "",
        },
        {"label": "Runs stopped", "value": count(proof.runs_stopped), "note": "in the middle of their work"},
        {
            "label": "Still in progress",
            "value": count(proof.runs_in_progress),
            "note": waiting if proof.runs_in_progress else "no run is left",
            "tone": "warn" if proof.runs_in_progress and is_stopping else "",
        },
    ]


# -- one guarded run --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Use:
    """How much of one cap is used: see templates/components/progress.html."""

    label: str
    value: int
    max: int
    words: str
    note: str = ""  # what of it is only held, until the call is settled

    @property
    def tone(self) -> str:
        share = self.value / self.max if self.max else 0
        return "bad" if share >= FULL_AT else "warn" if share >= WARN_AT else ""


def run_uses(run: GuardedRunView, *, at: datetime) -> list[Use]:
    """The caps of a run's family and what is used of them. What is held counts as used until it is settled."""
    caps = run.caps
    tokens, nano = run.tokens_used + run.tokens_held, run.nano_used + run.nano_held
    took = (
        (run.ended_at or run.paused_at or at) - run.started_at
    ).total_seconds()  # it stands still while people decide
    given = (run.deadline - run.started_at).total_seconds()
    return [
        Use("Model calls", run.llm_calls, caps.llm_calls, _of(count(run.llm_calls), count(caps.llm_calls))),
        Use("Tool calls", run.tool_calls, caps.tool_calls, _of(count(run.tool_calls), count(caps.tool_calls))),
        Use("Tokens", tokens, caps.tokens, _of(count(tokens), count(caps.tokens)), _held(run.tokens_held, count)),
        Use(
            "Money",
            nano,
            caps.cost_nano_usd,
            _of(money_text(nano), money_text(caps.cost_nano_usd)),
            _held(run.nano_held, money_text),
        ),
        Use("Time", int(min(took, given)), int(given), _of(duration_text(took, "s"), duration_text(given, "s"))),
    ]


def _of(used: str, most: str) -> str:
    return f"{used} of {most}"


def _held(amount: int, words: Callable[[int], str]) -> str:
    return f"{words(amount)} of it held" if amount else ""


# -- caps -------------------------------------------------------------------------------------------------------------


def cap_text(name: str, value: int | None) -> str:
    """A cap's value in words; "" for None."""
    if value is None:
        return ""
    match name:
        case "cost_nano_usd":
            return money_text(value)
        case "duration_seconds":
            return duration_text(value, "s")
        case _:
            return count(value)
