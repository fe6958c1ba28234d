"""Which attribute feeds which canonical field, in order of precedence (STANDARDS, section 4): the first non-empty wins.

Keys are our own: the published constants are deprecated or renamed from release to release.
"""

from __future__ import annotations

TEXT: dict[str, tuple[str, ...]] = {
    "environment": ("langfuse.environment",),
    "agent_version": ("gen_ai.agent.version", "traceloop.entity.version", "langfuse.version", "langfuse.release"),
    "user_id": (
        "langfuse.user.id",
        "user.id",
        "enduser.id",
        "enduser.pseudo.id",
        "traceloop.association.properties.user_id",
        "gen_ai.user",
        "llm.user",
        "ai.telemetry.metadata.userId",
        "ai.settings.context.userId",
        "langfuse.observation.metadata.langfuse_user_id",
        "langfuse.trace.metadata.langfuse_user_id",
    ),
    # A session the application names wins over a conversation id a framework made up. Never mcp.session.id.
    "session_id": (
        "session.id",
        "langfuse.session.id",
        "gen_ai.conversation.id",
        "traceloop.association.properties.session_id",
        "traceloop.association.properties.thread_id",
        "ai.telemetry.metadata.sessionId",
        "ai.settings.context.sessionId",
        "langfuse.observation.metadata.langfuse_session_id",
        "langfuse.trace.metadata.langfuse_session_id",
    ),
    "response_id": ("gen_ai.response.id", "ai.response.id"),
    "tool_call_id": ("gen_ai.tool.call.id", "tool.id", "tool_call.id", "ai.toolCall.id"),
    "call_id": ("agentops.call_id",),
    "guarded_run": ("agentops.run_id",),
    "idempotency_key": ("agentops.idempotency_key", "idempotency_key", "http.request.header.idempotency-key"),
    "external_system": ("agentops.external_system", "external_system"),
    "external_id": ("agentops.external_id", "external_id"),
}

AGENT = (
    "gen_ai.agent.name",
    "agent.name",
    "agent_name",
    "langfuse.trace.name",
    "gen_ai.workflow.name",
    "traceloop.workflow.name",
    "ai.telemetry.functionId",
    "resource.name",
)

MODEL_REQUESTED = (
    "gen_ai.request.model",
    "llm.request.model_name",
    "ai.model.id",
    "langfuse.observation.model.name",
    "llm.model_name",
    "embedding.model_name",
    "reranker.model_name",
    "model_name",
)
MODEL_ANSWERED = (
    "gen_ai.response.model",
    "llm.response.model_name",
    "llm.response.model",
    "ai.response.model",
    "langfuse.observation.model.name",
    "llm.model_name",
)
PROVIDER = ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system", "ai.model.provider")

TOKENS: dict[str, tuple[str, ...]] = {
    "input_tokens": (
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.prompt_tokens",
        "llm.token_count.prompt",
        "ai.usage.inputTokens",
        "ai.usage.promptTokens",
        "ai.usage.tokens",
    ),
    "output_tokens": (
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.completion_tokens",
        "llm.token_count.completion",
        "ai.usage.outputTokens",
        "ai.usage.completionTokens",
    ),
    "cache_read_tokens": (
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_read_input_tokens",
        "llm.token_count.prompt_details.cache_read",
        "llm.token_count.prompt_details.cache_input",
        "ai.usage.inputTokenDetails.cacheReadTokens",
        "ai.usage.cachedInputTokens",
        "gen_ai.usage.details.cache_read_tokens",
    ),
    "cache_write_tokens": (
        "gen_ai.usage.cache_write.input_tokens",
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_creation_input_tokens",
        "llm.token_count.prompt_details.cache_write",
        "ai.usage.inputTokenDetails.cacheWriteTokens",
        "gen_ai.usage.details.cache_write_tokens",
    ),
    "reasoning_tokens": (
        "gen_ai.usage.reasoning.output_tokens",
        "gen_ai.usage.reasoning_tokens",
        "gen_ai.usage.details.reasoning_tokens",
        "llm.token_count.completion_details.reasoning",
        "ai.usage.outputTokenDetails.reasoningTokens",
        "ai.usage.reasoningTokens",
    ),
    "total_tokens": (
        "gen_ai.usage.total_tokens",
        "llm.usage.total_tokens",
        "llm.token_count.total",
        "ai.usage.totalTokens",
    ),
}
NO_CACHE_TOKENS = "ai.usage.inputTokenDetails.noCacheTokens"
LANGFUSE_USAGE = "langfuse.observation.usage_details"
LANGFUSE_COST = "langfuse.observation.cost_details"
PROVIDER_METADATA = "ai.response.providerMetadata"
COST = ("llm.cost.total", "gen_ai.usage.cost", "operation.cost")

