"""A conversation between a person, an agent and its tools, written down as it goes; it becomes the steps of runs."""

from __future__ import annotations

import json
from collections.abc import Sequence

from agentops.portal.demo.steps import (
    Agent,
    Failure,
    Json,
    Kind,
    Message,
    Model,
    Moment,
    Step,
    answer_message,
    call_message,
    text_message,
)

_LETTERS_PER_TOKEN = 4
_FIRST_TOKEN_SECONDS = 0.35


class Talk:
    """A conversation with one agent, in which each answer of the model sees everything said before it.

    Each message of the person begins a run, `run` is the latest, and all share a session. Token counts follow from the texts; what the model has read in an earlier call of the run comes from the cache.
    """

    def __init__(
        self, agent: Agent, moment: Moment, *, user: str = "", session: str = "", model: Model | None = None
    ) -> None:
        self.agent = agent
        self.rng = moment.rng
        self.release = agent.release_at(moment.hours)
        self.model = model or self.release.model
        self._user = user
        self._session = session or f"sess_{self.rng.getrandbits(40):010x}"
        self.run = self._first = self._new_run()
        self._said: list[Message] = []
        self._read_before = 0
        self._fixed_tokens = _tokens(self.release.prompt) + sum(
            _tokens(json.dumps(t.definition())) for t in agent.tools
        )

    def hears(self, text: str) -> None:
        """The person says something; what follows is a run of its own if the agent has answered already."""
        if self.run.output:
            self.run.then = self._new_run()
            self.run.then.pause = self.rng.uniform(9, 75)
            self.run = self.run.then
        self._said.append(text_message("user", text))
        self.run.input.append(text_message("user", text))

    def says(self, text: str, *, thinks: int = 0, finish: str = "stop", model: Model | None = None) -> Step:
        """The model answers in words; `thinks` is how many tokens it reasoned."""
        message = text_message("assistant", text)
        step = self._model_step([message], finish, thinks, model)
        self.run.output = [message]
        return step

    def calls(
        self,
        name: str,
        arguments: Json,
        *,
        returns: Json = None,
        seconds: float = 0.0,
        thought: str = "",
        fails: Failure | None = None,
        effect: Step | None = None,
        thinks: int = 0,
    ) -> Step:
        """The model asks for a tool, and the tool answers (or `fails`)."""
        tool = next(tool for tool in self.agent.tools if tool.name == name)
        call_id = f"call_{self.rng.getrandbits(64):016x}"
        self._model_step([call_message(call_id, name, arguments, thought)], "tool_call", thinks, None)
        step = self._add(
            Kind.TOOL,
            name,
            seconds or self.rng.uniform(0.08, 0.9),
            tool=tool,
            call_id=call_id,
            arguments=arguments,
            result=returns,
            failure=fails,
        )
        if effect is not None:
            step.children.append(effect)
        heard = {"error": fails.type, "message": fails.message} if fails else returns
        self._said.append(answer_message(call_id, heard))
        return step

    def fails_to_answer(self, failure: Failure, *, seconds: float = 0.6) -> Step:
        """The model's provider refuses or breaks off."""
        step = self._model_step([], "error", 0, None)
        step.failure, step.usage, step.seconds = failure, {}, seconds
        return step

    def retrieves(self, source: str, query: str, documents: Sequence[Json]) -> Step:
        """A search in a knowledge base, whose findings the next answer reads."""
        step = self._add(Kind.RETRIEVAL, source, self.rng.uniform(0.1, 0.5), documents=list(documents))
        step.input = [text_message("user", query)]
        found = "\n\n".join(f"{document['id']}: {document['content']}" for document in documents)
        self._said.append(text_message("user", f"Context from {source}:\n{found}"))
        return step

    def guards(self, name: str, *, verdict: str, score: float) -> Step:
        """A filter looks at what was said."""
        step = self._add(Kind.GUARDRAIL, name, self.rng.uniform(0.03, 0.12))
        step.input = self._said[-1:]
        step.extra = {"gen_ai.guardrail.status": verdict, "gen_ai.guardrail.score": round(score, 3)}
        return step

    def plans(self, text: str) -> Step:
        """A step in which the agent lays out what it will do."""
        step = self._add(Kind.PLAN, "plan", self.rng.uniform(0.01, 0.05))
        step.output = [text_message("assistant", text)]
        return step

    def hands_over(self, other: Talk, task: str) -> Step:
        """A sub-agent, finished already, takes a part of the work; its answer is read like a tool's."""
        run = other.run
        for step in run.walk():
            step.session, step.user = self._session, self._user
        if not run.input:
            run.input = [text_message("user", task)]
        self.run.children.append(run)
        answer = run.output[0]["parts"][0]["content"] if run.output else ""
        self._said.append(text_message("user", f"{other.agent.name} reports: {answer}"))
        return run

    def ends(self, failure: Failure | None = None, *, scenario: str = "") -> Step:
        """The conversation is over; answers its first run. One that plays a scenario says so in its roots' attributes."""
        self.run.failure = failure
        for turn in self._first.turns():
            if scenario:
                turn.extra["demo.scenario"] = scenario
            for step in turn.walk():
                step.is_quiet = not self.agent.captures_content
        return self._first

    def _new_run(self) -> Step:
        return Step(
            Kind.RUN,
            self.agent.name,
            seconds=self.rng.uniform(0.02, 0.15),
            agent=self.agent,
            release=self.release,
            user=self._user,
            session=self._session,
        )

    def _add(self, kind: Kind, name: str, seconds: float, **fields: Json) -> Step:
        step = Step(kind, name, seconds, agent=self.agent, release=self.release, **fields)
        step.session, step.user = self._session, self._user
        self.run.children.append(step)
        return step

    def _model_step(self, output: list[Message], finish: str, thinks: int, model: Model | None) -> Step:
        used = model or self.model
        read = self._fixed_tokens + sum(_tokens(json.dumps(message)) for message in self._said)
        written = thinks + max(4, sum(_tokens(json.dumps(message["parts"])) for message in output) - 12)
        usage = {"input": read, "output": written}
        if used.caches and self._read_before > 1024:
            usage["cache_read"] = self._read_before // 128 * 128
        if used.provider in ("anthropic", "aws.bedrock") and self._read_before == 0 and read > 1024:
            usage["cache_write"] = self._fixed_tokens
        if thinks:
            usage["reasoning"] = thinks
        self._read_before = read
        step = self._add(
            Kind.MODEL,
            used.name,
            _FIRST_TOKEN_SECONDS * self.rng.uniform(0.7, 2.2) + written / used.tokens_per_second,
            model=used,
            input=list(self._said),
            output=output,
            finish=finish,
            usage=usage,
            call_id=f"{'msg_01' if 'claude' in used.name else 'resp_'}{self.rng.getrandbits(80):020x}",
        )
        self._said.extend(output)
        return step


def _tokens(text: str) -> int:
    return len(text) // _LETTERS_PER_TOKEN + 1


def http_effect(
    moment: Moment, *, method: str, host: str, path: str, system: str, external_id: str, idempotency_key: str = ""
) -> Step:
    """The call to another company's interface that cannot be taken back."""
    step = Step(Kind.EFFECT, f"{method} {path}", moment.rng.uniform(0.1, 0.6))
    step.extra = {
        "http.request.method": method,
        "server.address": host,
        "url.full": f"https://{host}{path}",
        "http.response.status_code": 201 if method == "POST" else 200,
        "agentops.external_system": system,
        "agentops.external_id": external_id,
    }
    if idempotency_key:
        step.extra["agentops.idempotency_key"] = idempotency_key
    return step
