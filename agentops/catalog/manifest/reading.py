"""The manifest's reader: everything that is wrong at once, each with its pointer and what would be taken."""

from __future__ import annotations

import re
from typing import Any

from agentops.catalog.manifest.forms import AgentForm, Manifest
from agentops.catalog.manifest.tools import read_tools
from agentops.catalog.policies import is_floating
from agentops.catalog.types import Routing
from agentops.common.errors import InputProblem, InvalidInput
from agentops.common.money import nano_usd
from agentops.common.reading import Reading

MODELS_MOST = 20
TASKS_MOST = 50
CACHE_SECONDS_MOST = 30 * 86_400
_AGENT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+:-]{0,99}")
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,199}")
_DOLLARS = re.compile(r"[0-9]{1,7}(\.[0-9]{1,9})?")
_PROBLEMS_MOST = 50
# The least and the most of each cap; the platform's plans cut them further.
_CAPS = {
    "llm_calls": (0, 1_000_000),
    "tool_calls": (0, 1_000_000),
    "depth": (0, 100),
    "tokens": (1, 1_000_000_000),
    "duration_seconds": (1, 7 * 86_400),
    "runs_per_user": (1, 100_000),
    "runs_per_tenant": (1, 100_000),
    "tenant_runs_per_minute": (1, 1_000_000),
    "runs_per_minute": (1, 100_000),
}
_REPETITION = ("same_tool", "identical", "cycle", "same_error")


def read(value: Any) -> Manifest:
    """A manifest from plain values. Raises InvalidInput with every problem.

    The member `status`, which the API adds when it answers with a manifest, is passed over.
    """
    outer = Reading(value)
    outer.anything("status")
    problems: list[InputProblem] = []
    warnings: list[InputProblem] = []
    stated = outer.anything("agent")
    if stated is None:
        outer.problem("agent", "required", "an object is expected that names the agent, its version and its models")
    agent = _agent(stated, problems, warnings)
    tools = read_tools(outer.anything("tools"), problems, warnings)
    problems = outer.all_problems() + problems
    if problems or agent is None:
        first = problems[0]
        raise InvalidInput(
            f"the manifest is not acceptable: {first.pointer or '/'}: {first.detail}",
            problems=tuple(problems[:_PROBLEMS_MOST]),
        )
    return Manifest(agent=agent, tools=tools, warnings=warnings)


def name_problem(text: str) -> str:
    """Why a text is no agent's name; "" when it is one."""
    if _AGENT_NAME.fullmatch(text):
        return ""
    return "1 to 100 letters, digits, dots, hyphens and underscores are expected, beginning with a letter or digit"


def version_problem(text: str) -> str:
    if _VERSION.fullmatch(text):
        return ""
    return "1 to 100 letters, digits and . _ + : - are expected, beginning with a letter or digit"


def _agent(value: Any, problems: list[InputProblem], warnings: list[InputProblem]) -> AgentForm | None:
    if value is None:
        return None
    read = Reading(value, pointer="/agent")
    name = read.text("name", required=True)
    if name and (wrong := name_problem(name)):
        read.problem("name", "name", wrong)
    version = read.text("version", required=True)
    if version and (wrong := version_problem(version)):
        read.problem("version", "version", wrong)
    models = _models(read, warnings)
    caps = _caps(read.anything("caps"), problems)
    repetition = _numbers(read.anything("repetition"), "/agent/repetition", problems)
    routing = _routing(read.anything("routing"), models, problems)
    form = AgentForm(
        name=name,
        version=version,
        models=models,
        prompt_hash=read.text("prompt_hash"),
        caps=caps,
        repetition=repetition,
        routing=routing,
        reads_when_offline=read.flag("reads_when_offline"),
        output_cache=_output_cache(read.anything("output_cache"), problems),
    )
    problems[:0] = read.all_problems()
    return form


