"""Words of quality: what is judged, by whom, and what came of it."""

from __future__ import annotations

from django.db import models

JUDGE_AGENT = (
    "agentops.judge"  # the agent under which judges' spend stands in the ledger; its own runs are never judged
)


class EndpointKind(models.TextChoices):
    """Which API a judge's model is asked through."""

    OPENAI = "openai", "OpenAI-compatible"
    ANTHROPIC = "anthropic", "Anthropic"


class JudgeState(models.TextChoices):
    ACTIVE = "active", "Active"
    PAUSED = "paused", "Paused"
    REPLACED = "replaced", "Replaced by a newer version"


class Subject(models.TextChoices):
    """What a judgement is about: a production run, or what an agent did with one case of an eval set."""

    RUN = "run", "A run"
    CASE_RUN = "case_run", "A case that was run"


class JudgementState(models.TextChoices):
    """planned → running → scored | failed; skipped is the answer to why there is none."""

    PLANNED = "planned", "Planned"
    RUNNING = "running", "With the judge"
    SCORED = "scored", "Scored"
    FAILED = "failed", "No score"
    SKIPPED = "skipped", "Not judged"


class Sampled(models.TextChoices):
    """Why a run was chosen to be judged."""

    SAMPLE = "sample", "By chance"
    KEPT = "kept", "Always judged"
    ASKED = "asked", "A person asked"
    CASE = "case", "A case of a suite"


class FeedbackSource(models.TextChoices):
    API = "api", "API"
    WIDGET = "widget", "Widget"
    CONFIRMATION = "confirmation", "After a confirmation"


class SignalKind(models.TextChoices):
    """What people do when an answer was not good, without saying so."""

    CORRECTION = "correction", "Corrected at once"
    ABANDONED = "abandoned", "Left within 30 s"
    SAME_PROMPT = "same_prompt", "Asked the same again"
    CANCELLED = "cancelled", "Refused what was proposed"


class QueueReason(models.TextChoices):
    """Why a person should look at a run."""

    NEGATIVE_FEEDBACK = "negative_feedback", "Negative feedback"
    ABORTED = "aborted", "Aborted"
    DISAGREEMENT = "disagreement", "Judge and person disagree"
    CHECK = "check", "A check failed"
    RANDOM = "random", "Random sample"
    ASKED = "asked", "A person asked"


class QueueState(models.TextChoices):
    OPEN = "open", "Open"
    DONE = "done", "Reviewed"


class Verdict(models.TextChoices):
    GOOD = "good", "Good"
    BAD = "bad", "Bad"
    UNCLEAR = "unclear", "Cannot say"


class SuiteMode(models.TextChoices):
    """What the recorded tools do: answer as recorded, or misbehave."""

    PLAIN = "plain", "As recorded"
    CHAOS = "chaos", "Tools fail"


class Runner(models.TextChoices):
    """Where the agent is run."""

    CLIENT = "client", "By the customer's client"
    ENDPOINT = "endpoint", "At a registered address"


class SuiteState(models.TextChoices):
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    CANCELLED = "cancelled", "Cancelled"
    ABANDONED = "abandoned", "Nobody went on"


class CaseState(models.TextChoices):
    """planned → claimed → (judging →) passed | failed | diverged | errored. Diverged: it asked for a call nobody recorded."""

    PLANNED = "planned", "Planned"
    CLAIMED = "claimed", "Running"
    JUDGING = "judging", "With the judge"
    PASSED = "passed", "Passed"
    FAILED = "failed", "Failed"
    DIVERGED = "diverged", "Diverged"
    ERRORED = "errored", "Broke"


class ReplayState(models.TextChoices):
    OPEN = "open", "Waiting for the agent"
    DONE = "done", "Compared"


class GateVerdictKind(models.TextChoices):
    PASSED = "passed", "Passed"
    FAILED = "failed", "Failed"


class OverrideState(models.TextChoices):
    ASKED = "asked", "Waits for a second person"
    AGREED = "agreed", "Agreed"
    REFUSED = "refused", "Refused"
    OVER = "over", "Overtaken"


class DriftKind(models.TextChoices):
    STEP = "step", "Changed at a boundary"
    SLIDE = "slide", "Slides slowly"
    SHIFT = "shift", "Changed from one day to the next"
    MIX = "mix", "Another mix of tools"


class Dimension(models.TextChoices):
    """What runs are grouped by."""

    ALL = "all", "All runs"
    AGENT_VERSION = "agent_version", "Agent version"
    PROMPT_HASH = "prompt_hash", "Prompt"
    MODEL = "model", "Model"
    TOOLS_HASH = "tool_definitions_hash", "Tool definitions"
    PLAN = "plan", "Plan"
    LANGUAGE = "language", "Language"
    REGION = "region", "Region"
    USER_AGE = "user_age", "New or existing user"


class Metric(models.TextChoices):
    SCORE = "score", "Judge score"
    PASS_RATE = "pass_rate", "Pass rate of eval runs"
    REFUSALS = "refusals", "Refusals"
    ERRORS = "errors", "Errors"
    TOKENS = "tokens", "Tokens per run"
    COST = "cost", "Cost per run"
    FEEDBACK = "feedback", "Positive feedback"
    TOOL_MIX = "tool_mix", "Tools used"
