"""The OpenTelemetry SDK as a customer sets it up: one exporter per organisation, one resource per service."""

from __future__ import annotations

from random import Random

from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import Tracer

from agentops.portal.demo.steps import Agent

_QUEUE = 16_384  # spans: the largest run ends at once when the past is filled in
_BATCH = 512
_EVERY_MS = 2_000
_SCOPES = {
    "otel": ("opentelemetry.instrumentation.genai", "1.0b0"),
    "openinference": ("openinference.instrumentation.langchain", "0.1.56"),
    "openllmetry": ("opentelemetry.instrumentation.langchain", "0.47.5"),
}


class SeededIds(IdGenerator):
    """Ids from the dice of the run that is being made, so that the same run sent twice is the same run."""

    def __init__(self) -> None:
        self.rng = Random(0)

    def generate_span_id(self) -> int:
        return self.rng.getrandbits(64) or 1

    def generate_trace_id(self) -> int:
        return self.rng.getrandbits(128) or 1


class Line:
    """One organisation's way to the portal."""

    def __init__(self, *, base_url: str, key: str) -> None:
        self.ids = SeededIds()
        self._processor = BatchSpanProcessor(
            OTLPSpanExporter(
                endpoint=f"{base_url}/v1/traces",
                headers={"Authorization": f"Bearer {key}"},
                compression=Compression.Gzip,
                timeout=10,
            ),
            max_queue_size=_QUEUE,
            max_export_batch_size=_BATCH,
            schedule_delay_millis=_EVERY_MS,
        )
        self._providers: dict[str, TracerProvider] = {}

    def tracer(self, agent: Agent) -> Tracer:
        provider = self._providers.get(agent.service)
        if provider is None:
            resource = Resource.create(
                {
                    "service.name": agent.service,
                    "service.namespace": agent.tenant,
                    "service.instance.id": f"{agent.service}-{self.ids.rng.getrandbits(24):06x}",
                    "deployment.environment.name": agent.environment,
                    "cloud.region": "eu-west-1",
                }
            )
            provider = TracerProvider(resource=resource, id_generator=self.ids, shutdown_on_exit=False)
            provider.add_span_processor(self._processor)
            self._providers[agent.service] = provider
        return provider.get_tracer(*_SCOPES[agent.dialect])

    def flush(self) -> None:
        """Send what has ended, and wait until the portal has answered."""
        self._processor.force_flush()

    def close(self) -> None:
        """Send the rest and stop the sending thread."""
        self._processor.shutdown()  # type: ignore[no-untyped-call]