def _models(read: Reading, warnings: list[InputProblem]) -> list[str]:
    """The allowed models, the default first; `model` alone allows itself only."""
    default = read.text("model")
    listed = read.anything("models")
    if listed is None:
        listed = [default] if default else []
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        read.problem("models", "type", "a list of model names is expected")
        return []
    if not listed:
        read.problem("model", "required", "the exact name of the model is expected, such as claude-sonnet-4-5-20250929")
    if len(listed) > MODELS_MOST or len(set(listed)) != len(listed):
        read.problem("models", "models", f"at most {MODELS_MOST} models are taken, each named once")
    for place, model in enumerate(listed):
        pointer = f"models/{place}" if read.anything("models") is not None else "model"
        if not _MODEL.fullmatch(model):
            read.problem(pointer, "model", "the name of one model is expected; all models cannot be allowed at once")
        elif is_floating(model):
            warnings.append(
                InputProblem(
                    f"/agent/{pointer}",
                    "floating_model",
                    f"{model} names no exact version, so what it does can change by itself; name one with its date",
                )
            )
    if default and listed and default != listed[0]:
        read.problem("model", "model", "the default model is the first of models; put it there")
    return listed


def _caps(value: Any, problems: list[InputProblem]) -> dict[str, int]:
    if value is None:
        return {}
    read = Reading(value, pointer="/agent/caps")
    found = {name: read.integer(name, least=least, most=most) for name, (least, most) in _CAPS.items()}
    found["cost_nano_usd"] = _dollars(read, "cost_usd")
    problems += read.all_problems()
    return {name: number for name, number in found.items() if number is not None}


def _dollars(read: Reading, name: str) -> int | None:
    amount = read.anything(name)
    if amount is None:
        return None
    if not isinstance(amount, str) or not _DOLLARS.fullmatch(amount):
        read.problem(name, "money", 'an amount of dollars in quotes is expected, such as "2.00"')
        return None
    return nano_usd(amount)


def _numbers(value: Any, pointer: str, problems: list[InputProblem]) -> dict[str, int]:
    if value is None:
        return {}
    read = Reading(value, pointer=pointer)
    found = {name: read.integer(name, least=1, most=1_000) for name in _REPETITION}
    problems += read.all_problems()
    return {name: number for name, number in found.items() if number is not None}


def _routing(value: Any, models: list[str], problems: list[InputProblem]) -> dict[str, Any]:
    """Fields of `types.Routing`; empty where there is none, which is off."""
    if value is None:
        return {}
    read = Reading(value, pointer="/agent/routing")
    found: dict[str, Any] = {"is_on": True, "max_failure_rate": Routing().max_failure_rate}
    for name in ("cheap", "premium"):
        model = read.text(name, required=True)
        if model and model not in models:
            read.problem(name, "model", f"one of the agent's models is expected: {', '.join(models)[:400]}")
        found[name] = model
    for name in ("cheap_tasks", "premium_tasks"):
        tasks = read.anything(name)
        if tasks is None:
            tasks = []
        if not isinstance(tasks, list) or len(tasks) > TASKS_MOST or not all(_is_task(task) for task in tasks):
            read.problem(name, "tasks", f"a list of at most {TASKS_MOST} task classes (texts) is expected")
            tasks = []
        found[name] = tasks
    rate = read.anything("max_failure_rate")
    if rate is not None:
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate <= 1:
            read.problem("max_failure_rate", "range", "a number from 0 to 1 is expected")
        else:
            found["max_failure_rate"] = rate
    problems += read.all_problems()
    return found


def _output_cache(value: Any, problems: list[InputProblem]) -> dict[str, Any]:
    """Fields of `types.OutputCache`; empty where there is none, which is off."""
    if value is None:
        return {}
    read = Reading(value, pointer="/agent/output_cache")
    seconds = read.integer("seconds", least=1, most=CACHE_SECONDS_MOST, required=True)
    who = read.anything("for")
    if who not in (None, "user", "everybody"):
        read.problem("for", "choice", "user (the default) or everybody is expected")
    problems += read.all_problems()
    return {"seconds": seconds, "is_for_everybody": who == "everybody"} if seconds else {}


def _is_task(task: Any) -> bool:
    return isinstance(task, str) and 1 <= len(task) <= 100