TOOL = ("gen_ai.tool.name", "tool.name", "ai.toolCall.name")
ARGUMENTS = (
    "gen_ai.tool.call.arguments",
    "ai.toolCall.args",
    "tool_arguments",
    "input.value",
    "traceloop.entity.input",
    "langfuse.observation.input",
    "mcp.request.argument",
    "gcp.vertex.agent.tool_call_args",
)
RESULT = (
    "gen_ai.tool.call.result",
    "ai.toolCall.result",
    "tool_response",
    "output.value",
    "traceloop.entity.output",
    "langfuse.observation.output",
    "mcp.response.value",
    "gcp.vertex.agent.tool_response",
)
INPUT_MESSAGES = ("gen_ai.input.messages",)
INPUT_AFTER_INDEXED = (
    "ai.prompt.messages",
    "ai.prompt",
    "langfuse.observation.input",
    "input.value",
    "traceloop.entity.input",
    "gen_ai.task.input",
    "gen_ai.retrieval.query.text",
    "gen_ai.memory.query.text",
    "ai.value",
    "ai.values",
    "gen_ai.guardrail.input",
    "langfuse.trace.input",
    "pydantic_ai.all_messages",
)
OUTPUT_MESSAGES = ("gen_ai.output.messages",)
OUTPUT_AFTER_INDEXED = (
    "langfuse.observation.output",
    "output.value",
    "traceloop.entity.output",
    "gen_ai.task.output",
    "gen_ai.guardrail.output",
    "langfuse.trace.output",
    "final_result",
)
VERCEL_OUTPUT = ("ai.response.text", "ai.response.toolCalls", "ai.response.object")
SYSTEM = ("gen_ai.system_instructions",)
TOOL_DEFINITIONS = ("gen_ai.tool.definitions", "ai.prompt.tools")
TOOL_DEFINITIONS_INSIDE = ("model_request_parameters", "llm.invocation_parameters")
DOCUMENTS = ("gen_ai.retrieval.documents", "gen_ai.memory.records")
FINISH = (
    "gen_ai.response.finish_reasons",
    "llm.finish_reason",
    "ai.response.finishReason",
    "gen_ai.response.finish_reason",
    "gen_ai.response.stop_reason",
)
ERROR_TYPE = ("error.type", "gen_ai.guardrail.error.type")

# Families whose index is a path segment: prefix -> canonical use.
INDEXED: dict[str, str] = {
    "llm.input_messages.": "oi_input",
    "llm.output_messages.": "oi_output",
    "llm.tools.": "oi_tools",
    "llm.request.functions.": "ol_tools",
    "gen_ai.prompt.": "ol_input",
    "gen_ai.completion.": "ol_output",
    "retrieval.documents.": "oi_documents",
    "reranker.output_documents.": "oi_documents",
    "annotations.": "oi_annotations",
}

# Read elsewhere in the mapping (kinds, errors, times …).
READ: frozenset[str] = frozenset(
    {
        "ai.operationId",
        "ai.response.msToFirstChunk",
        "gen_ai.guardrail.name",
        "gen_ai.operation.name",
        "gen_ai.response.time_to_first_chunk",
        "graph.node.name",
        "langfuse.observation.completion_start_time",
        "langfuse.observation.level",
        "langfuse.observation.status_message",
        "langfuse.observation.type",
        "llm.cost.completion",
        "llm.cost.prompt",
        "llm.request.type",
        "mcp.method.name",
        "openinference.span.kind",
        "pydantic_ai.new_message_index",
        "pydantic_ai.variable_instructions",
        "tool.parameters",
        "traceloop.entity.name",
        "traceloop.span.kind",
    }
)

# Known to the conventions and kept as they are: not a gap in the mapping.
KEPT: frozenset[str] = frozenset(
    {
        "gen_ai.agent.call.id",
        "gen_ai.agent.description",
        "gen_ai.agent.id",
        "gen_ai.conversation.compacted",
        "gen_ai.data_source.id",
        "gen_ai.embeddings.dimension.count",
        "gen_ai.guardrail.duration",
        "gen_ai.guardrail.status",
        "gen_ai.is_streaming",
        "gen_ai.output.type",
        "gen_ai.prompt.name",
        "gen_ai.retrieval.top_k",
        "gen_ai.tool.description",
        "gen_ai.tool.type",
        "gen_ai.token.type",
        "llm.function_call",
        "llm.headers",
        "llm.is_streaming",
        "llm.prompt_template.template",
        "llm.prompt_template.variables",
        "llm.prompt_template.version",
        "llm.request.reasoning_effort",
        "llm.token_count.prompt_details.audio",
        "llm.token_count.completion_details.audio",
        "mcp.protocol.version",
        "mcp.resource.uri",
        "mcp.session.id",
        "traceloop.correlation.id",
        "traceloop.entity.path",
    }
)
KEPT_PREFIXES = (
    "gen_ai.aggregated_usage.",
    "gen_ai.memory.",
    "gen_ai.openai.",
    "gen_ai.request.",
    "gen_ai.task.",
    "gen_ai.usage.audio.",
    "gen_ai.usage.details.",
    "gen_ai.usage.image.",
    "gen_ai.usage.text.",
    "ai.settings.",
    "ai.telemetry.metadata.",
    "ai.response.timestamp",
    "ai.response.avg",
    "ai.response.msTo",
    "ai.stream.",
    "ai.usage.",
    "langfuse.experiment.",
    "langfuse.internal.",
    "langfuse.observation.metadata",
    "langfuse.observation.model.parameters",
    "langfuse.observation.prompt.",
    "langfuse.trace.",
    "llm.cost.",
    "traceloop.association.properties.",
    "traceloop.prompt.",
)
GENAI_PREFIXES = ("gen_ai.", "llm.", "ai.", "langfuse.", "traceloop.", "openinference.", "mcp.")
